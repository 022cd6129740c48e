"""Claims: which places hooks write and read, and whose order would matter if they were put on one after the other."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from artiphys.array_types import Array
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
    fixed : list of str
        Sites that nobody may write meanwhile.
    cut : dict of str to int array
        Connections that are cut, by the place where; the same ones may not be cut twice.
    """

    writes: list[str] = field(default_factory=list)
    reads: list[str] = field(default_factory=list)
    firsts: list[str] = field(default_factory=list)
    fixed: list[str] = field(default_factory=list)
    cut: dict[str, Array] = field(default_factory=dict)

    def write(self, place: str, first_at: Sequence[str]) -> None:
        """Note a write; `HookError` if others write before where it must be first."""
        _require_none(set(first_at) & set(self.writes))
        self.writes.append(place)
        self.firsts += first_at

    def withdraw(self, place: str) -> None:
        """Forget the writes at a place: others take them over."""
        self.writes = [p for p in self.writes if p != place]

    def require_apart(self, before: Sequence[Claims]) -> None:
        """`HookError` if their order with those that are in force already would matter, or they mean the same thing."""
        for other in before:
            _require_none(set(self.writes) & set(other.reads) | set(self.firsts) & set(other.writes))
            both = self.cut.keys() & other.cut.keys()
            if any(np.isin(self.cut[place], other.cut[place]).any() for place in both):
                raise HookError(
                    f"an edge that is in force already cuts the same of the {min(both)}: what it carries would be "
                    "taken out twice. Leave that block, or cut other connections"
                )
        fixed = {place for claims in (self, *before) for place in claims.fixed}
        if missed := fixed & {place for claims in (self, *before) for place in claims.writes}:
            raise HookError(
                f"a lesion at {min(missed)!r} cannot be combined with edges of the residual stream: it changes what "
                "they carry after heads and MLPs were told apart. Lesion heads (attn.hook_z), MLPs (hook_mlp_out), or "
                "the queries, keys and values instead"
            )


def _require_none(places: set[str]) -> None:
    if places:
        raise HookError(
            f"an edge and another lesion at {min(places)!r} cannot be applied one inside the other, since the edge "
            "acts on what comes into a unit, and on what its sender gives: apply them together, "
            "ap.lesioned(prep, a, b), or as players of one game"
        )
