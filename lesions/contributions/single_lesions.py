"""Single lesions: the contribution of each player when it alone is lost."""

from __future__ import annotations

import time as clock
from dataclasses import replace
from typing import Any

import numpy as np

from artiphys.border import border
from artiphys.lesions.contributions.result import Attribution
from artiphys.lesions.contributions.result_from_estimate import joined, result_from_estimate
from artiphys.lesions.estimators.estimate import Estimate
from artiphys.lesions.games.function_game import as_game

N_AT_ONCE = 1024  # players


@border
def single_lesions(game: Any, *, n_players: int | None = None) -> Attribution:
    """What each player's lesion alone costs: intact minus lesioned, trial by trial.

    Parameters
    ----------
    game : Game or callable
        A callable on coalitions needs ``n_players``.

    Returns
    -------
    Attribution
        Exact for these stimuli; positive where the player helps.

    Examples
    --------
    >>> import artiphys as ap
    >>> toy = ap.toys.load("xor_redundant")
    >>> prep = ap.wrap(toy)
    >>> game = ap.Game(prep, toy.stimuli, toy.score, prep.players("hidden"), kind="zero")
    >>> ap.single_lesions(game).values.values.tolist()
    [0.0, 0.0, 0.25]
    """
    on = as_game(game, n_players)
    n, started = on.n_players, clock.perf_counter()
    parts = []
    for start in range(0, n, N_AT_ONCE):  # a table of all players by all coalitions would grow with their square
        players = np.arange(start, min(start + N_AT_ONCE, n))
        each = np.arange(len(players))
        coalitions = np.ones((2 + len(players), n), dtype=bool)
        coalitions[1], coalitions[2 + each, players] = False, False
        weights = np.zeros((len(players), 2 + len(players)))
        weights[:, 0], weights[each, 2 + each] = 1.0, -1.0
        estimate, names = Estimate(coalitions, weights), [on.player_names[p] for p in players]
        options: dict[str, Any] = {"method": "single lesions", "n_evaluations": n + 1, "players": names}
        parts.append(result_from_estimate(on, estimate, on(coalitions), **options))
    return replace(joined(parts), seconds=clock.perf_counter() - started)
