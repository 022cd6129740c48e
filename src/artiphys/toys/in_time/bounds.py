"""Evidence accumulated to a bound: how often the choice is right, and how long it takes."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import torch
from scipy.stats import norm
from torch import Tensor, nn

from artiphys import scores
from artiphys.errors import InputError
from artiphys.stimuli import Stimuli
from artiphys.toys.toy import Toy, Truth, linear

N_TRIALS = 16_000  # four standard errors are less than what the leap over the bound adds, in accuracy and in time
N_NODES = 200
UNDECIDED = 2e-4  # share of trials without a decision at the last step


class BoundedCell(nn.Module):
    """One step of an integrator that takes no more evidence once it has reached a bound."""

    def __init__(self, bound: float) -> None:
        super().__init__()
        self.bound = bound
        self.drive = linear([[1.0]], [0.0])

    def forward(self, x: Tensor, state: Tensor) -> Tensor:
        """Input and state ``(trial, 1)`` -> new state."""
        return torch.where(state.abs() < self.bound, state + self.drive(x), state)


class BoundedNet(nn.Module):
    """A loop over a cell and a clock: the sign of the last state is the choice."""

    def __init__(self, bound: float) -> None:
        super().__init__()
        self.cell = BoundedCell(bound)

    def forward(self, x: Tensor) -> Tensor:
        """Evidence ``(trial, time, 1)`` -> last state, and steps to the decision ``(trial, 2)``."""
        state, clock = x.new_zeros(len(x), 1), x.new_zeros(len(x), 1)
        for t in range(x.shape[1]):
            clock = clock + (state.abs() < self.cell.bound)
            state = self.cell(x[:, t], state)
        return torch.cat([state, clock], dim=1)


def bounded_integrator(bound: float = 10.0, mu: float = 0.1, seed: int = 0) -> Toy:
    """Steps s_t ~ N(+-mu, 1) are added up until the sum reaches +-``bound``.

    In continuous time accuracy is 1 / (1 + exp(-2 mu A)) and the mean time (A / mu) tanh(mu A) (Bogacz et al. 2006,
    The physics of optimal decision making). A sum of discrete steps leaps over its bound, by .583 on average
    (Siegmund 1985, Sequential Analysis): both formulas hold with A + .583 in place of A. The truth is the solution of
    the integral equation of the sum itself. Naive: A as it is, which makes the mean time 9 % too short.
    """
    if not 5 <= bound <= 20:
        raise InputError(f"bound came as {bound}; wanted 5 to 20 standard deviations of a step")
    if not 0.02 <= mu <= 0.3:
        raise InputError(f"mu came as {mu}; wanted a drift of .02 to .3 a step")
    hit, steps, spread = decisions(bound, mu)
    reach = bound + 0.583  # where the continuous process stands for the sum
    rate = mu**2 / 2 + math.pi**2 / (8 * reach**2)
    n_steps = math.ceil(math.log(4 / math.pi * math.cosh(mu * reach) / UNDECIDED) / rate)
    labels = np.tile([0, 1], N_TRIALS // 2)
    x = np.random.default_rng(seed).standard_normal((N_TRIALS, n_steps), dtype=np.float32)
    x += np.float32(mu) * (2 * labels - 1).astype(np.float32)[:, None]
    right = scores.accuracy("label", threshold=0.0)

    def correct(outputs: Any, trials: Stimuli) -> Any:
        return right.fn(outputs[:, 0], trials)

    score = scores.Score(correct, "accuracy", "proportion correct", rowwise=True)
    source = "integral equation of the sum, as 1 / (1 + exp(-2 mu A)) and (A / mu) tanh(mu A) with A + .583"
    cost = {"cell.0": hit - 0.5}
    tolerance = 4 * math.sqrt(hit * (1 - hit) / N_TRIALS) + UNDECIDED
    why = "without its state it never decides, and answers 1 in the end"
    truth = (
        Truth("accuracy", {"intact": hit}, None, tolerance, source),
        Truth("decision time", {"intact": steps}, None, 4 * spread / math.sqrt(N_TRIALS) + UNDECIDED / rate, source),
        Truth("decision time without a unit", {"cell.0": float(n_steps)}, "zero", 1e-6, why),
        Truth("single_lesions", cost, "zero", tolerance, why),
        Truth("shapley", cost, "zero", tolerance, why),
    )
    lesson = "the leap over the bound is no rounding: without it mean decision times come out 9 % too short"
    stimuli = Stimuli(torch.from_numpy(x)[..., None], {"label": labels})
    return Toy("bounded_integrator", BoundedNet(bound), stimuli, labels, score, ("cell",), truth, lesson,
               steps=("cell",), exhaustive=False)  # fmt: skip


def decisions(bound: float, mu: float) -> tuple[float, float, float]:
    """Probability of the right choice, mean and standard deviation of its time [steps], of a sum of N(mu, 1) from 0.

    What is inside the bounds after a step is a density on Gauss-Legendre nodes, so that probability and times solve
    linear equations (Nystrom's method).
    """
    nodes, weights = np.polynomial.legendre.leggauss(N_NODES)
    nodes, weights = nodes * bound, weights * bound
    onward = norm.pdf(nodes[None] - nodes[:, None] - mu) * weights  # from node to node
    first = norm.pdf(nodes - mu) * weights
    left = np.eye(N_NODES) - onward
    up = np.linalg.solve(left, norm.sf(bound - nodes - mu))
    time = np.linalg.solve(left, np.ones(N_NODES))
    square = np.linalg.solve(left, 2 * onward @ time + 1)
    mean = 1 + float(first @ time)
    variance = 1 + 2 * float(first @ time) + float(first @ square) - mean**2
    return float(norm.sf(bound - mu) + first @ up), mean, math.sqrt(variance)
