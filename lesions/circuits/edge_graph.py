"""A circuit of connections as a directed graph: what they lead from and to as nodes, members as edges."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

import networkx as nx
import pandas as pd

from artiphys.errors import InputError
from artiphys.lesions.contributions.result import Attribution

ARROW = re.compile(r"\s*→\s*")
PARTS = (
    (re.compile(r"blocks\.(\d+)\.attn\.hook_([zqkv])\.(\d+)"), r"\1.\3"),
    (re.compile(r"blocks\.(\d+)\.attn\.hook_([zqkv])"), r"heads \1"),
    (re.compile(r"blocks\.(\d+)\.(?:hook_mlp_out|ln2\.hook_in)"), r"mlp \1"),
    (re.compile(r"blocks\.0\.hook_resid_pre"), "embedding"),
    (re.compile(r"ln_final\.hook_in"), "readout"),
)


def are_edges(names: Sequence[str]) -> bool:
    """Whether all players are single connections, by their names.

    >>> are_edges(["a → b", "b.1 → c.0"]), are_edges(["hidden.0"]), are_edges(["a → b + b → c"])
    (True, False, False)
    """
    return bool(names) and all(len(ARROW.split(name)) == 2 for name in names)


def ends(name: str) -> tuple[str, str, str]:
    """Sender, receiver, and the receiver's input (``"q"``, ``"k"``, ``"v"`` of a head) of a connection's name.

    What a part of a transformer sends and what it receives are the same node.

    >>> ends("blocks.0.attn.hook_z.3 → blocks.1.attn.hook_q.2"), ends("x→h")
    (('0.3', '1.2', 'q'), ('x', 'h', ''))
    """
    sender, receiver = ARROW.split(name)
    slot = re.search(r"attn\.hook_([qkv])(?:\.\d+)?$", receiver)
    return _part(sender), _part(receiver), slot[1] if slot else ""


def _part(site: str) -> str:
    for pattern, name in PARTS:
        if pattern.fullmatch(site):
            return pattern.sub(name, site)
    return site


def edge_graph(
    members: pd.DataFrame, contributions: Attribution | None, labels: Mapping[str, Any]
) -> nx.MultiDiGraph[Any]:
    """Members as edges between what they connect, by their name; values that GraphML can hold.

    Raises
    ------
    InputError
        If contributions are of other players, or of several outputs.
    """
    graph: nx.MultiDiGraph[Any] = nx.MultiDiGraph(**labels)
    values: dict[str, float] = {}
    if contributions is not None:
        if contributions.values.ndim > 1:
            raise InputError("these contributions have several outputs; a graph shows one")
        values = {str(p): float(v) for p, v in zip(contributions.values["player"].values, contributions.values)}
    for name, row in members.iterrows():
        sender, receiver, slot = ends(str(name))
        found = {"effect": float(row["effect"]), "confirmed": bool(row["confirmed"]), "slot": slot}
        if row["p_holm"] == row["p_holm"]:
            found.update(stderr=float(row["stderr"]), p=float(row["p_holm"]))
        if values:
            if str(name) not in values:
                raise InputError(f"the contributions are of other players: {str(name)!r} is not among them")
            found["contribution"] = values[str(name)]
        graph.add_edge(sender, receiver, key=str(name), **found)
    return graph
