"""Drawing of a circuit of connections: what they lead from and to, from input to output."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import networkx as nx
import numpy as np

from artiphys.plotting.style import as_plain_text, axes_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes

COLOURS = {"": "#333333", "q": "#0072B2", "k": "#D55E00", "v": "#009E73"}  # colour-blind safe (Okabe & Ito)
WORDS = {"": "stream", "q": "into queries", "k": "into keys", "v": "into values"}
MAX_WIDTH = 13.0  # of the figure [inches]


def draw_edges(graph: nx.MultiDiGraph[Any], towards: float, ax: Axes | None) -> Axes:
    """Nodes by layer from left to right; arrows as wide as what they carry, dashed where they work against.

    Parameters
    ----------
    towards : float
        Sign of the behaviour's direction.
    """
    places, n_columns, n_rows = _places(graph)
    ax = axes_of(ax, min(max(4.5, 1.3 * n_columns), MAX_WIDTH), max(2.6, 0.8 * n_rows + 1.2))
    sizes = {key: abs(_value(data)) for *_, key, data in graph.edges(keys=True, data=True)}
    largest = max(sizes.values(), default=0.0) or 1.0
    drawn: dict[tuple[str, str], int] = {}
    for a, b, key, data in graph.edges(keys=True, data=True):
        n = drawn[a, b] = drawn.get((a, b), -1) + 1
        skipped = abs(places[b][0] - places[a][0])
        # Arrows over other columns are bent, or they would lie over the nodes there; parallel ones apart.
        bend = (0.0 if skipped <= 1 else 0.18) + 0.16 * n
        against = towards * _value(data) < 0
        start, end, border = places[a], places[b], 3 + _to_border(b, places[a], places[b])
        if a == b:  # a loop above the node
            (x, y), bend, border = places[a], -1.6, 0.0
            start, end = (x - 0.12, y + 0.13), (x + 0.12, y + 0.13)
        ax.annotate("", end, start, arrowprops={
            "arrowstyle": "-|>", "color": COLOURS[data["slot"]], "lw": 0.8 + 3.2 * sizes[key] / largest,
            "ls": (0, (3, 2)) if against else "-", "alpha": 1.0 if data["confirmed"] else 0.5,
            "connectionstyle": f"arc3,rad={bend}", "shrinkA": 0 if a == b else 4, "shrinkB": border,
            "mutation_scale": 11,
        })  # fmt: skip
    crowded = len(graph) > 30
    for node, (x, y) in places.items():
        ax.annotate(node, (x, y), ha="center", va="center", fontsize=7 if crowded else 9, zorder=4,
                    bbox={"boxstyle": "round,pad=0.3", "fc": "white", "ec": "#555555", "lw": 1.0})  # fmt: skip
    ax.set_xlim(-0.7, n_columns - 0.3)
    ax.set_ylim(-n_rows / 2 - 0.4, n_rows / 2 + 0.4)
    ax.axis("off")
    _legend(ax, graph, towards)
    return as_plain_text(ax)


def _to_border(label: str, start: tuple[float, float], end: tuple[float, float]) -> float:
    """From the middle of a label to its border, in the direction an arrow comes from [points]."""
    dx, dy = abs(end[0] - start[0]) * 1.3, abs(end[1] - start[1]) * 0.8  # inches, about
    half_width, half_height = 0.29 * 9 * len(label) + 4, 9.0
    length = float(np.hypot(dx, dy)) or 1.0
    return min(half_width * length / max(dx, 1e-9), half_height * length / max(dy, 1e-9), 60.0)


def _value(data: dict[str, Any]) -> float:
    return float(data.get("contribution", data["effect"]))


def _places(graph: nx.MultiDiGraph[Any]) -> tuple[dict[str, tuple[float, float]], int, int]:
    """Columns by the order in which nodes follow from each other (by layer, where there are loops)."""
    simple = nx.DiGraph(graph.edges())
    simple.add_nodes_from(graph)
    depth: dict[str, float] = {}
    if all(_layer(n) is not None for n in graph):
        depth = {n: float(_layer(n) or 0.0) for n in graph}
    elif nx.is_directed_acyclic_graph(simple):
        for i, nodes in enumerate(nx.topological_generations(simple)):
            depth.update(dict.fromkeys(nodes, float(i)))
    else:
        depth = {n: float(i) for i, n in enumerate(graph)}
    columns = sorted(set(depth.values()))
    by_column = [[n for n in graph if depth[n] == d] for d in columns]
    places: dict[str, tuple[float, float]] = {}
    for x, nodes in enumerate(by_column):
        # Near to where their arrows come from, so that few of them cross.
        came = {
            n: float(np.mean([places[p][1] for p in simple.predecessors(n) if p in places] or [0.0])) for n in nodes
        }
        for i, node in enumerate(sorted(nodes, key=lambda n: -came[n])):
            places[node] = (float(x), (len(nodes) - 1) / 2 - i + (0.12 if x % 2 else -0.12))
    return places, len(columns), max(map(len, by_column), default=1)


def _layer(node: str) -> float | None:
    """Where a part of a transformer stands in its order; None for other nodes."""
    if node in ("embedding", "readout"):
        return -1.0 if node == "embedding" else 1e6
    if head := re.fullmatch(r"(\d+)\.\d+|heads (\d+)", node):
        return 2.0 * int(head[1] or head[2])
    mlp = re.fullmatch(r"mlp (\d+)", node)
    return 2.0 * int(mlp[1]) + 1 if mlp else None


def _legend(ax: Axes, graph: nx.MultiDiGraph[Any], towards: float) -> None:
    from matplotlib.lines import Line2D

    rows = [data for *_, data in graph.edges(data=True)]
    handles = [Line2D([], [], color=COLOURS[s], lw=2, label=WORDS[s]) for s in COLOURS
               if any(d["slot"] == s for d in rows) and len({d["slot"] for d in rows}) > 1]  # fmt: skip
    if any(towards * _value(d) < 0 for d in rows):
        handles.append(Line2D([], [], color=COLOURS[""], lw=2, ls=(0, (3, 2)), label="works against"))
    if any(not d["confirmed"] for d in rows):
        handles.append(Line2D([], [], color=COLOURS[""], lw=2, alpha=0.5, label="not confirmed"))
    if handles:
        ax.legend(handles=handles, frameon=False, fontsize=8, loc="upper left", bbox_to_anchor=(1.0, 1.0))
