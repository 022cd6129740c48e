"""Signal correlation: of true tuning curves, without what noise adds to estimated ones."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import stats as scipy_stats

from artiphys.array_types import Array
from artiphys.probes.covariability.strata import Strata


@dataclass(frozen=True)
class SignalCorrelation:
    """Correlations ``(unit, unit)`` of tuning curves.

    Attributes
    ----------
    r, stderr, p : ``(unit, unit)``
        NaN where a unit's curve varies no more than its noise lets expect; standard errors and p also where a stimulus
        has fewer than three trials.
    reliability : ``(unit,)``
        Share of the variance of an estimated curve that is no noise; below 0 by chance in untuned units.
    df : int
    """

    r: Array
    stderr: Array
    p: Array
    reliability: Array
    df: int


def signal_correlation(strata: Strata) -> SignalCorrelation:
    """Correlation of curves from covariances less the noise covariance of their means, with a jackknife over trials.

    The covariance of estimated curves is that of the true ones plus the mean over stimuli of noise covariance / n, also
    where units' noise is correlated; what is subtracted is its estimate from the same trials. So the covariances are
    unbiased; their ratios are off by some hundredths where reliabilities are below about .8, and can lie outside of -1
    to 1 by chance.

    References
    ----------
    Efron 1982, The jackknife, the bootstrap and other resampling plans; Pospisil & Bair 2021, The unbiased estimation
    of the fraction of variance explained by a model (for the bias that noise in curves brings).
    """
    x, stimulus, n = strata.x, strata.stimulus, strata.n
    k, units = len(n), x.shape[1]
    curves = np.array([x[stimulus == s].mean(axis=0) for s in range(k)])
    centred = curves - curves.mean(axis=0)
    noise = np.zeros((k, units, units)) if k * units**2 < 2**24 else None
    bias = np.zeros((units, units))
    for s in range(k):
        part = _noise_of(x, stimulus, s)
        bias += part / n[s] / k
        if noise is not None:
            noise[s] = part
    raw = centred.T @ centred / (k - 1)
    covariance = raw - bias
    with np.errstate(invalid="ignore", divide="ignore"):
        reliability = np.diag(covariance) / np.diag(raw)
    r = _correlation(covariance)
    nothing = np.full((units, units), np.nan)
    df = len(x) - k
    if n.min() < 3:
        return SignalCorrelation(r, nothing, nothing, reliability, df)
    var_r, var_c = np.zeros((units, units)), np.zeros((units, units))
    for s in range(k):
        rows = np.flatnonzero(stimulus == s)
        m = len(rows)
        here = noise[s] if noise is not None else _noise_of(x, stimulus, s)
        sums = np.zeros((4, units, units))
        for e in x[rows] - curves[s]:
            # Without this trial: the curve moves at one stimulus, and so does its noise.
            moved = -e / (m - 1)
            shift = np.outer(centred[s], moved)
            without = covariance + (shift + shift.T + (1 - 1 / k) * np.outer(moved, moved)) / (k - 1)
            less = ((m - 1) * here - np.outer(e, e) * m / (m - 1)) / (m - 2)
            without = without - (less / (m - 1) - here / m) / k
            away_r, away_c = _correlation(without) - r, without - covariance
            sums += [away_r, away_r**2, away_c, away_c**2]
        var_r += (m - 1) / m * (sums[1] - sums[0] ** 2 / m)
        var_c += (m - 1) / m * (sums[3] - sums[2] ** 2 / m)
    with np.errstate(invalid="ignore", divide="ignore"):
        p = 2 * scipy_stats.t.sf(np.abs(covariance) / np.sqrt(var_c), df)
    known = np.isfinite(r) & ~np.eye(units, dtype=bool)
    return SignalCorrelation(
        r, np.where(known, np.sqrt(np.maximum(var_r, 0.0)), np.nan), np.where(known, p, np.nan), reliability, df
    )


def _noise_of(x: Array, stimulus: Array, s: int) -> Array:
    """Noise covariance of one stimulus ``(unit, unit)``."""
    return np.atleast_2d(np.cov(x[stimulus == s], rowvar=False))


def _correlation(covariance: Array) -> Array:
    variance = np.diag(covariance)
    sd = np.sqrt(np.where(variance > 0, variance, np.nan))
    return np.asarray(covariance / np.outer(sd, sd))
