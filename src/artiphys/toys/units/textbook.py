"""Textbook games as small networks: additive, majority, dictator, null player, glove, opposing, greedy trap, parity.

Every unit of `hidden` is 1 on every trial, so that under a zero lesion a coalition's intact units are the ones that
speak; what follows them makes the game. Sources: Shapley 1953, A value for n-person games; Shapley & Shubik 1969, On
market games (gloves); the traps by hand.
"""

from __future__ import annotations

from itertools import combinations

import torch
from torch import Tensor, nn

from artiphys import scores
from artiphys.stimuli import Stimuli
from artiphys.toys.toy import Threshold, Toy, Truth, linear

ENUMERATED = "enumeration of all coalitions by hand"


class TextbookNet(nn.Module):
    """Constant units, and a readout that makes a game of them."""

    def __init__(self, n: int, readout: nn.Module) -> None:
        super().__init__()
        self.hidden = linear([[1.0]] * n, [0.0] * n)
        self.readout = readout

    def forward(self, x: Tensor) -> Tensor:
        """Inputs ``(trial, 1)`` -> ``(trial,)``."""
        y: Tensor = self.readout(self.hidden(x))
        return y[:, 0]


def vote(weights: list[float], quota: float) -> nn.Module:
    """1 where the weighted sum of the units reaches the quota."""
    return nn.Sequential(linear([weights], [-quota + 0.5]), Threshold())


class Greater(nn.Module):
    """The greater of two inputs: b + relu(a - b)."""

    def __init__(self) -> None:
        super().__init__()
        self.difference = linear([[1.0, -1.0]], [0.0])
        self.second = linear([[0.0, 1.0]], [0.0])

    def forward(self, x: Tensor) -> Tensor:
        """Inputs ``(trial, 2)`` -> ``(trial, 1)``."""
        y: Tensor = self.second(x) + torch.relu(self.difference(x))
        return y


def _toy(
    name: str,
    n: int,
    readout: nn.Module,
    lesson: str,
    *,
    shapley: list[float],
    single: list[float],
    circuits: dict[str, float],
    impaired: dict[str, float],
    abolished: dict[str, float],
    sii: dict[str, float],
    stii: dict[str, float] | None = None,
    banzhaf: dict[str, float] | None = None,
) -> Toy:
    """A toy whose tables name units by number: sets with their faithfulness, interactions with their value."""

    def keyed(table: dict[str, float]) -> dict[str, float]:
        return {"+".join(f"hidden.{u}" for u in key): value for key, value in table.items()}

    def true(analysis: str, table: dict[str, float]) -> Truth:
        return Truth(analysis, keyed(table), "zero", 1e-5, ENUMERATED)

    numbered = {str(u): value for u, value in enumerate(shapley)}
    truth = (
        true("shapley", numbered),
        true("single_lesions", {str(u): value for u, value in enumerate(single)}),
        true("minimal circuits", circuits),
        true("critical sets .95", impaired),
        true("critical sets .05", abolished),
        true("SII", sii),
        true("STII", sii if stii is None else stii),
        true("Banzhaf", sii if banzhaf is None else banzhaf),
    )
    trials = torch.ones(4, 1)
    net, labels = TextbookNet(n, readout), trials[:, 0].numpy()
    return Toy(name, net, Stimuli(trials), labels, scores.output(), ("hidden",), truth, lesson)


def additive() -> Toy:
    """Contributions 3, 1 and 2 that add up."""
    pairs = {"01": 0.0, "02": 0.0, "12": 0.0}
    return _toy(
        "additive", 3, linear([[3.0, 1.0, 2.0]], [0.0]), "the one case in which single lesions are right",
        shapley=[3, 1, 2], single=[3, 1, 2], circuits={"012": 1.0},
        impaired={"0": 0.5, "1": 5 / 6, "2": 2 / 3}, abolished={"012": 0.0}, sii=pairs,
    )  # fmt: skip


def majority3() -> Toy:
    """Any two of three."""
    three = {"01": 1.0, "02": 1.0, "12": 1.0}
    pairs, triple = dict.fromkeys(three, 0.0), {"012": -2.0}
    gone = dict.fromkeys(three, 0.0)
    return _toy(
        "majority3", 3, vote([1, 1, 1], 2), "single lesions find nothing and pairwise indices call it additive",
        shapley=[1 / 3] * 3, single=[0.0] * 3, circuits=three, impaired=gone, abolished=gone, sii=pairs | triple,
        stii=dict.fromkeys(three, 1 / 3), banzhaf=pairs | triple,
    )  # fmt: skip


def majority5() -> Toy:
    """Any three of five: ten minimal circuits."""
    triples = {"".join(map(str, c)): 1.0 for c in combinations(range(5), 3)}
    pairs = {"".join(map(str, c)): 0.0 for c in combinations(range(5), 2)}
    gone = dict.fromkeys(triples, 0.0)
    return _toy(
        "majority5", 5, vote([1] * 5, 3), "ten circuits of three do equally well: none of them is the circuit",
        shapley=[0.2] * 5, single=[0.0] * 5, circuits=triples, impaired=gone, abolished=gone, sii=pairs | gone,
        stii=dict.fromkeys(pairs, 0.1), banzhaf=pairs | dict.fromkeys(triples, -0.5),
    )  # fmt: skip


def dictator() -> Toy:
    """One unit decides; two others are read out with weight 0."""
    return _toy(
        "dictator", 3, linear([[1.0, 0.0, 0.0]], [0.0]), "units that are as active as the one that decides do nothing",
        shapley=[1, 0, 0], single=[1, 0, 0], circuits={"0": 1.0}, impaired={"0": 0.0}, abolished={"0": 0.0},
        sii={"01": 0.0, "02": 0.0, "12": 0.0},
    )  # fmt: skip


def null_player() -> Toy:
    """Two units that only work together, and one that does nothing."""
    return _toy(
        "null_player", 3, vote([1, 1, 0], 2), "each of the pair is vital: single lesions add up to twice all",
        shapley=[0.5, 0.5, 0], single=[1, 1, 0], circuits={"01": 1.0}, impaired={"0": 0.0, "1": 0.0},
        abolished={"0": 0.0, "1": 0.0}, sii={"01": 1.0, "02": 0.0, "12": 0.0},
    )  # fmt: skip


def glove() -> Toy:
    """Two left gloves and a right one: a pair sells for 1."""
    lr, ll = {"02": 0.5, "12": 0.5}, {"01": -0.5}
    return _toy(
        "glove", 3, vote([1, 1, 2], 3), "the scarce unit takes four times the share of the others, not twice",
        shapley=[1 / 6, 1 / 6, 2 / 3], single=[0, 0, 1], circuits={"02": 1.0, "12": 1.0},
        impaired={"01": 0.0, "2": 0.0}, abolished={"01": 0.0, "2": 0.0}, sii=ll | lr | {"012": -1.0},
        stii={"01": -1 / 3, "02": 2 / 3, "12": 2 / 3}, banzhaf=ll | lr | {"012": -1.0},
    )  # fmt: skip


def opposing() -> Toy:
    """Contributions 3, 1 and -2 that add up to 2."""
    return _toy(
        "opposing", 3, linear([[3.0, 1.0, -2.0]], [0.0]),
        "the first unit alone is 150 % faithful; losing the one that works against the others raises the behaviour",
        shapley=[3, 1, -2], single=[3, 1, -2], circuits={"012": 1.0}, impaired={"0": -0.5, "1": 0.5},
        abolished={"0": -0.5}, sii={"01": 0.0, "02": 0.0, "12": 0.0},
    )  # fmt: skip


def greedy_trap() -> Toy:
    """The greater of .97 for two units together and a third for each of three others."""
    both = nn.Sequential(linear([[0, 0, 0, 1, 1], [1 / 3, 1 / 3, 1 / 3, 0, 0]], [-1, 0]), nn.ReLU())
    scaled = nn.Sequential(both, linear([[0.97, 0], [0, 1]], [0, 0]), Greater())
    impaired = {f"{i}{j}": 2 / 3 for i in range(3) for j in (3, 4)}
    abolished = {"0123": 0.0, "0124": 0.0}
    return _toy(
        "greedy_trap", 5, scaled, "growing and pruning both end at the three units; two others do nearly as well",
        shapley=[0.2282222] * 3 + [0.1576667] * 2, single=[0.03] * 3 + [0.0] * 2, circuits={"34": 0.97, "012": 1.0},
        impaired=impaired, abolished=abolished, sii={"34": 0.4775}, stii={"34": 0.6396667}, banzhaf={"34": 0.47375},
    )  # fmt: skip
