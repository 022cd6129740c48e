"""One tensor that feeds several modules is a site of its own at each of them; in a Sequential it is one site."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import artiphys as ap

X = torch.randn(12, 4, generator=torch.Generator().manual_seed(0))


class Heads(nn.Module):
    """One trunk, two heads, a functional ReLU."""

    def __init__(self) -> None:
        super().__init__()
        self.fc, self.actor, self.critic = nn.Linear(4, 6), nn.Linear(6, 2), nn.Linear(6, 1)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        h = torch.relu(self.fc(x))
        return self.actor(h), self.critic(h)


class Skip(nn.Module):
    """The output of a module goes into another, past it, and out as it is."""

    def __init__(self) -> None:
        super().__init__()
        self.a, self.b, self.probe = nn.Linear(4, 4), nn.Linear(4, 4), nn.Identity()

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        h = self.a(x)
        return h + self.b(h), h, h + self.probe(h)


class Attention(nn.Module):
    def __init__(self, keywords: bool) -> None:
        super().__init__()
        self.m, self.keywords = nn.MultiheadAttention(4, 2, batch_first=True), keywords

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = (self.m(query=x, key=x, value=x) if self.keywords else self.m(x, x, x))[0]
        return out


def zeroed(model: nn.Module, x: Tensor, site: str, unit: int) -> Any:
    prep = ap.wrap(model, x)
    with torch.no_grad(), ap.lesioned(prep, ap.Lesion(site, units=[unit], kind="zero")):
        return model(x)


@pytest.mark.parametrize("head", ["actor", "critic"])
def test_a_lesion_of_one_heads_input_leaves_the_other_alone(head: str) -> None:
    torch.manual_seed(0)
    net = Heads().eval()
    with torch.no_grad():
        before = dict(zip(("actor", "critic"), net(X)))
        after = dict(zip(("actor", "critic"), zeroed(net, X, f"{head}.in", 1)))
        h = torch.relu(net.fc(X))
        h[:, 1] = 0
        expected = before | {head: getattr(net, head)(h)}
    for name, value in expected.items():
        torch.testing.assert_close(after[name], value)
    game = ap.Game(ap.wrap(net, X), X, lambda out, t: out[1][:, 0], ap.wrap(net, X).players("critic.in"), kind="zero")
    with torch.no_grad():
        phi = net.critic.weight[0] * torch.relu(net.fc(X)).mean(0)
    np.testing.assert_allclose(ap.shapley(game).values.values, phi, atol=1e-6)


@pytest.mark.parametrize("site, reached", [("a", {0, 1, 2}), ("b.in", {0}), ("output[1]", {1}), ("probe", {2})])
def test_a_write_reaches_what_reads_the_site_and_nothing_else(site: str, reached: set[int]) -> None:
    torch.manual_seed(0)
    net = Skip().eval()
    with torch.no_grad():
        changed = {i for i, (a, b) in enumerate(zip(net(X), zeroed(net, X, site, 1))) if not torch.equal(a, b)}
    assert changed == reached


@pytest.mark.parametrize("keywords", [False, True])
@pytest.mark.parametrize("role", [0, 1, 2])
def test_query_key_and_value_of_one_tensor_are_three_sites(role: int, keywords: bool) -> None:
    torch.manual_seed(0)
    net = Attention(keywords).eval()
    x = torch.randn(5, 3, 4)
    site = f"m.in[{['query', 'key', 'value'][role]}]" if keywords else ("m.in" if role == 0 else f"m.in[{role}]")
    edited = [x, x, x]
    edited[role] = torch.where(torch.arange(4) == 1, 0.0, x)
    with torch.no_grad():
        torch.testing.assert_close(zeroed(net, x, site, 1), net.m(*edited)[0])


def test_inside_a_sequential_names_are_aliases() -> None:
    net = nn.Sequential(nn.Sequential(nn.Linear(4, 3), nn.ReLU()), nn.Identity(), nn.Linear(3, 2)).eval()
    sites = ap.wrap(net, X).sites
    assert sorted(sites) == ["0.0", "0.1", "2", "input"]
    for alias, name in {"0.1.in": "0.0", "0": "0.1", "1.in": "0.1", "1": "0.1", "2.in": "0.1", "0.0.in": "input",
                        "0.in": "input", "output": "2"}.items():  # fmt: skip
        assert sites[alias].name == name


class Odd(nn.Sequential):
    """A Sequential with a forward of its own."""

    def forward(self, x: Tensor) -> Tensor:
        h = self[0](x)
        return torch.as_tensor(h + self[1](h))


def test_a_sequential_with_a_forward_of_its_own_is_none() -> None:
    torch.manual_seed(0)
    net = Odd(nn.Linear(4, 4), nn.Linear(4, 4)).eval()
    with torch.no_grad():
        h = net[0](X)
        torch.testing.assert_close(zeroed(net, X, "1.in", 2), h + net[1](torch.where(torch.arange(4) == 2, 0.0, h)))
