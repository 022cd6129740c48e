"""Standard error over stimuli: values per trial, or a bootstrap where the score is over the whole set."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from artiphys.array_types import Array
from artiphys.errors import ArtiphysError, StatisticsError
from artiphys.lesions.games.protocol import GameLike
from artiphys.scores.closed_loops import ClosedLoop
from artiphys.stats.intervals import standard_error

N_BOOTSTRAPS = 400
MAX_LEVELS = 4  # right and wrong, and what ties share
MIN_SEEN = 2  # trials on which each of a few levels must be seen, as continuous scores of a few trials may be few


@dataclass(frozen=True)
class OverStimuli:
    """What trials say of values ``(player[, output])``.

    ``per_trial`` ``(player, trial[, output])`` is None and ``stderr`` NaN where the game gives no value per trial.
    ``level_range`` is the distance from the lowest to the highest score where scores take few levels, else NaN: one
    number, or one an output.
    """

    per_trial: Array | None
    stderr: Array
    level_range: Any = np.nan


def over_stimuli(game: GameLike, coalitions: Array, weights: Any, shape: tuple[int, ...]) -> OverStimuli:
    """Values per trial, their standard error over trials, and whether scores take few levels."""
    if not len(game.stimuli) and not isinstance(game.score, ClosedLoop):
        return OverStimuli(None, np.full(shape, np.nan))
    table = game.per_trial(coalitions)
    if table.shape[1] < 2 and not len(game.stimuli):
        return OverStimuli(None, np.full(shape, np.nan))  # a behaviour run once
    if game.score.reduce is not None:
        return OverStimuli(None, _bootstrapped(game, table, weights))
    per_trial = np.asarray(weights @ table.reshape(len(table), -1)).reshape(shape[0], *table.shape[1:])
    return OverStimuli(per_trial, standard_error(per_trial, axis=1), level_range(table))


def level_range(table: Array) -> Any:
    """Distance from the lowest to the highest score of a table ``(coalition, trial[, output])`` of few levels.

    NaN where scores take more than four values, or but one, or another than 0 and 1 on a single trial only.
    """
    if table.ndim > 2:
        return np.array([level_range(table[..., j]) for j in range(table.shape[-1])])
    left = table.ravel()
    levels: list[float] = []
    while len(left) and len(levels) <= MAX_LEVELS:
        levels.append(float(left[0]))
        left = left[left != left[0]]
    if len(left) or not 2 <= len(levels) <= MAX_LEVELS:
        return np.nan
    plain = set(levels) == {0.0, 1.0}
    if not plain and any((table == one).any(axis=0).sum() < MIN_SEEN for one in levels):
        return np.nan
    return max(levels) - min(levels)


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
