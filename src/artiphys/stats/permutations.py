"""Permutations of labels that follow the design of the trials, and what a test by them reports."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from artiphys.array_types import Array
from artiphys.errors import InputError, StatisticsError
from artiphys.stats.exchangeable import check_kinds, check_turns
from artiphys.stats.relabellings import (
    containers_of,
    every_arrangement,
    every_turn,
    n_arrangements,
    n_renamings,
    n_turns,
    turned,
)  # fmt: skip
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
    def exchange_scheme(self) -> str:
        """As `scheme`."""
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


MIN_DISTINCT = 20


@dataclass(frozen=True)
class Permutations:
    """How labels may be exchanged, given the groups and blocks trials come in.

    Attributes
    ----------
    labels : ``(trial,)``
    unit : ``(trial,)`` int
        What bears one label: trials, blocks or groups.
    container : ``(trial,)`` int
        What the label of a unit may move in: all trials, a fold, a group or a block.
    scheme : str
        "trials", "trials within folds", "within groups", "whole groups", "whole blocks within groups", "within
        blocks", "circular shifts" or "circular shifts within groups".
    n_distinct : float
        Number of distinct relabellings, the labels as they are among them (inf above 1e15).
    """

    labels: Array
    unit: Array
    container: Array
    scheme: str
    n_distinct: float

    def test(self, n: int, seed: int, *, symmetric: bool = False) -> PermutationTest:
        """What a test by ``n`` of these permutations reports.

        ``symmetric`` says that the statistic does not change where equally frequent labels swap names.
        """
        n = self.n_drawn(n)
        same = n_renamings(self.unit_labels, containers_of(self.unit_containers)) if symmetric else 1
        same = 1 if self._shifts else same
        return PermutationTest(n, seed, self.scheme, self.n_distinct, max(1 / (n + 1), same / self.n_distinct))

    def n_drawn(self, n: int) -> int:
        """How many relabellings are drawn where ``n`` are asked for: each once where there are no more."""
        return int(min(n, self.n_distinct - 1))

    @classmethod
    def of(
        cls,
        labels: Array,
        groups: Array | None = None,
        folds: Array | None = None,
        exchange: str | None = None,
        blocks: Sequence[Array] = (),
    ) -> Permutations:
        """The scheme that follows the design.

        A label that is constant within every group is exchanged between whole groups, one that varies
        within every group is exchanged within them; with ``blocks``, from the widest to the narrowest and each
        within the one before, labels are exchanged between the widest that have one label each, within what holds
        these. Folds that were stratified by the labels would favour the true labels over permuted ones, so with
        ``folds`` (one number per trial) labels are exchanged within them, which leaves every fold's class counts as
        they are.

        ``exchange`` says it outright: "trials", "within groups" (groups of one label stay as they are), or "shift",
        which turns the labels round the trials in their order, within each group where there are groups, for activity
        and labels that both change slowly.

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
        if exchange == "shift" and len(blocks):
            raise StatisticsError(
                "exchange='shift' turns labels round the trials, and blocks are exchanged whole: give one of them"
            )
        every, alone = np.zeros(len(labels), dtype=int), np.arange(len(labels))
        group = every if groups is None else _codes(groups)
        if exchange == "shift":
            check_turns(labels, containers_of(group))
            within = "" if groups is None else " within groups"
            n_distinct = math.prod(float(n_turns(labels[p])) for p in containers_of(group))
            plan = cls(labels, alone, group, f"circular shifts{within}", n_distinct)
        elif exchange == "trials":
            plan = cls._counted(labels, alone, every, "trials")
        elif groups is None and not len(blocks):
            scheme = "trials" if folds is None else "trials within folds"
            plan = cls._counted(labels, alone, every if folds is None else folds, scheme)
        else:
            plan = cls._nested(labels, [] if groups is None else [group], blocks, exchange)
        if plan.n_distinct < MIN_DISTINCT:
            raise StatisticsError(
                f"only {plan.n_distinct:.0f} distinct relabellings exist ({plan.scheme}), so no p-value below "
                f"{1 / plan.n_distinct:.2f} can be reached. Use more groups or trials, or n_permutations=0"
            )
        return plan

    @classmethod
    def _nested(cls, labels: Array, group: list[Array], blocks: Sequence[Array], exchange: str | None) -> Permutations:
        """Exchange of the widest of groups and blocks that have one label each, within what holds them."""
        holds, outer = np.zeros(len(labels), dtype=int), ""
        for level, code in enumerate([*group, *blocks]):
            name = "groups" if level < len(group) else "blocks"
            inside = _codes(code, holds)
            constant = np.array([len(np.unique(labels[p])) == 1 for p in containers_of(inside)])
            if constant.all() and (exchange is None or name == "blocks"):
                return cls._counted(labels, inside, holds, f"whole {name}{f' within {outer}' if outer else ''}")
            if level == len(group) + len(blocks) - 1 and (exchange is None or name == "blocks"):
                check_kinds(constant, name)
            holds, outer = inside, name
        return cls._counted(labels, np.arange(len(labels)), holds, f"within {outer}")

    @classmethod
    def _counted(cls, labels: Array, unit: Array, container: Array, scheme: str) -> Permutations:
        plan = cls(labels, unit, container, scheme, math.nan)
        places = containers_of(plan.unit_containers)
        n_distinct = math.prod(n_arrangements(plan.unit_labels[p]) for p in places)
        return cls(labels, unit, container, scheme, n_distinct if n_distinct < 1e15 else math.inf)

    @property
    def _shifts(self) -> bool:
        return self.scheme.startswith("circular")

    @property
    def _first(self) -> Array:
        """The first trial of each unit."""
        return np.unique(self.unit, return_index=True)[1]

    @property
    def unit_labels(self) -> Array:
        """The label of each unit."""
        return self.labels[self._first]

    @property
    def unit_containers(self) -> Array:
        """The container of each unit."""
        return self.container[self._first]

    def of_others(self, labels: Array) -> Permutations:
        """The same exchange of other labels, such as the numbers of the trials; drawn, never each once."""
        return replace(self, labels=labels, n_distinct=math.inf)

    def draw(self, n: int, seed: Seed) -> Iterator[Array]:
        """``n`` relabellings of the trials; where there are no more, each one other than the labels themselves."""
        labels, of_trial = self.unit_labels, np.unique(self.unit, return_inverse=True)[1]
        places = containers_of(self.unit_containers)
        if self.n_drawn(n) < n or n == self.n_distinct - 1:
            every = every_turn(labels, places) if self._shifts else every_arrangement(labels, places)
            yield from (new[of_trial] for new in itertools.islice(every, 1, None))
            return
        rng = np.random.default_rng(seed)
        if self._shifts and len(places) == 1:
            yield from (np.roll(labels, 1 + by) for by in rng.permutation(n_turns(labels) - 1)[:n])
            return
        for _ in range(n):
            if self._shifts:
                yield turned(labels, places, tuple(int(rng.integers(len(p))) for p in places))
                continue
            new = labels.copy()
            for place in places:
                new[place] = rng.permutation(labels[place])
            yield new[of_trial]


def _codes(values: Array, within: Array | None = None) -> Array:
    """The index of each trial's value, values being different where what they lie within is."""
    codes = np.unique(values, return_inverse=True)[1]
    if within is None:
        return np.asarray(codes)
    return np.asarray(np.unique(np.column_stack([within, codes]), axis=0, return_inverse=True)[1]).ravel()
