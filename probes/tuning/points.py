"""Points of a stimulus: activity gathered at every value that trials showed, not at the bins they were counted in."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import torch

from artiphys.array_types import Array
from artiphys.errors import InputError
from artiphys.probes.data.confounds import Confounds
from artiphys.probes.tuning.bumps import Bumps, Observed
from artiphys.probes.tuning.levels import Levels

TRIALS_UNDER_A_BUMP = 5  # a narrower bump would be fitted to single trials


def cleaned(block: Array, removed: Confounds | None) -> Array:
    """A block ``(trial, unit)`` without what confounds explain."""
    if removed is None or not removed.any:
        return block
    if np.isnan(block).any():
        raise InputError("confounds cannot be removed from padded activity; choose times that all trials have")
    return np.asarray(removed.removed(torch.from_numpy(block), np.arange(len(block))).numpy())


def at_points(blocks: Iterable[Array], values: Array) -> tuple[Array, Observed]:
    """Different values ``(point,)``, and mean, variance and trials at each of them."""
    x, place = np.unique(values, return_inverse=True)
    order = np.argsort(place, kind="stable")
    start = np.searchsorted(place[order], np.arange(len(x)))
    parts = []
    for block in blocks:
        rows = block[order]
        known = ~np.isnan(rows)
        count = np.add.reduceat(known, start, axis=0, dtype=float)
        rows = np.where(known, rows, 0.0)
        mean = np.add.reduceat(rows, start, axis=0) / np.maximum(count, 1)
        squares = np.where(known, rows - mean[place[order]], 0.0) ** 2
        var = np.add.reduceat(squares, start, axis=0) / np.maximum(count - 1, 1)
        parts.append((mean.T, var.T, count.T))
    return x, Observed(*(np.concatenate(p) for p in zip(*parts)))


def bumps_over(level: Levels, seen: Array, of_trials: bool = False) -> Bumps:
    """Bumps over a stimulus, with bounds of their width; see `Tuning.fit`.

    Parameters
    ----------
    level : Levels
    seen : bool ``(level,)``
        Levels that are fitted.
    of_trials : bool
        Of single trials; else of means, each held against the mean of a bump over the values it was made from.
    """
    labels = level.labels.astype(float)
    x, average = labels[seen], None
    if level.binned:
        assert level.values is not None
        rows = seen[level.of_trial]
        x, place = np.unique(level.values[rows], return_inverse=True)
        if not of_trials:
            share = np.zeros((len(labels), len(x)))
            np.add.at(share, (level.of_trial[rows], place), 1.0)
            average = share[seen] / share[seen].sum(axis=1, keepdims=True)
    period = level.period if level.kind == "circular" else None
    span = level.period if period is not None else float(np.ptp(x))
    widest = 2 * span if period is None else span
    if of_trials:
        narrowest = span * TRIALS_UNDER_A_BUMP / max(int(rows.sum()), 1)
    else:
        narrowest = float(np.diff(np.sort(labels)).min()) / 2
    return Bumps(x, period, min(narrowest, widest / 4), widest, average)
