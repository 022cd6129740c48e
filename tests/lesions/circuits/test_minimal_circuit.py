"""Circuits and critical sets: searches against enumeration, what is proven, what held-out trials say, bad input."""

from __future__ import annotations

import math
import pickle
from itertools import combinations
from pathlib import Path
from typing import Any

import networkx as nx
import numpy as np
import pytest
import torch
from fixtures.games import coalitions, game

import artiphys as ap
from artiphys.lesions.circuits.question import Question
from artiphys.lesions.circuits.relevant_players import relevant_players
from artiphys.lesions.circuits.subset_lattice import every_subset, minimal
from artiphys.lesions.games.function_game import as_game
from artiphys.plotting import plot_circuit, plot_circuit_sizes


def dense(n: int, seed: int = 0) -> Any:
    """A game in which every player matters."""
    rng = np.random.default_rng(seed)
    terms = [(rng.choice(n, int(k), replace=False), float(rng.normal(0.25, 0.5))) for k in rng.integers(1, 5, 3 * n)]
    slope = rng.uniform(0.2, 1, n)
    return lambda c: c @ slope + sum(w * c[:, t].all(axis=1) for t, w in terms)


def sparse(n: int) -> Any:
    """Two of three players among many, or another two together."""
    return lambda c: np.maximum(c[:, :3].sum(axis=1) >= 2, c[:, n - 2] & c[:, n - 1]) * 1.0


def enumerated(v: Any, n: int, f: float, critical: bool = False) -> set[frozenset[int]]:
    """All minimal sets, by plain loops."""
    rows = coalitions(n)
    r = dict(zip(map(bytes, rows), (v(rows) - v(rows[:1])) / (v(rows[-1:]) - v(rows[:1]))))
    holds: list[frozenset[int]] = []
    for size in range(n + 1):
        for members in combinations(range(n), size):
            row = np.isin(np.arange(n), members)
            good = r[bytes(~row)] < f - 1e-8 if critical else abs(r[bytes(row)] - 1) <= 1 - f + 1e-9
            if good and not any(h < set(members) for h in holds):
                holds.append(frozenset(members))
    return set(holds)


@pytest.mark.parametrize("f", [0.8, 0.95])
@pytest.mark.parametrize("seed", range(3))
def test_all_minimal_and_critical_sets_of_dense_games(f: float, seed: int) -> None:
    v = dense(8, seed)
    circuit = ap.minimal_circuit(v, n_players=8, faithfulness=f)
    assert circuit.certificate == "exact" and circuit.complete
    assert {frozenset(s) for s in circuit.minimal} == enumerated(v, 8, f)
    critical = ap.critical_sets(v, n_players=8, residual=f)
    assert {frozenset(s) for s in critical.sets} == enumerated(v, 8, f, critical=True)
    assert max(critical.residuals) < f


def test_minimal_sets_of_the_lattice_are_those_of_plain_loops() -> None:
    rng = np.random.default_rng(0)
    for _ in range(20):
        holds = rng.random(2**6) < 0.2
        sets = [frozenset(np.flatnonzero(row)) for row in every_subset(np.arange(6), 6)]
        plain = [h and not any(g and t < s for g, t in zip(holds, sets)) for h, s in zip(holds, sets)]
        assert minimal(holds).tolist() == plain


def test_the_pool_finds_the_few_that_matter_and_proves_it() -> None:
    n = 60
    circuit = ap.minimal_circuit(sparse(n), n_players=n)
    assert {frozenset(s) for s in circuit.minimal} == {frozenset(s) for s in ((0, 1), (0, 2), (1, 2), (58, 59))}
    assert circuit.certificate == "exact within the pool" and set(circuit.pool) == {0, 1, 2, 58, 59}
    assert "64 random contexts" in circuit.certificate_text and circuit.core == ()
    assert sum(v for k, v in circuit.n_evaluations.items() if k != "baseline") < 300
    critical = ap.critical_sets(sparse(n), n_players=n)
    assert {frozenset(s) for s in critical.sets} == {frozenset((a, b, c)) for a, b in combinations(range(3), 2)
                                                     for c in (58, 59)}  # fmt: skip
    assert "One of 4 minimal circuits" in repr(circuit) and "share no player" in repr(circuit)


def test_irrelevant_players_never_enter_the_pool() -> None:
    question = Question(as_game(sparse(40), 40), "sufficient", 0.95, "mean", False, 10_000)
    for seed in range(20):
        pool = relevant_players(question, 1e-5, 16, np.random.default_rng(seed))
        assert set(pool.players) <= {0, 1, 2, 38, 39} and pool.complete and pool.n_silent >= 64


@pytest.mark.parametrize("seed", range(6))
def test_beams_find_the_smallest_set_of_dense_games(seed: int) -> None:
    v = dense(11, seed)
    beam = ap.minimal_circuit(v, n_players=11, method="beam", faithfulness=0.9)
    exact = ap.minimal_circuit(v, n_players=11, method="exact", faithfulness=0.9)
    assert len(beam.players) == len(exact.players)
    assert beam.certificate in ("none smaller within the pool", "1-minimal") and not beam.complete


def test_the_greedy_trap_is_seen_through_by_each_search() -> None:
    toy = ap.toys.load("greedy_trap")
    played = ap.Game(ap.wrap(toy), toy.stimuli, toy.score, toy.lesion_players(), kind="zero")
    for method in ("exact", "pool", "beam"):
        circuit = ap.minimal_circuit(played, holdout=None, method=method)
        assert set(circuit.players) == {"hidden.3", "hidden.4"}
    assert set(circuit.baseline.players) != set(circuit.players) and circuit.baseline.faithfulness < 0.95


def test_opposing_players_make_one_side_too_easy() -> None:
    toy = ap.toys.load("opposing")
    played = ap.Game(ap.wrap(toy), toy.stimuli, toy.score, toy.lesion_players(), kind="zero")
    assert len(ap.minimal_circuit(played, holdout=None).players) == 3
    assert ap.minimal_circuit(played, holdout=None, one_sided=True).players == ("hidden.0",)


def members(played: ap.Game, circuit: ap.Circuit) -> Any:
    return np.array([name in circuit.players for name in played.player_names])


def noisy(n_trials: int = 128, **options: Any) -> ap.Game:
    toy = ap.toys.planted(24, 4, 3, gain_sd=0.5, leak=0.02, n_trials=n_trials, **options)
    prep = ap.wrap(toy)
    return ap.Game(prep, toy.stimuli, toy.score, toy.lesion_players(prep), kind="zero", progress=False)


def test_held_out_figures_are_of_trials_that_the_search_did_not_see() -> None:
    played = noisy()
    circuit = ap.minimal_circuit(played, seed=2)
    rng_rows = np.sort(np.random.default_rng([2, 128]).permutation(128)[:64])
    row = members(played, circuit)[None]
    ends = np.stack([np.ones(24, bool), np.zeros(24, bool)])
    own, (whole, none) = played.per_trial(row)[0], played.per_trial(ends)
    for rows, faithful, fidelity in (
        (rng_rows, circuit.held_out, circuit.held_out_fidelity),
        (np.setdiff1d(np.arange(128), rng_rows), circuit.faithfulness, circuit.fidelity),
    ):
        gap = (whole - none)[rows].mean()
        assert faithful == pytest.approx((own - none)[rows].mean() / gap, rel=1e-5)
        distance = ((own - whole)[rows] ** 2).mean() / ((none - whole)[rows] ** 2).mean()
        assert fidelity == pytest.approx(1 - distance, rel=1e-5)
    low, high = circuit.interval()
    assert low <= circuit.held_out <= high and circuit.verdict == "sufficient"
    assert circuit.members["confirmed"].all() and circuit.n_held_out == circuit.n_trials == 64


def test_named_trials_are_held_out() -> None:
    played = noisy()
    mask = np.arange(128) >= 96
    circuit = ap.minimal_circuit(played, holdout=mask)
    assert (circuit.n_trials, circuit.n_held_out) == (96, 32)
    assert ap.minimal_circuit(played, holdout=np.flatnonzero(mask)).held_out == circuit.held_out


def test_few_trials_warn_and_very_few_are_refused() -> None:
    with pytest.warns(UserWarning, match="only 10 trials"):
        ap.minimal_circuit(noisy(20))
    with pytest.raises(ap.errors.StatisticsError, match="holdout=None if these are all"):
        ap.minimal_circuit(noisy(14))
    with pytest.raises(ap.errors.InputError, match="between 0 and 1"):
        ap.minimal_circuit(noisy(), holdout=1.5)
    with pytest.raises(ap.errors.InputError, match="holdout came as True"):
        ap.minimal_circuit(noisy(), holdout=True)


def test_a_gap_that_held_out_trials_do_not_show_is_refused() -> None:
    x = torch.randn(64, 3, generator=torch.Generator().manual_seed(0))
    net = torch.nn.Sequential(torch.nn.Linear(3, 3), torch.nn.Identity(), torch.nn.Linear(3, 1, bias=False))
    prep = ap.wrap(net.eval(), x)
    played = ap.Game(prep, x - x.mean(dim=0), ap.scores.output(), prep.players("1"), kind="mean")
    with pytest.raises(ap.errors.StatisticsError, match=r"does not differ|nothing for a circuit"):
        ap.minimal_circuit(played)


def test_no_gap_at_all_is_refused_with_both_values() -> None:
    with pytest.raises(ap.errors.StatisticsError, match="3 intact and 3 with all"):
        ap.minimal_circuit(lambda c: np.full(len(c), 3.0), n_players=3)
    with pytest.raises(ap.errors.StatisticsError, match="nothing for a circuit"):
        ap.critical_sets(lambda c: (c.sum(axis=1) % 2 == 0) * 1.0, n_players=4)


def test_one_player_may_carry_the_mean_and_miss_every_trial() -> None:
    """Fidelity sees what the mean hides: two units with opposite errors trial by trial."""
    n = 64
    rng = np.random.default_rng(0)
    error = rng.normal(0, 3, n)
    x = torch.as_tensor(np.stack([1 + error - error.mean(), -(error - error.mean())], axis=1), dtype=torch.float32)
    readout = torch.nn.Linear(2, 1, bias=False)
    with torch.no_grad():
        readout.weight.fill_(1.0)
    net = torch.nn.Sequential(torch.nn.Identity(), readout)
    prep = ap.wrap(net.eval(), x)
    played = ap.Game(prep, x, ap.scores.output(), prep.players("0"), kind="zero")
    by_mean = ap.minimal_circuit(played, holdout=None)
    by_trial = ap.minimal_circuit(played, holdout=None, criterion="trials")
    assert by_mean.players == (played.player_names[0],) and by_mean.fidelity < 0
    assert len(by_trial.players) == 2 and by_trial.fidelity == pytest.approx(1)


def test_redundant_circuits_are_not_called_the_circuit() -> None:
    """Which of two equal copies is chosen hangs on the noise of the trials."""
    n = 64
    rng = np.random.default_rng(1)
    x = torch.as_tensor(1 + rng.normal(0, 0.3, (n, 2)), dtype=torch.float32)
    net = torch.nn.Sequential(torch.nn.Identity(), torch.nn.Hardtanh(), torch.nn.AdaptiveMaxPool1d(1))
    prep = ap.wrap(net.eval(), x)
    played = ap.Game(prep, x, ap.scores.output(), prep.players("0"), kind="zero")
    circuit = ap.minimal_circuit(played, faithfulness=0.8)
    assert circuit.stability is not None and len(circuit.stability.jaccard) >= 100
    assert len(circuit.alternatives) == 1 and not circuit.is_the_circuit
    assert "One of 2 minimal circuits" in repr(circuit)
    assert circuit.stability.mean < 0.8 and "Do not call it the circuit" in repr(circuit)
    stable = ap.minimal_circuit(noisy())
    assert stable.stability is not None and stable.stability.mean > 0.8


def test_searches_reuse_what_the_game_knows() -> None:
    played = game(8)
    first = ap.minimal_circuit(played, holdout=None)
    before = played.n_evaluations
    again = ap.minimal_circuit(played, holdout=None)
    assert played.n_evaluations == before and again.players == first.players
    ap.critical_sets(played, holdout=None)
    ap.interactions(played)
    assert played.n_evaluations == before == 2**8


def test_a_campaign_resumes_a_search(tmp_path: Path) -> None:
    toy = ap.toys.planted(24, 4, 3, n_trials=128)

    def search() -> tuple[ap.Game, ap.Circuit]:
        prep = ap.wrap(toy)
        played = ap.Game(prep, toy.stimuli, toy.score, toy.lesion_players(prep), kind="zero", cache=tmp_path / "kept")
        return played, ap.minimal_circuit(played, holdout=range(64))

    _, first = search()
    played, second = search()
    assert second.players == first.players and second.held_out == first.held_out
    part = played.on(np.arange(64, 128))
    part(np.stack([np.ones(24, bool), np.zeros(24, bool), members(played, first)]))
    assert part.n_evaluations == 0


def test_scores_over_the_whole_set_are_judged_by_redrawn_trials() -> None:
    x = torch.randn(80, 4, generator=torch.Generator().manual_seed(1))
    readout = torch.nn.Linear(4, 1, bias=False)
    with torch.no_grad():
        readout.weight.copy_(torch.tensor([[3.0, 0.2, 0.0, 0.0]]))
    net = torch.nn.Sequential(torch.nn.Identity(), readout)
    labels = (x[:, 0] > 0).int()
    prep = ap.wrap(net.eval(), x)
    stimuli = ap.Stimuli(x, {"label": labels})
    played = ap.Game(prep, stimuli, ap.scores.auc("label"), prep.players("0"), kind="zero")
    circuit = ap.minimal_circuit(played)
    assert (
        circuit.players == (played.player_names[0],)
        and math.isnan(circuit.held_out_fidelity)
        and circuit.stability is None
    )
    low, high = circuit.interval()
    assert low <= circuit.held_out <= high
    with pytest.raises(ap.errors.InputError, match="use 'mean'"):
        ap.minimal_circuit(played, criterion="trials")


def test_functions_hold_nothing_out_and_say_so() -> None:
    circuit = ap.minimal_circuit(dense(5), n_players=5)
    assert math.isnan(circuit.held_out) and "no trials to hold out" in circuit.no_holdout
    with pytest.raises(ap.errors.StatisticsError, match="no trials to hold out"):
        circuit.interval()
    with pytest.raises(ap.errors.ArtiphysError, match="has no network"):
        circuit.preparation()


def test_budgets_that_do_not_suffice_name_the_best_set() -> None:
    v = dense(20)
    with pytest.raises(ap.errors.BudgetError, match="nearest has") as caught:
        ap.minimal_circuit(v, n_players=20, budget=40, method="beam", ranking=list(np.arange(20.0)))
    assert isinstance(caught.value.best, tuple)
    with pytest.raises(ap.errors.BudgetError, match="evaluations"):
        ap.minimal_circuit(v, n_players=20, method="exact")
    with pytest.raises(ap.errors.BudgetError, match=r"method='beam'|all their sets|did not suffice"):
        ap.minimal_circuit(v, n_players=20, method="pool")
    rank: Any = {"ranking": list(np.arange(20.0))}
    short = ap.minimal_circuit(v, n_players=20, budget=800, method="beam", faithfulness=0.3, **rank)
    assert sum(n for k, n in short.n_evaluations.items() if k != "baseline") <= 800
    assert short.certificate in ("none", "1-minimal")


def test_bad_requests() -> None:
    v = dense(4)
    for options, words in (
        ({"faithfulness": 0.0}, "more than 0"),
        ({"faithfulness": 1.2}, "at most 1"),
        ({"criterion": "median"}, "mean"),
        ({"method": "greedy"}, "beam"),
        ({"criterion": "trials"}, "each trial"),
        ({"holdout": [1, 2]}, "names trials"),
        ({"budget": 1}, "even intact"),
        ({"method": "beam", "ranking": [1.0, 2.0]}, "4 finite numbers"),
    ):
        with pytest.raises(ap.errors.InputError, match=words):
            ap.minimal_circuit(v, n_players=4, **options)
    with pytest.raises(ap.errors.InputError, match="no sign"):
        ap.minimal_circuit(noisy(), criterion="trials", one_sided=True)
    with pytest.raises(ap.errors.InputError, match="several outputs"):
        ap.minimal_circuit(lambda c: np.stack([c[:, 0], c[:, 1]], axis=1) * 1.0, n_players=2)
    with pytest.raises(ap.errors.InputError, match="residual"):
        ap.critical_sets(v, n_players=4, residual=0.0)


def test_the_circuit_is_a_network_of_its_own() -> None:
    played = noisy()
    circuit = ap.minimal_circuit(played, holdout=None)
    prep, stimuli = circuit.preparation(), played.stimuli
    inside = members(played, circuit)
    outputs = prep.run(stimuli).outputs
    value = float(played.score(outputs, stimuli).mean())
    assert value == pytest.approx(float(played(inside[None])[0]), abs=1e-5)
    # Recorded: units outside are silent; the network it came from is whole.
    hidden = ap.record(prep, stimuli, "hidden")["hidden"].to_numpy()
    assert (hidden[:, ~inside] == 0).all() and (hidden[:, inside] != 0).any()
    whole = ap.record(played.prep, stimuli, "hidden")["hidden"].to_numpy()
    assert (whole != 0).all()
    # Lesioned, by hand and in a game of its own members.
    names = [p for p in prep.players("hidden") if p.name in circuit.players]
    inner = ap.Game(prep, stimuli, played.score, names, kind="zero", progress=False)
    rows = coalitions(len(names))
    outer = np.zeros((len(rows), len(inside)), dtype=bool)
    outer[:, [played.player_names.index(p.name) for p in names]] = rows
    assert inner(rows) == pytest.approx(played(outer), abs=1e-5)
    unit = int(str(circuit.players[0]).split(".")[1])
    with ap.lesioned(prep, ap.Lesion("hidden", units=[unit], kind="zero")):
        cut = float(played.score(prep.run(stimuli).outputs, stimuli).mean())
    less = inside.copy()
    less[unit] = False
    assert cut == pytest.approx(float(played(less[None])[0]), abs=1e-5)
    # New stimuli, and no hook left behind.
    new = ap.toys.planted(24, 4, 3, gain_sd=0.5, leak=0.02, n_trials=64).stimuli
    assert prep.run(new).outputs.shape == (64,)
    assert not any(m._forward_hooks or m._forward_pre_hooks for m in played.prep.model.modules())
    assert "lesions outside it" in repr(prep)


@pytest.mark.parametrize("kind", ["mean", "resample"])
def test_circuits_of_other_kinds_are_networks_too(kind: Any) -> None:
    played = game(6, kind=kind)
    circuit = ap.minimal_circuit(played, holdout=None, faithfulness=0.7)
    prep = circuit.preparation()
    value = float(played.score(prep.run(played.stimuli).outputs, played.stimuli).mean())
    inside = members(played, circuit)
    assert value == pytest.approx(float(played(inside[None])[0]), abs=1e-5)


def test_graphs_tables_and_pickles(tmp_path: Path) -> None:
    played = game(6)
    circuit = ap.minimal_circuit(played, holdout=None, faithfulness=0.8)
    graph = circuit.to_networkx(ap.shapley(played), ap.interactions(played))
    assert set(graph) == set(circuit.players)
    assert {"effect", "confirmed", "contribution", "low", "high"} <= set(graph.nodes[circuit.players[0]])
    for a, b, data in graph.edges(data=True):
        assert data["value"] == pytest.approx(ap.interactions(played).of(a, b))
    nx.write_graphml(graph, tmp_path / "circuit.graphml")
    again = pickle.loads(pickle.dumps(circuit))
    assert again.players == circuit.players and again.members.equals(circuit.members)
    with pytest.raises(ap.errors.ArtiphysError, match="without its game"):
        again.preparation()
    table = circuit.by_size(4)
    at = table[(table["size"] == len(circuit.players)) & (table["which"] == "circuit")]
    assert float(at["faithfulness"].iloc[0]) == pytest.approx(circuit.faithfulness)
    assert table[table["size"] == 6]["faithfulness"].to_numpy() == pytest.approx([1, 1])
    critical = ap.critical_sets(played, holdout=None)
    assert list(critical.to_dataframe()["size"]) == [len(s) for s in critical.sets]
    assert "less than 0.95" in critical.methods_text()
    with pytest.raises(ap.errors.InputError, match="other players"):
        circuit.to_networkx(ap.shapley(dense(6), n_players=6))
    assert "was sought" in circuit.methods_text()


@pytest.mark.parametrize("kind", ["zero", "mean", "gain"])
@pytest.mark.parametrize("other", ["zero", "clamp", "gain", "noise"])
def test_lesions_of_a_circuit_mean_the_same_in_games_and_outside_them(kind: Any, other: Any) -> None:
    """The later lesion counts: also of units that the circuit lesions already, and no lesion acts twice."""
    options: dict[str, Any] = {"gain": {"gain": 0.3}}.get(kind, {})
    played = game(6, kind=kind, **options)
    alone = ap.minimal_circuit(played, holdout=None, faithfulness=0.6, one_sided=True).preparation()
    parameters: dict[str, Any] = {"clamp": {"value": 2.0}, "gain": {"gain": 0.5}, "noise": {"sd": 1.0}}.get(other, {})
    inner = ap.Game(alone, played.stimuli, played.score, alone.players("1"), kind=other, progress=False, **parameters)
    for unit in range(6):
        with ap.lesioned(alone, ap.Lesion("1", units=[unit], kind=other, **parameters)):
            by_hand = float(played.score(alone.run(played.stimuli).outputs, played.stimuli).mean())
            read = alone.run(played.stimuli, "1").activity["1"][:, unit]
        row = np.arange(6) != unit
        assert by_hand == pytest.approx(float(inner(row[None])[0]), abs=1e-5)
        if other == "clamp":
            assert torch.equal(read, torch.full_like(read, 2.0))
    with pytest.raises(ap.errors.ArtiphysError, match="unwrap that one"):
        alone.unwrap()


def test_a_gap_that_searched_trials_or_a_score_of_the_whole_set_do_not_show_is_refused() -> None:
    rng = np.random.default_rng(0)
    x = torch.as_tensor(rng.normal(size=(80, 3)), dtype=torch.float32)
    x[:40] -= x[:40].mean(dim=0) - 0.01
    x[40:] += 2
    readout = torch.nn.Linear(3, 1, bias=False)
    with torch.no_grad():
        readout.weight.fill_(1.0)
    prep = ap.wrap(torch.nn.Sequential(torch.nn.Identity(), readout).eval(), x)
    stimuli = ap.Stimuli(x, {"label": rng.integers(0, 2, 80)})
    played = ap.Game(prep, stimuli, ap.scores.output(), prep.players("0"), kind="zero", progress=False)
    with pytest.raises(ap.errors.StatisticsError, match="searched"):
        ap.minimal_circuit(played, holdout=range(40, 80))
    by_chance = ap.Game(prep, stimuli, ap.scores.auc("label"), prep.players("0"), kind="zero", progress=False)
    with pytest.raises(ap.errors.StatisticsError, match="does not differ"):
        ap.minimal_circuit(by_chance)


@pytest.mark.parametrize("method", ["beam", "gradient", "auto"])
def test_a_gap_of_rounding_is_no_gap(method: Any) -> None:
    """Units at their mean before a linear readout leave the mean score where it was; trial by trial they do not."""
    torch.manual_seed(0)
    net = torch.nn.Sequential(torch.nn.Linear(3, 20), torch.nn.ReLU(), torch.nn.Linear(20, 1)).eval()
    x = torch.randn(100, 3)
    prep = ap.wrap(net, x)
    flat = ap.Game(prep, x, ap.scores.output(), prep.players("1"), kind="mean", progress=False)
    with pytest.raises(ap.errors.StatisticsError, match="nothing for a circuit to explain"):
        ap.minimal_circuit(flat, method=method, holdout=None)
    for holdout in (None, 0.5):
        found = ap.minimal_circuit(flat, method=method, holdout=holdout, criterion="trials", faithfulness=0.8)
        assert found.fidelity >= 0.8 and len(found.players) < 20
        table = found.by_size(n_random=2)
        assert table["fidelity"].notna().all() and table["faithfulness"].isna().all()
        plot_circuit_sizes(found, table)
        if holdout is None:
            assert math.isnan(found.faithfulness) and "faithfulness of" not in found.methods_text()
        else:
            assert found.held_out_fidelity > 0.6


def test_trials_that_do_not_tell_are_refused_for_both_criteria() -> None:
    x = torch.ones(80, 2)
    prep = ap.wrap(torch.nn.Sequential(torch.nn.Identity(), torch.nn.Linear(2, 1)).eval(), torch.randn(40, 2))
    same = ap.Game(prep, x, ap.scores.output(), prep.players("0"), kind="mean", progress=False)
    for criterion in ("mean", "trials"):
        with pytest.raises(ap.errors.StatisticsError):
            ap.minimal_circuit(same, criterion=criterion)


def test_members_of_a_circuit_of_trials_are_judged_by_fidelity() -> None:
    torch.manual_seed(0)
    net = torch.nn.Sequential(torch.nn.Linear(3, 20), torch.nn.ReLU(), torch.nn.Linear(20, 1)).eval()
    x = torch.randn(100, 3) + 0.5
    prep = ap.wrap(net, x)
    played = ap.Game(prep, x, ap.scores.output(), prep.players("1"), kind="zero", progress=False)
    rows = list(range(50, 100))
    for method in ("beam", "gradient"):
        how: Any = {"criterion": "trials", "method": method, "faithfulness": 0.9}
        found = ap.minimal_circuit(played, holdout=rows, **how)
        held = played.on(rows)
        names = list(held.player_names)
        masks = np.array([[n in found.players for n in names]] * (1 + len(found.players)))
        for i, player in enumerate(found.players):
            masks[1 + i, names.index(player)] = False
        intact, none = held.per_trial(np.array([[True] * 20, [False] * 20]))
        levels = 1 - ((held.per_trial(masks) - intact) ** 2).mean(1) / ((none - intact) ** 2).mean()
        assert found.members["effect"].to_numpy() == pytest.approx(levels[0] - levels[1:], abs=1e-5)
        assert (found.members["effect"][found.members["confirmed"].astype(bool)] > 0).all()
        assert "interval of the fidelity" in found.methods_text() and found.verdict in found.methods_text()


def test_a_ranking_keeps_the_budget() -> None:
    """A score without a gradient is ranked by sampled values; they are evaluations too."""
    torch.manual_seed(0)
    net = torch.nn.Sequential(torch.nn.Linear(3, 40), torch.nn.Tanh(), torch.nn.Linear(40, 2)).eval()
    x = torch.randn(100, 3)
    labels = net(x).argmax(dim=1)
    prep = ap.wrap(net, x)
    stimuli = ap.Stimuli(x, {"label": labels.numpy()})
    played = ap.Game(prep, stimuli, ap.scores.accuracy("label"), prep.players("1"), kind="zero", progress=False)
    how: Any = {"method": "beam", "faithfulness": 0.8, "holdout": None, "budget": 600}
    try:
        spent = ap.minimal_circuit(played, **how).n_evaluations
        assert sum(v for k, v in spent.items() if k != "baseline") <= 600 and spent["ranking"] > 0
    except ap.errors.BudgetError:
        pass
    assert played.n_evaluations <= 600 + 40
    with pytest.raises(ap.errors.InputError, match="whole number"):
        ap.minimal_circuit(played, budget=2.5)  # type: ignore[arg-type]
    with pytest.raises(ap.errors.InputError, match="ranking= is for 'beam'"):
        ap.minimal_circuit(played, method="gradient", ranking=np.arange(40), holdout=None)
    with pytest.raises(ap.errors.InputError, match="critical sets need"):
        ap.critical_sets(played, method="gradient", holdout=None)


def test_members_of_a_score_of_the_whole_set_are_tested() -> None:
    x = torch.randn(80, 3, generator=torch.Generator().manual_seed(1))
    readout = torch.nn.Linear(3, 1, bias=False)
    with torch.no_grad():
        readout.weight.copy_(torch.tensor([[3.0, 3.0, 0.0]]))
    labels = (x[:, 0] + x[:, 1] > 0).int()
    prep = ap.wrap(torch.nn.Sequential(torch.nn.Identity(), readout).eval(), x)
    stimuli = ap.Stimuli(x, {"label": labels})
    played = ap.Game(prep, stimuli, ap.scores.auc("label"), prep.players("0"), kind="zero", progress=False)
    circuit = ap.minimal_circuit(played)
    assert len(circuit.players) == 2 and circuit.members["confirmed"].all()
    assert (circuit.members["stderr"] > 0).all() and (circuit.members["p_holm"] < 0.05).all()


@pytest.mark.parametrize("n", [17, 24, 30])
def test_a_behaviour_that_all_players_share_is_found_by_beams(n: int) -> None:
    circuit = ap.minimal_circuit(lambda c: c.mean(axis=1), n_players=n, holdout=None)
    assert len(circuit.players) == math.ceil(0.95 * n - 1e-9) and circuit.method == "beam"
    assert "Nothing was held out" in repr(circuit)


def test_rounding_of_single_precision_is_no_interaction() -> None:
    w = np.random.default_rng(0).normal(size=4).astype(np.float32)
    found = ap.interactions(lambda c: c.astype(np.float32) @ w, n_players=4)
    assert set(found.reading.values) == {"", "additive"}


def test_members_of_a_behaviour_that_is_lower_intact_do_not_work_against_it() -> None:
    circuit = ap.minimal_circuit(lambda c: 5 - 3.0 * (c[:, 0] & c[:, 1]) - (c[:, 2] | c[:, 3]), n_players=4)
    assert circuit.intact < circuit.lesioned
    assert plot_circuit(circuit).get_legend() is None
