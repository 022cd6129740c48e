"""Networks that a circuit is planted in: a perceptron, a recurrent network, and one layer of attention.

Each makes noisy copies of a stimulus in ``n`` units; the gadgets read some of them.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn

from artiphys.toys.families.gadgets import RELAYS, Array, Gadget, gadget_layers

SLOPE = 1.5  # of a unit: hardtanh(slope * (stimulus + noise))
N_STEPS = 5
N_POSITIONS = 6
SHARPNESS = 30.0  # of attention: what is not attended to weighs e^-30


class PlantedNet(nn.Module):
    """What the families share: two rectified stages that make the gadgets, and a linear readout of them."""

    def __init__(self, n: int, gadgets: list[Gadget], leak: Array) -> None:
        super().__init__()
        self.n, self.n_gadgets = n, len(gadgets)
        self.copies = nn.Linear(n + 1, n)
        with torch.no_grad():
            self.copies.weight.copy_(SLOPE * torch.cat([torch.ones(n, 1), torch.eye(n)], dim=1))
            self.copies.bias.zero_()
        self.hidden: nn.Module = nn.Hardtanh()
        first, second, readout = gadget_layers(n, gadgets)
        self.stage1, self.relu1, self.stage2, self.relu2, self.readout = first, nn.ReLU(), second, nn.ReLU(), readout
        self.leak = nn.Linear(n, 1, bias=False)
        with torch.no_grad():
            self.leak.weight.copy_(torch.as_tensor(leak, dtype=torch.float32)[None])
        self.requires_grad_(False)

    def read(self, h: Tensor, gains: Tensor) -> Tensor:
        """Activity ``(trial, unit)`` and gains of the gadgets ``(trial, gadget)`` -> ``(trial,)``."""
        gadgets = self.readout(self.relu2(self.stage2(self.relu1(self.stage1(h)))))
        y: Tensor = (gadgets * gains).sum(dim=1) + self.leak(h)[:, 0]
        return y


class PlantedPerceptron(PlantedNet):
    """Units hardtanh(slope * (stimulus + own noise))."""

    def forward(self, x: Tensor) -> Tensor:
        """Stimulus, noise of each unit and gains of the gadgets ``(trial, 1 + unit + gadget)`` -> ``(trial,)``."""
        return self.read(self.hidden(self.copies(x[:, : self.n + 1])), x[:, self.n + 1 :])


class PlantedCell(nn.Module):
    """One step: state <- hardtanh(recurrent(state) + drive(input))."""

    def __init__(self, drive: nn.Linear, recurrent: Array) -> None:
        super().__init__()
        self.drive = drive
        self.recurrent = nn.Linear(len(recurrent), len(recurrent), bias=False)
        self.squash = nn.Hardtanh()
        with torch.no_grad():
            self.recurrent.weight.copy_(torch.as_tensor(recurrent, dtype=torch.float32))

    def forward(self, x: Tensor, state: Tensor) -> Tensor:
        """Input ``(trial, 1 + unit)`` and state ``(trial, unit)`` -> new state."""
        new: Tensor = self.squash(self.recurrent(state) + self.drive(x))
        return new


class PlantedRecurrent(PlantedNet):
    """Units that sum the stimulus and their own noise over the steps; those that are not planted hear the others too.

    In a relay the first unit hears the stimulus and each other one only the unit before it.
    """

    def __init__(self, n: int, gadgets: list[Gadget], leak: Array, recurrent: Array) -> None:
        super().__init__(n, gadgets, leak)
        drive, heard = self.copies, np.ones(n)
        heard[[u for g in gadgets if g.kind in RELAYS for u in g.units[1:]]] = 0
        with torch.no_grad():
            drive.weight.mul_(torch.as_tensor(heard / N_STEPS, dtype=torch.float32)[:, None])
        del self.copies, self.hidden
        self.cell = PlantedCell(drive, recurrent)
        self.requires_grad_(False)

    def forward(self, x: Tensor) -> Tensor:
        """Stimulus, noise and gains ``(trial, time, 1 + unit + gadget)`` -> ``(trial,)``."""
        state = x.new_zeros(len(x), self.n)
        for t in range(x.shape[1]):
            state = self.cell(x[:, t, : self.n + 1], state)
        return self.read(state, x[:, -1, self.n + 1 :])


class PlantedAttention(PlantedNet):
    """Heads that fetch their copy of the stimulus from where it is shown; some that are not planted look elsewhere."""

    def __init__(self, n: int, gadgets: list[Gadget], leak: Array, looks: Array) -> None:
        super().__init__(n, gadgets, leak)
        self.key, self.value, self.z = nn.Linear(1, n, bias=False), self.hidden, nn.Identity()
        del self.hidden
        with torch.no_grad():
            self.key.weight.copy_(SHARPNESS * torch.as_tensor(looks, dtype=torch.float32)[:, None])
        self.requires_grad_(False)

    def forward(self, x: Tensor) -> Tensor:
        """Flag, stimulus, noise and gains ``(trial, position, 2 + unit + gadget)`` -> ``(trial,)``.

        Each position asks for the flag with a query of 1, so that the weights are the same for all of them.
        """
        weights = self.key(x[..., :1]).softmax(dim=1)
        value = self.value(self.copies(x[..., 1 : self.n + 2]))
        fetched = (weights * value).sum(dim=1, keepdim=True)
        z: Tensor = self.z(fetched.expand_as(value).contiguous())
        return self.read(z[:, -1], x[:, -1, self.n + 2 :])


def recurrent_weights(n: int, gadgets: list[Gadget], rng: np.random.Generator) -> Array:
    """Self-connections of 1; along a relay from unit to unit; what is not planted also hears others, at random."""
    planted = [u for g in gadgets for u in g.units]
    others = np.setdiff1d(np.arange(n), planted)
    weights = np.eye(n)
    weights[others] += rng.normal(size=(len(others), n)) * 0.2 / np.sqrt(n)
    for g in gadgets:
        if g.kind in RELAYS:
            for sender, receiver in zip(g.units, g.units[1:]):
                weights[receiver, receiver], weights[receiver, sender] = 0.0, 1.0
    return weights
