"""Train the deep linear network: ``python -m artiphys.toys.trained.training.deep_linear [folder]``; some seconds.

Full-batch gradient descent on half the squared error over the four items, from weights in which every mode has the
strength .001 and is balanced between the layers, as the closed form wants.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from artiphys.toys.trained.deep_linear import EPOCHS, EVERY, RATE, START, items_to_properties, modes, rotation
from artiphys.toys.trained.stored_weights import FOLDER, write_weights


def checkpoints(seed: int = 0, rate: float = RATE, epochs: int = EPOCHS, every: int = EVERY) -> dict[str, Tensor]:
    """Both layers' weights after every so many epochs."""
    u, _, v = modes()
    turned = rotation(seed)
    target = torch.as_tensor(items_to_properties())
    first = torch.as_tensor(np.sqrt(START) * turned @ v.T)
    second = torch.as_tensor(np.sqrt(START) * u @ turned.T)
    kept: dict[str, Tensor] = {}
    for epoch in range(epochs + 1):
        if epoch % every == 0:
            kept |= {f"epoch {epoch}.first": first.float(), f"epoch {epoch}.second": second.float()}
        error = target - second @ first
        first, second = first + rate * second.T @ error, second + rate * error @ first.T
    return kept


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", nargs="?", type=Path, default=FOLDER)
    folder = parser.parse_args().folder
    torch.set_num_threads(1)
    made = {"module": "artiphys.toys.trained.training.deep_linear", "seed": 0, "rate": RATE, "epochs": EPOCHS}
    write_weights("deep_linear", checkpoints(), made, folder)
