"""What methods may give as answers, made into values by name or into sets; readings and rankings of players."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from artiphys.array_types import Array
from artiphys.errors import InputError
from artiphys.lesions import Attribution, Circuit
from artiphys.missing import plain_array
from artiphys.recording import record
from artiphys.toys.toy import Toy
from artiphys.verification.methods import ROUNDING, Case, Found, InapplicableError


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
        if given.index.has_duplicates:
            raise InputError(f"the method gave two values for one {what}; wanted one each")
        given = given.to_dict()
    wanted = [str(n) for n in names]
    if isinstance(given, Mapping):
        values = {str(key): float(value) for key, value in given.items()}
        if foreign := [n for n in values if n not in wanted]:
            raise InputError(f"the method gave values for what is no {what} of this network: {', '.join(foreign)}")
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
        raise InputError(
            f"the method gave players that are not in the game: {', '.join(sorted(members - known))}; wanted names out "
            f"of game.player_names, such as {min(known)}, of one set"
        )
    return Found(frozenset(members))


def ranked(given: Any, case: Case) -> Found:
    """The first players of a ranking that keep what all of them do; those that are tied come together.

    Raises
    ------
    InapplicableError
        If every player is in a minimal circuit: then a ranking that knows it ties all of them, and any arbitrary order
        would do better.
    """
    game = case.game
    names = [str(p) for p in game.player_names]
    if {p for key in case.truth.expected for p in key.split("+")} >= set(names):
        raise InapplicableError("every player is in a minimal circuit, so there is nothing to rank them against")
    by_player = by_name(given, names, "player")
    values = np.array([by_player[n] for n in names])
    if not np.isfinite(values).all():
        raise InputError("the method gave NaN or infinite values; a ranking needs a number for each player")
    gap, kept = game.intact - game.lesioned, np.zeros(len(names), dtype=bool)
    for tied in tied_ranks(values):
        kept[tied] = True
        if abs((game(kept[None])[0] - game.lesioned) / gap - 1) <= 1 - case.truth.faithfulness + ROUNDING:
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
