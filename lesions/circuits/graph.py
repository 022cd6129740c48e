"""A circuit as a graph of networkx: members with what they do, and what they do together."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import networkx as nx
import numpy as np
import pandas as pd

from artiphys.errors import BudgetError, InputError, StatisticsError
from artiphys.lesions.contributions.result import Attribution
from artiphys.lesions.interaction_indices.result import Interactions


def circuit_graph(
    members: pd.DataFrame,
    contributions: Attribution | None,
    interactions: Interactions | None,
    labels: Mapping[str, Any],
) -> nx.Graph[Any]:
    """Members as nodes; values that GraphML can hold (numbers, text, flags).

    Raises
    ------
    InputError
        If contributions or interactions are of other players, or of several outputs.
    """
    graph: nx.Graph[Any] = nx.Graph(**labels)
    for name, row in members.iterrows():
        graph.add_node(str(name), effect=float(row["effect"]), confirmed=bool(row["confirmed"]))
        if not np.isnan(row["p_holm"]):
            graph.nodes[str(name)].update(stderr=float(row["stderr"]), p=float(row["p_holm"]))
    if contributions is not None:
        _add_contributions(graph, contributions)
    if interactions is not None:
        inside = interactions.to_networkx()
        _require(graph, inside.nodes, "interactions")
        graph.add_edges_from((a, b, data) for a, b, data in inside.edges(data=True) if a in graph and b in graph)
    return graph


def _add_contributions(graph: nx.Graph[Any], contributions: Attribution) -> None:
    if contributions.values.ndim > 1:
        raise InputError("these contributions have several outputs; a graph shows one")
    names = [str(p) for p in contributions.values["player"].values]
    _require(graph, names, "contributions")
    try:
        low, high = contributions.interval()
    except (BudgetError, StatisticsError):
        low = high = contributions.values * np.nan
    for i, name in enumerate(names):
        if name in graph:
            value = float(contributions.values[i])
            graph.nodes[name].update(contribution=value, low=float(low[i]), high=float(high[i]))


def _require(graph: nx.Graph[Any], names: Any, what: str) -> None:
    missing = [node for node in graph if node not in set(names)]
    if missing:
        raise InputError(f"the {what} are of other players: {missing[0]!r} is not among them")
