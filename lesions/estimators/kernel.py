"""The weights of Shapley and Banzhaf values over pairs of complementary coalitions, in strata of sizes."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

from scipy.stats import binom

Index = Literal["shapley", "banzhaf"]


MIN_SHARE = 0.03  # least share of the kernel a stratum may have, so that every stratum gets draws


MAX_COUNTED_PAIRS = 2**62


@dataclass(frozen=True)
class Stratum:
    """Pairs (S, complement of S) whose smaller half has one of ``sizes`` players.

    ``shares`` are the kernel's shares of those sizes; ``count`` is how many pairs there are, or infinity
    where they weigh differently or are too many to number (it is then drawn with replacement).
    """

    sizes: tuple[int, ...]
    shares: tuple[float, ...]
    count: float

    @property
    def share(self) -> float:
        """Its share of the whole kernel."""
        return math.fsum(self.shares)


@lru_cache(maxsize=64)
def strata(n: int, index: Index) -> tuple[Stratum, ...]:
    """The kernel of an index over pairs of ``n`` players, cut into strata of sizes.

    Shapley's kernel gives size s the weight 1/(s(n-s)) (Charnes et al. 1988), Banzhaf's is uniform over
    coalitions.

    >>> [(s.sizes, round(s.share, 3), s.count) for s in strata(4, "shapley")]
    [((1,), 0.727, 4), ((2,), 0.273, 3)]
    """
    sizes = range(1, n // 2 + 1)
    if index == "shapley":
        raw = [(0.5 if 2 * s == n else 1.0) / (s * (n - s)) for s in sizes]
    else:
        raw = [float(binom.pmf(s, n, 0.5)) * (0.5 if 2 * s == n else 1.0) for s in sizes]
    shares = [r / math.fsum(raw) for r in raw]
    parts: list[list[tuple[int, float]]] = [[]]
    for s, share in zip(sizes, shares):
        if math.fsum(w for _, w in parts[-1]) >= MIN_SHARE:
            parts.append([])
        parts[-1].append((s, share))
    if len(parts) > 1 and math.fsum(w for _, w in parts[-1]) < MIN_SHARE:
        last = parts.pop()
        parts[-1] += last
    return tuple(_stratum(n, p, index) for p in parts)


def _stratum(n: int, parts: list[tuple[int, float]], index: Index) -> Stratum:
    count = sum(pairs_of_size(n, s) for s, _ in parts)
    countable = (len(parts) == 1 or index == "banzhaf") and count < MAX_COUNTED_PAIRS
    return Stratum(tuple(s for s, _ in parts), tuple(w for _, w in parts), count if countable else math.inf)


def pairs_of_size(n: int, size: int) -> int:
    """Number of complement pairs whose smaller half has ``size`` of ``n`` players."""
    return math.comb(n, size) // (2 if 2 * size == n else 1)


def n_pairs(n: int) -> int:
    """Number of complement pairs besides (all, none)."""
    return int(2 ** (n - 1) - 1)
