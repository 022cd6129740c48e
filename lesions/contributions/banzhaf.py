"""Banzhaf values: the mean marginal contribution over all coalitions of the others, each equally likely."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from artiphys.array_types import Array
from artiphys.border import border
from artiphys.lesions.contributions.choice_of_method import answer
from artiphys.lesions.contributions.request import Method, Request
from artiphys.lesions.contributions.result import Attribution
from artiphys.lesions.games.function_game import as_game
from artiphys.lesions.games.game import Game


@border
def banzhaf(
    game: Game | Callable[[Array], Any],
    *,
    n_players: int | None = None,
    budget: int | None = None,
    tolerance: float | None = None,
    confidence: float = 0.95,
    method: Method = "auto",
    seed: int = 0,
    top_k: int | None = None,
    order: int | None = None,
    progress: bool = True,
) -> Attribution:
    """Banzhaf value of every player: its mean marginal contribution where each other player is intact at random.

    Parameters
    ----------
    game, n_players, budget, tolerance, confidence, seed, top_k, order
        As in `shapley`.
    method : str
        "exact", "regression", "shrunken" or "auto", as in `shapley`. All sample pairs of complementary
        coalitions.

    Returns
    -------
    Attribution
        Values do not add up to intact minus lesioned: see its ``gap``.

    Raises
    ------
    BudgetError
        If the budget is too small for intervals that hold; the error says what would do.

    References
    ----------
    Banzhaf 1965, Weighted voting doesn't work. Wang & Jia 2023, Data Banzhaf.

    Examples
    --------
    >>> import artiphys as ap
    >>> ap.banzhaf(lambda c: (c.sum(axis=1) >= 2) * 1.0, n_players=3).values.values.tolist()
    [0.5, 0.5, 0.5]
    """
    on = as_game(game, n_players)
    request = Request("banzhaf", budget, tolerance, confidence, seed, top_k, order, progress)
    return answer(on, method, request.checked(on.n_players))
