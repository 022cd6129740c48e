"""Taps: where a site lies in a model, and the hooks that read or write it for a while.

Everything that touches a model's hooks is here. A `Tapping` puts hooks on and takes exactly those off
again, also after an error or an interrupt.
"""

from __future__ import annotations

import copy
import dataclasses
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from artiphys.errors import HookError, InputError
from artiphys.hooks.batch_rows import Rows
from artiphys.sites import Site

Key = int | str


@dataclass(frozen=True)
class View:
    """How a raw tensor becomes the trial-first, labelled form of a site, and back."""

    trial_axis: int = 0
    merged: bool = False  # trial and time share axis 0: (trial*time, ...)
    scalar: bool = False  # one number a trial: (trial,)
    convert: Any = None  # a TransformerLens conversion that splits heads

    def to(self, raw: Tensor, rows: int) -> Tensor:
        """Trial-first form of a raw tensor of ``rows`` trials."""
        x: Tensor = raw if self.convert is None else self.convert.convert(raw)
        if self.trial_axis:
            x = x.movedim(self.trial_axis, 0)
        if self.merged:
            x = x.reshape(rows, -1, *x.shape[1:])
        return x.unsqueeze(-1) if self.scalar else x

    def back(self, x: Tensor, like: Tensor) -> Tensor:
        """Raw form of a trial-first tensor, in the layout of ``like``."""
        if self.scalar:
            x = x.squeeze(-1)
        if self.merged:
            x = x.reshape(-1, *x.shape[2:])
        if self.trial_axis:
            x = x.movedim(0, self.trial_axis)
        if self.convert is not None:
            x = self.convert.revert(x)
        return x.reshape(like.shape)


@dataclass(frozen=True)
class Tap:
    """One site's place in a model: a module's output or input, one of its calls, one of its tensors."""

    site: Site
    module: nn.Module
    view: View = View()
    path: tuple[Key, ...] = ()
    call: int | None = 0  # which call of the module; None: every call is one time step
    of_input: bool = False


@dataclass(frozen=True)
class At:
    """Where a write function is called.

    Attributes
    ----------
    site : Site
    axes : tuple of str
        Names of the axes of the tensor, ``"trial"`` first.
    time : Tensor or None
        Absolute position of each entry along the time axis; None without one.
    n_time : int or None
        Number of steps of the whole forward, if known.
    rows : Rows or None
        Whose rows these are; None where the model was called directly, so that trials are unknown.
    activity : mapping
        Sites read so far in this forward.
    """

    site: Site
    axes: tuple[str, ...]
    time: Tensor | None = None
    n_time: int | None = None
    rows: Rows | None = None
    activity: Mapping[str, Tensor] = field(default_factory=dict)

    @property
    def trial(self) -> Tensor | None:
        """``(row,)`` trial id of each row; None where the model was called directly."""
        return None if self.rows is None else self.rows.trial

    @property
    def node(self) -> Tensor | None:
        """``(row,)`` index of the coalition each row belongs to."""
        return None if self.rows is None else self.rows.node

    @property
    def valid(self) -> Tensor | None:
        """``(row, position)`` bool over the whole forward, False at padding."""
        return None if self.rows is None else self.rows.valid

    @property
    def conditions(self) -> Mapping[str, Any]:
        """Column of the conditions table -> one value a row."""
        return {} if self.rows is None else self.rows.conditions


Write = Callable[[Tensor, At], Tensor]


@dataclass
class Frame:
    """What is known about the forward pass in progress; one per preparation."""

    n_rows: int | None = None
    offset: int | None = None  # tokens a cache holds already, when a transformer generates step by step
    window: tuple[int, int] | None = None  # first position present, and of how many, while only the last are computed
    rows: Rows | None = None
    activity: dict[str, Tensor] = field(default_factory=dict)
    calls: dict[object, int] = field(default_factory=dict)  # how often each hook has seen its module so far
    announced: bool = False

    def announce(self, rows: Rows) -> None:
        """Say what the next forward will be; `Preparation.run` does, a user's direct call does not."""
        self.forget()
        self.now(rows)
        self.announced = True

    def now(self, rows: Rows) -> None:
        """From here on the batch has these rows: it grows on the way where coalitions part."""
        self.rows, self.n_rows = rows, len(rows)

    def forget(self) -> None:
        """Nothing is known of the next forward."""
        self.rows = self.n_rows = self.window = None
        self.activity, self.announced = {}, False

    def begin(self, n_rows: int | None, offset: int | None = None) -> None:
        """Start of a forward pass of the root module."""
        self.calls = {}
        self.offset = offset
        if not self.announced:
            self.forget()
            self.n_rows = n_rows


class StopForwardError(Exception):
    """Raised by a tap to end a forward pass early; never leaves `Preparation.run`."""


def _is_record(tree: Any) -> bool:
    """A dataclass that is no mapping (transformers' outputs are both)."""
    return dataclasses.is_dataclass(tree) and not isinstance(tree, (type, Mapping))


def find(tree: Any, path: Sequence[Key]) -> Any:
    """The entry of nested tuples, lists and mappings at a path."""
    for key in path:
        tree = getattr(tree, str(key)) if _is_record(tree) else tree[key]
    return tree


def replaced(tree: Any, path: Sequence[Key], value: Any) -> Any:
    """The same nested structure with one entry replaced; nothing is edited in place."""
    if not path:
        return value
    key, rest = path[0], path[1:]
    if _is_record(tree):
        return dataclasses.replace(tree, **{str(key): replaced(getattr(tree, str(key)), rest, value)})
    inner = replaced(tree[key], rest, value)
    if isinstance(tree, tuple):
        parts = [inner if i == key else v for i, v in enumerate(tree)]
        return type(tree)(*parts) if hasattr(tree, "_fields") else tuple(parts)
    new = copy.copy(tree)
    new[key] = inner
    return new


def leaves(tree: Any, path: tuple[Key, ...] = ()) -> Iterable[tuple[tuple[Key, ...], Tensor]]:
    """Tensors of nested tuples, lists, mappings and dataclasses with their paths.

    >>> [p for p, _ in leaves((torch.ones(1), {"a": torch.ones(1)}))]
    [(0,), (1, 'a')]
    """
    if isinstance(tree, Tensor):
        yield path, tree
    elif isinstance(tree, Mapping):
        for key, value in tree.items():
            yield from leaves(value, (*path, key))
    elif isinstance(tree, (tuple, list)) and type(tree).__name__ != "PackedSequence":
        for i, value in enumerate(tree):
            yield from leaves(value, (*path, i))
    elif _is_record(tree):
        for record_field in dataclasses.fields(tree):
            yield from leaves(getattr(tree, record_field.name), (*path, record_field.name))


def mapped(tree: Any, fn: Callable[[tuple[Key, ...], Tensor], Tensor], path: tuple[Key, ...] = ()) -> Any:
    """The same nested structure with every tensor replaced by ``fn(path, tensor)``; paths as in `leaves`.

    >>> mapped((torch.ones(1), {"a": 2}), lambda path, t: t + 1)
    (tensor([2.]), {'a': 2})
    """
    if isinstance(tree, Tensor):
        return fn(path, tree)
    if isinstance(tree, Mapping):
        new: Any = copy.copy(tree)
        for key, value in tree.items():
            if value is not None:
                new[key] = mapped(value, fn, (*path, key))
        return new
    if isinstance(tree, (tuple, list)) and type(tree).__name__ != "PackedSequence":
        parts = [mapped(value, fn, (*path, i)) for i, value in enumerate(tree)]
        return type(tree)(*parts) if hasattr(tree, "_fields") else type(tree)(parts)
    if _is_record(tree):
        fields = {f.name: getattr(tree, f.name) for f in dataclasses.fields(tree)}
        return dataclasses.replace(tree, **{k: mapped(v, fn, (*path, k)) for k, v in fields.items()})
    return tree


def is_ours(hook: Any) -> bool:
    """Whether a hook on the root module was put there by a `Tapping`."""
    return isinstance(getattr(hook, "__self__", None), Tapping)


class Tapping:
    """Hooks on a model for the duration of one run or one lesion; a context manager.

    Parameters
    ----------
    root : Module
        The module whose call is one forward pass.
    frame : Frame
        Shared description of the forward in progress.
    unroll : callable
        Context manager factory that unrolls the recurrent modules of the given taps while in force.
    """

    def __init__(self, root: nn.Module, frame: Frame, unroll: Callable[[Sequence[Tap]], Any]) -> None:
        self.root, self.frame, self.unroll = root, frame, unroll
        self._plan: list[tuple[Tap, Callable[[Tensor, At], Tensor | None], bool]] = []
        self._hooks: list[tuple[Any, dict[int, Any]]] = []
        self._unrolled: Any = None

    def write(self, tap: Tap, fn: Write) -> None:
        """Plan a write: ``fn(x, at)`` gives a new tensor of the same shape and dtype."""

        def checked(x: Tensor, at: At) -> Tensor:
            new = fn(x, at)
            if not isinstance(new, Tensor) or new.shape != x.shape or new.dtype != x.dtype:
                came = f"{tuple(new.shape)} {new.dtype}" if isinstance(new, Tensor) else type(new).__name__
                raise InputError(
                    f"the write function at {at.site.name!r} returned {came}; "
                    f"wanted a tensor {tuple(x.shape)} {x.dtype}"
                )
            return new

        self._plan.append((tap, checked, False))

    def read(self, tap: Tap, keep: Callable[[Tensor, At], None], *, before: bool = False) -> None:
        """Plan a read: ``keep`` gets a copy of the value, after all hooks, or before them."""

        def copied(x: Tensor, at: At) -> None:
            keep(x.clone(), at)  # a later in-place operation must not change what was read

        self._plan.append((tap, copied, before))

    def __enter__(self) -> Tapping:
        try:
            self._unrolled = self.unroll([tap for tap, _, _ in self._plan])
            self._unrolled.__enter__()
            self._hook(self.root, self._begin, pre=True, first=True)
            for tap, fn, first in self._plan:
                self._hook(tap.module, self._caller(tap, fn), pre=tap.of_input, first=first)
        except BaseException:
            self._remove()
            raise
        return self

    def __exit__(self, kind: object, error: object, trace: object) -> None:
        lost = self._remove()
        if lost and kind is None:
            raise HookError(
                "a hook of artiphys was removed from the model while it was in force, so what ran since then "
                "was not lesioned or recorded as asked; do not clear a model's hooks inside ap.lesioned"
            )

    def _hook(self, module: nn.Module, fn: Callable[..., Any], *, pre: bool, first: bool) -> None:
        if pre:
            handle = module.register_forward_pre_hook(fn, with_kwargs=True, prepend=first)
            self._hooks.append((handle, module._forward_pre_hooks))
        else:
            handle = module.register_forward_hook(fn, with_kwargs=True, prepend=first)
            self._hooks.append((handle, module._forward_hooks))

    def _remove(self) -> bool:
        lost = False
        while self._hooks:
            handle, held = self._hooks.pop()
            lost = lost or handle.id not in held
            handle.remove()
        if self._unrolled is not None:
            self._unrolled.__exit__(None, None, None)
            self._unrolled = None
        return lost

    def _begin(self, module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        if self._owns_begin():
            first = next((t for _, t in leaves((args, kwargs))), None)
            cache: Any = kwargs.get("past_key_values")
            generating = cache is not None or kwargs.get("use_cache") is True
            offset = int(cache.get_seq_length()) if hasattr(cache, "get_seq_length") else 0 if generating else None
            self.frame.begin(None if first is None or first.ndim == 0 else len(first), offset)

    def _owns_begin(self) -> bool:
        # Nested tappings each hook the root; only the outermost starts the forward.
        mine: int = self._hooks[0][0].id
        return mine == min(k for k, h in self.root._forward_pre_hooks.items() if is_ours(h))

    def _caller(self, tap: Tap, fn: Callable[[Tensor, At], Tensor | None]) -> Callable[..., Any]:
        me = object()

        def count() -> int:
            n = self.frame.calls.get(me, 0)
            self.frame.calls[me] = n + 1
            return n

        def visit(tree: Any) -> Any:
            n = count()
            if tap.call is not None and n != tap.call:
                return None
            raw = find(tree, tap.path)
            new = fn(*self._located(tap, raw, n))
            if new is None:
                return None
            if tap.call is None:
                new = new.squeeze(1)
            return replaced(tree, tap.path, tap.view.back(new, raw))

        if not tap.of_input:
            return lambda module, args, kwargs, output: visit(output)

        def before(module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
            changed = visit((args, kwargs))
            return None if changed is None else (changed[0], changed[1])

        return before

    def _located(self, tap: Tap, raw: Tensor, n: int) -> tuple[Tensor, At]:
        frame, site = self.frame, tap.site
        rows = frame.n_rows if frame.n_rows is not None else raw.shape[tap.view.trial_axis]
        x = tap.view.to(raw, rows)
        if frame.announced and len(x) != rows:
            raise InputError(
                f"site {site.name!r} has {len(x)} rows for {rows} trials; trials must lie on axis 0 of the inputs. "
                "If this network wants time first, wrap a module that transposes its input"
            )
        time, n_time = None, None
        if tap.call is None:
            step, n_time = getattr(tap.module, "step", None) or (n, None)
            x, time = x.unsqueeze(1), torch.tensor([step])
        elif "time" in site.axes:
            n_here = x.shape[1 + site.axes.index("time")]
            time = torch.arange(n_here) + (frame.offset or 0)
            n_time = n_here if frame.offset is None else None  # more is to come
            if frame.window is not None and n_here == frame.window[1] - frame.window[0]:
                time, n_time = time + frame.window[0], frame.window[1]
        at = At(site, ("trial", *site.axes), time, n_time, frame.rows, frame.activity)
        return x, at
