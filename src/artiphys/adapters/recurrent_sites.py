"""Sites and connections of a recurrent module: its states, and what its gates are given, step by step."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import replace

import torch

from artiphys.adapters.connections import Connection, Sender
from artiphys.adapters.recurrent import Unrolled
from artiphys.adapters.transformer_axes import HeadSplit
from artiphys.adapters.weighted_maps import WeightedMap
from artiphys.hooks.taps import Tap, View
from artiphys.sites import Site

GATE_POINT = re.compile(r"(input|recurrent)(\d+)(_reverse)?")
N_GATES = {"LSTM": 4, "GRU": 3}


def recurrent_taps(prefix: str, unrolled: Unrolled, n_time: int, dtype: torch.dtype) -> Iterator[Tap]:
    """States of each layer (``h0``, ``c0``); what input and last state give to its gates (``input0``, ``recurrent0``).

    Parameters
    ----------
    prefix : str
        Of the names of sites.
    n_time : int
        Steps in the example.
    """
    module = unrolled.module
    for name, point in unrolled.points.items():
        size = module.proj_size if module.proj_size and name[0] == "h" else module.hidden_size
        yield Tap(
            Site(f"{prefix}{name}", ("time", "unit"), (n_time, size), "unit", dtype, stepped=True), point, call=None
        )
    n_gates = N_GATES.get(module.mode, 1)
    for name, gate_map in unrolled.maps.items():
        axes, sizes = ("time", "gate", "unit"), (n_time, n_gates, module.hidden_size)
        view = View(convert=HeadSplit(n_gates))
        if n_gates == 1:
            axes, sizes, view = ("time", "unit"), (n_time, module.hidden_size), View()  # type: ignore[assignment]
        yield Tap(Site(f"{prefix}{name}", axes, sizes, "unit", dtype, stepped=True), gate_map, view, call=None)


def recurrent_connections(
    name: str, unrolled: Unrolled, source: str | None, taps: Mapping[str, Tap]
) -> Iterator[Connection]:
    """Connections inside a recurrent module whose states are sites: to its gates from its input, and from its state.

    Parameters
    ----------
    source : str or None
        Site of the module's input.
    """
    prefix = f"{name}." if name else ""
    for point, gate_map in unrolled.maps.items():
        receiver = f"{prefix}{point}"
        if receiver not in taps:
            continue
        part, number, back = GATE_POINT.fullmatch(point).groups(default="")  # type: ignore[union-attr]
        layer, one_step = int(number), View()
        if part == "recurrent":
            state = f"{prefix}h{layer}{back}"
            senders = [Sender(taps[state].site, one_step, -1 if back else 1)]
        elif layer == 0:
            senders = [] if source is None else [Sender(taps[source].site, one_step)]
        else:
            below = [f"{prefix}h{layer - 1}{suffix}" for suffix in unrolled.suffixes()]
            size = taps[below[0]].site.n_units
            senders = [Sender(taps[s].site, one_step, 0, i * size) for i, s in enumerate(below)]
        if senders:
            yield Connection(replace(taps[receiver], module=gate_map), WeightedMap(gate_map), tuple(senders))
