"""Plain modules: their sites, axes and what is refused."""

from __future__ import annotations

import warnings
from typing import Any

import pytest
import torch
from torch import Tensor, nn

import artiphys as ap
from artiphys.errors import InputError, SiteError


def test_time_first_networks_are_told_what_is_wanted() -> None:
    class TimeFirst(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.gru = nn.GRU(3, 5)

        def forward(self, x: Tensor) -> Tensor:
            return torch.as_tensor(self.gru(x)[0])

    with pytest.raises(InputError, match="batch_first=False, but trials reach it on axis 0"):
        ap.wrap(TimeFirst(), torch.randn(10, 6, 3)).look()


class InPlace(nn.Module):
    """Normalises its input in place, and remembers the largest in a buffer."""

    largest: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.a, self.o = nn.Linear(4, 6), nn.Linear(6, 2)

    def forward(self, x: Tensor) -> Tensor:
        x = x.sub_(0.5).div_(0.25)
        return torch.as_tensor(self.o(torch.relu(self.a(x))))


@pytest.mark.parametrize("form", ["tensor", "mapping", "expanded"])
def test_a_network_that_works_in_place_does_not_touch_its_stimuli(form: str) -> None:
    torch.manual_seed(0)
    net, x = InPlace().eval(), torch.rand(20, 4)
    x = x[:1].expand(20, 4) if form == "expanded" else x
    clean = x.clone()
    inputs: Any = {"x": x} if form == "mapping" else x
    y = torch.arange(20) % 2
    with torch.no_grad():
        want = float(net(x.clone()).log_softmax(-1).gather(1, y[:, None]).mean())
    prep = ap.wrap(net, inputs)
    stimuli = ap.Stimuli(inputs, {"y": y.numpy()})
    game = ap.Game(prep, stimuli, ap.scores.log_prob("y"), prep.players("a"), kind="mean", progress=False)
    assert game.intact == pytest.approx(want, abs=1e-6) and torch.equal(x, clean)
    ap.record(prep, stimuli, "a", progress=False)
    assert torch.equal(x, clean)


class TimeFirst(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.a, self.o = nn.Linear(4, 6), nn.Linear(6, 2)

    def forward(self, x: Tensor) -> Tensor:
        b, t, _ = x.shape
        return torch.as_tensor(self.o(self.a(x.transpose(0, 1).reshape(t * b, -1))).reshape(t, b, 2)[-1])


@pytest.mark.parametrize("example", [torch.zeros(2, 5, 4), torch.ones(3, 5, 4), torch.randn(2, 5, 4)])
def test_time_first_is_seen_whatever_the_example(example: Tensor) -> None:
    with pytest.raises(SiteError, match="time first"):
        ap.wrap(TimeFirst().eval(), example).sites["a"]


def test_what_a_constant_example_hides_is_said() -> None:
    class Tokens(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.e, self.o = nn.Embedding(9, 4), nn.Linear(4, 2)

        def forward(self, x: Tensor) -> Tensor:
            b, t = x.shape
            return torch.as_tensor(self.o(self.e(x.T.reshape(-1))).reshape(t, b, 2)[-1])

    with pytest.raises(SiteError, match="an example of other trials"):
        ap.wrap(Tokens().eval(), torch.zeros(2, 5).long()).sites["o"]


class Encoder(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.e = nn.TransformerEncoder(nn.TransformerEncoderLayer(8, 2, 16, batch_first=True), 2)

    def forward(self, x: Tensor, pad: Tensor) -> Tensor:
        return torch.as_tensor(self.e(x, src_key_padding_mask=pad)[:, 0])


@pytest.mark.filterwarnings("ignore:The PyTorch API of nested tensors:UserWarning")
def test_an_encoder_with_padding_is_seen_layer_by_layer() -> None:
    torch.manual_seed(0)
    net, x = Encoder().eval(), torch.randn(4, 6, 8)
    pad = torch.arange(6)[None] >= torch.tensor([6, 4, 5, 3])[:, None]
    prep = ap.wrap(net, {"x": x, "pad": pad})
    with torch.no_grad():
        torch.testing.assert_close(prep.run({"x": x, "pad": pad}).outputs, net(x, pad), atol=1e-5, rtol=1e-5)
    assert prep.sites["e.layers.1.linear1"].n_units == 16
    assert torch.backends.mha.get_fastpath_enabled()


def unseen() -> dict[str, tuple[Any, Any, str, str]]:
    class ByHand(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.a, self.b = nn.Linear(8, 6), nn.Linear(6, 2)

        def forward(self, x: Tensor) -> Tensor:
            return torch.as_tensor(self.b(torch.relu(self.a.forward(x))))

    shared = nn.Linear(8, 8)
    tied = nn.Sequential()
    tied.add_module("enc", shared)
    tied.add_module("dec", shared)
    x = torch.randn(4, 8)
    return {
        "forward": (ByHand(), x, "a", "by module.forward"),
        "shared": (tied, x, "dec", "same module as 'enc'.*enc#0, enc#1"),
    }


@pytest.mark.parametrize("case", ["forward", "shared"])
def test_why_a_module_has_no_site(case: str) -> None:
    net, x, site, why = unseen()[case]
    with pytest.raises(SiteError, match=why):
        ap.wrap(net.eval(), x).sites[site]


def test_networks_that_cannot_be_hooked_are_refused_with_the_reason() -> None:
    net, x = nn.Sequential(nn.Linear(4, 3), nn.ReLU()).eval(), torch.randn(3, 4)
    with pytest.raises(InputError, match=r"torch\.jit.*hooks inside it do not run"):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            scripted: Any = torch.jit.script(net)
        ap.wrap(scripted, x)
    with pytest.raises(InputError, match=r"'1' \(LazyBatchNorm1d\) is lazy|'0' \(LazyLinear\) is lazy"):
        ap.wrap(nn.Sequential(nn.LazyLinear(6), nn.LazyBatchNorm1d()).eval(), x)


def test_inference_tensors_and_sparse_buffers_are_no_obstacle() -> None:
    net = nn.Sequential(nn.Linear(4, 3), nn.ReLU(inplace=True)).eval()
    net.register_buffer("adjacent", torch.eye(3).to_sparse())
    with torch.inference_mode():
        x = torch.randn(6, 4)
    prep = ap.wrap(net, x)
    game = ap.Game(prep, x, lambda y, t: y.sum(1), prep.players("1"), kind="zero", progress=False)
    with torch.no_grad():
        assert game.intact == pytest.approx(float(net(x.clone()).sum(1).mean()), abs=1e-6)

    class Inference(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.n = net

        @torch.inference_mode()
        def forward(self, x: Tensor) -> Tensor:
            return torch.as_tensor(self.n(x))

    sites = ap.wrap(Inference().eval(), torch.randn(3, 4)).sites
    assert sites["n.1"].name == "n.1" != sites["n.0"].name
