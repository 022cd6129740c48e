"""Standard errors and intervals of means, of cross-validated scores and of proportions."""

from __future__ import annotations

import math

import numpy as np
from jaxtyping import Float
from scipy import stats as scipy_stats

from artiphys.array_types import Array
from artiphys.errors import InputError, StatisticsError


def t_interval(mean: Array, stderr: Array, df: Array | float, confidence: float) -> tuple[Array, Array]:
    """Two-sided interval from a mean, its standard error and the degrees of freedom (inf for normal)."""
    check_confidence(confidence)
    factor = scipy_stats.t.ppf(0.5 + confidence / 2, df)
    return np.asarray(mean - factor * stderr), np.asarray(mean + factor * stderr)


def check_confidence(confidence: float) -> None:
    """`StatisticsError` unless a confidence lies strictly between 0 and 1."""
    if not isinstance(confidence, (int, float, np.number)) or not 0 < confidence < 1:
        raise StatisticsError(f"confidence came as {confidence!r}; wanted a number between 0 and 1, such as 0.95")


def standard_error(values: Array, axis: int = -1) -> Array:
    """Standard error of the mean; NaN for a single value."""
    n = values.shape[axis]
    if n < 2:
        return np.full(np.delete(values.shape, axis), np.nan)
    return np.asarray(values.std(axis=axis, ddof=1) / math.sqrt(n))


def nadeau_bengio(scores: Float[Array, "*place fold"], n_test: float, n_train: float) -> Float[Array, "*place"]:
    """Corrected standard error of cross-validated scores ``(..., fold)``: folds share training trials.

    References
    ----------
    Nadeau & Bengio 2003, Inference for the Generalization Error.
    """
    k = scores.shape[-1]
    if k < 2:
        return np.full(scores.shape[:-1], np.nan)
    return np.asarray(np.std(scores, axis=-1, ddof=1) * math.sqrt(1 / k + n_test / n_train))


def t_interval_each(
    mean: Float[Array, "*value"], stderr: Float[Array, "*value"], df: Float[Array, "*value"], confidence: float
) -> tuple[Float[Array, "*value"], Float[Array, "*value"]]:
    """`t_interval` with degrees of freedom of their own for each value."""
    low, high = np.empty_like(mean), np.empty_like(mean)
    for one in np.unique(df):
        at = df == one
        low[at], high[at] = t_interval(mean[at], stderr[at], float(one), confidence)
    return low, high


def proportion_interval(
    successes: Array | float, n: Array | float, confidence: float, design_effect: Array | float = 1.0
) -> tuple[Array, Array]:
    """Interval of a proportion from counts, with ends in [0, 1]; it has width where all trials agree.

    Jeffreys' equal-tailed interval, modified at the edges as Brown, Cai and DasGupta advise: with no failure its lower
    end is that of Clopper and Pearson, and with at most one failure its upper end is 1 (the same for successes).

    Parameters
    ----------
    successes, n : float or array
        Counts, which broadcast; successes need not be whole, as where trials weigh differently.
    confidence : float
    design_effect : float or array
        Variance of the proportion over that of ``n`` independent trials, at least 1: the interval is that of ``n /
        design_effect`` trials.

    Returns
    -------
    low, high : ndarray

    Raises
    ------
    InputError
        If a count is not finite, ``n`` is not positive, or successes are not between 0 and ``n``.

    References
    ----------
    Brown, Cai & DasGupta 2001, Interval estimation for a binomial proportion.

    Examples
    --------
    >>> low, high = proportion_interval(24, 24, 0.95)
    >>> round(float(low), 3), float(high)
    (0.858, 1.0)
    """
    check_confidence(confidence)
    hits, total, effect = (np.asarray(a, dtype=float) for a in (successes, n, design_effect))
    if not (np.isfinite(total) & (total > 0)).all():
        raise InputError(f"n came as {n!r}; wanted numbers of trials above 0")
    if not ((hits >= 0) & (hits <= total)).all():
        raise InputError(f"successes came as {successes!r} of n = {n!r}; wanted counts between 0 and n")
    if not (np.isfinite(effect) & (effect >= 1)).all():
        raise InputError(f"design_effect came as {design_effect!r}; wanted 1 (independent trials) or more")
    hits, misses = hits / effect, (total - hits) / effect
    tail = (1 - confidence) / 2
    # Half a miss gives the end that Clopper and Pearson give to none.
    low = scipy_stats.beta.ppf(tail, hits + misses - np.maximum(misses, 0.5) + 0.5, np.maximum(misses, 0.5) + 0.5)
    high = scipy_stats.beta.isf(tail, np.maximum(hits, 0.5) + 0.5, hits + misses - np.maximum(hits, 0.5) + 0.5)
    return np.where(hits <= 1, 0.0, low), np.where(misses <= 1, 1.0, high)
