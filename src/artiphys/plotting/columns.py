"""From what was observed of a network to what is drawn: streams, layers joined with what follows them, columns."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from artiphys.array_types import Array
from artiphys.plotting.network_parts import INPUT, OUTPUT, Feed, Part

SINGLE = {"add", "sub", "relu", "tanh", "sigmoid", "abs", "clamp", "sign", "heaviside", "where", "exp", "neg"}
Parts = dict[str, Part]
Feeds = dict[tuple[str, str], Feed]
SIGNS = {"add": "+", "sub": "−", "mul": "×", "div": "÷", "prod": "product", "matmul": "@"}


def with_streams(parts: Parts, feeds: Feeds) -> tuple[Parts, Feeds]:
    """A sum of the same parts that several others read becomes a part of its own, as a residual stream."""
    parts, feeds = dict(parts), dict(feeds)
    for name, part in parts.items():
        into = {a: f for (a, b), f in feeds.items() if b == name}
        adds = part.words == ["by hand"] and all(f.operations <= {"add"} for f in into.values())
        if adds and any(not parts[a].width for a in into) and name != OUTPUT:
            _close(part, feeds)
            part.words = ["+"]
    for part in parts.values():  # units of which no line could be drawn
        around = [f for pair, f in feeds.items() if part.name in pair]
        if part.width and around and all(f.leads is None for f in around):
            part.words = [*part.words, f"{part.width} units"]
            _close(part, feeds)
    while True:
        summed = {b: frozenset(a for (a, c), f in feeds.items() if c == b and "add" in f.operations) for b in parts}
        summed = {b: s for b, s in summed.items() if len(s) > 1 and all(not parts[a].width for a in s)}
        shared = [s for s in summed.values() if sum(s <= other for other in summed.values()) > 1]
        if not shared:
            return parts, feeds
        stream = min(shared, key=lambda s: (len(s), sorted(s)))
        order = list(parts)
        name = f"+ {sum(n.startswith('+ ') for n in parts)}"
        at = max(order.index(a) for a in stream) + 1
        parts = {n: parts[n] if n in parts else Part(name, ["+"], sites=[]) for n in [*order[:at], name, *order[at:]]}
        for b, sources in summed.items():
            if stream <= sources:
                operations = set().union(*(feeds.pop((a, b)).operations for a in stream))
                feeds[name, b] = Feed(operations - ({"add"} if sources == stream else set()))
        feeds.update({(a, name): Feed({"add"}) for a in stream})


def _close(part: Part, feeds: Feeds) -> None:
    """Make a column of units a box."""
    part.width, part.shown = 0, []
    for pair in [pair for pair in feeds if part.name in pair]:
        feeds[pair] = Feed(feeds[pair].operations, feeds[pair].back)


def joined(parts: Parts, feeds: Feeds, kept: set[str]) -> tuple[Parts, Feeds]:
    """Layers are joined with what alone follows them unit by unit: ``sum`` with the threshold of it.

    ``kept`` are sites of players, which stay columns of their own.
    """
    parts, feeds = dict(parts), dict(feeds)
    while True:
        for name in parts:
            out = [b for (a, b) in feeds if a == name]
            if len(out) != 1 or name in kept or name == INPUT:
                continue
            gain = _gain(parts[name], parts[out[0]], feeds[name, out[0]])
            if gain is not None and not any(a == name for (a, b) in feeds if b == name):
                _join(parts, feeds, name, out[0], gain)
                break
        else:
            return parts, feeds


def _gain(first: Part, then: Part, feed: Feed) -> Array | None:
    """By how much each unit is multiplied on its way to the same unit of another part; None if units are mixed."""
    leads, weights = feed.leads, feed.weights
    if leads is None or weights is None or feed.weighted or feed.back or first.width != then.width:
        return None
    if first.shown != then.shown or (leads & ~np.eye(len(leads), dtype=bool)).any() or not np.diag(leads).any():
        return None
    if not np.isfinite(np.diag(weights)).all() and not feed.operations <= SINGLE:
        return None  # two layers are multiplied, or units compete
    return np.where(np.isfinite(np.diag(weights)) & np.diag(leads), np.diag(weights), 1.0)


def _join(parts: Parts, feeds: Feeds, name: str, then: str, gain: Array) -> None:
    part, other = parts[name], parts[then]
    feeds.pop((name, then))
    for (a, b), feed in list(feeds.items()):
        if b != name:
            continue
        del feeds[a, name]
        if feed.weights is not None:
            feed.weights = feed.weights * gain
        if (a, then) in feeds:  # two ways: of the units, both count
            present = feeds[a, then]
            if feed.leads is not None and present.leads is not None:
                assert feed.weights is not None and present.weights is not None
                feed.leads, feed.weights = feed.leads | present.leads, feed.weights + present.weights
            feed.operations |= present.operations
            feed.weighted |= present.weighted
        feeds[a, then] = feed
    if part.bias is not None:
        gains = np.ones(part.width)
        gains[part.shown] = gain[: len(part.shown)]
        other.bias = part.bias * gains + (0 if other.bias is None else other.bias)
    other.sites = [*part.sites, *other.sites]
    if part.linear or part.words != ["by hand"]:
        short = name.rsplit(".", 1)[-1]
        short = name if short.isdigit() else short
        other.joined = [*other.joined, *part.joined, short if part.linear else f"{short} ({part.words[0]})"]
    del parts[name]


def depths(parts: Parts, feeds: Feeds) -> dict[str, int]:
    """Column of each part: one after the last of those that feed it."""
    depth = {INPUT: 0}
    forward = [pair for pair, f in feeds.items() if not f.back and pair[0] != pair[1]]
    order = list(parts)
    for _ in order:
        for name in order:
            depth[name] = max([depth.get(a, 0) + 1 for a, b in forward if b == name], default=0)
    for name in order:
        after = [depth[b] for a, b in forward if a == name]
        if name != INPUT and not any(b == name for _, b in forward) and after:
            depth[name] = max(0, min(after) - 1)  # a table without an index stands before what reads it
    used = sorted(set(depth.values()))
    return {name: used.index(d) for name, d in depth.items() if name in parts}


def heading(part: Part, feeds: Feeds) -> list[str]:
    """Lines above a column: its name, what it is, and which layers were joined with it."""
    if part.words == ["+"]:
        return []
    name = part.name.strip()
    into = [f.operations for (_, b), f in feeds.items() if b == part.name]
    operations = sorted({SIGNS.get(o, o) for o in set().union(*into)})
    if part.words == ["by hand"]:
        words = f"by hand: {', '.join(operations)}" if operations else ""
    elif part.words == ["float"]:
        words = ""
    else:
        plain = not operations or (operations == ["+"] and part.joined)
        words = part.words[0] + ("" if plain else f" of {', '.join(operations)}")
    lines = [name, words]
    if part.joined:
        lines.append("of " + ", ".join(part.joined))
    return [line for line in lines if line]


def players_of_parts(parts: Mapping[str, Part], site: str) -> str | None:
    """The part that a site belongs to: by its own name, the module around it, or the layer and kind of a block."""
    for name, part in parts.items():
        if site in part.sites:
            return name
    inside = [n for n in parts if site.startswith(f"{n}.")]
    if inside:
        return max(inside, key=len)
    pieces = site.split(".")
    kind = "attn" if "attn" in site else "mlp"
    layer = next((p for p in pieces if p.isdigit()), None)
    found = (n for n in parts if layer in n.split(".") and kind in n.split(".")[-1])
    return None if layer is None else next(found, None)
