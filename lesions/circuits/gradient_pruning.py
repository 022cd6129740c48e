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

SHARES = ((0.75, 4), (0.9, 2), (0.97, 2))  # of the players kept by each step, and misses in a row that end such steps
WINDOW = 1.3  # times as many players with small gradients as are taken, to choose them from
MAX_EXCHANGES = 10_000


@dataclass(frozen=True)
class Pruning:
    """Steps from all players to few.

    Attributes
    ----------
    sets : bool ``(step, player)``
        What each step left.
    first : float ``(player,)``
        Gradients where all are intact: guesses of single lesions.
    drop : float ``(player,)``
        Gradients where each player was still there for the last time: guesses of the score that it adds.
    harm : float ``(player,)``
        Likewise, of how much farther the scores are from the intact ones without it: mean of squares over trials.
    """

    sets: Bool[Array, "step player"]
    first: Float[Array, " player"]
    drop: Float[Array, " player"]
    harm: Float[Array, " player"]


def prune_by_gradients(question: Question) -> Pruning:
    """Ask about ever smaller sets until some in a row miss the border; then in finer steps from the smallest that held.

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
    if question.left < 1:
        raise OutOfBudgetError
    smallest, passes = np.ones(n, dtype=bool), "gradients (backward passes)"
    intact = game.per_trial(smallest[None])[0]
    sets: list[Array] = []
    first, drop, harm = np.zeros((3, n))
    known: dict[bytes, Array] = {}  # gradients where finer steps start again
    for share, most_missed in SHARES:
        kept, misses = smallest, 0
        while kept.sum() > 1 and misses < most_missed and question.left >= 1:
            key = kept.tobytes()
            if key not in known:
                known = {smallest.tobytes(): known[smallest.tobytes()]} if smallest.tobytes() in known else {}
                found = attribution(game, method="gradient", within=kept).per_trial
                assert found is not None
                known[key] = found.to_numpy()[kept]
                question.n_evaluations[passes] = question.n_evaluations.get(passes, 0) + 1
            effects = known[key]
            gone = game.per_trial(kept[None])[0] - intact
            drop[kept] = effects.mean(axis=1)
            harm[kept] = ((gone - effects) ** 2 - gone**2).mean(axis=1)
            first = first if sets else drop.copy()
            live = np.flatnonzero(kept)
            n_spared = len(live) - max(1, int(share * len(live)))
            kept = kept.copy()
            kept[live[spared(effects, gone, n_spared)]] = False
            sets.append(kept)
            if question.holds(kept[None])[0]:
                smallest, misses = (kept, 0) if kept.sum() < smallest.sum() else (smallest, 0)
            else:
                misses += 1
    return Pruning(np.array(sets, dtype=bool).reshape(-1, n), first, drop, harm)


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
