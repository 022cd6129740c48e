"""Growing batch: one forward pass for a block of coalitions, with more rows where they part.

Each stage's forward is rerouted while a block runs. Its arguments are lifted to the rows of its own
nodes, it is called on a few nodes at a time, and at its end the batch grows to the nodes of the next
stage. Nothing of the model's forward is copied, so it works for any model whose stages run in series; a
model for which it does not is found out by comparing with the plain loop (`artiphys.lesions.evaluation.batch_checks`).
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from artiphys.adapters.recurrent import Unrolled
from artiphys.adapters.stages import OUT, Place, Stages
from artiphys.hooks.batch_rows import Rows
from artiphys.hooks.changes import Changes
from artiphys.hooks.nested import Key, leaves, mapped
from artiphys.hooks.rerouting import Forward, rerouted
from artiphys.hooks.taps import Frame
from artiphys.lesions.evaluation.prefix_tree import Tree
from artiphys.stimuli import Stimuli

MAX_NODES_FACTOR = 4  # times the nodes per call, where only a few positions of each are computed


class Growth:
    """The batch of one block on its way through the stages.

    Parameters
    ----------
    stages : Stages
    frame : Frame
        Told at each stage whose rows the batch holds.
    unrolled : sequence of Unrolled
        Recurrent modules that run step by step meanwhile.
    """

    def __init__(self, stages: Stages, frame: Frame, unrolled: Sequence[Unrolled] = ()) -> None:
        self.stages, self.frame, self.unrolled = stages, frame, unrolled
        self._index = {(id(s.module), s.call): i for i, s in enumerate(stages.stages)}
        self._prefix: dict[tuple[int, ...], list[Any]] = {}
        self.n_shared = 0  # stages below the first lesion that any player can make

    @contextlib.contextmanager
    def active(self, n_shared: int) -> Iterator[None]:
        """While entered, the model's stages let a batch grow; the first ``n_shared`` run once for all blocks."""
        self.n_shared = n_shared
        modules = list({id(s.module): s.module for s in self.stages.stages}.values())
        with Changes() as changes:
            changes.undone_by(self._prefix.clear)
            for u in self.unrolled:
                changes.set(u.__dict__, "aligned", self._aligned)
            after = [] if self.stages.last is None else self.stages.last.after
            with rerouted(modules, self._rerouted), rerouted(after, self._narrowed):
                yield

    def begin(self, tree: Tree, trials: Stimuli, n_at_once: int, wanted_from: int = 0) -> None:
        """A block of coalitions on some trials; stages are called on at most ``n_at_once`` nodes at a time.

        ``wanted_from`` is the first position whose output is wanted, for a last stage in two.
        """
        self.tree, self.trials, self.n_at_once = tree, trials, max(1, n_at_once)
        self.here, self.calls = 0, dict.fromkeys({k for k, _ in self._index}, 0)
        self.n_units, self.wanted_from, self.length = 0.0, wanted_from, 0
        self._held: set[Place] = set()  # what is the same for any number of trials, at the wanted positions
        key = tuple(trials.ids.tolist()) if self.n_shared else ()
        self.known = self._prefix.setdefault(key, []) if self.n_shared else []
        self._announce(0)

    def first_rows(self) -> int:
        """Copies of the trials the forward starts with."""
        return self.tree.n_nodes(0)

    def _announce(self, stage: int, nodes: slice | None = None) -> None:
        coalitions = self.tree.coalitions(stage)
        senders = self.frame.senders
        senders.stage = stage
        senders.aligned = lambda t: self._lifted(t, (-1, ()), stage, stage, nodes)
        self.frame.now(Rows(self.trials, coalitions if nodes is None else coalitions[nodes]))

    def _rerouted(self, module: nn.Module, forward: Forward) -> Forward:
        def called(*args: Any, **kwargs: Any) -> Any:
            call = self.calls[id(module)]
            self.calls[id(module)] = call + 1
            stage = self._index[id(module), call]
            if stage != self.here:
                raise RuntimeError(f"stage {self.stages.stages[stage].name} ran out of order")
            last = self.stages.last if stage == len(self.stages) - 2 else None
            done = stage if last is None else stage + 1
            outputs = (self._computed if last is None else self._in_two)(stage, forward, args, kwargs)
            self.here = done + 1
            self._announce(self.here)
            grown = mapped(outputs, lambda path, t: self._lifted(t, (stage, (OUT, *path)), done, self.here))
            return grown if last is None else last.widened(grown, self.length)

        return called

    def _narrowed(self, module: nn.Module, forward: Forward) -> Forward:
        def called(x: Any, *args: Any, **kwargs: Any) -> Any:
            if not isinstance(x, Tensor) or x.ndim < 3 or x.shape[1] != self.length:
                return forward(x, *args, **kwargs)
            self.frame.window = (self.wanted_from, self.length)
            try:
                few = forward(x[:, self.wanted_from :], *args, **kwargs)
            finally:
                self.frame.window = None
            return self.stages.last.widened(few, self.length)

        return called

    def _in_two(self, stage: int, forward: Forward, args: Any, kwargs: Any) -> Any:
        """The last block: keys and values at all positions, then the rest at those that are wanted."""
        last, calls = self.stages.last, dict(self.frame.calls)
        self.length = length = last.length(args, kwargs)
        known = self._computed(stage, lambda *a, **k: last.keys_values(forward, a, k), args, kwargs)
        few = last.narrowed(args, kwargs, self.wanted_from)
        self._held = {(stage + 1, (0, 0, i, *p)) for i, tree in enumerate((args, kwargs)) for p, t in leaves(tree)
                      if self._is_fixed(t, (stage, (i, *p)))}  # fmt: skip
        self.frame.calls = calls  # the same hooks fire again
        self.frame.window = (self.wanted_from, length)
        # One position is little work: more nodes per call.
        n_at_once, self.n_at_once = (
            self.n_at_once,
            self.n_at_once * min(MAX_NODES_FACTOR, length // (length - self.wanted_from)),
        )
        try:
            rest = lambda some, keys: last.rest(forward, *some, keys)
            outputs = self._computed(stage + 1, rest, (few, known), {})
        finally:
            self.n_at_once, self.frame.window = n_at_once, None
        return outputs

    def _computed(self, stage: int, forward: Forward, args: Any, kwargs: Any) -> Any:
        calls = dict(self.frame.calls)
        if stage < len(self.known):
            outputs, seen, read = self.known[stage]
            self.frame.senders.restore(stage, read)
            self.frame.calls = {**calls, **{hook: calls.get(hook, 0) + n for hook, n in seen.items()}}
            return mapped(outputs, _copied)
        n = self.tree.n_nodes(stage)
        self.n_units += n * self.stages.costs[stage]
        parts = []
        # Equal parts: one node alone at the end would be a slow call.
        n_parts = -(-n // self.n_at_once)
        for i in range(n_parts):
            nodes = slice(n * i // n_parts, n * (i + 1) // n_parts)
            self.frame.calls = dict(calls)
            self._announce(stage, nodes)
            some = mapped((args, kwargs), lambda path, t: self._lifted(t, (stage, path), stage, stage, nodes))  # noqa: B023
            parts.append(forward(*some[0], **some[1]))
        outputs = parts[0] if n_parts == 1 else self._joined(parts, stage)
        if stage == len(self.known) < self.n_shared:
            seen = {hook: m - calls.get(hook, 0) for hook, m in self.frame.calls.items()}
            self.known.append((mapped(outputs, _copied), seen, self.frame.senders.of_stage(stage)))
        return outputs

    def _joined(self, parts: list[Any], stage: int) -> Any:
        flat: dict[tuple[Key, ...], list[Tensor]] = {}
        for part in parts:
            mapped(part, lambda path, t: flat.setdefault(path, []).append(t) or t)  # type: ignore[func-returns-value]

        def join(path: tuple[Key, ...], t: Tensor) -> Tensor:
            place = (stage, (OUT, *path))
            if place in self.stages.fixed:
                return t
            return torch.cat(flat[path], dim=self.stages.per_trial.get(place, (0, 1))[0])

        return mapped(parts[0], join)

    def _lifted(self, t: Tensor, place: Place, latest: int, stage: int, nodes: slice | None = None) -> Tensor:
        """A tensor of any earlier stage's rows, brought to (some of) the nodes of a stage."""
        if self._is_fixed(t, place):
            return t
        axis, each = self.stages.per_trial.get(place, (0, 1))
        block = len(self.trials) * each
        if t.shape[axis] % block:
            return t
        source = self._stage_of(t.shape[axis] // block, latest)
        if source is None:
            return t
        count = self.tree.n_nodes(stage)
        if source == stage or self.tree.n_nodes(source) == count:
            if nodes is None or nodes == slice(0, count):
                return t
            return t.narrow(axis, nodes.start * block, (nodes.stop - nodes.start) * block)
        wanted = self.tree.ancestors(stage, source)
        return taken(t, wanted if nodes is None else wanted[nodes], block, axis)

    def _is_fixed(self, t: Tensor, place: Place) -> bool:
        fixed = self.stages.fixed.get(place)
        same = fixed is not None and len(fixed) == t.ndim and fixed[0] == t.shape[0]
        return t.ndim == 0 or same or place in self._held

    def _stage_of(self, n_nodes: int, latest: int) -> int | None:
        # Nodes only grow in number, so the latest stage with as many is as good as any.
        return next((s for s in range(latest, -1, -1) if self.tree.n_nodes(s) == n_nodes), None)

    def _aligned(self, state: Tensor) -> Tensor:
        return self._lifted(state, (-1, ()), self.here, self.here)


def _copied(path: tuple[Key, ...], t: Tensor) -> Tensor:
    return t.clone()  # an in-place operation later on must not reach what is kept


def taken(t: Tensor, nodes: Tensor, block: int, axis: int = 0) -> Tensor:
    """The rows of some nodes of a tensor that holds ``block`` rows per node along an axis."""
    if axis == 0 and t.is_contiguous():
        whole = t.reshape(t.shape[0] // block, -1)
        if len(whole) == 1:  # copied as it is, which is several times faster than by index
            return whole.expand(len(nodes), -1).reshape(len(nodes) * block, *t.shape[1:])
        return whole.index_select(0, nodes.to(t.device)).reshape(len(nodes) * block, *t.shape[1:])
    index = (nodes[:, None] * block + torch.arange(block)).reshape(-1)
    return t.index_select(axis, index.to(t.device))
