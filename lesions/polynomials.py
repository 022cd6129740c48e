"""Odd polynomials of a coalition: features, kernels, and their Shapley and Banzhaf values in closed form.

A coalition is written x in {-1, +1}, +1 = intact. Over a pair of complements only the odd part of a game,
u(S) = (v(S) - v(complement)) / 2, enters either index, so that monomials of one and of three players are all
that a model of third order needs: a monomial of an odd number of players has the Shapley value 2 / number for
each of its players and none for the others; only single players have a Banzhaf value.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np

from artiphys.lesions.draws import Design, Index, strata

Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class Functional:
    """An index as a weighted mean over pairs: ``base * u(all) + scale * E[(x_i - centre * mean x) u]``."""

    index: Index
    n: int
    scale: float
    base: float

    @classmethod
    @lru_cache(maxsize=64)
    def of(cls, index: Index, n: int) -> Functional:
        """The functional of an index for ``n`` players."""
        if index == "banzhaf":
            return cls(index, n, 2 * (1 - 2.0 ** (1 - n)), 2.0 ** (2 - n))
        sizes = [(s, w) for part in strata(n, index) for s, w in zip(part.sizes, part.shares)]
        alpha = math.fsum(w * ((2 * s - n) ** 2 - n) for s, w in sizes) / (n * (n - 1))  # E[x_i x_j]
        return cls(index, n, 2 / (1 - alpha), 2 / n)

    def weights(self, x: Array) -> Array:
        """Weight of one pair standing for the whole kernel: ``(player, pair)``."""
        return np.asarray(self.scale * self.linear(x).T)

    def linear(self, x: Array) -> Array:
        """The linear features ``(pair, player)``, centred where the values must add up."""
        return x - x.mean(axis=1, keepdims=True) if self.index == "shapley" else x

    def offset(self, x: Array) -> Array:
        """What is taken off u(S) in units of u(all): Shapley values share it equally. ``(pair,)``."""
        return np.asarray(x.mean(axis=1) if self.index == "shapley" else np.zeros(len(x)))

    def finished(self, raw: Array, at_all: Array) -> Array:
        """Values ``(player, feature)`` of features whose uncentred values and values at "all intact" are given."""
        if self.index == "shapley":
            return np.asarray(raw - raw.mean(axis=0))
        return raw - self.base * at_all

    def of_linear(self) -> Array:
        """Values of the linear features: ``(player, player)``."""
        return self.finished(2 * np.eye(self.n), np.ones(self.n))


def sign(intact: Array) -> Array:
    """Coalitions as -1 (lesioned) and +1 (intact)."""
    return np.where(intact, 1.0, -1.0)


def sizes_of(design: Design, functional: Functional) -> tuple[Array, Array]:
    """One indicator a stratum with enough draws, and its values: what depends on size alone costs nothing."""
    parts, n = strata(design.n_players, design.index), design.n_players
    drawn = np.bincount(design.stratum, minlength=len(parts))
    # The middle stratum is odd under exchanging halves, so that its mean is 0 already.
    kept = [b for b, part in enumerate(parts) if drawn[b] >= 4 and 2 * part.sizes[-1] != n]
    columns = (design.stratum[:, None] == np.array(kept, dtype=int)).astype(float)
    values = np.zeros((n, len(kept)))
    if functional.index == "banzhaf":
        for column, b in enumerate(kept):
            part = parts[b]
            mean = math.fsum(w * (2 * s - n) / n for s, w in zip(part.sizes, part.shares))
            values[:, column] = functional.scale * mean
    return columns, values


@lru_cache(maxsize=8)
def triples(n: int) -> Array:
    """All sets of three players ``(triple, 3)``."""
    i, j, k = np.meshgrid(np.arange(n), np.arange(n), np.arange(n), indexing="ij")
    keep = (i < j) & (j < k)
    return np.stack([i[keep], j[keep], k[keep]], axis=1)


def cubic(x: Array, functional: Functional) -> tuple[Array, Array]:
    """Monomials of three players ``(pair, triple)`` and their values ``(player, triple)``."""
    t, n = triples(functional.n), functional.n
    raw = np.zeros((n, len(t)))
    if functional.index == "shapley":
        raw[t.T, np.arange(len(t))] = 2 / 3
    return x[:, t[:, 0]] * x[:, t[:, 1]] * x[:, t[:, 2]], functional.finished(raw, np.ones(len(t)))


def cubic_kernel(x: Array, y: Array) -> Array:
    """Mean over triples of the product of their monomials ``(pair of x, pair of y)``, from inner products."""
    n, t = x.shape[1], x @ y.T
    return np.asarray(t * (t * t - 3 * n + 2) / (6 * math.comb(n, 3)))


def cubic_kernel_values(x: Array, functional: Functional) -> Array:
    """Values of the functions ``cubic_kernel(., x_j)``: ``(player, pair)``."""
    n, total = functional.n, x.sum(axis=1, keepdims=True)
    at_all = (total * (total * total - 3 * n + 2))[:, 0] / (6 * math.comb(n, 3))
    if functional.index == "banzhaf":
        return functional.finished(np.zeros(x.T.shape), at_all)
    pairs_of_others = ((total - x) ** 2 - (n - 1)) / 2
    return functional.finished((2 / 3) * (x * pairs_of_others).T / math.comb(n, 3), at_all)
