"""Beams: sets that hold, searched for among the players of a pool by growing, pruning and swapping.

A set that misses the border by less is followed first. In games where many players matter a little, one order of
deletions is often wrong; several sets are followed at once, from both ends.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from itertools import combinations, islice

import numpy as np
from jaxtyping import Bool

from artiphys.array_types import Array
from artiphys.lesions.circuits.question import Question, mask_of

WIDTH = 8
N_MISSES = 2  # sizes in a row without a set that holds, after which pruning ends
N_AT_ONCE = 4096
MIN_ALLOWANCE = 500  # evaluations for a proof

Sets = Bool[Array, "set player"]


def grow(question: Question, pool: Sequence[int]) -> None:
    """From nothing, one player at a time, until some set holds."""
    frontier: Sets = np.zeros((1, question.n_players), dtype=bool)
    for _ in pool:
        candidates = _unique(np.concatenate([_with(frontier, p) for p in pool]))
        excess = question.excess(candidates)
        if question.holds(candidates).any():
            return
        frontier = candidates[np.argsort(excess, kind="stable")[:WIDTH]]


def prune(question: Question, pool: Sequence[int]) -> None:
    """From the whole pool, one player less at a time."""
    frontier: Sets = mask_of(pool, question.n_players)[None]
    question.excess(frontier)
    misses = 0
    while frontier[0].sum() > 1 and misses < N_MISSES:
        candidates = _unique(np.concatenate([_less_one(row) for row in frontier]))
        excess = question.excess(candidates)
        misses = 0 if question.holds(candidates).any() else misses + 1
        frontier = candidates[np.argsort(excess, kind="stable")[:WIDTH]]


def swap(question: Question, pool: Sequence[int]) -> None:
    """From the smallest sets that hold: two players less and another one more, while that finds smaller ones."""
    while len(best := question.found()):
        size = int(best[0].sum())
        if size < 2:
            return
        candidates = _unique(np.concatenate([_swapped(row, pool) for row in best[best.sum(axis=1) == size][:WIDTH]]))
        if not question.holds(candidates).any():
            return


def delete(question: Question) -> None:
    """From the smallest sets that hold: one player less, until none can be spared."""
    while len(best := question.found()):
        size = int(best[0].sum())
        if size < 1:
            return
        candidates = _unique(np.concatenate([_less_one(row) for row in best[best.sum(axis=1) == size][:WIDTH]]))
        if not question.holds(candidates).any():
            return


def count_up(question: Question, pool: Sequence[int], most: int) -> int:
    """All sets of the pool by size, while they are affordable; sets of fewer players than this were all asked.

    A proof may cost as much as the search did.
    """
    allowance = max(MIN_ALLOWANCE, question.budget - question.left)
    for size in range(len(pool) + 1):
        allowance -= math.comb(len(pool), size)
        if size > most or allowance < 0 or math.comb(len(pool), size) > question.left:
            return size
        holds = False
        every = combinations(pool, size)
        while block := [mask_of(members, question.n_players) for members in _first(every, N_AT_ONCE)]:
            holds |= bool(question.holds(np.stack(block)).any())
        if holds:
            return size
    return len(pool) + 1


def _first(every: Iterator[tuple[int, ...]], n: int) -> list[tuple[int, ...]]:
    return list(islice(every, n))


def _with(sets: Sets, player: int) -> Sets:
    more = sets[~sets[:, player]].copy()
    more[:, player] = True
    return more


def _less_one(row: Bool[Array, " player"]) -> Sets:
    members = np.flatnonzero(row)
    less = np.repeat(row[None], len(members), axis=0)
    less[np.arange(len(members)), members] = False
    return np.asarray(less)


def _swapped(row: Bool[Array, " player"], pool: Sequence[int]) -> Sets:
    members, others = np.flatnonzero(row), [p for p in pool if not row[p]]
    rows = []
    for a, b in combinations(members, 2):
        less = row.copy()
        less[[a, b]] = False
        rows.append(less[None])
        rows += [_with(less[None], p) for p in others]
    return np.concatenate(rows)


def _unique(sets: Sets) -> Sets:
    """Different sets, in the order they first came."""
    _, first = np.unique(np.packbits(sets, axis=1), axis=0, return_index=True)
    return np.asarray(sets[np.sort(first)])
