"""Pruning by gradients: in games of very many players, what can be spared together without moving any trial.

Thousands of small effects do not cancel by themselves: cutting all connections with the smallest gradients shifts every
trial. So of the players with small gradients those are taken whose effects add up, on each trial, to the distance that
the pruned network has gone from the intact one; and gradients are taken anew after each step, in what is left.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Integer

from artiphys.array_types import Array
from artiphys.errors import InputError
from artiphys.lesions.circuits.question import OutOfBudgetError, Question
from artiphys.lesions.contributions.gradients import attribution
from artiphys.lesions.games.game import Game

SHARE_KEPT = 0.75  # of the players, by each step
WINDOW = 1.3  # times as many players with small gradients as are taken, to choose them from
N_MISSES = 4  # steps in a row that miss the border, after which pruning ends
MAX_EXCHANGES = 10_000


@dataclass(frozen=True)
class Pruning:
    """Steps from all players to few.

    Attributes
    ----------
    survived : int ``(player,)``
        Steps that each player was left by.
    first : float ``(player,)``
        Gradients where all are intact: guesses of single lesions.
    last : float ``(player,)``
        Gradients where each player was still there for the last time: guesses of what it does in the smallest set.
    """

    survived: Integer[Array, " player"]
    first: Float[Array, " player"]
    last: Float[Array, " player"]

    def sets(self) -> Bool[Array, "step player"]:
        """What each step left, the smallest first."""
        return np.stack([self.survived >= i for i in range(int(self.survived.max()), 0, -1)])


def prune_by_gradients(question: Question) -> Pruning:
    """Ask about ever smaller sets, until some in a row miss the border.

    Raises
    ------
    InputError
        If the game has no gradient.
    OutOfBudgetError
        If not even one step fits the budget.
    """
    game, n = question.game, question.n_players
    if not isinstance(game, Game):
        raise InputError("method='gradient' needs an ap.Game; a function on coalitions has no gradient")
    kept, survived, misses = np.ones(n, dtype=bool), np.zeros(n, dtype=int), 0
    if question.left < 1:
        raise OutOfBudgetError
    intact = game.per_trial(kept[None])[0]
    first, last = np.zeros(n), np.zeros(n)
    passes = "gradients (backward passes)"
    while kept.sum() > 1 and misses < N_MISSES and question.left >= 1:
        found = attribution(game, method="gradient", within=kept)
        question.n_evaluations[passes] = question.n_evaluations.get(passes, 0) + 1
        assert found.per_trial is not None
        effects = found.per_trial.to_numpy()
        last[kept] = effects[kept].mean(axis=1)
        if not survived.any():
            first = last.copy()
        gone = game.per_trial(kept[None])[0] - intact
        live = np.flatnonzero(kept)
        n_spared = len(live) - max(1, int(SHARE_KEPT * len(live)))
        kept = kept.copy()
        kept[live[spared(effects[live], gone, n_spared)]] = False
        survived[kept] += 1
        misses = 0 if question.holds(kept[None])[0] else misses + 1
    return Pruning(survived, first, last)


def spared(
    effects: Float[Array, "player trial"], gone: Float[Array, " trial"], n_spared: int
) -> Integer[Array, " spared"]:
    """So many players of small effect, that together undo how far the scores have gone.

    >>> effects = np.array([[1.0], [-1.0], [3.0], [1.5], [9.0]])
    >>> spared(effects, np.array([0.0]), 2).tolist(), spared(effects, np.array([2.5]), 2).tolist()
    ([0, 1], [0, 3])
    """
    order = np.argsort(np.abs(effects).mean(axis=1), kind="stable")
    window = order[: max(n_spared + 1, int(np.ceil(WINDOW * n_spared)))]
    among, out = effects[window], np.arange(len(window)) < n_spared
    rest = gone - among[out].sum(axis=0)
    for _ in range(MAX_EXCHANGES):  # one that was taken for one that was not, while that brings the sum nearer
        taken, others = np.flatnonzero(out), np.flatnonzero(~out)
        if not len(taken) or not len(others):
            break
        back = taken[np.argmin(((rest + among[taken]) ** 2).sum(axis=1))]
        other = others[np.argmin(((rest + among[back] - among[others]) ** 2).sum(axis=1))]
        nearer = rest + among[back] - among[other]
        if (nearer**2).sum() >= (rest**2).sum() * (1 - 1e-9):
            break
        out[[back, other]], rest = [False, True], nearer
    return np.asarray(window[out])
