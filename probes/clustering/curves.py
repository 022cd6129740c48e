"""Rings and arcs: a closed curve with noise about it, fitted to units and judged of others."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations

import numpy as np
from scipy.special import logsumexp

from artiphys.array_types import Array
from artiphys.probes.clustering.mixtures import Mixture, one_gaussian

HARMONICS = 2  # of the angle, in radius and in every direction out of the plane
N_PLANES = 3  # of the widest directions, each two of which span a plane that may hold the ring
FULL = 2 * np.pi


@dataclass(frozen=True)
class Curve:
    """Angles about a centre in a plane, and what radius and height follow from them.

    Attributes
    ----------
    mean, frame : ``(feature,)``, ``(feature, direction)``
        Of the coordinates; the first two directions span the plane.
    centre : ``(2,)``
    shape : ``(harmonic, 1 + direction)``
        Radius, and heights above the plane, as sums of sines of the angle.
    noise : Mixture
        One Gaussian of the residuals.
    angles : ``(unit,)``
        Of the units that it was fitted to, whose kernel density with `width` [rad] is that of the curve.
    start : float
        The emptiest angle [rad], where the curve is cut open.
    """

    mean: Array
    frame: Array
    centre: Array
    shape: Array
    noise: Mixture
    angles: Array
    width: float
    start: float

    def along(self, x: Array) -> Array:
        """Angle [rad] from the emptiest one ``(unit,)``."""
        return (_polar(self, x)[0] - self.start) % FULL

    @property
    def thickness(self) -> float:
        """Standard deviation of the radius about the curve, as a share of the mean radius; .35 for a full disc."""
        return float(np.sqrt(self.noise.covariances[0, 0, 0]) / self.shape[0, 0])

    def log_density(self, x: Array) -> Array:
        """Log of the density ``(unit,)``."""
        angle, radius, height = _polar(self, x)
        off = np.column_stack([radius, height]) - _waves(angle) @ self.shape
        scale = float(np.linalg.slogdet(self.frame)[1])
        log: Array = _log_kernel(angle, self.angles, self.width) + self.noise.log_density(off) - np.log(radius) + scale
        return log


def best_curve(x: Array) -> Curve | None:
    """The curve, of those in planes of the widest directions, whose likelihood is largest; None with one feature."""
    if x.shape[1] < 2:
        return None
    mean = x.mean(axis=0)
    values, vectors = np.linalg.eigh(np.cov((x - mean).T))
    order = np.argsort(values)[::-1]
    values, vectors = np.maximum(values[order], 1e-12 * values.max()), vectors[:, order]
    found = []
    for pair in combinations(range(min(N_PLANES, x.shape[1])), 2):
        rest = [i for i in range(x.shape[1]) if i not in pair]
        frame = vectors[:, [*pair, *rest]]
        found.append(_fitted(x, mean, frame))
        if values[pair[0]] > 2 * values[pair[1]]:  # an ellipse is a circle where both directions are as wide
            scale = np.ones(x.shape[1])
            scale[:2] = 1 / np.sqrt(values[list(pair)] / values[pair[0]])
            found.append(_fitted(x, mean, frame * scale))
    return max(found, key=lambda curve: float(curve.log_density(x).sum()))


def _fitted(x: Array, mean: Array, frame: Array) -> Curve:
    flat = ((x - mean) @ frame)[:, :2]
    terms = np.column_stack([2 * flat, np.ones(len(x))])
    centre = np.linalg.lstsq(terms, (flat**2).sum(axis=1), rcond=None)[0][:2]
    first = Curve(mean, frame, centre, np.zeros((0, 0)), one_gaussian(flat), np.zeros(0), 1.0, 0.0)
    angle, radius, height = _polar(first, x)
    waves, what = _waves(angle), np.column_stack([radius, height])
    ridge = 1e-3 * len(x) * np.diag([0.0] + [1.0] * (waves.shape[1] - 1))  # of an arc the waves are nearly the same
    shape = np.linalg.solve(waves.T @ waves + ridge, waves.T @ what)
    length = abs(np.exp(1j * angle).mean())
    spread = min(1.5, float(np.sqrt(-2 * np.log(max(length, 1e-9)))))
    width = max(1.06 * spread * len(x) ** -0.2, 1e-3)
    grid = np.linspace(0, FULL, 128, endpoint=False)
    start = float(grid[_log_kernel(grid, angle, max(width, 0.1)).argmin()])
    return Curve(mean, frame, centre, shape, one_gaussian(what - waves @ shape), angle, width, start)


def _polar(curve: Curve, x: Array) -> tuple[Array, Array, Array]:
    y = (x - curve.mean) @ curve.frame
    flat = y[:, :2] - curve.centre
    return np.arctan2(flat[:, 1], flat[:, 0]), np.hypot(*flat.T) + 1e-9, y[:, 2:]


def _waves(angle: Array) -> Array:
    orders = range(1, HARMONICS + 1)
    return np.column_stack([np.ones(len(angle))] + [f(k * angle) for k in orders for f in (np.cos, np.sin)])


def _log_kernel(at: Array, angles: Array, width: float) -> Array:
    apart = (at[:, None] - angles + np.pi) % FULL - np.pi
    total = logsumexp(-0.5 * (apart / width) ** 2, axis=1)
    log: Array = total - np.log(len(angles) * width * np.sqrt(FULL))
    return log
