"""Noise correlation: of residuals, standardised within each stimulus, of all pairs of units."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Integer

from artiphys.array_types import Array
from artiphys.errors import StatisticsError
from artiphys.probes.covariability.strata import Strata
from artiphys.stats.p_values import p_value, pooled_p_value
from artiphys.stats.seeds import Seed

MIN_POOLED_PAIRS = 20  # pairs; with fewer, each is held against its own permutations only
MAX_NULL_VALUES = 5_000_000


@dataclass(frozen=True)
class NoiseCorrelation:
    """Correlations ``(unit, unit)``, NaN where undefined.

    Attributes
    ----------
    z : ``(trial, unit)``
        Residuals divided by their standard deviation within their stratum; 0 where a unit did not vary.
    r : ``(unit, unit)``
    df : ``(unit, unit)``
        Degrees of freedom: trials less strata, of strata in which both units varied.
    n_strata : ``(unit, unit)``
    """

    z: Array
    r: Array
    df: Array
    n_strata: Array

    @property
    def stderr(self) -> Array:
        """Of the correlation on Fisher's scale."""
        with np.errstate(invalid="ignore", divide="ignore"):
            spread = (1 + self.n_strata / (2 * self.df)) / np.sqrt(self.df - 2)
        return np.where(self.df > 2, spread, np.nan)


def noise_correlation(strata: Strata) -> NoiseCorrelation:
    """Mean over strata of the correlation within each, weighted by degrees of freedom, less its bias.

    That is the correlation of residuals that were standardised within each stratum, so that the stimuli with much noise
    do not rule the others. A correlation r of n trials is too small by r (1 - r^2) / (2 (n - 1)), which is given back.

    Raises
    ------
    StatisticsError
        If fewer than 5 degrees of freedom are left.
    """
    z, vary, df_of = standardised(strata)
    df = vary.T @ (df_of[:, None] * vary)
    n_strata = vary.T @ vary
    if df_of.sum() < 5:
        raise StatisticsError(
            f"{len(z)} trials of {len(df_of)} strata leave {int(df_of.sum())} degrees of freedom for noise; wanted 5 "
            "or more"
        )
    with np.errstate(invalid="ignore", divide="ignore"):
        r = np.where(df > 0, (z.T @ z) / df, np.nan)
        r = np.clip(r * (1 + (1 - r**2) * n_strata / (2 * df)), -1.0, 1.0)
    return NoiseCorrelation(z, r, df, n_strata)


def standardised(strata: Strata) -> tuple[Array, Array, Array]:
    """Standardised residuals ``(trial, unit)``, whether units vary in each stratum, and its degrees of freedom."""
    z = np.zeros(strata.x.shape)
    vary, df = [], []
    for rows in strata.cells:
        part = strata.x[rows]
        centred = part - part.mean(axis=0)
        sd = centred.std(axis=0, ddof=1)
        good = sd > 1e-12 * np.abs(part).max(axis=0)
        z[rows] = np.where(good, centred / np.where(good, sd, 1.0), 0.0)
        vary.append(good.astype(float))
        df.append(len(rows) - 1)
    return z, np.array(vary), np.array(df, dtype=float)


def mean_correlation(noise: NoiseCorrelation) -> tuple[float, float]:
    """Mean over pairs, and its standard error over trials.

    Pairs share units and trials, so that their spread says little; the error is that of the mean of what each trial
    adds (the infinitesimal jackknife: Efron 1982, The jackknife, the bootstrap and other resampling plans).
    """
    z = noise.z
    pairs = ((noise.df > 0) & ~np.eye(z.shape[1], dtype=bool)).astype(float)
    if not pairs.any():
        return float("nan"), float("nan")
    off = np.where(pairs > 0, noise.r, 0.0)
    mean = float(off.sum() / pairs.sum())
    adds = (((z @ pairs) * z).sum(axis=1) - z**2 @ off.sum(axis=1)) / pairs.sum()
    df = float(noise.df[pairs > 0].max())
    used = (z != 0).any(axis=1)
    factor = 1 + float(noise.n_strata.max()) / (2 * df)
    # Residuals are smaller than noise; made up for twice, as a jackknife does.
    return mean, float(factor * np.sqrt((adds[used] ** 2).sum()) * used.sum() / df**2)


def permuted_p(
    noise: NoiseCorrelation, cell: Integer[Array, " trial"], n: int, seed: Seed
) -> tuple[Float[Array, "unit unit"], float, str]:
    """Two-sided p of every pair and of the mean, by shuffling each unit's trials within strata.

    From 20 pairs on the null is pooled over pairs, which share it: their correlations are standardised.
    """
    rng = np.random.default_rng(seed)
    trials, units = noise.z.shape
    at = np.triu_indices(units, 1)
    scale = np.sqrt(noise.df[at])
    fixed = cell < 0
    order = np.argsort(cell, kind="stable")
    keep = np.arange(len(at[0]))
    if len(keep) * n > MAX_NULL_VALUES:
        keep = np.sort(rng.choice(len(keep), max(MIN_POOLED_PAIRS, MAX_NULL_VALUES // n), replace=False))
    null, means = np.empty((n, len(keep))), np.empty(n)
    for i in range(n):
        keys = rng.random((trials, units)) + cell[:, None]
        shuffled = np.empty_like(noise.z)
        shuffled[order] = np.take_along_axis(noise.z, np.argsort(keys, axis=0, kind="stable"), axis=0)
        shuffled[fixed] = 0.0
        product = (shuffled.T @ shuffled)[at]
        with np.errstate(invalid="ignore", divide="ignore"):
            null[i] = np.abs(product / scale)[keep]
            means[i] = np.nanmean(np.where(noise.df[at] > 0, product / noise.df[at], np.nan))
    with np.errstate(invalid="ignore", divide="ignore"):
        raw = (noise.z.T @ noise.z)[at]
        observed = np.abs(raw / scale)
        mean = float(np.nanmean(np.where(noise.df[at] > 0, raw / noise.df[at], np.nan)))
    known = noise.df[at] > 0
    p = np.full(len(at[0]), np.nan)
    if known.sum() < MIN_POOLED_PAIRS:
        p[known] = p_value(observed[known], null[:, known])
        scheme = "each unit's trials within stimuli"
    else:
        p[known] = pooled_p_value(observed[known], null[:, known[keep]])
        scheme = f"each unit's trials within stimuli; null pooled over {int(known[keep].sum())} pairs"
    matrix = np.full((units, units), np.nan)
    matrix[at] = matrix[at[::-1]] = p
    centre = float(means.mean())
    return matrix, float(p_value(abs(mean - centre), np.abs(means - centre))), scheme
