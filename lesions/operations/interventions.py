"""Interventions: all that the lesions of some players do to a network, put together by the place where they write."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Protocol

import numpy as np
from torch import Tensor

from artiphys.hooks.tapping import Tapping
from artiphys.hooks.taps import At, Tap
from artiphys.lesions.operations.combined import Together
from artiphys.lesions.operations.edge import Edge
from artiphys.lesions.operations.edge_overlap import connections_cut
from artiphys.lesions.operations.edge_writer import EdgeWriter, ReceiverCuts
from artiphys.lesions.operations.sender_changes import SenderChanges
from artiphys.lesions.operations.stream_cuts import StreamCuts
from artiphys.lesions.operations.stream_edges import StreamEdgeWriter
from artiphys.lesions.operations.writer import Writer
from artiphys.players import checked_units
from artiphys.preparation.preparation import Preparation
from artiphys.sites import Site

MAX_SINGLE_EDGES = 64
AnyWriter = Writer | EdgeWriter | StreamEdgeWriter


class Joint(Protocol):
    """The lesions of several players at one place, whose order cannot matter; a write function."""

    cut: Tensor  # bool (coalition, player), True = lesioned

    def __call__(self, x: Tensor, at: At) -> Tensor:
        """The value with each row's coalition lesioned."""


class Interventions:
    """Lesions of players by place. Edges act before what lesions the units that they lead to.

    Parameters
    ----------
    prep : Preparation
    players : sequence of sequence of writers

    Attributes
    ----------
    joints : mapping of str to (Tap, Joint)
        By place.
    """

    def __init__(self, prep: Preparation, players: Sequence[Sequence[AnyWriter]]) -> None:
        by_place: dict[str, list[tuple[int, Any]]] = {}
        for player, parts in enumerate(players):
            for writer in parts:
                by_place.setdefault(writer.place, []).append((player, writer))
        edges = cuts({p: parts for p, parts in by_place.items() if not isinstance(parts[0][1], Writer)}, prep)
        units = {p: Together(parts) for p, parts in by_place.items() if isinstance(parts[0][1], Writer)}
        self.joints: Mapping[str, tuple[Tap, Joint]] = {
            **{place: (joint.tap, joint) for place, joint in edges.items()},
            **{site: (prep.tap(site), joint) for site, joint in units.items()},
        }

    def plan(self, tapping: Tapping) -> None:
        """Plan all writes, and what they read on the way."""
        for place, (tap, joint) in self.joints.items():
            if isinstance(joint, (ReceiverCuts, StreamCuts)):
                plan_cuts(tapping, place, joint)
            else:
                tapping.write(tap, joint)

    def lesion(self, cut: Tensor) -> None:
        """From now on these players are lesioned: bool ``(coalition, player)``."""
        for _, joint in self.joints.values():
            joint.cut = cut

    def release(self) -> None:
        """Give back memory that edges keep between forward passes."""
        for _, joint in self.joints.values():
            for changes, *_ in joint.families if isinstance(joint, StreamCuts) else ():
                changes.release()

    @property
    def taps(self) -> list[Tap]:
        """Where they write."""
        return [tap for tap, _ in self.joints.values()]

    def __iter__(self) -> Iterator[str]:
        return iter(self.joints)


def cuts(by_place: Mapping[str, Sequence[tuple[int, Any]]], prep: Preparation) -> dict[str, ReceiverCuts | StreamCuts]:
    """Edges of each place together, from pairs of player and writer; with those that a circuit leaves out anyway."""
    known: list[SenderChanges] = []
    made: dict[str, ReceiverCuts | StreamCuts] = {}
    layers: dict[str, list[StreamCuts]] = {}
    left_out: dict[str, list[Any]] = {}
    for writer in prep.left_out:
        left_out.setdefault(writer.place, []).append(writer)
    for place, parts in by_place.items():
        always = left_out.get(place, [])
        if isinstance(parts[0][1], EdgeWriter):
            made[place] = ReceiverCuts(parts, always)
            continue
        made[place] = joint = StreamCuts(parts, known, always)
        if joint.receiver.stream is not None:
            joint.layer = layers.setdefault(joint.receiver.stream.site.name, [])
            joint.layer.append(joint)
    return made


def plan_cuts(tapping: Tapping, place: str, joint: ReceiverCuts | StreamCuts, write: Any = None) -> None:
    """Plan the write of the edges of one place, and what it reads on the way."""
    if joint.always:
        tapping.withdraw(place)
    first_at = [joint.tap.site.name, place] if joint.is_anew else [joint.tap.site.name]
    tapping.write(joint.tap, joint if write is None else write, place=place, first_at=first_at)
    if joint.connections is None:
        joint.connections = np.concatenate([connections_cut(w) for w in joint.writers])
    tapping.claims.cut[place] = joint.connections
    tapping.claims.fixed += joint.fixed
    tapping.keep(joint.reads)


def single_edges(writer: EdgeWriter | StreamEdgeWriter) -> list[Edge]:
    """The edge under canonical names, as edges of single units where these are few."""
    edge, sender, receiver = writer.lesion, writer.sender.site, writer.site
    edge = edge.sent_by(edge.source.changed(site=sender.name)).ending_at(receiver.name, edge.units)
    sending, receiving = (_listed(site, units) for site, units in ((sender, edge.source.units), (receiver, edge.units)))
    if len(sending) * len(receiving) > MAX_SINGLE_EDGES:
        return [edge]
    return [edge.sent_by(edge.source.changed(units=i)).ending_at(receiver.name, j) for i in sending for j in receiving]


def _listed(site: Site, units: tuple[int, ...] | None) -> list[tuple[int, ...] | None]:
    return [None] if units is None else [(u,) for u in checked_units(site, site.unit_axis, units)]
