"""Designs: complement pairs of coalitions, drawn without replacement within strata of sizes."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from jaxtyping import Bool, Float, Integer

from artiphys.array_types import Array
from artiphys.lesions.estimators.kernel import MAX_COUNTED_PAIRS, Index, Stratum, n_pairs, pairs_of_size, strata

MAX_SHUFFLED_PAIRS = 60_000  # strata up to this many pairs are drawn from a shuffled list, larger ones by rejection


@dataclass(frozen=True)
class Design:
    """Drawn pairs and what each stands for.

    Attributes
    ----------
    intact : bool ``(pair, player)``
        One half of each pair; the other is its complement.
    stratum : int ``(pair,)``
    share : ``(pair,)``
        The kernel's share that one drawn pair stands for: share of its stratum / pairs drawn there.
    fraction : ``(pair,)``
        Part of its stratum that is drawn: 1 where the stratum is exhausted, 0 where it is endless.
    """

    index: Index
    intact: Bool[Array, "pair player"]
    stratum: Integer[Array, " pair"]
    share: Float[Array, " pair"]
    fraction: Float[Array, " pair"]

    @property
    def n_pairs(self) -> int:
        """Pairs drawn."""
        return len(self.intact)

    @property
    def n_players(self) -> int:
        """Players."""
        return int(self.intact.shape[1])

    @property
    def coalitions(self) -> Bool[Array, "coalition player"]:
        """All intact, all lesioned, the drawn halves, their complements: ``(2 + 2 pair, player)``."""
        n = self.n_players
        return np.concatenate([np.ones((1, n), bool), np.zeros((1, n), bool), self.intact, ~self.intact])


class Pairs:
    """An endless draw of pairs: a larger design contains every smaller one of the same seed."""

    def __init__(self, n: int, index: Index, seed: int) -> None:
        self.n, self.index = n, index
        self.strata = strata(n, index)
        children = np.random.SeedSequence(seed).spawn(len(self.strata) + 1)
        self._offset = np.random.default_rng(children[0]).random(len(self.strata))
        self._draws = [
            (_Numbered if math.isfinite(s.count) else _Endless)(n, s, child)
            for s, child in zip(self.strata, children[1:])
        ]

    def design(self, pairs: int) -> Design:
        """At most ``pairs`` pairs, allotted to the strata by the kernel until they are exhausted."""
        drawn = self._allotted(min(pairs, n_pairs(self.n)))
        intact = self._intact(drawn)
        share = np.array([s.share for s in self.strata]) / np.maximum(drawn, 1)
        fraction = drawn / np.array([s.count for s in self.strata])
        return Design(
            self.index,
            intact,
            np.repeat(np.arange(len(drawn)), drawn),
            np.repeat(share, drawn),
            np.repeat(fraction, drawn),
        )

    def _intact(self, drawn: Integer[Array, " stratum"]) -> Bool[Array, "pair player"]:
        """One half of each drawn pair; all that are drawn by number are decoded together."""
        starts = np.concatenate([[0], np.cumsum(drawn)])
        intact = np.empty((starts[-1], self.n), dtype=bool)
        at, sizes, ranks, flips = [], [], [], []
        for draws, start, k in zip(self._draws, starts, drawn):
            if isinstance(draws, _Endless):
                intact[start : start + k] = draws.first(k)
                continue
            size, rank, flip = draws.first(k)
            at.append(np.arange(start, start + k))
            sizes.append(size)
            ranks.append(rank)
            flips.append(flip)
        if at:
            rows = combinations(self.n, np.concatenate(sizes), np.concatenate(ranks))
            intact[np.concatenate(at)] = rows ^ np.concatenate(flips)[:, None]
        return intact

    def _allotted(self, pairs: int) -> Integer[Array, " stratum"]:
        """Pairs a stratum: floor(rate x share + offset), which only grows with the rate."""
        shares = np.array([s.share for s in self.strata])
        counts = np.array([s.count for s in self.strata])

        def at(rate: float) -> Array:
            return np.asarray(np.minimum(counts, np.floor(rate * shares + self._offset)))

        low, high = 0.0, 2.0 * pairs / float(shares.min()) + 2.0
        for _ in range(80):
            middle = (low + high) / 2
            low, high = (middle, high) if at(middle).sum() <= pairs else (low, middle)
        return at(low).astype(int)


class _Endless:
    """Draws with replacement from a stratum of several sizes, or of more pairs than can be numbered."""

    def __init__(self, n: int, stratum: Stratum, seed: np.random.SeedSequence) -> None:
        self.n, self.stratum = n, stratum
        self._rng = np.random.default_rng(seed)
        self._drawn = np.empty((0, n), dtype=bool)

    def first(self, k: int) -> Bool[Array, "draw player"]:
        """The first ``k`` draws ``(k, player)``."""
        shares = np.array(self.stratum.shares)
        while len(self._drawn) < k:
            block = _block(len(self._drawn))
            sizes = self._rng.choice(self.stratum.sizes, size=block, p=shares / shares.sum())
            order = np.argsort(self._rng.random((block, self.n)), axis=1).argsort(axis=1)
            self._drawn = np.concatenate([self._drawn, order < sizes[:, None]])
        return self._drawn[:k]


class _Numbered:
    """Draws without replacement, by number."""

    def __init__(self, n: int, stratum: Stratum, seed: np.random.SeedSequence) -> None:
        self.n, self.stratum = n, stratum
        self._rng = np.random.default_rng(seed)
        self._starts = np.cumsum([0, *(pairs_of_size(n, s) for s in stratum.sizes[:-1])])
        self._ranks, self._flips = np.empty(0, dtype=np.int64), np.empty(0, dtype=bool)
        if stratum.count <= MAX_SHUFFLED_PAIRS:
            self._ranks = self._rng.permutation(int(stratum.count))

    def first(self, k: int) -> tuple[Integer[Array, " draw"], Integer[Array, " draw"], Bool[Array, " draw"]]:
        """Size, colexicographic rank, and whether the complement is meant, of the first ``k`` draws."""
        while len(self._flips) < k:
            block = _block(len(self._flips))
            if self.stratum.count > MAX_SHUFFLED_PAIRS:
                self._reject(len(self._flips) + block)
            self._flips = np.concatenate([self._flips, self._rng.random(block) < 0.5])
        ranks = self._ranks[:k]
        which = np.searchsorted(self._starts, ranks, side="right") - 1
        sizes = np.array(self.stratum.sizes)[which]
        # Of two halves of equal size, the one with the last player has the number; either may stand for the pair.
        even = 2 * sizes == self.n
        skipped = math.comb(self.n - 1, self.n // 2) if even.any() else 0
        return sizes, ranks - self._starts[which] + np.where(even, skipped, 0), self._flips[:k] & even

    def _reject(self, wanted: int) -> None:
        """Draw ranks until ``wanted`` different ones are there, in the order they first came."""
        wanted = min(wanted, int(self.stratum.count))
        while len(self._ranks) < wanted:
            new = self._rng.integers(int(self.stratum.count), size=wanted)
            ranks = np.concatenate([self._ranks, new])
            _, first = np.unique(ranks, return_index=True)
            self._ranks = ranks[np.sort(first)]


def _block(drawn: int) -> int:
    """Draws double from a fixed number, so that they do not depend on who asks for how many."""
    return max(64, drawn)


def combinations(n: int, sizes: Integer[Array, " rank"], ranks: Integer[Array, " rank"]) -> Bool[Array, "rank n"]:
    """The combinations of ``sizes`` of ``n`` with the given colexicographic ranks: bool ``(rank, n)``.

    >>> combinations(4, np.array([2, 2, 2]), np.array([0, 1, 5])).astype(int).tolist()
    [[1, 1, 0, 0], [1, 0, 1, 0], [0, 0, 1, 1]]
    """
    left, rank = sizes.copy(), ranks.astype(np.int64)
    rows = np.empty((len(ranks), n), dtype=bool)
    table = _binomials(n, int(sizes.max(initial=0)))
    for i in range(n - 1, -1, -1):
        below = table[i][left]
        taken = (rank >= below) & (left > 0)
        rank -= below * taken
        left -= taken
        rows[:, i] = taken
    return rows


@lru_cache(maxsize=64)
def _binomials(n: int, most: int) -> Array:
    """Binomial coefficients ``(0 to n - 1, 0 to most)``, cut off where they no longer fit."""
    return np.array([[min(math.comb(i, k), MAX_COUNTED_PAIRS) for k in range(most + 1)] for i in range(n)])
