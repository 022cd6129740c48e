"""Rerouting: another forward for some modules for a while, with their hooks left as they are."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from torch import nn

from artiphys.hooks.changes import Changes

Forward = Callable[..., Any]


@contextlib.contextmanager
def rerouted(modules: Sequence[nn.Module], make: Callable[[nn.Module, Forward], Forward]) -> Iterator[None]:
    """While entered, each module's forward is ``make(module, forward)``; hooks stay as they are."""
    with Changes() as changes:
        for m in modules:
            changes.set(m.__dict__, "forward", make(m, m.forward))
        yield
