"""A setting of the whole process that is changed for a while, whoever else changes it meanwhile in another thread."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator
from typing import Generic, TypeVar

import torch

from artiphys.hooks.changes import Changes

T = TypeVar("T")


class SharedSetting(Generic[T]):
    """A setting that is as it was before once the last who changed it is done.

    Each by itself would put back what it found, which may be what another changed for a while.

    Parameters
    ----------
    get, set : callable
        Tell and change the setting.
    value : object
        What it is while in use.
    """

    def __init__(self, get: Callable[[], T], set: Callable[[T], object], value: T) -> None:
        self._get, self._set, self._value = get, set, value
        self._users: dict[object, None] = {}
        self._had: list[T] = []
        self._lock = threading.RLock()  # a user that was dropped leaves whenever its memory is freed

    @contextlib.contextmanager
    def in_use(self) -> Iterator[None]:
        """While entered, here or elsewhere, the setting has its value."""
        with Changes() as changes:
            user = object()
            changes.undone_by(self._leave, user)
            with self._lock:
                if not self._had:
                    self._had.append(self._get())
                self._users[user] = None
                self._set(self._value)
            yield

    def _leave(self, user: object) -> None:
        with self._lock:
            self._users.pop(user, None)
            if not self._users and self._had:
                self._set(self._had[0])
                self._had.clear()


# torch then runs the layers of an encoder one module after another, so that hooks see plain tensors.
WITHOUT_FAST_PATH = SharedSetting(
    torch.backends.mha.get_fastpath_enabled, torch.backends.mha.set_fastpath_enabled, False
)
