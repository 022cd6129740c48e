"""Memories that no single lesion of a whole unit explains: one that is handed over, one that is kept twice."""

from __future__ import annotations

from itertools import product

import torch
from torch import Tensor, nn

from artiphys import scores
from artiphys.errors import InputError
from artiphys.stimuli import Stimuli
from artiphys.toys.subset_truths import set_truths
from artiphys.toys.toy import Toy, Truth, linear

SOURCE = "by hand: a memory that is lost answers 1, which is right in half of the trials"


class RelayCell(nn.Module):
    """A holds what was seen while the gate is open and hands it to B when it closes."""

    def forward(self, x: Tensor, state: Tensor) -> Tensor:
        """Input and gate ``(trial, 2)``, state of A and B ``(trial, 2)`` -> new state."""
        gate, a, b = x[:, 1], state[:, 0], state[:, 1]
        return torch.stack([gate * (a + x[:, 0]), (1 - gate) * torch.clamp(a + b, -1, 1)], dim=1)


class RefreshCell(nn.Module):
    """Two units that restore each other at every step."""

    def forward(self, x: Tensor, state: Tensor) -> Tensor:
        """Input ``(trial, 1)``, state ``(trial, 2)`` -> new state."""
        return torch.clamp(state.sum(dim=1, keepdim=True) + x, -1, 1).expand(-1, 2).clone()


class MemoryNet(nn.Module):
    """A loop over a cell of two units; the answer is read out from some of them at the end."""

    def __init__(self, cell: nn.Module, readout: list[float]) -> None:
        super().__init__()
        self.cell = cell
        self.readout = linear([readout], [0.0])

    def forward(self, x: Tensor) -> Tensor:
        """Inputs ``(trial, time, channel)`` -> ``(trial,)``."""
        state = x.new_zeros(len(x), 2)
        for t in range(x.shape[1]):
            state = self.cell(x[:, t], state)
        y: Tensor = self.readout(state)
        return y[:, 0]


def _toy(
    name: str, cell: nn.Module, readout: list[float], x: Tensor, windows: tuple[tuple[int, int], ...],
    truth: list[Truth], lesson: str,
) -> Toy:  # fmt: skip
    labels = (x[:, 0, 0] > 0).int()
    return Toy(name, MemoryNet(cell, readout), Stimuli(x, {"label": labels.tolist()}), labels.numpy(),
               scores.accuracy("label", threshold=0.0), ("cell",), tuple(truth), lesson, steps=("cell",),
               windows=windows)  # fmt: skip


def relay(n_steps: int = 20) -> Toy:
    """A cue is held by A in the first half of the delay and by B in the second."""
    if n_steps < 4 or n_steps % 2:
        raise InputError(f"n_steps came as {n_steps}; wanted an even number of at least 4")
    half = n_steps // 2
    x = torch.zeros(8, n_steps, 2)
    x[:, 0, 0] = torch.tensor([-1.0, 1.0] * 4)
    x[:, :half, 1] = 1
    early, late = f"[0:{half}]", f"[{half}:{n_steps}]"
    a, b = f"cell.0{early}", f"cell.1{late}"
    idle = {f"cell.1{early}": 0.0, f"cell.0{late}": 0.0}
    both = f"{a}+{b}"
    truth = [
        Truth("accuracy", {"intact": 1.0}, None, 1e-6, SOURCE),
        Truth("single_lesions", {a: 0.5, b: 0.5} | idle, "zero", 1e-6, SOURCE),
        Truth("shapley", {a: 0.25, b: 0.25} | idle, "zero", 1e-6, SOURCE),
        Truth("SII", {both: 0.5}, "zero", 1e-6, SOURCE),
        Truth("minimal circuits", {both: 1.0}, "zero", 1e-6, SOURCE),
        Truth("critical sets .95", {a: 0.0, b: 0.0}, "zero", 1e-6, SOURCE),
        Truth("critical sets .05", {a: 0.0, b: 0.0}, "zero", 1e-6, SOURCE),
    ]
    lesson = "each unit is vital and idle at once: which, depends on when it is lesioned"
    return _toy("relay", RelayCell(), [0.0, 1.0], x, ((0, half), (half, n_steps)), truth, lesson)


def refresh(n_steps: int = 3) -> Toy:
    """Two units keep one memory: either may be lesioned for ever, but never both in one step."""
    if not 2 <= n_steps <= 6:
        raise InputError(f"n_steps came as {n_steps}; wanted 2 to 6 (each step doubles the minimal circuits)")
    x = torch.zeros(8, n_steps, 1)
    x[:, 0, 0] = torch.tensor([-1.0, 1.0] * 4)

    def player(unit: int, t: int) -> str:
        return f"cell.{unit}[{t}:{t + 1}]"

    steps = range(n_steps)
    players = [player(u, t) for t in steps for u in (0, 1)]
    values = {}
    for number in range(4**n_steps):
        intact = tuple(i for i in range(2 * n_steps) if number >> i & 1)
        kept = all(2 * t in intact or 2 * t + 1 in intact for t in steps)
        values[intact] = 1.0 if kept else 0.5
    shares = next(t for t in set_truths(values, 0.95) or [] if t.analysis == "shapley").expected
    circuits = {"+".join(player(u, t) for t, u in enumerate(units)): 1.0 for units in product((0, 1), repeat=n_steps)}
    gone = {f"{player(0, t)}+{player(1, t)}": 0.0 for t in steps}
    truth = [
        Truth("accuracy", {"intact": 1.0}, None, 1e-6, SOURCE),
        Truth("single_lesions", dict.fromkeys(players, 0.0), "zero", 1e-6, SOURCE),
        Truth("shapley", dict(zip(players, shares.values())), "zero", 1e-6, SOURCE),
        Truth("minimal circuits", circuits, "zero", 1e-6, SOURCE),
        Truth("critical sets .95", gone, "zero", 1e-6, SOURCE),
        Truth("critical sets .05", gone, "zero", 1e-6, SOURCE),
    ]
    if n_steps == 3:
        truth.append(Truth("SII", dict.fromkeys(gone, -4 / 15), "zero", 1e-6, SOURCE))
    lesson = "no unit and no moment is vital; only both units at one moment are"
    return _toy("refresh", RefreshCell(), [1.0, 1.0], x, tuple((t, t + 1) for t in steps), truth, lesson)
