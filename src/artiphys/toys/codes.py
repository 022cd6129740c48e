"""Codes that means do not show: a variance code, and what erasing a mean leaves of one; a channel with errors."""

from __future__ import annotations

import math

import numpy as np
import torch
from scipy.stats import chi2, norm
from torch import Tensor, nn

from artiphys import scores
from artiphys.errors import InputError
from artiphys.stimuli import Stimuli
from artiphys.toys.readouts import counted, four_errors, lesion_truths
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
        Truth("decoding of a unit", {"hidden.0": 0.5}, None, HALF, "a plane cannot tell one spread from another"),
        Truth("quadratic decoding of a unit", {"hidden.0": float(hit)}, None, HALF, "the best observer compares |h|"),
        Truth("single_lesions", {"hidden.0": 0.0, "hidden.1": cost}, "zero", HALF, source),
        Truth("shapley", {"hidden.0": 0.0, "hidden.1": cost}, "zero", HALF, source),
    )
    score = scores.accuracy("label", threshold=0.0)
    lesson = "means and linear readers find nothing in h (d' 0, AUC .5); its size holds the signal (AUC .70)"
    stimuli = Stimuli(x, {"label": labels})
    return Toy(
        "variance_code", VarianceNet(threshold), stimuli, labels, score, ("hidden",), truth, lesson, exhaustive=False
    )


class ErasingNet(nn.Module):
    """Units whose mean and spread tell two classes, an eraser of the mean, and a readout of squared distance."""

    def __init__(self, dims: int, threshold: float) -> None:
        super().__init__()
        self.hidden = _MeanAndSpread()
        # Least-squares erasure of a mean along axis 0, where all axes are alike within classes: that axis goes.
        self.erased = linear(np.eye(dims, dims + 1, 1).tolist(), [0.0] * dims)
        self.readout = linear([[1.0] * dims], [-threshold])

    def forward(self, x: Tensor) -> Tensor:
        """Class (-1 or 1) and noises ``(trial, 2 + dims)`` -> ``(trial,)``."""
        y: Tensor = self.readout(self.erased(self.hidden(x)) ** 2)
        return y[:, 0]


class _MeanAndSpread(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        """Noise of standard deviation 3 or 1, with a mean on the first axis."""
        h = x[:, 1:] * (2 + x[:, :1])
        return torch.cat([h[:, :1] + 2 * x[:, :1], h[:, 1:]], dim=1)


def erasure_residue(dims: int = 2, seed: int = 0) -> Toy:
    """A concept that was erased for every linear reader, and is read by its spread.

    Classes have standard deviation 3 and 1 on ``dims`` + 1 axes and means of +-2 on the first, which an eraser takes
    out. The network decides by the squared distance that is left.

    Source: Belrose et al. 2023, LEACE: perfect linear concept erasure in closed form. Densities are equal at r^2 = c =
    dims ln 9 / (1 - 1/9), so the best observer is right with (P(chi2 < c) + P(chi2 > c / 9)) / 2, .8377 in two
    dimensions and .9485 in five.
    The naive error: a linear probe at chance after erasure is taken to show that the network no longer knows.
    """
    dims = counted("dims", dims, 1)
    if dims > 6:
        raise InputError(f"dims came as {dims}; wanted up to 6, beyond which the classes hardly overlap")
    rng = np.random.default_rng(seed)
    s = np.tile([-1.0, 1.0], N_TRIALS // 2)
    x = np.column_stack([s, rng.normal(size=(N_TRIALS, dims + 1))]).astype(np.float32)
    labels = (s > 0).astype(np.int64)
    threshold = dims * math.log(9) / (1 - 1 / 9)
    hit = float(chi2.cdf(threshold, dims) + chi2.sf(threshold / 9, dims)) / 2
    squares = (x[:, 2:].astype(float) * (2 + s[:, None])) ** 2
    names = {f"hidden.{u}": [u] for u in range(dims + 1)}
    played = lesion_truths(np.column_stack([0 * s, squares]), labels, names, -threshold)
    plane = "the means are alike, and a plane through them has half of either class on each side"
    truth = (
        Truth("accuracy", {"intact": hit}, None, four_errors(N_TRIALS, hit), "chi squared of dims, at equal densities"),
        Truth("decoding of a site", {"erased": 0.5}, None, HALF, plane),
        Truth("quadratic decoding of a site", {"erased": hit}, None, four_errors(N_TRIALS, hit), "the same observer"),
        Truth("d_prime", {"hidden.0": 4 / math.sqrt(5), "hidden.1": 0.0}, None, 4 * math.sqrt(6.62 / N_TRIALS),
              "means 4 apart, variances 9 and 1"),
        *played,
    )  # fmt: skip
    lesson = "after erasure a linear probe is at chance, and the network, as any quadratic reader, is right on .84"
    return Toy("erasure_residue", ErasingNet(dims, threshold), Stimuli(torch.as_tensor(x), {"label": labels}), labels,
               scores.accuracy("label", threshold=0.0), ("hidden",), truth, lesson, exhaustive=False)  # fmt: skip
