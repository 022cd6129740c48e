"""Dynamics: evidence accumulated over time by one self-connected unit."""

from __future__ import annotations

import math

import numpy as np
import torch
from scipy.stats import norm
from torch import Tensor, nn

from artiphys import scores
from artiphys.errors import InputError
from artiphys.stimuli import Stimuli
from artiphys.toys.toy import Toy, Truth, linear

N_TRIALS = 20_000  # standard error of an accuracy: .0035


class Cell(nn.Module):
    """One step of a leaky integrator: state <- leak * state + input."""

    def __init__(self, leak: float) -> None:
        super().__init__()
        self.drive, self.recurrent = linear([[1.0]], [0.0]), linear([[leak]], [0.0])

    def forward(self, x: Tensor, state: Tensor) -> Tensor:
        """Input and state ``(trial, 1)`` -> new state."""
        new: Tensor = self.recurrent(state) + self.drive(x)
        return new


class Integrator(nn.Module):
    """A hand-written loop over a cell; the decision is the sign of the last state."""

    def __init__(self, leak: float) -> None:
        super().__init__()
        self.cell = Cell(leak)

    def forward(self, x: Tensor) -> Tensor:
        """Evidence ``(trial, time, 1)`` -> decision variable ``(trial,)``."""
        state = x.new_zeros(len(x), 1)
        for t in range(x.shape[1]):
            state = self.cell(x[:, t], state)
        return state[:, 0]


def integrator(leak: float = 1.0, mu: float = 0.1, n_steps: int = 25, seed: int = 0) -> Toy:
    """Sum of evidence s_t ~ N(+-mu, 1) over ``n_steps`` steps, with memory ``leak`` a step.

    The decision variable is sum_k leak^k s, so accuracy is
    Phi(mu * sum_k leak^k / sqrt(sum_k leak^(2k))).
    """
    if not 0 <= leak <= 1:
        raise InputError(f"leak came as {leak}; wanted 0 (no memory) to 1 (perfect memory)")
    rng = np.random.default_rng(seed)
    labels = np.tile([0, 1], N_TRIALS // 2)
    evidence = rng.normal(size=(N_TRIALS, n_steps)) + mu * (2 * labels - 1)[:, None]
    x = torch.as_tensor(evidence, dtype=torch.float32)[..., None]

    def hit(kept: list[int]) -> float:
        weights = np.array([leak ** (n_steps - 1 - t) for t in kept])
        return float(norm.cdf(mu * weights.sum() / math.sqrt((weights**2).sum())))

    source = "Phi(mu sum leak^k / sqrt(sum leak^2k)) over the steps whose evidence reaches the end"
    tolerance = 4 * math.sqrt(0.25 / N_TRIALS)
    steps = list(range(n_steps))
    truth = [
        Truth("accuracy", {"intact": hit(steps)}, None, tolerance, source),
        Truth(
            "shapley",
            {"cell.0": hit(steps) - 0.5},
            "zero",
            tolerance,
            "without its state it always answers 1",
        ),
        Truth(
            "single_lesions",
            {"cell.0": hit(steps) - 0.5},
            "zero",
            tolerance,
            "without its state it always answers 1",
        ),
    ]
    if n_steps > 15:
        window = {
            "cell": hit(steps[15:]),  # the state is wiped, with all that came before
            "cell.drive": hit(steps[:10] + steps[15:]),  # only the input of five steps is lost
        }
        truth.append(Truth("accuracy after lesion at steps 10-14", window, "zero", tolerance, source))
    cut = {"always": hit(steps[-1:])}
    if n_steps > 15:
        cut["steps 10-14"] = hit(steps[14:])  # each of them sees its own evidence alone
    truth.append(Truth("accuracy without the self-connection", cut, "zero", tolerance, source))
    lesson = "a lesion of the state forgets the past, a lesion of the input only skips it"
    score = scores.accuracy("label", threshold=0.0)
    return Toy(
        "integrator", Integrator(leak), Stimuli(x, {"label": labels}), labels, score, ("cell",), tuple(truth), lesson,
        steps=("cell",), exhaustive=False,
    )  # fmt: skip
