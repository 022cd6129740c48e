"""What the hooks of one tapping do in a forward pass: note its beginning, hand a site's value to a function.

They hold nothing of the tapping itself, so that it is dropped, and they are taken off, when nobody holds it any more.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor, nn

from artiphys.errors import HookError, InputError
from artiphys.hooks.nested import find, leaves, replaced
from artiphys.hooks.taps import At, Frame, Tap
from artiphys.sites import Site
from artiphys.third_party import forward_hooks, forward_pre_hooks, remove_forward_hook

MaskOfCall = Callable[[tuple[Any, ...], Mapping[str, Any]], Tensor | None]


class HookFunctions:
    """Hooks of one tapping.

    Parameters
    ----------
    root : Module
        The module whose call is one forward pass.
    frame : Frame
        Shared description of the forward in progress.
    mask_of_call : callable
        Gives the mask of real positions among the arguments of a direct call.
    lasting : bool
        They outlast a run, and then act in whatever thread the network is called; else in the one that made them.
    """

    def __init__(self, root: nn.Module, frame: Frame, mask_of_call: MaskOfCall, lasting: bool) -> None:
        self.root, self.frame, self.mask_of_call, self.lasting = root, frame, mask_of_call, lasting
        self.thread = threading.get_ident()
        self.is_copy = False

    def begin(self, module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        """A pre-hook of the root: a forward pass begins."""
        if not self._starts_the_forward():
            return
        if self.frame.writing:
            raise HookError(
                "a write function called the network whose forward pass called it; run what it needs before, and use "
                "the result"
            )
        if self.frame.thread not in (None, threading.get_ident()):
            raise HookError(
                "two threads call this network at once while it is lesioned or recorded from; call it in one, or wrap "
                "a copy of it for each thread: ap.wrap(copy.deepcopy(model))"
            )
        first = next((t for _, t in leaves((args, kwargs))), None)
        cache: Any = next((v for v in kwargs.values() if hasattr(v, "get_seq_length")), None)
        # Who says whether to use a cache generates token by token: more is to come, with a cache or without.
        generating = cache is not None or kwargs.get("use_cache") is not None
        offset = int(cache.get_seq_length()) if cache is not None else 0 if generating else None
        n_rows = None if first is None or first.ndim == 0 else len(first)
        self.frame.begin(n_rows, offset, self.mask_of_call(args, kwargs))
        self.frame.thread = threading.get_ident()

    def end(self, module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any], output: Any) -> None:
        """A hook of the root: a forward pass ends, also by an error."""
        if self.frame.thread == threading.get_ident():
            self.frame.thread = None

    def _starts_the_forward(self) -> bool:
        if not self._concerned():
            return False
        # Nested tappings each hook the root; only the outermost starts the forward.
        hooks = forward_pre_hooks(self.root)
        outermost = hooks[min(k for k, h in hooks.items() if is_ours(h))]
        return getattr(outermost, "__self__", None) is self

    def _concerned(self) -> bool:
        return not self.is_copy and (self.lasting or threading.get_ident() == self.thread)

    def __deepcopy__(self, memo: dict[int, Any]) -> HookFunctions:
        return copied_functions()

    def __reduce__(self) -> Any:
        return copied_functions, ()

    def at(self, tap: Tap, fn: Callable[[Tensor, At], Tensor | None]) -> Callable[..., Any]:
        """A hook that hands each value of a site to a function, and puts what this gives in its place."""
        me = object()

        def count() -> int:
            n = self.frame.calls.get(me, 0)
            self.frame.calls[me] = n + 1
            return n

        def visit(tree: Any, given: Any) -> Any:
            if not self._concerned():
                return None
            n = count()
            if (tap.call is not None and n != tap.call) or (self.lasting and self.frame.is_suspended):
                return None
            raw = find(tree, tap.path)
            new = fn(*self._located(tap, raw, n, given))
            if new is None:
                return None
            if tap.call is None:
                new = new.squeeze(1)
            return replaced(tree, tap.path, tap.view.back(new, raw))

        return SiteHook(visit, tap.of_input)

    def _located(self, tap: Tap, raw: Tensor, n: int, given: Any) -> tuple[Tensor, At]:
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
        mask = self._mask(site, n_time)
        return x, At(site, ("trial", *site.axes), time, n_time, frame.rows, frame.activity, mask, given, frame)

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


class SiteHook:
    """A hook at a site; one that is copied or pickled with its network does nothing.

    Parameters
    ----------
    visit : callable
        Takes what the site's module was given, or gave, and what it was given; returns the first changed, or None.
    of_input : bool
        It is a pre-hook.
    """

    def __init__(self, visit: Callable[[Any, Any], Any] = lambda tree, given: None, of_input: bool = False) -> None:
        self.visit, self.of_input = visit, of_input
        self.is_copy = False

    def __call__(self, module: nn.Module, args: Any, kwargs: Any, output: Any = None) -> Any:
        """What torch puts in the place of the module's input or output; None leaves it."""
        given = (args, kwargs)
        return self.visit(given, None) if self.of_input else self.visit(output, given)

    def __deepcopy__(self, memo: dict[int, Any]) -> SiteHook:
        return copied_hook()

    def __reduce__(self) -> Any:
        return copied_hook, ()


def copied_hook() -> SiteHook:
    """A hook that does nothing."""
    hook = SiteHook()
    hook.is_copy = True
    return hook


def copied_functions() -> HookFunctions:
    """Hooks of a root that do nothing."""
    functions = HookFunctions(nn.Module(), Frame(), lambda args, kwargs: None, lasting=False)
    functions.is_copy = True
    return functions


def is_ours(hook: Any) -> bool:
    """Whether a hook on the root module is one that notes the beginning of forward passes."""
    functions = getattr(hook, "__self__", None)
    return isinstance(functions, HookFunctions) and not functions.is_copy


def take_copies_off(network: nn.Module) -> None:
    """Take hooks off a network that came with it when it was copied while it was lesioned."""
    for module in network.modules():
        for hook in [*forward_pre_hooks(module).values(), *forward_hooks(module).values()]:
            owner = getattr(hook, "__self__", hook)
            if isinstance(owner, (HookFunctions, SiteHook)) and owner.is_copy:
                remove_forward_hook(module, hook)
