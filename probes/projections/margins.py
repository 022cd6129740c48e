"""Margins: the parts of mean activity that depend on time, on one condition, or on the combination of two."""

from __future__ import annotations

from itertools import combinations

import numpy as np

from artiphys.array_types import Array


def margin_names(factors: tuple[str, ...], timed: bool) -> list[str]:
    """Names of the margins: time, each factor (its interaction with time included), and their interaction.

    >>> margin_names(("rule", "cue"), True)
    ['time', 'rule', 'cue', 'rule x cue']
    """
    own = [" x ".join(chosen) for k in range(1, len(factors) + 1) for chosen in combinations(factors, k)]
    return ["time", *own] if timed else own


def margins(means: Array, n_factors: int) -> list[Array]:
    """Parts of the mean activity ``(level, ..., time, unit)``, which sum to it less each unit's mean.

    Reference: Kobak et al. 2016, Demixed principal component analysis of neural population data.
    """
    centred = means - means.mean(axis=tuple(range(n_factors + 1)))
    parts = []
    if means.shape[n_factors] > 1:
        over = centred.mean(axis=tuple(range(n_factors)), keepdims=True)
        parts.append(np.broadcast_to(over, means.shape))
    for k in range(1, n_factors + 1):
        for chosen in combinations(range(n_factors), k):
            part = centred
            for axis in range(n_factors):
                mean = part.mean(axis=axis, keepdims=True)
                part = part - mean if axis in chosen else mean
            parts.append(np.broadcast_to(part, means.shape))
    return parts


def cell_projections(shape: tuple[int, ...]) -> list[Array]:
    """Of cell means ``(cell, cell)``, on each margin but that of time."""
    found = []
    for k in range(1, len(shape) + 1):
        for chosen in combinations(range(len(shape)), k):
            whole = np.ones((1, 1))
            for axis, levels in enumerate(shape):
                mean = np.full((levels, levels), 1 / levels)
                whole = np.kron(whole, np.eye(levels) - mean if axis in chosen else mean)
            found.append(whole)
    return found
