"""StreamEdgeWriter: an edge in a transformer's residual stream, from a head or MLP to a later one or the readout."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from artiphys.adapters.residual_stream import ResidualStream, StreamReceiver, StreamSender
from artiphys.hooks.taps import At, Tap
from artiphys.lesions.operations.edge import Edge
from artiphys.lesions.operations.writer import Writer
from artiphys.players import checked_units
from artiphys.sites import Site


@dataclass(frozen=True)
class StreamEdgeWriter:
    """An edge of the stream at its receiver.

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
