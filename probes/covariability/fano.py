"""Fano factors: variance over mean of counts, within each stimulus."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from artiphys.array_types import Array
from artiphys.probes.covariability.strata import Strata
from artiphys.stats.seeds import Seed


@dataclass(frozen=True)
class Fano:
    """Fano factors ``(unit,)``, NaN of silent units.

    Attributes
    ----------
    value : ``(unit,)``
    log_stderr : ``(unit,)``
        Of the logarithm, by a jackknife over trials.
    df : ``(unit,)``
    p : ``(unit,)`` or None
        Two-sided, of counts being Poisson.
    """

    value: Array
    log_stderr: Array
    df: Array
    p: Array | None


def fano_factors(strata: Strata, counts: Array, n_permutations: int, seed: Seed) -> Fano:
    """Mean over strata of variance / mean, weighted by degrees of freedom, of strata with any spikes.

    Of Poisson counts each ratio has the mean 1, however few spikes there are: given their sum, counts are multinomial.
    The p-value draws from just that.

    References
    ----------
    Fisher 1950, The significance of deviations from expectation in a Poisson series.
    """
    cells = strata.cells
    sums, dispersion, df = (np.zeros((len(cells), counts.shape[1])) for _ in range(3))
    for i, rows in enumerate(cells):
        part = counts[rows]
        sums[i] = part.sum(axis=0)
        spikes = sums[i] > 0
        dispersion[i] = _dispersion(part.var(axis=0, ddof=1), part.mean(axis=0))
        df[i] = (len(rows) - 1) * spikes
    total = df.sum(axis=0)
    with np.errstate(invalid="ignore", divide="ignore"):
        value = np.where(total > 0, (df * dispersion).sum(axis=0) / total, np.nan)
    p = None
    if n_permutations:
        rng = np.random.default_rng(seed)
        p = np.full(len(value), np.nan)
        for u in np.flatnonzero(total > 0):
            drawn = _poisson_null([len(r) for r in cells], sums[:, u].astype(np.int64), n_permutations, rng)
            above, below = ((drawn >= value[u] - 1e-12).sum(), (drawn <= value[u] + 1e-12).sum())
            p[u] = min(1.0, 2 * (min(above, below) + 1) / (n_permutations + 1))
    return Fano(value, _log_stderr(cells, counts, dispersion, df, total), total, p)


def _dispersion(variance: Array, mean: Array) -> Array:
    return np.where(mean > 0, variance / np.where(mean > 0, mean, 1.0), 0.0)


def _poisson_null(sizes: list[int], sums: Array, n: int, rng: np.random.Generator) -> Array:
    """Fano factors of ``n`` draws of Poisson counts, given the sum of each stratum."""
    above, below = np.zeros(n), 0
    for size, total in zip(sizes, sums):
        if total:
            drawn = rng.multinomial(total, np.full(size, 1 / size), size=n)
            above += ((drawn - total / size) ** 2).sum(axis=1) / (total / size)
            below += size - 1
    return np.asarray(above / below)


def _log_stderr(cells: list[Array], counts: Array, dispersion: Array, df: Array, total: Array) -> Array:
    """Jackknife over trials, stratum by stratum, of the logarithm of the Fano factor."""
    whole = (df * dispersion).sum(axis=0)
    variance = np.zeros(counts.shape[1])
    for i, rows in enumerate(cells):
        n = len(rows)
        if n < 3:  # nothing is left without a trial: the variance that Gaussian noise would have
            variance += np.where(total > 0, 2 * df[i] / np.maximum(total, 1) ** 2, 0.0)
            continue
        part = counts[rows]
        rest = (part.sum(axis=0) - part) / (n - 1)
        squares = ((part - part.mean(axis=0)) ** 2).sum(axis=0) - (part - part.mean(axis=0)) ** 2 * n / (n - 1)
        left = _dispersion(squares / (n - 2), rest)
        left_df = (n - 2) * (rest > 0)
        with np.errstate(invalid="ignore", divide="ignore"):
            f = (whole - df[i] * dispersion[i] + left_df * left) / (total - df[i] + left_df)
            log = np.log(f)
        variance += (n - 1) / n * ((log - log.mean(axis=0)) ** 2).sum(axis=0)
    # Few trials tell little of the tails; what Gaussian noise would have is the least that is stated.
    least = 2 / np.maximum(total, 1.0)
    return np.where(total > 0, np.sqrt(np.fmax(variance, least)), np.nan)
