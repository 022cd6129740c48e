"""Wald-type statistics of a crossed design with unequal variances, and their null by permuted residuals."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from jaxtyping import Float

from artiphys.array_types import Array
from artiphys.probes.factors.crossed import Crossed
from artiphys.stats.permutations import Permutations


def cell_moments(x: Float[Array, "trial unit"], member: Float[Array, "cell trial"]) -> tuple[Array, Array]:
    """Mean and variance ``(cell, unit)``."""
    counts = member.sum(axis=1, keepdims=True)
    mean = (member @ x) / counts
    variance = np.maximum(member @ x**2 - counts * mean**2, 0.0) / (counts - 1)
    return mean, variance


def wald(mean: Array, variance: Array, counts: Array, contrast: Array) -> Float[Array, " unit"]:
    """Wald-type statistic of a contrast ``(contrast, cell)`` of each unit.

    Studentised by each cell's own variance, moderated by one trial's worth of their pool, so that unequal variances and
    numbers of trials make no false positives, and a cell of silence stays finite.

    References
    ----------
    Pauly, Brunner & Konietschke 2015, Asymptotic permutation tests in general factorial designs.
    """
    n = counts[:, None]
    pool = ((n - 1) * variance).sum(axis=0) / (n - 1).sum()
    of_mean = ((n - 1) * variance + pool) / n**2  # (cell, unit)
    effect = contrast @ mean
    size = np.abs(mean).max(axis=0)
    still = pool <= 1e-24 * size**2
    safe = np.where(still, 1.0, of_mean)
    covariance = np.einsum("ac,cu,bc->uab", contrast, safe, contrast)
    solved = np.linalg.solve(covariance, effect.T[..., None])[..., 0]
    statistic = (effect.T * solved).sum(axis=1)
    differs = np.abs(effect).max(axis=0) > 1e-9 * size
    return np.asarray(np.where(still, np.where(differs & (size > 0), np.inf, 0.0), statistic))


def permuted(design: Crossed, member: Array, plan: Permutations, n: int, seed: int) -> Iterator[list[Array]]:
    """Statistics ``(unit,)`` of each term, of ``n`` permutations.

    What the other terms say is fitted and taken out, and only what is left is exchanged (Freedman & Lane), so that true
    main effects neither hide an interaction nor make one. What was fitted is the same on all trials of a cell, and no
    part of the contrast: statistics of the permuted residuals are those of fit plus residuals.

    References
    ----------
    Freedman & Lane 1983, A nonstochastic interpretation of reported significance levels.
    """
    counts = member.sum(axis=1)
    contrasts = design.contrasts()
    everything = np.eye(len(counts))
    left = [design.x - fitted(design.x, member, everything - p)[design.cell] for p in design.projections()]
    numbered = plan.of_others(np.arange(len(design.x)))
    for order in numbered.draw(n, seed):
        yield [wald(*cell_moments(x[order], member), counts, contrast) for x, contrast in zip(left, contrasts)]


def fitted(x: Array, member: Array, span: Array) -> Float[Array, "cell unit"]:
    """Least-squares fit of cell means that lie in the span of a projection ``(cell, cell)``."""
    values, vectors = np.linalg.eigh(span)
    basis = vectors[:, values > 0.5]  # (cell, parameter)
    counts = member.sum(axis=1)
    normal = basis.T @ (counts[:, None] * basis)
    return np.asarray(basis @ np.linalg.solve(normal, basis.T @ (member @ x)))
