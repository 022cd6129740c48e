"""Stability: how much of a circuit comes out again when the trials of the search are drawn again."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float

from artiphys.array_types import Array
from artiphys.lesions.circuits.question import ROUNDING, Question

N_RESAMPLES = 200
STABLE = 0.8  # mean overlap from which one may speak of the circuit


@dataclass(frozen=True)
class Stability:
    """Overlap (Jaccard index) of a circuit with those that redrawn trials give.

    Attributes
    ----------
    jaccard : ndarray ``(resample,)``
        0 where a redrawn set of trials gave no circuit at all.
    n_sets : int
        Sets of players that were compared: those that the search had met.
    """

    jaccard: Float[Array, " resample"]
    n_sets: int

    @property
    def mean(self) -> float:
        """Mean overlap, 0 to 1."""
        return float(self.jaccard.mean())


def stability(question: Question, circuit: Bool[Array, " player"], seed: int) -> Stability | None:
    """Redraw the trials with replacement, and choose again among the sets that the search has met.

    No coalition is evaluated. None where the game gives no score per trial.
    """
    game = question.game
    if game.score.reduce is not None or len(game.stimuli) < 2:
        return None
    sets, _ = question.answers()
    ends = np.stack([np.ones(question.n_players, bool), np.zeros(question.n_players, bool)])
    intact, lesioned = game.per_trial(ends)
    scores = game.per_trial(question.coalitions(sets))
    n = len(intact)
    rng = np.random.default_rng([seed, 7])
    counts = rng.multinomial(n, np.full(n, 1 / n), size=N_RESAMPLES) / n  # (resample, trial)
    with np.errstate(divide="ignore", invalid="ignore"):
        if question.criterion == "mean":
            gap, base = counts @ (intact - lesioned), counts @ lesioned
            levels = (counts @ scores.T - base[:, None]) / gap[:, None]
        else:
            far = counts @ (lesioned - intact) ** 2
            levels = 1 - (counts @ ((scores - intact) ** 2).T) / far[:, None]
    excess = question.beyond(levels)
    sizes = sets.sum(axis=1)
    overlap = np.zeros(N_RESAMPLES)
    for i, row in enumerate(excess):
        good = np.flatnonzero(row <= ROUNDING)
        if len(good):
            smallest = good[sizes[good] == sizes[good].min()]
            again = sets[smallest[np.argmin(np.round(row[smallest], 9))]]
            overlap[i] = (again & circuit).sum() / (again | circuit).sum()
    return Stability(overlap, len(sets))
