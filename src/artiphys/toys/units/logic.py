"""Threshold networks on two binary inputs, and small value networks: redundancy, backup, synergy.

References: McCulloch & Pitts 1943, A logical calculus of the ideas immanent in nervous activity;
Minsky & Papert 1969, Perceptrons (XOR).
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from artiphys import scores
from artiphys.stimuli import Stimuli
from artiphys.toys.toy import Threshold, Toy, Truth, linear

ENUMERATED = "enumeration of four inputs by hand"


class ThresholdNet(nn.Module):
    """Hidden threshold units and a threshold readout, all weights given."""

    def __init__(self, weights: list[list[float]], biases: list[float], out: list[float], bias: float) -> None:
        super().__init__()
        self.sum = linear(weights, biases)
        self.hidden = Threshold()
        self.readout = linear([out], [bias])
        self.output = Threshold()

    def forward(self, x: Tensor) -> Tensor:
        """Inputs ``(trial, 2)`` -> ``(trial,)`` in {0, 1}."""
        y: Tensor = self.output(self.readout(self.hidden(self.sum(x))))
        return y[:, 0]


def _inputs(truth_table: list[int]) -> tuple[Stimuli, Tensor]:
    x = torch.tensor([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]])
    conditions = {"x1": x[:, 0].int().tolist(), "x2": x[:, 1].int().tolist(), "label": truth_table}
    return Stimuli(x, conditions), torch.tensor(truth_table)


def _toy(name: str, net: nn.Module, table: list[int], truth: list[Truth], lesson: str) -> Toy:
    stimuli, labels = _inputs(table)
    return Toy(name, net, stimuli, labels.numpy(), scores.accuracy("label"), ("hidden",), tuple(truth), lesson)


def _exact(analysis: str, kind: str | None, *values: float, names: list[str] | None = None) -> Truth:
    keys = names or [f"hidden.{i}" for i in range(len(values))]
    return Truth(analysis, dict(zip(keys, values)), kind, 1e-6, ENUMERATED)


def _sets(
    kind: str, circuits: dict[str, float], impaired: dict[str, float], abolished: dict[str, float], site: str = "hidden"
) -> list[Truth]:
    """Minimal circuits and critical sets by unit numbers, with their faithfulness and what is left without them."""

    def keyed(table: dict[str, float]) -> dict[str, float]:
        return {"+".join(f"{site}.{u}" for u in key): value for key, value in table.items()}

    tables = {"minimal circuits": circuits, "critical sets .95": impaired, "critical sets .05": abolished}
    return [Truth(analysis, keyed(table), kind, 1e-6, ENUMERATED) for analysis, table in tables.items()]


def _interactions(kind: str, **indices: dict[str, float]) -> list[Truth]:
    """Interactions by unit numbers, for each index."""
    return [
        Truth(index, {"+".join(f"hidden.{u}" for u in key): v for key, v in table.items()}, kind, 1e-6, ENUMERATED)
        for index, table in indices.items()
    ]


def conjunction() -> Toy:
    """AND: one threshold unit."""
    net = ThresholdNet([[1, 1]], [-2], [1], -0.5)
    truth = [
        _exact("accuracy", None, 1.0, names=["intact"]),
        _exact("single_lesions", "zero", 0.25),
        _exact("shapley", "zero", 0.25),
        _exact("single_lesions", "mean", 0.25),
        _exact("shapley", "mean", 0.25),
        *[t for kind in ("zero", "mean") for t in _sets(kind, {"0": 1.0}, {"0": 0.0}, {"0": 0.0})],
    ]
    return _toy("and", net, [0, 0, 0, 1], truth, "a unit that is silent on most inputs still decides the answer")


def disjunction() -> Toy:
    """OR: one threshold unit; under mean lesions it defaults to yes."""
    net = ThresholdNet([[1, 1]], [-1], [1], -0.5)
    truth = [
        _exact("accuracy", None, 1.0, names=["intact"]),
        _exact("single_lesions", "zero", 0.75),
        _exact("shapley", "zero", 0.75),
        _exact("single_lesions", "mean", 0.25),
        _exact("shapley", "mean", 0.25),
        *[t for kind in ("zero", "mean") for t in _sets(kind, {"0": 1.0}, {"0": 0.0}, {"0": 0.0})],
    ]
    return _toy(
        "or",
        net,
        [0, 1, 1, 1],
        truth,
        "a zero lesion answers no, a mean lesion yes: effects differ threefold",
    )


def xor() -> Toy:
    """XOR from an OR and an AND unit."""
    net = ThresholdNet([[1, 1], [1, 1]], [-1, -2], [1, -2], -1)
    truth = [
        _exact("accuracy", None, 1.0, names=["intact"]),
        _exact("single_lesions", "zero", 0.5, 0.25),
        _exact("shapley", "zero", 0.375, 0.125),
        _exact("single_lesions", "mean", 0.5, 0.5),
        _exact("shapley", "mean", 0.25, 0.25),
        Truth(
            "information",
            {"hidden.0": 0.31127812, "hidden.1": 0.31127812},
            None,
            1e-6,
            "1 - H(1/4, 3/4) etc. [bits]",
        ),
        *_sets("zero", {"01": 1.0}, {"0": 0.0, "1": 0.5}, {"0": 0.0}),
        *_sets("mean", {"01": 1.0}, {"0": 0.0, "1": 0.0}, {"0": 0.0, "1": 0.0}),
        *_interactions("zero", SII={"01": 0.25}, STII={"01": 0.25}, Banzhaf={"01": 0.25}),
        *_interactions("mean", SII={"01": 0.5}, STII={"01": 0.5}, Banzhaf={"01": 0.5}),
    ]
    return _toy("xor", net, [0, 1, 1, 0], truth, "both units carry .311 bit about the answer; zero lesions say 3:1")


def xor_redundant() -> Toy:
    """XOR with two identical OR units, either of which suffices."""
    net = ThresholdNet([[1, 1], [1, 1], [1, 1]], [-1, -1, -2], [1, 1, -3], -1)
    truth = [
        _exact("accuracy", None, 1.0, names=["intact"]),
        _exact("single_lesions", "zero", 0.0, 0.0, 0.25),
        _exact("shapley", "zero", 1 / 6, 1 / 6, 1 / 6),
        _exact("single_lesions", "mean", 0.0, 0.0, 0.25),
        _exact("shapley", "mean", 1 / 8, 1 / 8, 1 / 4),
        _exact("value", "zero", 0.5, 0.5, 0.75, names=["hidden.2", "none", "hidden.0+hidden.1"]),
        _exact("value", "mean", 0.75, 0.5, 0.75, names=["hidden.2", "none", "hidden.0+hidden.1"]),
        *_sets("zero", {"02": 1.0, "12": 1.0}, {"01": 0.0, "2": 0.5}, {"01": 0.0}),
        *_sets("mean", {"02": 1.0, "12": 1.0}, {"01": 0.5, "2": 0.5}, {"012": 0.0}),
        *_interactions(
            "zero",
            SII={"01": -0.375, "02": 0.125, "12": 0.125, "012": -0.25},
            STII={"01": -1 / 3, "02": 1 / 6, "12": 1 / 6},
            Banzhaf={"01": -0.375, "02": 0.125, "12": 0.125},
        ),
        *_interactions("mean", SII={"01": -0.25, "02": 0.0, "12": 0.0, "012": 0.0}),
    ]
    lesson = "single lesions call both OR units useless; without the pair the network is at chance"
    return _toy("xor_redundant", net, [0, 1, 1, 0], truth, lesson)


class BackupNet(nn.Module):
    """A = x, B = relu(x - 10 A), y = A + B: B speaks only when A is silent."""

    def __init__(self) -> None:
        super().__init__()
        self.a = linear([[1.0]], [0.0])
        self.inhibition = linear([[-10.0]], [0.0])
        self.b = nn.ReLU()

    def forward(self, x: Tensor) -> Tensor:
        """Inputs ``(trial, 1)`` -> ``(trial,)``."""
        a = self.a(x)
        y: Tensor = a + self.b(x + self.inhibition(a))
        return y[:, 0]


def backup() -> Toy:
    """A unit and its silent backup."""
    n = 4
    ab = ["a.0", "b.0"]
    truth = (
        _exact("value", "zero", 1.0, 1.0, 0.0, names=["a.0", "b.0", "none"]),
        _exact("single_lesions", "zero", 0.0, 0.0, names=ab),
        _exact("shapley", "zero", 0.5, 0.5, names=ab),
        _exact("single_lesions", "mean", 0.0, 0.0, names=ab),
        _exact("shapley", "mean", 0.0, 0.0, names=ab),
        _exact("activity", None, 1.0, 0.0, names=ab),
        _exact("minimal circuits", "zero", 1.0, 1.0, names=ab),
        _exact("critical sets .95", "zero", 0.0, names=["a.0+b.0"]),
        _exact("critical sets .05", "zero", 0.0, names=["a.0+b.0"]),
        _exact("SII", "zero", -1.0, names=["a.0+b.0"]),
    )
    return Toy(
        "backup", BackupNet(), Stimuli(torch.ones(n, 1)), torch.ones(n).numpy(), scores.output(), ("a", "b"), truth,
        "recording finds B silent and single lesions find no effect of either; together they are everything",
    )  # fmt: skip


class SynergyNet(nn.Module):
    """y = |h1 - h2|: the exclusive or of two fair coins."""

    def __init__(self) -> None:
        super().__init__()
        self.hidden = linear([[1.0, 0.0], [0.0, 1.0]], [0.0, 0.0])
        self.difference = linear([[1.0, -1.0], [-1.0, 1.0]], [0.0, 0.0])

    def forward(self, x: Tensor) -> Tensor:
        """Inputs ``(trial, 2)`` in {0, 1} -> ``(trial,)``."""
        y: Tensor = torch.relu(self.difference(self.hidden(x))).sum(dim=-1)
        return y


def synergy() -> Toy:
    """Two units that say nothing alone and everything together."""
    truth = [
        _exact("accuracy", None, 1.0, names=["intact"]),
        _exact("single_lesions", "zero", 0.5, 0.5),
        _exact("shapley", "zero", 0.25, 0.25),
        _exact("single_lesions", "mean", 0.5, 0.5),
        _exact("shapley", "mean", 0.25, 0.25),
        Truth("information", {"hidden.0": 0.0, "hidden.1": 0.0}, None, 1e-6, "independent of the answer [bits]"),
        Truth("joint information", {"hidden.0+hidden.1": 1.0}, None, 1e-6, "both determine a fair answer [bits]"),
        Truth("best linear accuracy", {"hidden.0+hidden.1": 0.75}, None, 1e-6, "the nearest separable one is or"),
        *[t for kind in ("zero", "mean") for t in _sets(kind, {"01": 1.0}, {"0": 0.0, "1": 0.0}, {"0": 0.0, "1": 0.0})],
        *[t for kind in ("zero", "mean") for t in _interactions(kind, SII={"01": 0.5})],
    ]
    return _toy("synergy", SynergyNet(), [0, 1, 1, 0], truth, "each unit alone carries 0 bits, both carry 1")


class ParityNet(nn.Module):
    """y = ||h1 - h2| - h3|: whether an odd number of three coins fell heads."""

    def __init__(self) -> None:
        super().__init__()
        self.hidden = linear([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]], [0.0, 0.0, 0.0])

    def forward(self, x: Tensor) -> Tensor:
        """Inputs ``(trial, 3)`` in {0, 1} -> ``(trial,)``."""
        h = self.hidden(x)
        return torch.as_tensor(((h[:, 0] - h[:, 1]).abs() - h[:, 2]).abs())


def parity3() -> Toy:
    """Three units of which each pair says nothing."""
    x = torch.cartesian_prod(*[torch.tensor([0.0, 1.0])] * 3)
    labels = (x.sum(dim=1) % 2).int()
    each = {"0": 0.0, "1": 0.0, "2": 0.0}
    pairs = ("01", "02", "12")
    truth = [
        _exact("accuracy", None, 1.0, names=["intact"]),
        _exact("single_lesions", "zero", 0.5, 0.5, 0.5),
        _exact("shapley", "zero", 1 / 6, 1 / 6, 1 / 6),
        *_sets("zero", {"012": 1.0}, each, each),
        *_interactions(
            "zero",
            SII=dict.fromkeys(pairs, 0.25) | {"012": 0.5},
            STII=dict.fromkeys(pairs, 1 / 6),
            Banzhaf=dict.fromkeys(pairs, 0.25) | {"012": 0.5},
            **{"k-SII": dict.fromkeys(pairs, 0.0) | {"012": 0.5}},
        ),
    ]
    stimuli = Stimuli(x, {"label": labels.tolist()})
    lesson = "every single lesion and every pair leave chance: an analysis of pairs calls it nothing"
    return Toy("parity3", ParityNet(), stimuli, labels.numpy(), scores.accuracy("label"), ("hidden",), tuple(truth),
               lesson)  # fmt: skip
