"""What every analysis of coalitions asks of a game."""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np

Array = np.ndarray[Any, Any]


class Played(Protocol):
    """What an estimator asks of a game (a `Game`, or a `CallableGame`)."""

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
        """The same a trial: ``(n, trial)`` or ``(n, trial, output)``."""


def distinct(coalitions: Array) -> int:
    """Number of different coalitions."""
    return len(np.unique(np.packbits(coalitions, axis=1), axis=0))
