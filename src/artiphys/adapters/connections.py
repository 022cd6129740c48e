"""Connections: where the input of a weighted map comes from, so that units can be cut off from units."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from torch import Tensor, nn

from artiphys.adapters.module_events import Event, TensorKey
from artiphys.adapters.weighted_maps import WeightedMap
from artiphys.hooks.nested import find
from artiphys.hooks.taps import At, Tap, View
from artiphys.sites import Site

FIRST_INPUT = (0, 0)
Naming = Callable[[Event], str | None]  # canonical site of an event; None where there is none


@dataclass(frozen=True)
class Sender:
    """A site whose units are entries of a receiver's input.

    Attributes
    ----------
    site : Site
    view : View
        How the input becomes the trial-first form of the site.
    lag : int
        Steps by which it fired before the receiver (negative where time runs backwards).
    start : int
        Its first entry in the receiver's input.
    """

    site: Site
    view: View
    lag: int = 0
    start: int = 0


@dataclass(frozen=True)
class Connection:
    """A weighted map of the network: a receiver site, and the sites that are its input.

    Attributes
    ----------
    tap : Tap
        Where the map's output lies, with the receiver's site.
    map : WeightedMap
    senders : tuple of Sender
    """

    tap: Tap
    map: WeightedMap
    senders: tuple[Sender, ...]

    def sender(self, name: str) -> Sender | None:
        """The sender of a canonical name."""
        return next((s for s in self.senders if s.site.name == name), None)

    def input(self, sender: Sender, at: At, rows: int) -> Tensor:
        """What the map was given, trial-first: ``(row, *site axes)``, with a time axis of one step where it is one."""
        raw: Tensor = find(at.given, FIRST_INPUT) if at.given[0] else next(iter(at.given[1].values()))
        view = sender.view
        x = view.to(raw, raw.shape[view.trial_axis] if not view.merged else rows)
        if len(x) != rows and at.frame is not None:
            x = at.frame.senders.aligned(x)
        return x.unsqueeze(1) if self.tap.call is None else x


def connections_of(
    root: nn.Module, events: Sequence[Event], name_of: Naming, taps: Mapping[str, Tap], stepped: Callable[[str], bool]
) -> dict[str, Connection]:
    """Connections of a plain module by receiver, from the tensors seen entering and leaving its modules.

    Parameters
    ----------
    name_of : callable
        Canonical site of an event.
    stepped : callable
        Whether a module is called once per time step.
    """
    found: dict[str, Connection] = {}
    holders: dict[TensorKey, list[tuple[str, int]]] = {}  # sites that held a tensor, and at which call
    inputs: dict[tuple[str, int], list[tuple[str, int]]] = {}
    for e in events:
        name = name_of(e)
        known = holders.setdefault(e.key, [])
        if (e.of_input and e.path in ((0, 0), ())) or (e.of_input and e.path[:1] == (1,)):
            steps = stepped(e.module)
            key = (e.module, 0 if steps else e.call)
            some = inputs.setdefault(key, [])
            own = [] if name is None else [(name, 0)]
            lags = [(site, e.call - call if steps and taps[site].site.stepped else 0) for site, call in known]
            some += [s for s in (*own, *lags) if s not in some]
        if name is not None:
            known.append((name, e.call))
    for e in events:
        if e.of_input or e.path not in ((), (0,)) or (stepped(e.module) and e.call):
            continue
        weighted = WeightedMap.of(root.get_submodule(e.module))
        receiver = name_of(e)
        if weighted is None or receiver is None:
            continue
        tap = taps[receiver]
        own_tap = replace(tap, module=weighted.module, path=e.path, of_input=False, call=tap.call)
        senders = _senders(inputs.get((e.module, e.call), []), taps, weighted)
        if senders and receiver not in found:
            found[receiver] = Connection(own_tap, weighted, senders)
    return found


def _senders(names: Sequence[tuple[str, int]], taps: Mapping[str, Tap], weighted: WeightedMap) -> tuple[Sender, ...]:
    """Sites of one tensor, the input of a map; the first name of each."""
    found: dict[str, Sender] = {}
    for name, lag in names:
        site, view = taps[name].site, taps[name].view
        axis = "channel" if weighted.is_convolution else site.axes[-1]
        if axis in site.axes and site.size(axis) == weighted.n_inputs and name not in found:
            found[name] = Sender(site, view, lag)
    # What put it out says most, then what it is called by those that take it in.
    outputs = [s for s in reversed(found.values()) if not taps[s.site.name].of_input]
    return (*outputs, *(s for s in found.values() if taps[s.site.name].of_input))
