"""Tiny recurrent networks: 1 to 4 trained units, recurrent weights full or diagonal, on tasks with a known optimum.

References: Ji-An, Benna & Mattar 2025, Discovering cognitive strategies with tiny recurrent neural networks; Ghosh et
al. 2024, Nonlinear fusion is optimal for a wide class of multisensory tasks.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor, nn

from artiphys import scores
from artiphys.array_types import Array
from artiphys.errors import InputError, unknown
from artiphys.stimuli import Stimuli
from artiphys.toys.enumerated_truths import enumerated_truths
from artiphys.toys.toy import Toy, Truth
from artiphys.toys.trained.stored_weights import parts, read_weights
from artiphys.toys.trained.tiny_tasks import TASKS, Task

RECURRENCES = ("full", "diagonal")
# A unit that is connected only to itself cannot fuse two senses and then accumulate what it fused; nor can one unit.
SHORT_OF_THE_OPTIMUM = {("multisensory", 1, "full"), *(("multisensory", u, "diagonal") for u in (1, 2, 3, 4))}
LESSONS = {
    "detection": "a unit that is silent until something comes, and useless until then, is the whole memory",
    "accumulation": "units that share one memory look dispensable one by one",
    "two_lever": "counting all outcomes alike is not best where the levers change places: old ones must fade",
    "multisensory": "each sense alone carries nothing; units that never meet cannot learn what both say together",
}


class TinyCell(nn.Module):
    """One step: state <- tanh(drive(input) + recurrent(state))."""

    def __init__(self, weights: Mapping[str, Tensor]) -> None:
        super().__init__()
        units, channels = weights["drive"].shape
        self.drive, self.recurrent = nn.Linear(channels, units), nn.Linear(units, units, bias=False)
        with torch.no_grad():
            self.drive.weight.copy_(weights["drive"])
            self.drive.bias.copy_(weights["bias"])
            self.recurrent.weight.copy_(weights["recurrent"])

    def forward(self, x: Tensor, state: Tensor) -> Tensor:
        """Input ``(trial, channel)`` and state ``(trial, unit)`` -> new state."""
        return torch.tanh(self.drive(x) + self.recurrent(state))


class TinyNet(nn.Module):
    """A hand-written loop over a cell; the decision is the sign of a weighted sum of the last state."""

    def __init__(self, weights: Mapping[str, Tensor]) -> None:
        super().__init__()
        self.cell = TinyCell(weights)
        self.readout = nn.Linear(len(weights["readout"]), 1)
        with torch.no_grad():
            self.readout.weight.copy_(weights["readout"][None])
            self.readout.bias.copy_(weights["offset"])
        self.requires_grad_(False)

    def forward(self, x: Tensor) -> Tensor:
        """Inputs ``(trial, time, channel)`` -> decision variable ``(trial,)``."""
        state = x.new_zeros(len(x), self.readout.in_features)
        for t in range(x.shape[1]):
            state = self.cell(x[:, t], state)
        y: Tensor = self.readout(state)
        return y[:, 0]


def tiny_rnn(task: str = "multisensory", units: int = 2, recurrence: str = "full", seed: int = 0) -> Toy:
    """A trained network of 1 to 4 tanh units on a two-way decision at the end of a sequence.

    Tasks: "detection" (a flash or a sound at some step, or nothing), "accumulation" (sign of the mean of noisy
    evidence), "two_lever" (which of two levers that change places is the better one now) and "multisensory" (do two
    senses agree more often than not). ``recurrence`` "diagonal" connects each unit only to itself. Trained by
    ``python -m artiphys.toys.trained.training.tiny_recurrent``; ``seed`` is that of the toy's trials.

    Its accuracy is that of the ideal observer, but for networks that cannot fuse the senses and then accumulate: one
    unit, and units connected only to themselves (Ghosh et al. 2024, Nonlinear fusion is optimal for a wide class of
    multisensory tasks; networks of this size: Ji-An, Benna & Mattar 2025, Discovering cognitive strategies with tiny
    recurrent neural networks). There, and for lesions, the truth is computed by a recurrence in double precision on the
    toy's own trials. The naive error: a memory that two units share looks dispensable in each.

    Raises
    ------
    InputError
        If there is no such task, number of units or recurrence.
    """
    if task not in TASKS:
        raise InputError(unknown("task", task, list(TASKS)))
    if recurrence not in RECURRENCES:
        raise InputError(unknown("recurrence", recurrence, list(RECURRENCES)))
    if units not in (1, 2, 3, 4):
        raise InputError(f"units came as {units!r}; wanted 1, 2, 3 or 4")
    chosen, weights = TASKS[task], parts(read_weights("tiny_recurrent"), f"{task} {units} {recurrence}")
    inputs, labels = chosen.draw(chosen.n_trials, np.random.default_rng(seed))
    x = torch.as_tensor(inputs, dtype=torch.float32)
    evidence = x.double().numpy()
    # In single precision a trial may fall on the other side of the decision than in double precision.
    rounding = 1e-6 if chosen.exhaustive else 2 / chosen.n_trials
    source = "the recurrence in double precision on the same trials, the states of lesioned units held at 0"

    def value(intact: tuple[int, ...]) -> float:
        return float(((decision_variable(weights, evidence, intact) >= 0) == (labels == 1)).mean())

    names = [f"cell.{u}" for u in range(units)]
    truth = (
        _accuracy(chosen, value(tuple(range(units))), (task, units, recurrence), source, rounding),
        *enumerated_truths(names, value, rounding, source),
    )
    stimuli = Stimuli(x, {"label": labels})
    usual = (task, units, recurrence) == ("multisensory", 2, "full")
    name = "tiny_rnn" if usual else f"tiny_rnn {task} {units} {recurrence}"
    return Toy(name, TinyNet(weights), stimuli, labels, scores.accuracy("label", threshold=0.0), ("cell",), truth,
               LESSONS[task], steps=("cell",), exhaustive=chosen.exhaustive)  # fmt: skip


def tiny_detector(units: int = 2, recurrence: str = "full", seed: int = 0) -> Toy:
    """`tiny_rnn` that remembers whether there was a flash or a sound; see there."""
    return replace(tiny_rnn("detection", units, recurrence, seed), name="tiny_detector")


def tiny_accumulator(units: int = 2, recurrence: str = "diagonal", seed: int = 0) -> Toy:
    """`tiny_rnn` that sums noisy evidence; see there."""
    return replace(tiny_rnn("accumulation", units, recurrence, seed), name="tiny_accumulator")


def tiny_two_lever(units: int = 2, recurrence: str = "full", seed: int = 0) -> Toy:
    """`tiny_rnn` that keeps track of the better of two levers; see there."""
    return replace(tiny_rnn("two_lever", units, recurrence, seed), name="tiny_two_lever")


def tiny_multisensory(units: int = 3, recurrence: str = "full", seed: int = 0) -> Toy:
    """`tiny_rnn` that fuses two senses, then accumulates; see there."""
    return replace(tiny_rnn("multisensory", units, recurrence, seed), name="tiny_multisensory")


def decision_variable(weights: Mapping[str, Tensor], x: Array, intact: tuple[int, ...]) -> Array:
    """Decision variable ``(trial,)`` of inputs ``(trial, time, channel)`` with only some units intact."""
    w = {name: t.double().numpy() for name, t in weights.items()}
    kept = np.isin(np.arange(len(w["readout"])), intact)
    state = np.zeros((len(x), len(kept)))
    for t in range(x.shape[1]):
        state = kept * np.tanh(x[:, t] @ w["drive"].T + w["bias"] + state @ w["recurrent"].T)
    return np.asarray(state @ w["readout"] + w["offset"])


def _accuracy(task: Task, reached: float, network: tuple[str, int, str], source: str, rounding: float) -> Truth:
    if network in SHORT_OF_THE_OPTIMUM:
        return Truth("accuracy", {"intact": reached}, None, rounding, source)
    sampling = 4 * math.sqrt(task.optimum * (1 - task.optimum) / task.n_trials)
    return Truth("accuracy", {"intact": task.optimum}, None, max(sampling, 1e-6), task.source)
