"""Drawing of a network from input to output: units or boxes, weights, biases, recurrence, and which are players."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor, nn

from artiphys.border import border, shown
from artiphys.errors import InputError
from artiphys.players import Link, Target
from artiphys.plotting.columns import Feeds, Parts, depths, heading, joined, players_of_parts, with_streams
from artiphys.plotting.network_parts import Feed, Part
from artiphys.plotting.style import BLUE, GREY, ORANGE, as_plain_text, axes_of
from artiphys.plotting.wiring import Wiring
from artiphys.toys.toy import Toy

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Place = tuple[float, float]
PLAYER = "#F0E442"  # the yellow of Okabe & Ito's palette, under black text
N_TRIALS = 24  # on which the network is observed
ROW, RADIUS = 0.62, 0.19  # [inches], as all lengths here
HEAD, GAP = 0.5, 0.3  # room for a heading above units; between parts above each other
BOX = 1.15  # width of a box
LINE = 0.125  # height of a line of text
MANY = 24  # connections within a column, or back to another, that are drawn one by one


@border
def plot_network(toy_or_model: Any, *, example: Any = None, ax: Axes | None = None) -> Axes:
    """A network from input to output, as it is seen to run: what is a player is yellow, all else looks alike.

    Circles are units, with their bias inside; a layer of more than 12 shows six of them and one for the others. Lines
    are weights, wide where they are large (of what one part reads), none where they are zero; a loop or an arc below
    leads to the next step. A layer and what follows it unit by unit (a threshold, a sum) are one column. Boxes are what
    is not looked into: attention, with the units of the stream that it reads and writes where it has explicit weights.

    Parameters
    ----------
    toy_or_model : Toy or Module
        A module must be in `eval` mode.
    example : tensor or mapping, optional
        Inputs of a module, for which one unit after the other is changed; a toy has its own. Default: noise for its
        first linear layer.
    ax : Axes, optional

    Raises
    ------
    InputError
        If it is no network, or a module that needs an example.

    >>> ax = plot_network(nn.Sequential(nn.Linear(2, 3), nn.ReLU(), nn.Linear(3, 1)).eval())
    >>> [text.get_text() for text in ax.texts][0]
    'input'
    """
    model, inputs, title, players, whole = _taken_apart(toy_or_model, example)
    sites = {site: sorted(units) for site, units in players.items()}
    wiring = Wiring(model, inputs, sites)
    kept = {site for site in players if site in wiring.parts}
    parts, feeds = joined(*with_streams(wiring.parts, wiring.feeds), kept)
    return _Drawing(parts, feeds, players).on(ax, title, whole)


def _taken_apart(given: Any, example: Any) -> tuple[nn.Module, Any, str, dict[str, dict[int, str]], str]:
    """Model, inputs, title, names of players by site and unit, and players that are connections."""
    if isinstance(given, Toy):
        rows = np.unique(np.linspace(0, len(given.stimuli) - 1, N_TRIALS).astype(int))
        players: dict[str, dict[int, str]] = {}
        links = []
        for player in given.lesion_players():
            for target in player.targets:
                if isinstance(target, Target):
                    names = players.setdefault(target.site, {})
                    names.update({u: names.get(u, player.name) for u in target.units})
                elif isinstance(target, Link):
                    links.append(player.name)
        links = list(dict.fromkeys(links))
        more = f", … {len(links)} connections" if len(links) > 6 else ""
        whole = "players: " + ", ".join(links[:6]) + more if links else ""
        return given.model, given.stimuli[rows].inputs, given.name, players, whole
    if not isinstance(given, nn.Module):
        raise InputError(f"toy_or_model came as {shown(given)}; wanted a toy of toys.load, or a module of torch")
    if example is None:
        first = next((m for m in given.modules() if isinstance(m, nn.Linear)), None)
        if first is None:
            raise InputError("a module without a linear layer came without an example; wanted example=, its inputs")
        example = torch.randn(N_TRIALS, first.in_features, generator=torch.Generator().manual_seed(0))
        example = example.to(first.weight)
        try:
            with torch.no_grad():
                given(example)
        except Exception as error:
            raise InputError(f"the module does not take noise for its first linear layer ({error}); wanted example=, "
                             "its inputs") from error  # fmt: skip
    if not isinstance(example, Tensor | dict):
        raise InputError(f"example came as {shown(example)}; wanted a tensor, or a mapping of tensors")
    return given, example, type(given).__name__, {}, ""


class _Drawing:
    """Places of all parts, and what is drawn there."""

    def __init__(self, parts: Parts, feeds: Feeds, players: dict[str, dict[int, str]]) -> None:
        self.parts, self.feeds = parts, feeds
        self.names: dict[str, dict[int, str]] = {}
        for site, names in players.items():
            part = players_of_parts(parts, site)
            if part is not None:
                self.names.setdefault(part, {}).update(names)
        self.lines = {name: self._lines(part) for name, part in parts.items()}
        self.places: dict[str, list[Place]] = {}
        self.kinds: set[str] = set()
        self._place()

    def _lines(self, part: Part) -> list[str]:
        lines = [*heading(part, self.feeds), *(part.words[1:] if not part.width else [])]
        if not part.width and part.name in self.names:
            names = list(dict.fromkeys(self.names[part.name].values()))
            lines.append("players: " * (len(names) > 1) + ", ".join(names[:6]) + ", …" * (len(names) > 6))
        limit = 24 if part.width else 20
        return [row for line in lines for row in textwrap.wrap(line.replace(".", ".\u200b"), limit) or [""]]

    def _place(self) -> None:
        depth = depths(self.parts, self.feeds)
        columns = [[n for n in self.parts if depth[n] == d] for d in range(max(depth.values()) + 1)]
        self.x, x = {}, 0.0
        self.height = 0.0
        for i, column in enumerate(columns):
            half = max(self._half_width(self.parts[n]) for n in column)
            x += half if i == 0 else half + self._room(columns[i - 1], column)
            heights = {n: self._height(self.parts[n]) for n in column}
            total = sum(heights.values()) + GAP * (len(column) - 1)
            top = total / 2
            self.height = max(self.height, total)
            for name in column:
                self.x[name] = x
                self.places[name] = self._nodes(self.parts[name], x, top)
                top -= heights[name] + GAP
            x += half
        self.width = x

    def _room(self, before: list[str], after: list[str]) -> float:
        dense = any(self.parts[n].width > 1 for n in before) and any(self.parts[n].width for n in after)
        return 0.75 if dense else 0.38

    def _half_width(self, part: Part) -> float:
        if not part.width:
            return BOX / 2 if self.lines[part.name] else 0.15
        longest = max(map(len, self.lines[part.name]), default=0)
        return max(0.42, 0.034 * longest)

    def _n(self, part: Part) -> int:
        return len(part.shown) + bool(part.rest)

    def _height(self, part: Part) -> float:
        lines = LINE * len(self.lines[part.name])
        return lines + 0.2 + ROW * self._n(part) if part.width else max(0.3, lines + 0.14)

    def _nodes(self, part: Part, x: float, top: float) -> list[Place]:
        if not part.width:
            return [(x, top - self._height(part) / 2)]
        start = top - LINE * len(self.lines[part.name]) - 0.12 - RADIUS
        return [(x, start - ROW * i) for i in range(self._n(part))]

    def on(self, ax: Axes | None, title: str, whole: str) -> Axes:
        """Draw it."""
        below = 0.25 + 0.28 * sum(f.back and a != b for (a, b), f in self.feeds.items())
        ax = axes_of(ax, max(self.width + 0.5, 4.2), self.height + below + 1.3)
        for (a, b), feed in self.feeds.items():
            self._feed(ax, a, b, feed)
        for name, part in self.parts.items():
            if part.width:
                self._units(ax, part)
            else:
                self._box(ax, part)
        ax.set_xlim(-0.15, self.width + 0.15)
        ax.set_ylim(-self.height / 2 - below, self.height / 2 + 0.15)
        ax.set_aspect("equal")
        ax.axis("off")
        self._legend(ax)
        ax.set_title(title + (f"\n{textwrap.fill(whole, 60)}" if whole else ""), fontsize=10)
        return as_plain_text(ax)

    def _units(self, ax: Axes, part: Part) -> None:
        from matplotlib.patches import Circle

        places, names = self.places[part.name], self.names.get(part.name, {})
        x, y = places[0]
        lines = "\n".join(self.lines[part.name])
        ax.text(x, y + RADIUS + 0.06, lines, ha="center", va="bottom", fontsize=7, linespacing=1.15)
        last = ""
        for unit, (x, y) in zip(part.shown, places):
            face = PLAYER if unit in names else "white"
            self.kinds |= {"player"} if unit in names else set()
            ax.add_patch(Circle((x, y), RADIUS, fc=face, ec="#333333", lw=1.2, zorder=3))
            if part.bias is not None and abs(part.bias[unit]) > 1e-9:
                self.kinds.add("bias")
                ax.text(x, y, f"{part.bias[unit]:.2g}".replace("-", "−"), ha="center", va="center", fontsize=6, zorder=4)
            label = names.get(unit, "")
            if label and label != last:  # a group is named at its first unit
                ax.text(x, y - RADIUS - 0.02, textwrap.shorten(label, 20, placeholder="…"), ha="center", va="top",
                        fontsize=6, zorder=4)  # fmt: skip
            last = label
        if part.rest:
            x, y = places[-1]
            others = set(names) - set(part.shown)
            box = {"boxstyle": "round,pad=0.2", "fc": PLAYER if others else "white", "ec": "#333333", "lw": 0.8}
            ax.text(x, y, f"… {part.rest} units", ha="center", va="center", fontsize=6.5, zorder=4, bbox=box)

    def _box(self, ax: Axes, part: Part) -> None:
        from matplotlib.patches import Circle, FancyBboxPatch

        x, y = self.places[part.name][0]
        if not self.lines[part.name]:
            ax.add_patch(Circle((x, y), 0.13, fc="white", ec="#333333", lw=1.0, zorder=3))
            ax.text(x, y, "+", ha="center", va="center", fontsize=8, zorder=4)
            return
        height = self._height(part)
        player = part.name in self.names
        self.kinds |= {"player"} if player else set()
        face = PLAYER if player else "white"
        ax.add_patch(FancyBboxPatch((x - BOX / 2 + 0.05, y - height / 2 + 0.05), BOX - 0.1, height - 0.1,
                                    boxstyle="round,pad=0.05", fc=face, ec="#333333", lw=1.2, zorder=3))  # fmt: skip
        ax.text(x, y, "\n".join(self.lines[part.name]), ha="center", va="center", fontsize=6.5, zorder=4,
                linespacing=1.15)  # fmt: skip

    def _edge_of(self, name: str, node: int, side: float) -> Place:
        """Where lines leave (side 1) or reach (side -1) a node."""
        part = self.parts[name]
        x, y = self.places[name][node]
        if not part.width:
            return x + side * (BOX / 2 if self.lines[name] else 0.13), y
        rest = part.rest and node == len(part.shown)
        return x + side * (0.36 if rest else RADIUS), y

    def _feed(self, ax: Axes, a: str, b: str, feed: Feed) -> None:
        leads, weights = feed.leads, feed.weights
        if leads is None or weights is None or not leads.any():
            unknown = leads is not None
            self.kinds.add("unknown" if unknown else "box")
            return self._whole(ax, a, b, feed, "--" if unknown else "-")
        pairs = [(int(i), int(j)) for i, j in np.argwhere(leads)]
        if feed.back and len(pairs) > MANY:
            self.kinds.add("recurrent")
            return self._whole(ax, a, b, feed, "-", f"{self.parts[a].width} × {self.parts[b].width} weights")
        others = [f.weights for (_, c), f in self.feeds.items() if c == b and f.weights is not None]
        largest = max((float(np.nanmax(np.abs(w), initial=0.0)) for w in others if np.isfinite(w).any()), default=0.0)
        alpha = 1.0 if len(pairs) <= 40 else 0.55
        for i, j in pairs:
            w = weights[i, j]
            known = bool(np.isfinite(w))
            self.kinds.add(("positive" if w > 0 else "negative") if known else "varies")
            look = {"color": (BLUE if w > 0 else ORANGE) if known else GREY, "alpha": alpha,
                    "lw": 0.5 + 2.2 * abs(w) / (largest or 1.0) if known else 0.8}  # fmt: skip
            self._line(ax, a, i, b, j, feed.back, look)

    def _line(self, ax: Axes, a: str, i: int, b: str, j: int, back: bool, look: dict[str, Any]) -> None:
        if a == b and i == j:
            self.kinds.add("recurrent")
            x, y = self.places[a][i]
            start, end, bend = (x + 0.16, y + 0.11), (x + 0.16, y - 0.11), -2.2
        elif a == b:
            self.kinds.add("recurrent")
            side = 1.0 if i < j else -1.0  # down on the right, up on the left
            start, end, bend = self._edge_of(a, i, side), self._edge_of(b, j, side), -0.45
        elif back:
            self.kinds.add("recurrent")
            (x, y), (u, v) = self.places[a][i], self.places[b][j]
            start, end, bend = (x, y - RADIUS), (u, v - RADIUS), -0.5
        else:
            start, end, bend = self._edge_of(a, i, 1), self._edge_of(b, j, -1), self._bend(a, b)
        self._arrow(ax, start, end, bend, look, head=a == b or back)

    def _bend(self, a: str, b: str) -> float:
        """Lines over other columns are bent, or they would lie over the nodes there."""
        between = [n for n in self.parts if self.x[a] + 0.1 < self.x[n] < self.x[b] - 0.1]
        y0, y1 = self.places[a][0][1], self.places[b][0][1]
        return (0.28 if y0 >= y1 else -0.28) if between else 0.0

    def _whole(self, ax: Axes, a: str, b: str, feed: Feed, style: str, label: str = "") -> None:
        """One line from part to part."""
        look = {"color": "#333333" if style == "-" else GREY, "lw": 1.0, "ls": style}
        first, last = self.places[a], self.places[b]
        if feed.back:
            down = min(first[-1][1], last[-1][1]) - RADIUS - 0.08
            (x, _), (u, _) = first[-1], last[-1]
            start, end = (x + (0.1 if a == b else 0.0), first[-1][1] - 0.16), (u - (0.1 if a == b else 0), last[-1][1] - 0.16)
            self._arrow(ax, start, end, -2.0 if a == b else -0.4, look, head=True)
            if label:
                ax.text((x + u) / 2, down - 0.22, label, ha="center", va="top", fontsize=6, color="#333333")
            return
        mid_a, mid_b = len(first) // 2 if len(first) % 2 else len(first) // 2, len(last) // 2
        self._arrow(ax, self._edge_of(a, mid_a, 1), self._edge_of(b, mid_b, -1), self._bend(a, b), look, head=True)

    def _arrow(self, ax: Axes, start: Place, end: Place, bend: float, look: dict[str, Any], head: bool) -> None:
        ax.annotate("", end, start, zorder=1, arrowprops={
            "arrowstyle": "-|>" if head else "-", "shrinkA": 0, "shrinkB": 0, "mutation_scale": 8,
            "connectionstyle": f"arc3,rad={bend}", **look,
        })  # fmt: skip

    def _legend(self, ax: Axes) -> None:
        from matplotlib.lines import Line2D

        dot = {"marker": "o", "ls": "none", "mec": "#333333", "ms": 8}
        rows: dict[str, Line2D] = {
            "player": Line2D([], [], mfc=PLAYER, label="player", **dot),
            "bias": Line2D([], [], mfc="white", label="number: bias", **dot),
            "positive": Line2D([], [], color=BLUE, lw=2, label="weight > 0"),
            "negative": Line2D([], [], color=ORANGE, lw=2, label="weight < 0"),
            "varies": Line2D([], [], color=GREY, lw=1, label="leads there, by no fixed weight"),
            "box": Line2D([], [], color="#333333", lw=1, label="all units to all"),
            "unknown": Line2D([], [], color=GREY, lw=1, ls="--", label="used there; units not known"),
            "recurrent": Line2D([], [], color="#333333", marker=">", ms=4, lw=1, label="loop, arrow back: next step"),
        }
        handles = [row for kind, row in rows.items() if kind in self.kinds]
        if handles:
            columns = max(1, min(len(handles), int(max(self.width, 4.0) / 1.7)))
            ax.legend(handles=handles, frameon=False, fontsize=7, loc="upper center", bbox_to_anchor=(0.5, 0.0),
                      ncols=columns, columnspacing=1.2, handlelength=1.6)  # fmt: skip

