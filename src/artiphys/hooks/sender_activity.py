"""Activity of senders, kept during a forward pass for connections that reach receivers further on."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor


@dataclass
class SenderActivity:
    """What was read of some places so far, by name, and how to bring it to the rows the batch holds now.

    Attributes
    ----------
    stage : int
        Stage of the forward pass in progress, where a batch grows between stages; else 0.
    aligned : callable
        Brings a tensor that holds all rows of an earlier stage to the present rows.
    made : dict
        What was worked out from it in this forward pass, by whoever did.
    """

    stage: int = 0
    aligned: Callable[[Tensor], Tensor] = lambda t: t
    made: dict[Any, Any] = field(default_factory=dict)
    _parts: dict[str, dict[int, list[Tensor]]] = field(default_factory=dict)

    def keep(self, name: str, x: Tensor) -> None:
        """Keep the value of a place; the parts of a stage come one after another."""
        self._parts.setdefault(name, {}).setdefault(self.stage, []).append(x)

    def at(self, name: str) -> Tensor:
        """Activity of a place ``(row, ...)`` in the rows the batch holds now."""
        by_stage = self._parts[name]
        stage = max(by_stage)
        parts = by_stage[stage]
        if stage == self.stage:
            return parts[-1]  # of the rows that pass through this stage right now
        if len(parts) > 1:
            parts[:] = [torch.cat(parts)]
        return self.aligned(parts[0])

    def of_stage(self, stage: int) -> dict[str, list[Tensor]]:
        """What was kept in one stage, by name."""
        return {name: list(by_stage[stage]) for name, by_stage in self._parts.items() if stage in by_stage}

    def restore(self, stage: int, parts: dict[str, list[Tensor]]) -> None:
        """Keep again what was kept in a stage whose outputs are known already."""
        for name, some in parts.items():
            self._parts.setdefault(name, {})[stage] = list(some)
