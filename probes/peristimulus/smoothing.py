"""Smoothing kernels over bins of time, centred or of the past alone, that do not lose rate at the edges."""

from __future__ import annotations

import math

import numpy as np
from jaxtyping import Float
from scipy import sparse
from scipy.special import ndtr

from artiphys.array_types import Array
from artiphys.errors import InputError

REACH = 5.0  # standard deviations, beyond which a Gaussian is cut off


def kernel(width: float, step: float, shape: str, causal: bool) -> tuple[Array, Array]:
    """Lags [bins] and weights, which sum to 1: the share of a kernel that each bin holds.

    A lag of 2 weighs the bin two before. Centred kernels have their middle at the middle of a bin; causal ones end
    where the bin ends, so that no later spike enters.

    Parameters
    ----------
    width : float
        Standard deviation of a Gaussian (of the whole one of which a causal kernel is half), or full width of a
        boxcar [s].
    step : float
        Width of a bin [s].
    shape : "gaussian" or "boxcar"

    Raises
    ------
    InputError
        If the kernel is narrower than a bin.

    >>> kernel(0.03, 0.01, "boxcar", False)[1].round(3).tolist()
    [0.333, 0.333, 0.333]
    """
    if (width < step * (1 - 1e-9) and shape == "boxcar") or width < step / 2:
        raise InputError(
            f"smoothing came as {width:g} s for bins of {step:g} s, so that it would do next to nothing; use smaller "
            "bins, or smoothing=0"
        )
    reach = width / step * (REACH if shape == "gaussian" else 1 if causal else 0.5)
    last = math.ceil(reach - 1e-9) - 1 if causal else math.ceil(reach - 0.5 - 1e-9)
    lags = np.arange(0 if causal else -last, last + 1)
    left = lags * step if causal else (lags - 0.5) * step
    right = left + step
    if shape == "gaussian":
        weights = ndtr(right / width) - ndtr(left / width)
    else:
        low, high = (0.0, width) if causal else (-width / 2, width / 2)
        weights = np.clip(np.minimum(right, high) - np.maximum(left, low), 0.0, None)
    return lags, weights / weights.sum()


def smoothed(counts: Float[Array, "trial time unit"], lags: Array, weights: Array) -> Float[Array, "trial time unit"]:
    """Weighted mean over the observed bins that a kernel covers; NaN bins are unobserved and stay so.

    Weights are divided by what of the kernel lies on observed bins, so that a constant rate stays itself at the edges.
    """
    n_trials, n_times, n_units = counts.shape
    matrix = sparse.diags_array(weights, offsets=-lags, shape=(n_times, n_times)).tocsr()
    known = ~np.isnan(counts)
    flat = np.moveaxis(np.where(known, counts, 0.0), 1, 0).reshape(n_times, -1)
    mass = matrix @ np.moveaxis(known.astype(float), 1, 0).reshape(n_times, -1)
    with np.errstate(invalid="ignore", divide="ignore"):
        mean = (matrix @ flat) / mass
    moved = np.moveaxis(mean.reshape(n_times, n_trials, n_units), 0, 1)
    return np.where(known, moved, np.nan)
