"""Unrolled recurrent modules: equal to the fused ones, lesioned inside the recurrence."""

from __future__ import annotations

from itertools import product
from typing import Any

import pytest
import torch
from torch import Tensor, nn

import artiphys as ap
from artiphys.errors import InputError, SiteError

FORMS: list[tuple[Any, dict[str, Any]]] = [
    *[
        (kind, {"num_layers": n, "batch_first": b})
        for kind, n, b in product((nn.RNN, nn.GRU, nn.LSTM), (1, 2), (True, False))
    ],
    (nn.RNN, {"nonlinearity": "relu", "batch_first": True}),
    (nn.GRU, {"bidirectional": True, "num_layers": 2, "batch_first": True}),
    (nn.LSTM, {"bidirectional": True, "batch_first": True}),
    (nn.LSTM, {"proj_size": 2, "num_layers": 2, "batch_first": True}),
    (nn.GRU, {"bias": False, "batch_first": True}),
]


@pytest.mark.filterwarnings("ignore:LSTM with projections:UserWarning")
@pytest.mark.parametrize(("kind", "options"), FORMS, ids=[f"{k.__name__}-{o}" for k, o in FORMS])
def test_unrolled_equals_fused(kind: Any, options: dict[str, Any]) -> None:
    torch.manual_seed(0)
    net = kind(3, 4, **options).eval()
    x = torch.randn(5, 7, 3)
    fused, final = net(x if options.get("batch_first") else x.transpose(0, 1))
    prep = ap.wrap(net, x)
    names = [s for s in prep.sites if prep.sites[s].stepped and s[0] in "hc"]
    assert len(names) == net.num_layers * (2 if net.bidirectional else 1) * (2 if kind is nn.LSTM else 1)
    run = prep.run(x, read=names)
    torch.testing.assert_close(run.outputs[0], fused, atol=1e-5, rtol=1e-5)
    pairs = zip(final, run.outputs[1]) if kind is nn.LSTM else [(final, run.outputs[1])]
    for expected, got in pairs:
        torch.testing.assert_close(got, expected, atol=1e-5, rtol=1e-5)
    top = run.activity[f"h{net.num_layers - 1}"]
    states = fused if options.get("batch_first") else fused.transpose(0, 1)
    torch.testing.assert_close(top, states[..., : top.shape[-1]], atol=1e-5, rtol=1e-5)
    if net.bidirectional:
        back = run.activity[f"h{net.num_layers - 1}_reverse"]
        torch.testing.assert_close(back, states[..., top.shape[-1] :], atol=1e-5, rtol=1e-5)
    by_gates = prep.run(x, read=[*names, *(s for s in prep.sites if s.startswith(("input", "recurrent")))])
    for name in names:
        torch.testing.assert_close(by_gates.activity[name], run.activity[name], atol=1e-6, rtol=1e-6)
    assert "forward" not in net.__dict__


def test_lesion_of_one_step_acts_inside_the_recurrence() -> None:
    torch.manual_seed(0)
    net = nn.RNN(2, 3, batch_first=True)
    x = torch.randn(4, 6, 2)
    prep = ap.wrap(net, x)
    with torch.no_grad():
        with ap.lesioned(prep, ap.Lesion("h0", kind="zero", time=3)):
            states = prep.run(x, read="h0").activity["h0"]
        fresh = net(x[:, 4:])[0]  # a state of 0 after step 3 is a fresh start at step 4
        intact = net(x)[0]
    assert not states[:, 3].any()
    torch.testing.assert_close(states[:, 4:], fresh, atol=1e-6, rtol=1e-5)
    torch.testing.assert_close(states[:, :3], intact[:, :3], atol=1e-6, rtol=1e-5)
    with ap.lesioned(prep, ap.Lesion("h0", kind="zero", time=-3)):
        torch.testing.assert_close(prep.run(x, read="h0").activity["h0"], states, atol=1e-6, rtol=1e-5)


def test_the_output_of_a_recurrent_module_is_its_state() -> None:
    prep = ap.wrap(nn.Sequential(nn.GRU(2, 3, num_layers=2, batch_first=True)), torch.randn(2, 5, 2))
    assert prep.sites["0"].name == "0.h1" and prep.sites["0"].stepped


def test_hand_written_loop_with_named_steps() -> None:
    toy = ap.toys.load("integrator")
    prep = ap.wrap(toy)
    assert prep.sites["cell"].axes == ("time", "unit") and prep.sites["cell"].sizes == (25, 1)
    x = toy.stimuli[:3].inputs
    assert isinstance(x, Tensor)
    states = prep.run(x, read="cell").activity["cell"]
    torch.testing.assert_close(states, x.cumsum(dim=1), atol=1e-5, rtol=1e-5)
    with (
        pytest.raises(ap.errors.LesionError, match="longer example"),
        ap.lesioned(prep, ap.Lesion("cell", kind="zero", time=30)),
    ):
        prep.run(x)
    with (
        pytest.raises(ap.errors.LesionError, match="from the start"),
        ap.lesioned(prep, ap.Lesion("cell", kind="zero", time=-1)),
    ):
        prep.run(x)


def test_dropout_in_train_mode_and_packed_sequences_are_refused() -> None:
    net = nn.GRU(2, 3, num_layers=2, dropout=0.5, batch_first=True).train()
    x = torch.randn(2, 5, 2)
    with pytest.raises(InputError, match="eval"):
        ap.wrap(net, x).run(x, read="h0")

    class Packs(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.gru = nn.GRU(2, 3, batch_first=True)

        def forward(self, x: Tensor) -> Tensor:
            packed = nn.utils.rnn.pack_padded_sequence(x, torch.full((len(x),), x.shape[1]), batch_first=True)
            return torch.as_tensor(self.gru(packed)[1][-1])

    prep = ap.wrap(Packs(), x)
    assert prep.run(x).outputs.shape == (2, 3)
    assert not [s for s in prep.sites if prep.sites[s].stepped]
    with pytest.raises(SiteError, match="PackedSequence"):
        prep.run(x, read="gru.h0")
