"""Overlap: players of one game must not lesion the same entries of a site."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import combinations, product

from artiphys.errors import InputError, LesionError
from artiphys.lesions.operations.edge_overlap import AnyEdge, shared_by
from artiphys.lesions.operations.interventions import AnyWriter
from artiphys.lesions.operations.writer import Writer

MAX_PLACES = 10_000_000  # units times times, of all players at a site
Entry = tuple[int, Writer, str, frozenset[int]]


def check_overlap(names: Sequence[str], players: Sequence[Sequence[AnyWriter]]) -> None:
    """Raise `InputError` if two lesions of a game write the same entries of a site, or cut the same connection.

    Projections at one site may: together they remove the span of their directions.
    """
    by_site: dict[str, list[Entry]] = {}
    edges: dict[str, list[tuple[int, AnyEdge]]] = {}
    for i, parts in enumerate(players):
        for w in parts:
            if isinstance(w, Writer):
                by_site.setdefault(w.site.name, []).append((i, w, *_place(w)))
            else:
                edges.setdefault(w.place, []).append((i, w))
    for some in edges.values():
        if both := shared_by(some):
            raise InputError(
                f"players overlap: {names[both[0]]!r} and {names[both[1]]!r} both cut the same connection into "
                f"{some[0][1].site.name!r}; give each connection to one player"
            )
    for site, entries in by_site.items():
        if _surely_apart(entries):
            continue
        for (i, a, axis_a, units_a), (j, b, axis_b, units_b) in _pairs(entries):
            projections = a.lesion.kind == b.lesion.kind == "project"
            if projections and a.frame == b.frame:
                continue
            if a.lesion.window.is_apart_from(b.lesion.window) or (axis_a == axis_b and units_a.isdisjoint(units_b)):
                continue
            if projections:
                raise LesionError(
                    f"projections at {site!r} on the same entries remove one span together; give them the same axis, "
                    "units, time and reference"
                )
            shared = sorted(units_a & units_b) if axis_a == axis_b else "entries"
            raise InputError(
                f"players overlap at {site!r}: {names[i]!r} and {names[j]!r} both lesion {axis_a} {shared}; "
                "give each unit to one player"
            )


def _place(writer: Writer) -> tuple[str, frozenset[int]]:
    axis = writer.unit_axis or writer.site.unit_axis
    return axis, frozenset(writer.units())


def _surely_apart(entries: Sequence[Entry]) -> bool:
    """The common cases, fast: one axis and every unit named once, or projections that go together."""
    if len({(w.frame if w.lesion.kind == "project" else i) for i, w, *_ in entries}) == 1:
        return True
    named = sum(len(units) for *_, units in entries)
    return len({axis for _, _, axis, _ in entries}) == 1 and named == len(
        frozenset().union(*(units for *_, units in entries))
    )


def _pairs(entries: Sequence[Entry]) -> Iterator[tuple[Entry, Entry]]:
    """Pairs that may overlap: those that share a unit at a time, where all units and times are known by number."""
    places = [(units, w.lesion.window.positions()) for _, w, _, units in entries]
    one_axis = len({axis for _, _, axis, _ in entries}) == 1
    n_places = sum(len(units) * len(times) for units, times in places if times is not None)
    if not one_axis or any(times is None for _, times in places) or n_places > MAX_PLACES:
        yield from combinations(entries, 2)
        return
    seen: dict[tuple[int, int], Entry] = {}
    for entry, (units, times) in zip(entries, places):
        for place in product(units, times or ()):
            if place in seen:
                yield seen[place], entry
            seen[place] = entry
