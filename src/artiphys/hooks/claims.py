"""Claims: which places hooks write and read, and whose order would matter if they were put on one after the other."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from artiphys.errors import HookError


@dataclass
class Claims:
    """What one tapping writes, and what its writes must find unwritten.

    Attributes
    ----------
    writes : list of str
        Places written.
    reads : list of str
        Sites read on the way for a write further on: what is written there later would be missed.
    firsts : list of str
        Places that must not have been written by others before: what was written there would be undone.
    """

    writes: list[str] = field(default_factory=list)
    reads: list[str] = field(default_factory=list)
    firsts: list[str] = field(default_factory=list)

    def write(self, place: str, first_at: Sequence[str]) -> None:
        """Note a write; `HookError` if others write before where it must be first."""
        _require_none(set(first_at) & set(self.writes))
        self.writes.append(place)
        self.firsts += first_at

    def require_apart(self, before: Sequence[Claims]) -> None:
        """`HookError` if their order with those that are in force already would matter."""
        for other in before:
            _require_none(set(self.writes) & set(other.reads) | set(self.firsts) & set(other.writes))


def _require_none(places: set[str]) -> None:
    if places:
        raise HookError(
            f"an edge and another lesion at {min(places)!r} cannot be applied one inside the other, since the edge "
            "acts on what comes into a unit, and on what its sender gives: apply them together, "
            "ap.lesioned(prep, a, b), or as players of one game"
        )
