"""Any function on coalitions as a game, so that foreign value functions can be analysed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from artiphys.errors import InputError
from artiphys.scores import Score
from artiphys.stimuli import Stimuli

Array = np.ndarray[Any, Any]


class CallableGame:
    """A value function without a network: memoised and counted like a `Game`, one value a coalition."""

    kind = "as the function defines it"

    def __init__(self, fn: Callable[[Array], Any], n_players: int) -> None:
        self.fn, self.n_players = fn, n_players
        self.player_names = list(range(n_players))
        self.n_evaluations, self.seconds = 0, 0.0
        self.score = Score(lambda outputs, trials: outputs, getattr(fn, "__name__", "value"))
        self.stimuli: tuple[Stimuli, ...] = ()
        self._memo: dict[bytes, float] = {}

    @classmethod
    def of(cls, fn: Any, n_players: int | None) -> CallableGame:
        """Check that the function and the number of players make sense."""
        if not callable(fn):
            raise InputError(f"the game came as {type(fn).__name__}; wanted an ap.Game or a function on coalitions")
        n = n_players if n_players is not None else getattr(fn, "n_players", None)
        if not isinstance(n, (int, np.integer)) or n < 1:
            raise InputError("a function on coalitions needs n_players=, a whole number of at least 1")
        return cls(fn, int(n))

    def __call__(self, coalitions: Array) -> Array:
        """Values ``(n,)`` of bool coalitions ``(n, player)``."""
        return self.per_trial(coalitions)[:, 0]

    def per_trial(self, coalitions: Array) -> Array:
        """Values as one column ``(n, 1)``."""
        keys = [row.tobytes() for row in coalitions]
        missing = {k: row for k, row in zip(keys, coalitions) if k not in self._memo}
        if missing:
            values = np.asarray(self.fn(np.array(list(missing.values()))), dtype=float)
            if values.shape != (len(missing),):
                raise InputError(
                    f"the game gave shape {values.shape} for {len(missing)} coalitions; wanted one value each"
                )
            if not np.isfinite(values).all():
                raise InputError("the game gave NaN or infinite values")
            self._memo.update(zip(missing, values))
            self.n_evaluations += len(missing)
        return np.array([[self._memo[k]] for k in keys])
