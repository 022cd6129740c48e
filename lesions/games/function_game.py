"""Any function on coalitions as a game."""

from __future__ import annotations

import time as clock
from collections.abc import Callable
from typing import Any

import numpy as np

from artiphys.array_types import Array
from artiphys.errors import ArtiphysError, InputError
from artiphys.lesions.cache.keys import keys_of
from artiphys.lesions.games.protocol import GameLike
from artiphys.missing import plain_array
from artiphys.scores.score import Score
from artiphys.stimuli import Stimuli


class FunctionGame:
    """A value function without a network: memoised and counted like a `Game`, one value (or vector) a coalition."""

    kind = "as the function defines it"

    def __init__(self, fn: Callable[[Array], Any], n_players: int) -> None:
        self.fn, self.n_players = fn, n_players
        self.player_names = _names(fn, n_players)
        self.n_evaluations, self.seconds = 0, 0.0
        self.score = Score(lambda outputs, trials: outputs, getattr(fn, "__name__", "value"))
        self.stimuli: tuple[Stimuli, ...] = ()
        self._place: dict[bytes, int] = {}
        self._values: Array | None = None

    @classmethod
    def of(cls, fn: Any, n_players: int | None) -> FunctionGame:
        """Check that the function and the number of players make sense."""
        if not callable(fn):
            raise InputError(f"the game came as {type(fn).__name__}; wanted an ap.Game or a function on coalitions")
        n = n_players if n_players is not None else getattr(fn, "n_players", None)
        if isinstance(n, bool) or not isinstance(n, (int, np.integer)) or n < 1:
            raise InputError("a function on coalitions needs n_players=, a whole number of at least 1")
        return cls(fn, int(n))

    def __call__(self, coalitions: Array) -> Array:
        """Values ``(n,)`` or ``(n, output)`` of bool coalitions ``(n, player)``."""
        rows = np.ascontiguousarray(coalitions, dtype=bool)
        keys = keys_of(rows)
        if not self._place and len(set(keys)) == len(keys):  # the first question, such as all coalitions at once
            self._evaluate(rows, keys)
            return np.empty(0) if self._values is None else self._values.copy()
        new = {key: i for i, key in enumerate(keys) if key not in self._place}
        if new:
            self._evaluate(rows[list(new.values())], list(new))
        places = np.array([self._place[key] for key in keys], dtype=int)
        return np.empty(0) if self._values is None else self._values[places]

    def per_trial(self, coalitions: Array) -> Array:
        """Values as those of one trial: ``(n, 1)`` or ``(n, 1, output)``."""
        return self(coalitions)[:, None]

    def cost(self, coalitions: Array) -> float:
        """Planned cost: one per coalition."""
        return float(len(coalitions))

    def _evaluate(self, rows: Array, keys: list[bytes]) -> None:
        started = clock.perf_counter()
        try:
            raw = self.fn(rows)
        except ArtiphysError:
            raise
        except Exception as error:
            raise InputError(
                f"the game failed on coalitions {rows.shape} of booleans ({type(error).__name__}: {error})"
            ) from error
        values = plain_array(raw)
        if values.dtype.kind not in "biuf":
            raise InputError(f"the game gave values of type {values.dtype}; wanted real numbers")
        values = values.astype(float)
        self.seconds += clock.perf_counter() - started
        if values.ndim not in (1, 2) or len(values) != len(rows) or (values.ndim == 2 and values.shape[1] < 1):
            raise InputError(f"the game gave shape {values.shape} for {len(rows)} coalitions; wanted one value each")
        if not np.isfinite(values).all():
            raise InputError("the game gave NaN or infinite values")
        if self._values is not None and values.shape[1:] != self._values.shape[1:]:
            raise InputError(f"the game gave shape {values.shape}, and {self._values.shape} before")
        start = len(self._place)
        self._values = values if self._values is None else np.concatenate([self._values, values])
        self._place.update(zip(keys, range(start, start + len(keys))))
        self.n_evaluations += len(rows)


def _names(fn: Any, n_players: int) -> list[Any]:
    names = getattr(fn, "player_names", None)
    return list(names) if names is not None and len(names) == n_players else list(range(n_players))


def as_game(game: Any, n_players: int | None) -> GameLike:
    """A game as it is, or a function on coalitions as a game."""
    if hasattr(game, "per_trial") and hasattr(game, "n_evaluations") and hasattr(game, "player_names"):
        if n_players is not None and n_players != game.n_players:
            raise InputError(f"n_players came as {n_players}, but the game has {game.n_players}; leave it out")
        return game  # type: ignore[no-any-return]
    return FunctionGame.of(game, n_players)
