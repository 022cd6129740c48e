"""Modules of a plain network that have no sites, and why."""

from __future__ import annotations

from torch import nn

from artiphys.adapters.adapter import Discovery
from artiphys.adapters.recurrent import Unrolled


def note_packed(name: str, unrolled: Unrolled, discovery: Discovery) -> None:
    """Why the states of a recurrent module have no sites, if they have none."""
    prefix = f"{name}." if name else ""
    points = (*unrolled.points, *unrolled.maps)
    if not any(f"{prefix}{p}" in discovery.taps for p in points):
        why = "this module was not run on a padded tensor (a PackedSequence, or not at all), so it cannot be unrolled"
        discovery.silent.update({f"{prefix}{p}": why for p in points})


def note_unseen(root: nn.Module, seen: set[str], recurrent: set[str], discovery: Discovery) -> None:
    """Why modules that are there have no site."""
    first: dict[int, str] = {}
    for name, module in root.named_modules(remove_duplicate=False):
        other = first.setdefault(id(module), name)
        if other != name:
            calls = [s for s in discovery.taps if s == other or s.startswith(f"{other}#")]
            discovery.silent[name] = f"it is the same module as {other!r}; its sites are {', '.join(calls[:4])}"
        elif name not in seen and not any(name.startswith(f"{r}.") or name == r for r in recurrent):
            discovery.silent[name] = (
                "this module was not called on the example. Either it did not run, or it was used without its "
                "hooks: by module.forward(x) instead of module(x), or by its weights alone"
            )
