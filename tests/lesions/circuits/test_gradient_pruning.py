"""Pruning by gradients: large circuits in wide networks, what is said of them, and bad input."""

from __future__ import annotations

import pickle
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from torch import nn

import artiphys as ap
from artiphys.errors import BudgetError, InputError
from artiphys.lesions.circuits.gradient_pruning import spared

N, N_TRIALS = 200, 64


def wide(n: int = N, seed: int = 0, strong: int = 0) -> ap.Game:
    """A hidden layer of which some units do much, and many a little that differs by trial and cancels together."""
    torch.manual_seed(seed)
    hidden, out = nn.Linear(8, n), nn.Linear(n, 1)
    with torch.no_grad():
        out.weight *= 0.3
        out.weight[0, :strong] = 4.0
        hidden.weight[:strong] = 0.5
        hidden.bias[:strong] = 0.3
        if not strong:  # a mean that differs from 0
            out.weight += 0.02 * hidden.weight.sum(dim=1).sign()
    net = nn.Sequential(hidden, nn.Tanh(), out)
    x = torch.randn(N_TRIALS, 8, generator=torch.Generator().manual_seed(seed)) + 0.4
    prep = ap.wrap(net.eval(), example=x[:2])
    return ap.Game(prep, x, ap.scores.output(), prep.players("1"), kind="zero", progress=False)


def test_those_are_spared_that_cancel_on_each_trial() -> None:
    rng = np.random.default_rng(0)
    effects, gone = rng.normal(size=(500, 16)) + 0.1, rng.normal(size=16)
    chosen = spared(effects, gone, 100)
    assert len(set(chosen.tolist())) == 100
    smallest = np.argsort(np.abs(effects).mean(axis=1))[:100]
    left, naive = (np.linalg.norm(gone - effects[rows].sum(axis=0)) for rows in (chosen, smallest))
    assert left < 0.5 * naive
    assert np.abs(effects[chosen]).mean() < 1.3 * np.abs(effects[smallest]).mean()
    assert len(spared(effects, gone, 1)) == 1 and len(spared(effects[:1], gone, 1)) == 1


@pytest.mark.parametrize("criterion", ["mean", "trials"])
def test_a_strong_few_are_found_among_many(criterion: Any) -> None:
    game = wide(strong=6)
    circuit = ap.minimal_circuit(game, method="gradient", criterion=criterion, faithfulness=0.9)
    assert circuit.method == "gradient" and circuit.verdict == "sufficient"
    assert 4 <= len(circuit.players) <= 12 and circuit.certificate == "1-minimal" and not circuit.is_the_circuit
    assert sum(int(str(p).split(".")[-1]) < 6 for p in circuit.players) >= 4
    assert circuit.members["tried"].all()


def test_a_large_circuit_is_smaller_than_by_one_ranking_and_says_what_was_not_tried() -> None:
    game = wide()
    circuit = ap.minimal_circuit(game, method="gradient", criterion="trials", faithfulness=0.95, seed=1)
    assert 64 < len(circuit.players) < 0.8 * N and circuit.held_out_fidelity > 0.85
    assert not circuit.is_the_circuit and circuit.in_words().startswith("A circuit: ")
    assert circuit.certificate == "none" and "steps of pruning by gradients" in circuit.methods_text()
    members = circuit.members
    assert members["tried"].sum() == 64 and not members["confirmed"][~members["tried"]].any()
    assert members["effect"].notna().all() and members["p_holm"].notna().sum() == 64
    assert np.abs(members["effect"][members["tried"]]).min() > 0
    assert "64 members of largest gradient" in circuit.in_words() and len(circuit.in_words()) < 1200
    # As many units by their gradient where all are intact copy the trials worse.
    ranking = np.abs(ap.attribution(game, method="gradient").values.to_numpy())
    row = np.zeros((3, N), bool)
    row[0], row[2, np.argsort(-ranking)[: len(circuit.players)]] = True, True
    intact, none, ranked = game.per_trial(row)
    assert 1 - ((ranked - intact) ** 2).mean() / ((none - intact) ** 2).mean() < circuit.held_out_fidelity
    table = circuit.by_size(n_random=2)
    own = table[table["which"] == "circuit"]
    assert {len(circuit.players), N} <= set(own["size"]) and own["size"].is_monotonic_increasing
    assert own["fidelity"].iloc[-1] == pytest.approx(1) and len(own) > 5
    masks = np.array([[p in circuit.players for p in game.player_names], [True] * N, [False] * N])
    chosen, intact, none = game.per_trial(masks)
    true = 1 - ((chosen - intact) ** 2).mean() / ((none - intact) ** 2).mean()
    at = own.set_index("size").loc[len(circuit.players)]
    assert at["fidelity"] == pytest.approx(true, abs=1e-6), "the circuit itself, whatever else has its size"
    again = pickle.loads(pickle.dumps(circuit))
    assert again.players == circuit.players and again.in_words() == circuit.in_words()
    assert len(circuit.to_networkx()) == len(circuit.players)


def test_auto_prunes_by_gradients_where_players_are_very_many() -> None:
    game = wide(1100)
    circuit = ap.minimal_circuit(game, faithfulness=0.8)
    assert circuit.method == "gradient" and len(circuit.players) < 700
    assert ap.minimal_circuit(wide(1100, strong=3), faithfulness=0.8).method == "pool", "few matter: proven there"
    with pytest.raises(InputError, match=r"a function on coalitions has no gradient"):
        ap.minimal_circuit(lambda c: c.sum(1) * 1.0, n_players=4, method="gradient")
    rough = ap.scores.accuracy(torch.zeros(N_TRIALS, dtype=torch.long))
    prep = game.prep
    stepped = ap.Game(prep, game.stimuli, rough, prep.players("1"), kind="zero", progress=False)
    with pytest.raises(ap.errors.ArtiphysError):
        ap.minimal_circuit(stepped, method="gradient")


def test_a_budget_too_small_names_what_came_nearest() -> None:
    with pytest.raises(BudgetError, match="does not suffice"):
        ap.minimal_circuit(wide(), method="gradient", budget=2)
    with pytest.raises(BudgetError, match="nearest has") as error:
        ap.minimal_circuit(wide(), method="gradient", budget=3, faithfulness=1.0)
    assert len(error.value.best) == 150
    with pytest.raises(BudgetError, match="Try method='beam'"):
        ap.minimal_circuit(wide(2), method="gradient", faithfulness=1.0, holdout=None)


def test_finer_steps_follow_where_coarse_ones_miss() -> None:
    """Few players, each needed: a quarter at once is too much, one at a time finds the idle ones."""
    torch.manual_seed(0)
    hidden, out = nn.Linear(8, 12), nn.Linear(12, 1)
    with torch.no_grad():
        out.weight[0] = torch.tensor([2.0] * 11 + [0.01])
        hidden.bias.add_(0.5)
    x = torch.randn(N_TRIALS, 8, generator=torch.Generator().manual_seed(0))
    prep = ap.wrap(nn.Sequential(hidden, nn.Tanh(), out).eval(), example=x[:2])
    game = ap.Game(prep, x, ap.scores.output(), prep.players("1"), kind="zero", progress=False)
    circuit = ap.minimal_circuit(game, method="gradient", criterion="trials", faithfulness=0.9999, holdout=None)
    assert [str(p) for p in circuit.players] == [f"1.{i}" for i in range(11)]


def test_gradients_within_a_coalition_are_those_of_the_lesioned_network() -> None:
    game = wide(12)
    kept = np.arange(12) % 3 != 0
    found = ap.attribution(game, method="gradient", within=kept)
    prep = game.prep
    rest, inner = ([ap.Lesion("1", units=[i], kind="zero") for i in np.flatnonzero(k).tolist()] for k in (~kept, kept))
    expected = np.zeros(12)
    hidden = ap.record(prep, game.stimuli, "1", progress=False)["1"].values
    model: Any = prep.model
    expected[kept] = (model[2].weight[0].detach().numpy() * hidden).mean(axis=0)[kept]
    assert found.values.to_numpy() == pytest.approx(expected, abs=1e-5)
    assert found.intact == pytest.approx(float(game(kept[None])[0])) and found.lesioned == pytest.approx(game.lesioned)
    whole = ap.attribution(game, within=kept)
    assert whole.gap == pytest.approx(0, abs=1e-4)
    with ap.lesioned(prep, *rest):
        bare = ap.attribution(ap.Game(prep, game.stimuli, game.score, inner, kind="zero", progress=False))
    assert whole.values.to_numpy()[kept] == pytest.approx(bare.values.to_numpy(), abs=1e-5)
    assert "All but 8 of 12 players were lesioned throughout" in whole.methods_text()
    by_name = pd.Series(kept, index=list(game.player_names))[::-1]
    for same in (by_name, list(kept), torch.as_tensor(kept), kept.astype(int)):
        again = ap.attribution(game, method="gradient", within=same)
        assert again.values.to_numpy() == pytest.approx(found.values.to_numpy())
    circuit = ap.minimal_circuit(wide(12, strong=2), holdout=None, faithfulness=0.6)
    inside = ap.attribution(game, method="gradient", within=circuit).values
    assert {p for p in inside["player"].values if float(inside.sel(player=p)) != 0} == set(circuit.players)
    with pytest.raises(InputError, match="other players"):
        ap.attribution(game, within=by_name.iloc[1:])
    assert "seed" not in whole.methods_text() and "give the error over trials" in whole.methods_text()
    with pytest.raises(InputError, match="within= wants a bool"):
        ap.attribution(game, within=np.ones(5, bool))
    with pytest.raises(InputError, match="one coalition"):
        ap.attribution(game, within=np.ones((2, 12), bool))
