"""Where a mixture would be cut in two: a direction, and three intervals along it, of two peaks and the valley."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import ndtr, xlogy

from artiphys.array_types import Array
from artiphys.probes.clustering.mixtures import Mixture

N_EDGES = 41  # candidate borders of the intervals
BEYOND = 2.5  # standard deviations that the outer intervals may reach beyond the middles of the two sides


@dataclass(frozen=True)
class Cut:
    """A line ``(feature,)``, the edges ``(4,)`` of peak, valley, peak along it, and the components of the upper side.

    `promise` is the smaller of the two z scores that as many new units of the mixture would give.
    """

    line: Array
    edges: Array
    upper: Array
    promise: float


def best_cut(mixture: Mixture, n: int, depth: float = 1.0) -> Cut:
    """The cut, of all that part the components in two, that promises most of n new units."""
    return max(all_cuts(mixture, n, depth), key=lambda cut: cut.promise)


def all_cuts(mixture: Mixture, n: int, depth: float = 1.0) -> list[Cut]:
    """Every parting of the components in two."""
    k = len(mixture.weights)
    sides = [np.array([bool(code >> j & 1) for j in range(k)]) for code in range(1, 2 ** (k - 1))]
    return [_cut(mixture, upper, n, depth) for upper in sides]


def _cut(mixture: Mixture, upper: Array, n: int, depth: float) -> Cut:
    """Fisher's line between the two sides, and the best intervals of the mixture's own density along it."""
    weights, means, covariances = mixture.weights, mixture.means, mixture.covariances
    within = np.einsum("k,kij->ij", weights, covariances)
    middles = []
    for side in (~upper, upper):
        middles.append(weights[side] @ means[side] / weights[side].sum())
        apart = means[side] - middles[-1]
        within = within + np.einsum("k,ki,kj->ij", weights[side], apart, apart)
    line = np.linalg.solve(within, middles[1] - middles[0])
    line = line / np.sqrt(max(line @ within @ line, 1e-300))
    low, high = middles[0] @ line, middles[1] @ line
    edges = np.linspace(low - BEYOND, high + BEYOND, N_EDGES)
    # Of new units the spread is larger than of those that the mixture was fitted to.
    more = 1 + (len(line) + 2) / np.maximum(n * weights, 1)
    spread = np.sqrt(np.einsum("i,kij,j->k", line, covariances, line) * more)
    below = (weights * ndtr((edges[:, None] - means @ line) / spread)).sum(axis=1)
    chosen, promise = _intervals(edges, below, n, (edges > low - 0.5) & (edges < high + 0.5), depth)
    return Cut(line, chosen, upper, promise)


def _intervals(edges: Array, below: Array, n: int, inner: Array, depth: float) -> tuple[Array, float]:
    """The four edges a < b < c < d whose smaller z, of [a, b] and [c, d] against [b, c], is largest."""
    mass = np.maximum(below[None] - below[:, None], 0)  # from row to column
    width = edges[None] - edges[:, None]
    left = _z(mass[:, :, None], mass[None], width[:, :, None], width[None], n, depth)  # (a, b, c)
    right = _z(mass[None], mass[:, :, None], width[None], width[:, :, None], n, depth)  # (b, c, d)
    least = np.minimum(left.max(axis=0), right.max(axis=2))
    least[~inner] = least[:, ~inner] = -np.inf
    b, c = np.unravel_index(int(least.argmax()), least.shape)
    a, d = left[:, b, c].argmax(), right[b, c].argmax()
    return edges[[a, b, c, d]], float(least[b, c])


def _z(peak: Array, valley: Array, peak_width: Array, valley_width: Array, n: int, depth: float) -> Array:
    """Signed root of the deviance of a peak's share of the units in it and the valley, from that of an even density."""
    with np.errstate(all="ignore"):
        even = peak_width / (peak_width + depth * valley_width)
        share = peak / (peak + valley)
        deviance = 2 * n * (xlogy(peak, share / even) + xlogy(valley, (1 - share) / (1 - even)))
        z = np.sign(share - even) * np.sqrt(np.maximum(deviance, 0))
    return np.where((peak_width > 0) & (valley_width > 0) & (peak + valley > 1e-12), z, -np.inf)
