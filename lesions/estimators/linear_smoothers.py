"""Linear smoothers: a fitted model kept as what it makes of any observations, by features or by kernels.

``H`` maps the observations to fitted values, ``G = I - H`` to residuals, and ``value_weights`` maps them to the values
(Shapley values, interactions) of the fitted function.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Integer

from artiphys.array_types import Array

MAX_EXACT_ENTRIES = 60_000  # of features, up to which they are decomposed without squaring


@dataclass(frozen=True)
class Smoother:
    """A fitted linear model.

    Attributes
    ----------
    factor : ``(pair, rank)`` or None
        ``H = factor @ factor.T``; None where ``residual`` holds G itself.
    residual : ``(pair, pair)`` or None
    value_weights : ``(player, pair)``
    rank : float
        Parameters in effect (trace of H).
    estimable : bool
        Whether the drawn design determines the values.
    """

    factor: Float[Array, "pair rank"] | None
    residual: Float[Array, "pair pair"] | None
    value_weights: Float[Array, "player pair"]
    rank: float
    estimable: bool = True

    def residuals(self, u: Float[Array, "pair output"]) -> Float[Array, "pair output"]:
        """``G @ u``."""
        if self.factor is None:
            return np.asarray(self.residual @ u)
        return np.asarray(u - self.factor @ (self.factor.T @ u))

    def from_left(self, rows: Float[Array, "row pair"]) -> Float[Array, "row pair"]:
        """``rows @ G``."""
        if self.factor is None:
            return np.asarray(rows @ self.residual)
        return np.asarray(rows - (rows @ self.factor) @ self.factor.T)

    def diagonal(self) -> Float[Array, " pair"]:
        """Diagonal of G: how much of each observation is left to its residual."""
        if self.factor is None:
            assert self.residual is not None
            return np.diag(self.residual).copy()
        return np.asarray(1 - np.einsum("ij,ij->i", self.factor, self.factor))

    def columns(self, chosen: Integer[Array, " chosen"]) -> Float[Array, "pair chosen"]:
        """Columns of G off its diagonal; the diagonal is set to 0."""
        if self.factor is None:
            assert self.residual is not None
            block = self.residual[:, chosen].copy()
        else:
            block = -self.factor @ self.factor[chosen].T
        block[chosen, np.arange(len(chosen))] = 0
        return np.asarray(block)


@dataclass(frozen=True)
class Spectrum:
    """A kernel beside an unshrunken part in its eigenvectors: what every ratio leaves over costs one decomposition."""

    basis: Array
    vectors: Array
    variances: Array

    @classmethod
    def of(cls, drift: Float[Array, "pair feature"], kernel: Float[Array, "pair pair"]) -> Spectrum:
        """Of features ``(pair, feature)`` and a kernel ``(pair, pair)``."""
        return cls.beside(orthonormal(drift, drift[:1])[0], kernel)

    @classmethod
    def beside(cls, basis: Float[Array, "pair rank"], kernel: Float[Array, "pair pair"]) -> Spectrum:
        """Of an orthonormal basis of the features."""
        across = kernel @ basis
        projected = kernel - basis @ across.T - across @ basis.T + basis @ (basis.T @ across) @ basis.T
        variances, vectors = np.linalg.eigh(projected)
        return cls(basis, vectors, np.maximum(variances, 0))

    def left(
        self, u: Float[Array, "pair output"], ratio: float
    ) -> tuple[Float[Array, "pair output"], Float[Array, " pair"]]:
        """Residuals of ``u``, and the diagonal of the matrix that gives them."""
        kept = 1 / (1 + ratio * self.variances)
        residuals = self.vectors @ (kept[:, None] * (self.vectors.T @ u)) - self.basis @ (self.basis.T @ u)
        return residuals, self.vectors**2 @ kept - (self.basis**2).sum(axis=1)


def kernel_smoother(
    kernel: Float[Array, "pair pair"], kernel_values: Float[Array, "player pair"], drift: tuple[Array, Array] | None
) -> Smoother:
    """Kernel ridge regression with an unshrunken part (Wahba 1990, universal kriging)."""
    inverse = np.linalg.inv(kernel)
    inverse = (inverse + inverse.T) / 2
    weights = np.zeros_like(kernel_values)
    if drift is not None:
        basis, values, _ = orthonormal(*drift)
        solved = inverse @ basis
        gain = np.linalg.solve(basis.T @ solved, solved.T)
        inverse = inverse - solved @ gain
        weights = values @ gain
    return Smoother(None, inverse, weights + kernel_values @ inverse, float(len(kernel) - np.trace(inverse)))


def feature_smoother(shrunk: list[tuple[Array, Array]], drift: tuple[Array, Array] | None) -> Smoother:
    """The same by features, where they are fewer than pairs."""
    parts = list(shrunk)
    penalty = np.ones(sum(f.shape[1] for f, _ in shrunk))
    if drift is not None:
        basis, values, _ = orthonormal(*drift)
        parts.insert(0, (basis, values))
        penalty = np.concatenate([np.zeros(basis.shape[1]), penalty])
    features, values = (np.hstack(p) for p in zip(*parts))
    root = np.linalg.cholesky(features.T @ features + np.diag(penalty))
    inverse = np.linalg.inv(root).T
    factor = features @ inverse
    return Smoother(factor, None, (values @ inverse) @ factor.T, float((factor**2).sum()))


def orthonormal(
    features: Float[Array, "pair feature"], values: Float[Array, "value feature"], *, exact: bool = False
) -> tuple[Float[Array, "pair rank"], Float[Array, "value rank"], bool]:
    """An orthonormal basis of the features, the values of its columns, and whether it determines them.

    ``exact`` takes some times longer, and keeps the last digits where features nearly depend on each other; where they
    are few.
    """
    if exact and features.size <= MAX_EXACT_ENTRIES:
        _, scale, vectors = np.linalg.svd(features, full_matrices=False)
        keep = scale > 1e-7 * scale[0]
        vectors, scale = vectors[keep].T, scale[keep]
    else:
        scale, vectors = np.linalg.eigh(features.T @ features)
        keep = scale > 1e-9 * scale[-1]
        vectors, scale = vectors[:, keep], np.sqrt(scale[keep])
    rotated = values @ vectors
    lost = values - rotated @ vectors.T
    estimable = bool(np.abs(lost).max(initial=0) < 1e-6 * np.abs(values).max(initial=1e-300))
    return features @ (vectors / scale), rotated / scale, estimable
