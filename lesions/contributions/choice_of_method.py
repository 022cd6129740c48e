"""Automatic choice of the estimator: by estimated variance and planned cost on a pilot.

What is drawn, and where sampling stops, never depends on the clock; only whether all coalitions of up to 16 players
are evaluated where neither a budget nor a tolerance was given.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from artiphys.array_types import Array
from artiphys.blas_threads import few_threads
from artiphys.errors import BudgetError, InputError
from artiphys.lesions.contributions.methods import exact, permutation, regression, shrunken_regression
from artiphys.lesions.contributions.request import (
    DEFAULT_PAIRS,
    METHODS,
    MIN_ORDERS,
    MIN_PAIRS,
    Request,
    budget_enumerates,
    enumerates,
)
from artiphys.lesions.contributions.result import Attribution
from artiphys.lesions.contributions.screening import screening
from artiphys.lesions.estimators.cross_fitting import shrunken_estimate
from artiphys.lesions.estimators.enumeration import MAX_EXACT, every_coalition
from artiphys.lesions.estimators.pair_designs import Pairs
from artiphys.lesions.estimators.permutation_sampling import Orders, antithetic, paths
from artiphys.lesions.games.protocol import GameLike, distinct

MAX_COST_RATIO = 0.8  # of a coalition of permutations to a drawn one, up to which permutations are tried
N_PILOT_ORDERS = 12
PILOT_CALLS = (8, 40)  # coalitions at which a pilot is cut into calls of a function
PATIENT_SECONDS = 10.0  # that all coalitions may take where nothing was asked for


def answer(game: GameLike, method: str, request: Request) -> Attribution:
    """The result of one method, or of the one that "auto" chooses."""
    if method not in METHODS:
        raise InputError(f"method came as {method!r}; wanted one of {', '.join(METHODS)}")
    if request.order is not None and method not in ("auto", "regression"):
        raise InputError(
            f"order came as {request.order}, but only 'regression' has an order; method came as {method!r}"
        )
    if request.tolerance is not None and method == "screening":
        raise InputError("screening spends its whole budget: a tolerance means nothing to it; use 'shrunken'")
    n = game.n_players
    if method == "exact" and not budget_enumerates(n, request):
        reason = f"the budget is {request.budget}" if n <= MAX_EXACT else f"at most {MAX_EXACT} players are enumerated"
        raise BudgetError(f"exact values of {n} players take {2**n if n <= 64 else f'2^{n}'} evaluations; {reason}")
    if method == "exact" or (method == "auto" and enumerates(n, request) and _soon_enumerated(game, request)):
        return exact(game, request, f"all {2**n} coalitions of {n} players fit the budget")
    why, asked, automatic = "asked for", request, method == "auto"
    if automatic:
        method, why, request = _chosen(game, request)
    run = {
        "permutation": permutation,
        "regression": regression,
        "shrunken": shrunken_regression,
        "screening": screening,
    }[method]
    result = run(game, request, why)
    if automatic and budget_enumerates(n, asked) and not _meets(result, asked):
        return exact(game, asked, f"sampling did not meet the tolerance, and all {2**n} coalitions fit the budget")
    return result


def _soon_enumerated(game: GameLike, request: Request) -> bool:
    """Whether all coalitions were asked for, are no more than a sample would be, or are evaluated within seconds."""
    n = game.n_players
    if request.budget is not None or 2**n <= 2 + 2 * DEFAULT_PAIRS[0]:
        return True
    pilot = Pairs(n, request.index, request.seed).design(MIN_PAIRS).coalitions  # a sample would begin with these
    plan = getattr(game, "plan", None)
    if plan is not None:
        game(pilot)
        return not plan(every_coalition(n)).seconds > PATIENT_SECONDS  # NaN where all is known already
    # A call has its own cost, and the first ones more: what a coalition costs is the difference of two later calls.
    marks = []
    for block in np.split(pilot, PILOT_CALLS):
        before = game.seconds, game.n_evaluations
        game(block)
        marks.append((game.seconds - before[0], game.n_evaluations - before[1]))
    (few_seconds, few), (many_seconds, many) = marks[1:]
    return many <= few or (many_seconds - few_seconds) / (many - few) * 2**n <= PATIENT_SECONDS


def _meets(result: Attribution, request: Request) -> bool:
    """Whether every interval over coalitions that was asked about is narrow enough."""
    if request.tolerance is None:
        return True
    if result.refused:
        return False
    low, high = result.interval(request.confidence, "coalitions")
    widths = np.sort(((high - low) / 2).to_numpy().reshape(len(low), -1).max(axis=1))
    return request.top_k is not None or bool(widths[-1] <= request.tolerance)


def _chosen(game: GameLike, request: Request) -> tuple[str, str, Request]:
    """The method of least estimated variance x planned cost, why, and the request with what is left of its budget."""
    n = game.n_players
    many = (
        f"{n} players are more than {MAX_EXACT}"
        if n > MAX_EXACT
        else f"2^{n} coalitions exceed the budget {request.budget}"
        if not budget_enumerates(n, request)
        else f"a tolerance may need fewer than 2^{n} coalitions"
        if request.tolerance is not None
        else f"2^{n} coalitions would take more than {PATIENT_SECONDS:g} s (method='exact' evaluates them)"
    )
    if request.order is not None:
        return "regression", f"{many}; an order was asked for", request
    design, orders = Pairs(n, request.index, request.seed).design(MIN_PAIRS), Orders(n, request.seed)
    drawn, walked = design.coalitions, paths(orders.first(N_PILOT_ORDERS))
    each = _cost(game, drawn) / len(drawn), _cost(game, walked) / len(walked)
    if request.index == "banzhaf" or each[1] >= MAX_COST_RATIO * each[0]:
        shared = "" if request.index == "banzhaf" else "; permutations would not be cheaper per coalition"
        return "shrunken", f"{many}{shared}", request
    if request.budget is not None and request.budget < len(drawn) + 2 * MIN_ORDERS * (n - 1):
        few = f"the budget is too small for a pilot and {MIN_ORDERS} pairs of permutations"
        return "shrunken", f"{many}; {few}", request
    values = game(drawn)
    along = game(walked)
    with few_threads(design.n_pairs):
        pilots = shrunken_estimate(design, values)[0], antithetic(orders.first(N_PILOT_ORDERS), along)
    variances = []
    for estimate, cost in zip(pilots, (each[0] * len(drawn), each[1] * len(walked))):
        variance = 0.0 if estimate.stderr is None else float(np.mean(estimate.stderr**2))
        variances.append(variance * cost)
    best = "shrunken" if variances[0] <= variances[1] else "permutation"
    ratio = variances[1] / variances[0] if variances[0] else np.inf
    # The chosen method goes on from its own pilot; the other's is paid for by the budget.
    pilot = np.concatenate([drawn, walked])
    used = distinct(pilot) - distinct(drawn if best == "shrunken" else walked)
    left = None if request.budget is None else request.budget - used
    why = f"{many}; in a pilot, permutations had {ratio:.2g} times the variance x cost of a shrunken regression"
    return best, why, replace(request, budget=left, pilot=pilot)


def _cost(game: GameLike, coalitions: Array) -> float:
    cost = getattr(game, "cost", None)
    return float(cost(coalitions)) if cost is not None else float(len(coalitions))
