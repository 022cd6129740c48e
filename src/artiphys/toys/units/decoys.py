"""Decoys: units that read as important and are not, or the other way round; bystanders of a choice."""

from __future__ import annotations

import math

import numpy as np
import torch
from scipy.stats import norm
from torch import Tensor, nn

from artiphys import scores
from artiphys.stimuli import Stimuli
from artiphys.toys.toy import Toy, Truth, linear

N_TRIALS = 4000  # standard error of an accuracy: .008 at most


class GateNet(nn.Module):
    """g = 1 always, y = g * s."""

    def __init__(self) -> None:
        super().__init__()
        self.hidden = linear([[0.0], [1.0]], [1.0, 0.0])

    def forward(self, x: Tensor) -> Tensor:
        """Inputs ``(trial, 1)`` -> ``(trial,)``."""
        h = self.hidden(x)
        return torch.as_tensor(h[:, 0] * h[:, 1])


def gate() -> Toy:
    """An untuned unit that everything depends on."""
    s = torch.tensor([[-1.0], [1.0]] * 4)
    labels = (s[:, 0] > 0).int()
    source = "y = g s by hand; sign(0) counts as 1"
    names = ["hidden.0", "hidden.1"]
    truth = (
        Truth("accuracy", {"intact": 1.0}, None, 1e-6, source),
        Truth("single_lesions", dict(zip(names, (0.5, 0.5))), "zero", 1e-6, source),
        Truth("shapley", dict(zip(names, (0.25, 0.25))), "zero", 1e-6, source),
        Truth("single_lesions", dict(zip(names, (0.0, 0.5))), "mean", 1e-6, source),
        Truth("shapley", dict(zip(names, (0.0, 0.5))), "mean", 1e-6, source),
        Truth("selectivity", {"hidden.0": 0.0, "hidden.1": 1.0}, None, 1e-6, "g is constant, s is the stimulus"),
        Truth("minimal circuits", {"hidden.0+hidden.1": 1.0}, "zero", 1e-6, source),
        Truth("critical sets .95", {"hidden.0": 0.0, "hidden.1": 0.0}, "zero", 1e-6, source),
        Truth("SII", {"hidden.0+hidden.1": 0.5}, "zero", 1e-6, source),
        Truth("minimal circuits", {"hidden.1": 1.0}, "mean", 1e-6, source),
        Truth("critical sets .95", {"hidden.1": 0.0}, "mean", 1e-6, source),
        Truth("SII", {"hidden.0+hidden.1": 0.0}, "mean", 1e-6, source),
    )
    stimuli = Stimuli(s, {"label": labels.tolist()})
    score = scores.accuracy("label", threshold=0.0)
    lesson = "the gate is untuned; a zero lesion abolishes behaviour, a mean lesion does nothing"
    return Toy("gate", GateNet(), stimuli, labels.numpy(), score, ("hidden",), truth, lesson)


class BiasNet(nn.Module):
    """y = s + h - 5 with h = 5 always."""

    def __init__(self) -> None:
        super().__init__()
        self.hidden = linear([[1.0], [0.0]], [0.0, 5.0])
        self.readout = linear([[1.0, 1.0]], [-5.0])

    def forward(self, x: Tensor) -> Tensor:
        """Inputs ``(trial, 1)`` -> ``(trial,)``."""
        y: Tensor = self.readout(self.hidden(x))
        return y[:, 0]


def bias_unit() -> Toy:
    """A unit that carries no information and without which all is lost: a bias."""
    s = torch.tensor([[-1.0], [1.0]] * 4)
    labels = (s[:, 0] > 0).int()
    source = "y = H(s + h - 5) by hand; sign(0) counts as 1"
    names = ["hidden.0", "hidden.1"]
    both, each = {"hidden.0+hidden.1": 1.0}, dict.fromkeys(names, 0.0)
    alone = {"hidden.0": 1.0}
    truth = (
        Truth("accuracy", {"intact": 1.0}, None, 1e-6, source),
        Truth("single_lesions", dict(zip(names, (0.5, 0.5))), "zero", 1e-6, source),
        Truth("shapley", dict(zip(names, (0.25, 0.25))), "zero", 1e-6, source),
        Truth("single_lesions", dict(zip(names, (0.5, 0.0))), "mean", 1e-6, source),
        Truth("shapley", dict(zip(names, (0.5, 0.0))), "mean", 1e-6, source),
        Truth("minimal circuits", both, "zero", 1e-6, source),
        Truth("critical sets .95", each, "zero", 1e-6, source),
        Truth("SII", {"hidden.0+hidden.1": 0.5}, "zero", 1e-6, source),
        Truth("minimal circuits", alone, "mean", 1e-6, source),
        Truth("critical sets .95", {"hidden.0": 0.0}, "mean", 1e-6, source),
        Truth("SII", {"hidden.0+hidden.1": 0.0}, "mean", 1e-6, source),
    )
    stimuli = Stimuli(s, {"label": labels.tolist()})
    lesson = "a zero lesion calls the bias vital, a mean lesion shows that it carries nothing"
    return Toy("bias_unit", BiasNet(), stimuli, labels.numpy(), scores.accuracy("label", threshold=0.0), ("hidden",),
               truth, lesson)  # fmt: skip


class MixNet(nn.Module):
    """Hidden units that mix signal and noise, and a linear readout."""

    def __init__(self, mixing: list[list[float]], readout: list[float]) -> None:
        super().__init__()
        self.hidden = linear(mixing, [0.0] * len(mixing))
        self.readout = linear([readout], [0.0])

    def forward(self, x: Tensor) -> Tensor:
        """Inputs ``(trial, source)`` -> ``(trial,)``."""
        y: Tensor = self.readout(self.hidden(x))
        return y[:, 0]


def _signal(noise_sd: list[float], seed: int) -> tuple[Stimuli, np.ndarray[tuple[int], np.dtype[np.int64]]]:
    """s = +-1 exactly balanced in column 0, independent noise in the others."""
    rng = np.random.default_rng(seed)
    s = np.tile([-1.0, 1.0], N_TRIALS // 2)
    noise = rng.normal(size=(N_TRIALS, len(noise_sd))) * noise_sd
    x = torch.as_tensor(np.column_stack([s, noise]), dtype=torch.float32)
    labels = (s > 0).astype(np.int64)
    return Stimuli(x, {"label": labels}), labels


def epiphenomenal(seed: int = 0) -> Toy:
    """The best-decoding unit (e) drives nothing; a poorly tuned one (c) drives everything."""
    stimuli, labels = _signal([1.0, 1.0], seed)
    hit = float(norm.cdf(0.5))
    tolerance = 4 * math.sqrt(hit * (1 - hit) / N_TRIALS)
    truth = (
        Truth("accuracy", {"intact": hit}, None, tolerance, "Phi(1 / 2): c = s + 2 n"),
        Truth(
            "single_lesions",
            {"hidden.0": 0.0, "hidden.1": hit - 0.5},
            "zero",
            tolerance,
            "readout weights 0 and 1",
        ),
        Truth("shapley", {"hidden.0": 0.0, "hidden.1": hit - 0.5}, "zero", tolerance, "readout weights 0 and 1"),
        Truth("shapley", {"hidden.0": 0.0, "hidden.1": hit - 0.5}, "mean", tolerance, "readout weights 0 and 1"),
        Truth("d_prime", {"hidden.0": 20.0, "hidden.1": 1.0}, None, 1.0, "2 / .1 and 2 / 2"),
        Truth("choice probability", {"hidden.0": 0.5}, None, 0.04, "within a stimulus e is noise of its own"),
        Truth(
            "choice AUC, stimuli pooled",
            {"hidden.0": hit},
            None,
            tolerance,
            "h^2 + h (1 - h) = h: e tells the stimulus, which the choice follows on h of trials",
        ),
    )
    net = MixNet([[1.0, 0.1, 0.0], [1.0, 0.0, 2.0]], [0.0, 1.0])
    score = scores.accuracy("label", threshold=0.0)
    lesson = "decoding ranks e first (d' 20 against 1); lesioning e changes nothing"
    return Toy("epiphenomenal", net, stimuli, labels, score, ("hidden",), truth, lesson, exhaustive=False)


def suppressor(seed: int = 0) -> Toy:
    """b knows nothing of the signal but the noise of a: y = sign(a - b)."""
    stimuli, labels = _signal([2.0, 1.0, 1.0], seed)
    alone = float(norm.cdf(1 / math.sqrt(4 + 0.01)))
    tolerance = 4 * math.sqrt(0.25 / N_TRIALS)
    source = "Phi(1 / sqrt(4.01)) for a alone, Phi(1 / sqrt(.02)) = 1 for both, .5 for b alone and for none"
    truth = (
        Truth("accuracy", {"intact": 1.0}, None, tolerance, source),
        Truth("value", {"hidden.0": alone, "hidden.1": 0.5, "none": 0.5}, "zero", tolerance, source),
        Truth("single_lesions", {"hidden.0": 0.5, "hidden.1": 1 - alone}, "zero", tolerance, source),
        Truth("shapley", {"hidden.0": alone / 2, "hidden.1": (1 - alone) / 2}, "zero", tolerance, source),
        Truth(
            "d_prime",
            {"hidden.0": 2 / math.sqrt(4.01), "hidden.1": 0.0},
            None,
            0.15,
            "2 s over sd; b holds no s",
        ),
        Truth(
            "readout weights",
            {"hidden.0": 1.0, "hidden.1": -4 / 4.01},
            None,
            0.0045,
            "a - w b with w the regression of a on b; its error .1414 / (2 sqrt n), four times",
        ),
        Truth(
            "readout patterns",
            {"hidden.0": 1.0, "hidden.1": 0.0},
            None,
            4 * 2 / math.sqrt(N_TRIALS),
            "covariance with the decoded signal: cov(b, a) - 4 / 4.01 var(b) = 0 (Haufe et al. 2014)",
        ),
    )
    net = MixNet([[1.0, 1.0, 0.1, 0.0], [0.0, 1.0, 0.0, 0.1]], [1.0, -1.0])
    score = scores.accuracy("label", threshold=0.0)
    lesson = "b is untuned (d' 0), yet without it accuracy falls from 1.0 to .69"
    return Toy("suppressor", net, stimuli, labels, score, ("hidden",), truth, lesson, exhaustive=False)


class ChoiceNet(nn.Module):
    """A reader r, a bystander b that shares its noise, and feedback f of the choice; only r is read."""

    def __init__(self, shared: float) -> None:
        super().__init__()
        self.drive = linear([[1.0, 0.0, 0.0], [shared, math.sqrt(1 - shared**2), 0.0], [0.0, 0.0, 1.0]], [0.0] * 3)
        self.hidden = _Feedback()
        self.readout = linear([[1.0, 0.0, 0.0]], [0.0])

    def forward(self, x: Tensor) -> Tensor:
        """Three noises ``(trial, 3)`` -> decision variable ``(trial,)``; its sign is the choice."""
        y: Tensor = self.readout(self.hidden(self.drive(x)))
        return y[:, 0]


class _Feedback(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        """Adds the choice to the last unit."""
        choice = torch.where(x[:, :1] >= 0, 1.0, -1.0)
        return torch.cat([x[:, :2], x[:, 2:] + choice], dim=1)


def bystander(shared: float = 0.5, seed: int = 0) -> Toy:
    """Choices at threshold: two units predict them without contributing."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(N_TRIALS, 3))
    labels = (x[:, 0] >= 0).astype(np.int64)
    shares = 0.5 + 2 / math.pi * math.atan(shared / math.sqrt(2 - shared**2))
    share = float(labels.mean())  # choices of sign(0) = 1 when the reader is silent
    source = "readout weights 1, 0, 0; a silent reader always chooses 1"
    cost = {"hidden.0": 1 - share, "hidden.1": 0.0, "hidden.2": 0.0}
    truth = (
        Truth("accuracy", {"intact": 1.0}, None, 1e-6, "the labels are the intact network's choices"),
        Truth(
            "auc",
            {"hidden.0": 1.0, "hidden.1": shares, "hidden.2": float(norm.cdf(math.sqrt(2)))},
            None,
            0.035,
            ".5 + (2 / pi) atan(r / sqrt(2 - r^2)) for noise shared r; d' of feedback is 2, so Phi(sqrt 2)",
        ),
        Truth("single_lesions", cost, "zero", 1e-6, source),
        Truth("shapley", cost, "zero", 1e-6, source),
    )
    stimuli = Stimuli(
        torch.as_tensor(x, dtype=torch.float32), {"choice": labels, "stimulus": np.zeros(N_TRIALS, dtype=int)}
    )
    score = scores.accuracy("choice", threshold=0.0)
    lesson = "choice probabilities of .73 and .92 in units whose lesion changes nothing"
    return Toy("bystander", ChoiceNet(shared), stimuli, labels, score, ("hidden",), truth, lesson, exhaustive=False)
