"""Request for Shapley or Banzhaf values: what was asked for, checked, and the samples it allows."""

from __future__ import annotations

import math
import numbers
from dataclasses import dataclass
from typing import Literal

import numpy as np

from artiphys.array_types import Array
from artiphys.errors import BudgetError, InputError
from artiphys.lesions.estimators.enumeration import MAX_EXACT
from artiphys.lesions.estimators.kernel import Index, n_pairs
from artiphys.stats.intervals import check_confidence

Method = Literal["auto", "exact", "permutation", "regression", "shrunken", "screening"]


METHODS = ("auto", "exact", "permutation", "regression", "shrunken", "screening")


MIN_PAIRS = 96  # of coalitions, below which intervals covered too little on skewed games


SPARING = 4  # times the fewest coalitions to sample, up to which all are evaluated rather


MIN_BANZHAF_PAIRS = 128  # likewise, of a shrunken regression for Banzhaf values


MIN_PAIRS_PER_PLAYER = 6  # likewise, of an unshrunken regression


MIN_PAIRS_PER_PARAMETER = 1.6  # of a regression of third order


MIN_ORDERS = 64  # pairs of permutations


DEFAULT_PAIRS = (256, 16)  # at least; a player


MAX_GROWTH = 64  # with a tolerance and no budget, at most so many times the least


@dataclass(frozen=True)
class Request:
    """Index, budget, tolerance, seed and order of the Shapley or Banzhaf values asked for."""

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
            free = usual if self.tolerance is None else MAX_GROWTH * least
            return int(min(max(free, least), most))
        allowed = min((self.budget - 2) // cost, most)
        if allowed < least:
            needed = 2 + cost * min(least, most)
            raise BudgetError(
                f"budget {self.budget} allows {int(max(allowed, 0))} {what}; honest intervals need {least}: "
                f"a budget of {needed:.0f}"
            )
        return int(allowed)


def budget_enumerates(n: int, request: Request) -> bool:
    """Whether all coalitions can be enumerated within the budget."""
    return n <= MAX_EXACT and (request.budget is None or request.budget >= 2**n)


def enumerates(n: int, request: Request) -> bool:
    """Whether "auto" enumerates: where it may, unless a tolerance could be met with fewer coalitions."""
    fewest = 2 + 2 * (MIN_PAIRS if request.index == "shapley" else MIN_BANZHAF_PAIRS)
    return budget_enumerates(n, request) and (request.tolerance is None or 2**n <= SPARING * fewest)


def sampling_would_enumerate(n: int, request: Request) -> bool:
    """Whether sampling would end at all coalitions anyway."""
    if n > MAX_EXACT:
        return False
    usual = max(DEFAULT_PAIRS[0], DEFAULT_PAIRS[1] * n)
    asked = request.budget if request.budget is not None else 2 + 2 * usual
    return bool(asked >= 2**n)


def least_pairs(n: int, order: int) -> int:
    """Fewest pairs from which a regression's intervals hold."""
    parameters = n + n // 2 + math.comb(n, 3)
    third = math.ceil(MIN_PAIRS_PER_PARAMETER * parameters) if order == 3 else 0
    return max(MIN_PAIRS, MIN_PAIRS_PER_PLAYER * n, third)


def fits(n: int, request: Request, order: int) -> bool:
    """Whether the budget allows the pairs that a regression of this order needs."""
    usual = max(DEFAULT_PAIRS[0], DEFAULT_PAIRS[1] * n)
    pairs = usual if request.budget is None else (request.budget - 2) // 2
    return min(pairs, n_pairs(n)) >= least_pairs(n, order)


def pairs_allowed(n: int, request: Request, least: int, what: str) -> int:
    """Pairs of coalitions that the budget allows."""
    usual = max(DEFAULT_PAIRS[0], DEFAULT_PAIRS[1] * n)
    return request.samples(least, 2, n_pairs(n), what, usual)
