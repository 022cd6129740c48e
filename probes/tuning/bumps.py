"""Bumps of height 1, a Gaussian on a line or a von Mises bump on a circle, and the activity they are held against."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from artiphys.array_types import Array

LOG_2 = math.log(2)
MAX_COARSE = 64  # points that the first search of place and width looks at


@dataclass(frozen=True)
class Bumps:
    """Bumps over points of a stimulus, whose places and shapes are searched within bounds.

    The shape is the logarithm of the width on a line, and of von Mises's kappa on a circle.

    Attributes
    ----------
    x : ``(point,)``
        Values of the stimulus.
    period : float or None
        None on a line.
    narrowest, widest : float
        Bounds of the full width at half height.
    average : ``(level, point)`` or None
        Shares of the points in what was observed: a mean of activity over a bin is held against the mean of the bump
        over the stimulus values in that bin. None where each point was observed itself.
    """

    x: Float[Array, " point"]
    period: float | None
    narrowest: float
    widest: float
    average: Float[Array, "level point"] | None = None

    @property
    def low(self) -> float:
        """Least place; on a circle 0."""
        return 0.0 if self.period is not None else float(self.x.min())

    @property
    def high(self) -> float:
        """Largest place; on a circle the period."""
        return float(self.x.max()) if self.period is None else self.period

    def at(self, mu: Float[Array, " bump"], shape: Float[Array, " bump"]) -> Float[Array, "bump level"]:
        """Bumps at places ``mu``."""
        return self._averaged(self._raw(mu, shape)[0])

    def slopes(self, mu: Float[Array, " bump"], shape: Float[Array, " bump"]) -> tuple[Array, Array, Array]:
        """Bumps, and their derivatives by place and by shape, each ``(bump, level)``."""
        bump, away, size = self._raw(mu, shape)
        if self.period is None:
            by_mu, by_shape = bump * 2 * size * away, bump * 2 * size * away**2
        else:
            turn = 2 * math.pi / self.period
            by_mu = bump * size * np.sin(turn * away) * turn
            by_shape = bump * size * (np.cos(turn * away) - 1)
        return self._averaged(bump), self._averaged(by_mu), self._averaged(by_shape)

    def _raw(self, mu: Array, shape: Array) -> tuple[Array, Array, Array]:
        away = self.x - mu[:, None]
        if self.period is None:
            size = 4 * LOG_2 * np.exp(-2 * shape)[:, None]
            return np.exp(-size * away**2), away, size
        size = np.exp(shape)[:, None]
        return np.exp(size * (np.cos(away * (2 * math.pi / self.period)) - 1)), away, size

    def _averaged(self, values: Array) -> Array:
        return values if self.average is None else values @ self.average.T

    def shape_of(self, width: Array) -> Array:
        """The shape of bumps of a full width at half height."""
        if self.period is None:
            return np.asarray(np.log(width))
        half = np.minimum(np.pi * np.asarray(width) / self.period, np.pi)
        return np.asarray(np.log(LOG_2 / np.maximum(1 - np.cos(half), 1e-12)))

    def width_of(self, shape: Array) -> Array:
        """The full width at half height."""
        if self.period is None:
            return np.exp(shape)
        return np.asarray(self.period / np.pi * np.arccos(np.clip(1 - LOG_2 * np.exp(-shape), -1, 1)))

    def width_slope(self, shape: Array) -> Array:
        """How fast the width changes with the shape."""
        if self.period is None:
            return np.exp(shape)
        part = LOG_2 * np.exp(-shape)
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.asarray(-self.period / np.pi * part / np.sqrt(1 - (1 - part) ** 2))

    @property
    def shape_bounds(self) -> tuple[float, float]:
        """Least and largest shape."""
        ends = self.shape_of(np.array([self.narrowest, self.widest]))
        return float(ends.min()), float(ends.max())


@dataclass(frozen=True)
class Observed:
    """Activity at points of a stimulus, or at levels that hold several of them.

    Attributes
    ----------
    mean, var, count : ``(unit, level)``
        ``count`` is 0 where a unit has no trial, ``var`` anything where it has one.
    """

    mean: Float[Array, "unit level"]
    var: Float[Array, "unit level"]
    count: Float[Array, "unit level"]

    @property
    def arrays(self) -> tuple[Array, Array, Array]:
        """Mean, variance and count."""
        return self.mean, self.var, self.count

    def part(self, place: slice) -> Observed:
        """Of some units; what was not observed is 0."""
        mean, var, count = (np.asarray(a[place], dtype=float) for a in (self.mean, self.var, self.count))
        return Observed(np.where(count > 0, mean, 0.0), np.where(count > 1, var, 0.0), count)

    def coarse(self, bumps: Bumps) -> tuple[Observed, Bumps, Array]:
        """Neighbouring points taken together, until few are left; and which of them holds each point."""
        n = self.mean.shape[1]
        group = np.empty(n, dtype=int)
        if bumps.average is not None or n <= MAX_COARSE:
            group[:] = np.arange(n)
            return self, bumps, group
        order = np.argsort(bumps.x, kind="stable")
        group[order] = np.arange(n) * MAX_COARSE // n
        member = np.eye(MAX_COARSE)[group]
        count = self.count @ member
        mean = (self.mean * self.count) @ member / np.maximum(count, 1e-300)
        x = bumps.x @ member / member.sum(axis=0)
        few = Bumps(x, bumps.period, bumps.narrowest, bumps.widest)
        return Observed(mean, np.zeros_like(mean), count), few, group
