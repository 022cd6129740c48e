"""Edges of plain networks: a cut connection is a weight set to 0, or one whose sender is held at its reference."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import artiphys as ap
from artiphys.errors import HookError, InputError, LesionError
from artiphys.players import Link
from artiphys.scores.score import Score

SUM = Score(lambda outputs, trials: outputs.flatten(1).double().sum(1), "sum", "", key="sum")


class Mlp(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.a, self.act, self.b, self.c = nn.Linear(3, 6), nn.Tanh(), nn.Linear(6, 5), nn.Linear(11, 2)

    def forward(self, x: Tensor) -> Tensor:
        h = self.act(self.a(x))
        return self.c(torch.cat([h, torch.relu(self.b(h))], dim=-1))  # type: ignore[no-any-return]


class Recurrent(nn.Module):
    def __init__(self, kind: Any, **options: Any) -> None:
        super().__init__()
        self.rnn = kind(3, 5, **options)
        self.flip = not options.get("batch_first", False)
        sides = 2 if options.get("bidirectional") else 1
        self.out = nn.Linear(sides * (options.get("proj_size") or 5), 2)

    def forward(self, x: Tensor) -> Tensor:
        y = self.rnn(x.transpose(0, 1) if self.flip else x)[0]
        return self.out(y.mean(0 if self.flip else 1))  # type: ignore[no-any-return]


def cnn() -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(2, 4, 3, padding=1, padding_mode="circular"), nn.ReLU(),
        nn.Conv2d(4, 6, (3, 2), groups=2, stride=2, padding="valid"), nn.ReLU(),
        nn.Conv2d(6, 3, 3, padding="same", dilation=2), nn.Flatten(), nn.Linear(3 * 3 * 4, 2),
    )  # fmt: skip


def conv1d() -> nn.Module:
    return nn.Sequential(nn.Conv1d(3, 4, 3, padding=2, padding_mode="reflect"), nn.Tanh(), nn.Conv1d(4, 2, 5, stride=3))


Case = tuple[Callable[[], nn.Module], tuple[int, ...]]
CASES: dict[str, Case] = {
    "mlp": (Mlp, (5, 3)),
    "mlp in time": (lambda: nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 2)), (5, 6, 3)),
    "cnn": (cnn, (5, 2, 8, 8)),
    "conv1d": (conv1d, (5, 3, 11)),
    "rnn": (lambda: Recurrent(nn.RNN, num_layers=2, batch_first=True), (5, 6, 3)),
    "relu rnn": (lambda: Recurrent(nn.RNN, nonlinearity="relu", bias=False), (5, 6, 3)),
    "gru": (lambda: Recurrent(nn.GRU, num_layers=2, bidirectional=True, batch_first=True), (5, 6, 3)),
    "lstm": (lambda: Recurrent(nn.LSTM, num_layers=2, bidirectional=True), (5, 6, 3)),
    "projected lstm": (lambda: Recurrent(nn.LSTM, num_layers=2, proj_size=4, batch_first=True), (5, 6, 3)),
}


def made(case: str) -> tuple[nn.Module, Tensor]:
    torch.manual_seed(0)
    make, shape = CASES[case]
    return make().eval().requires_grad_(False), torch.randn(shape)


def links_of(players: Any) -> list[Link]:
    return [t for p in players for t in p.targets if isinstance(t, Link)]


def edited(net: nn.Module, links: list[Link]) -> nn.Module:
    """A copy whose weights of some links are 0, from the names of sites alone."""
    other = copy.deepcopy(net)
    for link in links:
        assert link.sender_units is not None and link.receiver_units is not None
        (i,), (j,) = link.sender_units, link.receiver_units
        if link.receiver.startswith("rnn."):
            rnn: Any = other.rnn
            point = link.receiver.removeprefix("rnn.").removesuffix("_reverse")
            part, layer = point[:-1], point[-1]
            back = "_reverse" if link.receiver.endswith("_reverse") else ""
            weight = getattr(rnn, f"weight_{'ih' if part == 'input' else 'hh'}_l{layer}{back}")
            n = rnn.hidden_size
            i += (rnn.proj_size or n) if part == "input" and link.sender.endswith("_reverse") else 0
            weight[j::n, i] = 0.0
        else:
            module: Any = other.get_submodule(link.receiver)
            if isinstance(module, nn.Linear):
                module.weight[j, i] = 0.0
            else:
                first = j // (module.out_channels // module.groups) * (module.in_channels // module.groups)
                if 0 <= i - first < module.weight.shape[1]:
                    module.weight[j, i - first] = 0.0
    return other


@pytest.mark.filterwarnings("ignore:LSTM with projections:UserWarning")
@pytest.mark.parametrize("case", CASES)
def test_cut_edges_are_weights_set_to_0(case: str) -> None:
    net, x = made(case)
    prep = ap.wrap(net, x)
    players = prep.edges()
    rng = np.random.default_rng(0)
    game = ap.Game(prep, x, SUM, players, kind="zero", progress=False)
    densities = [1 / len(players), 0.1, 0.5, 0.9, 1.0]
    coalitions = np.stack([rng.random(len(players)) >= p for p in densities])
    for coalition, per_trial in zip(coalitions, game.per_trial(coalitions)):
        cut = [link for link, kept in zip(links_of(players), coalition) if not kept]
        expected = edited(net, cut)(x)
        np.testing.assert_allclose(per_trial, expected.flatten(1).double().sum(1), rtol=1e-6, atol=2e-6)
        some = [ap.Edge(k.sender, k.receiver, sender_units=k.sender_units, receiver_units=k.receiver_units, kind="zero")
                for k in cut[:40]]  # fmt: skip
        if some:
            with ap.lesioned(prep, *some):
                got = prep.run(x).outputs
            torch.testing.assert_close(got, edited(net, cut[:40])(x), rtol=1e-6, atol=1e-6)
    torch.testing.assert_close(prep.run(x).outputs, net(x))


@pytest.mark.parametrize("case", ["mlp", "cnn", "rnn", "lstm"])
def test_one_player_may_own_many_connections(case: str) -> None:
    net, x = made(case)
    prep = ap.wrap(net, x)
    every = prep.edges()
    for grouping in ("sender", "receiver", "site"):
        grouped = prep.edges(group_by=grouping)
        game = ap.Game(prep, x, SUM, grouped, kind="zero", progress=False)
        rng = np.random.default_rng(1)
        coalitions = rng.random((4, len(grouped))) < 0.5
        for coalition, value in zip(coalitions, game(coalitions)):
            cut = [link for link, kept in zip(links_of(grouped), coalition) if not kept]
            inside = [
                link for link in links_of(every)
                if any((link.sender, link.receiver) == (c.sender, c.receiver)
                       and c.sender_units in (None, link.sender_units)
                       and c.receiver_units in (None, link.receiver_units) for c in cut)
            ]  # fmt: skip
            expected = edited(net, inside)(x).flatten(1).double().sum(1).mean()
            assert value == pytest.approx(float(expected), rel=1e-6, abs=2e-6)


def test_mean_and_donors_are_what_the_receiver_alone_sees() -> None:
    net, x = made("mlp")
    prep = ap.wrap(net, x)
    h = net.act(net.a(x))  # type: ignore[operator]
    mean = h.clone()
    mean[:, 2] = h[:, 2].mean()
    expected = h.clone(), net.b(mean)  # type: ignore[operator]
    with ap.lesioned(prep, ap.Edge("act", "b", sender_units=[2], kind="mean", reference=ap.Stimuli(x))):
        got = prep.run(x).outputs
    torch.testing.assert_close(got, net.c(torch.cat([expected[0], torch.relu(expected[1])], -1)))  # type: ignore[operator]
    donors = {0: 3, 1: 4, 2: 0, 3: 1, 4: 2}
    other = h.clone()
    other[:, 2] = h[[donors[i] for i in range(5)], 2]
    seen = net.b(h).clone()  # type: ignore[operator]
    seen[:, 1] = net.b(other)[:, 1]  # type: ignore[operator]
    reference = ap.record(prep, x, "act")
    edge = ap.Edge("act", "b", sender_units=2, receiver_units=1, kind="resample", reference=reference, donors=donors)
    with ap.lesioned(prep, edge):
        got = prep.run(x).outputs
    torch.testing.assert_close(got, net.c(torch.cat([h, torch.relu(seen)], -1)))  # type: ignore[operator]


def test_a_state_is_cut_at_some_times_and_held_at_its_mean_of_the_step_before() -> None:
    torch.manual_seed(0)
    net = Recurrent(nn.RNN, batch_first=True).eval().requires_grad_(False)
    x = torch.randn(6, 5, 3)
    prep = ap.wrap(net, x)
    states = prep.run(x, read="rnn.h0").activity["rnn.h0"]
    w, u, b = net.rnn.weight_hh_l0, net.rnn.weight_ih_l0, net.rnn.bias_ih_l0 + net.rnn.bias_hh_l0

    def stepped(cut: dict[int, Tensor | float]) -> Tensor:
        h = torch.zeros(6, 5)
        found = []
        for t in range(5):
            sent = h.clone()
            if t in cut:
                sent[:, 1] = cut[t]
            into_2 = x[:, t] @ u.T + b + h @ w.T
            into_2[:, 2] = (x[:, t] @ u.T + b + sent @ w.T)[:, 2]
            h = torch.tanh(into_2)
            found.append(h)
        return net.out(torch.stack(found, 1).mean(1))  # type: ignore[no-any-return]

    cut = ap.Edge("rnn.h0", "rnn.recurrent0", sender_units=[1], receiver_units=[2], time=slice(2, 4), kind="zero")
    with ap.lesioned(prep, cut):
        torch.testing.assert_close(prep.run(x).outputs, stepped({2: 0.0, 3: 0.0}))
    mean = ap.Edge("rnn.h0", "rnn.recurrent0", sender_units=[1], receiver_units=[2], kind="mean",
                   reference=ap.record(prep, x, "rnn.h0"))  # fmt: skip
    with ap.lesioned(prep, mean):
        expected = stepped({t: states[:, t - 1, 1].mean() for t in range(1, 5)})  # at step 0 there is no activity yet
        torch.testing.assert_close(prep.run(x).outputs, expected)


def test_edges_and_units_act_in_one_order_whoever_comes_first() -> None:
    net, x = made("mlp")
    prep = ap.wrap(net, x)
    edge = ap.Edge("act", "b", sender_units=[2], kind="zero")
    unit, sender = ap.Lesion("b", units=[1], kind="zero"), ap.Lesion("act", units=[2], kind="clamp", value=2.0)
    outputs = []
    for order in ((edge, unit, sender), (unit, sender, edge), (sender, edge, unit)):
        with ap.lesioned(prep, *order):
            outputs.append(prep.run(x).outputs)
    game = ap.Game(prep, x, SUM, [sender, edge, unit], kind="mixed", progress=False)
    assert game.lesioned == pytest.approx(float(outputs[0].double().sum(1).mean()))
    for other in outputs[1:]:
        torch.testing.assert_close(other, outputs[0])
    h = net.act(net.a(x))  # type: ignore[operator]
    h[:, 2] = 2.0  # others still see it
    without = h.clone()
    without[:, 2] = 0.0
    seen = net.b(without)  # type: ignore[operator]
    seen[:, 1] = 0.0
    torch.testing.assert_close(outputs[0], net.c(torch.cat([h, torch.relu(seen)], -1)))  # type: ignore[operator]
    with ap.lesioned(prep, unit), pytest.raises(HookError, match="apply them together"), ap.lesioned(prep, edge):
        pass
    with ap.lesioned(prep, edge), ap.lesioned(prep, unit), ap.lesioned(prep, sender):
        torch.testing.assert_close(prep.run(x).outputs, outputs[0])


def test_nothing_is_taken_out_twice() -> None:
    net = nn.Sequential(nn.Identity(), nn.Linear(1, 1, bias=False)).requires_grad_(False)
    net[1].weight.fill_(1.0)  # type: ignore[operator]
    x = torch.ones(3, 4, 1)
    prep = ap.wrap(net, x)

    def edge(time: Any = None, kind: Any = "zero", reference: Any = None) -> ap.Edge:
        return ap.Edge("1.in", "1", kind=kind, time=time, reference=reference)

    with ap.lesioned(prep, edge(), edge()):  # the same one twice is one
        assert prep.run(x).outputs.abs().max() == 0
    with ap.lesioned(prep, edge([0, 1]), edge([2, 3])):
        assert prep.run(x).outputs.abs().max() == 0
    mean = edge(kind="mean", reference=ap.Stimuli(2 * x))
    for two in ((edge(slice(0, 3)), edge(slice(2, 4))), (edge(), edge(1)), (mean, edge())):
        with pytest.raises(LesionError, match="in two ways"), ap.lesioned(prep, *two):
            pass
    with ap.lesioned(prep, edge()), pytest.raises(HookError, match="taken out twice"), ap.lesioned(prep, edge([0])):
        pass
    score = Score(lambda outputs, trials: outputs.flatten(1).sum(1).double(), "sum", "", key="sum")
    game = ap.Game(prep, x, score, prep.edges(), kind="zero", progress=False)
    with ap.lesioned(prep, edge()), pytest.raises(HookError, match="taken out twice"):
        ap.single_lesions(game)


def test_a_circuit_of_edges_is_lesioned_like_a_network() -> None:
    net, x = made("mlp")
    prep = ap.wrap(net, x)
    players = prep.edges("act", "b")
    game = ap.Game(prep, x, SUM, players, kind="mean", progress=False)
    circuit = ap.minimal_circuit(game, holdout=None, method="beam", faithfulness=0.7)
    assert 0 < len(circuit.players) < len(players)
    alone = circuit.preparation()
    inside = {str(p) for p in circuit.players}
    again = ap.Game(alone, x, SUM, alone.edges("act", "b"), kind="mean",
                    reference=ap.record(prep, x, "act", progress=False), progress=False)  # fmt: skip
    kept = np.array([[p in inside for p in players.names]])
    assert again.intact == pytest.approx(float(game(kept)[0]), abs=1e-5)
    single = ap.single_lesions(again).values
    for name in players.names:
        less = kept.copy()
        less[0, players.names.index(name)] = False
        expected = float(game(kept)[0] - game(less)[0])
        assert float(single.sel(player=name)) == pytest.approx(expected, abs=1e-5)
        if name not in inside:
            assert float(single.sel(player=name)) == pytest.approx(0.0, abs=1e-6)
    outside = next(n for n in players.names if n not in inside)
    link = links_of([players[outside]])[0]
    edge = ap.Edge(link.sender, link.receiver, sender_units=link.sender_units, receiver_units=link.receiver_units,
                   kind="zero")  # fmt: skip
    as_it_was = alone.run(x).outputs
    with ap.lesioned(alone, edge):
        torch.testing.assert_close(alone.run(x).outputs, as_it_was)
    with ap.lesioned(prep, edge), pytest.raises(HookError, match="taken out twice"):
        alone.run(x)


def test_gates_of_edges_give_their_gradient() -> None:
    torch.manual_seed(0)
    net = nn.Sequential(nn.Linear(3, 4), nn.Identity(), nn.Linear(4, 2)).requires_grad_(False)
    x = torch.randn(5, 3)
    prep = ap.wrap(net, x)
    game = ap.Game(prep, x, SUM, prep.edges("1", "2"), kind="mean", progress=False)
    single, gradient = ap.single_lesions(game), ap.attribution(game, method="gradient")
    assert gradient.per_trial is not None and single.per_trial is not None
    np.testing.assert_allclose(gradient.per_trial.values, single.per_trial.values, atol=1e-6)
    both = ap.Game(prep, x, SUM, prep.edges(), kind="zero", progress=False)
    assert float(ap.attribution(both).values.sum()) == pytest.approx(both.intact - both.lesioned, abs=1e-5)


def test_a_module_that_is_called_twice_has_edges_of_each_call() -> None:
    class Twice(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.f = nn.Linear(3, 3)

        def forward(self, x: Tensor) -> Tensor:
            return self.f(torch.tanh(self.f(x)))  # type: ignore[no-any-return]

    torch.manual_seed(0)
    net, x = Twice().requires_grad_(False), torch.randn(4, 3)
    prep = ap.wrap(net, x)
    with ap.lesioned(prep, ap.Edge("f.in#1", "f#1", sender_units=[0], kind="zero")):
        got = prep.run(x).outputs
    h = torch.tanh(net.f(x))
    torch.testing.assert_close(got, h[:, 1:] @ net.f.weight[:, 1:].T + net.f.bias)


def test_what_is_no_connection_is_told() -> None:
    net, x = made("mlp")
    prep = ap.wrap(net, x)
    wrong: list[tuple[ap.Edge, str]] = [
        (ap.Edge("a", "b", kind="zero"), "not what comes into 'b'; that is 'act'"),
        (ap.Edge("a", "act", kind="zero"), "no receiver"),
        (ap.Edge("act", "b", sender_units=[6], kind="zero"), "6 entries"),
        (ap.Edge("act", "b", receiver_units=[5], kind="zero"), "5 entries"),
        (ap.Edge("act", "b", slot="q", kind="zero"), "leave it out"),
    ]
    for edge, words in wrong:
        with pytest.raises((LesionError, InputError), match=words), ap.lesioned(prep, edge):
            pass
    with pytest.raises(LesionError, match="wanted one of zero, mean, resample"):
        ap.Edge("act", "b", kind="noise")  # type: ignore[arg-type]
    with pytest.raises(LesionError, match="needs reference"):
        ap.Edge("act", "b", kind="mean")
    with pytest.raises(InputError, match="both cut the same connection"):
        twice = [ap.Edge("act", "b", kind="zero"), ap.Edge("act", "b", sender_units=[1], kind="zero")]
        ap.Game(prep, x, SUM, twice, kind="zero")
    with pytest.raises(LesionError, match="of kind 'gain'"):
        ap.Game(prep, x, SUM, prep.edges("act", "b"), kind="gain", gain=2.0)
    with pytest.raises(LesionError, match="no connection leads from"):
        prep.edges("a", "b")
    with pytest.raises(InputError, match="group_by"):
        prep.edges(group_by="layer")  # type: ignore[arg-type]


def test_edges_are_told_apart_by_all_that_they_do() -> None:
    same = ap.Edge("act", "b", sender_units=[1], kind="zero")
    assert same == ap.Edge("act", "b", sender_units=(1,), kind="zero")
    others = [
        ap.Edge("act", "b", sender_units=[2], kind="zero"), ap.Edge("act", "b", kind="zero"),
        ap.Edge("act", "b", sender_units=[1], receiver_units=[0], kind="zero"),
        ap.Edge("a", "b", sender_units=[1], kind="zero"),
        ap.Edge("act", "c", sender_units=[1], kind="zero"), ap.Edge("act", "b", sender_units=[1], time=2, kind="zero"),
        ap.Edge("act", "b", sender_units=[1], slot="q", kind="zero"),
    ]  # fmt: skip
    assert len({same, *others}) == 1 + len(others)
    assert ap.Lesion("b", kind="zero") not in {same, *others}
