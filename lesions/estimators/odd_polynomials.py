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

import numpy as np
from jaxtyping import Bool, Float, Integer

from artiphys.array_types import Array
from artiphys.lesions.estimators.kernel import Index, strata
from artiphys.lesions.estimators.pair_designs import Design


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

    def weights(self, x: Float[Array, "pair player"]) -> Float[Array, "player pair"]:
        """Weight of one pair standing for the whole kernel: ``(player, pair)``."""
        return np.asarray(self.scale * self.linear(x).T)

    def linear(self, x: Float[Array, "pair player"]) -> Float[Array, "pair player"]:
        """The linear features ``(pair, player)``, centred where the values must add up."""
        return x - x.mean(axis=1, keepdims=True) if self.index == "shapley" else x

    def offset(self, x: Float[Array, "pair player"]) -> Float[Array, " pair"]:
        """What is taken off u(S) in units of u(all): Shapley values share it equally. ``(pair,)``."""
        return np.asarray(x.mean(axis=1) if self.index == "shapley" else np.zeros(len(x)))

    def finished(
        self, raw: Float[Array, "player feature"], at_all: Float[Array, " feature"]
    ) -> Float[Array, "player feature"]:
        """Values ``(player, feature)`` of features whose uncentred values and values at "all intact" are given."""
        if self.index == "shapley":
            return np.asarray(raw - raw.mean(axis=0))
        return raw - self.base * at_all

    def of_linear(self) -> Float[Array, "player player"]:
        """Values of the linear features: ``(player, player)``."""
        return self.finished(2 * np.eye(self.n), np.ones(self.n))

    def of_linear_times(self, table: Float[Array, "player column"]) -> Float[Array, "player column"]:
        """`of_linear` times a table, without making it."""
        taken_off = 2 / self.n if self.index == "shapley" else self.base
        return np.asarray(2 * table - taken_off * table.sum(axis=0))


def sign(intact: Bool[Array, "pair player"]) -> Float[Array, "pair player"]:
    """Coalitions as -1 (lesioned) and +1 (intact)."""
    return np.where(intact, 1.0, -1.0)


def sizes_of(design: Design, functional: Functional) -> tuple[Float[Array, "pair size"], Float[Array, "player size"]]:
    """One indicator a stratum with enough draws, and its values: what depends on size alone costs nothing."""
    parts, n = strata(design.n_players, design.index), design.n_players
    drawn = np.bincount(design.stratum, minlength=len(parts))
    # The middle stratum is odd under exchanging halves, so that its mean is 0 already. Of several sizes with Banzhaf
    # values of their own one indicator cannot tell.
    told = [functional.index == "shapley" or len(part.sizes) == 1 for part in parts]
    kept = [b for b, part in enumerate(parts) if drawn[b] >= 4 and told[b] and 2 * part.sizes[-1] != n]
    columns = (design.stratum[:, None] == np.array(kept, dtype=int)).astype(float)
    values = np.zeros((n, len(kept)))
    if functional.index == "banzhaf":
        for column, b in enumerate(kept):
            values[:, column] = functional.scale * parts[b].share * (2 * parts[b].sizes[0] - n) / n
    return columns, values


@lru_cache(maxsize=8)
def triples(n: int) -> Integer[Array, "triple 3"]:
    """All sets of three players ``(triple, 3)``."""
    i, j, k = np.meshgrid(np.arange(n), np.arange(n), np.arange(n), indexing="ij")
    keep = (i < j) & (j < k)
    return np.stack([i[keep], j[keep], k[keep]], axis=1)


def cubic(
    x: Float[Array, "pair player"], functional: Functional, relevance: Float[Array, " player"]
) -> tuple[Float[Array, "pair triple"], Float[Array, "player triple"]]:
    """Monomials of three players ``(pair, triple)`` and their values ``(player, triple)``.

    Each is scaled so that its variance in the model is the product of its players' relevance, in units of the
    mean of that over triples times their number.
    """
    t, n = triples(functional.n), functional.n
    scale = np.sqrt(relevance[t].prod(axis=1) / cubic_total(relevance))
    raw = np.zeros((n, len(t)))
    if functional.index == "shapley":
        raw[t.T, np.arange(len(t))] = 2 / 3
    monomials = x[:, t[:, 0]] * x[:, t[:, 1]] * x[:, t[:, 2]]
    return monomials * scale, functional.finished(raw, np.ones(len(t))) * scale


def cubic_total(relevance: Float[Array, " player"]) -> float:
    """Sum over triples of the product of their players' relevance (Newton's identity)."""
    one, two, three = (float((relevance**k).sum()) for k in (1, 2, 3))
    return (one**3 - 3 * one * two + 2 * three) / 6


def cubic_kernel(
    x: Float[Array, "pair player"], y: Float[Array, "other player"], relevance: Float[Array, " player"]
) -> Float[Array, "pair other"]:
    """Mean over triples of the product of their monomials, weighted by relevance, from inner products.

    ``(pair of x, pair of y)``; it equals the product of the features of `cubic` without listing triples.
    """
    t, three = (x * relevance) @ y.T, (x * relevance**3) @ y.T
    two = float((relevance**2).sum())
    return np.asarray((t * (t * t - 3 * two) + 2 * three) / (6 * cubic_total(relevance)))


def cubic_kernel_values(
    x: Float[Array, "pair player"], functional: Functional, relevance: Float[Array, " player"]
) -> Float[Array, "player pair"]:
    """Values of the functions ``cubic_kernel(., x_j)``: ``(player, pair)``."""
    at_all = cubic_kernel(x, np.ones((1, functional.n)), relevance)[:, 0]
    if functional.index == "banzhaf":
        return functional.finished(np.zeros(x.T.shape), at_all)
    own = x * relevance
    pairs_of_others = ((own.sum(axis=1, keepdims=True) - own) ** 2 - (relevance**2).sum() + relevance**2) / 2
    return functional.finished((2 / 3) * (own * pairs_of_others).T / cubic_total(relevance), at_all)
