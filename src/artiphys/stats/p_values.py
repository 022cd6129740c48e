"""Permutation p-values: of one statistic, pooled over units, corrected by the maximum, and the false discovery rate."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float, Num
from scipy import stats as scipy_stats

from artiphys.array_types import Array


def p_value(observed: Array | float, null: Array) -> Array:
    """Permutation p-value (b + 1) / (m + 1), one-sided (large is extreme), never 0.

    Parameters
    ----------
    observed : array
    null : array ``(permutation, *observed.shape)``

    References
    ----------
    Phipson & Smyth 2010, Permutation P-values should never be zero.

    >>> float(p_value(3.0, np.array([1.0, 2.0, 3.0])))
    0.5
    """
    null = np.asarray(null)
    return np.asarray((np.sum(null >= _slackened(observed), axis=0) + 1) / (len(null) + 1))


def _slackened(observed: Array | float) -> Array:
    # Rounding must not make an equal value look smaller.
    value = np.asarray(observed, dtype=float)
    return np.asarray(value - np.where(np.isfinite(value), 1e-12 * np.maximum(1.0, np.abs(value)), 0.0))


def pooled_p_value(
    observed: Float[Array, " unit"], null: Float[Array, "permutation null_unit"]
) -> Float[Array, " unit"]:
    """Permutation p-value of many units against one null pooled over all of them.

    Only for studentised statistics, whose null is the same for all units. The smallest p rest on few values of the
    null, whose chance errors all units share; one standard error of that count is added, so that they do not raise
    the false discovery rate.

    Parameters
    ----------
    observed : ``(unit,)``
    null : ``(permutation, unit)``
    """
    ordered = np.sort(np.asarray(null).ravel())
    above = len(ordered) - np.searchsorted(ordered, _slackened(observed), side="left")
    return np.asarray(np.minimum((above + np.sqrt(above) + 1) / (len(ordered) + 1), 1.0))


def max_statistic_p_value(
    observed: Num[Array, "*place"], null: Num[Array, " permutation *place"]
) -> Float[Array, "*place"]:
    """p-values of many places, corrected for their number (family-wise error, in the strong sense).

    Every place is standardised by its own permutations, the observed labelling among them so that all labellings
    are treated alike; then each place is held against the largest of every permutation. A place with a wide null
    thus costs the others no power. Means and spreads of places that differ by no more than the chance of so many
    permutations are drawn together, so that it is not chance which of two equal scores is significant.

    Parameters
    ----------
    observed : ``(...)``
    null : ``(permutation, ...)``
        The same relabelling at all places, in each permutation.

    References
    ----------
    Westfall & Young 1993, Resampling-based multiple testing; Nichols & Holmes 2002, Nonparametric permutation tests
    for functional neuroimaging.

    >>> max_statistic_p_value(np.array([5.0, 0.0]), np.array([[1.0, -1], [-1, 1], [0, 0]])).tolist()
    [0.25, 0.75]
    """
    z = standardised(observed, null)
    return largest_p_value(np.asarray(z[0]), z[1:])


def largest_p_value(observed: Num[Array, "*place"], null: Num[Array, " permutation *place"]) -> Float[Array, "*place"]:
    """The same of values as they are: each place against the largest of every permutation."""
    observed, null = np.asarray(observed, dtype=float), np.asarray(null, dtype=float)
    largest = null.reshape(len(null), -1).max(axis=1)
    p = (np.sum(largest.reshape(-1, *[1] * observed.ndim) >= _slackened(observed), axis=0) + 1) / (len(null) + 1)
    return np.asarray(p)


def standardised(
    observed: Num[Array, "*place"], null: Num[Array, " permutation *place"]
) -> Float[Array, " labelling *place"]:
    """Deviations of the observed (first) and permuted values from each place's mean, by its spread; 0 where flat."""
    every = np.concatenate([np.asarray(observed, dtype=float)[None], np.asarray(null, dtype=float)])
    mean, sd = every.mean(axis=0), every.std(axis=0)
    flat = sd <= 1e-12 * (1 + np.abs(mean))
    n, varied = len(every), ~flat
    if varied.sum() > 2:
        log = 2 * np.log(sd[varied])
        together = np.exp(_drawn_together(log, np.full(log.shape, 2 / n)) / 2)
        mean, sd = mean.copy(), sd.copy()
        mean[varied] = _drawn_together(mean[varied], sd[varied] ** 2 / n)
        sd[varied] = together
    return np.where(flat, 0.0, (every - mean) / np.where(flat, 1.0, sd))


def _drawn_together(values: Array, variance: Array) -> Array:
    """Values drawn to their common mean by as much as their own error variances explain of their spread."""
    centre = values.mean()
    between = max(float(((values - centre) ** 2).sum() / (len(values) - 1) - variance.mean()), 0.0)
    return np.asarray(centre + (values - centre) * between / (between + variance))


def false_discovery(p: Float[Array, "*value"]) -> Float[Array, "*value"]:
    """Benjamini-Hochberg adjusted p-values, in the shape of ``p``."""
    flat = np.asarray(p, dtype=float).ravel()
    return np.asarray(scipy_stats.false_discovery_control(flat)).reshape(np.shape(p))


def holm(p: Float[Array, " value"]) -> Float[Array, " value"]:
    """Holm's adjusted p-values (family-wise error); a NaN counts as a test and stays NaN.

    References
    ----------
    Holm 1979, A simple sequentially rejective multiple test procedure.

    >>> holm(np.array([0.01, 0.04, 0.03])).round(3).tolist()
    [0.03, 0.06, 0.06]
    """
    flat = np.asarray(p, dtype=float)
    known = np.where(np.isnan(flat), 1.0, flat)
    order = np.argsort(known, kind="stable")
    adjusted = np.empty(len(known))
    adjusted[order] = np.minimum(np.maximum.accumulate(known[order] * np.arange(len(known), 0, -1)), 1.0)
    return np.where(np.isnan(flat), np.nan, adjusted)
