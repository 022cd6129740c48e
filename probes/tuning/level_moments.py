"""Mean, variance and number of trials of every level of a stimulus, for many units."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float, Integer

from artiphys.array_types import Array


def moments(
    flat: Float[Array, "trial unit"], level: Integer[Array, " trial"], n: int
) -> tuple[Float[Array, "level unit"], Float[Array, "level unit"], Float[Array, "level unit"]]:
    """Mean, variance and count ``(level, unit)``; padding (NaN) is left out."""
    member = np.zeros((n, len(level)))
    member[level, np.arange(len(level))] = 1
    moved, known, centre = centred(flat)
    count = member @ known if known is not None else np.repeat(member.sum(axis=1)[:, None], flat.shape[1], axis=1)
    with np.errstate(invalid="ignore", divide="ignore"):
        mean = (member @ moved) / count
        var = np.maximum(member @ moved**2 - count * mean**2, 0.0) / (count - 1)
    return mean + centre, _still(mean, var, centre), count


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
        self.centre = np.full(n_units, np.nan)

    def add(self, flat: Float[Array, "trial unit"], level: Integer[Array, " trial"], place: slice) -> None:
        """A block ``(trial, unit)`` of the units at ``place``, padding being NaN."""
        known = ~np.isnan(flat)
        new = np.isnan(self.centre[place])
        if new.any():  # any value near the mean will do, so that squares stay small
            mean = np.nansum(flat, axis=0) / np.maximum(known.sum(axis=0), 1)
            self.centre[place] = np.where(new & known.any(axis=0), mean, self.centre[place])
        moved = np.where(known, flat - self.centre[place], 0.0)
        member = (level == np.arange(len(self.first))[:, None]).astype(float)
        self.first[:, place] += member @ moved
        self.second[:, place] += member @ moved**2
        self.count[:, place] += member @ known

    def done(self) -> tuple[Float[Array, "level unit"], Float[Array, "level unit"], Float[Array, "level unit"]]:
        """As `moments`."""
        with np.errstate(invalid="ignore", divide="ignore"):
            mean = self.first / self.count
            var = np.maximum(self.second - self.count * mean**2, 0.0) / (self.count - 1)
        return mean + self.centre, _still(mean, var, self.centre), self.count


def centred(flat: Array) -> tuple[Array, Array | None, Array]:
    """Activity centred over trials (a variance from raw squares loses all digits where the mean is large)."""
    known = ~np.isnan(flat)
    if known.all():
        centre = flat.mean(axis=0)
        return flat - centre, None, centre
    centre = np.nan_to_num(np.nansum(flat, axis=0) / np.maximum(known.sum(axis=0), 1))
    return np.where(known, flat - centre, 0.0), known.astype(float), centre
