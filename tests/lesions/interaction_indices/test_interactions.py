"""Interactions against their definitions, shapiq, enumeration; intervals, readings, refusals and errors."""

from __future__ import annotations

import math
import pickle
from itertools import combinations
from pathlib import Path
from typing import Any

import networkx as nx
import numpy as np
import pytest
import shapiq
from fixtures.games import coalitions, game
from shapiq.game_theory.exact import ExactComputer

import artiphys as ap
from artiphys.lesions.estimators.interaction_weights import Interaction, sets_of

INDICES: tuple[Any, ...] = ("SII", "k-SII", "STII", "Banzhaf")


def table(n: int, seed: int = 0) -> Any:
    """A game of random values."""
    values = np.random.default_rng(seed).normal(size=2**n)
    return lambda rows: values[rows.astype(int) @ (1 << np.arange(n))]


def quadratic(n: int, seed: int = 0) -> Any:
    rng = np.random.default_rng(seed)
    both, one = rng.normal(size=(n, n)), rng.normal(size=n)
    return lambda rows: np.einsum("ci,ij,cj->c", rows * 1.0, both, rows * 1.0) + rows @ one


def by_definition(
    values: dict[frozenset[int], float], n: int, players: tuple[int, ...], index: str, order: int
) -> float:
    """Weighted mean of discrete derivatives, written out."""
    size, total = len(players), 0.0
    others = [p for p in range(n) if p not in players]
    for k in range(len(others) + 1):
        for context in combinations(others, k):
            derivative = sum(
                (-1) ** (size - j) * values[frozenset(context + part)]
                for j in range(size + 1) for part in combinations(players, j)
            )  # fmt: skip
            if index == "Banzhaf":
                weight = 2.0 ** (size - n)
            elif index == "STII" and size < order:
                weight = float(k == 0)
            elif index == "STII":
                weight = size / n / math.comb(n - 1, k)
            else:
                weight = math.factorial(n - k - size) * math.factorial(k) / math.factorial(n - size + 1)
            total += weight * derivative
    return total


@pytest.mark.parametrize("index", ["SII", "STII", "Banzhaf"])
@pytest.mark.parametrize("order", [2, 3])
def test_exact_values_are_the_definition(index: Any, order: int) -> None:
    n, v = 5, table(5)
    rows = coalitions(n)
    values = {frozenset(np.flatnonzero(r).tolist()): float(x) for r, x in zip(rows, v(rows))}
    found = ap.interactions(v, n_players=n, index=index, order=order)
    assert found.exact
    for size in range(1, order + 1):
        for players in combinations(range(n), size):
            assert found.of(*players) == pytest.approx(by_definition(values, n, players, index, order), abs=1e-12)


@pytest.mark.parametrize(("index", "name"), [("SII", "SII"), ("k-SII", "k-SII"), ("STII", "STII"), ("Banzhaf", "BII")])
@pytest.mark.parametrize("order", [2, 3])
def test_exact_values_equal_shapiq(index: Any, name: Any, order: int) -> None:
    n, v = 7, table(7, 3)

    class Game(shapiq.Game):  # type: ignore[misc]
        def value_function(self, coalitions: Any) -> Any:
            return v(coalitions)

    theirs = ExactComputer(Game(n_players=n, normalize=False), n)(name, order)
    ours = ap.interactions(v, n_players=n, index=index, order=order)
    for players in ours.values["interaction"].values:
        assert ours.of(*players) == pytest.approx(theirs[players], abs=1e-10)


@pytest.mark.parametrize("index", INDICES)
@pytest.mark.parametrize("order", [2, 3])
def test_values_of_monomials_are_those_of_their_coalitions(index: Any, order: int) -> None:
    """The closed forms that the estimates rest on, and the weights of coalitions, say the same."""
    n = 7
    interaction, rows = Interaction(index, n, order), coalitions(n)
    x = np.where(rows, 1.0, -1.0)
    for size in interaction.sizes:
        weights = interaction.coalition_weights(sets_of(n, size), rows)
        for members in (0, 1, 2, 3, 4, 5, 7):
            monomial = x[:, :members].prod(axis=1)
            expected = [
                interaction.of_monomial(size, members - size) if set(s) <= set(range(members)) else 0.0
                for s in sets_of(n, size).tolist()
            ]
            assert weights @ monomial == pytest.approx(np.array(expected), abs=1e-12)
        for held in range(n + 1):
            of_size = weights @ (rows.sum(axis=1) == held)
            assert of_size == pytest.approx(np.full(len(of_size), interaction.of_size(size, held)), abs=1e-12)


def test_k_sii_adds_up_to_the_gap_and_holds_the_shapley_values() -> None:
    v = table(6, 1)
    for order in (2, 3):
        found = ap.interactions(v, n_players=6, order=order)
        assert float(found.values.sum()) == pytest.approx(found.intact - found.lesioned)
        shapley = ap.shapley(v, n_players=6)
        assert found.contributions.to_numpy() == pytest.approx(shapley.values.to_numpy())


@pytest.mark.parametrize("index", INDICES)
def test_a_quadratic_game_is_exact_from_a_few_pairs(index: Any) -> None:
    n, v = 12, quadratic(12)
    exact = ap.interactions(v, n_players=n, index=index, method="exact", budget=2**n)
    few = ap.interactions(v, n_players=n, index=index, budget=400, method="sampled")
    assert not few.exact and few.n_evaluations <= 400
    assert few.values.to_numpy() == pytest.approx(exact.values.to_numpy(), abs=1e-8)
    assert few.reading.values[-1] == exact.reading.values[-1]


@pytest.mark.parametrize("index", INDICES)
@pytest.mark.parametrize("order", [2, 3])
def test_all_pairs_are_the_exact_values(index: Any, order: int) -> None:
    v = table(8, 2)
    exact = ap.interactions(v, n_players=8, index=index, order=order)
    every = ap.interactions(v, n_players=8, index=index, order=order, budget=2**8 + 60, method="sampled")
    assert every.values.to_numpy() == pytest.approx(exact.values.to_numpy(), abs=1e-10)
    assert float(every.stderr.max()) < 1e-12


@pytest.mark.many_runs
@pytest.mark.parametrize(("index", "order"), [("SII", 2), ("k-SII", 2), ("STII", 2), ("Banzhaf", 2), ("SII", 3)])
def test_estimates_are_free_of_bias_and_their_intervals_hold(index: Any, order: int) -> None:
    """A game of fourth order beside which second order is small: no model of it is right."""
    n = 8
    rng = np.random.default_rng(5)
    terms = [(rng.choice(n, int(k), replace=False), float(rng.normal())) for k in rng.integers(1, 5, 30)]

    def v(rows: Any) -> Any:
        return sum(w * rows[:, t].all(axis=1) for t, w in terms)

    exact = ap.interactions(v, n_players=n, index=index, order=order).values.to_numpy()
    runs = [
        ap.interactions(v, n_players=n, index=index, order=order, budget=250, seed=s, method="sampled")
        for s in range(60)
    ]
    values = np.stack([r.values.to_numpy() for r in runs])
    stderr = np.stack([r.stderr.to_numpy() for r in runs])
    assert stderr.max() > 1e-6, "nothing was sampled"
    z = (values.mean(axis=0) - exact) / np.maximum(values.std(axis=0, ddof=1) / np.sqrt(len(runs)), 1e-9)
    assert np.abs(z).max() < 4.5
    ends = [r.interval(over="coalitions") for r in runs]
    inside = np.stack([(low.to_numpy() <= exact + 1e-9) & (exact <= high.to_numpy() + 1e-9) for low, high in ends])
    known = np.stack([~np.isnan(low.to_numpy()) for low, _ in ends]) & (stderr > 1e-9)
    assert 0.88 < inside[known].mean() < 0.99


def test_draws_grow_with_the_budget_and_are_the_games_own() -> None:
    played = game(10)
    ap.interactions(played, budget=300, seed=1, method="sampled")
    before = played.n_evaluations
    ap.interactions(played, budget=300, seed=1, method="sampled")
    assert played.n_evaluations == before
    more = ap.interactions(played, budget=500, seed=1, method="sampled")
    assert played.n_evaluations == more.n_evaluations <= 500
    again = ap.interactions(game(10), budget=500, seed=1, method="sampled")
    assert again.values.to_numpy() == pytest.approx(more.values.to_numpy(), abs=1e-9)


def test_a_tolerance_stops_early() -> None:
    v = quadratic(12)
    found = ap.interactions(v, n_players=12, tolerance=0.01)
    assert not found.exact and found.n_evaluations < 2**12 and "stopped" in found.why


def test_errors_over_stimuli_are_those_of_a_plain_loop_over_trials() -> None:
    played = game(5)
    found = ap.interactions(played, index="SII")
    per_trial = played.per_trial(coalitions(5))

    def trial(t: int) -> Any:
        return lambda rows: per_trial[rows.astype(int) @ (1 << np.arange(5)), t]

    each = [ap.interactions(trial(t), n_players=5, index="SII").values.to_numpy() for t in range(per_trial.shape[1])]
    expected = np.std(each, axis=0, ddof=1) / np.sqrt(len(each))
    assert found.stderr_stimuli.to_numpy() == pytest.approx(expected, rel=1e-6, abs=1e-12)
    low, high = found.interval()
    # Where one of twenty trials alone differs from the others, their spread is not known.
    odd = (np.abs(each - np.median(each, axis=0)) > 1e-6).sum(axis=0)
    assert np.array_equal(np.isnan(low.to_numpy()), odd < 2) and "4 of 15 values" in found.refused_stimuli
    assert bool(((low <= found.values) & (found.values <= high))[odd > 1].all())


def test_readings_name_synergy_redundancy_and_opposition() -> None:
    def read(fn: Any, n: int = 2) -> str:
        return str(ap.interactions(fn, n_players=n).reading.values[-1])

    assert read(lambda c: (c[:, 0] & c[:, 1]) * 1.0) == "synergy"
    assert read(lambda c: (c[:, 0] | c[:, 1]) * 1.0) == "redundancy"
    assert read(lambda c: c.sum(axis=1) * 1.0) == "additive"
    # A behaviour that is lower intact: working together still reads as synergy.
    assert read(lambda c: -1.0 * (c[:, 0] & c[:, 1])) == "synergy"
    # The second player works against the first: more than the sum of the parts is not more of the behaviour.
    assert read(lambda c: c @ [3.0, -1.0] + 0.5 * (c[:, 0] & c[:, 1])) == "superadditive"
    assert read(lambda c: c @ [3.0, -1.0] - 0.5 * (c[:, 0] & c[:, 1])) == "subadditive"


def test_what_noise_over_trials_allows_no_word_for_is_undecided() -> None:
    found = ap.interactions(game(4), confidence=0.999999)
    assert "undecided" in set(found.readings("both").values)
    assert set(found.readings("coalitions").values) <= {"", "synergy", "redundancy", "additive", "superadditive",
                                                        "subadditive"}  # fmt: skip


def test_refused_interactions_are_named_and_others_are_not() -> None:
    """Two players whose joint effect shows in one of hundreds of coalitions."""

    def v(rows: Any) -> Any:
        return rows[:, :3] @ [1.0, 2.0, 3.0] + 50.0 * rows.all(axis=1)

    found = ap.interactions(v, n_players=14, budget=500, index="SII", method="sampled")
    low, _ = found.interval(over="coalitions")
    assert np.array_equal(np.isnan(low.to_numpy()), found.refused.to_numpy())
    assert set(found.readings("coalitions")[found.refused].values) <= {"", "undecided"}


def test_intervals_that_hold_together_are_wider() -> None:
    found = ap.interactions(game(5))
    narrow, wide = found.interval(), found.interval(simultaneous=True)
    several = np.array([len(k) > 1 for k in found.values["interaction"].values])
    known = ~np.isnan(narrow[0].to_numpy())
    assert known.sum() == 11 and bool((wide[1] - wide[0] >= narrow[1] - narrow[0])[known].all())
    assert float((wide[1] - wide[0])[several].sum()) > float((narrow[1] - narrow[0])[several].sum())


def test_scores_of_several_outputs() -> None:
    def v(rows: Any) -> Any:
        return np.stack([(rows[:, 0] & rows[:, 1]) * 1.0, (rows[:, 0] | rows[:, 1]) * 1.0], axis=1)

    found = ap.interactions(v, n_players=2)
    assert found.of(0, 1).to_numpy().tolist() == [1.0, -1.0]
    assert found.readings("coalitions").values[-1].tolist() == ["synergy", "redundancy"]
    assert found.matrix(output=1).loc[0, 1] == -1.0
    assert len(found.to_dataframe("coalitions")) == 6
    with pytest.raises(ap.errors.InputError, match="one of"):
        found.matrix()


def test_results_are_tables_graphs_and_pickles(tmp_path: Path) -> None:
    found = ap.interactions(game(4), order=3)
    assert list(found.to_dataframe()["order"]) == [1] * 4 + [2] * 6 + [3] * 4
    matrix = found.matrix()
    assert matrix.to_numpy()[0, 2] == matrix.to_numpy()[2, 0] == found.of("1.2", "1.0")
    graph = found.to_networkx()
    assert graph.number_of_edges() == 6 and graph.edges["1.0", "1.1"]["value"] == found.of("1.0", "1.1")
    nx.write_graphml(graph, tmp_path / "graph.graphml")
    assert len(nx.read_graphml(tmp_path / "graph.graphml")) == 4
    again = pickle.loads(pickle.dumps(found))
    assert again.values.equals(found.values) and "order 3" in repr(again)
    assert "Holm" in found.methods_text() and len(found.top(3)) == 3


def test_bad_requests() -> None:
    v = table(5)
    for options, error, words in (
        ({"order": 1}, ap.errors.InputError, "ap.shapley"),
        ({"order": 4}, ap.errors.InputError, "2 or 3"),
        ({"order": True}, ap.errors.InputError, "whole number"),
        ({"index": "CHII"}, ap.errors.InputError, "k-SII"),
        ({"method": "fast"}, ap.errors.InputError, "sampled"),
        ({"method": "exact", "budget": 20}, ap.errors.BudgetError, "32 evaluations"),
        ({"budget": 30, "method": "sampled"}, ap.errors.BudgetError, "a budget of"),
        ({"tolerance": -1.0}, ap.errors.InputError, "positive"),
    ):
        with pytest.raises(error, match=words):
            ap.interactions(v, n_players=5, **options)
    with pytest.raises(ap.errors.InputError, match="no interaction of 3"):
        ap.interactions(v, n_players=2, order=3)
    with pytest.raises(ap.errors.InputError, match="at most 40"):
        ap.interactions(lambda c: c[:, 0] * 1.0, n_players=200)
    with pytest.raises(ap.errors.InputError, match="NaN"):
        ap.interactions(lambda c: np.full(len(c), np.nan), n_players=3)
    with pytest.raises(ap.errors.InputError, match="no interaction of"):
        ap.interactions(v, n_players=5).of(0, 0)


def test_a_constant_game_has_no_interactions() -> None:
    found = ap.interactions(lambda c: np.full(len(c), 7.0), n_players=3)
    assert float(np.abs(found.values).max()) == 0 and set(found.reading.values) == {"", "additive"}
