"""Indices of selectivity of rates: vector strength, sparseness, Skaggs information."""

from __future__ import annotations

import numpy as np

from artiphys.array_types import Array


def vector_strength(rates: Array, angle: Array) -> Array:
    """|sum r e^(i angle)| / sum r, over the last axis; NaN where all rates are 0.

    With twice the direction as angle this is 1 minus the circular variance, the orientation selectivity of Ringach,
    Shapley & Hawken 2002, Orientation selectivity in macaque V1.
    """
    total = rates.sum(axis=-1)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(np.where(total > 0, np.abs(rates @ np.exp(1j * angle)) / total, np.nan))


def sparseness(rates: Array, axis: int = -1) -> Array:
    """(1 - A) / (1 - 1/n) with A = mean(r)^2 / mean(r^2): 0 for equal rates, 1 for a single active one.

    Reference: Vinje & Gallant 2000, Sparse coding and decorrelation in primary visual cortex during natural vision,
    after Treves & Rolls 1991.
    """
    n = rates.shape[axis]
    square = (rates**2).mean(axis=axis)
    with np.errstate(invalid="ignore", divide="ignore"):
        activity = np.where(square > 0, rates.mean(axis=axis) ** 2 / square, np.nan)
    return np.asarray((1 - activity) / (1 - 1 / n))
