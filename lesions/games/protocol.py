"""GameLike: what every analysis asks of a game; and coalitions, checked and counted."""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np

from artiphys.array_types import Array
from artiphys.errors import InputError
from artiphys.missing import plain_array


class GameLike(Protocol):
    """What an estimator asks of a game (a `Game`, or a `FunctionGame`)."""

    kind: Any
    score: Any
    stimuli: Any
    player_names: Any
    seconds: float
    n_evaluations: int

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


def scalar(value: Any) -> Any:
    """A value of one coalition as a float, where it is one number."""
    return float(value) if np.ndim(value) == 0 else value
