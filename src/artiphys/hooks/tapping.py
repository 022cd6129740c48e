"""Tapping: hooks that read or write sites for a while, and are always taken off again.

All reads and writes of sites go through here. A `Tapping` puts hooks on and takes exactly those off again, also
after an error or an interrupt.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from artiphys.errors import HookError, InputError
from artiphys.hooks.nested import find, leaves, replaced
from artiphys.hooks.taps import At, Frame, Tap, Write
from artiphys.sites import Site
from artiphys.third_party import forward_hooks, forward_pre_hooks


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
    mask_of_call : callable
        Gives the mask of real positions among the arguments of a direct call.
    """

    def __init__(
        self,
        root: nn.Module,
        frame: Frame,
        unroll: Callable[[Sequence[Tap]], Any],
        mask_of_call: Callable[[tuple[Any, ...], Mapping[str, Any]], Tensor | None] = lambda args, kwargs: None,
    ) -> None:
        self.root, self.frame, self.unroll, self.mask_of_call = root, frame, unroll, mask_of_call
        self._plan: list[tuple[Tap, Callable[[Tensor, At], Tensor | None], bool]] = []
        self._hooks: list[tuple[Any, dict[int, Any]]] = []
        self._unrolled: Any = None
        self._names: list[str] = []
        self._entered = False
        self._whole = 0

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

    def name(self, names: Sequence[str]) -> None:
        """Names by which others can tell that these writes are in force (`Frame.in_force`)."""
        self._names = list(names)

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
            self.frame.in_force += self._names
            self._whole = sum(tap.narrowed for tap, _, _ in self._plan)
            self.frame.whole += self._whole
            self._entered = True
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
            self._hooks.append((handle, forward_pre_hooks(module)))
        else:
            handle = module.register_forward_hook(fn, with_kwargs=True, prepend=first)
            self._hooks.append((handle, forward_hooks(module)))

    def _remove(self) -> bool:
        lost = False
        if self._entered:
            for name in self._names:
                self.frame.in_force.remove(name)
            self.frame.whole -= self._whole
            self._entered = False
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
            # Who says whether to use a cache generates token by token: more is to come, with a cache or without.
            generating = cache is not None or kwargs.get("use_cache") is not None
            offset = int(cache.get_seq_length()) if hasattr(cache, "get_seq_length") else 0 if generating else None
            n_rows = None if first is None or first.ndim == 0 else len(first)
            self.frame.begin(n_rows, offset, self.mask_of_call(args, kwargs))

    def _owns_begin(self) -> bool:
        # Nested tappings each hook the root; only the outermost starts the forward.
        mine: int = self._hooks[0][0].id
        return mine == min(k for k, h in forward_pre_hooks(self.root).items() if is_ours(h))

    def _caller(self, tap: Tap, fn: Callable[[Tensor, At], Tensor | None]) -> Callable[..., Any]:
        me = object()

        def count() -> int:
            n = self.frame.calls.get(me, 0)
            self.frame.calls[me] = n + 1
            return n

        def visit(tree: Any) -> Any:
            n = count()
            if (tap.call is not None and n != tap.call) or (self._names and self.frame.suspended):
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
        at = At(site, ("trial", *site.axes), time, n_time, frame.rows, frame.activity, self._mask(site, n_time))
        return x, at

    def _mask(self, site: Site, n_time: int | None) -> Callable[[], Tensor | None] | None:
        """How to find which positions of a site are real; it is rarely asked."""
        frame, rows, valid_at = self.frame, self.frame.rows, self.frame.valid_at
        if rows is None:
            return None if frame.mask is None else lambda: frame.mask
        if n_time is None or valid_at is None:  # a loop that does not tell its length
            return lambda: rows.valid(lambda trials: trials.valid_of(site.sequence), site.sequence)
        if "time" not in site.axes:
            return None
        return lambda: rows.valid(lambda trials: valid_at(trials, site, n_time), (site.sequence, n_time))
