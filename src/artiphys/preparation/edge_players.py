"""Players that are connections: between which units of which sites a game may cut."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Literal, get_args

from artiphys.adapters.connections import Connection
from artiphys.adapters.residual_stream import ResidualStream
from artiphys.errors import InputError, LesionError
from artiphys.players import Link, Player, Players, known_unit_axis
from artiphys.sites import Site, Sites

EdgeGrouping = Literal["sender", "receiver", "site"]
Pair = tuple[Site, int, Site, int]  # a sender site and its units, a receiver site and its units
ARROW = " → "


def edge_players(
    sites: Sites,
    connections: Mapping[str, Connection],
    stream: ResidualStream | None,
    senders: str | Sequence[str],
    receivers: str | Sequence[str],
    group_by: EdgeGrouping | None,
) -> Players:
    """One player per connection that matches, or per group of them.

    Parameters
    ----------
    stream : ResidualStream, optional
        Of a transformer, whose connections go before those inside its layers.

    Raises
    ------
    InputError
        If ``group_by`` is unknown.
    SiteError
        If a pattern matches no site.
    LesionError
        If no connection leads from these senders to these receivers.
    """
    if group_by is not None and group_by not in get_args(EdgeGrouping):
        raise InputError(f"group_by came as {group_by!r}; wanted 'sender', 'receiver', 'site' or None")
    wanted = [None if p == "*" else {s.name for s in sites.select(_listed(p))} for p in (senders, receivers)]
    pairs = [] if stream is None else list(_in_stream(stream, *wanted))
    if stream is None or (not pairs and wanted[0] is not None):
        pairs = list(_through_maps(connections, *wanted))
    if not pairs:
        raise LesionError(
            f"no connection leads from {senders!r} to {receivers!r}. A connection leads from the input of a linear "
            "layer or convolution to its output, in a transformer also from heads (attn.hook_z), MLPs (hook_mlp_out) "
            "to later heads (attn.hook_q, hook_k, hook_v), MLPs (ln2.hook_in) and the readout (ln_final.hook_in)"
        )
    return Players([player for pair in pairs for player in _players(pair, group_by)])


def _listed(patterns: str | Sequence[str]) -> list[str]:
    return [patterns] if isinstance(patterns, str) else list(patterns)


def _in_stream(stream: ResidualStream, senders: set[str] | None, receivers: set[str] | None) -> Iterator[Pair]:
    for name, receiver in stream.receivers.items():
        if receivers is None or name in receivers:
            for sender in stream.senders:
                if sender.first < receiver.n_senders and (senders is None or sender.site.name in senders):
                    n_sending = 0 if sender.map is None else sender.n_units
                    yield sender.site, n_sending, receiver.site, 0 if receiver.map is None else receiver.n_units


def _through_maps(
    connections: Mapping[str, Connection], senders: set[str] | None, receivers: set[str] | None
) -> Iterator[Pair]:
    for name, connection in connections.items():
        if receivers is not None and name not in receivers:
            continue
        known: set[int] = set()
        for sender in connection.senders:
            # The same entries may have several names; one of them does, unless others were asked for.
            if (senders is None or sender.site.name in senders) and sender.start not in known:
                known.add(sender.start)
                yield sender.site, _n_units(sender.site), connection.tap.site, _n_units(connection.tap.site)


def _n_units(site: Site) -> int:
    return site.size(known_unit_axis(site))


def _players(pair: Pair, group_by: EdgeGrouping | None) -> Iterator[Player]:
    """Players of one sender site and one receiver site; a count of 0 stands for a site that is one unit."""
    sender, n_sending, receiver, n_receiving = pair
    sending: list[int | None] = [None] if group_by in ("site", "receiver") or not n_sending else [*range(n_sending)]
    receiving: list[int | None] = [None] if group_by in ("site", "sender") or not n_receiving else [*range(n_receiving)]
    for j in receiving:
        for i in sending:
            name = f"{_named(sender.name, i)}{ARROW}{_named(receiver.name, j)}"
            yield Player(name, (Link(sender.name, _units(i), receiver.name, _units(j)),))


def _named(site: str, unit: int | None) -> str:
    return site if unit is None else f"{site}.{unit}"


def _units(unit: int | None) -> tuple[int, ...] | None:
    return None if unit is None else (unit,)
