"""Methods: what is examined on toys; how anyone's function becomes one."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Literal, get_args, overload

import numpy as np
import pandas as pd
import xarray as xr

from artiphys.array_types import Array
from artiphys.errors import ArtiphysError, InputError
from artiphys.lesions import Attribution, Circuit, Game
from artiphys.missing import plain_array
from artiphys.preparation.preparation import Preparation
from artiphys.preparation.wrap import wrap
from artiphys.recording import record
from artiphys.toys.toy import Toy, Truth

Estimates = Literal[
    "shapley",
    "single_lesions",
    "minimal circuits",
    "ranking",
    "reading",
    "d_prime",
    "auc",
    "selectivity",
    "information",
]
OF_PLAYERS = ("shapley", "single_lesions")
CIRCUITS = "minimal circuits"
BATCH_SIZE = 20_000  # rows; toys are small
FAITHFULNESS = 0.95  # what the toys' minimal circuits are stated for
ROUNDING = 1e-9


@dataclass(frozen=True)
class Case:
    """A toy, one of its truths, and a wrapping of a copy of it: no other method has known or changed it."""

    toy: Toy
    truth: Truth

    @cached_property
    def prep(self) -> Preparation:
        """The wrapped toy."""
        return wrap(self.toy.model, self.toy.stimuli[:2], steps=self.toy.steps, copy=True)

    @cached_property
    def game(self) -> Game:
        """Its game, under the truth's kind of lesion."""
        toy, kind = self.toy, self.truth.kind
        players = toy.lesion_players(self.prep)
        how: Any = {"kind": kind, "batch_size": BATCH_SIZE, "progress": False}
        return Game(self.prep, toy.stimuli, toy.score, players, **how)

    @property
    def n_evaluations(self) -> int:
        """Coalitions evaluated so far."""
        return self.game.n_evaluations if "game" in self.__dict__ else 0


class InapplicableError(ArtiphysError):
    """Raised by a method on a network that it is not made for; such a case does not count.

    A network without a gradient is beyond a method of gradients; a wrong answer is no such case.
    """


@dataclass(frozen=True)
class Found:
    """A set of players, and where it came from a ranking, what the players were ranked by.

    Attributes
    ----------
    members : frozenset of str
    values : ndarray ``(player,)``, optional
        Larger absolute values rank first.
    """

    members: frozenset[str]
    values: Array | None = None


Answer = Mapping[str, float] | Found


@dataclass(frozen=True)
class Method:
    """Something that answers questions about networks.

    Attributes
    ----------
    name : str
    answer : callable
        From a case to values in the keys of its truth, or to a set of players.
    applies : callable
        From toy and truth to whether the method claims to answer that.
    peer : bool
        Another method, shown for comparison: a board passes whatever it says.
    granted : float
        Error that is forgiven, for estimates by sampling: a share of what lesioning all players does.
    """

    name: str
    answer: Callable[[Case], Answer] = field(repr=False)
    applies: Callable[[Toy, Truth], bool] = field(repr=False)
    peer: bool = False
    granted: float = 0.0


@overload
def method(fn: Callable[..., Any], *, estimates: Estimates = "shapley", name: str | None = None) -> Method: ...


@overload
def method(*, estimates: Estimates = "shapley", name: str | None = None) -> Callable[[Callable[..., Any]], Method]: ...


def method(
    fn: Callable[..., Any] | None = None, *, estimates: Estimates = "shapley", name: str | None = None
) -> Method | Callable[[Callable[..., Any]], Method]:
    """A function as a `Method`, also as a decorator ``@method(estimates=...)``.

    Parameters
    ----------
    fn : callable
        For "shapley" and "single_lesions" from an `ap.Game` to one number per player: an array or list in the order of
        ``game.player_names``, a Series, DataArray or mapping by their names, or an `ap.Attribution`. For "minimal
        circuits" from a game to the players of one set, or an `ap.Circuit`: right if that is a smallest minimal set.
        For "ranking" as for "shapley", of any scale: the largest absolute values are taken, those that are tied
        together, until they keep 95 % of what all players do, and that set is examined as for "minimal circuits".
        For "reading" from activity ``(trial, unit)`` and labels ``(trial,)`` to one number per unit, examined as a
        ranking of units on toys whose players are units and whose labels differ.
        For "d_prime", "auc", "selectivity" and "information" from activity ``(trial, unit)`` and labels ``(trial,)``
        to one number per unit.
    estimates : str
        What it claims to find; it is examined on every toy that states that.
    name : str, optional
        Default: the function's.
    """
    if fn is None:
        return lambda f: method(f, estimates=estimates, name=name)
    if not callable(fn):
        raise InputError(f"the method came as {type(fn).__name__}; wanted a function")
    if estimates not in get_args(Estimates):
        raise InputError(f"estimates came as {estimates!r}; wanted one of {', '.join(get_args(Estimates))}")
    called: Callable[..., Any] = fn

    def answer(case: Case) -> Answer:
        if estimates in OF_PLAYERS:
            return by_name(called(case.game), case.game.player_names, "player")
        if estimates == CIRCUITS:
            return as_set(called(case.game), case)
        if estimates == "ranking":
            return ranked(called(case.game), case)
        if estimates == "reading":
            return ranked(read_players(called, case), case)
        return of_units(called, case)

    def applies(toy: Toy, truth: Truth) -> bool:
        if estimates == "reading" and not is_readable(toy):
            return False
        return truth.analysis == (CIRCUITS if estimates in ("ranking", "reading") else estimates)

    return Method(str(name or getattr(fn, "__name__", type(fn).__name__)), answer, applies)


def by_name(given: Any, names: Any, what: str) -> dict[str, float]:
    """One number per player or unit, by its name.

    Raises
    ------
    InputError
        If numbers are missing, or are not one each.
    """
    if isinstance(given, Attribution):
        given = given.values
    if isinstance(given, xr.DataArray) and given.ndim == 1 and given.dims[0] in given.coords:
        given = given.to_series()
    if isinstance(given, pd.Series):
        given = given.to_dict()
    wanted = [str(n) for n in names]
    if isinstance(given, Mapping):
        values = {str(key): float(value) for key, value in given.items()}
        if lacking := [n for n in wanted if n not in values]:
            raise InputError(f"the method gave nothing for {what} {', '.join(lacking)}")
        return values
    numbers = plain_array(given)
    if numbers.shape != (len(wanted),) or numbers.dtype.kind not in "biuf":
        raise InputError(
            f"the method gave {type(given).__name__} of shape {np.shape(given)}; wanted {len(wanted)} numbers, one "
            f"per {what}, or a mapping by name"
        )
    return dict(zip(wanted, numbers.astype(float).tolist()))


def as_set(given: Any, case: Case) -> Found:
    """The set that was found.

    Raises
    ------
    InputError
        If these are no players of the game.
    """
    players: Any = given.players if isinstance(given, Circuit) else given
    if isinstance(players, str) or not hasattr(players, "__iter__"):
        raise InputError(f"the method gave {type(given).__name__}; wanted the names of the players of one set")
    members = {str(p) for p in players}
    known = {str(p) for p in case.game.player_names}
    if members - known:
        raise InputError(f"the method gave players that are not in the game: {', '.join(sorted(members - known))}")
    return Found(frozenset(members))


def ranked(given: Any, case: Case) -> Found:
    """The first players of a ranking that keep what all of them do; those that are tied come together."""
    game = case.game
    names = [str(p) for p in game.player_names]
    by_player = by_name(given, names, "player")
    values = np.array([by_player[n] for n in names])
    if not np.isfinite(values).all():
        raise InputError("the method gave NaN or infinite values; a ranking needs a number for each player")
    gap, kept = game.intact - game.lesioned, np.zeros(len(names), dtype=bool)
    for tied in tied_ranks(values):
        kept[tied] = True
        if abs((game(kept[None])[0] - game.lesioned) / gap - 1) <= 1 - FAITHFULNESS + ROUNDING:
            break
    return Found(frozenset(n for n, k in zip(names, kept) if k), values)


def tied_ranks(values: Array) -> list[list[int]]:
    """Players from the largest absolute value to the smallest, those of equal ones together."""
    size = np.abs(values)
    ranks: list[list[int]] = []
    for i in np.argsort(-size, kind="stable").tolist():
        if ranks and size[ranks[-1][0]] - size[i] <= ROUNDING * size.max():
            ranks[-1].append(i)
        else:
            ranks.append([i])
    return ranks


def is_readable(toy: Toy) -> bool:
    """Whether the players are units, and the trials differ in their labels."""
    return not (toy.connections or toy.windows or toy.grouped) and len(np.unique(toy.labels)) > 1


def read_players(fn: Callable[..., Any], case: Case) -> dict[str, float]:
    """What a reading says of each unit, by its player; activity over time is averaged."""
    values: dict[str, float] = {}
    activity = record(case.prep, case.toy.stimuli, case.toy.players, progress=False)
    for site in case.toy.players:
        x = activity[site]
        flat = x.mean([d for d in x.dims if d not in ("trial", "unit")]).to_numpy()
        values |= by_name(fn(flat, case.toy.labels), [f"{site}.{i}" for i in range(flat.shape[1])], "unit")
    return values


def of_units(fn: Callable[..., Any], case: Case) -> dict[str, float]:
    """What a reading says of the units that the truth names."""
    activity = record(case.prep, case.toy.stimuli, case.toy.players, progress=False)
    values: dict[str, float] = {}
    for site in dict.fromkeys(key.rsplit(".", 1)[0] for key in case.truth.expected):
        x = activity[site].to_numpy()
        units: list[Hashable] = [f"{site}.{i}" for i in range(x.shape[-1])]
        values |= by_name(fn(x.reshape(len(x), -1), case.toy.labels), units, "unit")
    return values
