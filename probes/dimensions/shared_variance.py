"""Cross-validated PCA: variance along principal axes that two repeats of the same stimuli share."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float

from artiphys.array_types import Array


def split_means(x: Array, stimulus: Array, rng: np.random.Generator) -> tuple[Array, Array]:
    """Mean response to each stimulus ``(stimulus, unit)`` in two random halves of its repeats."""
    n = stimulus.max() + 1
    halves = np.zeros((2, n, x.shape[1]))
    for s in range(n):
        rows = rng.permutation(np.flatnonzero(stimulus == s))
        middle = len(rows) // 2
        halves[0, s], halves[1, s] = x[rows[:middle]].mean(axis=0), x[rows[middle:]].mean(axis=0)
    return halves[0], halves[1]


def shared_spectrum(
    first: Float[Array, "stimulus unit"], second: Float[Array, "stimulus unit"]
) -> Float[Array, " component"]:
    """Shared variance along the principal axes of either half, the mean of both.

    Axes come from one half, and the variance along them is the covariance of both halves' projections, so that noise,
    which differs between repeats, adds nothing on average.

    References
    ----------
    Stringer et al. 2019, High-dimensional geometry of population responses in visual cortex.
    """
    a, b = first - first.mean(axis=0), second - second.mean(axis=0)
    total = np.zeros(min(len(a) - 1, a.shape[1]))
    for own, other in ((a, b), (b, a)):
        axes = np.linalg.svd(own, full_matrices=False)[2][: len(total)]
        total += ((own @ axes.T) * (other @ axes.T)).sum(axis=0)
    return np.asarray(total / 2 / (len(a) - 1))


def spectrum(x: Float[Array, "trial unit"]) -> Float[Array, " component"]:
    """Variance along principal axes, in falling order: eigenvalues of the covariance over trials."""
    values = np.linalg.svd(x - x.mean(axis=0), compute_uv=False)
    return np.asarray(values[: min(len(x) - 1, x.shape[1])] ** 2 / (len(x) - 1))
