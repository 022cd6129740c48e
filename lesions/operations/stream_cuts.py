"""StreamCuts: all edges of the residual stream into one receiver site, for many coalitions at once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from artiphys.array_types import Array
from artiphys.hooks.taps import At, Tap
from artiphys.lesions.operations.broadcast import rows_cut, selected
from artiphys.lesions.operations.edge_writer import everyone
from artiphys.lesions.operations.sender_changes import SenderChanges, mixed, present, rows_key
from artiphys.lesions.operations.shares import Shares
from artiphys.lesions.operations.stream_edges import StreamEdgeWriter

MIN_SHARE_OF_SENDERS = 8  # one of so many
Part = tuple[int, StreamEdgeWriter]  # player, and its edge


@dataclass(frozen=True)
class Streams:
    """What some units of a receiver get in the place of the stream.

    Attributes
    ----------
    values : ``(unit, row, time, width)``
    units : int ``(unit,)``
    where : bool ``(row or 1, 1, unit of the receiver, 1)``
        Of which rows any of it is cut.
    """

    values: Tensor
    units: Tensor
    where: Tensor


class StreamCuts:
    """Edges of the stream into one receiver site; a write function.

    Parameters
    ----------
    parts : pairs of player and `StreamEdgeWriter`
    known : list of SenderChanges
        Shared by all receivers; those that are missing are added.
    always : sequence of StreamEdgeWriter
        Cut whoever is lesioned: what a circuit leaves out.

    Attributes
    ----------
    layer : list of StreamCuts
        Those that read the stream at the same place (a layer's queries, keys and values), this one too.
    """

    def __init__(
        self, parts: Sequence[Part], known: list[SenderChanges], always: Sequence[StreamEdgeWriter] = ()
    ) -> None:
        self.receiver = parts[0][1].receiver
        self.tap = self.receiver.tap
        self.cut = torch.zeros(0, 0, dtype=torch.bool)  # (coalition, player), True = lesioned
        self.always, self.writers = list(always), [*(w for _, w in parts), *always]
        self.connections: Array | None = None  # numbers of all that are cut, once they were asked for
        self.fixed = parts[0][1].stream.between
        members: dict[Any, tuple[SenderChanges, StreamEdgeWriter, list[Part]]] = {}
        for player, writer in [*parts, *((-1, w) for w in always)]:
            changes = _changes_of(writer, known)
            members.setdefault((player < 0, id(changes)), (changes, writer, []))[2].append((player, writer))
        self.families: list[tuple[SenderChanges, StreamEdgeWriter, Shares, bool]] = []
        for (is_base, _), (changes, first, some) in members.items():
            shares = Shares([(p, w.outputs(), w.inputs()) for p, w in some])
            for w in () if is_base else always:
                shares.release(w.outputs(), w.inputs())
            self.families.append((changes, first, shares, is_base))
        self.layer = [self]

    @property
    def is_anew(self) -> bool:
        """Whether it is computed anew from the stream, so that what others changed before would be undone."""
        return self.receiver.stream is not None

    @property
    def reads(self) -> tuple[Tap, ...]:
        """Taps that must be read earlier in the forward pass."""
        senders = [s.tap for changes, *_ in self.families for s in changes.senders(self.receiver)]
        return (*senders, *(() if self.receiver.stream is None else (self.receiver.stream,)))

    def __call__(self, x: Tensor, at: At) -> Tensor:
        """The value with each row's coalition lesioned."""
        return self.without(x, at, rows_cut(self.cut, at))

    def without(self, x: Tensor, at: At, off: Tensor) -> Tensor:
        """The receiver's value less what is cut; ``off`` is bool or float ``(group, player)``, rows in equal groups."""
        assert at.frame is not None
        if self.receiver.stream is None:
            streams = self._streams(x, at, off)
            return x if streams is None else streams.values[0]
        stream = present(at.frame.senders.at(self.receiver.stream.site.name), x, at)
        streams = self._of_layer(stream, at, off)
        if streams is None:
            return x
        made = self.receiver.received(streams.values, streams.units).movedim(0, -2).to(x.dtype)
        value = x.index_copy(-2, streams.units.to(x.device), made)
        return selected(streams.where.to(x.device), value, x)

    def _of_layer(self, stream: Tensor, at: At, off: Tensor) -> Streams | None:
        """Streams of this receiver; those of the layer's others are worked out with them, where one product does."""
        simple = [c for c in self.layer if len(c.families) == 1 and c.families[0][1].lesion.time is None]
        if off.requires_grad or self not in simple or len(simple) < 2:
            return self._streams(stream, at, off)
        assert at.frame is not None
        made = at.frame.senders.made
        key = (id(self.layer), rows_key(at), stream.shape)
        if key not in made:
            changes = self.families[0][0]
            same = [c for c in simple if c.families[0][0] is changes]
            shares = {id(c): c.families[0][2].of(off) for c in same}
            dense = [c for c in same if shares[id(c)][0].numel() and c.many_are_cut(shares[id(c)][2])]
            made[key] = {}
            if len(dense) > 1:
                whole = [c.filled(*shares[id(c)]) for c in dense]
                added = changes.of(stream, at, None, self.receiver)
                units = [shares[id(c)][1] for c in dense]
                values = self._taken(torch.cat(whole, dim=1), added, stream, changes).split_with_sizes(
                    [len(u) for u in units]
                )
                for c, share, some, value in zip(dense, whole, units, values):
                    where = c.marked(share.any(dim=2)[:, None], some, len(stream))
                    made[key][id(c)] = Streams(value, some, where)
        found: Streams | None = made[key].get(id(self))
        return self._streams(stream, at, off) if found is None else found

    def many_are_cut(self, inputs: Tensor) -> bool:
        """Whether so many senders are cut from any unit that what all of them add is best taken as it lies."""
        if MIN_SHARE_OF_SENDERS * len(inputs) < self.receiver.n_senders:
            return False
        return all(changes.knows_all(self.receiver) for changes, *_ in self.families)

    def filled(self, share: Tensor, outputs: Tensor, inputs: Tensor) -> Tensor:
        """Shares of all senders before the receiver."""
        whole = torch.zeros(*share.shape[:2], self.receiver.n_senders, dtype=share.dtype)
        whole[:, :, inputs] = share
        return whole

    def _taken(self, share: Tensor, added: Tensor, stream: Tensor, changes: SenderChanges) -> Tensor:
        """The stream less shares of all senders, ``(unit, row, time, width)``."""
        if changes.kind == "zero" and 2 * int(share.sum(dim=2).max()) > self.receiver.n_senders:
            # Taken from the stream, little would be left but rounding, which a norm would blow up.
            return self.receiver.constant.to(stream) + mixed(~share, added)
        return stream - mixed(share, added)

    def _streams(self, stream: Tensor, at: At, off: Tensor) -> Streams | None:
        shares = [
            (changes, first, *own.of(everyone(off) if is_base else off))
            for changes, first, own, is_base in self.families
        ]
        found = _merged([entry for entry in shares if entry[2].numel()])
        if not found:
            return None
        units = torch.unique(torch.cat([outputs for _, _, _, outputs, _ in found]))
        where = torch.zeros(len(off), 1, len(units), dtype=torch.bool)
        new = stream[None].expand(len(units), *stream.shape)
        for changes, first, share, outputs, inputs in found:
            rows = torch.searchsorted(units, outputs).to(new.device)
            before = new if len(rows) == len(units) else new.index_select(0, rows)
            if share.requires_grad:
                made = before - changes.mixed(share, inputs, stream, at, self.receiver)
            elif len(found) == 1 and self.many_are_cut(inputs):
                added = changes.of(stream, at, None, self.receiver)
                made = self._taken(self.filled(share, outputs, inputs), added, stream, changes)
            else:
                made = before - mixed(share, changes.of(stream, at, inputs, self.receiver))
            if first.lesion.time is not None:
                made = torch.where(first.times(stream, at), made, before)
            new = made if len(rows) == len(units) else new.index_copy(0, rows, made)
            cut = torch.ones_like(share[..., 0], dtype=torch.bool) if share.requires_grad else share.any(dim=2)
            where = where | torch.zeros_like(where).index_copy(2, rows.cpu(), cut[:, None])
        return Streams(new.to(stream.dtype), units, self.marked(where, units, len(stream)))

    def marked(self, where: Tensor, units: Tensor, n_rows: int) -> Tensor:
        """``(group, 1, unit)`` of some units, laid out as ``(row, 1, unit of the receiver, 1)``."""
        mask = torch.zeros(len(where), 1, self.receiver.n_units, dtype=torch.bool).index_copy(2, units, where)
        return mask.repeat_interleave(n_rows // len(where), dim=0)[..., None]


Entry = tuple[SenderChanges, StreamEdgeWriter, Tensor, Tensor, Tensor]  # share, outputs and inputs last


def _merged(entries: list[Entry]) -> list[Entry]:
    """Shares of the same changes, such as those of a circuit's own edges and of what it leaves out, as one."""
    merged: dict[int, Entry] = {}
    for entry in entries:
        known = merged.get(id(entry[0]))
        if known is None:
            merged[id(entry[0])] = entry
            continue
        outputs = torch.unique(torch.cat([known[3], entry[3]]))
        inputs = torch.unique(torch.cat([known[4], entry[4]]))
        both: list[Tensor] = []
        for _, _, share, own_outputs, own_inputs in (known, entry):
            rows, columns = torch.searchsorted(outputs, own_outputs), torch.searchsorted(inputs, own_inputs)
            whole = torch.zeros(len(share), len(outputs), len(inputs), dtype=share.dtype)
            both.append(whole.index_put((torch.arange(len(share))[:, None, None], rows[:, None], columns), share))
        some = both[0] | both[1] if both[0].dtype == both[1].dtype == torch.bool else both[0] + both[1]
        merged[id(entry[0])] = (*entry[:2], some, outputs, inputs)
    return list(merged.values())


def _changes_of(writer: StreamEdgeWriter, known: list[SenderChanges]) -> SenderChanges:
    """The changes that an edge's sender belongs to: of one kind of lesion and one reference for each site."""
    for changes in known:
        if next(iter(changes.writers.values())).family == writer.family and changes.takes(writer):
            return changes
    new = SenderChanges(writer)
    new.takes(writer)
    known.append(new)
    return new
