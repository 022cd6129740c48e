"""Ends of an edge: the sender and receiver that its names stand for in a network."""

from __future__ import annotations

import re

from artiphys.adapters.connections import Connection
from artiphys.adapters.residual_stream import SLOTS, ResidualStream, StreamReceiver
from artiphys.errors import InputError, LesionError, SiteError
from artiphys.lesions.operations.edge import Edge
from artiphys.lesions.operations.edge_writer import EdgeWriter
from artiphys.lesions.operations.stream_edges import StreamEdgeWriter
from artiphys.lesions.operations.writer import Writer
from artiphys.players import checked_units
from artiphys.preparation.preparation import Preparation
from artiphys.sites import Site

PART = re.compile(r"(?P<block>blocks\.\d+)\.(?P<part>attn|mlp)")
READOUTS = ("logits", "unembed", "hook_unembed", "unembed.hook_in", "unembed.hook_out")


def receiver_site(prep: Preparation, edge: Edge) -> Site:
    """Site at which an edge's receiver is written, from its name and slot.

    Raises
    ------
    SiteError
        If there is no such site.
    LesionError
        If the slot is missing, or means nothing to the receiver.
    """
    name = edge.receiver
    part = PART.fullmatch(name)
    if part is not None and name not in prep.sites:
        if part["part"] == "attn":
            if edge.slot is None:
                raise LesionError(
                    f"the receiver {name!r} is an attention layer, whose heads have three inputs; say which: slot='q', "
                    "'k' or 'v'"
                )
            return prep.sites[f"{name}.hook_{edge.slot}"]
        site = prep.sites[f"{part['block']}.ln2.hook_in"]
    elif name in READOUTS and "ln_final.hook_in" in prep.sites:
        site = prep.sites["ln_final.hook_in"]
    else:
        site = prep.sites[name]
    implied = next((s for s in SLOTS if site.name.endswith(f"attn.hook_{s}")), None)
    if edge.slot not in (None, implied):
        raise LesionError(f"slot={edge.slot!r} means nothing to the receiver {name!r}; leave it out")
    return site


def edge_writer(prep: Preparation, edge: Edge, source: Writer) -> EdgeWriter | StreamEdgeWriter:
    """The writer of an edge.

    Parameters
    ----------
    source : Writer
        The lesion of the sender, its reference recorded.

    Raises
    ------
    LesionError
        If the sender does not lead to the receiver.
    """
    receiver = receiver_site(prep, edge)
    connection = prep.discovery.connections.get(receiver.name)
    if connection is not None and (sender := connection.sender(source.site.name)) is not None:
        writer = EdgeWriter(edge, connection, sender, source)
        writer.outputs(), writer.inputs()  # units that are not there are told now
        return writer
    if not prep.adapter.has_stream:
        raise LesionError(_no_connection(prep, edge, connection, source.site))
    stream = prep.stream
    found, there = stream.sender(source.site.name), stream.receivers.get(receiver.name)
    if found is None or there is None:
        raise LesionError(_no_stream_edge(stream, edge, connection, there is None))
    if found.first >= there.n_senders:
        raise LesionError(f"{edge.receiver!r} is not downstream of {source.site.name!r}: it comes before it")
    _check_heads(edge, stream, there)
    if edge.sender.units is not None and found.map is None and tuple(edge.sender.units) != (0,):
        raise LesionError(
            f"{source.site.name!r} adds to the stream as a whole, so that its units are no senders; leave "
            "sender_units= out"
        )
    if edge.units is not None and there.map is None:
        raise LesionError(f"{edge.receiver!r} reads the stream as a whole; leave receiver_units= out")
    return StreamEdgeWriter(edge, stream, there, found, source)


def _no_connection(prep: Preparation, edge: Edge, connection: Connection | None, sender: Site) -> str:
    if connection is None:
        known = list(prep.discovery.connections)
        some = ", ".join(known[:8]) + (", ..." if len(known) > 8 else "")
        return (
            f"{edge.receiver!r} is no receiver: it is not known to be linear in its input. Receivers are linear layers "
            "and convolutions (not transposed ones, nor subclasses with a forward of their own) and the gates of RNN, "
            f"GRU and LSTM (not of their cells); in this network {some or 'there are none'}"
        )
    inputs = ", ".join(repr(s.site.name) for s in connection.senders)
    return (
        f"{sender.name!r} is not what comes into {edge.receiver!r}; that is {inputs}. A connection leads from the "
        "input of a linear layer or convolution to its output"
    )


def _no_stream_edge(stream: ResidualStream, edge: Edge, connection: Connection | None, no_receiver: bool) -> str:
    if no_receiver:
        why = f"{edge.receiver!r} is no receiver of the residual stream"
    else:
        why = f"{edge.sender.site!r} is no sender of the residual stream"
    inputs = "" if connection is None else "; into it alone leads " + ", ".join(s.site.name for s in connection.senders)
    return (
        f"{why}{inputs}. Senders are blocks.0.hook_resid_pre, heads (attn.hook_z) and MLPs (hook_mlp_out); receivers "
        "are heads (blocks.1.attn with slot='q', 'k' or 'v'), MLPs (blocks.1.mlp) and the readout (unembed)"
    )


def _check_heads(edge: Edge, stream: ResidualStream, there: StreamReceiver) -> None:
    """Keys and values may have fewer heads than queries, each for a group of these."""
    if edge.units is None or there.map is None:
        return
    try:
        checked_units(there.site, there.site.unit_axis, edge.units)
    except InputError as error:
        queries = stream.receivers.get(f"{there.site.name[:-1]}q")
        n = 0 if queries is None else queries.n_units
        beyond = [u for u in edge.units if there.n_units <= u < n]
        if not beyond:
            raise
        each = n // there.n_units
        raise LesionError(
            f"{there.site.name!r} has {there.n_units} heads for {n} heads of queries (grouped queries); head "
            f"{beyond[0]} of these belongs to group {beyond[0] // each}: receiver_units=[{beyond[0] // each}]"
        ) from error


def sender_site(prep: Preparation, edge: Edge) -> Site:
    """Site of an edge's sender; `SiteError` if there is none."""
    try:
        return prep.sites[edge.sender.site]
    except SiteError as error:
        if PART.fullmatch(edge.sender.site):
            raise SiteError(f"{error}. As senders heads are 'attn.hook_z' and an MLP is 'hook_mlp_out'") from error
        raise
