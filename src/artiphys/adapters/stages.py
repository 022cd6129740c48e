"""Stages: the ordered steps of a forward pass between which a batch may grow.

Coalitions that lesion the same players up to a stage share all computation up to it. Which modules are
stages is a guess from the model's structure, checked here by running it: each must be entered by itself,
and which entries of its arguments belong to trials is seen from two and three trials.
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from torch import nn

from artiphys.hooks.changes import Changes
from artiphys.hooks.nested import Key, leaves
from artiphys.hooks.rerouting import Forward, rerouted
from artiphys.hooks.taps import Tap

Place = tuple[int, tuple[Key, ...]]  # stage, path of a tensor in its arguments (in its outputs: after OUT)
OUT = "->"


@dataclass(frozen=True)
class Stage:
    """One call of one module."""

    name: str
    module: nn.Module
    call: int = 0


@dataclass
class Stages:
    """The stages of a forward pass, where each site lies, and which arguments carry trials.

    Attributes
    ----------
    stages : list of Stage
        In the order they run.
    of_site : dict of str to list of int
        Number of stages that had ended when the site fired, one entry per call of the site; a lesion there
        acts from that stage on. ``len(stages)`` is what comes after the last.
    fixed : dict
        Sizes of the tensors among the arguments that hold the same for any number of trials.
    per_trial : dict
        Trial axis and rows per trial of those that hold trials another way than one row each.
    costs : list of float
        What each stage computes as a part of a whole one.
    width : int
        Most numbers of one trial that pass between two stages.
    last : LastBlock, optional
        How the last module runs in two stages (`artiphys.adapters.last_block`).
    """

    stages: list[Stage] = field(default_factory=list)
    of_site: dict[str, list[int]] = field(default_factory=dict)
    fixed: dict[Place, tuple[int, ...]] = field(default_factory=dict)
    per_trial: dict[Place, tuple[int, int]] = field(default_factory=dict)
    costs: list[float] = field(default_factory=list)
    width: int = 1
    last: Any = None

    def __len__(self) -> int:
        return len(self.stages) + (self.last is not None)


class NotStagedError(Exception):
    """These modules are no stages of this model; never leaves `find_stages`' callers."""


def find_stages(modules: Sequence[tuple[str, nn.Module]], taps: Sequence[Tap], run: Callable[[int], Any]) -> Stages:
    """See what order the modules run in, and where the taps lie among them.

    Parameters
    ----------
    modules : pairs of name and module
    taps : sequence of Tap
        Sites that will be lesioned.
    run : callable
        Runs the model on so many trials.

    Raises
    ------
    NotStagedError
        If one runs inside another, or what runs depends on the number of trials.
    """
    two, three = Trace({id(m): n for n, m in modules}), Trace({})
    for trace, n in ((two, 2), (three, 3)):
        with rerouted([m for _, m in modules], trace.reroute), trace.watching(taps):
            run(n)
    if [s.module for s in two.stages] != [s.module for s in three.stages] or two.of_site != three.of_site:
        raise NotStagedError("what runs depends on the number of trials")
    found = Stages(two.stages, two.of_site, costs=[1.0] * len(two.stages))
    for place, small in two.shapes.items():
        large = three.shapes.get(place)
        if large is None or len(large) != len(small):
            raise NotStagedError("arguments depend on the number of trials")
        moved = [i for i, (a, b) in enumerate(zip(small, large)) if a != b]
        if not moved:
            found.fixed[place] = small
        elif len(moved) > 1 or small[moved[0]] * 3 != large[moved[0]] * 2:
            raise NotStagedError("an argument holds trials in no known way")
        elif (moved[0], small[moved[0]]) != (0, 2):
            found.per_trial[place] = (moved[0], small[moved[0]] // 2)
    sizes = [math.prod(small) // 2 for place, small in two.shapes.items() if place not in found.fixed]
    found.width = max(1, *sizes)
    return found


class Trace:
    """The order of stages, the shapes between them and where taps fire, noted in one forward pass."""

    def __init__(self, names: Mapping[int, str]) -> None:
        self.names = names
        self.stages: list[Stage] = []
        self.shapes: dict[Place, tuple[int, ...]] = {}
        self.of_site: dict[str, list[int]] = {}
        self.n_ended = 0
        self.calls: dict[int, int] = {}

    def reroute(self, module: nn.Module, forward: Forward) -> Forward:
        """A forward that notes the stage it is; for `rerouted`."""

        def traced(*args: Any, **kwargs: Any) -> Any:
            here = len(self.stages)
            if here != self.n_ended:
                raise NotStagedError("one stage runs inside another")
            call = self.calls.get(id(module), 0)
            self.calls[id(module)] = call + 1
            self.stages.append(Stage(self.names.get(id(module), ""), module, call))
            for path, t in leaves((args, kwargs)):
                self.shapes[here, path] = tuple(t.shape)
            outputs = forward(*args, **kwargs)
            if len(self.stages) != here + 1:
                raise NotStagedError("one stage runs inside another")
            for path, t in leaves(outputs):
                self.shapes[here, (OUT, *path)] = tuple(t.shape)
            self.n_ended += 1
            return outputs

        return traced

    @contextlib.contextmanager
    def watching(self, taps: Sequence[Tap]) -> Iterator[None]:
        """Note how many stages had ended when each tap fired."""

        def note(name: str) -> Callable[..., None]:
            return lambda *_: self.of_site.setdefault(name, []).append(self.n_ended)

        with Changes() as changes:
            for tap in {tap.site.name: tap for tap in taps}.values():
                changes.hook(tap.module, note(tap.site.name), pre=tap.of_input)
            yield


def candidates(root: nn.Module) -> list[list[tuple[str, nn.Module]]]:
    """Guesses at the stages of a plain module, the finest first.

    >>> net = nn.Sequential(nn.Linear(2, 2), nn.Sequential(nn.ReLU(), nn.Linear(2, 1)))
    >>> [[n for n, _ in guess] for guess in candidates(net)]
    [['0', '1.0', '1.1'], ['0', '1']]
    """
    names = {id(m): n for n, m in root.named_modules()}
    fine = _expanded(root)
    coarse = [
        c for child in root.children() for c in (child.children() if isinstance(child, nn.ModuleList) else [child])
    ]
    guesses = []
    for modules in (fine, coarse):
        named = [(names[id(m)], m) for m in {id(m): m for m in modules}.values() if m is not root]
        if named and named not in guesses:
            guesses.append(named)
    return guesses


def _expanded(module: nn.Module) -> list[nn.Module]:
    containers = (nn.Sequential, nn.ModuleList)
    if isinstance(module, containers):
        # What stands in a list is a block of its own: its inner lists (a shortcut, say) are not in series.
        return [e for c in module.children() for e in (_expanded(c) if isinstance(c, containers) else [c])]
    children = list(module.children())
    if not isinstance(module, nn.RNNBase) and any(isinstance(m, containers) and len(m) > 1 for m in module.modules()):
        return [e for c in children for e in _expanded(c)]
    return [module]
