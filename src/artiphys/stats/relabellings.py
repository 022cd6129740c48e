"""Relabellings: exchange of labels between the units of each container, and turns of labels in their order.

A unit is what bears one label (a trial, a block, a group); a container is what its label may move in.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator

import numpy as np
from jaxtyping import Integer, Shaped

from artiphys.array_types import Array


def containers_of(container: Integer[Array, " unit"]) -> list[Integer[Array, " member"]]:
    """Indices of the units in each container."""
    return [np.flatnonzero(container == c) for c in np.unique(container)]


def n_arrangements(labels: Shaped[Array, " unit"]) -> float:
    """Number of different orders of labels; inf above 1e15.

    >>> n_arrangements(np.array([0, 0, 1, 1]))
    6.0
    """
    _, counts = np.unique(labels, return_counts=True)
    log = math.lgamma(len(labels) + 1) - sum(math.lgamma(c + 1) for c in counts)
    return math.inf if log > math.log(1e15) else float(round(math.exp(log)))


def every_arrangement(labels: Shaped[Array, " unit"], places: list[Array]) -> Iterator[Shaped[Array, " unit"]]:
    """All different relabellings within containers, the given one first."""
    given = [labels[p] for p in places]
    each = [[g, *(a for a in _arrangements(g) if not np.array_equal(a, g))] for g in given]
    for chosen in itertools.product(*each):
        new = labels.copy()
        for place, values in zip(places, chosen):
            new[place] = values
        yield new


def _arrangements(labels: Array) -> Iterator[Array]:
    names, counts = np.unique(labels, return_counts=True)
    left = counts.tolist()
    order = np.empty(len(labels), dtype=int)

    def fill(place: int) -> Iterator[Array]:
        if place == len(order):
            yield names[order]
            return
        for i in range(len(left)):
            if left[i]:
                left[i] -= 1
                order[place] = i
                yield from fill(place + 1)
                left[i] += 1

    return fill(0)


def n_turns(labels: Shaped[Array, " trial"]) -> int:
    """How many different orders turning the labels round gives, their own among them."""
    n = len(labels)
    for period in range(1, n // 2 + 1):
        if n % period == 0 and np.array_equal(labels, np.roll(labels, period)):
            return period
    return n


def every_turn(labels: Shaped[Array, " trial"], places: list[Array]) -> Iterator[Shaped[Array, " trial"]]:
    """All different turns of the labels in each container, the given ones first."""
    for turns in itertools.product(*(range(n_turns(labels[p])) for p in places)):
        yield turned(labels, places, turns)


def turned(labels: Shaped[Array, " trial"], places: list[Array], turns: tuple[int, ...]) -> Shaped[Array, " trial"]:
    """Labels turned by so many trials in each container."""
    new = labels.copy()
    for place, by in zip(places, turns):
        new[place] = np.roll(labels[place], by)
    return new


def n_renamings(labels: Shaped[Array, " unit"], places: list[Array]) -> float:
    """How many renamings of the labels are themselves relabellings.

    Labels that are equally frequent in every container can swap their names: a test of differences between them
    cannot tell such a relabelling from the labels as they are, so that p is at least this number over that of all.

    >>> n_renamings(np.array([0, 0, 1, 1, 2]), [np.arange(5)])
    2
    """
    names = np.unique(labels)
    frequent = np.array([[np.sum(labels[p] == name) for p in places] for name in names])
    _, alike = np.unique(frequent, axis=0, return_counts=True)
    return math.prod(math.factorial(int(a)) for a in alike) if alike.max() < 100 else math.inf
