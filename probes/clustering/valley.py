"""Whether there is a valley between two types, judged of units that had no part in finding where it would be."""

from __future__ import annotations

from itertools import product

import numpy as np
from scipy.stats import binom, multivariate_normal, norm

from artiphys.array_types import Array

# Sides share the units of the valley, which correlates their z scores, by a half where all three are as wide.
SHARED = 0.5
# Where one peak is this many times as dense as all that is beyond it, the rest is a tail; it falls, from the valley to
# what lies beyond it, to this share at most.
STEEP, FALL = 4.0, 0.8


def valley_p(counts: Array, widths: Array, same: bool, depth: float = 1.0) -> float:
    """p of there being no valley, from units in peak, valley, peak ``(half, 3)`` and the widths of these intervals.

    A density with one peak is nowhere lower than on both sides: at least one of two intervals that lie beside a third
    holds no more units for its width (the excess mass of Mueller & Sawitzki 1991, Excess mass estimates and tests for
    multimodality). Which of the two it is may differ between halves that are cut at different places; then the largest
    p of all four pairs counts. The other side must be a peak too, and is given the height that it has beyond what
    chance shares with the first.

    Parameters
    ----------
    counts : ``(half, 3)``
        Units of one half in the intervals that the other half chose.
    same : bool
        Whether both halves are cut at the same place, and their sides are in the same order.
    depth : float
        Only a valley lower than this share of both peaks counts.
    """
    z = {}
    for sides in [(0, 0), (2, 2)] if same else product((0, 2), repeat=2):
        rows = np.arange(len(counts))
        peak, valley = counts[rows, sides], counts[:, 1]
        others = np.array([2 - side for side in sides])
        wide, between = widths[rows, sides], widths[:, 1]
        here = (peak + valley).sum() / (wide + between).sum()
        is_tail = counts[rows, others].sum() / widths[rows, others].sum() > STEEP * here
        least = 1 / FALL if is_tail and depth == 1 else depth
        share = wide / (wide + least * between)
        z[sides] = float(norm.isf(_at_least(int(peak.sum()), peak + valley, share)))
    sides, weak = min(z.items(), key=lambda item: item[1])
    strong = z[tuple(2 - s for s in sides)]
    if weak <= 0:
        return float(norm.sf(weak))
    height = max(strong - SHARED * weak, 0.0)  # what chance gave the weaker side it gave this one by half
    both = multivariate_normal([0, height], [[1, SHARED], [SHARED, 1]])
    return float(np.clip(both.cdf(np.array([-weak, 2 * height - weak])), 1e-15, 1 - 1e-15))


def _at_least(n: int, totals: Array, shares: Array) -> float:
    """Mid-p of a sum of binomials; its exact probability would be too large, since counts are few."""
    chances = np.ones(1)
    for total, share in zip(totals, shares):
        chances = np.convolve(chances, binom.pmf(np.arange(total + 1), total, share))
    p = chances[n + 1 :].sum() + 0.5 * chances[n]
    return float(np.clip(p, 1e-15, 1 - 1e-15))
