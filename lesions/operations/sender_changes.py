"""Sender changes: by how much what senders add to the residual stream differs from what they would add if lesioned."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from artiphys.adapters.residual_stream import StreamReceiver, StreamSender
from artiphys.hooks.sender_activity import SenderActivity
from artiphys.hooks.taps import At
from artiphys.lesions.operations.stream_edges import StreamEdgeWriter

MAX_PADDED = 2  # times the products that are wanted, beyond which each coalition gets a product of its own


class SenderChanges:
    """Changes of senders that are lesioned alike, worked out once in a forward pass for all their receivers.

    Parameters
    ----------
    writer : StreamEdgeWriter
        One of the edges; the family of the others.
    """

    def __init__(self, writer: StreamEdgeWriter) -> None:
        self.kind, self.stream = writer.lesion.kind, writer.stream
        self.writers: dict[int, StreamEdgeWriter] = {}  # one of each sender site, by its first sender
        self._buffers: list[Tensor] = []  # kept from one forward pass to the next
        self._used: tuple[SenderActivity | None, int] = (None, 0)

    def takes(self, writer: StreamEdgeWriter) -> bool:
        """Whether an edge's sender has the same reference as those of the same site here; then it is taken."""
        known = self.writers.setdefault(writer.sender.first, writer).lesion.source
        own = writer.lesion.source
        return known.mean is own.mean and known.pool is own.pool

    def senders(self, receiver: StreamReceiver) -> list[StreamSender]:
        """Those before a receiver whose change is known: where nothing is put in its place, of all."""
        before = [s for s in self.stream.senders if s.first < receiver.n_senders]
        return before if self.kind == "zero" else [s for s in before if s.first in self.writers]

    def knows_all(self, receiver: StreamReceiver) -> bool:
        """Whether the changes of all senders before a receiver are known."""
        return sum(s.n_units for s in self.senders(receiver)) == receiver.n_senders

    def of(self, stream: Tensor, at: At, inputs: Tensor | None, receiver: StreamReceiver) -> Tensor:
        """Changes ``(sender, row, time, width)`` of some senders (None: of all before the receiver).

        Parameters
        ----------
        stream : ``(row, time, width)``
            Of the rows and times wanted.
        """
        assert at.frame is not None
        activity = at.frame.senders
        made: dict[Any, Any] = activity.made.setdefault((id(self), rows_key(at), stream.shape), {})
        senders = self.senders(receiver)
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
        assert at.frame is not None
        if "all" not in made:
            made["all"], made["n"] = self._buffer(stream, at.frame.senders), 0
        whole: Tensor = made["all"]
        for sender in senders:
            end = sender.first + sender.n_units
            if end > made["n"]:
                whole[sender.first : end] = self._change(sender, torch.arange(sender.n_units), stream, at)
                made["n"] = end
        last = senders[-1]
        return whole[: last.first + last.n_units]

    def mixed(self, share: Tensor, inputs: Tensor, stream: Tensor, at: At, receiver: StreamReceiver) -> Tensor:
        """What shares ``(group, unit, input)`` with a gradient take of the changes: ``(unit, row, time, width)``."""
        assert at.frame is not None
        made = at.frame.senders.made.setdefault((id(self), "parts", stream.shape), {"parts": {}})
        senders = self.senders(receiver)
        if "all" not in made:
            made["all"] = self._buffer(stream, at.frame.senders)
        whole: Tensor = made["all"]
        columns: list[int] = []
        n = 0
        for sender in senders:
            if sender.first not in made["parts"]:
                part = self._change(sender, torch.arange(sender.n_units), stream, at)
                made["parts"][sender.first] = part
                with torch.no_grad():
                    whole[n : n + sender.n_units] = part
            columns += range(sender.first, sender.first + sender.n_units)
            n += sender.n_units
        places = torch.searchsorted(torch.tensor(columns), inputs)
        full = share.new_zeros(*share.shape[:2], n).index_copy(2, places, share)
        parts = [made["parts"][s.first] for s in senders]
        result: Tensor = MixedChanges.apply(full.to(stream.dtype), whole[:n], *parts)  # type: ignore[no-untyped-call]
        return result

    def _buffer(self, stream: Tensor, activity: SenderActivity) -> Tensor:
        """Room for all senders. Memory that is new is slow, so that of the last forward pass is used again."""
        shape = (self.stream.n_senders, *stream.shape)
        if self._used[0] is not activity:
            self._used = activity, 0
        n = self._used[1]
        known = self._buffers[n] if n < len(self._buffers) else None
        if known is None or (known.shape, known.dtype, known.device) != (shape, stream.dtype, stream.device):
            self._buffers[n:] = [stream.new_empty(shape)]
        self._used = activity, n + 1
        return self._buffers[n]

    def release(self) -> None:
        """Give back the memory that is kept between forward passes."""
        self._buffers, self._used = [], (None, 0)

    def _change(self, sender: StreamSender, units: Tensor, stream: Tensor, at: At) -> Tensor:
        assert at.frame is not None
        x = present(at.frame.senders.at(sender.site.name), stream, at)
        if self.kind == "zero":
            return sender.added(x, units)
        there = dataclasses.replace(at, site=sender.site, axes=("trial", *sender.site.axes))
        return sender.added(x - self.writers[sender.first].source.replacement(x, there), units)


class MixedChanges(torch.autograd.Function):
    """Products of shares with changes that lie side by side, whose gradients go to the parts these were copied from."""

    @staticmethod
    def forward(ctx: Any, share: Tensor, whole: Tensor, *parts: Tensor) -> Tensor:
        """``(group, unit, sender)`` and ``(sender, row, ...)`` to ``(unit, row, ...)``."""
        ctx.share, ctx.whole, ctx.sizes = share.detach(), whole.detach(), [len(p) for p in parts]
        return mixed(ctx.share, ctx.whole)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Any:
        """Of the shares, none of the whole, of the parts."""
        shape, n_groups = ctx.whole.shape, len(ctx.share)
        of_units = gradients[0].reshape(len(gradients[0]), n_groups, -1).transpose(0, 1)  # (group, unit, ...)
        of_share = of_units @ ctx.whole.reshape(shape[0], n_groups, -1).permute(1, 2, 0)
        of_whole = (ctx.share.transpose(1, 2) @ of_units).transpose(0, 1).reshape(shape)
        return of_share, None, *of_whole.split_with_sizes(ctx.sizes)


def mixed(share: Tensor, added: Tensor) -> Tensor:
    """What groups take ``(group, unit, sender)`` of what senders add ``(sender, row, ...)``: ``(unit, row, ...)``."""
    share = share.to(added.device, added.dtype)
    n_groups, shape = len(share), added.shape[1:]
    rows = added.reshape(len(added), n_groups, -1)
    if n_groups == 1:
        return (share[0] @ rows[:, 0]).reshape(-1, *shape)
    wanted = (share != 0).any(dim=2)
    if wanted.numel() <= MAX_PADDED * int(wanted.sum()):
        return (share @ rows.transpose(0, 1)).transpose(0, 1).reshape(-1, *shape)
    out = rows.new_zeros(share.shape[1], n_groups, rows.shape[2])
    for g in range(n_groups):
        units, senders = wanted[g], (share[g] != 0).any(dim=0)
        out[units, g] = share[g][units][:, senders] @ rows[senders, g]
    return out.reshape(-1, *shape)


def rows_key(at: At) -> bytes:
    """Which coalitions the batch holds right now."""
    return b"" if at.rows is None or at.rows.nodes is None else at.rows.nodes.numpy().tobytes()


def present(t: Tensor, x: Tensor, at: At) -> Tensor:
    """Activity at the times that the batch holds right now, where only the last ones are computed."""
    window = None if at.frame is None else at.frame.window
    if window is None or t.shape[1] == x.shape[1]:
        return t
    return t[:, window[0] : window[0] + x.shape[1]]
