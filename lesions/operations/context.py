"""lesioned(): a context manager that applies lesions while a block runs."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from typing import Any

import torch
from torch import Tensor

from artiphys.digests import same_network
from artiphys.errors import LesionError
from artiphys.hooks.taps import At, Write
from artiphys.lesions.operations.edge import Edge
from artiphys.lesions.operations.edge_ends import edge_writer, receiver_site, sender_site
from artiphys.lesions.operations.edge_overlap import AnyEdge, shared_by
from artiphys.lesions.operations.interventions import AnyWriter, cuts, plan_cuts
from artiphys.lesions.operations.lesion import Lesion
from artiphys.lesions.operations.writer import Writer
from artiphys.players import checked_units, known_unit_axis
from artiphys.preparation.preparation import Preparation
from artiphys.recording import Recording, record
from artiphys.stimuli import Stimuli


def lesioned(prep: Preparation, *lesions: Lesion) -> Lesioned:
    """Apply lesions while the block runs; undone on exit, also on an error or interrupt.

    Several lesions, and nested blocks, act in the order given: a later one sees what an earlier one
    wrote. The model itself is lesioned, however it is called inside the block.

    Raises
    ------
    SiteError
        If a site does not exist or is inert.
    LesionError
        If a reference does not fit.

    Examples
    --------
    >>> import artiphys as ap
    >>> toy = ap.toys.load("xor")
    >>> prep = ap.wrap(toy)
    >>> with ap.lesioned(prep, ap.Lesion("hidden", units=[0], kind="zero")):
    ...     prep.run(toy.stimuli).outputs.tolist()
    [0.0, 0.0, 0.0, 0.0]
    >>> prep.run(toy.stimuli).outputs.tolist()
    [0.0, 1.0, 1.0, 0.0]
    """
    if not lesions:
        raise LesionError("ap.lesioned got no lesions; give at least one")
    for lesion in lesions:
        if not isinstance(lesion, Lesion):
            raise LesionError(
                f"ap.lesioned got a {type(lesion).__name__}; wanted lesions made by ap.Lesion"
                + ("; unpack it: ap.lesioned(prep, *lesions)" if isinstance(lesion, (list, tuple)) else "")
            )
    return Lesioned(prep, lesions)


class Lesioned(contextlib.AbstractContextManager[Preparation]):
    """Lesions of a network, in force while entered; what `lesioned` gives. It may be entered again once it was left."""

    def __init__(self, prep: Preparation, lesions: Sequence[Lesion]) -> None:
        self.prep, self.lesions = prep, tuple(lesions)
        self._block: contextlib.AbstractContextManager[None] | None = None

    def __enter__(self) -> Preparation:
        if self._block is not None:
            raise LesionError("these lesions are in force already; make another ap.lesioned to apply them twice")
        block = _in_force(self.prep, self.lesions)
        block.__enter__()
        self._block = block
        return self.prep

    def __exit__(self, kind: Any, error: Any, trace: Any) -> None:
        block, self._block = self._block, None
        if block is not None:
            block.__exit__(kind, error, trace)


@contextlib.contextmanager
def _in_force(prep: Preparation, lesions: Sequence[Lesion]) -> Iterator[None]:
    write_functions = writers(prep, lesions)
    tapping = prep.tapping(names=[lesion.digest() for lesion in lesions])
    timed = []
    edges: dict[str, list[tuple[int, Any]]] = {}
    for writer in write_functions:
        if not isinstance(writer, Writer):
            edges.setdefault(writer.place, []).append((0, writer))
    for place, joint in cuts(edges, prep).items():  # all at once: they act on what comes into a unit
        _require_apart(edges[place])
        joint.cut = torch.ones(1, 1, dtype=torch.bool)
        timed.append(acting := _Timed(joint, [w for _, w in edges[place] if w.lesion.time is not None]))
        plan_cuts(tapping, place, joint, acting)
    for writer in write_functions:
        if isinstance(writer, Writer):
            timed.append(acting := _Timed(writer, [writer] if writer.lesion.time is not None else []))
            tapping.write(prep.tap(writer.site.name), acting)
    with tapping:
        yield
    for write in timed:
        write.require_reached()


def _require_apart(edges: Sequence[tuple[int, AnyEdge]]) -> None:
    """`LesionError` if a connection is cut in two ways at once."""
    ways: dict[Any, int] = {}
    sources = [(w.family, id(w.lesion.source.mean), id(w.lesion.source.pool)) for _, w in edges]
    owners = [ways.setdefault(way, len(ways)) for way in sources]
    both = shared_by([(owner, w) for owner, (_, w) in zip(owners, edges)])
    if both is not None:
        first, second = (edges[owners.index(owner)][1].lesion.label() for owner in both)
        raise LesionError(
            f"the edges {first!r} and {second!r} cut the same connection in two ways, or at times that overlap; what "
            "it carries would be taken out twice. Give one of them"
        )


class _Timed:
    """A write, some of whose lesions act at some times; it knows whether text that was generated ever reached them."""

    def __init__(self, write: Write, writers: Sequence[AnyWriter]) -> None:
        self.write, self.waiting, self.asked = write, list(writers), False

    def __call__(self, x: Tensor, at: At) -> Tensor:
        if self.waiting and at.rows is None and at.n_time is None:
            self.asked = True
            self.waiting = [w for w in self.waiting if not bool(w.times(x, at).any())]
        return self.write(x, at)

    def require_reached(self) -> None:
        if self.asked and self.waiting:
            raise LesionError(
                f"the lesion {self.waiting[0].lesion.label()} never acted: what was generated did not reach its time"
            )


def writers_by_player(prep: Preparation, players: Sequence[Sequence[Lesion]]) -> list[list[AnyWriter]]:
    """Writers of each player's lesions, checked together."""
    flat = iter(writers(prep, [lesion for parts in players for lesion in parts]))
    return [[next(flat) for _ in parts] for parts in players]


def writers(prep: Preparation, lesions: Sequence[Lesion]) -> list[AnyWriter]:
    """Write functions of lesions, their sites checked to be wired and their references recorded."""
    recorded: dict[str, Recording] = {}
    write_functions: list[AnyWriter] = []
    origin = _Origin(prep)
    for lesion in lesions:
        if isinstance(lesion, Edge):
            prep.require_wired(receiver_site(prep, lesion).name)
            source = lesion.sender
            site = sender_site(prep, lesion)
        else:
            source, site = lesion, prep.require_wired(lesion.site)
        if source.pending is not None:
            source = source.resolved(_recorded(prep, source.pending, site.name, recorded))
        origin.check(source)
        writer = Writer(source, site)
        if isinstance(lesion, Edge):
            if source.units is not None:
                checked_units(site, known_unit_axis(site), source.units)
            write_functions.append(edge_writer(prep, lesion.sent_by(source), writer))
            continue
        lesion = source
        if lesion.units is not None and lesion.axis is None:
            known_unit_axis(site)
        if lesion.units is not None and writer.unit_axis is not None:
            checked_units(site, writer.unit_axis, lesion.units)
        elif lesion.axis is not None:
            site.axis(lesion.axis)
        write_functions.append(writer)
    return write_functions


def _recorded(prep: Preparation, stimuli: Stimuli, site: str, known: dict[str, Recording]) -> Recording:
    key = f"{stimuli.digest()}{site}"
    if key not in known:
        with prep.intact():  # of a network without the lesions around this one
            known[key] = record(prep, stimuli, site, progress=False)
    return known[key]


class _Origin:
    """Checks that references come from this model; the fingerprint is looked at once."""

    def __init__(self, prep: Preparation) -> None:
        self.prep = prep
        self.model: str | None = None

    def check(self, lesion: Lesion) -> None:
        for kept in (lesion.mean, lesion.pool):
            if kept is None:
                continue
            if self.model is None:
                self.model = self.prep.fingerprint()
            if not same_network(kept.model, self.model):
                raise LesionError(
                    f"the reference of the lesion at {lesion.site!r} was recorded from another model (or before its "
                    "weights changed, or an attribute, a hook or its code); record it again from this one"
                )
