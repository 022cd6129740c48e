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
from artiphys.toys.reading.readouts import counted, four_errors, lesion_truths
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
    s = rng.permutation(np.tile([-1.0, 1.0], N_TRIALS // 2))
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
    s = rng.permutation(np.tile([-1.0, 1.0], N_TRIALS // 2))
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


class ChannelNet(nn.Module):
    """Two channels of one symbol; the decision is whether what comes through the first is of the later half."""

    def __init__(self, n_symbols: int) -> None:
        super().__init__()
        self.clear, self.noise = _Shifted(n_symbols, 0), _Shifted(n_symbols, 1)
        weights = [0.0] * (n_symbols // 2) + [1.0] * (n_symbols // 2) + [0.0] * n_symbols
        self.readout = linear([weights], [-0.5])

    def forward(self, x: Tensor) -> Tensor:
        """Symbol and the shift in each channel ``(trial, 3)``, whole numbers -> ``(trial,)``."""
        y: Tensor = self.readout(torch.cat([self.clear(x), self.noise(x)], dim=1))
        return y[:, 0]


class _Shifted(nn.Module):
    """One unit for each symbol that can be received: the one sent, shifted round by what a channel adds."""

    def __init__(self, n_symbols: int, channel: int) -> None:
        super().__init__()
        self.n_symbols, self.channel = n_symbols, channel

    def forward(self, x: Tensor) -> Tensor:
        """Symbol and shifts -> one-hot ``(trial, symbol)``."""
        received = (x[:, :1] + x[:, 1 + self.channel, None]) % self.n_symbols
        same = (received == torch.arange(self.n_symbols, device=x.device)).to(x.dtype)
        return torch.where(torch.isnan(received), received, same)


def noisy_channel(right: float = 0.9, n_symbols: int = 8, n_trials: int = 2000, seed: int = 0) -> Toy:
    """A channel that passes a symbol with probability ``right``, else another one, and one that passes nothing.

    Source: Shannon 1948, A mathematical theory of communication: log2 n + r log2 r + (1 - r) log2((1 - r) / (n - 1))
    bits, 2.25 for eight symbols at .9; Panzeri & Treves 1996 for the bias (n - 1)^2 / (2 N ln 2) of N trials.
    The naive error: the plug-in estimate finds information where there is none, .54 bits in 80 trials.
    """
    n_symbols = counted("n_symbols", n_symbols, 2, even=True)
    n_trials = counted("n_trials", n_trials, 10 * n_symbols)
    if not 1 / n_symbols < right < 1:
        raise InputError(f"right came as {right}; wanted between one by the number of symbols, and 1")
    rng = np.random.default_rng(seed)
    symbol = rng.permutation(np.arange(n_trials) % n_symbols)
    wrong = rng.random(n_trials) >= right
    shift = np.where(wrong, rng.integers(1, n_symbols, n_trials), 0)
    x = np.column_stack([symbol, shift, rng.integers(0, n_symbols, n_trials)]).astype(np.float32)
    late = (symbol >= n_symbols // 2).astype(np.int64)
    received = np.eye(n_symbols)[(symbol + shift) % n_symbols]
    weights = np.repeat([0.0, 1.0], n_symbols // 2)
    bits = [math.log2(n_symbols * right), math.log2(n_symbols * (1 - right) / (n_symbols - 1))]
    information = right * bits[0] + (1 - right) * bits[1]
    spread = (bits[0] - bits[1]) * math.sqrt(right * (1 - right))
    hit = right + (1 - right) * (n_symbols // 2 - 1) / (n_symbols - 1)
    names = {f"clear.{u}": [u] for u in range(n_symbols)}
    truth = (
        Truth("accuracy", {"intact": hit}, None, four_errors(n_trials, hit), "right, or wrong within a half"),
        Truth("transmitted information", {"clear": information}, None, 4 * spread / math.sqrt(n_trials),
              "Shannon's, of a symmetrical channel [bits]"),
        Truth("transmitted information of noise", {"noise": 0.0}, None,
              4 * math.sqrt(2) * (n_symbols - 1) / (2 * n_trials * math.log(2)),
              "chi squared of (n - 1)^2 by 2 N ln 2, less its mean"),
        *lesion_truths(received * weights, late, names, -0.5),
    )  # fmt: skip
    lesson = "the plug-in estimate finds bits in pure noise; shuffled tables take too much off where there are some"
    return Toy("noisy_channel", ChannelNet(n_symbols), Stimuli(torch.as_tensor(x), {"symbol": symbol, "late": late}),
               late, scores.accuracy("late", threshold=0.0), ("clear",), truth, lesson, exhaustive=False)  # fmt: skip
