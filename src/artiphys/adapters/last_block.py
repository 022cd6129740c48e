"""The last block of a transformer in two: keys and values everywhere, the rest only where it is wanted.

A score at the last position needs of the last block one query per trial, but the keys and values of all
positions. A cache like the one transformers generates with hands both over: the block is first run until it
has keys and values, then with the wanted positions alone. Whether this gives the same is checked against
the plain loop (`artiphys.lesions.evaluation.batch_checks`) before it is used.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from artiphys.adapters.cache_argument import NAMES
from artiphys.adapters.stages import NotStagedError, Stages, Trace
from artiphys.hooks.nested import Key, mapped
from artiphys.hooks.rerouting import Forward, rerouted
from artiphys.hooks.taps import Tap

Arguments = tuple[tuple[Any, ...], dict[str, Any]]
KeysValues = tuple[Tensor, Tensor]
# Which axis counts the positions that ask, by the name that transformers gives an argument.
TIME_AXIS = {"hidden_states": 1, "attention_mask": 2, "position_embeddings": -2, "position_ids": -1,
             "cache_position": 0}  # fmt: skip


class LastBlock:
    """How to call a block in two parts.

    Parameters
    ----------
    block : Module
    after : sequence of Module
        What works on each position by itself after the block.

    Raises
    ------
    NotStagedError
        If the block takes no cache.
    """

    def __init__(self, block: nn.Module, after: Sequence[nn.Module] = ()) -> None:
        self.after = list(after)
        inner = getattr(block, "original_component", block)
        self.names = [n for n in inspect.signature(type(inner).forward).parameters if n != "self"]
        found = [n for n in NAMES if n in self.names]
        if not found:
            raise NotStagedError("the last block takes no cache of keys and values")
        self._cache = found[0]

    def keys_values(self, forward: Forward, args: Any, kwargs: Any) -> KeysValues:
        """Keys and values of all positions; what follows them in the block is not computed."""

        def stop(keys: Tensor, values: Tensor) -> KeysValues:
            raise _KnownError(keys, values)

        try:
            self.with_cache(forward, args, kwargs, stop)
        except _KnownError as found:
            return found.keys_values
        raise NotStagedError("the last block handed no keys and values to its cache")

    def rest(self, forward: Forward, args: Any, kwargs: Any, known: KeysValues) -> Any:
        """The block's outputs, from the keys and values of all positions."""
        return self.with_cache(forward, args, kwargs, lambda keys, values: known)

    def with_cache(
        self, forward: Forward, args: Any, kwargs: Any, update: Callable[[Tensor, Tensor], KeysValues]
    ) -> Any:
        """Call the block with a cache that hands its new keys and values to ``update`` and takes what comes back."""
        cache = _Cache(update)
        place = self.names.index(self._cache)
        if self._cache not in kwargs and place < len(args):
            return forward(*args[:place], cache, *args[place + 1 :], **kwargs)
        return forward(*args, **{**kwargs, self._cache: cache})

    def length(self, args: Any, kwargs: Any) -> int:
        """Number of positions."""
        hidden: Tensor = args[0] if args else kwargs["hidden_states"]
        return hidden.shape[1]

    def narrowed(self, args: Any, kwargs: Any, start: int) -> Arguments:
        """The arguments for the positions from ``start`` on; `NotStagedError` if one is not understood."""
        length = self.length(args, kwargs)

        def narrow(path: tuple[Key, ...], t: Tensor) -> Tensor:
            name = str(path[1]) if path[0] == 1 else self.names[int(path[1])]
            if name == "attention_mask" and t.ndim == 2:
                return t  # which keys are real: all of them are still wanted
            axis = TIME_AXIS.get(name)
            if axis is None:
                if length in t.shape[1:]:
                    raise NotStagedError(f"it is not known where argument {name!r} of the last block holds positions")
                return t
            return t if t.shape[axis] != length else t.narrow(axis, start, length - start)

        found: Arguments = mapped((args, kwargs), narrow)
        return found

    def widened(self, outputs: Any, length: int) -> Any:
        """Outputs of the last positions at their places among all; the others hold copies of the first of these."""

        def widen(path: tuple[Key, ...], t: Tensor) -> Tensor:
            if t.ndim < 3:
                return t
            if t.shape[1] == 1:
                return t.expand(-1, length, *t.shape[2:])  # no copy
            places = (torch.arange(length, device=t.device) - (length - t.shape[1])).clamp(min=0)
            return t.index_select(1, places)

        return mapped(outputs, widen)


def split_last(
    stages: Stages, taps: Sequence[Tap], run: Callable[[int], Any], start: int, after: Sequence[nn.Module] = ()
) -> Stages:
    """The same stages with the last one in two, and what each costs as a part of a whole stage.

    Parameters
    ----------
    stages, taps, run
        As found by, and given to, `find_stages`.
    start : int
        First position that is wanted.
    after : sequence of Module
        What works on each position by itself after the last stage.
    """
    block = stages.stages[-1].module
    if sum(s.module is block for s in stages.stages) > 1:
        raise NotStagedError("the last block runs more than once")
    last, trace, costs = LastBlock(block, after), Trace({}), [0, 0, 0]

    def watched(module: nn.Module, forward: Forward) -> Forward:
        def with_cache(*args: Any, **kwargs: Any) -> Any:
            def seen(keys: Tensor, values: Tensor) -> KeysValues:
                trace.n_ended += 1
                return keys, values

            return last.with_cache(forward, args, kwargs, seen)

        return trace.reroute(module, with_cache if module is block else forward)

    def counted(module: nn.Module, forward: Forward) -> Forward:
        def both(*args: Any, **kwargs: Any) -> Any:
            with FlopCounterMode(display=False) as whole:
                outputs = forward(*args, **kwargs)
            with FlopCounterMode(display=False) as first:
                known = last.keys_values(forward, args, kwargs)
            with FlopCounterMode(display=False) as second:
                few = last.narrowed(args, kwargs, start)
                last.rest(forward, *few, known)
            costs[:] = [c.get_total_flops() for c in (whole, first, second)]
            return outputs

        return both

    with rerouted([s.module for s in stages.stages], watched), trace.watching(taps):
        run(2)
    if trace.n_ended != len(trace.stages) + 1:
        raise NotStagedError("the last block hands keys and values to its cache more than once, or never")
    with rerouted([block], counted):
        run(2)
    parts = [c / costs[0] for c in costs[1:]] if costs[0] else [1.0, 1.0]
    return replace(stages, of_site=trace.of_site, last=last, costs=[*stages.costs[:-1], *parts])


class _KnownError(Exception):
    """Ends a block's forward once it has its keys and values."""

    def __init__(self, keys: Tensor, values: Tensor) -> None:
        super().__init__("keys and values are known")
        self.keys_values = keys, values


class _Cache:
    """What a block asks of a cache of transformers."""

    def __init__(self, update: Callable[[Tensor, Tensor], KeysValues]) -> None:
        self._update = update

    def update(self, key_states: Tensor, value_states: Tensor, *_: Any, **__: Any) -> KeysValues:
        """Keys and values to attend to."""
        return self._update(key_states, value_states)

    def get_seq_length(self, *_: Any) -> int:
        """Positions known before; none, so that positions are counted as without a cache."""
        return 0
