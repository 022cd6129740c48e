"""Codes that are spread out: an axis that turns with time, and a pair of units far apart."""

from __future__ import annotations

import math

import numpy as np
import torch
from scipy.stats import norm
from torch import Tensor, nn

from artiphys import scores
from artiphys.errors import InputError
from artiphys.stimuli import Stimuli
from artiphys.toys.reading.readouts import CodeNet, counted, each_unit, four_errors, lesion_truths, units_of
from artiphys.toys.toy import Toy, Truth, linear


class RotatingNet(nn.Module):
    """A memory of two units that is turned by its recurrent weights; each step is seen through noise."""

    def __init__(self, turn: float) -> None:
        super().__init__()
        self.memory = linear([[math.cos(turn), -math.sin(turn)], [math.sin(turn), math.cos(turn)]], [0.0, 0.0])
        self.hidden = nn.Identity()
        self.readout = linear([[0.0, 1.0]], [0.0])

    def forward(self, x: Tensor) -> Tensor:
        """Cue and noises ``(trial, time, 3)`` -> decision variable ``(trial,)``; the cue counts at the first step."""
        state = torch.cat([x[:, 0, :1], torch.zeros_like(x[:, 0, :1])], dim=1)
        seen = self.hidden(state + x[:, 0, 1:])
        for t in range(1, x.shape[1]):
            state = self.memory(state)
            seen = self.hidden(state + x[:, t, 1:])
        y: Tensor = self.readout(seen)
        return y[:, 0]


def rotating_code(d_prime: float = 2.0, n_steps: int = 10, n_trials: int = 4000, seed: int = 0) -> Toy:
    """A memory whose coding axis turns by 90 degrees from the first step to the last.

    A cue of +-``d_prime`` / 2 is held by two units with recurrent weights that turn it, and seen in noise of standard
    deviation 1 at each step. The decision reads the second unit at the last step.

    Source: Stokes et al. 2013, Dynamic coding for cognitive control in prefrontal cortex. A reader of step i is right
    at step j with Phi(d' / 2 cos(angle between them)).
    The naive error: decoding is equally good at each step (.8413), so the memory seems stable.
    """
    n_steps, n_trials = counted("n_steps", n_steps, 2), counted("n_trials", n_trials, 100, even=True)
    if not d_prime > 0:
        raise InputError(f"d_prime came as {d_prime}; wanted above 0")
    rng = np.random.default_rng(seed)
    y = rng.permutation(np.arange(n_trials) % 2)
    x = np.zeros((n_trials, n_steps, 3), dtype=np.float32)
    x[:, 0, 0] = d_prime / 2 * (2 * y - 1)
    x[..., 1:] = rng.normal(size=(n_trials, n_steps, 2))
    angle = np.linspace(0, math.pi / 2, n_steps)
    hit = norm.cdf(d_prime / 2 * np.cos(angle[:, None] - angle))
    right = float(hit[0, 0])
    pairs = {f"{i}→{j}": float(hit[i, j]) for i in range(n_steps) for j in range(n_steps)}
    # A reader's axis is off by 2 / (d' sqrt n) sqrt(1 + d'^2 / 4); where it is orthogonal that counts most.
    off = norm.pdf(0) * math.sqrt(1 + d_prime**2 / 4) / math.sqrt(n_trials)
    last = np.column_stack([np.zeros(n_trials), x[:, 0, 0].astype(float) + x[:, -1, 2]])
    truth = (
        Truth("accuracy", {"intact": right}, None, four_errors(n_trials, right), "Phi(d' / 2)"),
        Truth("decoding across time", pairs, None, math.hypot(four_errors(n_trials), 4 * off),
              "Phi(d' / 2 cos of the angle between the two axes)"),
        *lesion_truths(last, y, each_unit(2)),
    )  # fmt: skip
    lesson = "each step decodes at .84, and a reader of the first step is at chance at the last"
    return Toy("rotating_code", RotatingNet(math.pi / 2 / (n_steps - 1)), Stimuli(torch.as_tensor(x), {"label": y}), y,
               scores.accuracy("label", threshold=0.0), ("hidden",), truth, lesson, steps=("hidden",),
               exhaustive=False)  # fmt: skip


def far_pair(n_units: int = 40, n_trials: int = 600, seed: int = 0) -> Toy:
    """A suppressor pair far apart: unit 10 holds signal and noise, unit 30 the same noise; all others nothing.

    Unit 10 is s + n + .1 e, unit 30 is n + .1 e', with s = +-1 and n of standard deviation 2; all others are N(0, 1).
    The decision is the sign of their difference.

    Source: Etzel, Zacks & Braver 2013, Searchlight analysis: promise, pitfalls, and potential; the pair by hand.
    The naive error: no window of neighbours shows more than Phi(1 / sqrt 4.01) = .69, though the code is perfect.
    """
    n_units, n_trials = counted("n_units", n_units, 34), counted("n_trials", n_trials, 100, even=True)
    rng = np.random.default_rng(seed)
    y = rng.permutation(np.arange(n_trials) % 2)
    scale = [2.0] + [0.1 if u in (10, 30) else 1.0 for u in range(n_units)]
    x = np.column_stack([2 * y - 1, rng.normal(size=(n_trials, n_units + 1)) * scale]).astype(np.float32)
    mixing = np.hstack([np.zeros((n_units, 2)), np.eye(n_units)])
    mixing[10, :2], mixing[30, 1] = 1, 1
    weights = np.zeros(n_units)
    weights[10], weights[30] = 1, -1
    alone, both = float(norm.cdf(1 / math.sqrt(4.01))), float(norm.cdf(1 / math.sqrt(0.02)))
    windows = {"unit 0-2": 0.5, "unit 9-11": alone, "unit 29-31": 0.5}
    groups = {"hidden.10": [10], "hidden.30": [30], "others": [u for u in range(n_units) if u not in (10, 30)]}
    truth = (
        Truth("accuracy", {"intact": both}, None, four_errors(n_trials, 0.01), "Phi(1 / sqrt(.02)) = 1"),
        Truth("searchlight of windows of 3", windows, None, four_errors(n_trials), "Phi(1 / sqrt(4.01)) for unit 10"),
        Truth("searchlight of correlated pairs", {"around 10": 1.0, "around 30": 1.0}, None,
              four_errors(n_trials, 0.01), "each is the other's most correlated unit; together they leave .02"),
        *lesion_truths(x.astype(float) @ mixing.T * weights, y, groups),
    )  # fmt: skip
    lesson = "no window of neighbours beats .69; the pair is found, at 1.0, where neighbours are what correlates"
    return Toy("far_pair", CodeNet(linear(mixing.tolist(), [0.0] * n_units), weights),
               Stimuli(torch.as_tensor(x), {"label": y}), y, scores.accuracy("label", threshold=0.0), ("hidden",),
               truth, lesson, exhaustive=False, connections=units_of(groups))  # fmt: skip
