"""Players: the things a lesion study lesions alone and together."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from artiphys.border import shown
from artiphys.errors import InputError
from artiphys.sites import Site

Grouping = Literal["site", "layer"]


@dataclass(frozen=True)
class Target:
    """Some units of one site, along one axis; at some times, or at all of them (None)."""

    site: str
    units: tuple[int, ...]
    axis: str
    times: tuple[int, ...] | None = None


@dataclass(frozen=True)
class Link:
    """Connections from some units of one site to some of another; None for all of them."""

    sender: str
    sender_units: tuple[int, ...] | None
    receiver: str
    receiver_units: tuple[int, ...] | None

    @property
    def site(self) -> str:
        """Site that receives."""
        return self.receiver


@dataclass(frozen=True)
class Player:
    """One player of a game: a unit, a head, an expert, or a group of them at any sites; or connections between them.

    >>> Player("hidden.0", (Target("hidden", (0,), "unit"),)).name
    'hidden.0'
    """

    name: str
    targets: tuple[Target | Link, ...]


class Players(Sequence[Player]):
    """An ordered, immutable list of players; prints as one line each."""

    def __init__(self, players: Sequence[Player]) -> None:
        self._players = tuple(players)

    def __getitem__(self, index: object) -> Player | Players:  # type: ignore[override]
        if isinstance(index, slice):
            return Players(self._players[index])
        if isinstance(index, str):
            for p in self._players:
                if p.name == index:
                    return p
            raise InputError(f"there is no player {index!r}; there are {self.names}")
        return self._players[int(index)]  # type: ignore[call-overload]

    def __iter__(self) -> Iterator[Player]:
        return iter(self._players)

    def __len__(self) -> int:
        return len(self._players)

    @property
    def names(self) -> list[str]:
        """Names in order."""
        return [p.name for p in self._players]

    def __repr__(self) -> str:
        return f"{len(self)} players: " + ", ".join(self.names[:12]) + (", ..." if len(self) > 12 else "")


def players_of(
    sites: Sequence[Site],
    *,
    units: Sequence[int] | None = None,
    axis: str | None = None,
    group_by: Grouping | Sequence[Sequence[int]] | None = None,
    windows: Sequence[tuple[int, int]] | None = None,
) -> Players:
    """One player per unit of the given sites, or one per group.

    Parameters
    ----------
    sites : sequence of Site
    units : sequence of int, optional
        Only these indices along ``axis``.
    axis : str, optional
        Default is each site's unit axis.
    group_by : "site", "layer" or lists of indices, optional
        "site" makes one player of each site; "layer" one of all sites of a layer (the first number in
        the name); lists of indices make one player per list at each site.
    windows : sequence of (start, stop), optional
        Each player is one in each of these windows of time, ``stop`` not included.
    """
    if windows is not None:
        spans = [_window(w) for w in windows]
        if not spans:
            raise InputError("windows came empty; give at least one (start, stop), or leave it out")
        whole = players_of(sites, units=units, axis=axis, group_by=group_by)
        return Players([_during(p, *span, sites) for span in spans for p in whole])
    singles: list[Player] = []
    for site in sites:
        along = axis or known_unit_axis(site)
        n = site.size(along)
        if along == "time" and units is None and (group_by is None or isinstance(group_by, str)):
            raise InputError(
                f"how many times site {site.name!r} has depends on the stimuli; give them (stimuli=), or the times "
                "(units=)"
            )
        chosen = list(range(n)) if units is None else list(units)
        checked_units(site, along, chosen)
        if group_by is None:
            singles += [Player(f"{site.name}.{u}", (Target(site.name, (u,), along),)) for u in chosen]
        elif isinstance(group_by, str):
            singles.append(Player(site.name, (Target(site.name, tuple(chosen), along),)))
        else:
            for group in group_by:
                if not isinstance(group, (Sequence, np.ndarray)) or isinstance(group, (str, bytes)):
                    raise InputError(f"a group of group_by came as {shown(group)}; wanted a list of unit indices")
                members = checked_units(site, along, list(group))
                label = "+".join(str(u) for u in members)
                singles.append(Player(f"{site.name}.{label}", (Target(site.name, members, along),)))
    if isinstance(group_by, str) and group_by == "layer":
        return Players(_by_layer(singles))
    if isinstance(group_by, str) and group_by != "site":
        raise InputError(f"group_by came as {group_by!r}; wanted 'site', 'layer' or lists of unit indices")
    return Players(singles)


def _window(window: object) -> tuple[int, int]:
    """Start and stop of a window."""
    pair = tuple(window) if isinstance(window, (Sequence, range)) and not isinstance(window, str) else ()
    if isinstance(window, range) and window.step == 1 and len(window):
        pair = (window.start, window.stop)
    if len(pair) != 2 or any(isinstance(t, bool) or not isinstance(t, (int, np.integer)) for t in pair):
        raise InputError(f"a window came as {shown(window)}; wanted (start, stop) in whole steps, stop not included")
    start, stop = int(pair[0]), int(pair[1])
    if not 0 <= start < stop:
        raise InputError(f"a window came as ({start}, {stop}); wanted 0 <= start < stop")
    return start, stop


def _during(player: Player, start: int, stop: int, sites: Sequence[Site]) -> Player:
    by_name = {site.name: site for site in sites}
    units = [t for t in player.targets if isinstance(t, Target)]
    for target in units:
        if target.axis == "time" or "time" not in by_name[target.site].axes:
            raise InputError(
                f"windows need a time axis beside that of the players; site {target.site!r} has "
                f"{by_name[target.site].axes} and its players lie along {target.axis!r}"
            )
    times = tuple(range(start, stop))
    targets = tuple(Target(t.site, t.units, t.axis, times) for t in units)
    return Player(f"{player.name}[{start}:{stop}]", targets)


def known_unit_axis(site: Site) -> str:
    """The axis of a site's units, or `InputError` if it is only guessed."""
    if not site.unit_known:
        raise InputError(
            f"of site {site.name!r} with the axes {site.axes} it is not known which holds the units: neither the "
            f"module's type nor the lengths of the inputs tell. Say which: axis={site.unit_axis!r}, or another"
        )
    return site.unit_axis


def checked_units(site: Site, axis: str, units: Sequence[int]) -> tuple[int, ...]:
    """Units as a tuple, or `InputError` if one is out of range or named twice."""
    n = site.size(axis)
    if any(isinstance(u, bool) or not isinstance(u, (int, np.integer)) for u in units):
        raise InputError(f"units of site {site.name!r} came as {list(units)}; wanted whole numbers")
    if axis == "time":  # their number is that of the example; that of the stimuli is known when they are run
        n = max(n, *(abs(u) + 1 for u in units)) if units else n
    for u in units:
        if not -n <= u < n:
            raise InputError(f"site {site.name!r} has {n} entries along {axis!r} (0 to {n - 1}); unit {u} is none")
    positive = tuple(int(u) if axis == "time" else u % n for u in units)
    if len(set(positive)) != len(positive):
        raise InputError(f"units {list(units)} of site {site.name!r} name one unit twice")
    if not positive:
        raise InputError(f"no units of site {site.name!r} were named; give at least one, or None for all")
    return positive


def _by_layer(players: Sequence[Player]) -> list[Player]:
    layers: dict[str, list[Target | Link]] = {}
    for p in players:
        number = next((part for part in p.name.split(".") if part.isdigit()), p.name)
        layers.setdefault(f"layer {number}" if number.isdigit() else number, []).extend(p.targets)
    return [Player(name, tuple(targets)) for name, targets in layers.items()]
