"""Networks whose answer lies in their connections: paths that cancel, and memory kept by units or between them."""

from __future__ import annotations

import dataclasses
import itertools
import math
from collections.abc import Mapping, Sequence

import numpy as np
import torch
from scipy.stats import norm
from torch import Tensor, nn

from artiphys import scores
from artiphys.errors import InputError
from artiphys.players import Link, Player
from artiphys.stimuli import Stimuli
from artiphys.toys.subset_truths import set_truths
from artiphys.toys.toy import Toy, Truth, linear

N_TRIALS = 20_000  # standard error of an accuracy: .0035


class CancellingPaths(nn.Module):
    """y = x + h - m with h = x and m = h, each connection a layer of its own."""

    def __init__(self) -> None:
        super().__init__()
        self.h, self.m = linear([[1.0]], [0.0]), linear([[1.0]], [0.0])
        self.x_to_y, self.h_to_y, self.m_to_y = (linear([[w]], [0.0]) for w in (1.0, 1.0, -1.0))

    def forward(self, x: Tensor) -> Tensor:
        """Input ``(trial, 1)`` -> ``(trial, 1)``."""
        h = self.h(x)
        y: Tensor = self.x_to_y(x) + self.h_to_y(h) + self.m_to_y(self.m(h))
        return y


def cancelling_paths() -> Toy:
    """A path through h and the path from h through m take each other out: of the units h seems to do nothing."""
    links = {
        "x→h": ("input", "h"), "h→m": ("h", "m"), "m→y": ("m", "m_to_y"), "h→y": ("h", "h_to_y"),
        "x→y": ("input", "x_to_y"),
    }  # fmt: skip
    players = tuple(Player(name, (Link(a, None, b, None),)) for name, (a, b) in links.items())
    names = list(links)
    values = {}
    for number in range(2**5):
        s = tuple(i for i in range(5) if number >> i & 1)
        x_h, h_m, m_y, h_y, x_y = (float(i in s) for i in range(5))
        values[s] = x_y + x_h * h_y - x_h * h_m * m_y
    source = "y = x + h - m with the connections that are left, x = 1"
    pairs = {"x→h+h→y": 1.0, "x→h+h→m": -0.5}
    truth = [
        Truth("accuracy", {"intact": 1.0}, None, 1e-6, source),
        Truth("value", {"h→m+m→y+x→h+x→y": 0.0, "x→h+h→y+m→y+x→y": 2.0}, "zero", 1e-6, source),
        *(set_truths(values, 0.95, named=names.__getitem__) or ()),
        Truth("SII", pairs, "zero", 1e-6, source),
        Truth("STII", {**pairs, "x→h+h→m": -1 / 3}, "zero", 1e-6, source),
        Truth("Banzhaf", pairs, "zero", 1e-6, source),
    ]
    lesson = "lesioning unit h changes nothing, though cutting what it gives to y abolishes the output"
    return Toy("cancelling_paths", CancellingPaths(), Stimuli(torch.ones(4, 1)), np.ones(4), scores.output(),
               ("h", "m"), tuple(truth), lesson, connections=players)  # fmt: skip


class LinearCell(nn.Module):
    """One step of a linear recurrent network: state <- recurrent(state) + drive(input)."""

    def __init__(self, recurrent: Sequence[Sequence[float]], drive: Sequence[float]) -> None:
        super().__init__()
        self.drive = linear([[w] for w in drive], [0.0] * len(drive))
        self.recurrent = linear([list(row) for row in recurrent], [0.0] * len(drive))

    def forward(self, x: Tensor, state: Tensor) -> Tensor:
        """Input ``(trial, 1)`` and state ``(trial, unit)`` -> new state."""
        new: Tensor = self.recurrent(state) + self.drive(x)
        return new


class LinearNet(nn.Module):
    """A hand-written loop over a cell; the decision is the sign of a sum of its last states."""

    def __init__(self, cell: nn.Module, readout: Sequence[float]) -> None:
        super().__init__()
        self.cell, self.readout = cell, linear([list(readout)], [0.0])

    def forward(self, x: Tensor) -> Tensor:
        """Evidence ``(trial, time, 1)`` -> decision variable ``(trial,)``."""
        state = x.new_zeros(len(x), self.readout.in_features)
        for t in range(x.shape[1]):
            state = self.cell(x[:, t], state)
        y: Tensor = self.readout(state)
        return y[:, 0]


def _memory(
    name: str, recurrent: Sequence[Sequence[float]], mu: float, n_steps: int, seed: int, lesson: str
) -> Toy:  # fmt: skip
    rng = np.random.default_rng(seed)
    labels = np.tile([0, 1], N_TRIALS // 2)
    evidence = rng.normal(size=(N_TRIALS, n_steps)) + mu * (2 * labels - 1)[:, None]
    x = torch.as_tensor(evidence, dtype=torch.float32)[..., None]
    pairs = list(itertools.product((0, 1), (0, 1)))  # receiver, sender
    players = tuple(
        Player(f"{i}→{j}", (Link("cell.recurrent.in", (i,), "cell.recurrent", (j,)),)) for j, i in pairs
    )  # fmt: skip
    weights = np.array(recurrent)

    def hit(intact: Sequence[int]) -> float:
        kept = np.zeros((2, 2))
        for p in intact:
            kept[pairs[p]] = weights[pairs[p]]
        gains = np.array([np.linalg.matrix_power(kept, n_steps - 1 - t).sum() for t in range(n_steps)])
        return float(norm.cdf(mu * gains.sum() / math.sqrt((gains**2).sum())))

    values = {s: hit(s) for r in range(5) for s in itertools.combinations(range(4), r)}
    source = "Phi(mu sum g / sqrt(sum g^2)), g_t the sum of the powers of the recurrent weights that are left"
    tolerance = 4 * math.sqrt(0.25 / N_TRIALS)
    every = tuple(range(4))
    alone = {players[p].name: values[every] - values[tuple(q for q in every if q != p)] for p in every}
    shapley = next(
        t for t in set_truths(values, 0.95, named=lambda p: players[p].name) or () if t.analysis == "shapley"
    )
    truth: list[Truth] = [
        Truth("accuracy", {"intact": values[every]}, None, tolerance, source),
        dataclasses.replace(shapley, tolerance=tolerance, source=source),
        Truth("single_lesions", alone, "zero", 2 * tolerance, source),
        Truth("value", _named(players, values), "zero", tolerance, source),
    ]
    net = LinearNet(LinearCell(recurrent, [1.0, 1.0]), [1.0, 1.0])
    return Toy(name, net, Stimuli(x, {"label": labels}), labels, scores.accuracy("label", threshold=0.0), ("cell",),
               tuple(truth), lesson, steps=("cell",), exhaustive=False, connections=players)  # fmt: skip


def _named(players: Sequence[Player], values: Mapping[tuple[int, ...], float]) -> dict[str, float]:
    return {"+".join(players[p].name for p in s) or "none": v for s, v in values.items()}


def diagonal(leaks: tuple[float, float] = (1.0, 0.8), mu: float = 0.1, n_steps: int = 25, seed: int = 0) -> Toy:
    """Two units that remember by their self-connections alone; what leads from one to the other is idle."""
    if any(not 0 <= leak <= 1 for leak in leaks):
        raise InputError(f"leaks came as {leaks}; wanted 0 (no memory) to 1 (perfect memory)")
    lesson = "without its self-connections a diagonal network integrates nothing"
    return _memory("diagonal", [[leaks[0], 0.0], [0.0, leaks[1]]], mu, n_steps, seed, lesson)


def ring(leak: float = 1.0, mu: float = 0.1, n_steps: int = 25, seed: int = 0) -> Toy:
    """Two units that remember by handing their states to each other; they have no self-connections."""
    if not 0 <= leak <= 1:
        raise InputError(f"leak came as {leak}; wanted 0 (no memory) to 1 (perfect memory)")
    lesson = "it integrates as well as a diagonal network, and no self-connection has a part in it"
    return _memory("ring", [[0.0, leak], [leak, 0.0]], mu, n_steps, seed, lesson)
