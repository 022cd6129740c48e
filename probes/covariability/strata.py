"""Strata: trials of one stimulus (and one group), within which trials differ by noise alone."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from artiphys.array_types import Array
from artiphys.errors import StatisticsError
from artiphys.user_warnings import warn


@dataclass(frozen=True)
class Strata:
    """Activity sorted into strata.

    Attributes
    ----------
    x : ``(trial, unit)``
        Activity, without differences between groups.
    stimulus : ``(trial,)``
        Place of each trial's stimulus.
    n : ``(stimulus,)``
        Trials of each.
    cell : ``(trial,)``
        Stratum of each trial for noise: its stimulus, and its group where there are groups; -1 of a trial that is
        alone in it.
    """

    x: Array
    stimulus: Array
    n: Array
    cell: Array

    @classmethod
    def of(cls, x: Array, stimulus: Array, groups: Array | None) -> Strata:
        """Sorted, with differences between groups taken out by least squares beside the stimulus.

        Raises
        ------
        StatisticsError
            If a stimulus has a single trial, or groups cannot be told from stimuli.
        """
        n = np.bincount(stimulus)
        if n.min() < 2:
            raise StatisticsError(
                f"{int((n < 2).sum())} of {len(n)} stimuli have a single trial, so their noise is unknown; wanted two "
                "or more trials of each (leave these out, or use fewer bins)"
            )
        if groups is None:
            return cls(x, stimulus, n, stimulus)
        group = np.unique(groups, return_inverse=True)[1]
        x = without_groups(x, stimulus, group)
        cell = np.unique(np.column_stack([stimulus, group]), axis=0, return_inverse=True)[1].ravel()
        alone = np.bincount(cell)[cell] < 2
        if alone.any():
            warn(f"{int(alone.sum())} trials are alone in their stimulus and group, and say nothing of noise")
        return cls(x, stimulus, n, np.where(alone, -1, cell))

    @property
    def cells(self) -> list[Array]:
        """Trials of each stratum."""
        return [np.flatnonzero(self.cell == c) for c in range(self.cell.max() + 1) if (self.cell == c).any()]


def without_groups(x: Array, stimulus: Array, group: Array) -> Array:
    """Activity ``(trial, unit)`` less what groups add to it, by least squares beside the stimuli.

    Raises
    ------
    StatisticsError
        If groups cannot be told from stimuli.
    """
    n = stimulus.max() + 1
    member = np.column_stack([stimulus[:, None] == np.arange(n), group[:, None] == np.arange(group.max() + 1)])
    design = member.astype(float)
    if np.linalg.matrix_rank(design) < design.shape[1] - 1:
        raise StatisticsError(
            "the groups cannot be told from the stimuli, as where each group saw stimuli of its own; wanted groups "
            "that share stimuli. Analyse each group by itself"
        )
    slopes = np.linalg.lstsq(design, x, rcond=None)[0][n:]
    return np.asarray(x - design[:, n:] @ (slopes - np.bincount(group) @ slopes / len(x)))


def warn_of_drift(z: Array) -> None:
    """Warn where residuals ``(trial, unit)`` of neighbouring trials are alike: trials are not independent then."""
    power = (z**2).sum(axis=0)
    with np.errstate(invalid="ignore", divide="ignore"):
        lag = (z[1:] * z[:-1]).sum(axis=0) / power
    drifting = int((lag > 4 / np.sqrt(len(z))).sum())  # one of 30,000 units that do not drift
    if drifting > 0.02 * z.shape[1]:
        warn(
            f"{drifting} of {z.shape[1]} units drift over the trials (neighbouring trials are alike beyond their "
            "stimulus): correlations and Fano factors include the drift, and intervals and p-values are too sure. "
            "Take out the drift, or pass blocks of trials as groups="
        )
