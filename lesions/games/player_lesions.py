"""Player lesions: the lesions that each player of a game stands for, and their names."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal, get_args

from artiphys.errors import InputError, LesionError
from artiphys.lesions.operations.edge import ARROW, Edge, EdgeKind
from artiphys.lesions.operations.lesion import Kind, Lesion
from artiphys.lesions.operations.time_window import TimeWindow
from artiphys.players import Link, Player, Target
from artiphys.preparation.preparation import Preparation
from artiphys.recording import Recording, record
from artiphys.stimuli import Stimuli

GameKind = Kind | Literal["mixed"]
PlayerLike = Player | Lesion | Sequence[Lesion]


def player_lesions(
    prep: Preparation,
    players: Sequence[PlayerLike],
    kind: GameKind,
    stimuli: Stimuli | None,
    reference: Recording | Stimuli | None,
    options: Mapping[str, Any],
    progress: bool,
) -> tuple[list[str], list[list[Lesion]]]:
    """Names of the players, and the lesions of each.

    Raises
    ------
    InputError
        If there are no players, or one is named twice.
    LesionError
        If the kind is unknown, or a player's lesion is of another kind.
    """
    if kind != "mixed" and kind not in get_args(Kind):
        raise LesionError(f"kind came as {kind!r}; wanted one of {', '.join(get_args(Kind))}, or 'mixed'")
    if not players:
        raise InputError("a game needs at least one player; got none")
    source = _reference(prep, players, kind, stimuli, reference, progress)
    names: list[str] = []
    seen: dict[str, int] = {}
    parts: list[list[Lesion]] = []
    shared: dict[str, Lesion] = {}
    for p in players:
        if isinstance(p, Player):
            if kind == "mixed":
                raise LesionError("kind='mixed' is for players that are lesions; name one kind for units")
            names.append(p.name)
            parts.append([_made(t, kind, options, source, shared) for t in p.targets])
            continue
        lesions = _listed(p, kind)
        name = " + ".join(les.label() for les in lesions)
        seen[name] = seen.get(name, 0) + 1
        names.append(name if seen[name] == 1 else f"{name} #{seen[name]}")
        parts.append(lesions)
    if len(set(names)) != len(names):
        twice = sorted({n for n in names if names.count(n) > 1})
        raise InputError(f"players overlap: {twice[:3]} named more than once")
    return names, parts


def _listed(p: Any, kind: GameKind) -> list[Lesion]:
    lesions: list[Any] = list(p) if isinstance(p, (list, tuple)) else [p]
    if not lesions or not all(isinstance(les, Lesion) for les in lesions):
        raise InputError(f"a player came as {p!r}; wanted a Player (prep.players), a Lesion or a list of them")
    other = {les.kind for les in lesions} - {kind}
    if other and kind != "mixed":
        raise LesionError(f"the game is of kind {kind!r}, but a player is a lesion of kind {other}")
    return lesions


def _reference(
    prep: Preparation, players: Sequence[PlayerLike], kind: GameKind, stimuli: Stimuli | None, reference: Any,
    progress: bool,
) -> Recording | None:  # fmt: skip
    """One recording for all players, so that each site is run once and its mean kept once."""
    if kind not in ("mean", "resample"):
        if reference is not None and kind != "mixed":
            raise LesionError(f"reference= means nothing to a game of kind {kind!r}")
        return None
    if isinstance(reference, Recording):
        return reference
    sites = list(
        dict.fromkeys(
            t.sender if isinstance(t, Link) else t.site for p in players if isinstance(p, Player) for t in p.targets
        )
    )
    if not sites:
        return None
    if reference is None and stimuli is None:
        raise LesionError(f"a game without stimuli of kind {kind!r} needs reference=recording or stimuli")
    with prep.intact():  # as of a lesion whose reference are stimuli
        return record(prep, stimuli if reference is None else Stimuli.of(reference), sites, progress=progress)  # type: ignore[arg-type]


def _made(
    target: Target | Link, kind: Kind, options: Mapping[str, Any], reference: Recording | None,
    shared: dict[str, Lesion],
) -> Lesion:  # fmt: skip
    """One target's lesion; all at a site share one mean table or donor pool."""
    if isinstance(target, Link):
        return _cut(target, kind, options, reference, shared)
    if target.site not in shared:
        shared[target.site] = Lesion(target.site, kind=kind, reference=reference, **options)
    if target.axis == "time":  # a time of every trial, counted over what is no padding
        if options.get("time") is not None:
            raise LesionError("players along time and time= both name times; leave one out")
        return shared[target.site].changed(time=TimeWindow.of(target.units).times)
    if target.times is not None:
        if options.get("time") is not None:
            raise LesionError("players in windows and time= both name times; leave one out")
        return shared[target.site].changed(units=target.units, axis=target.axis, time=TimeWindow.of(target.times).times)
    return shared[target.site].changed(units=target.units, axis=target.axis)


def _cut(
    link: Link, kind: Kind, options: Mapping[str, Any], reference: Recording | None, shared: dict[str, Lesion]
) -> Edge:
    """The edge of some connections; all of one sender share one mean table or donor pool."""
    if kind not in get_args(EdgeKind):
        raise LesionError(f"connections are cut by kind 'zero', 'mean' or 'resample'; the game is of kind {kind!r}")
    key = f"{link.sender}{ARROW}"
    if key not in shared:
        own = {name: value for name, value in options.items() if name in ("time", "over", "seed", "n_donors")}
        shared[key] = Edge(link.sender, link.receiver, kind=kind, reference=reference, **own)  # type: ignore[arg-type]
    first: Any = shared[key]
    edge: Edge = first.sent_by(first.source.changed(units=link.sender_units))
    return edge.ending_at(link.receiver, link.receiver_units)
