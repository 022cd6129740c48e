"""What toys of reading share: a code, a linear readout of some of its units, and what lesions of these cost."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from torch import Tensor, nn

from artiphys.array_types import Array
from artiphys.errors import InputError
from artiphys.players import Player, Target
from artiphys.toys.toy import Truth, linear

Groups = Mapping[str, Sequence[int]]  # units of one site, by the name of the player that they are
OWN_TRIALS = "the readout of each coalition on the toy's own trials, in numpy"


class CodeNet(nn.Module):
    """A code, its units ``hidden``, and a linear readout whose sign is the decision."""

    def __init__(self, code: nn.Module, weights: Sequence[float] | Array, bias: float = 0.0) -> None:
        super().__init__()
        self.hidden = code
        self.readout = linear([np.asarray(weights, dtype=float).tolist()], [bias])

    def forward(self, x: Tensor) -> Tensor:
        """Inputs ``(trial, source)`` -> decision variable ``(trial,)``."""
        y: Tensor = self.readout(self.hidden(x))
        return y[:, 0]


def four_errors(n: int, p: float = 0.5) -> float:
    """Four standard errors of a proportion of ``n`` trials."""
    return 4 * math.sqrt(p * (1 - p) / n)


def units_of(names: Groups, site: str = "hidden") -> tuple[Player, ...]:
    """Groups of units as players."""
    return tuple(Player(name, (Target(site, tuple(units), "unit"),)) for name, units in names.items())


def each_unit(n: int) -> Groups:
    """Every unit a player of its own."""
    return {f"hidden.{u}": [u] for u in range(n)}


def lesion_truths(
    contributions: Array, labels: Array, players: Groups, bias: float = 0.0, source: str = OWN_TRIALS
) -> list[Truth]:
    """Single lesions and Shapley values of a readout under zero lesions, on the toy's own trials.

    Parameters
    ----------
    contributions : ``(trial, unit)``
        Activity times readout weight.
    labels : ``(trial,)``, 0 or 1
        The decision is 1 where contributions and bias sum to 0 or more.
    players : mapping of name to units
        Those whose readout is 0 are known to matter nothing and are not enumerated.
    """
    given = {name: contributions[:, list(units)].sum(axis=1) for name, units in players.items()}
    matter = [name for name, part in given.items() if np.abs(part).max() > 0]
    values = {}
    for size in range(len(matter) + 1):
        for intact in itertools.combinations(range(len(matter)), size):
            y = bias + sum((given[matter[i]] for i in intact), np.zeros(len(labels)))
            values[intact] = float(np.mean((y >= 0) == (labels == 1)))
    every = tuple(range(len(matter)))
    alone = {matter[i]: values[every] - values[tuple(j for j in every if j != i)] for i in every}
    shares = {matter[i]: _shapley(values, len(matter), i) for i in every}
    idle = {name: 0.0 for name in players if name not in matter}
    return [
        Truth("shapley", {**shares, **idle}, "zero", 1e-6, source),
        Truth("single_lesions", {**alone, **idle}, "zero", 1e-6, source),
    ]


def _shapley(values: Mapping[tuple[int, ...], float], n: int, player: int) -> float:
    """Mean over orders of what a player adds to those before it."""
    total = 0.0
    for others, value in values.items():
        if player not in others:
            added = values[tuple(sorted((*others, player)))] - value
            total += added / (n * math.comb(n - 1, len(others)))
    return total


def counted(name: str, value: Any, least: int, even: bool = False) -> int:
    """A whole number of an option, or `InputError`."""
    if isinstance(value, bool) or not isinstance(value, int) or value < least or (even and value % 2):
        raise InputError(f"{name} came as {value!r}; wanted a whole{' even' * even} number, {least} or more")
    return value
