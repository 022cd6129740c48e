"""Edges in a transformer's residual stream: what heads and MLPs give to later heads, MLPs and the readout."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import torch
from torch import Tensor

from artiphys.adapters.residual_stream import ResidualStream, StreamReceiver, StreamSender
from artiphys.hooks.taps import At, Tap
from artiphys.lesions.operations.broadcast import rows_cut, selected
from artiphys.lesions.operations.edge import Edge
from artiphys.lesions.operations.shares import Shares
from artiphys.lesions.operations.writer import Writer
from artiphys.players import checked_units
from artiphys.sites import Site

MAX_PADDED = 2  # times the products that are wanted, beyond which each coalition gets a product of its own


@dataclass(frozen=True)
class StreamEdgeWriter:
    """An edge of the stream at its receiver; by itself a write function.

    Attributes
    ----------
    lesion : Edge
    stream : ResidualStream
    receiver : StreamReceiver
    sender : StreamSender
    source : Writer
        The lesion of the sender, which this receiver alone sees.
    """

    lesion: Edge
    stream: ResidualStream
    receiver: StreamReceiver
    sender: StreamSender
    source: Writer

    def __call__(self, x: Tensor, at: At) -> Tensor:
        """The receiver's value without what is cut."""
        return self.alone.without(x, at, torch.ones(1, 1, dtype=torch.bool))

    @cached_property
    def alone(self) -> StreamCuts:
        """This edge by itself."""
        return StreamCuts([(0, self)])

    @property
    def site(self) -> Site:
        """The receiver's site."""
        return self.receiver.site

    @property
    def tap(self) -> Tap:
        """Where it writes."""
        return self.receiver.tap

    @property
    def place(self) -> str:
        """Edges of one place are cut together."""
        return f"stream into {self.site.name}"

    @property
    def family(self) -> tuple[Any, ...]:
        """Edges of one family take out what one kind of lesion changes, at the same times."""
        les = self.lesion.sender
        return self.lesion.time, les.kind, les.donors, les.n_donors, les.seed

    def times(self, x: Tensor, at: At) -> Tensor:
        """Bool, broadcastable to ``x``: the times at which it writes."""
        return Writer(self.lesion, self.site).times(x, at)

    def outputs(self) -> Tensor:
        """Units of the receiver."""
        return _units(self.site, self.lesion.units, self.receiver.n_units)

    def inputs(self) -> Tensor:
        """Senders, by their number in the stream."""
        return self.sender.first + _units(self.sender.site, self.lesion.sender.units, self.sender.n_units)


def _units(site: Site, units: Sequence[int] | None, n: int) -> Tensor:
    return torch.arange(n) if units is None else torch.tensor(checked_units(site, site.unit_axis, units))


class StreamCuts:
    """All edges of the stream into one receiver site, for many coalitions at once; a write function.

    Parameters
    ----------
    parts : pairs of player and `StreamEdgeWriter`
    """

    def __init__(self, parts: Sequence[tuple[int, StreamEdgeWriter]]) -> None:
        self.receiver = parts[0][1].receiver
        self.tap = self.receiver.tap
        self.cut = torch.zeros(0, 0, dtype=torch.bool)  # (coalition, player), True = lesioned
        self.families = [_Family(members) for members in _families(parts)]

    @property
    def is_anew(self) -> bool:
        """Whether it is computed anew from the stream, so that what others changed before would be undone."""
        return self.receiver.stream is not None

    @property
    def reads(self) -> tuple[Tap, ...]:
        """Taps that must be read earlier in the forward pass."""
        senders = [s.tap for family in self.families for s in family.senders(self.receiver)]
        return (*senders, *(() if self.receiver.stream is None else (self.receiver.stream,)))

    def __call__(self, x: Tensor, at: At) -> Tensor:
        """The value with each row's coalition lesioned."""
        return self.without(x, at, rows_cut(self.cut, at))

    def without(self, x: Tensor, at: At, off: Tensor) -> Tensor:
        """The receiver's value less what is cut; ``off`` is bool or float ``(group, player)``, rows in equal groups."""
        if self.receiver.stream is None:
            return self._without(x, x, at, off)[0][0]
        stream = present(at.frame.senders.at(self.receiver.stream.site.name), x, at)  # type: ignore[union-attr]
        streams, units, where = self._without(stream, x, at, off)
        if not len(units):
            return x
        made = self.receiver.received(streams, units).movedim(0, -2).to(x.dtype)
        value = x.index_copy(-2, units.to(x.device), made)
        return selected(where, value, x)

    def _without(self, stream: Tensor, x: Tensor, at: At, off: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """The stream that each unit gets ``(unit, row, time, width)``, which units, and where any of it is cut."""
        shares = [(family, *family.shares.of(off)) for family in self.families]
        found = [entry for entry in shares if entry[1].numel()]
        if not found:
            return stream[None], torch.zeros(0, dtype=torch.long), torch.zeros(0)
        units = torch.unique(torch.cat([outputs for _, _, outputs, _ in found]))
        n_groups, each = len(off), len(stream) // len(off)
        where = torch.zeros(n_groups, 1, len(units), dtype=torch.bool)
        new = stream[None].expand(len(units), *stream.shape)
        for family, share, outputs, inputs in found:
            rows = torch.searchsorted(units, outputs)
            times = family.any.times(stream, at) if family.any.lesion.time is not None else None
            share, some = family.filled(share, inputs, self.receiver)
            added = family.changes(stream, at, some, self.receiver)
            before = new.index_select(0, rows.to(new.device))
            if some is None and family.any.lesion.kind == "zero" and len(found) == 1:
                # Taken from the stream, little would be left but rounding, which a norm would blow up.
                made = self.receiver.constant.to(stream) + _mixed(~share, added)
            else:
                made = before - _mixed(share, added)
            made = made if times is None else torch.where(times, made, before)
            new = made if len(rows) == len(units) else new.index_copy(0, rows.to(new.device), made)
            cut = torch.ones_like(share[..., 0], dtype=torch.bool) if share.requires_grad else share.any(dim=2)
            where = where | torch.zeros(n_groups, 1, len(units), dtype=torch.bool).index_copy(2, rows, cut[:, None])
        mask = torch.zeros(n_groups, 1, self.receiver.n_units, dtype=torch.bool).index_copy(2, units, where)
        rowwise = mask.repeat_interleave(each, dim=0)
        return new.to(x.dtype), units, rowwise[..., None].to(x.device)


def _mixed(share: Tensor, added: Tensor) -> Tensor:
    """What groups take ``(group, unit, sender)`` of what senders add ``(sender, row, ...)``: ``(unit, row, ...)``."""
    share = share.to(added.device, added.dtype)
    n_groups, shape = len(share), added.shape[1:]
    rows = added.reshape(len(added), n_groups, -1)
    wanted = (share != 0).any(dim=2)
    padded = wanted.numel() / max(1, int(wanted.sum()))
    if share.requires_grad or padded <= MAX_PADDED or n_groups == 1:
        return (share @ rows.transpose(0, 1)).transpose(0, 1).reshape(-1, *shape)
    out = rows.new_zeros(share.shape[1], n_groups, rows.shape[2])
    for g in range(n_groups):
        units, senders = wanted[g], (share[g] != 0).any(dim=0)
        out[units, g] = share[g][units][:, senders] @ rows[senders, g]
    return out.reshape(-1, *shape)


def present(t: Tensor, x: Tensor, at: At) -> Tensor:
    """Activity at the times that the batch holds right now, where only the last ones are computed."""
    window = None if at.frame is None else at.frame.window
    if window is None or t.shape[1] == x.shape[1]:
        return t
    return t[:, window[0] : window[0] + x.shape[1]]


class _Family:
    """Edges whose senders are lesioned alike.

    Attributes
    ----------
    writers : dict of int to StreamEdgeWriter
        Of each sender site, by its first sender; they hold the lesion of the site.
    """

    def __init__(self, members: Sequence[tuple[int, StreamEdgeWriter]]) -> None:
        self.writers = {w.sender.first: w for _, w in members}
        self.any = members[0][1]
        self.shares = Shares([(p, w.outputs(), w.inputs()) for p, w in members])
        references = ((first, id(w.lesion.source.mean), id(w.lesion.source.pool)) for first, w in self.writers.items())
        self.key = (*self.any.family, *(() if self.any.lesion.kind == "zero" else sorted(references)))

    def senders(self, receiver: StreamReceiver) -> list[StreamSender]:
        """Those whose activity is asked for: where nothing is put in its place, also of senders that stay."""
        if self.any.lesion.kind == "zero":
            return [s for s in self.any.stream.senders if s.first < receiver.n_senders]
        return [w.sender for w in self.writers.values()]

    def filled(self, share: Tensor, inputs: Tensor, receiver: StreamReceiver) -> tuple[Tensor, Tensor | None]:
        """Shares of all senders (None) where most are cut from one unit, so that what they add is taken as it lies."""
        n = receiver.n_senders
        if share.requires_grad or 2 * int(share.sum(dim=2).max()) <= n:
            return share, inputs
        if sum(s.n_units for s in self.senders(receiver)) < n:
            return share, inputs  # of some it is not known what would be put in their place
        whole = torch.zeros(*share.shape[:2], n, dtype=share.dtype)
        whole[:, :, inputs] = share
        return whole, None

    def changes(self, stream: Tensor, at: At, inputs: Tensor | None, receiver: StreamReceiver) -> Tensor:
        """By how much what senders (None: all before the receiver) add differs from what they would if lesioned.

        Returns
        -------
        ``(sender, row, time, width)``
        """
        assert at.frame is not None
        nodes = b"" if at.rows is None or at.rows.nodes is None else at.rows.nodes.numpy().tobytes()
        made: dict[Any, Any] = at.frame.senders.made.setdefault((self.key, nodes, stream.shape), {})
        senders = [s for s in self.any.stream.senders if s.first < receiver.n_senders]
        if inputs is None:
            return self._all(senders, stream, at, made)
        key = tuple(inputs.tolist())
        if key not in made:
            parts = []
            for sender in senders:
                mine = inputs[(inputs >= sender.first) & (inputs < sender.first + sender.n_units)]
                if len(mine):
                    parts.append(self._change(sender, mine - sender.first, stream, at))
            made[key] = torch.cat(parts) if len(parts) > 1 else parts[0]
        found: Tensor = made[key]
        return found

    def _all(self, senders: Sequence[StreamSender], stream: Tensor, at: At, made: dict[Any, Any]) -> Tensor:
        """Of all senders, side by side in one tensor that is filled as the forward pass goes on."""
        if "all" not in made:
            made["all"], made["n"] = stream.new_empty(self.any.stream.n_senders, *stream.shape), 0
        whole: Tensor = made["all"]
        for sender in senders:
            end = sender.first + sender.n_units
            if end > made["n"]:
                whole[sender.first : end] = self._change(sender, torch.arange(sender.n_units), stream, at)
                made["n"] = end
        return whole[: made["n"]]

    def _change(self, sender: StreamSender, units: Tensor, stream: Tensor, at: At) -> Tensor:
        assert at.frame is not None
        x = present(at.frame.senders.at(sender.site.name), stream, at)
        if self.any.lesion.kind == "zero":
            return sender.added(x, units)
        writer = self.writers[sender.first].source
        axes = ("trial", *sender.site.axes)
        there = dataclasses.replace(at, site=sender.site, axes=axes)
        return sender.added(x - writer.replacement(x, there), units)


def _families(parts: Sequence[tuple[int, StreamEdgeWriter]]) -> list[list[tuple[int, StreamEdgeWriter]]]:
    """Edges that can be cut together: of one family, and with one reference for each sender site."""
    references: dict[Any, list[tuple[int, int]]] = {}
    families: dict[Any, list[tuple[int, StreamEdgeWriter]]] = {}
    for player, writer in parts:
        les = writer.lesion.sender
        variants = references.setdefault((writer.family, writer.sender.first), [])
        reference = id(les.mean), id(les.pool)
        if reference not in variants:
            variants.append(reference)
        families.setdefault((writer.family, variants.index(reference)), []).append((player, writer))
    return list(families.values())
