"""Train the tiny recurrent networks: ``python -m artiphys.toys.trained.training.tiny_recurrent [folder]``.

Each of 32: a task, 1 to 4 units, recurrent weights full or diagonal. Many seeds side by side on the same trials; the
one that is most often right on trials of their own is kept. About ten minutes on one core.
"""

from __future__ import annotations

import argparse
import itertools
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from artiphys.array_types import Array
from artiphys.toys.trained.stored_weights import FOLDER, write_weights
from artiphys.toys.trained.tiny_tasks import TASKS, Task

UNITS, RECURRENCES = (1, 2, 3, 4), ("full", "diagonal")
BATCH, RATE, HELD_OUT = 256, 0.02, 20_000
STEPS = {"detection": 800, "accumulation": 1500, "two_lever": 1500, "multisensory": 4000}
SEEDS = {"detection": 8, "accumulation": 12, "two_lever": 12, "multisensory": 32}
NAMES = ("drive", "bias", "recurrent", "readout", "offset")


def outputs(x: Tensor, weights: dict[str, Tensor]) -> Tensor:
    """Decision variables ``(network, trial)`` of all networks on the same trials ``(trial, time, channel)``."""
    n_networks, n_units, _ = weights["recurrent"].shape
    state = x.new_zeros(n_networks, len(x), n_units)
    driven = torch.einsum("ntc,buc->tbnu", x, weights["drive"]) + weights["bias"][:, None]
    for step in driven:
        state = torch.tanh(step + state @ weights["recurrent"].transpose(1, 2))
    return (state @ weights["readout"][:, :, None])[..., 0] + weights["offset"]


def initial(task: Task, units: int, n_networks: int, draws: torch.Generator) -> dict[str, Tensor]:
    """Random weights; what a unit gives to itself is near 1, so that it remembers from the start."""

    def normal(*shape: int, scale: float) -> Tensor:
        return scale * torch.randn(n_networks, *shape, generator=draws)

    return {
        "drive": normal(units, task.n_channels, scale=0.5),
        "bias": normal(units, scale=0.3),
        "recurrent": 0.8 * torch.eye(units) + normal(units, units, scale=0.3),
        "readout": normal(units, scale=1.0),
        "offset": torch.zeros(n_networks, 1),
    }


def train(
    task: Task, units: int, recurrence: str, seed: int = 0, steps: int | None = None, seeds: int | None = None
) -> tuple[dict[str, Tensor], float]:
    """The best network's weights, and how often it is right on held-out trials."""
    steps, seeds = steps or STEPS[task.name], seeds or SEEDS[task.name]
    draws, trials = torch.Generator().manual_seed(seed), np.random.default_rng(seed)
    weights = initial(task, units, seeds, draws)
    mask = torch.eye(units) if recurrence == "diagonal" else torch.ones(units, units)
    for w in weights.values():
        w.requires_grad_()
    optimiser = torch.optim.Adam(list(weights.values()), lr=RATE)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimiser, lambda step: min(1.0, 2 * (1 - step / steps)))
    for _ in range(steps):
        x, labels = _tensors(*task.draw(BATCH, trials))
        y = outputs(x, {**weights, "recurrent": weights["recurrent"] * mask})
        loss = torch.nn.functional.softplus(-y * (2 * labels - 1)).mean(dim=1).sum()
        optimiser.zero_grad()
        torch.autograd.backward(loss)
        torch.nn.utils.clip_grad_norm_(list(weights.values()), float(seeds))
        optimiser.step()
        schedule.step()
    with torch.no_grad():
        weights["recurrent"].mul_(mask)
        x, labels = _tensors(*task.draw(HELD_OUT, trials))
        right = ((outputs(x, weights) >= 0) == (labels > 0)).float().mean(dim=1)
    best = int(right.argmax())
    return {name: w.detach()[best] for name, w in weights.items()}, float(right[best])


def _tensors(x: Array, labels: Array) -> tuple[Tensor, Tensor]:
    return torch.as_tensor(x, dtype=torch.float32), torch.as_tensor(labels, dtype=torch.float32)


def every(seed: int = 0) -> tuple[dict[str, Tensor], dict[str, str]]:
    """The tensors of all 32 networks, and how often each was right."""
    tensors: dict[str, Tensor] = {}
    right: dict[str, str] = {}
    for task, units, recurrence in itertools.product(TASKS.values(), UNITS, RECURRENCES):
        name = f"{task.name} {units} {recurrence}"
        weights, share = train(task, units, recurrence, seed)
        tensors |= {f"{name}.{key}": w for key, w in weights.items()}
        right[name] = f"{share:.4f} of {task.optimum:.4f}"
    return tensors, right


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", nargs="?", type=Path, default=FOLDER)
    folder = parser.parse_args().folder
    torch.set_num_threads(1)
    found, correct = every()
    made = {"module": "artiphys.toys.trained.training.tiny_recurrent", "seed": 0, "batch": BATCH, "rate": RATE}
    write_weights("tiny_recurrent", found, made | correct, folder)
