"""method(): how anyone's function becomes a method that is examined."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal, get_args, overload

from artiphys.errors import InputError
from artiphys.toys.toy import Toy, Truth
from artiphys.verification.answer_forms import as_set, by_name, is_readable, of_units, ranked, read_players
from artiphys.verification.methods import CIRCUITS, Answer, Case, Method

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


@overload
def method(
    fn: Callable[..., Any], *, estimates: Estimates = "shapley", name: str | None = None, granted: float = 0.0
) -> Method: ...


@overload
def method(
    *, estimates: Estimates = "shapley", name: str | None = None, granted: float = 0.0
) -> Callable[[Callable[..., Any]], Method]: ...


def method(
    fn: Callable[..., Any] | None = None,
    *,
    estimates: Estimates = "shapley",
    name: str | None = None,
    granted: float = 0.0,
) -> Method | Callable[[Callable[..., Any]], Method]:
    """A function as a `Method`, also as a decorator ``@method(estimates=...)``.

    Parameters
    ----------
    fn : callable
        For "shapley" and "single_lesions" from an `ap.Game` to one number per player: an array or list in the order of
        ``game.player_names``, a Series, DataArray or mapping by their names, or an `ap.Attribution`. For "minimal
        circuits" from a game to the players of one set, or an `ap.Circuit`: right if that is a smallest minimal set.
        For "ranking" as for "shapley", of any scale: the largest absolute values are taken, those that are tied
        together, until they keep 95 % of what all players do, and that set is examined as for "minimal circuits", on
        networks that have players outside of all circuits.
        For "reading" from activity ``(trial, unit)`` and labels ``(trial,)`` to one number per unit, examined as a
        ranking of units on toys whose players are units and whose labels differ.
        For "d_prime", "auc", "selectivity" and "information" from activity ``(trial, unit)`` and labels ``(trial,)``
        to one number per unit.
    estimates : str
        What it claims to find; it is examined on every toy that states that.
    name : str, optional
        Default: the function's.
    granted : float
        Error that is forgiven, for estimates by sampling: a share of what lesioning all players does, such as .05.
    """
    if fn is None:
        return lambda f: method(f, estimates=estimates, name=name, granted=granted)
    if not callable(fn):
        raise InputError(f"the method came as {type(fn).__name__}; wanted a function")
    if estimates not in get_args(Estimates):
        raise InputError(f"estimates came as {estimates!r}; wanted one of {', '.join(get_args(Estimates))}")
    if not 0 <= granted < 1:
        raise InputError(f"granted came as {granted}; wanted a share of 0 or more, below 1")
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

    return Method(str(name or getattr(fn, "__name__", type(fn).__name__)), answer, applies, granted=granted)
