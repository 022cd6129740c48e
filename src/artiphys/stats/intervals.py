"""Standard errors and t intervals, of means and of cross-validated scores."""

from __future__ import annotations

import math

import numpy as np
from jaxtyping import Float
from scipy import stats as scipy_stats

from artiphys.array_types import Array
from artiphys.errors import StatisticsError


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
