"""Permutations of labels that follow the design of the trials, and what a test by them reports."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np

from artiphys.array_types import Array
from artiphys.errors import InputError, StatisticsError
from artiphys.stats.seeds import Seed

Exchange = Literal["trials", "within groups", "shift"] | None
EXCHANGES = (None, "trials", "within groups", "shift")


@dataclass(frozen=True)
class PermutationTest:
    """How the p-values of a result were found.

    Attributes
    ----------
    n_permutations : int
        0 where nothing was tested.
    seed : int
    scheme : str
        Which labels were exchanged, and which null each value was held against.
    n_distinct : float
        Number of distinct relabellings (inf above 1e15).
    smallest_p : float
        The smallest p that can be attained.
    """

    n_permutations: int = 0
    seed: int = 0
    scheme: str = ""
    n_distinct: float = math.nan
    smallest_p: float = math.nan


class Tested:
    """A result with a permutation test: what the test reports, as attributes of the result."""

    test: PermutationTest

    @property
    def n_permutations(self) -> int:
        """Number of permutations; 0 where nothing was tested."""
        return self.test.n_permutations

    @property
    def seed(self) -> int:
        """Seed of the permutations, and of whatever else was drawn."""
        return self.test.seed

    @property
    def scheme(self) -> str:
        """Which labels were exchanged, and which null each value was held against."""
        return self.test.scheme

    @property
    def n_distinct(self) -> float:
        """Number of distinct relabellings (inf above 1e15)."""
        return self.test.n_distinct

    @property
    def smallest_p(self) -> float:
        """The smallest p that can be attained."""
        return self.test.smallest_p


def whole_count(name: str, count: object) -> int:
    """A number of permutations or the like, or `InputError`."""
    if isinstance(count, bool) or not isinstance(count, (int, np.integer)) or count < 0:
        raise InputError(f"{name} came as {count!r}; wanted a whole number, 0 or more")
    return int(count)


@dataclass(frozen=True)
class Permutations:
    """How labels may be exchanged, given the groups trials come in.

    Attributes
    ----------
    scheme : str
        "trials", "trials within folds", "within groups", "whole groups" or "circular shifts".
    n_distinct : float
        Number of distinct relabellings (inf above 1e15).
    """

    labels: Array
    groups: Array | None
    scheme: str
    n_distinct: float

    def test(self, n: int, seed: int) -> PermutationTest:
        """What a test by ``n`` of these permutations reports."""
        return PermutationTest(n, seed, self.scheme, self.n_distinct, max(1 / (n + 1), 1 / self.n_distinct))

    @classmethod
    def of(
        cls, labels: Array, groups: Array | None = None, folds: Array | None = None, exchange: str | None = None
    ) -> Permutations:
        """The scheme that follows the design.

        A label that is constant within every group is exchanged between whole groups, one that varies
        within every group is exchanged within them. Folds that were stratified by the labels would favour
        the true labels over permuted ones, so with ``folds`` (one number per trial) labels are exchanged
        within them, which leaves every fold's class counts as they are.

        ``exchange`` says it outright: "trials", "within groups" (groups of one label stay as they are), or "shift",
        which turns the labels round the trials in their order, for activity and labels that both change slowly.

        Raises
        ------
        StatisticsError
            If ``exchange`` is something else, some groups are constant and some not, or fewer than 20 relabellings
            are distinct.

        >>> y = np.repeat([0, 1], 12)
        >>> Permutations.of(y).scheme, Permutations.of(y, np.arange(24) // 2).scheme
        ('trials', 'whole groups')
        """
        labels = np.asarray(labels)
        if exchange not in EXCHANGES:
            raise StatisticsError(f"exchange came as {exchange!r}; wanted one of {', '.join(map(repr, EXCHANGES[1:]))}")
        if exchange == "within groups" and groups is None:
            raise StatisticsError("exchange='within groups' needs groups")
        if exchange == "shift":
            plan = cls(labels, None, "circular shifts", _distinct_shifts(labels))
        elif exchange == "trials":
            plan = cls(labels, None, "trials", _arrangements(labels))
        elif groups is None and folds is not None:
            counts = math.prod(_arrangements(labels[folds == f]) for f in np.unique(folds))
            plan = cls(labels, folds, "trials within folds", counts)
        elif groups is None:
            plan = cls(labels, None, "trials", _arrangements(labels))
        else:
            groups = np.asarray(groups)
            members = [labels[groups == g] for g in np.unique(groups)]
            constant = [len(np.unique(m)) == 1 for m in members]
            if all(constant) and exchange is None:
                plan = cls(labels, groups, "whole groups", _arrangements(np.array([m[0] for m in members])))
            elif not any(constant) or exchange == "within groups":
                plan = cls(labels, groups, "within groups", math.prod(_arrangements(m) for m in members))
            else:
                raise StatisticsError(
                    f"labels are constant in {sum(constant)} groups and vary in {len(constant) - sum(constant)}; "
                    "no exchange of labels keeps this design. Use groups of one kind, or exchange='within groups', "
                    "which leaves out what the constant ones say"
                )
        if plan.n_distinct < 20:
            raise StatisticsError(
                f"only {plan.n_distinct:.0f} distinct relabellings exist ({plan.scheme}), so no p-value below "
                f"{1 / plan.n_distinct:.2f} can be reached. Use more groups or trials, or n_permutations=0"
            )
        return plan

    def draw(self, n: int, seed: Seed) -> Iterator[Array]:
        """``n`` relabellings of the trials."""
        rng = np.random.default_rng(seed)
        if self.scheme == "circular shifts":
            most = len(self.labels) - 1
            shifts = 1 + (rng.permutation(most)[:n] if n <= most else rng.integers(most, size=n))
            yield from (np.roll(self.labels, shift) for shift in shifts)
            return
        for _ in range(n):
            if self.groups is None:
                yield rng.permutation(self.labels)
                continue
            new = self.labels.copy()
            names, first = np.unique(self.groups, return_index=True)
            if self.scheme in ("within groups", "trials within folds"):
                for g in names:
                    rows = np.flatnonzero(self.groups == g)
                    new[rows] = rng.permutation(new[rows])
            else:
                for g, value in zip(names, rng.permutation(self.labels[first])):
                    new[self.groups == g] = value
            yield new


def _distinct_shifts(labels: Array) -> int:
    """How many different orders turning the labels round gives: fewer than trials where they repeat."""
    n = len(labels)
    for period in range(1, n // 2 + 1):
        if n % period == 0 and np.array_equal(labels, np.roll(labels, period)):
            return period
    return n - 1


def _arrangements(labels: Array) -> float:
    _, counts = np.unique(labels, return_counts=True)
    log = math.lgamma(len(labels) + 1) - sum(math.lgamma(c + 1) for c in counts)
    return math.inf if log > math.log(1e15) else float(round(math.exp(log)))
