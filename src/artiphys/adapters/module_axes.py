"""Axes of a plain module's sites: from the module's type, from what gets shorter with its inputs, or by rank."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from torch import Tensor, nn

from artiphys.adapters.adapter import without_trace
from artiphys.adapters.in_series import FIRST_ARGUMENT
from artiphys.adapters.module_events import Event, Place
from artiphys.hooks.taps import View
from artiphys.sites import Site
from artiphys.stimuli import Inputs

SPATIAL = {
    1: ("channel", "time"),
    2: ("channel", "height", "width"),
    3: ("channel", "depth", "height", "width"),
}
CONVOLUTIONAL: dict[int, tuple[type[nn.Module], ...]] = {
    1: (nn.Conv1d, nn.ConvTranspose1d, nn.MaxPool1d, nn.AvgPool1d, nn.AdaptiveAvgPool1d, nn.AdaptiveMaxPool1d),
    2: (
        nn.Conv2d, nn.ConvTranspose2d, nn.MaxPool2d, nn.AvgPool2d, nn.AdaptiveAvgPool2d, nn.AdaptiveMaxPool2d,
        nn.BatchNorm2d, nn.InstanceNorm2d,
    ),
    3: (nn.Conv3d, nn.ConvTranspose3d, nn.MaxPool3d, nn.AvgPool3d, nn.AdaptiveAvgPool3d, nn.BatchNorm3d),
}  # fmt: skip
LAST_IS_UNIT = (nn.Linear, nn.LayerNorm, nn.Embedding, nn.MultiheadAttention, nn.RNNBase, nn.RNNCellBase)


@dataclass(frozen=True)
class ModuleAxes:
    """Names after ``trial``; whether they are guessed, and whether the axis of the units is known all the same."""

    names: tuple[str, ...]
    guessed: bool = False
    unit_known: bool = True


def axes_by_type(module: nn.Module, e: Event, rank: int, source: Site | None) -> ModuleAxes | None:
    """Axes that the type of a module tells, or that of the module its input came from; None if neither does.

    Parameters
    ----------
    module : Module
        Whose input or output the event is.
    rank : int
        Number of axes after the trials.
    source : Site or None
        Where the module's first input was seen before.
    """
    if rank == 1:
        return ModuleAxes(("unit",))
    is_first = e.path[:2] == FIRST_ARGUMENT or isinstance(module, nn.MultiheadAttention)
    first_input = e.of_input and is_first and e.tensor.is_floating_point()
    if not e.of_input or first_input:
        for dims, kinds in CONVOLUTIONAL.items():
            if isinstance(module, kinds) and rank == dims + 1:
                return ModuleAxes(SPATIAL[dims])
    if not e.of_input and isinstance(module, nn.RNNBase) and e.path[:1] == (1,):
        return ModuleAxes(("layer", "unit"))
    is_index = isinstance(module, nn.Embedding) and e.of_input
    if isinstance(module, LAST_IS_UNIT) and (not e.of_input or first_input) and not is_index:
        named = ("time", "unit") if rank == 2 else (*(f"axis{i}" for i in range(1, rank)), "unit")
        return ModuleAxes(named, guessed=rank != 2 or isinstance(module, (nn.Linear, nn.LayerNorm)))
    if not e.of_input and source is not None and len(source.axes) == rank:
        return ModuleAxes(source.axes, source.guessed, source.unit_known)
    return None


def axes_by_length(rank: int, moved: set[int] | None) -> ModuleAxes:
    """Axes of a site that no type tells, from which of them got shorter with some axis of the inputs.

    >>> axes_by_length(3, {1, 2}).names, axes_by_length(3, {0, 1}).names
    (('channel', 'height', 'width'), ('axis1', 'axis2', 'unit'))
    >>> axes_by_length(2, {0}), axes_by_length(2, None)
    (ModuleAxes(names=('time', 'unit'), guessed=True, unit_known=True),\
 ModuleAxes(names=('time', 'unit'), guessed=True, unit_known=False))
    """
    still = [i for i in range(rank) if i not in moved] if moved is not None else []
    if len(still) == 1 and still[0] == 0 and rank - 1 in SPATIAL:
        return ModuleAxes(SPATIAL[rank - 1], guessed=True)
    if len(still) == 1 and still[0] == rank - 1:
        names = ("time",) if rank == 2 else tuple(f"axis{i}" for i in range(1, rank))
        return ModuleAxes((*names, "unit"), guessed=True)
    guesses = {2: ("time", "unit"), 3: SPATIAL[2], 4: SPATIAL[3]}
    return ModuleAxes(guesses.get(rank, (*(f"axis{i}" for i in range(1, rank)), "unit")), True, False)


class Lengths:
    """Which axes of a network's tensors get shorter with an axis of its inputs; looked at when first asked.

    Parameters
    ----------
    root : Module
    events : callable
        Runs the network on inputs and puts what it sees into a list.
    inputs : tensor or mapping
        Two trials.
    """

    def __init__(self, root: nn.Module, events: Callable[[Inputs, list[Event]], object], inputs: Inputs) -> None:
        self.root, self.events, self.inputs = root, events, inputs
        self._seen: list[dict[Place, Tensor]] | None = None

    def moved(self, e: Event, view: View) -> set[int] | None:
        """Axes after the trials that get shorter; None where none was seen to."""
        if self._seen is None:
            with without_trace(self.root):
                self._seen = [self._as_far(inputs) for inputs in shortened(self.inputs)]
        whole = view.to(e.tensor, 2).shape
        moved: set[int] = set()
        for tensors in self._seen:
            other = tensors.get(e.place)
            # Where the trial axis is merged with another, rows are no longer those of two trials of the example.
            if other is not None and other.ndim == e.tensor.ndim and (view.merged or len(other) == len(e.tensor)):
                small = view.to(other, 2).shape
                moved |= {i - 1 for i in range(1, len(whole)) if small[i] != whole[i]}
        return moved or None

    def _as_far(self, inputs: Inputs) -> dict[Place, Tensor]:
        """What was seen before inputs of another length made the network fail, if they did."""
        seen: list[Event] = []
        with contextlib.suppress(Exception):
            self.events(inputs, seen)
        done = {event.module for event in seen if not event.of_input}
        # What a module could not take tells nothing of its input.
        return {event.place: event.tensor for event in seen if not event.of_input or event.module in done}


def shortened(inputs: Inputs) -> Iterator[Inputs]:
    """The same inputs with one axis after the trials shorter, one axis after the other."""
    tensors = dict(inputs) if isinstance(inputs, Mapping) else {"": inputs}
    for size in dict.fromkeys(n for t in tensors.values() for n in t.shape[1:] if n > 1):
        for axis in range(1, max(t.ndim for t in tensors.values())):
            if any(t.ndim > axis and t.shape[axis] == size for t in tensors.values()):
                cut = {k: _narrowed(t, axis, size) for k, t in tensors.items()}
                yield cut if isinstance(inputs, Mapping) else cut[""]


def _narrowed(t: Tensor, axis: int, size: int) -> Tensor:
    return t.narrow(axis, 0, max(1, size // 2)) if t.ndim > axis and t.shape[axis] == size else t
