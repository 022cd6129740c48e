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


class SenderChanges:
    """Changes of senders that are lesioned alike, worked out once in a forward pass for all their receivers.

    Parameters
    ----------
    writer : StreamEdgeWriter
        One of the edges; the family of the others.
    """

    def __init__(self, writer: StreamEdgeWriter) -> None:
        self.kind, self.stream, self.time = writer.lesion.kind, writer.stream, writer.lesion.time
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

    def _change(self, sender: StreamSender, units: Tensor, stream: Tensor, at: At) -> Tensor:
        assert at.frame is not None
        x = present(at.frame.senders.at(sender.site.name), stream, at)
        if self.kind == "zero":
            return sender.added(x, units)
        there = dataclasses.replace(at, site=sender.site, axes=("trial", *sender.site.axes))
        return sender.added(x - self.writers[sender.first].source.replacement(x, there), units)


def rows_key(at: At) -> bytes:
    """Which coalitions the batch holds right now."""
    return b"" if at.rows is None or at.rows.nodes is None else at.rows.nodes.numpy().tobytes()


def present(t: Tensor, x: Tensor, at: At) -> Tensor:
    """Activity at the times that the batch holds right now, where only the last ones are computed."""
    window = None if at.frame is None else at.frame.window
    if window is None or t.shape[1] == x.shape[1]:
        return t
    return t[:, window[0] : window[0] + x.shape[1]]
