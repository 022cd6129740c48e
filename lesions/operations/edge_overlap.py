"""Overlap of edges: connections that two of them cut."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from artiphys.array_types import Array
from artiphys.lesions.operations.edge_writer import EdgeWriter
from artiphys.lesions.operations.stream_edges import StreamEdgeWriter
from artiphys.lesions.operations.time_window import TimeWindow

MAX_ENTRIES = 1 << 31  # of a sender; more than any has
AnyEdge = EdgeWriter | StreamEdgeWriter


def connections_cut(edge: AnyEdge) -> Array:
    """A number for each pair of a receiver's and a sender's entry that an edge cuts."""
    inputs = edge.inputs().numpy() + (edge.sender.start if isinstance(edge, EdgeWriter) else 0)
    numbers: Array = (edge.outputs().numpy()[:, None] * MAX_ENTRIES + inputs).ravel()
    return numbers


def shared_by(edges: Sequence[tuple[int, AnyEdge]]) -> tuple[int, int] | None:
    """Two owners that cut the same connection into one receiver at times that may be the same; None if none do.

    Parameters
    ----------
    edges : pairs of owner and edge
    """
    by_window: dict[TimeWindow, tuple[list[Array], list[Array]]] = {}
    for owner, edge in edges:
        numbers = connections_cut(edge)
        known, owners = by_window.setdefault(edge.lesion.window, ([], []))
        known.append(numbers)
        owners.append(np.full(len(numbers), owner))
    places = [(window, np.concatenate(n), np.concatenate(o)) for window, (n, o) in by_window.items()]
    for k, (window, numbers, whose) in enumerate(places):
        for other, more, others in places[k:]:
            if other is not window and window.is_apart_from(other):
                continue
            both, who = (numbers, whose) if other is window else (np.r_[numbers, more], np.r_[whose, others])
            order = np.lexsort((who, both))
            both, who = both[order], who[order]
            shared = np.flatnonzero((both[1:] == both[:-1]) & (who[1:] != who[:-1]))
            if len(shared):
                return int(who[shared[0]]), int(who[shared[0] + 1])
    return None
