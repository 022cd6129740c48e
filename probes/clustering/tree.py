"""Types as the leaves of a tree of cuts, each of which has to be believed."""

from __future__ import annotations

import numpy as np

from artiphys.array_types import Array
from artiphys.probes.clustering.halves import LEAST_UNITS, Split, split_in_two


def types_of(x: Array, root: Split, max_types: int, alpha: float, rng: np.random.Generator) -> Array:
    """Type of each unit ``(unit,)``: the parts of the first cut, cut further as long as valleys show.

    The level of a branch shrinks with its share of the units, which bounds the chance of any wrong cut by alpha
    (Kimes et al. 2017, Statistical significance for hierarchical clustering).
    """
    labels = root.labels.copy()
    waiting = [0, 1]
    while waiting and labels.max() + 1 < max_types:
        branch = waiting.pop(0)
        here = np.flatnonzero(labels == branch)
        if len(here) < max(LEAST_UNITS, 2 * x.shape[1] + 1):
            continue
        split = split_in_two(x[here], rng)
        level = alpha * (len(here) - 1) / (len(x) - 1)
        if split.p_valley <= level and 0 < split.labels.mean() < 1:
            new = int(labels.max()) + 1
            labels[here[split.labels == 1]] = new
            waiting += [branch, new]
    return labels
