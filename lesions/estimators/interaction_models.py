"""Models of a game's even and odd part fitted to drawn pairs, for interactions.

Over a pair of complements a game v is its even part (v(S) + v(complement)) / 2 and its odd part (v(S) - v(complement))
/ 2. Monomials of an even number of players live in the one, of an odd number in the other. Each part gets a free or
shrunken low degree and a shrunken higher degree, as strong as leaves pairs that are left out predicted best.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from jaxtyping import Float

from artiphys.array_types import Array
from artiphys.lesions.estimators.interaction_weights import Interaction, sets_of
from artiphys.lesions.estimators.kernel import pairs_of_size, strata
from artiphys.lesions.estimators.linear_smoothers import Smoother, Spectrum, kernel_smoother, orthonormal
from artiphys.lesions.estimators.odd_polynomials import sign
from artiphys.lesions.estimators.pair_designs import Design

MIN_PAIRS_PER_FREE_FEATURE = 1.2  # from which a degree is fitted without shrinkage
MANY_PAIRS_PER_FEATURE = 4.0  # from which shrinking it is not even tried
VARIANCES = (0.3, 1.0, 3.0, 10.0, 100.0, 1000.0)  # of what is shrunken / variance left over
HIGHER_SHARES = (0.0, 0.1, 0.3, 1.0)  # variance of the higher degree / of the lower, where both are shrunken
MIN_LEFT = 1e-5  # of an observation, below which only rounding is left of it
ROUNDING = 1e-18  # of the variance
MAX_KERNEL_PAIRS = 4000  # up to which tables of pairs by pairs are made; of more the low degree is well known
N_SELECTION_PAIRS = 400  # pairs on which shrinkage is chosen, or twice the free features


@dataclass(frozen=True)
class Part:
    """The even (``parity`` +1) or odd (-1) part of a game on drawn pairs, and the terms that need it.

    ``sizes`` are those of the interactions that are estimated; others are known without.
    """

    interaction: Interaction
    design: Design
    parity: int
    sizes: tuple[int, ...]

    @cached_property
    def x(self) -> Float[Array, "pair player"]:
        """Coalitions as -1 and +1."""
        return sign(self.design.intact)

    @property
    def degrees(self) -> tuple[int, int]:
        """Low and higher degree of its model."""
        return (2, 4) if self.parity > 0 else (1, 3)

    @cached_property
    def weights(self) -> Float[Array, "term pair"]:
        """Weight of each drawn pair, standing for its share of all pairs, in each term."""
        intact, n = self.design.intact, self.interaction.n
        rows = [
            self.interaction.coalition_weights(sets_of(n, s), intact)
            + self.parity * self.interaction.coalition_weights(sets_of(n, s), ~intact)
            for s in self.sizes
        ]
        return np.concatenate(rows) * (self.design.share / self._probability)

    @cached_property
    def _probability(self) -> Float[Array, " pair"]:
        """The kernel's probability of each drawn pair."""
        n = self.interaction.n
        by_size = {
            s: w / pairs_of_size(n, s) for part in strata(n, self.design.index) for s, w in zip(part.sizes, part.shares)
        }
        held = self.design.intact.sum(axis=1)
        return np.array([by_size[int(s)] for s in np.minimum(held, n - held)])

    @cached_property
    def weight_of_ends(self) -> Float[Array, " term"]:
        """Weight of this part at "all intact" in each term: that pair is known."""
        n = self.interaction.n
        ends = np.stack([np.ones(n, bool), np.zeros(n, bool)])
        both = [self.interaction.coalition_weights(sets_of(n, s), ends) for s in self.sizes]
        return np.concatenate([w[:, 0] + self.parity * w[:, 1] for w in both])

    def sizes_features(self) -> tuple[Float[Array, "pair feature"], Float[Array, "term feature"]]:
        """A constant (of the even part) and one indicator a stratum with enough draws, and their values."""
        n = self.interaction.n
        parts = strata(n, self.design.index)
        drawn = np.bincount(self.design.stratum, minlength=len(parts))
        features, values = [], []
        n_terms = [len(sets_of(n, s)) for s in self.sizes]
        if self.parity > 0:
            features.append(np.ones(self.design.n_pairs))
            values.append(-self.weight_of_ends)
        for b, stratum in enumerate(parts):
            if drawn[b] < 4 or (self.parity < 0 and 2 * stratum.sizes[-1] == n):
                continue  # at half of the players the odd part of what depends on size alone is 0
            if len(stratum.sizes) > 1 and self.design.index == "banzhaf":
                continue  # of sizes with values of their own one indicator cannot tell
            features.append((self.design.stratum == b).astype(float))
            of_size = [self.interaction.of_stratum(s, stratum, self.parity) for s in self.sizes]
            values.append(np.repeat(of_size, n_terms))
        shape = (len(self.weight_of_ends), 0)
        return (
            np.stack(features, axis=1) if features else np.empty((self.design.n_pairs, 0)),
            np.stack(values, axis=1) if values else np.empty(shape),
        )

    def monomials(self) -> tuple[Float[Array, "pair feature"], Float[Array, "term feature"]]:
        """All monomials of the low degree and their values."""
        n, low = self.interaction.n, self.degrees[0]
        sets = sets_of(n, low)
        features = self.x[:, sets].prod(axis=2)
        holds = np.zeros((len(sets), n), dtype=bool)
        holds[np.arange(len(sets))[:, None], sets] = True
        blocks = []
        for s in self.sizes:
            inside = holds[:, sets_of(n, s)].all(axis=2).T if s <= low else np.zeros((len(sets_of(n, s)), len(sets)))
            blocks.append(inside * (self.interaction.of_monomial(s, low - s) if s <= low else 0.0))
        return features, np.concatenate(blocks) - self.weight_of_ends[:, None]

    def kernel(
        self, degree: int, relevance: Float[Array, " player"]
    ) -> tuple[Float[Array, "pair pair"], Float[Array, "term pair"]]:
        """Mean product of all monomials of a degree, weighted by relevance, and the values of its functions."""
        total = float(_symmetric(relevance[None], degree)[0, degree])
        scaled = self.x * relevance
        # Power sums of products of coalitions: x squared is 1, so that odd powers need one product each.
        first = scaled @ self.x.T
        third = (self.x * relevance**3) @ self.x.T if degree > 2 else np.zeros(())
        powers = [first, float((relevance**2).sum()), third, float((relevance**4).sum())]
        kernel = _elementary(powers, degree) / total
        return kernel, (self._values(degree, scaled, relevance) - self._at_all(degree, scaled, relevance)) / total

    def _values(self, degree: int, scaled: Array, relevance: Array) -> Float[Array, "term pair"]:
        blocks = []
        for s in self.sizes:
            sets = sets_of(self.interaction.n, s)
            if s > degree:
                blocks.append(np.zeros((len(sets), len(scaled))))
                continue
            without = _symmetric(scaled, degree - s)[:, None, :].repeat(len(sets), axis=1)  # (pair, set, degree)
            for k in range(s):  # divided by the generating function of each member
                member = scaled[:, sets[:, k]]
                for d in range(1, degree - s + 1):
                    without[:, :, d] -= member * without[:, :, d - 1]
            value = self.interaction.of_monomial(s, degree - s)
            blocks.append((value * scaled[:, sets].prod(axis=2) * without[:, :, degree - s]).T)
        return np.concatenate(blocks)

    def _at_all(self, degree: int, scaled: Array, relevance: Array) -> Float[Array, "term pair"]:
        return self.weight_of_ends[:, None] * _symmetric(scaled, degree)[:, degree]

    def thinned(self, most: int) -> Part:
        """At most so many of its pairs, spread over all strata."""
        if self.design.n_pairs <= most:
            return self
        kept = np.unique(np.linspace(0, self.design.n_pairs - 1, most).astype(int))
        d = self.design
        some = Design(d.index, d.intact[kept], d.stratum[kept], d.share[kept], d.fraction[kept])
        return Part(self.interaction, some, self.parity, self.sizes)

    def kept_by(self, other: Part) -> Array:
        """Indices of this part's pairs that a thinned one kept."""
        return np.unique(np.linspace(0, self.design.n_pairs - 1, other.design.n_pairs).astype(int))


def _symmetric(rows: Float[Array, "row player"], most: int) -> Float[Array, "row degree"]:
    """Elementary symmetric polynomials of each row, of degree 0 to ``most``."""
    found = np.zeros((len(rows), most + 1))
    found[:, 0] = 1
    for column in rows.T:
        for d in range(most, 0, -1):
            found[:, d] += column * found[:, d - 1]
    return found


def _elementary(powers: Sequence[Array | float], degree: int) -> Array:
    """Elementary symmetric polynomial of a degree from power sums (Newton's identities)."""
    elementary: list[Array | float] = [1.0]
    for d in range(1, degree + 1):
        terms = [(-1) ** (k - 1) * elementary[d - k] * powers[k - 1] for k in range(1, d + 1)]
        elementary.append(sum(terms[1:], start=terms[0]) / d)
    return np.asarray(elementary[degree])


@dataclass(frozen=True)
class _Model:
    """Which degrees are free, and the variance of what is shrunken / variance left over."""

    free: bool
    ratio: float
    share: float  # of the higher degree, in units of the lower one's variance; where the lower is free, of its own
    relevance: Array

    def same(self, other: _Model) -> bool:
        alike = self.ratio == 0 or np.array_equal(self.relevance, other.relevance)
        return alike and (self.free, self.ratio, self.share) == (other.free, other.ratio, other.share)


def fitted(part: Part, observed: Float[Array, "pair output"]) -> list[Smoother]:
    """Two models of all pairs: the first to correct even-numbered pairs with, chosen by odd-numbered ones; and back."""
    n_low = math.comb(part.interaction.n, part.degrees[0])
    some = part.thinned(max(N_SELECTION_PAIRS, 2 * n_low))
    tried = _tried(some, observed[part.kept_by(some)], n_low)
    if part.design.n_pairs > MAX_KERNEL_PAIRS:
        tried = [(squares, m) for squares, m in tried if m.free and m.ratio == 0] or tried
    scale = (1 - some.design.fraction) * some.design.share
    chosen = []
    for other in (1, 0):
        errors = [float(scale[other::2] @ squares[other::2]) * (1 + 1e-9 * math.log1p(m.ratio)) for squares, m in tried]
        # Of models that leave nothing over but rounding, the first is the simplest.
        chosen.append(tried[int(np.argmin(np.maximum(errors, ROUNDING)))][1])
    first = _smoother(part, chosen[0])
    return [first] if chosen[1].same(chosen[0]) else [first, _smoother(part, chosen[1])]


def _tried(part: Part, observed: Float[Array, "pair output"], n_low: int) -> list[tuple[Array, _Model]]:
    """Squared errors of each pair when it is left out ``(pair,)``, summed over outputs, for every model tried."""
    n, m = part.interaction.n, part.design.n_pairs
    even = np.ones(n)
    scale = observed.var(axis=0) + 1e-300
    sizes, _ = part.sizes_features()
    found: list[tuple[Array, _Model]] = []

    def keep(left: Array, diagonal: Array, model: _Model) -> None:
        found.append((((left / np.maximum(diagonal, MIN_LEFT)[:, None]) ** 2 / scale).sum(axis=1), model))

    free = m >= MIN_PAIRS_PER_FREE_FEATURE * (n_low + sizes.shape[1]) and n_low <= m
    relevances = [even, _relevance(part, observed)]
    if free:
        drift = np.hstack([sizes, part.monomials()[0]])
        basis = orthonormal(drift, drift[:1], exact=True)[0]
        keep(observed - basis @ (basis.T @ observed), 1 - (basis**2).sum(axis=1), _Model(True, 0.0, 0.0, even))
        for relevance in relevances:
            if n >= part.degrees[1]:
                spectrum = Spectrum.beside(basis, part.kernel(part.degrees[1], relevance)[0])
                for ratio in VARIANCES:
                    keep(*spectrum.left(observed, ratio), _Model(True, ratio, 1.0, relevance))
    if not free or m < MANY_PAIRS_PER_FEATURE * n_low:
        basis = orthonormal(sizes, sizes[:1])[0] if sizes.shape[1] else np.zeros((m, 0))
        for relevance in relevances:
            low = part.kernel(part.degrees[0], relevance)[0]
            high = part.kernel(part.degrees[1], relevance)[0] if n >= part.degrees[1] else np.zeros_like(low)
            for share in HIGHER_SHARES if n >= part.degrees[1] else (0.0,):
                spectrum = Spectrum.beside(basis, low + share * high)
                for ratio in VARIANCES:
                    keep(*spectrum.left(observed, ratio), _Model(False, ratio, share, relevance))
    return found


def _relevance(part: Part, observed: Float[Array, "pair output"]) -> Float[Array, " player"]:
    """How much each player takes part in the low degree: interactions tend to lie between such players."""
    features, _ = part.monomials()
    gram = features @ features.T / features.shape[1]
    scaled = (observed - observed.mean(axis=0)) / np.sqrt(observed.var(axis=0) + 1e-300)
    coefficients = features.T @ np.linalg.solve(gram + np.eye(len(gram)), scaled)
    strength = np.zeros(part.interaction.n)
    for members, size in zip(sets_of(part.interaction.n, part.degrees[0]), np.abs(coefficients).max(axis=1)):
        strength[members] += size
    return np.asarray(strength / max(float(strength.mean()), 1e-300) + 0.1)


def _smoother(part: Part, model: _Model) -> Smoother:
    sizes, size_values = part.sizes_features()
    m, n_terms = part.design.n_pairs, len(part.weight_of_ends)
    kernel, values = np.eye(m), np.zeros((n_terms, m))
    drift: tuple[Array, Array] | None = (sizes, size_values) if sizes.shape[1] else None
    low, high = part.degrees
    if model.free:
        monomials, monomial_values = part.monomials()
        drift = np.hstack([sizes, monomials]), np.hstack([size_values, monomial_values])
        if model.ratio == 0:
            factor, weights, estimable = orthonormal(*drift, exact=True)
            return Smoother(factor, None, weights @ factor.T, factor.shape[1], estimable)
    else:
        of_low, low_values = part.kernel(low, model.relevance)
        kernel, values = kernel + model.ratio * of_low, values + model.ratio * low_values
    if model.share and part.interaction.n >= high:
        of_high, high_values = part.kernel(high, model.relevance)
        kernel, values = kernel + model.ratio * model.share * of_high, values + model.ratio * model.share * high_values
    return kernel_smoother(kernel, values, drift)
