"""Search: all coalitions where they fit, else the relevant players, else beams or gradients; and what is proven."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from jaxtyping import Bool

from artiphys.array_types import Array
from artiphys.errors import BudgetError, InputError
from artiphys.lesions.circuits import beams
from artiphys.lesions.circuits.gradient_pruning import Pruning, prune_by_gradients
from artiphys.lesions.circuits.question import OutOfBudgetError, Question
from artiphys.lesions.circuits.relevant_players import Pool, relevant_players
from artiphys.lesions.circuits.subset_lattice import every_subset, minimal

Method = Literal["auto", "exact", "pool", "beam", "gradient"]
METHODS = ("auto", "exact", "pool", "beam", "gradient")

MAX_EXACT = 16  # players of which all sets are enumerated
MANY = 1024  # players, from which "auto" prunes by gradients rather than by beams
MAX_DELETED = 64  # members of a pruned set, up to which each is left out in turn
N_RANKED = 24  # players that beams search among at first
FINE = 1e-5  # of the gap: values agree to this over batches of any size
COARSE = 0.8  # of what may be missing of the gap, where more than a few players change a little


@dataclass(frozen=True)
class Found:
    """What a search found.

    Attributes
    ----------
    sets : bool ``(set, player)``
        Smallest first; all that are minimal where ``complete``, else the smallest that were met.
    complete : bool
        Whether these are all minimal sets (of the pool).
    certificate : str
        Which minimality of the first is proven: "exact", "exact within the pool", "none smaller within the pool",
        "1-minimal" or "none".
    reason : str
        The certificate in words.
    pool : tuple of int
        Players searched among; the others were left as they are outside the set.
    method : str
    pruning : Pruning, optional
        The steps of pruning by gradients.
    """

    sets: Bool[Array, "set player"]
    complete: bool
    certificate: str
    reason: str
    pool: tuple[int, ...]
    method: str
    pruning: Pruning | None = None


def search(
    question: Question, method: Method, rank: Callable[[], Sequence[int]], seed: int, n_ranked: int = N_RANKED
) -> Found:
    """Sets that hold, by the method asked for or the first that suits.

    ``rank`` gives the players by how much they seem to matter, for beams.

    Raises
    ------
    BudgetError
        If no set was found that holds, or the method does not fit the budget; the error has the best set as ``best``.
    """
    n = question.n_players
    if method == "exact" or (method == "auto" and n <= MAX_EXACT and 2**n <= question.budget):
        if n > MAX_EXACT or 2**n > question.budget:
            limit = f"at most {MAX_EXACT} are enumerated" if n > MAX_EXACT else f"the budget is {question.budget}"
            raise BudgetError(f"all sets of {n} players are {2**n if n < 64 else f'2^{n}'} evaluations; {limit}")
        return _enumerated(question, tuple(range(n)), None)
    try:
        if method in ("auto", "pool"):
            pool = _pool(question, seed)
            fits = pool.complete and len(pool.players) <= MAX_EXACT and 2 ** len(pool.players) <= question.left
            if fits:
                found = _enumerated(question, pool.players, pool)
                if len(found.sets):
                    return found
            if method == "pool":
                raise BudgetError(_why_no_pool(pool, question, fits))
    except OutOfBudgetError:
        if method == "pool":
            raise BudgetError(f"a budget of {question.budget} did not suffice to find the relevant players") from None
    sufficient = question.kind == "sufficient"
    if method == "gradient":
        if not sufficient:
            raise InputError("method='gradient' prunes to what suffices; critical sets need 'exact', 'pool' or 'beam'")
        return _by_gradients(question)
    if method == "auto" and n >= MANY and sufficient:
        try:
            return _by_gradients(question)
        except InputError:
            pass  # the score or the network has no gradient
    return _by_beams(question, rank, n_ranked)


def _pool(question: Question, seed: int) -> Pool:
    with question.during("relevant players"):
        pool = relevant_players(question, FINE, MAX_EXACT, np.random.default_rng(seed))
        if pool.complete:
            return pool
        slack = 1 - question.border if question.kind == "sufficient" else min(question.border, 1 - question.border)
        return relevant_players(question, max(COARSE * slack, FINE), MAX_EXACT, np.random.default_rng(seed))


def _why_no_pool(pool: Pool, question: Question, fits: bool) -> str:
    if fits:
        return "no set of the relevant players holds: what is missing is spread over players that change little"
    if pool.complete:
        k = len(pool.players)
        return f"{k} players matter, and all their sets are {2**k} evaluations; the budget leaves {question.left}"
    return f"more than {MAX_EXACT} players matter; use method='beam'"


def _enumerated(question: Question, players: tuple[int, ...], pool: Pool | None) -> Found:
    with question.during("enumeration"):
        sets = every_subset(np.array(players, dtype=int), question.n_players)
        excess = question.excess(sets)
        smallest = np.flatnonzero(minimal(question.holds(sets)))
    order = smallest[np.lexsort((np.round(excess[smallest], 9), sets[smallest].sum(axis=1)))]
    if pool is None:
        return Found(sets[order], True, "exact", f"all {len(sets)} sets of players were tried", players, "exact")
    missed = 100 * 0.95**pool.n_silent
    reason = (
        f"all {len(sets)} sets of the {len(players)} players that matter were tried; {pool.n_silent} random "
        f"contexts in a row showed no other that changes more than {pool.tolerance:.2g} of the gap (one that does so "
        f"in 5 % of contexts would be missed with probability {missed:.2g} %)"
    )
    return Found(sets[order], True, "exact within the pool", reason, players, "pool")


def _by_beams(question: Question, rank: Callable[[], Sequence[int]], n_ranked: int) -> Found:
    n = question.n_players
    ranked = [int(p) for p in rank()]
    width, spent = min(n_ranked, n), False
    while True:
        pool = sorted(ranked[:width])
        try:
            with question.during("growing"):
                beams.grow(question, pool)
            with question.during("pruning"):
                beams.prune(question, pool)
            with question.during("swaps"):
                beams.swap(question, pool)
        except OutOfBudgetError:
            spent = True
        if len(question.found()) or width == n or spent:
            break
        width = min(2 * width, n)
    if not len(question.found()):
        more = f"Raise budget= (it was {question.budget})" if spent else "Try method='gradient' where the score has one"
        raise _none_found(question, f"among the {len(pool)} players searched. {more}, or ask")
    return _proven(question, tuple(pool))


def _by_gradients(question: Question) -> Found:
    try:
        with question.during("pruning"):
            pruning = prune_by_gradients(question)
    except OutOfBudgetError:
        raise BudgetError(f"a budget of {question.budget} does not suffice to prune by gradients") from None
    best = question.found()
    if not len(best):
        raise _none_found(question, f"of {len(pruning.sets)} that pruning by gradients left. Try method='beam', or ask")
    if best[0].sum() <= MAX_DELETED:
        proven = _proven(question, tuple(int(p) for p in np.flatnonzero(best[0])))
        if proven.certificate == "none smaller within the pool":  # the pool is what was left, no wider
            proven = replace(proven, certificate="1-minimal", reason="none of its parts suffices")
        return replace(proven, method="gradient", pruning=pruning)
    reason = (
        f"of the sets that {len(pruning.sets)} steps of pruning by gradients left it is the smallest that "
        "suffices; its parts were not tried"
    )
    every = tuple(range(question.n_players))
    return Found(best[:1], False, "none", reason, every, "gradient", pruning)


def _none_found(question: Question, among: str) -> BudgetError:
    """The error that tells the nearest set."""
    sets, excess = question.answers()
    best = tuple(int(p) for p in np.flatnonzero(sets[excess.argmin()])) if len(sets) else ()
    near = (
        f"the nearest has {len(best)} players and misses the border by {excess.min():.3g} of the gap (by number: the "
        "error's .best)"
        if len(sets)
        else "none could be tried"
    )
    error = BudgetError(
        f"no set of fewer than all players was found in {question.budget - question.left} evaluations {among} for less "
        f"faithfulness; {near}"
    )
    error.best = best
    return error


def _proven(question: Question, pool: tuple[int, ...]) -> Found:
    """The smallest sets that were met, and how much of their minimality the budget can still prove."""
    one_minimal, none_smaller = True, 0
    try:
        with question.during("deletions"):
            beams.delete(question)
    except OutOfBudgetError:
        one_minimal = False
    try:
        with question.during("smaller sets"):
            none_smaller = beams.count_up(question, pool, most=int(question.found()[0].sum()) - 1)
    except OutOfBudgetError:  # pragma: no cover - sizes are counted before they are evaluated
        pass
    best = question.found()
    size = int(best[0].sum())
    smallest = best[best.sum(axis=1) == size][: beams.WIDTH]  # those whose deletions were tried
    among = f"among the {len(pool)} players searched" if len(pool) > 1 else "of the one player searched"
    if none_smaller >= size:
        return Found(
            smallest, False, "none smaller within the pool", f"all smaller sets {among} were tried", pool, "beam"
        )
    tried = f"; all sets of fewer than {none_smaller} {among} were tried" if none_smaller > 1 else ""
    if one_minimal:
        return Found(smallest, False, "1-minimal", f"no single player can be spared{tried}", pool, "beam")
    reason = f"the budget did not suffice to try whether a player can be spared{tried}"
    return Found(smallest, False, "none", reason, pool, "beam")
