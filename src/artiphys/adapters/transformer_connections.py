"""Connections inside the layers of a transformer: linear layers between two of TransformerLens's hooks."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

from torch import nn

from artiphys.adapters.adapter import Discovery
from artiphys.adapters.connections import Connection, Sender
from artiphys.adapters.transformer_axes import HeadSplit
from artiphys.adapters.weighted_maps import WeightedMap
from artiphys.hooks.taps import Tap, View


def connections_inside(bridge: Any, discovery: Discovery) -> dict[str, Connection]:
    """Linear layers of a bridge by the site of their output, if it is ``(trial, time, entry)``."""
    taps = {id(tap.module): tap for tap in discovery.taps.values()}
    found: dict[str, Connection] = {}
    for part in bridge.modules():
        inner = getattr(part, "original_component", None)
        weighted = WeightedMap.of(inner) if isinstance(inner, nn.Module) else None
        given, made = (taps.get(id(getattr(part, hook, None))) for hook in ("hook_in", "hook_out"))
        if weighted is None or weighted.is_convolution or given is None or made is None:
            continue
        sender, receiver = (_view(tap, n) for tap, n in ((given, weighted.n_inputs), (made, weighted.n_outputs)))
        if sender is None or receiver is None:
            continue
        tap = replace(made, module=weighted.module, view=receiver)
        found[made.site.name] = Connection(tap, weighted, (Sender(given.site, sender),))
    return found


def _view(tap: Tap, n: int) -> View | None:
    """How entries side by side become the site's form; None where it is another."""
    if tap.view.trial_axis or tap.view.merged or "time" not in tap.site.axes[:1]:
        return None
    sizes = tap.site.sizes[1:]
    if math.prod(sizes) != n:
        return None
    return View() if len(sizes) == 1 else View(convert=HeadSplit(sizes[0])) if len(sizes) == 2 else None
