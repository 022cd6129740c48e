"""Mean, variance and number of trials of every level of a stimulus, for many units."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Integer

from artiphys.array_types import Array

N_CENTRING = 64  # trials spread over the recording whose mean is the centre
GRID = 2.0**-12  # of the range of a unit's activity: the centre is a multiple of it, or of a power of 2 just below


@dataclass(frozen=True)
class Centred:
    """Activity less a centre near its mean.

    Attributes
    ----------
    moved : ``(trial, unit)``
        0 where padded.
    known : ``(trial, unit)`` float or None
        0 where padded, else 1; None without padding.
    centre, low, high : ``(unit,)``
        The centre, and the smallest and largest activity.
    """

    moved: Array
    known: Array | None
    centre: Array
    low: Array
    high: Array


def centred(flat: Array) -> Centred:
    """Activity centred over trials (a variance from raw squares loses all digits where the mean is large)."""
    low, high = flat.min(axis=0), flat.max(axis=0)
    if not np.isnan(low).any():
        centre = round_centre(flat[:: max(1, len(flat) // N_CENTRING)].mean(axis=0), low, high)
        return Centred(flat - centre, None, centre, low, high)
    known = ~np.isnan(flat)
    low, high = np.fmin.reduce(flat, axis=0), np.fmax.reduce(flat, axis=0)
    mean = np.nansum(flat, axis=0) / np.maximum(known.sum(axis=0), 1)
    centre = np.nan_to_num(round_centre(mean, low, high))
    return Centred(np.where(known, flat - centre, 0.0), known.astype(float), centre, low, high)


def round_centre(mean: Array, low: Array, high: Array) -> Array:
    """A centre with few digits, so that sums of counts less this centre are exact, and those of equal values too.

    >>> round_centre(np.array([0.1]), np.array([0.0]), np.array([3.0])).tolist()
    [0.10009765625]
    """
    with np.errstate(all="ignore"):
        grid = np.exp2(np.floor(np.log2((high - low) * GRID)))
        rounded = np.round(mean / grid) * grid
    return np.where(high > low, np.where(np.isfinite(rounded), rounded, mean), low)


def moments(
    flat: Float[Array, "trial unit"], level: Integer[Array, " trial"], n: int
) -> tuple[Float[Array, "level unit"], Float[Array, "level unit"], Float[Array, "level unit"]]:
    """Mean, variance and count ``(level, unit)``; padding (NaN) is left out."""
    member = np.zeros((n, len(level)))
    member[level, np.arange(len(level))] = 1
    x = centred(flat)
    each = member.sum(axis=1)[:, None]
    count = np.broadcast_to(each, (n, flat.shape[1])) if x.known is None else member @ x.known
    first = member @ x.moved
    second = member @ np.square(x.moved, out=x.moved)  # in place: new memory takes longer than the product
    return (*_finished(first, second, count, x.centre, x.low, x.high), count)


def _finished(
    first: Float[Array, "level unit"],
    second: Float[Array, "level unit"],
    count: Float[Array, "level unit"],
    centre: Float[Array, " unit"],
    low: Float[Array, " unit"],
    high: Float[Array, " unit"],
) -> tuple[Float[Array, "level unit"], Float[Array, "level unit"]]:
    """Mean and variance ``(level, unit)``; no mean lies beyond what was observed, as rounding would have it."""
    with np.errstate(invalid="ignore", divide="ignore"):
        mean = first / count
        var = np.maximum(second - count * mean**2, 0.0) / (count - 1)
    return np.clip(mean + centre, low, high), _still(mean, var, centre)


def _still(
    mean: Float[Array, "level unit"], var: Float[Array, "level unit"], centre: Float[Array, " unit"]
) -> Float[Array, "level unit"]:
    """Variances ``(level, unit)``, 0 where only rounding makes activity vary; means are from ``centre`` on."""
    size = centre**2 + np.nanmax(mean**2, axis=0, initial=0.0)
    return np.where(var < 1e-24 * size, 0.0, var)


class Moments:
    """Mean, variance and count of every level, gathered block by block of trials."""

    def __init__(self, n_levels: int, n_units: int) -> None:
        self.first, self.second, self.count = np.zeros((3, n_levels, n_units))
        self.centre, self.low, self.high = np.full((3, n_units), np.nan)

    def add(self, flat: Float[Array, "trial unit"], level: Integer[Array, " trial"], place: slice) -> None:
        """A block ``(trial, unit)`` of the units at ``place``, padding being NaN."""
        known = ~np.isnan(flat)
        low, high = np.fmin.reduce(flat, axis=0), np.fmax.reduce(flat, axis=0)
        new = np.isnan(self.centre[place])
        if new.any():  # any value near the mean will do, so that squares stay small
            mean = np.nansum(flat, axis=0) / np.maximum(known.sum(axis=0), 1)
            self.centre[place] = np.where(new & known.any(axis=0), round_centre(mean, low, high), self.centre[place])
        self.low[place] = np.fmin(self.low[place], low)
        self.high[place] = np.fmax(self.high[place], high)
        moved = np.where(known, flat - self.centre[place], 0.0)
        member = (level == np.arange(len(self.first))[:, None]).astype(float)
        self.first[:, place] += member @ moved
        self.second[:, place] += member @ moved**2
        self.count[:, place] += member @ known

    def done(self) -> tuple[Float[Array, "level unit"], Float[Array, "level unit"], Float[Array, "level unit"]]:
        """As `moments`."""
        return (*_finished(self.first, self.second, self.count, self.centre, self.low, self.high), self.count)
