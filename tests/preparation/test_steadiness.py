"""Networks left to chance, or to the others in a batch, are found by running them, whatever they are made of."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

import artiphys as ap
from artiphys.errors import InputError

X = torch.randn(12, 5, 8, generator=torch.Generator().manual_seed(0))


class Attention(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.m, self.o = nn.MultiheadAttention(8, 2, dropout=0.5, batch_first=True), nn.Linear(8, 2)

    def forward(self, x: Tensor) -> Tensor:
        return torch.as_tensor(self.o(self.m(x, x, x)[0][:, -1]))


class Recurrent(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.r, self.o = nn.LSTM(8, 6, 2, dropout=0.5, batch_first=True), nn.Linear(6, 2)

    def forward(self, x: Tensor) -> Tensor:
        return torch.as_tensor(self.o(self.r(x)[0][:, -1]))


class Functional(nn.Module):
    """Dropout as a function is on by default, in evaluation mode too."""

    def __init__(self) -> None:
        super().__init__()
        self.o = nn.Linear(8, 2)

    def forward(self, x: Tensor) -> Tensor:
        return torch.as_tensor(self.o(F.dropout(x[:, -1], 0.5)))


class BatchStatistics(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.b, self.o = nn.BatchNorm1d(8, track_running_stats=False), nn.Linear(8, 2)

    def forward(self, x: Tensor) -> Tensor:
        return torch.as_tensor(self.o(self.b(x[:, 0])))


def rrelu() -> nn.Module:
    return nn.Sequential(nn.Flatten(), nn.RReLU(), nn.Identity(), nn.Linear(40, 2))


@pytest.mark.parametrize(
    "network", [Attention().train(), Recurrent().train(), rrelu().train(), Functional().eval()],
    ids=["attention", "recurrent", "rrelu", "functional"],
)  # fmt: skip
def test_a_network_left_to_chance_is_refused(network: nn.Module) -> None:
    site = "o" if hasattr(network, "o") else "3"
    prep = ap.wrap(network, X)
    with pytest.raises(InputError, match="other outputs when run again"):
        ap.record(prep, X, site)
    with pytest.raises(InputError, match="other outputs when run again"):
        ap.Game(prep, X, lambda y, t: y[:, 0], prep.players(site), kind="zero")


@pytest.mark.parametrize("network", [Attention().eval(), Recurrent().eval(), rrelu().eval()])
def test_in_evaluation_mode_they_are_not(network: nn.Module) -> None:
    site = "o" if hasattr(network, "o") else "3"
    state = torch.random.get_rng_state()
    ap.record(ap.wrap(network, X), X, site)
    assert torch.equal(torch.random.get_rng_state(), state)


@pytest.mark.parametrize("seed", range(5))
def test_chance_that_is_rare_is_seen_on_many_trials(seed: int) -> None:
    class Rare(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.o = nn.Linear(8, 6)

        def forward(self, x: Tensor) -> Tensor:
            return F.dropout(torch.relu(self.o(x[:, -1])), 0.01)

    torch.manual_seed(seed)
    x = torch.randn(64, 5, 8)
    with pytest.raises(InputError, match="other outputs when run again"):
        ap.record(ap.wrap(Rare().eval(), x), x, "o")


def test_what_is_learnt_later_is_looked_at_again() -> None:
    network = Attention().eval()
    prep = ap.wrap(network, X)
    ap.record(prep, X, "o")
    network.train()
    with pytest.raises(InputError, match="other outputs when run again"):
        ap.record(prep, X, "o")


def test_batch_statistics_are_recorded_in_one_batch_or_not_at_all() -> None:
    torch.manual_seed(0)
    network = BatchStatistics().eval()
    prep = ap.wrap(network, X)
    with pytest.raises(InputError, match=r"mixes the trials of a batch.*batch_size=12"):
        ap.record(prep, X, "o", batch_size=4)
    with torch.no_grad():
        expected: Any = network(X)
    np.testing.assert_allclose(ap.record(prep, X, "o", batch_size=12)["o"].values, expected, atol=1e-6)
