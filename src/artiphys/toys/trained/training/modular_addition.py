"""Train a network to add modulo 59: ``python -m artiphys.toys.trained.training.modular_addition [folder]``.

A minute on one core. A shared embedding of 10 dimensions, quadratic hidden units and a readout, by AdamW on 80 % of
the pairs. The embedding is too narrow for more than five frequencies, and weight decay leaves no other way to be right.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import torch
from torch import Tensor

from artiphys.toys.trained.stored_weights import FOLDER, write_weights

P, DIMENSIONS, UNITS, SHARE = 59, 10, 128, 0.8
STEPS, BATCH, RATE, DECAY = 16_000, 1024, 0.01, 1.0


def logits(numbers: Tensor, weights: dict[str, Tensor]) -> Tensor:
    """Logits ``(trial, p)`` of pairs ``(trial, 2)``."""
    embedded = weights["embedding"][numbers].sum(dim=1)
    return (embedded @ weights["mix"]) ** 2 @ weights["readout"]


def train(seed: int = 0, p: int = P, units: int = UNITS, steps: int = STEPS) -> dict[str, Tensor]:
    """Weights, and which pairs ``(p * p,)`` were held out."""
    draws = torch.Generator().manual_seed(seed)
    pairs = torch.cartesian_prod(torch.arange(p), torch.arange(p))
    total = pairs.sum(dim=1) % p
    order = torch.randperm(p * p, generator=draws)
    shown = order[: int(SHARE * p * p)]
    weights = {
        "embedding": 0.5 * torch.randn(p, DIMENSIONS, generator=draws),
        "mix": torch.randn(DIMENSIONS, units, generator=draws) / DIMENSIONS**0.5,
        "readout": torch.randn(units, p, generator=draws) / units**0.5,
    }
    for w in weights.values():
        w.requires_grad_()
    optimiser = torch.optim.AdamW(list(weights.values()), lr=RATE, weight_decay=DECAY, betas=(0.9, 0.98))
    schedule = torch.optim.lr_scheduler.LambdaLR(optimiser, lambda step: min(1.0, 2 * (1 - step / steps)))
    for _ in range(steps):
        rows = shown[torch.randint(len(shown), (BATCH,), generator=draws)]
        loss = torch.nn.functional.cross_entropy(logits(pairs[rows], weights), total[rows])
        optimiser.zero_grad()
        torch.autograd.backward(loss)
        optimiser.step()
        schedule.step()
    held_out = torch.ones(p * p, dtype=torch.uint8)
    held_out[shown] = 0
    return {name: w.detach() for name, w in weights.items()} | {"held_out": held_out}


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", nargs="?", type=Path, default=FOLDER)
    folder = parser.parse_args().folder
    torch.set_num_threads(1)
    made = {"module": "artiphys.toys.trained.training.modular_addition", "seed": 0, "steps": STEPS, "batch": BATCH,
            "rate": RATE, "weight decay": DECAY, "share": SHARE}  # fmt: skip
    write_weights("modular_addition", train(), made, folder)
