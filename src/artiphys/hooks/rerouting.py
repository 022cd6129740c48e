"""Rerouting: another forward for some modules for a while, with their hooks left as they are."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from torch import nn

Forward = Callable[..., Any]


@contextlib.contextmanager
def rerouted(modules: Sequence[nn.Module], make: Callable[[nn.Module, Forward], Forward]) -> Iterator[None]:
    """While entered, each module's forward is ``make(module, forward)``; hooks stay as they are."""
    had = [(m, m.__dict__.get("forward")) for m in modules]
    try:
        for m in modules:
            m.__dict__["forward"] = make(m, m.forward)
        yield
    finally:
        for m, forward in had:
            if forward is None:
                m.__dict__.pop("forward", None)
            else:
                m.__dict__["forward"] = forward
