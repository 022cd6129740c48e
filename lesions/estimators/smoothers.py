"""Models of a game's odd part fitted to drawn pairs: least squares of order 1 or 3, and shrunken third order."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Integer

from artiphys.array_types import Array
from artiphys.lesions.estimators.linear_smoothers import (
    Smoother,
    Spectrum,
    feature_smoother,
    kernel_smoother,
    orthonormal,
)
from artiphys.lesions.estimators.odd_polynomials import (
    Functional,
    cubic,
    cubic_kernel,
    cubic_kernel_values,
    sign,
    sizes_of,
)
from artiphys.lesions.estimators.pair_designs import Design

CUBIC_VARIANCES = (0.0, 0.3, 1.0, 3.0, 10.0, 100.0, 1000.0)  # variance of third order / variance left over
LINEAR_VARIANCES = (0.1, 1.0, 10.0, 100.0, 1000.0)
N_SELECTION_PAIRS = 150  # pairs on which shrinkage is chosen; more where they would not be twice the linear parameters
MAX_FEATURES_PER_PAIR = 0.8  # functions a pair from which matrices of pairs are the smaller ones
MAX_TABLED_PLAYERS = 512  # up to which a table of players by players is made
N_LANDMARKS = 1500  # most functions in a shrunken model of more pairs than that


def least_squares(design: Design, order: int) -> Smoother:
    """Ordinary least squares on players, sizes and (third order) triples; says whether its rank suffices."""
    x, functional = sign(design.intact), Functional.of(design.index, design.n_players)
    parts = [_drift(design, functional, x)]
    if order == 3:
        parts.append(cubic(x, functional, np.ones(functional.n)))
    features, values = (np.hstack(p) for p in zip(*parts))
    factor, weights, estimable = orthonormal(features, values)
    return Smoother(factor, None, weights @ factor.T, factor.shape[1], estimable)


def shrunken(design: Design, u: Float[Array, "pair output"]) -> tuple[tuple[Smoother, Smoother], float]:
    """Third order shrunken towards first by leave-one-out error: two models, and the mean ratio of variances.

    Both are fitted to all pairs. The shrinkage of the first is chosen on the odd pairs, to correct the even
    ones with, and the other way round: chosen on all pairs it would make their residuals look too small.
    Players and sizes are shrunken too where there are fewer than four pairs for each.
    """
    x, functional = sign(design.intact), Functional.of(design.index, design.n_players)
    free = len(x) >= 4 * (functional.n + len(set(design.stratum.tolist())))
    shrinkages = [_chosen(design, functional, x, u, np.arange(other, len(x), 2), free) for other in (1, 0)]
    first = _fitted(design, functional, x, shrinkages[0])
    second = first if shrinkages[1].same(shrinkages[0]) else _fitted(design, functional, x, shrinkages[1])
    return (first, second), (shrinkages[0].cubic + shrinkages[1].cubic) / 2


@dataclass(frozen=True)
class _Shrinkage:
    """Variance of the linear part (inf: not shrunken) and of the cubic part, both / variance left over."""

    linear: float
    cubic: float
    relevance: Array

    def same(self, other: _Shrinkage) -> bool:
        """Whether it gives the same model."""
        alike = self.cubic == 0 or np.array_equal(self.relevance, other.relevance)
        return alike and (self.linear, self.cubic) == (other.linear, other.cubic)


def _chosen(
    design: Design,
    functional: Functional,
    x: Float[Array, "pair player"],
    u: Float[Array, "pair output"],
    part: Integer[Array, " part"],
    free: bool,
) -> _Shrinkage:
    """The shrinkage with the least leave-one-out error on a part of the pairs, thinned over all strata."""
    enough = max(N_SELECTION_PAIRS, 2 * (functional.n + len(set(design.stratum.tolist()))) if free else 0)
    part = part[np.unique(np.linspace(0, len(part) - 1, enough).astype(int))]
    some = Design(design.index, design.intact[part], design.stratum[part], design.share[part], design.fraction[part])
    weight = (1 - some.fraction) * some.share
    scale = u[part].var(axis=0) + 1e-300
    even = np.ones(functional.n)

    def error(left: Array, diagonal: Array, ratio: float) -> float:
        left = left / np.maximum(diagonal, 1e-12)[:, None]
        return float((weight @ (left**2 / scale)).sum()) * (1 + 1e-9 * math.log1p(ratio))

    def refitted(shrinkage: _Shrinkage) -> float:
        model = _fitted(some, functional, x[part], shrinkage)
        return error(model.residuals(u[part]), model.diagonal(), shrinkage.cubic)

    unshrunken = (math.inf,) if free else LINEAR_VARIANCES
    tried = [(refitted(s), s) for s in (_Shrinkage(v, 0.0, even) for v in unshrunken)]
    linear = min(tried, key=lambda t: t[0])[1]
    if functional.n > 2:
        model = _fitted(some, functional, x[part], linear)
        effect = np.abs(model.value_weights @ (u[part] / np.sqrt(scale))).max(axis=1)
        effect = effect / max(float(effect.mean()), 1e-300)
        # Interactions may be spread evenly, or lie between players that matter by themselves (heredity).
        for relevance in (even, effect + 0.1):
            cubics = [_Shrinkage(linear.linear, c, relevance) for c in CUBIC_VARIANCES[1:]]
            if free and math.comb(functional.n, 3) >= MAX_FEATURES_PER_PAIR * len(part):
                spectrum = Spectrum.of(_drift(some, functional, x[part])[0], cubic_kernel(x[part], x[part], relevance))
                tried += [(error(*spectrum.left(u[part], s.cubic), s.cubic), s) for s in cubics]
            else:
                tried += [(refitted(s), s) for s in cubics]
    return min(tried, key=lambda t: t[0])[1]


def _fitted(design: Design, functional: Functional, x: Float[Array, "pair player"], shrinkage: _Shrinkage) -> Smoother:
    linear, ratio, relevance = shrinkage.linear, shrinkage.cubic, shrinkage.relevance
    free = math.isinf(linear)
    if not free and functional.n > MAX_TABLED_PLAYERS:
        return kernel_smoother(*_kernels(design, functional, x, shrinkage), None)
    drift, values = _drift(design, functional, x)
    if free and ratio == 0:
        factor, weights, estimable = orthonormal(drift, values)
        return Smoother(factor, None, weights @ factor.T, factor.shape[1], estimable)
    shrunk = [] if free else [(drift * math.sqrt(linear / functional.n), values * math.sqrt(linear / functional.n))]
    n_cubic = math.comb(functional.n, 3) if ratio else 0
    if free and n_cubic > N_LANDMARKS and len(x) > N_LANDMARKS:
        shrunk.append(_landmarks(x, functional, shrinkage))
    elif n_cubic and n_cubic < MAX_FEATURES_PER_PAIR * len(x):
        monomials, monomial_values = cubic(x, functional, relevance)
        shrunk.append((monomials * math.sqrt(ratio), monomial_values * math.sqrt(ratio)))
    else:
        kernel, kernel_values = np.eye(len(x)), np.zeros((functional.n, len(x)))
        for f, v in shrunk:
            kernel, kernel_values = kernel + f @ f.T, kernel_values + v @ f.T
        if n_cubic:
            kernel = kernel + ratio * cubic_kernel(x, x, relevance)
            kernel_values = kernel_values + ratio * cubic_kernel_values(x, functional, relevance)
        return kernel_smoother(kernel, kernel_values, (drift, values) if free else None)
    return feature_smoother(shrunk, (drift, values) if free else None)


def _kernels(
    design: Design, functional: Functional, x: Float[Array, "pair player"], shrinkage: _Shrinkage
) -> tuple[Float[Array, "pair pair"], Float[Array, "player pair"]]:
    """The kernel of all that is shrunken, and its values, without a table of players by players."""
    variance, linear = shrinkage.linear / functional.n, functional.linear(x)
    sizes, size_values = sizes_of(design, functional)
    kernel = np.eye(len(x)) + variance * (linear @ linear.T + sizes @ sizes.T)
    values = variance * (functional.of_linear_times(linear.T) + size_values @ sizes.T)
    if ratio := shrinkage.cubic:
        kernel += ratio * cubic_kernel(x, x, shrinkage.relevance)
        values += ratio * cubic_kernel_values(x, functional, shrinkage.relevance)
    return kernel, values


def _landmarks(
    x: Float[Array, "pair player"], functional: Functional, shrinkage: _Shrinkage
) -> tuple[Float[Array, "pair landmark"], Float[Array, "player landmark"]]:
    """The span of the kernel at some of the pairs: it bounds the work where there are more triples than that.

    What the kernel holds outside the span counts as noise (as in Snelson & Ghahramani 2006).
    """
    chosen, relevance = x[np.linspace(0, len(x) - 1, N_LANDMARKS).astype(int)], shrinkage.relevance
    root = np.linalg.cholesky(cubic_kernel(chosen, chosen, relevance) + 1e-8 * np.eye(N_LANDMARKS))
    inverse = np.linalg.inv(root).T
    features = cubic_kernel(x, chosen, relevance) @ inverse
    outside = max(1 - float((features**2).sum(axis=1).mean()), 0.0)
    scale = math.sqrt(shrinkage.cubic / (1 + shrinkage.cubic * outside))
    return features * scale, cubic_kernel_values(chosen, functional, relevance) @ inverse * scale


def _drift(
    design: Design, functional: Functional, x: Float[Array, "pair player"]
) -> tuple[Float[Array, "pair feature"], Float[Array, "player feature"]]:
    """Players and sizes: what is fitted without shrinkage."""
    sizes, size_values = sizes_of(design, functional)
    return np.hstack([functional.linear(x), sizes]), np.hstack([functional.of_linear(), size_values])
