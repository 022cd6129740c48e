"""Single lesions: the contribution of each player when it alone is lost."""

from __future__ import annotations

import time as clock
from dataclasses import replace
from typing import Any

import numpy as np

from artiphys.lesions.contributions.result import Attribution
from artiphys.lesions.contributions.result_from_estimate import result_from_estimate
from artiphys.lesions.estimators.estimate import Estimate
from artiphys.lesions.games.function_game import as_game


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
    coalitions = np.vstack([np.ones((1, n), bool), np.zeros((1, n), bool), ~np.eye(n, dtype=bool)])
    weights = np.hstack([np.ones((n, 1)), np.zeros((n, 1)), -np.eye(n)])
    values = on(coalitions)
    estimate = Estimate(coalitions, weights)
    result = result_from_estimate(on, estimate, values, method="single lesions", n_evaluations=n + 1)
    return replace(result, seconds=clock.perf_counter() - started)
