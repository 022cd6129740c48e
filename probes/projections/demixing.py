"""Demixed principal components: reduced-rank regressions of each margin on the whole, with a ridge."""

from __future__ import annotations

import numpy as np

from artiphys.array_types import Array
from artiphys.probes.projections.margins import margins

RIDGES = np.concatenate([[0.0], np.logspace(-6, 1, 15)])  # in units of the mean sum of squares of a unit


def demixed(means: Array, n_factors: int, ridge: float, n: int, only: int | None = None) -> list[tuple[Array, Array]]:
    """Decoders and encoders ``(unit, component)`` of each margin, or of ``only`` one by its place.

    A decoder projects activity, an encoder (orthonormal within its margin) puts the projection back among the units, so
    that the margin is rebuilt with the least squares, plus a ridge on the decoders.

    Reference: Kobak et al. 2016, Demixed principal component analysis of neural population data.
    """
    units = means.shape[-1]
    centred = (means - means.mean(axis=tuple(range(n_factors + 1)))).reshape(-1, units)
    gram = centred.T @ centred
    within = gram + ridge * max(np.trace(gram) / units, 1e-300) * np.eye(units)
    found = []
    parts = margins(means, n_factors)
    for part in parts if only is None else [parts[only]]:
        flat = part.reshape(-1, units)
        weights = np.linalg.lstsq(within, centred.T @ flat, rcond=1e-10)[0]  # (unit, unit)
        vectors = np.linalg.eigh(weights.T @ gram @ weights)[1][:, ::-1]
        encoder = vectors[:, : min(n, rank_of(part))]
        # The sign is of no consequence; the largest weight is made positive so that runs agree.
        sign = np.sign(encoder[np.abs(encoder).argmax(axis=0), np.arange(encoder.shape[1])])
        encoder = encoder * np.where(sign == 0, 1.0, sign)
        found.append((weights @ encoder, encoder))
    return found


def rank_of(part: Array) -> int:
    """Most components that a margin can have."""
    return int(np.linalg.matrix_rank(part.reshape(-1, part.shape[-1])))


def loss(train: Array, test: Array, n_factors: int, ridge: float, n: int) -> float:
    """Squared error of the margins of some trials' means, rebuilt from other trials, over their sum of squares."""
    found = demixed(train, n_factors, ridge, n)
    centre = train.mean(axis=tuple(range(n_factors + 1)))
    error = sum(
        ((part - (test - centre) @ decoder @ encoder.T) ** 2).sum()
        for part, (decoder, encoder) in zip(margins(train, n_factors), found)
    )
    return float(error / ((train - centre) ** 2).sum())
