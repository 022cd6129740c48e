"""Codes that means do not show: a variance code."""

from __future__ import annotations

import math

import numpy as np
import torch
from scipy.stats import norm
from torch import Tensor, nn

from artiphys import scores
from artiphys.stimuli import Stimuli
from artiphys.toys.toy import Toy, Truth, linear

N_TRIALS = 4000
HALF = 4 * math.sqrt(0.25 / N_TRIALS)  # four standard errors of a proportion near one half


class VarianceNet(nn.Module):
    """Units h = n (1.5 + .5 s) and |h|; the readout compares |h| with a threshold."""

    def __init__(self, threshold: float) -> None:
        super().__init__()
        self.hidden = _Spread()
        self.readout = linear([[0.0, 1.0]], [-threshold])

    def forward(self, x: Tensor) -> Tensor:
        """Signal and noise ``(trial, 2)`` -> ``(trial,)``."""
        y: Tensor = self.readout(self.hidden(x))
        return y[:, 0]


class _Spread(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        """Signal and noise -> unit and its absolute value."""
        h = x[:, 1:] * (1.5 + 0.5 * x[:, :1])
        return torch.cat([h, h.abs()], dim=1)


def variance_code(seed: int = 0) -> Toy:
    """A unit whose mean says nothing: its standard deviation is 2 with the signal and 1 without."""
    rng = np.random.default_rng(seed)
    s = np.tile([-1.0, 1.0], N_TRIALS // 2)
    labels = (s > 0).astype(np.int64)
    x = torch.as_tensor(np.column_stack([s, rng.normal(size=N_TRIALS)]), dtype=torch.float32)
    threshold = math.sqrt(2 * math.log(2) / (1 - 1 / 4))  # where both densities are equal
    hit = (1 + 2 * norm.cdf(threshold) - 2 * norm.cdf(threshold / 2)) / 2
    source = "P(|n| < c) and P(|2 n| > c) at equal densities; without |h| the answer is always no"
    cost = float(hit) - 0.5
    truth = (
        Truth("accuracy", {"intact": float(hit)}, None, HALF, source),
        Truth("d_prime", {"hidden.0": 0.0}, None, 0.15, "equal means"),
        Truth(
            "auc",
            {"hidden.0": 0.5, "hidden.1": 2 / math.pi * math.atan(2)},
            None,
            0.04,
            "symmetric about 0; P(|2 n| > |n'|) = (2 / pi) atan 2",
        ),
        Truth("single_lesions", {"hidden.0": 0.0, "hidden.1": cost}, "zero", HALF, source),
        Truth("shapley", {"hidden.0": 0.0, "hidden.1": cost}, "zero", HALF, source),
    )
    score = scores.accuracy("label", threshold=0.0)
    lesson = "means and linear readers find nothing in h (d' 0, AUC .5); its size holds the signal (AUC .70)"
    stimuli = Stimuli(x, {"label": labels})
    return Toy(
        "variance_code", VarianceNet(threshold), stimuli, labels, score, ("hidden",), truth, lesson, exhaustive=False
    )
