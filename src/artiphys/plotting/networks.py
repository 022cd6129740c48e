"""Drawing of a network from input to output: units or boxes, weights, biases, recurrence, and which are players."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING, Any

import numpy as np

from artiphys.border import border
from artiphys.plotting.columns import joined, with_streams
from artiphys.plotting.network_layout import BOX, RADIUS, Layout, along
from artiphys.plotting.network_parts import Feed, Part
from artiphys.plotting.network_subject import taken_apart, typical_units
from artiphys.plotting.style import BLUE, GREY, ORANGE, as_plain_text, axes_of
from artiphys.plotting.wiring import Wiring

if TYPE_CHECKING:
    from matplotlib.axes import Axes

PLAYER = "#F0E442"  # the yellow of Okabe & Ito's palette, under black text
FEW = 4  # lines over other columns that are bent around them
NUMBERED = 10  # weights whose numbers are written
MANY = 24  # connections within a column, or back to another, that are drawn one by one

BACKING = {"boxstyle": "square,pad=0.05", "fc": "white", "ec": "none", "alpha": 0.8}


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

    >>> from torch import nn
    >>> ax = plot_network(nn.Sequential(nn.Linear(2, 3), nn.ReLU(), nn.Linear(3, 1)).eval())
    >>> [text.get_text() for text in ax.texts if "ReLU" in text.get_text()]
    ['1\\nReLU\\nof 0']
    """
    subject = taken_apart(toy_or_model, example)
    sites = {site: typical_units(names) for site, names in subject.players.items()}
    wiring = Wiring(subject.model, subject.inputs, sites)
    parts, feeds = joined(*with_streams(wiring.parts, wiring.feeds), {*subject.players, *subject.senders})
    return _Drawing(parts, feeds, subject.players).on(ax, subject.title, subject.note)


class _Drawing(Layout):
    """What is drawn at the places of the parts."""

    def on(self, ax: Axes | None, title: str, note: str) -> Axes:
        """Draw it."""
        for (a, b), feed in self.feeds.items():
            self._feed(a, b, feed)
        left, bottom, right, top = self.extent()
        rows = textwrap.wrap(note, 60)
        ax = axes_of(
            ax, max(right - left + 0.2, 4.2), top - bottom + 0.5 + 0.17 * len(rows) + 0.17 * self._legend_rows()
        )
        for start, end, bend, look in self.arrows:
            ax.annotate("", end, start, zorder=1, arrowprops={
                "shrinkA": 0, "shrinkB": 0, "mutation_scale": 8, "connectionstyle": f"arc3,rad={bend}", **look,
            })  # fmt: skip
        for (x, y), text in self.labels:
            ax.text(x, y, text, ha="center", va="top", fontsize=6, color="#333333", zorder=5, bbox=BACKING)
        for part in self.parts.values():
            if part.width:
                self._units(ax, part)
            else:
                self._box(ax, part)
        ax.set_xlim(left, right)
        ax.set_ylim(bottom, top)
        ax.set_aspect("equal")
        ax.axis("off")
        self._legend(ax)
        ax.set_title("\n".join([title, *rows]), fontsize=10)
        return as_plain_text(ax)

    def _units(self, ax: Axes, part: Part) -> None:
        from matplotlib.patches import Circle

        places, names = self.places[part.name], self.names.get(part.name, {})
        x, y = places[0]
        own = self.feeds.get((part.name, part.name))
        loops = own is not None and own.leads is not None and bool(own.leads[0, 0])
        lines = "\n".join(self.lines[part.name])
        ax.text(
            x,
            y + RADIUS + (0.26 if loops else 0.06),
            lines,
            ha="center",
            va="bottom",
            fontsize=7,
            linespacing=1.15,
            zorder=2,
            bbox=BACKING,
        )
        last = ""
        for unit, (x, y) in zip(part.shown, places):
            face = PLAYER if unit in names else "white"
            self.kinds |= {"player"} if unit in names else set()
            ax.add_patch(Circle((x, y), RADIUS, fc=face, ec="#333333", lw=1.2, zorder=3))
            if part.bias is not None and abs(part.bias[unit]) > 1e-9:
                self.kinds.add("bias")
                bias = f"{part.bias[unit]:.2g}".replace("-", "−")
                ax.text(x, y, bias, ha="center", va="center", fontsize=6, zorder=4)
            label = names.get(unit, f"unit {unit}" if part.rest else "")
            if label and label != last:  # a group is named at its first unit
                label = textwrap.shorten(label, 20, placeholder="…")
                ax.text(x, y - RADIUS - 0.02, label, ha="center", va="top", fontsize=6, zorder=4, bbox=BACKING)
            last = names.get(unit, "")
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
        height = self.height_of(part)
        player = part.name in self.names
        self.kinds |= {"player"} if player else set()
        face = PLAYER if player else "white"
        ax.add_patch(FancyBboxPatch((x - BOX / 2 + 0.05, y - height / 2 + 0.05), BOX - 0.1, height - 0.1,
                                    boxstyle="round,pad=0.05", fc=face, ec="#333333", lw=1.2, zorder=3))  # fmt: skip
        ax.text(x, y, "\n".join(self.lines[part.name]), ha="center", va="center", fontsize=6.5, zorder=4,
                linespacing=1.15)  # fmt: skip

    def _feed(self, a: str, b: str, feed: Feed) -> None:
        leads, weights = feed.leads, feed.weights
        if leads is None or weights is None or not leads.any():
            unknown = leads is not None
            self.kinds.add("unknown" if unknown else "box")
            return self._whole(a, b, feed, "--" if unknown else "-")
        pairs = [(int(i), int(j)) for i, j in np.argwhere(leads)]
        if feed.back and len(pairs) > MANY:
            self.kinds.add("recurrent")
            return self._whole(a, b, feed, "-", f"{self.parts[a].width} × {self.parts[b].width} weights")
        others = [f.weights for (_, c), f in self.feeds.items() if c == b and f.weights is not None]
        largest = max((float(np.nanmax(np.abs(w), initial=0.0)) for w in others if np.isfinite(w).any()), default=0.0)
        alpha = 1.0 if len(pairs) <= 40 else 0.55
        for i, j in pairs:
            w = weights[i, j]
            known = bool(np.isfinite(w))
            self.kinds.add(("positive" if w > 0 else "negative") if known else "varies")
            look = {"color": (BLUE if w > 0 else ORANGE) if known else GREY, "alpha": alpha,
                    "lw": 0.5 + 2.2 * abs(w) / (largest or 1.0) if known else 0.8}  # fmt: skip
            self._line(a, i, b, j, feed, look)

    def _line(self, a: str, i: int, b: str, j: int, feed: Feed, look: dict[str, Any]) -> None:
        """A line from node to node; those back have heads."""
        if a == b or feed.back:
            self.kinds.add("recurrent")
            look = {**look, "arrowstyle": "-|>"}
        (x, y), (u, v) = self.places[a][i], self.places[b][j]
        if a == b and i == j:
            start, end, bend = (x - 0.1, y + 0.165), (x + 0.1, y + 0.165), -1.7
        elif a == b:
            side = 1.0 if i < j else -1.0  # down on the right, up on the left
            start, end, bend = self.edge_of(a, i, side), self.edge_of(b, j, side), -0.45
        elif feed.back and abs(x - u) < RADIUS:
            start, end, bend = self.edge_of(a, i, 1), self.edge_of(b, j, 1), -0.45 if y > v else 0.45
        elif feed.back:
            start, end, bend = (x, y - RADIUS - 0.13), (u, v - RADIUS - 0.13), -0.5
        else:
            start, end = self.edge_of(a, i, 1), self.edge_of(b, j, -1)
            many = feed.leads is not None and feed.leads.sum() > FEW
            bend = 0.0 if many else self.bend(start, end)
        self.arrows.append((start, end, bend, {"arrowstyle": "-", **look}))
        weight = feed.weights[i, j] if feed.weights is not None else np.nan
        if self.n_weights <= NUMBERED and np.isfinite(weight):
            at = along(start, end, bend, 0.5 if feed.back else 0.35 if bend else 0.7)
            self.labels.append(((at[0], at[1] + 0.05), f"{weight:.2g}".replace("-", "−")))

    def _whole(self, a: str, b: str, feed: Feed, style: str, label: str = "") -> None:
        """One arrow from part to part."""
        look = {"color": "#333333" if style == "-" else GREY, "lw": 1.0, "ls": style, "arrowstyle": "-|>"}
        first, last = self.places[a], self.places[b]
        if feed.back:
            (x, y), (u, v) = first[-1], last[-1]
            apart, down = (0.12 if a == b else 0.0), RADIUS + 0.13
            start, end, bend = (x + apart, y - down), (u - apart, v - down), (-1.6 if a == b else -0.4)
            self.labels += [((along(start, end, bend)[0], along(start, end, bend)[1] - 0.04), label)] * bool(label)
        else:
            start, end = self.edge_of(a, len(first) // 2, 1), self.edge_of(b, len(last) // 2, -1)
            bend = self.bend(start, end)
        self.arrows.append((start, end, bend, look))

    def _legend_columns(self) -> int:
        return max(2, int(max(self.width, 4.0) / 1.7))

    def _legend_rows(self) -> int:
        n = len(self.kinds | {"player", "bias"})
        return -(-n // self._legend_columns())

    def _legend(self, ax: Axes) -> None:
        from matplotlib.lines import Line2D

        dot: dict[str, Any] = {"marker": "o", "ls": "none", "mec": "#333333", "ms": 8}
        rows: dict[str, Line2D] = {
            "player": Line2D([], [], mfc=PLAYER, label="player", **dot),
            "bias": Line2D([], [], mfc="white", label="number: bias", **dot),
            "positive": Line2D([], [], color=BLUE, lw=2, label="weight > 0"),
            "negative": Line2D([], [], color=ORANGE, lw=2, label="weight < 0"),
            "varies": Line2D([], [], color=GREY, lw=1, label="leads there, by no fixed weight"),
            "box": Line2D([], [], color="#333333", lw=1, label="is read by, or added to"),
            "unknown": Line2D([], [], color=GREY, lw=1, ls="--", label="used there; units not known"),
            "recurrent": Line2D([], [], color="#333333", marker=">", ms=4, lw=1, label="loop, arrow back: next step"),
        }
        handles = [row for kind, row in rows.items() if kind in self.kinds]
        if handles:
            columns = min(len(handles), self._legend_columns())
            ax.legend(handles=handles, frameon=False, fontsize=7, loc="upper center", bbox_to_anchor=(0.5, 0.0),
                      ncols=columns, columnspacing=1.2, handlelength=1.6)  # fmt: skip
