"""Shapley values: exact, by regression on pairs of coalitions, or by antithetic permutations."""

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
def shapley(
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
    """Shapley value of every player: its mean marginal contribution over all orders of lesioning.

    Parameters
    ----------
    game : Game or callable
        A callable takes a bool matrix ``(n, player)``, True = intact, and gives ``(n,)`` values or
        ``(n, output)`` of them; it needs ``n_players``.
    budget : int, optional
        Most coalitions to evaluate. Default: all where exact, else 512 or 32 per player; for
        "permutation" 64 pairs of orders (128 per player), for "screening" twice what it needs at least.
        Without a budget and a tolerance, "auto" evaluates all of more than 9 players only where a first sample
        says that this takes at most 10 s; ``2**n_players`` asks for all however long that takes.
    tolerance : float, optional
        Stop sampling once every interval's half-width over coalitions is below this, in units of the
        score; for every output. Players whose coalitions could all be enumerated are then sampled too, but for few.
    confidence : float
        Of those intervals.
    method : str
        "exact" enumerates all coalitions (to 16 players). "regression" fits pairs of complementary
        coalitions by least squares. "shrunken" fits third order shrunken towards first: it needs the
        fewest evaluations, at any rank, and some more arithmetic. "permutation" samples permutations with
        their reverse. "screening" spends up to half of the budget on all players, by "shrunken", and the
        rest on the ``top_k`` largest. "auto" chooses by estimated variance and planned cost; the result
        says which and why.
    seed : int
    top_k : int, optional
        The tolerance is for the ``top_k`` players of largest absolute value only.
    order : 1, 2 or 3, optional
        Of "regression". Over pairs only odd orders enter, so that 2 is the same as 1; None is 3 where the
        budget allows 1.6 pairs per parameter, else 1.

    Returns
    -------
    Attribution
        Values add up to intact minus fully lesioned, but for those of "screening", whose players are estimated
        from two samples: see its ``gap``.

    Raises
    ------
    BudgetError
        If the budget is too small for intervals that hold; the error says what would do.

    Notes
    -----
    Every estimate is linear in the values of the coalitions. A regression is corrected by the residuals of
    each pair under the model without it, so that no order biases it; errors come from the same residuals.

    References
    ----------
    Shapley 1953, A value for n-person games. Mitchell, Cooper, Frank & Holmes 2022, Sampling
    permutations for Shapley value estimation (antithetic pairs). Covert & Lee 2021, Improving KernelSHAP.
    Fumagalli, Witter & Musco 2025, PolySHAP. Witter, Liu & Musco 2025, Regression-adjusted Monte Carlo.

    Examples
    --------
    >>> import artiphys as ap
    >>> ap.shapley(lambda c: c.sum(axis=1) ** 2.0, n_players=2).values.values.tolist()
    [2.0, 2.0]
    """
    on = as_game(game, n_players)
    request = Request("shapley", budget, tolerance, confidence, seed, top_k, order, progress)
    return answer(on, method, request.checked(on.n_players))
