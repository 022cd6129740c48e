"""Interaction indices as linear functionals of a game: weights of coalitions, and values of monomials in closed form.

An interaction of the players I is a weighted mean of discrete derivatives, sum over S outside I of
``g(|S|) * sum over L in I of (-1)^(|I| - |L|) v(S + L)``. With coalitions written x in {-1, +1} (+1 = intact) the value
of a monomial of the players T is 0 unless T holds I, and else depends on ``|T| - |I|`` alone.

References
----------
Grabisch & Roubens 1999, An axiomatic approach to the concept of interaction among players (SII, Banzhaf). Sundararajan,
Dhamdhere & Agarwal 2020, The Shapley Taylor interaction index. Bord & von Luxburg 2023, From Shapley values to
generalized additive models and back (k-SII, there n-Shapley values).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property, lru_cache
from itertools import combinations
from typing import Any, Literal

import numpy as np
from jaxtyping import Bool, Float, Integer
from scipy import sparse

from artiphys.array_types import Array
from artiphys.lesions.estimators.kernel import Index, Stratum

InteractionIndex = Literal["k-SII", "SII", "STII", "Banzhaf"]
FEW_OUTPUTS, MAX_WEIGHTS = 8, 4_000_000
BERNOULLI = {1: -1 / 2, 2: 1 / 6}  # of k-SII, by how many players more an interaction has


@lru_cache(maxsize=32)
def sets_of(n: int, size: int) -> Integer[Array, "set member"]:
    """All sets of ``size`` of ``n`` players, in the order of their names."""
    return np.array(list(combinations(range(n), size)), dtype=int).reshape(-1, size)


@dataclass(frozen=True)
class Interaction:
    """One index up to one order, of ``n`` players.

    Its *terms* are the interactions of every size as the index gives them for that size alone; `mix` makes of them the
    values of the index (k-SII takes from each size what the larger ones hold).
    """

    index: InteractionIndex
    n: int
    order: int

    @property
    def kernel(self) -> Index:
        """Which kernel pairs of coalitions are drawn from."""
        return "banzhaf" if self.index == "Banzhaf" else "shapley"

    @property
    def sizes(self) -> range:
        """Sizes of its interactions."""
        return range(1, self.order + 1)

    @cached_property
    def members(self) -> list[tuple[int, ...]]:
        """Players of every term, smaller sets first."""
        return [tuple(map(int, row)) for s in self.sizes for row in sets_of(self.n, s)]

    def weight(self, size: int, outside: int) -> float:
        """Weight g of one derivative of ``size`` players where ``outside`` others are intact."""
        rest = self.n - size
        if self.index == "Banzhaf":
            return 2.0**-rest
        if self.index == "STII" and size < self.order:
            return float(outside == 0)
        if self.index == "STII":
            return size / self.n / math.comb(self.n - 1, outside)
        return 1 / ((rest + 1) * math.comb(rest, outside))

    def of_monomial(self, size: int, more: int) -> float:
        """Value at I of the monomial of I and ``more`` players; that of any other monomial is 0."""
        even = more % 2 == 0
        if self.index == "Banzhaf":
            share = float(more == 0)
        elif self.index == "STII" and size < self.order:
            share = 1.0 if even else -1.0
        elif self.index == "STII" and size == 3:
            share = 0.75 * (1 / (more + 1) + 1 / (more + 3)) if even else -1.5 / (more + 2)
        elif self.index == "STII" and size == 2:
            share = 1 / (more + 1) if even else -1 / (more + 2)
        else:
            share = 1 / (more + 1) if even else 0.0
        return float(2**size) * share

    def coalition_weights(
        self, sets: Integer[Array, "set member"], intact: Bool[Array, "coalition player"]
    ) -> Float[Array, "set coalition"]:
        """Weight of each coalition's value in the terms of some sets of one size."""
        size = sets.shape[1]
        inside = sum(intact[:, sets[:, k]].astype(np.int64) for k in range(size))  # (coalition, set)
        table = np.zeros((size + 1, self.n + 1))
        for held in range(size + 1):
            for outside in range(self.n - size + 1):
                table[held, held + outside] = (-1) ** (size - held) * self.weight(size, outside)
        return np.asarray(table[np.asarray(inside).T, intact.sum(axis=1)])

    def of_size(self, size: int, intact: int) -> float:
        """Value at any I of ``size`` players of the indicator of all coalitions with ``intact`` players."""
        return math.fsum(
            (-1) ** (size - held) * math.comb(size, held) * math.comb(self.n - size, intact - held)
            * self.weight(size, intact - held)
            for held in range(size + 1) if 0 <= intact - held <= self.n - size
        )  # fmt: skip

    def of_stratum(self, size: int, stratum: Stratum, parity: int) -> float:
        """The same of pairs of complements in a stratum; ``parity`` -1: 1 at the smaller half and -1 at the other."""
        small = math.fsum(self.of_size(size, s) for s in stratum.sizes)
        large = math.fsum(self.of_size(size, self.n - s) for s in stratum.sizes if 2 * s != self.n)
        return small + parity * large

    @property
    def mix(self) -> Any:
        """Values of the index from terms: sparse ``(interaction, term)``."""
        return _mix(self)


@lru_cache(maxsize=8)
def _mix(interaction: Interaction) -> Any:
    place = {m: i for i, m in enumerate(interaction.members)}
    rows, columns, entries = list(range(len(place))), list(range(len(place))), [1.0] * len(place)
    if interaction.index == "k-SII":
        for large, column in place.items():
            for size in range(1, len(large)):
                for small in combinations(large, size):
                    rows.append(place[small])
                    columns.append(column)
                    entries.append(BERNOULLI[len(large) - size])
    return sparse.csr_array((entries, (rows, columns)), shape=(len(place), len(place)))


def exact_terms(
    interaction: Interaction, values: Float[Array, "coalition output"]
) -> Float[Array, "term output"]:  # fmt: skip
    """Terms from the values of all coalitions, numbered by the bits of their intact players.

    By the game's coefficients as a polynomial (a fast Walsh-Hadamard transform): n 2^n additions for all terms.
    """
    n = interaction.n
    degree, holds = _monomials(n)
    terms = np.empty((len(interaction.members), values.shape[1]))
    for output in range(values.shape[1]):
        coefficients = _walsh(values[:, output] - values[0, output], n)
        start = 0
        for size in interaction.sizes:
            table = np.array([interaction.of_monomial(size, d - size) if d >= size else 0.0 for d in range(n + 1)])
            weighted = coefficients * table[degree]
            sums = _over_supersets(weighted, holds, size)
            terms[start : start + len(sums), output] = sums
            start += len(sums)
    return terms


@lru_cache(maxsize=2)
def _monomials(n: int) -> tuple[Integer[Array, " monomial"], Float[Array, "monomial player"]]:
    """How many players each monomial holds, and which."""
    shown = (np.arange(2**n)[:, None] >> np.arange(n)) & 1
    return shown.sum(axis=1), shown.astype(float)


def _walsh(values: Float[Array, " coalition"], n: int) -> Float[Array, " monomial"]:
    """Coefficients of a game as a polynomial in x, by the bits of each monomial's players."""
    a = values / len(values)
    for bit in range(n):
        halves = a.reshape(-1, 2, 2**bit)
        a = np.stack([halves[:, 1] + halves[:, 0], halves[:, 1] - halves[:, 0]], axis=1)
    return np.asarray(a.reshape(-1))


def _over_supersets(
    weighted: Float[Array, " monomial"], holds: Float[Array, "monomial player"], size: int
) -> Float[Array, " set"]:
    """Sum of coefficients over all monomials that hold a set, for all sets of a size."""
    n = holds.shape[1]
    if size == 1:
        return np.asarray(weighted @ holds)
    if size == 2:
        return np.asarray((holds.T @ (weighted[:, None] * holds))[np.triu_indices(n, 1)])
    found = []
    for first in range(n - 2):
        rows = holds[:, first] > 0
        rest = holds[rows, first + 1 :]
        gram = rest.T @ (weighted[rows, None] * rest)
        found.append(gram[np.triu_indices(n - first - 1, 1)])
    return np.concatenate(found) if found else np.empty(0)


@dataclass(frozen=True)
class EveryCoalition:
    """Weights of all coalitions, in the order of `enumeration.every_coalition`; multiplied without a table of them."""

    interaction: Interaction

    @property
    def shape(self) -> tuple[int, int]:
        """Interactions and coalitions."""
        return len(self.interaction.members), 2**self.interaction.n

    def __matmul__(self, values: Float[Array, " coalition *output"]) -> Float[Array, " interaction *output"]:
        if values.ndim == 1:
            return np.asarray((self @ values[:, None])[:, 0])
        by_number = np.roll(values, -1, axis=0)  # all intact comes first, and has the largest number
        terms = exact_terms if values.shape[1] <= FEW_OUTPUTS else _terms_of_many
        return np.asarray(self.interaction.mix @ terms(self.interaction, by_number))


def _terms_of_many(
    interaction: Interaction, values: Float[Array, "coalition output"]
) -> Float[Array, "term output"]:  # fmt: skip
    """The same for many outputs, such as trials: weights are multiplied out in blocks of terms."""
    n = interaction.n
    intact = (np.arange(2**n)[:, None] >> np.arange(n)) & 1 == 1
    values = values - values[:1]
    found = []
    for size in interaction.sizes:
        sets = sets_of(n, size)
        step = max(1, MAX_WEIGHTS // 2**n)
        for start in range(0, len(sets), step):
            found.append(interaction.coalition_weights(sets[start : start + step], intact) @ values)
    return np.concatenate(found)
