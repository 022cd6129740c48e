"""Methods: exact values, regression, shrunken regression and permutation sampling for one request."""

from __future__ import annotations

import math
import time as clock
from dataclasses import replace

import numpy as np

from artiphys.array_types import Array
from artiphys.blas_threads import few_threads
from artiphys.errors import BudgetError, InputError
from artiphys.lesions.contributions.request import (
    MIN_BANZHAF_PAIRS,
    MIN_ORDERS,
    MIN_PAIRS,
    Request,
    fits,
    least_pairs,
    pairs_allowed,
    sampling_would_enumerate,
)
from artiphys.lesions.contributions.result import Attribution
from artiphys.lesions.contributions.result_from_estimate import result_from_estimate
from artiphys.lesions.contributions.stopping import until
from artiphys.lesions.estimators.cross_fitting import cross_fitted, shrunken_estimate
from artiphys.lesions.estimators.enumeration import enumerated
from artiphys.lesions.estimators.estimate import Estimate
from artiphys.lesions.estimators.pair_designs import Design, Pairs
from artiphys.lesions.estimators.permutation_sampling import Orders, antithetic, paths
from artiphys.lesions.estimators.smoothers import least_squares
from artiphys.lesions.games.protocol import GameLike, distinct

MAX_TABLE_ENTRIES = 250_000_000  # pairs by interactions: 2 GB


def exact(game: GameLike, request: Request, why: str, method: str = "exact") -> Attribution:
    """From all coalitions."""
    started = clock.perf_counter()
    estimate = enumerated(game.n_players, request.index)
    return _result(game, request, estimate, method, why, started)


def regression(game: GameLike, request: Request, why: str) -> Attribution:
    """Least squares on pairs of complements; order None is 3 where the budget allows it, else 1."""
    n = game.n_players
    if sampling_would_enumerate(n, request):
        return exact(game, request, f"{why}; all {2**n} coalitions fit the budget", "regression")
    order = request.order or (3 if fits(n, request, 3) else 1)
    least = least_pairs(n, order)
    most = pairs_allowed(n, request, least, f"pairs of coalitions of {n} players for order {order}")
    if order == 3 and (entries := least * math.comb(n, 3)) > MAX_TABLE_ENTRIES:
        raise BudgetError(
            f"order 3 of {n} players needs a table of {entries * 8 / 1e9:.0f} GB; method='shrunken' does without"
        )
    pairs = Pairs(n, request.index, request.seed)
    started = clock.perf_counter()

    def size(design: Design) -> int:
        return n if order == 1 else design.n_pairs

    def sample(m: int) -> tuple[Estimate, Array]:
        design = pairs.design(m)
        values = game(design.coalitions)
        with few_threads(size(design)):
            model = least_squares(design, 3 if order == 3 else 1)
        if not model.estimable:
            raise BudgetError(
                f"the rank of the {design.n_pairs} pairs drawn is {model.rank:.0f}, too low for order {order} with {n} "
                f"players; a budget of {2 + 3 * design.n_pairs} would do"
            )
        with few_threads(size(design)):
            return _with_values(cross_fitted(design, values, model), values)

    estimate, note = until(sample, least, most, *_how(request))
    text = (
        f"Least squares of order {order} on pairs of complementary coalitions, drawn without replacement by size, "
        "was corrected by cross-fitted residuals."
    )
    return _result(game, replace(request, order=order), estimate, "regression", why + note, started, text)


def shrunken_regression(game: GameLike, request: Request, why: str) -> Attribution:
    """Third order shrunken towards first: works at any rank."""
    n = game.n_players
    if sampling_would_enumerate(n, request):
        return exact(game, request, f"{why}; all {2**n} coalitions fit the budget", "shrunken")
    least = MIN_PAIRS if request.index == "shapley" else MIN_BANZHAF_PAIRS
    most = pairs_allowed(n, request, least, f"pairs of coalitions of {n} players")
    pairs = Pairs(n, request.index, request.seed)
    started = clock.perf_counter()
    ratios: list[float] = []

    def sample(m: int) -> tuple[Estimate, Array]:
        design = pairs.design(m)
        values = game(design.coalitions)
        with few_threads(design.n_pairs):
            estimate, ratio = shrunken_estimate(design, values)
            ratios.append(ratio)
            return _with_values(estimate, values)

    estimate, note = until(sample, least, most, *_how(request))
    note += f"; interactions of third order {f'at variance ratio {ratios[-1]:g}' if ratios[-1] else 'did not help'}"
    text = (
        "A ridge regression of third order on pairs of complementary coalitions, drawn without replacement by size, "
        "was corrected by cross-fitted residuals, which keeps it free of bias."
    )
    return _result(game, replace(request, order=3), estimate, "shrunken", why + note, started, text)


def permutation(game: GameLike, request: Request, why: str) -> Attribution:
    """Antithetic pairs of permutations."""
    n = game.n_players
    if request.index != "shapley":
        raise InputError("permutations give Shapley values; for Banzhaf values use 'regression' or 'shrunken'")
    if n == 1:
        return exact(game, request, "one player has one order", "permutation")
    cost = 2 * (n - 1)
    most = request.samples(MIN_ORDERS, cost, math.inf, f"pairs of permutations of {n} players", MIN_ORDERS)
    orders = Orders(n, request.seed)
    started = clock.perf_counter()

    def sample(m: int) -> tuple[Estimate, Array]:
        drawn = orders.first(m)
        values = game(paths(drawn))
        with few_threads():
            return _with_values(antithetic(drawn, values), values)

    estimate, note = until(sample, MIN_ORDERS, most, *_how(request))
    text = "Each permutation was used with its reverse, and marginal contributions were adjusted for position."
    return _result(game, request, estimate, "permutation", why + note, started, text)


def _how(request: Request) -> tuple[float | None, float, int | None, bool]:
    return request.tolerance, request.confidence, request.top_k, request.progress


def _with_values(estimate: Estimate, values: Array) -> tuple[Estimate, Array]:
    return estimate, np.asarray(estimate.weights @ values.reshape(len(values), -1))


def _result(
    game: GameLike, request: Request, estimate: Estimate, method: str, why: str, started: float, text: str = ""
) -> Attribution:
    sampled = estimate.stderr is not None
    evaluated = [estimate.coalitions] if request.pilot is None else [estimate.coalitions, request.pilot]
    values = game(estimate.coalitions)
    result = result_from_estimate(
        game,
        estimate,
        values,
        method=method,
        why=why,
        method_text=text if sampled else "",
        seed=request.seed if sampled else None,
        order=request.order if sampled else None,
        confidence=request.confidence,
        n_evaluations=distinct(np.concatenate(evaluated)),
    )
    return replace(result, seconds=clock.perf_counter() - started)
