"""Standard error over stimuli: values per trial, or a bootstrap where the score is over the whole set."""

from __future__ import annotations

from typing import Any

import numpy as np

from artiphys.array_types import Array
from artiphys.errors import ArtiphysError, StatisticsError
from artiphys.lesions.games.protocol import GameLike
from artiphys.scores.closed_loops import ClosedLoop
from artiphys.stats.intervals import standard_error

N_BOOTSTRAPS = 400


def over_stimuli(game: GameLike, coalitions: Array, weights: Any, shape: tuple[int, ...]) -> tuple[Array | None, Array]:
    """Values per trial ``(player, trial[, output])`` and their standard error over trials, like the values.

    None and NaN where the game gives no value per trial.
    """
    if not len(game.stimuli) and not isinstance(game.score, ClosedLoop):
        return None, np.full(shape, np.nan)
    table = game.per_trial(coalitions)
    if table.shape[1] < 2 and not len(game.stimuli):
        return None, np.full(shape, np.nan)  # a behaviour run once
    if game.score.reduce is not None:
        return None, _bootstrapped(game, table, weights)
    per_trial = np.asarray(weights @ table.reshape(len(table), -1)).reshape(shape[0], *table.shape[1:])
    return per_trial, standard_error(per_trial, axis=1)


def _bootstrapped(game: GameLike, table: Array, weights: Any) -> Array:
    """Standard error over trials of a score over the whole set: trials are drawn again with replacement."""
    n_trials = len(game.stimuli)
    if n_trials < 2:
        return np.full(weights.shape[0], np.nan)
    rng = np.random.default_rng(0)
    drawn = []
    for _ in range(10 * N_BOOTSTRAPS):
        rows = rng.integers(n_trials, size=n_trials)
        try:
            drawn.append(np.asarray(weights @ game.score.summary(table[:, rows], game.stimuli[rows])))
        except ArtiphysError:
            continue  # a draw in which the score is not defined, such as one without one of two classes
        if len(drawn) == N_BOOTSTRAPS:
            break
    if len(drawn) < N_BOOTSTRAPS:
        raise StatisticsError(f"score {game.score.name!r} is undefined on most redrawn sets of {n_trials} trials")
    return np.asarray(np.std(drawn, axis=0, ddof=1))


def trials(game: GameLike, n: int) -> Any:
    """Labels of ``n`` trials."""
    return getattr(game.stimuli, "ids", range(n))
