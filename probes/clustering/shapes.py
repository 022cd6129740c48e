"""What a cloud without types looks like, in words."""

from __future__ import annotations

import numpy as np

from artiphys.array_types import Array
from artiphys.probes.clustering.curves import FULL, Curve

N_RESAMPLED = 200
SURE, FLAT = 3.5, 2.0  # standard errors beyond which a cloud is skewed or heavy-tailed, and flat: this has a limit
LONG = 2.0  # times as wide as the next direction
OPEN = FULL / 4  # [rad] without a unit, beyond which a ring is an arc


def shape_of(x: Array, curve: Curve | None, rng: np.random.Generator) -> str:
    """Name the shape of units ``(unit, feature)``: ring, arc, skewed, heavy-tailed, flat, elongated or Gaussian."""
    n, p = x.shape
    if curve is not None:
        angles = np.sort(curve.along(x))
        gaps = np.diff(np.append(angles, angles[0] + FULL))
        return "an arc" if gaps.max() > OPEN else "a ring"
    error = np.std([_skewness(x[rng.integers(n, size=n)]) for _ in range(N_RESAMPLED)], axis=0)
    if (np.abs(_skewness(x)) > SURE * np.maximum(error, 1e-12)).any():
        return "a skewed cloud"
    z = (x - x.mean(axis=0)) / x.std(axis=0)
    excess = float(((z**4).mean(axis=0) - 3).mean()) / np.sqrt(24 / (n * p))  # of a Gaussian a standard normal score
    if excess > SURE:
        return "a heavy-tailed cloud"
    if excess < -FLAT:
        return "a flat cloud"
    widths = np.sqrt(np.sort(np.linalg.eigvalsh(np.cov(x.T).reshape(p, p)))[::-1])
    return "an elongated cloud" if p > 1 and widths[0] > LONG * widths[1] else "one Gaussian cloud"


def _skewness(x: Array) -> Array:
    """Of the 5 %, 50 % and 95 % quantiles, which a few far units do not move ``(feature,)``."""
    low, middle, high = np.quantile(x, [0.05, 0.5, 0.95], axis=0)
    skewness: Array = (high + low - 2 * middle) / np.maximum(high - low, 1e-12)
    return skewness
