"""EdgeWriter: what a cut connection into a linear layer, convolution or recurrent module takes out of its output."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from artiphys.adapters.connections import Connection, Sender
from artiphys.array_types import Array
from artiphys.hooks.taps import At, Tap
from artiphys.lesions.operations.broadcast import rows_cut
from artiphys.lesions.operations.edge import Edge
from artiphys.lesions.operations.shares import Shares
from artiphys.lesions.operations.writer import Writer
from artiphys.players import checked_units
from artiphys.sites import Site

MAX_WEIGHTS = 1 << 24  # of all groups at once (64 MiB in float32)


@dataclass(frozen=True)
class EdgeWriter:
    """An edge at its receiver.

    Attributes
    ----------
    lesion : Edge
    connection : Connection
    sender : Sender
    source : Writer
        The lesion of the sender, which this receiver alone sees.
    """

    lesion: Edge
    connection: Connection
    sender: Sender
    source: Writer

    @property
    def site(self) -> Site:
        """The receiver's site."""
        return self.connection.tap.site

    @property
    def tap(self) -> Tap:
        """Where it writes: at the map itself, whose input it must see."""
        return self.connection.tap

    @property
    def place(self) -> str:
        """Edges of one place are cut together."""
        return f"connections into {self.site.name}"

    @property
    def family(self) -> tuple[Any, ...]:
        """Edges of one family are cut by one product: they differ only in units."""
        les = self.lesion.sender
        return (self.sender.site.name, self.lesion.time, les.kind, id(les.mean), id(les.pool), les.donors,
                les.n_donors, les.seed)  # fmt: skip

    def times(self, x: Tensor, at: At) -> Tensor:
        """Bool, broadcastable to ``x``: the times at which it writes."""
        return Writer(self.lesion, self.site).times(x, at)

    def outputs(self) -> Tensor:
        """Entries of the receiver."""
        return entries(self.site, self.lesion.units, self.connection.map.n_outputs)

    def inputs(self) -> Tensor:
        """Entries of the sender."""
        n = self.connection.map.n_inputs
        size = self.sender.site.n_units if len(self.connection.senders) > 1 or self.sender.start else n
        return entries(self.sender.site, self.lesion.sender.units, min(n, size))


def everyone(off: Tensor) -> Tensor:
    """As if one player were lesioned in every group."""
    return torch.ones(len(off), 1, dtype=torch.bool)


def entries(site: Site, units: Sequence[int] | None, n: int) -> Tensor:
    """Entries of units, where the last axes of a site are ``n`` entries side by side (channels of a convolution)."""
    if units is None:
        return torch.arange(n)
    axis = site.unit_axis
    chosen = torch.tensor(checked_units(site, axis, units))
    if axis == "channel" or (axis == site.axes[-1] and site.size(axis) == n):
        return chosen
    sizes = site.sizes[-2:]  # (head, unit) or (gate, unit)
    return torch.arange(n).reshape(sizes).index_select(site.axes[-2:].index(axis), chosen).flatten()


class ReceiverCuts:
    """All edges into one receiver, for many coalitions at once; a write function.

    Parameters
    ----------
    parts : pairs of player and `EdgeWriter`
    always : sequence of EdgeWriter
        Cut whoever is lesioned: what a circuit leaves out.
    """

    is_anew = False  # what others changed before stays
    fixed: tuple[str, ...] = ()

    def __init__(self, parts: Sequence[tuple[int, EdgeWriter]], always: Sequence[EdgeWriter] = ()) -> None:
        self.tap, self.always = parts[0][1].tap, list(always)
        self.writers = [*(w for _, w in parts), *always]
        self.connections: Array | None = None  # numbers of all that are cut, once they were asked for
        self.cut = torch.zeros(0, 0, dtype=torch.bool)  # (coalition, player), True = lesioned
        families: dict[Any, list[tuple[int, EdgeWriter]]] = {}
        for player, writer in [*parts, *((-1, w) for w in always)]:
            families.setdefault((player < 0, writer.family), []).append((player, writer))
        self._families = [
            (members[0][1], Shares([(p, w.outputs(), w.inputs()) for p, w in members]), is_base)
            for (is_base, _), members in families.items()
        ]
        for first, shares, is_base in self._families:
            for w in () if is_base else always:
                shares.release(w.outputs(), w.inputs() + w.sender.start - first.sender.start)

    @property
    def reads(self) -> tuple[Tap, ...]:
        """Taps that must be read earlier in the forward pass: none."""
        return ()

    def __call__(self, x: Tensor, at: At) -> Tensor:
        """The value with each row's coalition lesioned."""
        return self.without(x, at, rows_cut(self.cut, at))

    def without(self, x: Tensor, at: At, off: Tensor) -> Tensor:
        """The receiver's value less what is cut; ``off`` is bool or float ``(group, player)``, rows in equal groups."""
        new = x
        for writer, shares, is_base in self._families:
            share, outputs, inputs = shares.of(everyone(off) if is_base else off)
            if share.numel():
                new = _without(new, at, writer, share, outputs, inputs)
        return new


def _without(x: Tensor, at: At, writer: EdgeWriter, share: Tensor, outputs: Tensor, inputs: Tensor) -> Tensor:
    weighted, sender = writer.connection.map, writer.sender
    outputs, inputs, share = outputs.to(x.device), inputs.to(x.device), share.to(x.device)
    change = _change(writer, at, len(x))
    axis = 1 if weighted.is_convolution else -1
    if weighted.is_convolution and weighted.module.groups > 1:
        whole = share.new_zeros(len(share), len(outputs), weighted.n_inputs)
        whole[:, :, inputs] = share
        share, inputs = whole, torch.arange(weighted.n_inputs, device=x.device)
    change = change.index_select(axis, inputs)
    parts = list(_groups(change, share, max(1, MAX_WEIGHTS // max(1, share[0].numel()))))
    moved = torch.cat([weighted.carried(c, s, outputs, inputs + sender.start) for c, s in parts])
    flat = x.flatten(-2) if writer.tap.view.convert is not None else x
    if writer.lesion.time is not None:
        times = writer.times(x, at)
        moved = torch.where(times.reshape(*times.shape[: flat.ndim]), moved, 0.0)
    return flat.index_add(axis, outputs, moved.to(x.dtype), alpha=-1).reshape(x.shape)


def _groups(change: Tensor, share: Tensor, n: int) -> Iterator[tuple[Tensor, Tensor]]:
    each = len(change) // len(share)
    for start in range(0, len(share), n):
        some = share[start : start + n]
        yield change[start * each : (start + len(some)) * each], some


def _change(writer: EdgeWriter, at: At, rows: int) -> Tensor:
    """By how much the sender's activity differs from its lesioned one, ``(row, ..., entry)``."""
    sender = writer.sender
    whole = writer.connection.input(sender, at, rows)
    n = sender.site.size(sender.site.axes[-1])
    is_part = sender.start or (n < writer.connection.map.n_inputs and sender.view.convert is None)
    x = whole.narrow(-1, sender.start, n) if is_part and not writer.connection.map.is_convolution else whole
    there, before = sender_at(sender, at, x)
    change = x - writer.source.replacement(x, there)
    if before is not None and writer.lesion.kind != "zero":
        change = torch.where(before.to(x.device).reshape(1, -1, *[1] * (x.ndim - 2)), 0.0, change)
    return change.flatten(-2) if sender.view.convert is not None else change


def sender_at(sender: Sender, at: At, x: Tensor) -> tuple[At, Tensor | None]:
    """Where the sender's activity was computed, and at which of its times it was not yet (None: at none)."""
    stepped = at.site.stepped
    axes = ("trial", *(("time", *(a for a in sender.site.axes if a != "time")) if stepped else sender.site.axes))
    time, n_time, before = at.time, at.n_time, None
    if stepped and time is not None:
        time = time - sender.lag
        last = n_time if n_time is not None else int(time.max()) + 1
        before = (time < 0) | (time >= last)
        time = time.clamp(0, last - 1)
        before = before if bool(before.any()) else None
    elif "time" in axes:
        n = x.shape[axes.index("time")]
        if time is None or len(time) != n:
            time, n_time = torch.arange(n), n
    else:
        time = None
    return dataclasses.replace(at, site=sender.site, axes=axes, time=time, n_time=n_time), before
