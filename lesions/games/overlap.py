"""Overlap: players of one game must not lesion the same entries of a site."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations

from artiphys.errors import InputError, LesionError
from artiphys.lesions.operations.writer import Writer

Entry = tuple[int, Writer, str, frozenset[int]]


def check_overlap(names: Sequence[str], players: Sequence[Sequence[Writer]]) -> None:
    """Raise `InputError` if two lesions of a game write the same entries of a site.

    Projections at one site may: together they remove the span of their directions.
    """
    by_site: dict[str, list[Entry]] = {}
    for i, parts in enumerate(players):
        for w in parts:
            by_site.setdefault(w.site.name, []).append((i, w, *_place(w)))
    for site, entries in by_site.items():
        if _surely_apart(entries):
            continue
        for (i, a, axis_a, units_a), (j, b, axis_b, units_b) in combinations(entries, 2):
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
    """The common case, fast: one axis, and every unit named once."""
    named = sum(len(units) for *_, units in entries)
    return len({axis for _, _, axis, _ in entries}) == 1 and named == len(
        frozenset().union(*(units for *_, units in entries))
    )
