"""Train the superposition toys: ``python -m artiphys.toys.trained.training.superposition [folder] [--sweep]``.

x_hat = relu(W' W x + b) of sparse features, by Adam on the squared error; the best of several seeds is kept. The sweep
takes about ten minutes on one core, the small ones half a minute.
"""

from __future__ import annotations

import argparse
import itertools
from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor

from artiphys.toys.trained.stored_weights import FOLDER, write_weights

SMALL = ((5, 2, 0.05), (2, 1, 0.2), (3, 2, 0.05), (4, 3, 0.05))  # features, units, probability
SEEDS, STEPS, BATCH, RATE = 12, 5000, 1024, 0.003
SWEEP_FEATURES = 80
SWEEP_UNITS = (2, 3, 5, 10, 15, 25, 40)
SWEEP_PROBABILITIES = (1.0, 0.5, 0.2, 0.1, 0.05, 0.02, 0.01)
SWEEP_SEEDS, SWEEP_STEPS, SWEEP_BATCH, SWEEP_RATE = 3, 2000, 512, 0.01


def sparse(shape: Sequence[int], probability: Tensor | float, generator: torch.Generator) -> Tensor:
    """Features that are there with a probability, and then uniform in 0 to 1."""
    present = torch.rand(*shape, generator=generator) < probability
    return torch.rand(*shape, generator=generator) * present


def train(
    n: int, m: int, probabilities: Sequence[float], steps: int = STEPS, batch: int = BATCH, rate: float = RATE,
    seed: int = 0,
) -> tuple[Tensor, Tensor, Tensor]:  # fmt: skip
    """Many networks side by side, one per probability given.

    Returns
    -------
    directions ``(network, feature, unit)``, bias ``(network, feature)``, squared error per trial ``(network,)`` on
    trials of their own
    """
    draws = torch.Generator().manual_seed(seed)
    p = torch.tensor(probabilities)[:, None, None]
    directions = (torch.randn(len(p), n, m, generator=draws) / n**0.5).requires_grad_()
    bias = torch.zeros(len(p), 1, n, requires_grad=True)
    optimiser = torch.optim.Adam([directions, bias], lr=rate)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimiser, lambda step: min(1.0, 2 * (1 - step / steps)))
    for _ in range(steps):
        x = sparse((len(p), batch, n), p, draws)
        # Each network has a loss of its own: scaled by its probability, so that Adam's epsilon stays small beside it.
        loss = ((restored(x, directions, bias) - x) ** 2).sum(dim=2).mean(dim=1) / p[:, 0, 0]
        optimiser.zero_grad()
        torch.autograd.backward(loss.sum())
        optimiser.step()
        schedule.step()
    with torch.no_grad():
        held = [sparse((len(p), 2048, n), p, draws) for _ in range(5)]
        error = torch.stack([((restored(x, directions, bias) - x) ** 2).sum(2).mean(1) for x in held]).mean(0)
    return directions.detach(), bias.detach()[:, 0], error


def restored(x: Tensor, directions: Tensor, bias: Tensor) -> Tensor:
    """What the networks make of features ``(network, trial, feature)``."""
    return torch.relu(x @ directions @ directions.transpose(1, 2) + bias)


def best_of(n: int, m: int, p: float, seeds: int = SEEDS, steps: int = STEPS, seed: int = 0) -> tuple[Tensor, Tensor]:
    """Directions and bias of the network with the smallest error among ``seeds``."""
    directions, bias, error = train(n, m, [p] * seeds, steps=steps, seed=seed)
    best = int(error.argmin())
    return directions[best], bias[best]


def small(seed: int = 0) -> dict[str, Tensor]:
    """The tensors of all small networks."""
    tensors: dict[str, Tensor] = {}
    for n, m, p in SMALL:
        directions, bias = best_of(n, m, p, seed=seed)
        tensors |= {f"n={n} m={m} p={p:g}.directions": directions, f"n={n} m={m} p={p:g}.bias": bias}
    return tensors


def sweep(seed: int = 0) -> dict[str, Tensor]:
    """The tensors of the sweep: for each number of units, the best network at each probability."""
    each = list(itertools.product(SWEEP_PROBABILITIES, range(SWEEP_SEEDS)))
    tensors = {"probability": torch.tensor(SWEEP_PROBABILITIES, dtype=torch.float64)}
    for m in SWEEP_UNITS:
        directions, bias, error = train(
            SWEEP_FEATURES, m, [p for p, _ in each], SWEEP_STEPS, SWEEP_BATCH, SWEEP_RATE, seed
        )
        table = error.reshape(len(SWEEP_PROBABILITIES), SWEEP_SEEDS)
        rows = torch.arange(len(table)) * SWEEP_SEEDS + table.argmin(dim=1)
        tensors |= {f"m={m}.directions": directions[rows], f"m={m}.bias": bias[rows], f"m={m}.errors": table}
    return tensors


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", nargs="?", type=Path, default=FOLDER)
    parser.add_argument("--sweep", action="store_true")
    chosen = parser.parse_args()
    torch.set_num_threads(1)
    made = {"module": "artiphys.toys.trained.training.superposition", "seed": 0}
    if chosen.sweep:
        made |= {"steps": SWEEP_STEPS, "seeds": SWEEP_SEEDS, "batch": SWEEP_BATCH, "rate": SWEEP_RATE}
        write_weights("superposition_sweep", sweep(), made, chosen.folder)
    else:
        made |= {"steps": STEPS, "seeds": SEEDS, "batch": BATCH, "rate": RATE}
        write_weights("superposition", small(), made, chosen.folder)
