"""What feeds what in a network, observed while it runs: for drawings, where no table of its family is at hand.

Two observations. Every operation of torch between the modules is followed, which tells whose outputs feed which module
(also where a forward combines them by hand). Then one unit at a time is changed while the outputs of all other modules
are held, which tells to which units it leads, and by which weight where that is the same on all trials.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from artiphys.array_types import Array
from artiphys.hooks.changes import Changes
from artiphys.plotting.network_parts import (
    INPUT,
    OUTPUT,
    UNUSUAL,
    Feed,
    Part,
    acts_on_single_units,
    is_one_box,
    passes_through,
    reads_and_writes,
    shown_units,
    tensors_in,
)
from artiphys.plotting.unit_steps import Step

# Operations that only rearrange, and those that take nothing but the shape of what they are given.
VIEWS = {"getitem", "reshape", "view", "squeeze", "unsqueeze", "transpose", "permute", "flatten", "contiguous", "clone",
         "to", "float", "double", "get", "select", "unbind", "split", "chunk", "expand", "detach", "repeat", "cat",
         "stack", "expand_as", "t", "type_as", "setitem", "as_tensor", "movedim", "broadcast_to"}  # fmt: skip
SHAPES = {"new_zeros", "zeros_like", "new_ones", "ones_like", "empty_like", "new_full", "full_like", "size"}

Source = tuple[frozenset[str], frozenset[str]]
NOTHING: Source = (frozenset(), frozenset())


class Wiring:
    """Parts of a network in the order in which they were computed, and what feeds what.

    Attributes
    ----------
    parts : dict of str to Part
    feeds : dict of (str, str) to Feed
    """

    def __init__(self, model: nn.Module, inputs: Any, sites: dict[str, list[int]]) -> None:
        self.parts: dict[str, Part] = {}
        self.feeds: dict[tuple[str, str], Feed] = {}
        self._model, self._inputs, self._sites = model, inputs, sites
        self._origins: dict[int, Source] = {}
        self._alive: list[Tensor] = []  # or another tensor would get the identity of one that is gone
        self._inside = 0  # of a module that is not looked into
        self._calls: dict[str, list[Tensor]] = {}
        self._given: dict[str, list[Tensor]] = {}  # to modules that act on each unit by itself: these sum what comes
        self._add(INPUT, ["tokens" if self._tokens() else "float"], next(tensors_in(inputs)))
        with Changes() as changes, torch.no_grad():
            self._follow(changes)
            with _Following(self._operation):
                out = model(**inputs) if isinstance(inputs, dict) else model(inputs)
        del out
        self._alive.clear()
        used = {name for pair in self.feeds for name in pair}
        tables = {n: Part(n, [f"table {shape}"], sites=[n]) for n, shape in self._tables.items() if n in used}
        self.parts = {INPUT: self.parts.pop(INPUT), **tables, **self.parts}
        order = list(self.parts)
        for (a, b), feed in self.feeds.items():
            feed.back = order.index(a) >= order.index(b)
        self._probe()

    def _tokens(self) -> bool:
        return not next(tensors_in(self._inputs)).is_floating_point()

    def _add(self, name: str, words: list[str], out: Any, module: nn.Module | None = None) -> None:
        """A part; a column of units if its output is a plain array of numbers, else a box."""
        if name in self.parts:
            return
        part = self.parts[name] = Part(name, words, sites=[name])
        if module is not None:
            part.words = [*words, *reads_and_writes(module)]
        box = module is not None and (any(True for _ in module.children()) and is_one_box(name, module))
        if isinstance(module, nn.Embedding) or box or not isinstance(out, Tensor) or not out.is_floating_point():
            return
        part.width = 1 if out.ndim == 1 else int(out.shape[-1])
        if isinstance(module, nn.Linear):
            part.linear = True
            part.bias = None if module.bias is None else np.asarray(module.bias.detach().float().cpu())

    def _mark(self, value: Any, source: Source) -> None:
        for t in tensors_in(value):
            self._origins[id(t)] = source
            self._alive.append(t)

    def _origin(self, value: Any) -> Source:
        found = [self._origins.get(id(t), NOTHING) for t in tensors_in(value)]
        return frozenset().union(*(s for s, _ in found)), frozenset().union(*(o for _, o in found))

    def _feed(self, name: str, source: Source) -> None:
        for a in sorted(source[0]):
            self.feeds.setdefault((a, name), Feed(set())).operations |= source[1]

    def _operation(self, name: str, args: Any, out: Any) -> None:
        """Follow one operation outside of modules that are not looked into."""
        if self._inside or name in SHAPES:
            return
        sources, operations = self._origin(args)
        looked_up = self._origin(args[0])[0] & set(self._tables) if name == "getitem" else frozenset()
        if looked_up and (index := self._origin(args[1]))[0]:  # what is looked up feeds the table
            for table in looked_up:
                self._feed(table, index)
            return self._mark(out, (looked_up, frozenset()))
        if not sources:
            return
        if name not in VIEWS:
            operations |= {name}
        self._mark(args[0] if name == "setitem" else out, (sources, operations))

    def _follow(self, changes: Changes) -> None:
        self._tables: dict[str, str] = {}
        self._mark(self._inputs, (frozenset({INPUT}), frozenset()))
        inside: set[str] = set()
        for name, module in self._model.named_modules():
            if any(name.startswith(f"{box}.") for box in inside):
                continue
            if is_one_box(name, module):
                inside.add(name)
            else:
                for key, table in [*module.named_parameters(recurse=False), *module.named_buffers(recurse=False)]:
                    path = f"{name}.{key}" if name else key
                    self._tables[path] = " × ".join(map(str, table.shape))
                    self._mark(table, (frozenset({path}), frozenset()))
            changes.hook(module, self._before(name, module), pre=True)
            changes.hook(module, self._after(name, module))
        self._boxes = inside

    def _before(self, name: str, module: nn.Module) -> Callable[..., None]:
        def fn(_: nn.Module, args: Any, kwargs: Any) -> None:
            if name in self._boxes:
                if not self._is_way(name, module):
                    self._feed(name, self._origin((args, kwargs)))
                self._inside += 1

        return fn

    def _is_way(self, name: str, module: nn.Module) -> bool:
        return passes_through(module) and name not in self._sites

    def _after(self, name: str, module: nn.Module) -> Callable[..., None]:
        words = [type(module).__name__.lstrip("_")]

        def fn(_: nn.Module, args: Any, kwargs: Any, out: Any) -> None:
            if name in self._boxes:
                self._inside -= 1
                if self._is_way(name, module):
                    if words[0].endswith("RotaryEmbedding"):
                        return  # angles of the positions; it takes only the type of what it is given
                    sources, operations = self._origin((args, kwargs))
                    extra = set() if words[0] in ("Identity", "Dropout") else set(words)
                    return self._mark(out, (sources, operations | extra))
                self._add(name, words, out, module)
            else:
                source = self._origin(next(tensors_in(out), None))
                only_view = not source[1] or not isinstance(out, Tensor)
                if len(source[0]) == 1 and only_view and name not in self._sites:
                    return  # the output of one of its modules, as it is
                self._feed(name or OUTPUT, source)
                self._add(name or OUTPUT, ["by hand"], out)
            part = name or OUTPUT
            if isinstance(out, Tensor):
                alone = name in self._boxes and len(args) == 1 and not kwargs
                first = part not in self._calls and alone and acts_on_single_units(module, args[0], out)
                if first or part in self._given:
                    self._given.setdefault(part, []).append(args[0].clone())
                self._calls.setdefault(part, []).append(out.clone())
            self._mark(out, (frozenset({part}), frozenset()))

        return fn

    def _probe(self) -> None:
        """Change one node at a time, all other parts held; twice, so that a step is not missed."""
        wanted: dict[int, list[int]] = {}
        for name, part in self.parts.items():
            units = wanted.setdefault(part.width, [])
            units += [u for u in self._sites.get(name, []) if u not in units]
        widths = [part.width for part in self.parts.values()]
        for part in self.parts.values():  # the same of all layers of a size, which may follow each other unit by unit
            part.shown = shown_units(part.width, wanted[part.width], widths.count(part.width))
        rng = np.random.default_rng(0)
        for name, part in self.parts.items():
            targets = [b for (a, b) in self.feeds if a == name and self.parts[b].width and b in self._calls]
            if not part.width or not targets or (name != INPUT and name not in self._calls):
                continue
            nodes: list[Array] = [np.eye(part.width)[u] for u in part.shown]
            if part.rest:
                nodes.append(np.where(np.isin(np.arange(part.width), part.shown), 0, rng.normal(size=part.width)))
            found = [self._responses(name, torch.as_tensor(n, dtype=torch.float32), targets) for n in nodes]
            for b in targets:
                feed, per_node = self.feeds[name, b], [self._by_node(b, f[b]) for f in found]
                feed.leads = np.stack([leads for leads, _ in per_node])
                feed.weights = np.stack([weights for _, weights in per_node])
                feed.weighted = self.parts[b].linear
                if feed.weighted and not feed.operations and not feed.leads.any():
                    del self.feeds[name, b]  # its weights are known to be zero
                    continue
                if part.rest:
                    feed.weights[-1] = np.nan

    def _by_node(self, name: str, change: Array) -> tuple[Array, Array]:
        """Whether the units of a part changed ``(sample, unit)``, and by which weight."""
        part = self.parts[name]
        changed = change != 0
        some = changed.any(axis=0)
        largest = np.where(changed, change, -np.inf).max(axis=0, initial=-np.inf)
        least = np.where(changed, change, np.inf).min(axis=0, initial=np.inf)
        with np.errstate(invalid="ignore"):
            same = some & (largest - least <= 1e-2 * np.maximum(np.abs(largest), np.abs(least)))
            weights = np.where(same, (largest + least) / 2, np.nan)
        leads, weights = some[part.shown], np.where(some, weights, 0.0)[part.shown]
        if part.rest:
            others = np.delete(some, part.shown)
            leads, weights = np.append(leads, others.any()), np.append(weights, np.nan)
        return leads, weights

    def _responses(self, source: str, step: Tensor, targets: list[str]) -> dict[str, Array]:
        """Changes of each target ``(sample, unit)`` for steps of a source along one direction, per size of step.

        Large steps, that differ between samples, follow: a unit may be far below its threshold on all trials, and a
        softmax sees no step that is the same at all times. What only they change is NaN: no weight is known from them.
        """
        found = {b: np.zeros((1, self.parts[b].width)) for b in targets}
        for size in (1.0, -0.5, 100.0, -100.0):
            one = Step(self._calls, self._given, source, step, size, targets)
            try:
                changes_of = one.run(self._model, self._inputs)
            except UNUSUAL:  # nothing is known from this step
                continue
            for b, rows in changes_of.items():
                change = np.concatenate([r.reshape(-1, self.parts[b].width) for r in rows])
                if abs(size) > 1:
                    asleep = ~found[b].any(axis=0)
                    change = np.where((change != 0).any(axis=0) & asleep, np.nan, 0.0)[None]
                found[b] = np.concatenate([found[b], change])
        return found


class _Following(TorchFunctionMode):
    """Tells each operation of torch, by its plain name."""

    def __init__(self, tell: Callable[[str, Any, Any], None]) -> None:
        super().__init__()
        self.tell = tell

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        out = func(*args, **(kwargs or {}))
        name = re.sub(r"^r?(?=(add|sub|mul|truediv|matmul|pow)$)", "", getattr(func, "__name__", "").strip("_"))
        self.tell({"truediv": "div"}.get(name, name), (*args, *(kwargs or {}).values()), out)
        return out
