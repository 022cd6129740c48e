"""Plots of circuits: a layered drawing, and faithfulness against size beside random sets."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import networkx as nx
import numpy as np
import pandas as pd

from artiphys.border import border
from artiphys.errors import InputError
from artiphys.lesions.circuits.result import Circuit
from artiphys.lesions.contributions.result import Attribution
from artiphys.lesions.interaction_indices.result import Interactions
from artiphys.plotting.edge_circuits import draw_edges
from artiphys.plotting.style import BLUE, GREEN, GREY, ORANGE, as_plain_text, axes_of, clean, short

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Place = tuple[float, float]
MAX_WIDTH = 12.5  # of the figure [inches]
MAX_ROWS = 8  # nodes above each other; a layer with more gets further columns
MORE, LESS = "#B2182B", "#2166AC"  # together than apart; as in the map of interactions
WORDS = {
    "synergy": (MORE, "-"),
    "superadditive": (MORE, ":"),
    "redundancy": (LESS, "-"),
    "subadditive": (LESS, ":"),
}


@border
def plot_circuit(
    circuit: Circuit,
    *,
    contributions: Attribution | None = None,
    interactions: Interactions | None = None,
    ax: Axes | None = None,
) -> Axes:
    """The circuit's members by layer, as large as what they add; with the interactions between them, where given.

    Area: mean drop when the member is lesioned too, or its contribution. Filled: confirmed on held-out trials. Lines:
    significant interactions, red for synergy and blue for redundancy. Colours of members tell whether they work in the
    behaviour's direction, also where its score is lower intact.

    A circuit of connections is drawn as what they connect, with arrows as wide as what they carry.
    """
    graph = circuit.to_networkx(contributions, interactions)
    if isinstance(graph, nx.MultiDiGraph):
        ax = draw_edges(graph, float(np.sign(circuit.intact - circuit.lesioned)), ax)
        ax.set_title(_title(circuit, "connections"), fontsize=10)
        return ax
    nodes, towards = list(graph.nodes), float(np.sign(circuit.intact - circuit.lesioned))
    places, layers = _places(nodes)
    columns = max(x for x, _ in places.values()) + 1
    rows = max(1, min(MAX_ROWS, max(sum(x == c for x, _ in places.values()) for c in range(int(columns)))))
    width = min(max(2.4 + 1.15 * columns, 5.4), MAX_WIDTH)
    ax = axes_of(ax, width, 1.6 + 0.75 * rows)
    crowded = min(1.0, width / (0.9 * columns))
    sizes = np.array([abs(graph.nodes[n].get("contribution", graph.nodes[n]["effect"])) for n in nodes])
    area = crowded**2 * (200 + 900 * sizes / (sizes.max(initial=0) or 1.0))
    for a, b, data in graph.edges(data=True):
        if data["reading"] in WORDS:
            _edge(ax, places[a], places[b], *WORDS[data["reading"]])
    for node, size in zip(nodes, area):
        sign = towards * graph.nodes[node].get("contribution", graph.nodes[node]["effect"])
        colour = GREEN if sign >= 0 else ORANGE
        face = colour if graph.nodes[node]["confirmed"] else "white"
        ax.scatter(*places[node], s=size, color=face, edgecolor=colour, lw=1.8, zorder=3)
        x, y = places[node]
        ax.annotate(short(node), (x, y - 0.36), ha="center", va="top", fontsize=8 if len(nodes) <= 30 else 7)
    ax.set_xlim(-0.7, columns - 0.3)
    ax.set_ylim(-rows / 2 - 0.5, rows / 2 + 0.2)
    ax.set_xticks([x for x, _ in layers], [name for _, name in layers], rotation=0 if len(layers) < 8 else 60)
    ax.set_yticks([])
    ax.spines[["top", "right", "left"]].set_visible(False)
    ax.set_xlabel("layer")
    _legend(ax, graph, towards)
    ax.set_title(_title(circuit, "players"), fontsize=10)
    return as_plain_text(ax)


def _title(circuit: Circuit, what: str) -> str:
    name, level, other = "faithfulness", circuit.faithfulness, circuit.held_out
    if circuit.criterion == "trials":
        name, level, other = "fidelity", circuit.fidelity, circuit.held_out_fidelity
    held = "" if circuit.trial_scores is None else f", held out {other:.3f}"
    n = f"{len(circuit.players)} of {len(circuit.every_player)} {what}"
    return f"{n}: {name} {level:.3f}{held}\n({circuit.verdict}; minimality: {circuit.certificate})"


def _layer(node: str) -> tuple[float, str]:
    """Where a player stands: the first number in its name, or its site."""
    match = re.search(r"(?:^|\.|_)(\d+)(?:\.|$)", node)
    site = node.rsplit(".", 1)[0]
    if "." in node and match and re.search(r"\d", site):
        return float(match[1]), match[1]
    return -1.0, site if "." in node else "players"


def _places(nodes: list[str]) -> tuple[dict[str, Place], list[tuple[float, str]]]:
    """Coordinates of nodes, and of the layers' names."""
    by_layer: dict[tuple[float, str], list[str]] = {}
    for node in nodes:
        by_layer.setdefault(_layer(node), []).append(node)
    places: dict[str, Place] = {}
    layers, column = [], 0
    for layer in sorted(by_layer, key=lambda key: key[0]):
        members = by_layer[layer]
        n_columns = -(-len(members) // MAX_ROWS)
        height = -(-len(members) // n_columns)
        for i, node in enumerate(members):
            row, stack = i % height, min(height, len(members) - (i // height) * height)
            places[node] = (float(column + i // height), (stack - 1) / 2 - row)
        layers.append((column + (n_columns - 1) / 2, layer[1]))
        column += n_columns
    return places, layers


def _edge(ax: Axes, a: Place, b: Place, colour: str, style: str) -> None:
    same = a[0] == b[0]
    ax.annotate("", xy=b, xytext=a, zorder=1, arrowprops={
        "arrowstyle": "-", "color": colour, "linestyle": style, "lw": 1.6,
        "connectionstyle": f"arc3,rad={0.35 if same else 0.12}",
    })  # fmt: skip


def _legend(ax: Axes, graph: Any, towards: float) -> None:
    from matplotlib.lines import Line2D

    handles: list[Any] = []
    readings = {data["reading"] for _, _, data in graph.edges(data=True)}
    handles += [Line2D([], [], color=c, ls=s, label=word) for word, (c, s) in WORDS.items() if word in readings]
    if not all(data["confirmed"] for _, data in graph.nodes(data=True)):
        handles.append(Line2D([], [], marker="o", color=GREEN, mfc="white", ls="none", label="not confirmed"))
    signs = [towards * data.get("contribution", data["effect"]) for _, data in graph.nodes(data=True)]
    if min(signs, default=0) < 0:
        handles.append(Line2D([], [], marker="o", color=ORANGE, ls="none", label="works against"))
    if handles:
        ax.legend(handles=handles, frameon=False, fontsize=8, loc="upper left", bbox_to_anchor=(1.0, 1.0))


@border
def plot_circuit_sizes(circuit: Circuit, table: pd.DataFrame | None = None, *, ax: Axes | None = None) -> Axes:
    """Faithfulness and fidelity against the number of players, beside random sets of equal size (10 to 90 % of them).

    ``table`` comes from `Circuit.by_size`; it is made where it is left out.
    """
    table = circuit.by_size() if table is None else table
    wanted = {"size", "which", "faithfulness"}
    if not isinstance(table, pd.DataFrame) or not wanted <= set(table.columns):
        raise InputError("table came as something else than what circuit.by_size() gives")
    ax = axes_of(ax, 6.4, 4.0)
    measures = [m for m in ("faithfulness", "fidelity") if m in table and not table[m].isna().all()]
    for measure, colour, mark in zip(measures, (BLUE, ORANGE), ("o", "s")):
        own, random = table[table["which"] == "circuit"], table[table["which"] == "random"]
        ax.plot(own["size"], own[measure], f"{mark}-", color=colour, label=f"{measure}, circuit", ms=5)
        ax.fill_between(
            random["size"], random[f"{measure}_low"], random[f"{measure}_high"], color=colour, alpha=0.15, lw=0
        )
        ax.plot(random["size"], random[measure], ":", color=colour, label=f"{measure}, random sets")
    top = 1.0 if circuit.one_sided or circuit.criterion == "trials" else 2 - circuit.required
    ax.axhspan(circuit.required, top, color=GREY, alpha=0.15, lw=0, zorder=0)
    ax.axhline(1, color=GREY, lw=1, zorder=0)
    ax.axvline(len(circuit.players), color=GREY, lw=1, ls="--", zorder=0)
    ax.set_xscale("symlog", linthresh=4)
    sizes = sorted(set(table["size"]))
    shown = [s for i, s in enumerate(sizes) if i == 0 or s <= 4 or s == sizes[-1] or s & (s - 1) == 0]
    ax.set_xticks(shown, [str(s) for s in shown])
    ax.minorticks_off()
    ax.set_ylim(max(-1.0, ax.get_ylim()[0]), min(2.5, max(1.2, ax.get_ylim()[1])))
    ax.set_xlabel(f"players intact, all others lesioned (dashed: the circuit's {len(circuit.players)})")
    ax.set_ylabel("share of the behaviour kept")
    ax.legend(frameon=False, fontsize=8, ncols=2, loc="lower center", bbox_to_anchor=(0.5, 1.0))
    clean(ax)
    return as_plain_text(ax)
