"""Outputs as records of any kind: the entry that is scored, and copies that keep what the user's class is."""

from __future__ import annotations

import dataclasses
from collections import namedtuple
from typing import Any, NamedTuple

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import artiphys as ap
from artiphys.errors import InputError
from artiphys.hooks.nested import mapped, replaced

X = torch.randn(30, 4, generator=torch.Generator().manual_seed(0))
Y = ap.Stimuli(X, {"y": np.arange(30) % 2})


@dataclasses.dataclass
class Plain:
    hidden: Tensor
    logits: Tensor


@dataclasses.dataclass(frozen=True)
class Frozen:
    hidden: Tensor
    logits: Tensor
    made: int = dataclasses.field(init=False, default=0)


@dataclasses.dataclass
class Counting:
    """What is worked out when it is made must not be worked out again."""

    hidden: Tensor
    logits: Tensor
    times: int = 0

    def __post_init__(self) -> None:
        self.times += 1


class Named(NamedTuple):
    hidden: Tensor
    logits: Tensor


Unnamed = namedtuple("Unnamed", "first second")
RECORDS: dict[str, Any] = {
    "dataclass": Plain, "frozen": Frozen, "post init": Counting, "named tuple": Named,
    "mapping": lambda hidden, logits: {"hidden": hidden, "logits": logits},
    "record in a tuple": lambda hidden, logits: (Plain(hidden, logits), hidden),
    "tuple": lambda hidden, logits: (logits, hidden.mean(1)),
    "loss and logits": lambda hidden, logits: (hidden.mean(), logits),
}  # fmt: skip


class Net(nn.Module):
    def __init__(self, record: Any) -> None:
        super().__init__()
        self.a, self.b, self.record = nn.Linear(4, 6), nn.Linear(6, 2), record

    def forward(self, x: Tensor) -> Any:
        hidden = torch.tanh(self.a(x))
        return self.record(hidden, self.b(hidden))


@pytest.mark.parametrize("record", RECORDS)
def test_the_logits_of_a_record_are_scored(record: str) -> None:
    torch.manual_seed(0)
    net = Net(RECORDS[record]).eval()
    prep = ap.wrap(net, X)
    game = ap.Game(prep, Y, ap.scores.log_prob("y"), prep.players("a"), kind="zero", progress=False)
    expected = []
    for keep in (torch.ones(6), torch.tensor([0.0, 1, 1, 1, 1, 1])):
        with torch.no_grad():
            logits = net.b(torch.tanh(net.a(X) * keep))
        expected.append(float(logits.log_softmax(-1)[torch.arange(30), torch.arange(30) % 2].mean()))
    values = game([[True] * 6, [False] + [True] * 5])
    np.testing.assert_allclose(values, expected, atol=1e-6)


@pytest.mark.parametrize("record", [Unnamed, lambda a, b: {"p": a, "q": b}, lambda a, b: (a, b)])
def test_a_record_without_logits_is_not_guessed_at(record: Any) -> None:
    prep = ap.wrap(Net(record).eval(), X)
    game = ap.Game(prep, Y, ap.scores.log_prob("y"), prep.players("a"), kind="zero", progress=False)
    with pytest.raises(InputError, match="not said which of it to score"):
        game.intact  # noqa: B018


def test_copies_are_of_the_users_class() -> None:
    a, b = torch.zeros(2), torch.ones(2)
    for record in (Plain(a, b), Frozen(a, b), Counting(a, b), Named(a, b), torch.max(torch.ones(2, 2), dim=0)):
        tree: Any = record
        key: Any = 0 if isinstance(tree, tuple) else "hidden"
        changed = replaced(tree, (key,), b + 1)
        doubled = mapped(tree, lambda path, t: 2 * t)
        assert type(changed) is type(tree) is type(doubled)
        first = changed[0] if isinstance(tree, tuple) else changed.hidden
        assert torch.equal(first, b + 1)
        if isinstance(tree, Counting):
            assert changed.times == doubled.times == 1
