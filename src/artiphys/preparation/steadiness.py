"""Steadiness: whether a network gives the same for the same trials, once and again, and in a batch of others."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from artiphys.adapters.adapter import without_trace
from artiphys.errors import InputError
from artiphys.hooks.nested import leaves
from artiphys.stimuli import Stimuli

logger = logging.getLogger("artiphys")
MAX_DIFFERENCE = 1e-4  # relative; beyond it, and beyond rounding in the network's precision, outputs differ
ROUNDINGS = 32
QUICK_SECONDS, N_MANY, N_RUNS = 0.05, 64, 4  # a network that is looked at so fast runs so many trials so often


@dataclass
class Steadiness:
    """What was found out about one network, by its state and the form of the stimuli.

    Attributes
    ----------
    mixes : dict
        Why trials may not be put into batches at will, "" where they may.
    """

    model: nn.Module
    mixes: dict[Hashable, str] = field(default_factory=dict)

    def require(self, stimuli: Stimuli, state: Hashable, run: Callable[[Stimuli], Any]) -> str:
        """How the network mixes the trials of a batch, "" if it does not; looked at once for a state and form.

        Raises
        ------
        InputError
            If the same trials give different outputs when they are run again.
        """
        modes = tuple(m.training for m in self.model.modules())
        key = (state, modes, stimuli.form())
        if key not in self.mixes:
            self.mixes[key] = self._looked_at(stimuli, run)
        return self.mixes[key]

    def _looked_at(self, stimuli: Stimuli, run: Callable[[Stimuli], Any]) -> str:
        allowed, started = self._allowed(), time.perf_counter()
        with without_trace(self.model):
            for n in (2, 4):  # batch statistics of a single trial may not be defined
                some = stimuli[: min(n, len(stimuli))]
                half = max(1, len(some) // 2)
                try:
                    once, again = _flat(run(some)), _flat(run(some))
                    if (apart := _distance(once, again)) > allowed:
                        raise InputError(self._random(apart))
                    parts = [_flat(run(part)) for part in (some[:half], some[half:])] if len(some) > 1 else [once]
                    break
                except InputError:
                    raise
                except Exception as error:  # noqa: BLE001 (what fails here fails, and is told, in the run itself)
                    logger.info("it was not found out whether the network is steady: %s", error)
            else:
                return ""
        if time.perf_counter() - started < QUICK_SECONDS:  # chance that is rare shows on many trials
            with without_trace(self.model):
                many = [_flat(run(stimuli[: min(N_MANY, len(stimuli))])) for _ in range(N_RUNS)]
            if (apart := max(_distance(many[0], other) for other in many[1:])) > allowed:
                raise InputError(self._random(apart))
        shapes = [[t.shape[1:] for t in outputs] for outputs in (once, *parts)]
        if any(s != shapes[0] for s in shapes) or sum(len(p[0]) for p in parts if p) != len(some):
            return ""  # its outputs do not hold one row per trial
        apart = _distance(once, [torch.cat(pair) for pair in zip(*parts)])
        return f"the network mixes the trials of a batch (relative difference {apart:.2g})" if apart > allowed else ""

    def _allowed(self) -> float:
        types = [p.dtype for p in self.model.parameters() if p.is_floating_point()]
        return max(MAX_DIFFERENCE, ROUNDINGS * max((torch.finfo(t).eps for t in types), default=0.0))

    def _random(self, apart: float) -> str:
        training = [f"{n or 'the network'} ({type(m).__name__})" for n, m in self.model.named_modules() if m.training]
        hint = (
            f"in train mode are {', '.join(training[:3])}. Call model.eval() first"
            if training
            else "no module is in train mode, so it is in the code: pass training=self.training to functions of dropout"
        )
        return f"the same trials gave other outputs when run again (relative difference {apart:.2g}): {hint}"


def _flat(outputs: Any) -> list[Tensor]:
    return [t.detach().to("cpu", torch.float64) for _, t in leaves(outputs) if t.ndim > 0]


def _distance(one: list[Tensor], other: list[Tensor]) -> float:
    largest = 0.0
    for a, b in zip(one, other):
        if a.shape != b.shape or not torch.equal(torch.isfinite(a), torch.isfinite(b)):
            return float("inf")
        a, b = a.nan_to_num(posinf=0.0, neginf=0.0), b.nan_to_num(posinf=0.0, neginf=0.0)
        scale = float(b.abs().max()) if b.numel() else 0.0
        largest = max(largest, float((a - b).abs().max()) / (scale or 1.0) if b.numel() else 0.0)
    return largest
