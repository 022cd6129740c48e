"""Adapter: what every family of networks offers, a module to call and taps by site name."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from artiphys.adapters.connections import Connection
from artiphys.adapters.residual_stream import Read, ResidualStream
from artiphys.digests import identical
from artiphys.hooks.changes import Changes, grad_enabled, outside_inference_mode
from artiphys.hooks.taps import Tap
from artiphys.sites import Site
from artiphys.stimuli import Inputs, Stimuli
from artiphys.third_party import buffers_of


@dataclass
class Discovery:
    """The sites an adapter found by running the model on a few trials."""

    taps: dict[str, Tap] = field(default_factory=dict)
    aliases: dict[str, str] = field(default_factory=dict)
    silent: dict[str, str] = field(default_factory=dict)  # name -> why it cannot be used
    read_only: dict[str, str] = field(default_factory=dict)  # name -> why it can be read, but not lesioned
    unroll: Callable[[Changes, Sequence[Tap]], object] = lambda changes, taps: None
    connections: dict[str, Connection] = field(default_factory=dict)  # by receiver
    stream: ResidualStream | None = None  # once it was asked for


class Adapter(Protocol):
    """A thin table of taps over one family of models."""

    root: nn.Module
    version: str

    @property
    def recurrent(self) -> Mapping[str, Any]:
        """Recurrent modules that can run step by step, by name (`artiphys.adapters.recurrent.Unrolled`)."""

    def example(self) -> Inputs | None:
        """Inputs of two or more trials the model surely takes, or None if only its user knows."""

    def call(
        self, inputs: Inputs, *, last_only: bool = False, n_trials: int | None = None, every_position: bool = False
    ) -> Any:
        """Outputs for inputs whose trials lie on axis 0; ``last_only`` asks for each trial's last position.

        ``n_trials`` is after how many rows the trials come again, where a batch grows on its way. With
        ``every_position`` all positions are computed, though the last are asked for.
        """

    def valid(self, stimuli: Stimuli, site: Site, n_time: int) -> Tensor | None:
        """Bool ``(trial, time)``, False at padding of the site's own sequence; None where nothing is padded."""

    def mask_of_call(self, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Tensor | None:
        """Bool ``(row, position)`` of real positions, from the arguments of a direct call; None where none is said."""

    def first_wanted(self, inputs: Inputs) -> int | None:
        """First position that ``last_only`` outputs of some trial need; None for a model without positions."""

    def after_last(self) -> list[nn.Module]:
        """Modules that work on each position by itself after the last stage, such as a final norm."""

    def stage_candidates(self, taps: Sequence[Tap]) -> list[list[tuple[str, nn.Module]]]:
        """Guesses at the modules that are the stages of a forward pass, the best first."""

    has_stream: bool  # whether its layers add to one residual stream, as far as its family tells

    def residual_stream(self, tap_of: Callable[[str], Tap], read: Read) -> ResidualStream:
        """That stream, checked with activity on the example; `LesionError` where there is none."""

    def discover(self, example: Inputs) -> Discovery:
        """Find the sites by running the example."""

    def unwrap(self) -> Any:
        """The model as it was before it was wrapped."""

    def portable(self) -> tuple[Any, Inputs | None, tuple[str, ...]]:
        """Model, example and steps from which another process can wrap the same."""


def inputs_to(inputs: Inputs, device: torch.device) -> Inputs:
    """A copy of inputs on a device: a network that works in place must not write into its user's stimuli."""
    if isinstance(inputs, Mapping):
        return {k: v.to(device, copy=True) for k, v in inputs.items()}
    return inputs.to(device, copy=True)


def rows_of(inputs: Inputs, rows: Sequence[int]) -> Inputs:
    """The given trials, in that order; an index past the end counts from the start again."""
    first = next(iter(inputs.values())) if isinstance(inputs, Mapping) else inputs
    take = torch.tensor([r % len(first) for r in rows])
    if isinstance(inputs, Mapping):
        return {k: v[take.to(v.device)] for k, v in inputs.items()}
    return inputs[take]


def device_of(model: nn.Module) -> torch.device:
    """Device of a model's first parameter or buffer; the CPU if it has none."""
    for t in [*model.parameters(), *model.buffers()]:
        return t.device
    return torch.device("cpu")


@contextlib.contextmanager
def without_trace(model: nn.Module) -> Iterator[None]:
    """Look at a model without a trace: buffers (batch-norm statistics), numbers and random state are put back."""
    devices = [device_of(model)] if device_of(model).type == "cuda" else []
    with Changes() as changes:
        for module in model.modules():
            for name, buffer in buffers_of(module).items():
                if buffer is not None:
                    changes.undone_by(_restored, buffers_of(module), name, buffer, buffer.detach().clone())
            # Not flags: one may tell that weights were changed for good, as on the first pass of RWKV.
            numbers = {k: v for k, v in module.__dict__.items() if type(v) in (int, float)}
            changes.undone_by(module.__dict__.update, numbers)
        changes.undone_by(torch.set_rng_state, torch.get_rng_state())
        for device in devices:
            changes.undone_by(torch.cuda.set_rng_state, torch.cuda.get_rng_state(device), device)
        with outside_inference_mode(), grad_enabled(False):
            yield


def _restored(held: dict[str, Tensor | None], name: str, buffer: Tensor, value: Tensor) -> None:
    held[name] = buffer
    if not identical(buffer, value):
        with outside_inference_mode(), grad_enabled(False):
            buffer.copy_(value)


def trial_axis(small: tuple[int, ...], large: tuple[int, ...]) -> tuple[int, bool] | None:
    """Which axis holds trials, from the shapes with 2 and with 3 of them.

    Returns (axis, merged), merged meaning that each trial fills several rows; None if no axis does.

    >>> trial_axis((7, 2, 5), (7, 3, 5)), trial_axis((14, 4), (21, 4)), trial_axis((1, 7), (1, 7))
    ((1, False), (0, True), None)
    """
    if len(small) != len(large):
        return None
    moved = [i for i, (a, b) in enumerate(zip(small, large)) if a != b]
    if len(moved) != 1:
        return None
    a, b = small[moved[0]], large[moved[0]]
    if (a, b) == (2, 3):
        return moved[0], False
    return (0, True) if moved[0] == 0 and a * 3 == b * 2 else None


def why_not_trial_major(rows: Tensor) -> str:
    """Why merged rows of the trials (a, b, a) are not known to hold one trial after another; empty if they do."""
    parts = rows.reshape(3, -1, *rows.shape[1:])
    if not alike(parts[0], parts[2]):
        return "trial and time share an axis with time first"
    if alike(parts[0], parts[1]):
        return (
            "trial and time share an axis, and which comes first cannot be told where activity is the same on both "
            "trials of the example; wrap the network with an example of other trials"
        )
    return ""


def alike(a: Tensor, b: Tensor) -> bool:
    """Equal but for rounding, which depends on a row's place in its batch."""
    if not a.is_floating_point():
        return torch.equal(a, b)
    a, b = a.double(), b.double()
    scale = float(a.nan_to_num(posinf=0.0, neginf=0.0).abs().max()) if a.numel() else 0.0
    return torch.allclose(a, b, rtol=1e-4, atol=1e-4 * scale, equal_nan=True)


def two_trials(example: Inputs) -> Inputs:
    """Two different trials of an example; where all are alike, numbers (no whole ones) of the second get noise.

    >>> two_trials(torch.tensor([[1.0], [1.0], [2.0]])).tolist()
    [[1.0], [2.0]]
    """
    tensors = list(example.values()) if isinstance(example, Mapping) else [example]
    n = len(tensors[0])
    other = next((i for i in range(1, n) if any(not torch.equal(t[0], t[i]) for t in tensors)), None)
    if other is not None:
        return rows_of(example, (0, other))
    noise = torch.Generator().manual_seed(0)

    def noisy(t: Tensor) -> Tensor:
        if not t.is_floating_point():
            return t
        spread = float(t[0].double().std()) if t[0].numel() > 1 else 0.0
        added = torch.randn(t[0].shape, generator=noise, dtype=torch.float64) * (spread or 1.0)
        return torch.stack([t[0], t[1] + added.to(t)])

    pair = rows_of(example, (0, 1))
    return {k: noisy(v) for k, v in pair.items()} if isinstance(pair, Mapping) else noisy(pair)
