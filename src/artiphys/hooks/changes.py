"""Changes to a network that are undone together, whatever comes between.

An interrupt may come before any line, also before the first line of an ``__exit__`` and in the middle of undoing.
So each step is noted before its change is made, undoing may be done twice, and what nobody undid is undone when the
object that noted it is no longer held by anyone.
"""

from __future__ import annotations

import contextlib
import functools
import threading
import weakref
from collections.abc import Callable, Iterator
from typing import Any, Self

import torch
from torch import nn

from artiphys.third_party import remove_forward_hook

Step = tuple[Callable[..., object], tuple[Any, ...]]
ABSENT = object()


class Changes:
    """Changes in force, and how to undo them; a context manager.

    What undoes a change must do no harm where the change was not made, or was undone already; and it must not hold
    this object, or that would live as long as the change.
    """

    def __init__(self) -> None:
        self._steps: list[Step] = []
        self._when_dropped = weakref.finalize(self, undo_in_any_case, self._steps)
        self._when_dropped.atexit = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: object, error: object, trace: object) -> None:
        self.undo()

    def undone_by(self, undo: Callable[..., object], *args: Any) -> None:
        """Note how to undo a change that is about to be made."""
        self._steps.append((undo, args))

    def set(self, table: dict[Any, Any], key: Any, value: Any) -> None:
        """Change an entry of a table, such as an attribute in a module's ``__dict__``."""
        self.undone_by(put_back, table, key, table.get(key, ABSENT))
        table[key] = value

    def hook(self, module: nn.Module, fn: Callable[..., Any], *, pre: bool = False, first: bool = False) -> None:
        """Put a hook on a module, before all others of its kind or after them; it gets keyword arguments too."""
        self.undone_by(remove_forward_hook, module, fn)
        put = module.register_forward_pre_hook if pre else module.register_forward_hook
        put(fn, with_kwargs=True, prepend=first)

    def hook_end(self, module: nn.Module, fn: Callable[..., Any]) -> None:
        """Put a hook on a module that also runs where its forward raises an error."""
        self.undone_by(remove_forward_hook, module, fn)
        module.register_forward_hook(fn, with_kwargs=True, always_call=True)

    def keep(self) -> None:
        """Let the changes be; somebody else undoes them."""
        self._steps.clear()

    def undo(self) -> None:
        """Undo all, the latest first."""
        undo_in_any_case(self._steps)
        self._when_dropped.detach()


def undo_in_any_case(steps: list[Step]) -> None:
    """Undo all, and again where an interrupt came between."""
    try:
        undo_all(steps)
    finally:
        undo_all(steps)


def undo_all(steps: list[Step]) -> None:
    """Undo steps from the latest to the first; one that was interrupted is done again next time."""
    while steps:
        undo, args = steps[-1]
        undo(*args)
        steps.pop()


def put_back(table: dict[Any, Any], key: Any, value: Any) -> None:
    """The entry of a table as it was."""
    if value is ABSENT:
        table.pop(key, None)
    else:
        table[key] = value


class _Entered(threading.local):
    """Settings of torch that this thread is within, the innermost last: who entered it, and how it is left."""

    def __init__(self) -> None:
        self.settings: list[tuple[object, Callable[[], object]]] = []

    def leave(self, who: object) -> None:
        """Leave one and all that were entered within it; none where it was left already, or in another thread.

        After an interrupt an inner one may be noticed only when the last traceback is dropped: the outer one was left
        by then, and what stood before the inner one must not come back.
        """
        while any(entered is who for entered, _ in self.settings):
            self.settings[-1][1]()
            self.settings.pop()


_entered = _Entered()


@contextlib.contextmanager
def grad_enabled(enabled: bool) -> Iterator[None]:
    """Gradients, or none, while entered, as `torch.set_grad_enabled`."""
    with Changes() as changes:
        me = object()
        changes.undone_by(_entered.leave, me)
        _entered.settings.append((me, functools.partial(torch.set_grad_enabled, torch.is_grad_enabled())))
        torch.set_grad_enabled(enabled)
        yield


@contextlib.contextmanager
def outside_inference_mode() -> Iterator[None]:
    """No inference mode while entered, as `torch.inference_mode(False)`."""
    with Changes() as changes:
        if torch.is_inference_mode_enabled():  # else there is nothing to enter
            me, mode = object(), torch.inference_mode(False)
            changes.undone_by(_entered.leave, me)
            _entered.settings.append((me, functools.partial(_leave_inference_mode, mode)))
            mode.__enter__()
        yield


def _leave_inference_mode(mode: torch.inference_mode) -> None:
    with contextlib.suppress(AttributeError):  # interrupted before it was entered
        mode.__exit__(None, None, None)
