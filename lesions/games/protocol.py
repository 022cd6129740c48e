"""GameLike: what every analysis asks of a game; and coalitions, checked and counted."""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np

from artiphys.array_types import Array
from artiphys.errors import InputError
from artiphys.missing import plain_array


class GameLike(Protocol):
    """What an estimator asks of a game (a `Game`, or a `FunctionGame`)."""

    player_names: Any
    seconds: float
    n_evaluations: int

    @property
    def kind(self) -> Any:
        """What a lesion does."""

    @property
    def score(self) -> Any:
        """What is measured."""

    @property
    def stimuli(self) -> Any:
        """The trials; empty where there are none."""

    @property
    def n_players(self) -> int:
        """Number of players."""

    def __call__(self, coalitions: Array) -> Array:
        """Values ``(n,)`` or ``(n, output)`` of bool coalitions ``(n, player)``, True = intact."""

    def per_trial(self, coalitions: Array) -> Array:
        """The same for each trial: ``(n, trial)`` or ``(n, trial, output)``."""


def distinct(coalitions: Array) -> int:
    """Number of different coalitions."""
    return len(np.unique(np.packbits(coalitions, axis=1), axis=0))


def checked_coalitions(coalitions: Any, n_players: int) -> Array:
    """Coalitions as a contiguous bool matrix ``(n, player)``; one alone may come as ``(player,)``.

    Raises
    ------
    InputError
        If they have another shape, or hold something else than booleans, zeros and ones.
    """
    matrix = plain_array(coalitions)
    if matrix.ndim == 1:
        matrix = matrix[None]
    if matrix.ndim != 2 or matrix.shape[1] != n_players:
        raise InputError(f"coalitions came with shape {np.shape(coalitions)}; wanted (n, {n_players}), True = intact")
    if matrix.dtype != bool:
        if not np.isin(matrix, (0, 1)).all():
            raise InputError("coalitions must be boolean: True = intact, False = lesioned")
        matrix = matrix.astype(bool)
    return np.ascontiguousarray(matrix)


def checked_rows(rows: Any, n_trials: int) -> Array:
    """Numbers of trials ``(row,)`` from a slice, whole numbers or a mask; at least one, none twice.

    Raises
    ------
    InputError
        If they are something else.
    """
    if isinstance(rows, slice):
        chosen = np.arange(n_trials)[rows]
    else:
        chosen = plain_array(rows)
        if chosen.dtype == bool and chosen.shape == (n_trials,):
            chosen = np.flatnonzero(chosen)
        if chosen.ndim != 1 or chosen.dtype.kind not in "iu":
            raise InputError(
                f"rows came as {np.shape(rows)} of {chosen.dtype}; wanted a slice, numbers of trials, or a mask of all "
                f"{n_trials} trials"
            )
    if not len(chosen):
        raise InputError("rows name no trial; give at least one")
    if chosen.min() < -n_trials or chosen.max() >= n_trials:
        raise InputError(f"rows go from {chosen.min()} to {chosen.max()}; there are {n_trials} trials")
    chosen = chosen % n_trials
    if len(np.unique(chosen)) != len(chosen):
        raise InputError("rows name a trial twice")
    return np.asarray(chosen)


def scalar(value: Any) -> Any:
    """A value of one coalition as a float, where it is one number."""
    return float(value) if np.ndim(value) == 0 else value
