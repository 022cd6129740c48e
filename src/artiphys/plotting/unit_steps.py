"""One run of a network in which the output of one part is changed and those of all others are held."""

from __future__ import annotations

import functools
from typing import Any

import torch
from torch import Tensor, nn

from artiphys.array_types import Array
from artiphys.hooks.changes import Changes
from artiphys.plotting.network_parts import INPUT, OUTPUT


class Step:
    """One run in which the output of one part is changed and those of all others are held."""

    def __init__(
        self, calls: dict[str, list[Tensor]], given: dict[str, list[Tensor]], source: str, step: Tensor, size: float,
        targets: list[str],
    ) -> None:  # fmt: skip
        self.calls, self.given, self.source, self.size, self.step = calls, given, source, size, step
        self.turn = dict.fromkeys(calls, 0)
        self.rows: dict[str, list[Array]] = {b: [] for b in targets}

    def run(self, model: nn.Module, inputs: Any) -> dict[str, list[Array]]:
        """Changes of the targets, call by call."""
        with Changes() as changes, torch.no_grad():
            for name, module in model.named_modules():
                part = name or OUTPUT
                if part in self.calls:
                    changes.hook(module, functools.partial(self._hold, part))
            x = self._moved(inputs) if self.source == INPUT else inputs
            model(**x) if isinstance(x, dict) else model(x)
        return self.rows

    def _moved(self, value: Any) -> Any:
        if isinstance(value, dict):
            return {k: self._moved(v) if v.is_floating_point() else v for k, v in value.items()}
        step = self.size * (self.step if value.ndim > 1 else self.step[0]).to(value)
        if abs(self.size) > 1:
            lead = value.shape[:-1] if value.ndim > 1 else value.shape
            pattern = torch.randn(lead, generator=torch.Generator().manual_seed(0)).to(value)
            step = step * (pattern[..., None] if value.ndim > 1 else pattern)
        return value + step

    def _hold(self, name: str, _: nn.Module, args: Any, kwargs: Any, out: Any) -> Any:
        turn = self.turn[name]
        self.turn[name] += 1
        held = self.calls[name][turn]
        if name in self.rows:
            now, before = (args[0], self.given[name][turn]) if name in self.given else (out, held)
            change = (now - before).double()
            # Without a connection the sums are the same to the last bit, but for what a library rounds otherwise.
            noise = 1e-6 * before.abs().reshape(-1, before.shape[-1] if before.ndim > 1 else 1).amax(0).clamp(min=1.0)
            self.rows[name].append(torch.where(change.abs() > noise, change / self.size, 0.0).cpu().numpy())
        return self._moved(held) if name == self.source else held
