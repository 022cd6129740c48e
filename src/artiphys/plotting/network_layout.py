"""Where the parts of a network stand in its drawing, and how lines run between them."""

from __future__ import annotations

import re
from typing import Any

import numpy as np

from artiphys.plotting.columns import Feeds, Parts, depths, heading, players_of_parts
from artiphys.plotting.network_parts import Part

Place = tuple[float, float]
ROW, ROW_WITH_LOOPS = 0.7, 0.82  # from unit to unit [inches], as all lengths here
RADIUS = 0.19
GAP = 0.3  # between parts above each other
BOX = 1.15  # width of a box
LINE = 0.125  # height of a line of text


def wrapped(line: str, limit: int) -> list[str]:
    """Rows of a text that breaks at spaces, and a long name at its dots."""
    rows = [""]
    for piece in re.findall(r"[^.\s]+\.?\s*|\S\s*", line):
        if rows[-1] and len(rows[-1] + piece.rstrip()) > limit:
            rows.append("")
        rows[-1] += piece
    return [row.rstrip() for row in rows]


def along(start: Place, end: Place, bend: float, t: float = 0.5) -> Place:
    """A point of an arc as matplotlib's ``arc3`` draws it, from 0 at its start to 1 at its end."""
    (x, y), (u, v) = start, end
    aim = (x + u) / 2 + bend * (v - y), (y + v) / 2 - bend * (u - x)
    a, b, c = (1 - t) ** 2, 2 * t * (1 - t), t**2
    return a * x + b * aim[0] + c * u, a * y + b * aim[1] + c * v


class Layout:
    """Places of all parts, in columns from left to right; lines and arrows between them are collected here.

    Attributes
    ----------
    places : dict of str to list of (float, float)
        Middle of each node of a part, or of its box.
    spans : dict of str to (float, float)
        Bottom and top of a part.
    names : dict of str to dict of int to str
        Players by part and unit.
    arrows : list of (start, end, bend, look)
    labels : list of (place, text)
    """

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
        self.arrows: list[tuple[Place, Place, float, dict[str, Any]]] = []
        self.labels: list[tuple[Place, str]] = []
        finite = [
            np.isfinite(f.weights) & f.leads for f in feeds.values() if f.weights is not None and f.leads is not None
        ]
        self.n_weights = sum(int(f.sum()) for f in finite)
        self._place()

    def _lines(self, part: Part) -> list[str]:
        lines = [*heading(part, self.feeds), *(part.words[1:] if not part.width else [])]
        if not part.width and part.name in self.names:
            names = list(dict.fromkeys(self.names[part.name].values()))
            lines.append("players: " * (len(names) > 1) + ", ".join(names[:6]) + ", …" * (len(names) > 6))
        limit = 24 if part.width else 20
        return [row for line in lines for row in wrapped(line, limit)]

    def _place(self) -> None:
        depth = depths(self.parts, self.feeds)
        columns = [[n for n in self.parts if depth[n] == d] for d in range(max(depth.values()) + 1)]
        back = {b for (a, b), f in self.feeds.items() if f.back and a != b}  # below, where the arrows run
        columns = [sorted(column, key=lambda n: n in back) for column in columns]
        self.x: dict[str, float] = {}
        self.spans: dict[str, Place] = {}  # bottom and top
        x = 0.0
        self.height = 0.0
        for i, column in enumerate(columns):
            half = max(self._half_width(self.parts[n]) for n in column)
            x += half if i == 0 else half + self._room(columns[i - 1], column)
            heights = {n: self.height_of(self.parts[n]) for n in column}
            total = sum(heights.values()) + GAP * (len(column) - 1)
            top = total / 2
            self.height = max(self.height, total)
            for name in column:
                self.x[name], self.spans[name] = x, (top - heights[name], top)
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

    def _row(self, part: Part) -> float:
        own = self.feeds.get((part.name, part.name))
        loops = own is not None and own.leads is not None and own.leads.diagonal().any()
        return ROW_WITH_LOOPS if loops else ROW

    def _n(self, part: Part) -> int:
        return len(part.shown) + bool(part.rest)

    def height_of(self, part: Part) -> float:
        """Height of a part with its lines of text."""
        lines = LINE * len(self.lines[part.name])
        if not part.width:
            return max(0.3, lines + 0.14)
        return lines + 0.34 + self._row(part) * (self._n(part) - 1) + 2 * RADIUS

    def _nodes(self, part: Part, x: float, top: float) -> list[Place]:
        if not part.width:
            return [(x, top - self.height_of(part) / 2)]
        start = top - LINE * len(self.lines[part.name]) - 0.12 - RADIUS
        return [(x, start - self._row(part) * i) for i in range(self._n(part))]

    def edge_of(self, name: str, node: int, side: float) -> Place:
        """Where lines leave (side 1) or reach (side -1) a node."""
        part = self.parts[name]
        x, y = self.places[name][node]
        if not part.width:
            return x + side * (BOX / 2 if self.lines[name] else 0.13), y
        rest = part.rest and node == len(part.shown)
        return x + side * (0.36 if rest else RADIUS), y

    def bend(self, start: Place, end: Place) -> float:
        """Lines that would lie over other parts are bent around them, below or above, whichever is nearer."""
        low, high = 0.0, 0.0
        for name, x in self.x.items():
            if start[0] + 0.05 < x < end[0] - 0.05:
                y = start[1] + (end[1] - start[1]) * (x - start[0]) / (end[0] - start[0])
                bottom, top = self.spans[name]
                if bottom - 0.03 < y < top + 0.03:
                    low, high = max(low, y - bottom + 0.06), max(high, top - y + 0.06)
        if not low:
            return 0.0
        length = float(np.hypot(end[0] - start[0], end[1] - start[1]))
        return float(np.clip(2.3 * (low if low <= high else -high) / length, -0.9, 0.9))

    def extent(self) -> tuple[float, float, float, float]:
        """Left, bottom, right and top of all that is drawn."""
        middles = [along(*arrow[:3]) for arrow in self.arrows]
        x, y = [0.0, self.width, *(m[0] for m in middles)], [m[1] for m in middles]
        low, high = min([*y, *(s[0] for s in self.spans.values())]), max([*y, *(s[1] for s in self.spans.values())])
        return min(x) - 0.12, min([low, *(p[1] - 0.15 for p, _ in self.labels)]) - 0.1, max(x) + 0.12, high + 0.1
