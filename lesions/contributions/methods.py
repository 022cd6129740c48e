"""One request for Shapley or Banzhaf values, and the estimators that can answer it."""

from __future__ import annotations

import math
import numbers
import time as clock
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np

from artiphys.blas_threads import few_threads
from artiphys.errors import BudgetError, InputError
from artiphys.lesions.contributions.labelled_result import attribution
from artiphys.lesions.contributions.result import Attribution
from artiphys.lesions.contributions.stopping import until
from artiphys.lesions.estimators.cross_fitting import centred, cross_fitted
from artiphys.lesions.estimators.enumeration import MAX_EXACT, enumerated
from artiphys.lesions.estimators.estimate import Estimate
from artiphys.lesions.estimators.pair_designs import Design, Index, Pairs, n_pairs
from artiphys.lesions.estimators.permutation_sampling import Orders, antithetic, paths
from artiphys.lesions.estimators.smoothers import least_squares, shrunken
from artiphys.lesions.games.protocol import Played, distinct
from artiphys.stats.permutations import check_confidence

Array = np.ndarray[Any, Any]
Method = Literal["auto", "exact", "permutation", "regression", "shrunken", "screening"]
METHODS = ("auto", "exact", "permutation", "regression", "shrunken", "screening")
LEAST_PAIRS = 96  # of coalitions, below which intervals covered too little on skewed games
LEAST_BANZHAF = 128  # likewise, of a shrunken regression for Banzhaf values
PAIRS_A_PLAYER = 6  # likewise, of an unshrunken regression
PAIRS_A_PARAMETER = 1.6  # of a regression of third order
LEAST_ORDERS = 64  # pairs of permutations
DEFAULT_PAIRS = (256, 16)  # at least; a player
FREE = 64  # with a tolerance and no budget, at most so many times the least


@dataclass(frozen=True)
class Request:
    """What was asked for, besides the game and the method."""

    index: Index
    budget: int | None
    tolerance: float | None
    confidence: float
    seed: int
    top_k: int | None
    order: int | None
    progress: bool
    pilot: Array | None = None  # coalitions already evaluated to choose the method

    def checked(self, n: int) -> Request:
        """This request, if it makes sense for ``n`` players."""
        check_confidence(self.confidence)
        whole = {"budget": self.budget, "seed": self.seed, "top_k": self.top_k, "order": self.order}
        for name, given in whole.items():
            if given is not None and (isinstance(given, bool) or not isinstance(given, (int, np.integer))):
                raise InputError(f"{name} came as {given!r}; wanted a whole number")
        if self.seed < 0:
            raise InputError(f"seed came as {self.seed}; wanted 0 or more")
        if self.budget is not None and self.budget < 2:
            raise BudgetError(f"budget came as {self.budget}; even intact and fully lesioned are 2 evaluations")
        if self.tolerance is not None and not (isinstance(self.tolerance, numbers.Real) and self.tolerance > 0):
            raise InputError(
                f"tolerance came as {self.tolerance!r}; wanted a positive number in units of the score"
            )  # fmt: skip
        if self.top_k is not None and not 1 <= self.top_k <= n:
            raise InputError(f"top_k came as {self.top_k!r}; wanted 1 to {n}, the number of players")
        if self.order not in (None, 1, 2, 3):
            raise InputError(f"order came as {self.order!r}; wanted 1, 2 or 3")
        return self

    def samples(self, least: int, cost: int, most: float, what: str, usual: int) -> int:
        """Samples of ``cost`` evaluations that the budget allows: `BudgetError` below ``least``."""
        if self.budget is None:
            free = usual if self.tolerance is None else FREE * least
            return int(min(max(free, least), most))
        allowed = min((self.budget - 2) // cost, most)
        if allowed < least:
            needed = 2 + cost * min(least, most)
            raise BudgetError(
                f"budget {self.budget} allows {int(max(allowed, 0))} {what}; honest intervals need {least}: "
                f"a budget of {needed:.0f}"
            )
        return int(allowed)


def exact(game: Played, request: Request, why: str, method: str = "exact") -> Attribution:
    """From all coalitions."""
    started = clock.perf_counter()
    found = enumerated(game.n_players, request.index)
    return _result(game, request, found, method, why, started)


def covered(n: int, request: Request) -> bool:
    """Whether all coalitions can be enumerated within the budget."""
    return n <= MAX_EXACT and (request.budget is None or request.budget >= 2**n)


def regression(game: Played, request: Request, why: str) -> Attribution:
    """Least squares on pairs of complements; order None is 3 where the budget allows it, else 1."""
    n = game.n_players
    if _all_fit(n, request):
        return exact(game, request, f"{why}; all {2**n} coalitions fit the budget", "regression")
    order = request.order or (3 if _fits(n, request, 3) else 1)
    least = least_pairs(n, order)
    most = _pairs_allowed(n, request, least, f"pairs of coalitions of {n} players for order {order}")
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

    found, note = until(sample, least, most, *_how(request))
    text = (
        f"Least squares of order {order} on pairs of complementary coalitions, drawn without replacement by size, "
        "was corrected by cross-fitted residuals."
    )
    return _result(game, replace(request, order=order), found, "regression", why + note, started, text)


def shrunken_regression(game: Played, request: Request, why: str) -> Attribution:
    """Third order shrunken towards first: works at any rank."""
    n = game.n_players
    if _all_fit(n, request):
        return exact(game, request, f"{why}; all {2**n} coalitions fit the budget", "shrunken")
    least = LEAST_PAIRS if request.index == "shapley" else LEAST_BANZHAF
    most = _pairs_allowed(n, request, least, f"pairs of coalitions of {n} players")
    pairs = Pairs(n, request.index, request.seed)
    started = clock.perf_counter()
    ratios: list[float] = []

    def sample(m: int) -> tuple[Estimate, Array]:
        design = pairs.design(m)
        values = game(design.coalitions)
        with few_threads(design.n_pairs):
            models, ratio = shrunken(design, centred(design, values))
            ratios.append(ratio)
            return _with_values(cross_fitted(design, values, *models), values)

    found, note = until(sample, least, most, *_how(request))
    note += f"; interactions of third order {f'at variance ratio {ratios[-1]:g}' if ratios[-1] else 'did not help'}"
    text = (
        "A ridge regression of third order on pairs of complementary coalitions, drawn without replacement by size, "
        "was corrected by cross-fitted residuals, which keeps it free of bias."
    )
    return _result(game, replace(request, order=3), found, "shrunken", why + note, started, text)


def permutation(game: Played, request: Request, why: str) -> Attribution:
    """Antithetic pairs of permutations."""
    n = game.n_players
    if request.index != "shapley":
        raise InputError("permutations give Shapley values; for Banzhaf values use 'regression' or 'shrunken'")
    if n == 1:
        return exact(game, request, "one player has one order", "permutation")
    cost = 2 * (n - 1)
    most = request.samples(LEAST_ORDERS, cost, math.inf, f"pairs of permutations of {n} players", LEAST_ORDERS)
    orders = Orders(n, request.seed)
    started = clock.perf_counter()

    def sample(m: int) -> tuple[Estimate, Array]:
        drawn = orders.first(m)
        values = game(paths(drawn))
        with few_threads():
            return _with_values(antithetic(drawn, values), values)

    found, note = until(sample, LEAST_ORDERS, most, *_how(request))
    text = "Each permutation was used with its reverse, and marginal contributions were adjusted for position."
    return _result(game, request, found, "permutation", why + note, started, text)


def least_pairs(n: int, order: int) -> int:
    """Fewest pairs from which a regression's intervals hold."""
    parameters = n + n // 2 + math.comb(n, 3)
    third = math.ceil(PAIRS_A_PARAMETER * parameters) if order == 3 else 0
    return max(LEAST_PAIRS, PAIRS_A_PLAYER * n, third)


def _fits(n: int, request: Request, order: int) -> bool:
    usual = max(DEFAULT_PAIRS[0], DEFAULT_PAIRS[1] * n)
    pairs = usual if request.budget is None else (request.budget - 2) // 2
    return min(pairs, n_pairs(n)) >= least_pairs(n, order)


def _all_fit(n: int, request: Request) -> bool:
    """Whether sampling would end at all coalitions anyway."""
    if n > MAX_EXACT:
        return False
    usual = max(DEFAULT_PAIRS[0], DEFAULT_PAIRS[1] * n)
    asked = request.budget if request.budget is not None else 2 + 2 * usual
    return bool(asked >= 2**n)


def _pairs_allowed(n: int, request: Request, least: int, what: str) -> int:
    usual = max(DEFAULT_PAIRS[0], DEFAULT_PAIRS[1] * n)
    return request.samples(least, 2, n_pairs(n), what, usual)


def _how(request: Request) -> tuple[float | None, float, int | None, bool]:
    return request.tolerance, request.confidence, request.top_k, request.progress


def _with_values(found: Estimate, values: Array) -> tuple[Estimate, Array]:
    return found, np.asarray(found.weights @ values.reshape(len(values), -1))


def _result(
    game: Played, request: Request, found: Estimate, method: str, why: str, started: float, text: str = ""
) -> Attribution:
    sampled = found.stderr is not None
    evaluated = [found.coalitions] if request.pilot is None else [found.coalitions, request.pilot]
    made = attribution(
        game,
        found,
        method=method,
        why=why,
        method_text=text if sampled else "",
        seed=request.seed if sampled else None,
        order=request.order if sampled else None,
        confidence=request.confidence,
        n_evaluations=distinct(np.concatenate(evaluated)),
    )
    return replace(made, seconds=clock.perf_counter() - started)
