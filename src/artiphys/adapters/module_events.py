"""Every tensor that enters or leaves a module during one forward pass."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from torch import Tensor, nn

from artiphys.hooks.changes import Changes
from artiphys.hooks.nested import Key, leaves
from artiphys.third_party import edit_count

Place = tuple[str, bool, tuple[Key, ...], int]  # module, whether at its input, path to the tensor, call
TensorKey = tuple[int, int]  # identity and edits so far: an in-place operation makes another value of one tensor


@dataclass
class Event:
    """One tensor seen entering or leaving a module."""

    module: str
    of_input: bool
    path: tuple[Key, ...]
    call: int
    tensor: Tensor
    key: TensorKey
    source: TensorKey | None  # the module's first input

    @property
    def place(self) -> Place:
        """What names this tensor in every run."""
        return self.module, self.of_input, self.path, self.call


def module_events(
    root: nn.Module, run: Callable[[], object], skip: Sequence[str], events: list[Event] | None = None
) -> list[Event]:
    """What happens in one forward pass, in order.

    Parameters
    ----------
    root : Module
    run : callable
        Runs the forward pass.
    skip : sequence of str
        Names of modules whose inner modules are not looked at.
    events : list, optional
        Where to put them, for what is seen before the pass fails.
    """
    events = [] if events is None else events
    counts: dict[tuple[str, bool], int] = {}
    sources: dict[str, TensorKey] = {}

    def note(name: str, of_input: bool, tree: Any, source: TensorKey | None) -> None:
        call = counts.get((name, of_input), 0)
        counts[name, of_input] = call + 1
        for path, t in leaves(tree):
            # Aliasing is by identity, so the tensor is kept alive; its id cannot be used again.
            events.append(Event(name, of_input, path, call, t, _key(t), source))

    def pre(name: str) -> Callable[..., None]:
        def seen(module: nn.Module, args: Any, kwargs: Any) -> None:
            for _, first in leaves((args, kwargs)):
                sources[name] = _key(first)  # before an in-place operation
                break
            note(name, True, (args, kwargs), None)

        return seen

    def post(name: str) -> Callable[..., None]:
        return lambda module, args, kwargs, output: note(name, False, output, sources.get(name))

    with Changes() as changes:
        for name, module in root.named_modules():
            if any(name.startswith(f"{s}.") for s in skip):
                continue
            changes.hook(module, pre(name), pre=True)
            changes.hook(module, post(name))
        run()
    return events


_unlike = itertools.count(2)


def _key(t: Tensor) -> TensorKey:
    # Edits of a tensor made under inference_mode are not counted, so that each sight of it may be another value.
    n_edits = edit_count(t)
    return id(t), n_edits if n_edits >= 0 else -next(_unlike)
