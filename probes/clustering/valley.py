"""Whether there is a valley between two clusters (Silverman 1981)."""

from __future__ import annotations

import numpy as np

from artiphys.array_types import Array
from artiphys.probes.clustering.cluster_tests import clusters


def between_two(x: Array, rng: np.random.Generator) -> Array:
    """Units along the line between the centres of two clusters."""
    labels, _ = clusters(x, 2, rng)
    line: Array = x @ (x[labels == 1].mean(axis=0) - x[labels == 0].mean(axis=0))
    return line


def valley_p_value(values: Array, n_draws: int, rng: np.random.Generator) -> float:
    """Bootstrap p of a density with one peak.

    Silverman 1981, Using kernel density estimates to investigate multimodality: the kernel just wide enough to leave
    one peak must be wide, compared with samples of the one-peaked density that it gives.
    """
    x = (values - values.mean()) / values.std()
    low, high = 0.02, 4.0
    for _ in range(18):
        middle = (low * high) ** 0.5
        low, high = (low, middle) if _n_peaks(x, middle) <= 1 else (middle, high)
    several = 0
    for _ in range(n_draws):
        drawn = rng.choice(x, len(x)) + high * rng.normal(size=len(x))
        several += _n_peaks(drawn / np.sqrt(1 + high**2), high) > 1  # of the same spread as the data
    return (several + 1) / (n_draws + 1)


def _n_peaks(x: Array, width: float) -> int:
    grid = np.linspace(x.min() - 3 * width, x.max() + 3 * width, 256)
    density = np.exp(-0.5 * ((grid[:, None] - x) / width) ** 2).sum(axis=1)
    slope = np.sign(np.diff(density))
    slope = slope[slope != 0]
    return int(((slope[:-1] > 0) & (slope[1:] < 0)).sum())
