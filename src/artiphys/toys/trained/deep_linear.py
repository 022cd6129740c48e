"""A deep linear network on the way through its stages: what is general is learned before what is special.

Reference: Saxe, McClelland & Ganguli 2019, A mathematical theory of semantic development in deep neural networks.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from artiphys.array_types import Array
from artiphys.errors import InputError
from artiphys.scores.score import Score
from artiphys.stimuli import Stimuli
from artiphys.toys.enumerated_truths import enumerated_truths
from artiphys.toys.toy import Toy, Truth
from artiphys.toys.trained.stored_weights import read_weights

ITEMS = ("canary", "salmon", "oak", "rose")
PROPERTIES = ("grows", "moves", "has roots", "flies", "swims", "has leaves", "has petals")
MODES = ("living", "animal or plant", "which animal", "which plant")
START = 0.001  # strength of every mode before training
RATE = 1e-4  # so small that gradient descent follows the differential equation; time = epochs * rate
EVERY = 2500  # epochs between checkpoints
EPOCHS = 60_000
CONTRASTS = (0.5, 1.0, 1.5)  # of each stimulus; their mean is 1


def items_to_properties() -> Array:
    """What the items have ``(property, item)``: all grow, animals move, plants have roots, each has its own."""
    table = np.zeros((7, 4))
    table[0] = 1
    table[1, :2] = table[2, 2:] = 1
    table[3:] = np.eye(4)
    return table


def modes() -> tuple[Array, Array, Array]:
    """Output modes ``(property, mode)``, singular values, and input modes ``(item, mode)`` of the table.

    >>> modes()[1].round(4).tolist()  # the square roots of 7, 3, 1 and 1
    [2.6458, 1.7321, 1.0, 1.0]
    """
    half = math.sqrt(0.5)
    inputs = np.array([[0.5, 0.5, half, 0], [0.5, 0.5, -half, 0], [0.5, -0.5, 0, half], [0.5, -0.5, 0, -half]])
    strength = np.sqrt([7.0, 3.0, 1.0, 1.0])
    return items_to_properties() @ inputs / strength, strength, inputs


def strength_at(time: float | Array, singular: float | Array, start: float = START) -> Array:
    """Strength of a mode after some time: s e^(2st) / (e^(2st) - 1 + s / a0)."""
    s = np.asarray(singular, dtype=float)
    fade = np.exp(-2 * s * np.asarray(time))
    return np.asarray(s / (1 + fade * (s / start - 1)))


def half_time(singular: float, start: float = START) -> float:
    """When a mode has half of its strength: ln(s / a0 - 1) / (2 s).

    >>> round(half_time(3.0), 3)
    1.334
    """
    return math.log(singular / start - 1) / (2 * singular)


def lag_at(epoch: int, rate: float = RATE, start: float = START) -> float:
    """How far gradient descent in steps of ``rate`` is from the differential equation then, at most over the modes.

    Each layer holds the root of a mode's strength, and takes steps c <- c + rate c (s - c^2).

    >>> round(lag_at(15_000), 5)
    0.0005
    """
    lags = []
    for s in modes()[1].tolist():
        c = math.sqrt(start)
        for _ in range(epoch):
            c += rate * c * (s - c * c)
        lags.append(abs(c * c - float(strength_at(epoch * rate, s, start))))
    return max(lags)


def rotation(seed: int = 0) -> Array:
    """How the modes lie across the hidden units ``(unit, mode)``: every unit has a part in every mode."""
    q, _ = np.linalg.qr(np.random.default_rng(seed).normal(size=(4, 4)))
    return np.asarray(q)


class DeepLinear(nn.Module):
    """Two linear layers."""

    def __init__(self, first: Tensor, second: Tensor) -> None:
        super().__init__()
        self.hidden, self.readout = nn.Linear(4, 4, bias=False), nn.Linear(4, 7, bias=False)
        with torch.no_grad():
            self.hidden.weight.copy_(first)
            self.readout.weight.copy_(second)
        self.requires_grad_(False)

    def forward(self, x: Tensor) -> Tensor:
        """Items ``(trial, item)`` -> properties ``(trial, property)``."""
        y: Tensor = self.readout(self.hidden(x))
        return y


def share_of_power() -> Score:
    """1 - |target - output|^2 / |target|^2 of each trial."""
    table = torch.as_tensor(items_to_properties())

    def fn(outputs: Any, trials: Stimuli) -> Tensor:
        assert isinstance(trials.inputs, Tensor)
        target = (trials.inputs.double() @ table.T).repeat(len(outputs) // len(trials.inputs), 1).to(outputs.device)
        return torch.as_tensor(1 - ((target - outputs.double()) ** 2).sum(dim=1) / (target**2).sum(dim=1))

    return Score(fn, "share of the targets' power", "proportion", key="share-of-power-deep-linear", rowwise=True)


def deep_linear(epoch: int = 20_000) -> Toy:
    """A two-layer linear network after some epochs of gradient descent from small weights.

    It learns what living things have. Each mode of the table grows by a(t) = s e^(2st) / (e^(2st) - 1 + s / a0), a
    sigmoid with half time ln(s / a0 - 1) / (2 s), so that the mode of the largest singular value comes first: the
    general before the special (Saxe, McClelland & Ganguli 2019, A mathematical theory of semantic development in deep
    neural networks). Stimuli are the input modes; time is epochs times 1e-4. Trained by
    ``python -m artiphys.toys.trained.training.deep_linear``.

    The naive error: a network of two linear layers computes a linear map, so it should learn like one, all modes at
    once and exponentially; or a hidden unit is taken for a mode or a property.

    Raises
    ------
    InputError
        If that epoch is not stored.
    """
    stored = read_weights("deep_linear")
    if f"epoch {epoch}.first" not in stored:
        raise InputError(f"epoch came as {epoch!r}; stored are 0, {EVERY}, {2 * EVERY}, ... {EPOCHS}")
    u, s, v = modes()
    a = strength_at(epoch * RATE, s)
    turned = rotation()
    x = np.concatenate([contrast * v.T for contrast in CONTRASTS])
    names = [name for _ in CONTRASTS for name in MODES]
    source = "the strength of each mode in closed form, spread over the hidden units by the first weights' rotation"

    def value(intact: tuple[int, ...]) -> float:
        kept = turned[list(intact)]
        # Of input mode k, output mode j gets sqrt(a_j a_k) times how far the two share the intact units.
        passed = np.sqrt(np.outer(a, a)) * (kept.T @ kept)
        return float((1 - ((passed - np.diag(s)) ** 2).sum(axis=0) / s**2).mean())

    # What a share of power changes by where a strength does is 2 / s at most, and no weight of a mode is above 1.
    tolerance = 1e-6 + 2 * lag_at(epoch)
    means = {f"readout.{j} to {MODES[k]}": float(u[j, k] * a[k]) for k in range(4) for j in range(7)}
    truth = (
        Truth("tuning", means, None, tolerance, "output mode times strength at that time, in closed form"),
        *enumerated_truths([f"hidden.{i}" for i in range(4)], value, tolerance, source),
    )
    labels = np.array(names)
    stimuli = Stimuli(torch.as_tensor(x, dtype=torch.float32), {"mode": names})
    model = DeepLinear(stored[f"epoch {epoch}.first"], stored[f"epoch {epoch}.second"])
    lesson = "two linear layers learn in stages, and every hidden unit has a part in every mode"
    return Toy("deep_linear", model, stimuli, labels, share_of_power(), ("hidden",), truth, lesson)
