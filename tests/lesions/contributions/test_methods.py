"""Estimators of Shapley and Banzhaf values: calibration, lack of bias, exactness, edges and what is said of them."""

from __future__ import annotations

import functools
import itertools
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from fixtures.games import coalitions
from scipy import stats
from torch import nn

import artiphys as ap
from artiphys.array_types import Array
from artiphys.errors import BudgetError, InputError
from artiphys.lesions.contributions import choice_of_method
from artiphys.lesions.contributions import methods as estimating
from artiphys.lesions.estimators.pair_designs import Pairs
from artiphys.lesions.estimators.permutation_sampling import Orders, antithetic, paths
from artiphys.lesions.games.function_game import FunctionGame

N = 10
RUNS = 300
# (index, method, options, smallest budget accepted for 10 players)
ESTIMATORS: list[tuple[str, str, dict[str, Any], int]] = [
    ("shapley", "permutation", {}, 2 + 2 * 9 * 64),
    ("shapley", "regression", {"order": 1}, 2 + 2 * 96),
    ("shapley", "regression", {"order": 3}, 2 + 2 * 216),
    ("shapley", "shrunken", {}, 2 + 2 * 96),
    ("shapley", "screening", {"top_k": 2}, 2 + 2 * 96 + 4 * 2 * 64),
    ("banzhaf", "regression", {"order": 1}, 2 + 2 * 96),
    ("banzhaf", "shrunken", {}, 2 + 2 * 128),
]
NAMES = [f"{i}-{m}{o.get('order', '')}" for i, m, o, _ in ESTIMATORS]


def tabled(n: int, value: Callable[[Array], Array]) -> Callable[[Array], Array]:
    """The same function from a table, so that many runs are quick."""
    table, bits = value(coalitions(n).astype(float)), 1 << np.arange(n)
    return lambda c: np.asarray(table[c @ bits])


def network(x: Array) -> Array:
    """Two players that stand out, a saturating sum (every order), synergy of three; the last player does nothing."""
    total = x[:, :9] @ np.array([2.0, -1.5, 0.9, 0.7, 0.5, 0.4, 0.3, 0.2, 0.1])
    return np.asarray(np.tanh(total - 0.7) + 1.5 * x[:, 0] - 1.2 * x[:, 1] + 0.8 * x[:, 2] * x[:, 3] * x[:, 4])


def majority(x: Array) -> Array:
    """The first has three votes: a player matters rarely, and then for everything."""
    return np.asarray((x @ np.array([3.0] + [1] * 9) > 6).astype(float))


GAMES = {"network": tabled(N, network), "majority": tabled(N, majority)}


def attribute(index: str, game: Any, **options: Any) -> ap.Attribution:
    """Without a bar."""
    estimate: Any = {"shapley": ap.shapley, "banzhaf": ap.banzhaf}[index]
    found: ap.Attribution = estimate(game, progress=False, **options)
    return found


def by_definition(index: str, game: Callable[[Array], Array], n: int) -> Array:
    """Mean marginal contribution: over orders (Shapley), or over coalitions of the others (Banzhaf)."""
    every = coalitions(n)
    value, bits = game(every), 1 << np.arange(n)
    result = np.empty((n, *value.shape[1:]))
    for i in range(n):
        without = every[~every[:, i]] @ bits
        gain = value[without + bits[i]] - value[without]
        sizes = every[without].sum(axis=1)
        if index == "banzhaf":
            result[i] = gain.mean(axis=0)
        else:  # all sizes are equally likely, and all coalitions of a size
            result[i] = np.mean([gain[sizes == s].mean(axis=0) for s in range(n)], axis=0)
    return result


@functools.cache
def many_runs(game: str, which: int) -> tuple[Array, Array, Array, Array]:
    """Estimates, lower and upper ends ``(run, player)`` at the smallest accepted budget, and exact values."""
    index, method, options, budget = ESTIMATORS[which]
    if method == "screening" and game == "majority":
        options, budget = {"top_k": 1}, budget - 4 * 64  # only one stands out: see test_those_followed_are_unbiased
    values, low, high = np.empty((3, RUNS, N))
    on = FunctionGame(GAMES[game], N)
    for seed in range(RUNS):
        found = attribute(index, on, method=method, budget=budget, seed=seed, **options)
        assert found.n_evaluations <= budget and not found.exact
        values[seed] = found.values
        low[seed], high[seed] = found.interval(0.95, over="coalitions")
    return values, low, high, by_definition(index, GAMES[game], N)


@pytest.mark.many_runs
@pytest.mark.slow
@pytest.mark.parametrize("which", range(len(ESTIMATORS)), ids=NAMES)
@pytest.mark.parametrize("game", GAMES)
def test_intervals_cover_and_are_no_wider_than_they_must_be(game: str, which: int) -> None:
    """Of each player 95 in 100 intervals hold the exact value, but for the binomial error of so many runs."""
    values, low, high, exact = many_runs(game, which)
    rounding = 1e-9
    sd = values.std(axis=0, ddof=1)
    hits = ((low - rounding <= exact) & (exact <= high + rounding)).sum(axis=0)
    varies = sd > rounding
    assert varies.any() and (hits[~varies] == RUNS).all()
    # One in 10,000 of such players would have fewer hits by chance.
    assert hits.min() >= stats.binom.ppf(1e-4, RUNS, 0.95), hits / RUNS
    # 1.96 is for a known deviation; that of the runs themselves is known to about 1 / sqrt(2 runs).
    width = np.median(high - low, axis=0)[varies] / (2 * 1.96 * sd[varies])
    assert width.max() <= 1.2, width


@pytest.mark.many_runs
@pytest.mark.slow
@pytest.mark.parametrize("which", range(len(ESTIMATORS)), ids=NAMES)
@pytest.mark.parametrize("game", GAMES)
def test_estimates_are_unbiased(game: str, which: int) -> None:
    values, _, _, exact = many_runs(game, which)
    error = values.std(axis=0, ddof=1) / np.sqrt(RUNS)
    assert (np.abs(values.mean(axis=0) - exact) <= 4.2 * error + 1e-9).all()
    if ESTIMATORS[which][:2] != ("shapley", "screening") and ESTIMATORS[which][0] == "shapley":
        whole = GAMES[game](np.ones((1, N), bool))[0] - GAMES[game](np.zeros((1, N), bool))[0]
        assert values.sum(axis=1) == pytest.approx(np.full(RUNS, whole), abs=1e-9)


@pytest.mark.many_runs
def test_those_followed_are_unbiased() -> None:
    """Of equal players the luckiest are followed: fresh samples must not keep their luck."""
    on, followed = FunctionGame(GAMES["majority"], N), []
    for seed in range(100):
        found = attribute("shapley", on, method="screening", budget=1000, top_k=3, seed=seed)
        text = found.methods_text()
        assert "the 3 largest were then estimated" in text
        screened = attribute("shapley", on, method="shrunken", budget=2 + 2 * ((1000 - 2 - 4 * 3 * 64) // 2), seed=seed)
        changed = found.values.to_numpy() != screened.values.to_numpy()
        assert changed.sum() == 3 and changed[0]
        followed.append((found.values.to_numpy()[changed][1:].mean(), screened.values.to_numpy()[changed][1:].mean()))
    fresh, lucky = np.array(followed).T
    truth, error = by_definition("shapley", GAMES["majority"], N)[1], fresh.std(ddof=1) / 10
    assert abs(fresh.mean() - truth) <= 3.5 * error < lucky.mean() - truth


def test_position_adjustment_costs_nothing_where_players_add_up() -> None:
    """Two by two interactions cancel within an order and its reverse: only rounding may be left, or third order."""
    pairwise = tabled(6, lambda x: x @ np.arange(6.0) + 3 * x[:, 0] * x[:, 1] - 2 * x[:, 2] * x[:, 5])
    found = attribute("shapley", pairwise, n_players=6, method="permutation", seed=0)
    assert found.values.to_numpy() == pytest.approx(by_definition("shapley", pairwise, 6), abs=1e-12)
    assert float(found.stderr.max()) < 1e-12


def test_weights_are_the_estimate_that_the_errors_are_of() -> None:
    """The mean of leave-one-out samples computed one by one, against the weights on the coalitions."""
    n, pairs = 5, 7
    orders = Orders(n, 3).first(pairs)
    game = tabled(n, lambda x: np.random.default_rng(0).normal(size=len(x)))
    values = game(paths(orders))
    steps, both = np.empty((2, pairs, n))
    for j, order in enumerate(orders):
        for p, player in enumerate(order):
            ahead, behind = np.isin(np.arange(n), order[:p]), np.isin(np.arange(n), order[p + 1 :])
            one = np.arange(n) == player
            gains = [game((c | one)[None])[0] - game(c[None])[0] for c in (ahead, behind)]
            steps[j, p] = np.mean(gains)
    for j in range(pairs):
        rest = np.delete(np.arange(pairs), j)
        means = np.array([steps[rest][orders[rest] == i].mean() for i in range(n)])
        excess = (steps[rest] - means[orders[rest]]).mean(axis=0)
        both[j, orders[j]] = steps[j] - (excess + excess[::-1]) / 2
    found = antithetic(orders, values)
    assert found.weights @ values == pytest.approx(both.mean(axis=0), abs=1e-12)
    assert found.stderr is not None
    # The samples correct each other, so that their covariance belongs to the error too (or at least half is left).
    assert (found.stderr[:, 0] >= both.std(axis=0, ddof=1) / np.sqrt(2 * pairs) - 1e-12).all()


@pytest.mark.parametrize("index", ["shapley", "banzhaf"])
def test_all_coalitions_are_exact_whatever_the_method(index: str) -> None:
    exact = by_definition(index, GAMES["network"], N)
    methods = ["auto", "exact", "regression", "shrunken"] + ["screening"] * (index == "shapley")
    for method in methods:
        for budget in (2**N, 2**N + 500):
            found = attribute(index, GAMES["network"], n_players=N, method=method, budget=budget)
            assert found.values.to_numpy() == pytest.approx(exact, abs=1e-12)
            assert found.exact and not found.stderr.any() and found.n_evaluations == 2**N
            low, high = found.interval()
            assert np.array_equal(low, high)
    nearly = attribute(index, GAMES["network"], n_players=N, method="shrunken", budget=2**N - 2)
    assert not nearly.exact and nearly.values.to_numpy() == pytest.approx(exact, abs=0.01)


def test_shapiq_agrees() -> None:
    from shapiq import ExactComputer
    from shapiq.approximator import KernelSHAP

    game = GAMES["network"]
    exact = attribute("shapley", game, n_players=N).values.to_numpy()
    computer = ExactComputer(n_players=N, game=game)
    for name, ours in (("SV", exact), ("BV", attribute("banzhaf", game, n_players=N).values.to_numpy())):
        theirs = computer(name)
        assert [theirs[(i,)] for i in range(N)] == pytest.approx(list(ours), abs=1e-9)
    # At an equal budget a shrunken regression errs less than KernelSHAP.
    errors = []
    for seed in range(10):
        kernel = KernelSHAP(n=N, random_state=seed).approximate(budget=300, game=game)
        ours = attribute("shapley", game, n_players=N, method="shrunken", budget=300, seed=seed).values.to_numpy()
        errors.append([np.mean((v - exact) ** 2) for v in (ours, np.array([kernel[(i,)] for i in range(N)]))])
    mine, other = np.mean(errors, axis=0)
    assert mine < other


@pytest.mark.parametrize("which", range(len(ESTIMATORS)), ids=NAMES)
def test_smallest_budget_is_named_and_works(which: int) -> None:
    index, method, options, least = ESTIMATORS[which]
    for budget in (least - 1, 100):
        with pytest.raises(BudgetError, match=f"a budget of {least}"):
            attribute(index, GAMES["network"], n_players=N, method=method, budget=budget, **options)
    assert (
        attribute(index, GAMES["network"], n_players=N, method=method, budget=least, **options).n_evaluations <= least
    )
    if method != "permutation":  # 6 players have fewer coalitions than intervals need: all of them are named
        with pytest.raises(BudgetError, match="a budget of 64"):
            attribute(index, tabled(6, lambda x: x.sum(1)), n_players=6, method=method, budget=63, **options)
        assert attribute(index, tabled(6, lambda x: x.sum(1)), n_players=6, method=method, budget=64, **options).exact


def test_too_low_a_rank_is_refused_by_naming_a_budget_that_works(monkeypatch: pytest.MonkeyPatch) -> None:
    """Third order of 9 players has 97 parameters; were 80 pairs enough by count, their rank would not be."""
    monkeypatch.setattr(estimating, "least_pairs", lambda n, order: 80)
    game = tabled(9, lambda x: np.tanh(x.sum(1) - 3))
    ask: Any = lambda budget: attribute("shapley", game, n_players=9, method="regression", order=3, budget=budget)
    with pytest.raises(BudgetError, match=r"rank .* too low .* a budget of (\d+) would do") as refused:
        ask(162)
    named = int(str(refused.value).split("a budget of ")[1].split(" ")[0])
    assert ask(named).values.to_numpy() == pytest.approx(by_definition("shapley", game, 9), abs=0.05)


@pytest.mark.parametrize("index", ["shapley", "banzhaf"])
def test_few_players_and_players_without_effect(index: str) -> None:
    for n in (1, 2, 3):
        value: Any = lambda c: c[:, 0] * 2.0 + c[:, -1] * c[:, 0]
        for method in ("auto", "exact", "regression", "shrunken"):
            found = attribute(index, value, n_players=n, method=method)
            assert found.values.to_numpy() == pytest.approx(by_definition(index, value, n)) and found.exact
    nothing = lambda c: np.full(len(c), 0.1)
    methods: list[tuple[str, dict[str, Any]]] = [("shrunken", {}), ("regression", {"order": 1})]
    methods += [("permutation", {}), ("screening", {"top_k": 2})] if index == "shapley" else []
    for method, options in methods:
        constant = attribute(index, nothing, n_players=12, budget=1600, method=method, **options)
        assert np.abs(constant.values).max() < 1e-12 and np.abs(constant.stderr).max() < 1e-12, method
        alone = attribute(index, lambda c: c[:, 0] * 1.0, n_players=12, budget=1600, method=method, **options)
        assert alone.values.to_numpy() == pytest.approx([1.0] + [0.0] * 11, abs=1e-9), method


def test_permutation_of_one_and_two_players() -> None:
    assert attribute("shapley", lambda c: c[:, 0] * 3.0, n_players=1, method="permutation").values.item() == 3
    two = attribute("shapley", lambda c: c[:, 0] * 3.0 + c[:, 1] * c[:, 0], n_players=2, method="permutation")
    assert two.values.to_numpy() == pytest.approx([3.5, 0.5])


def test_names_stay_as_they_are() -> None:
    class Named:
        player_names = (0, "zero", ("head", 0), (1, 2))
        n_players = 4

        def __call__(self, c: Array) -> Array:
            return np.asarray(c @ np.array([4.0, 3.0, 2.0, 1.0]))

    for result in (attribute("shapley", Named()), attribute("banzhaf", Named()), ap.single_lesions(Named())):
        assert list(result.values["player"].values) == [0, "zero", ("head", 0), (1, 2)]
        assert result.to_dataframe()["value"].tolist() == pytest.approx([4, 3, 2, 1])
        assert list(result.top(2).index) == [0, "zero"]
        assert result.values.sel(player=0).item() == pytest.approx(4)


def test_tolerance_is_reached_or_said_to_be_out_of_reach() -> None:
    game = GAMES["network"]
    for method in ("permutation", "regression", "shrunken"):
        options: dict[str, Any] = {"n_players": N, "method": method, "order": 1 if method == "regression" else None}
        reached = attribute("shapley", game, tolerance=0.05, **options)
        low, high = reached.interval(over="coalitions")
        assert float((high - low).max()) / 2 <= 0.05 and "stopped at" in reached.why
        missed = attribute("shapley", game, tolerance=1e-6, budget=1154, **options) if method == "permutation" else None
        missed = missed or attribute("shapley", game, tolerance=1e-6, budget=400, **options)
        low, high = missed.interval(over="coalitions")
        assert float((high - low).max()) / 2 > 1e-6 and "was not reached" in missed.why
        stricter = attribute("shapley", game, tolerance=0.05, confidence=0.999, **options)
        assert stricter.n_evaluations >= reached.n_evaluations
    with pytest.raises(InputError, match="tolerance means nothing"):
        attribute("shapley", game, n_players=N, method="screening", tolerance=0.1)
    with pytest.raises(InputError, match="only 'regression' has an order"):
        attribute("shapley", game, n_players=N, method="permutation", order=3)


def test_tolerance_of_the_largest_needs_fewer() -> None:
    """Only player 0 and its interactions are noisy; the largest player is another."""
    game = tabled(N, lambda x: 5 * x[:, 9] + x[:, 0] * x[:, 1] * x[:, 2] * 2)
    every, top = (
        attribute("shapley", game, n_players=N, method="permutation", tolerance=0.02, top_k=k) for k in (None, 1)
    )
    assert top.n_samples < every.n_samples and "1 largest" in top.why
    low, high = top.interval(over="coalitions")
    assert float((high - low).sel(player=9)) / 2 <= 0.02 < float((high - low).sel(player=0)) / 2
    with pytest.raises(InputError, match="1 to 10"):
        attribute("shapley", game, n_players=N, top_k=0)


def test_several_outputs_equal_separate_runs() -> None:
    both = lambda c: np.stack([GAMES["network"](c), 3 * GAMES["majority"](c)], axis=1)
    for index, method, options, budget in ESTIMATORS:
        if method in ("shrunken", "screening"):
            continue  # one shrinkage and one selection serve all outputs
        arguments: dict[str, Any] = {"n_players": N, "method": method, "budget": budget, "seed": 4, **options}
        joint = attribute(index, both, **arguments)
        assert joint.values.dims == ("player", "output") and joint.values.shape == (N, 2) == joint.stderr.shape
        for o, name in enumerate(GAMES):
            alone = attribute(index, GAMES[name], **arguments)
            scale = 1 if o == 0 else 3
            assert joint.values[:, o].to_numpy() == pytest.approx(scale * alone.values.to_numpy(), abs=1e-12)
            assert joint.stderr[:, o].to_numpy() == pytest.approx(scale * alone.stderr.to_numpy(), abs=1e-12)
    double = lambda c: GAMES["network"](c)[:, None] * [1.0, -2.0]
    for method in ("shrunken", "screening"):
        arguments = {"n_players": N, "method": method, "budget": 706, "seed": 4, "top_k": 2}
        joint, alone = (attribute("shapley", g, **arguments) for g in (double, GAMES["network"]))
        assert joint.values[:, 1].to_numpy() == pytest.approx(-2 * alone.values.to_numpy(), abs=1e-9)
    exact = attribute("banzhaf", both, n_players=N)
    assert exact.values.to_numpy() == pytest.approx(by_definition("banzhaf", both, N), abs=1e-12)
    assert ap.single_lesions(both, n_players=N).values.shape == (N, 2)


@pytest.mark.parametrize("which", range(len(ESTIMATORS)), ids=NAMES)
def test_draws_follow_the_seed_and_nothing_else(which: int) -> None:
    index, method, options, budget = ESTIMATORS[which]
    seen: list[set[bytes]] = []

    def watched(c: Array) -> Array:
        seen[-1].update(row.tobytes() for row in c)
        return GAMES["network"](c)

    results = []
    for seed in (0, 0, 1):
        seen.append(set())
        results.append(attribute(index, watched, n_players=N, method=method, budget=budget, seed=seed, **options))
        assert results[-1].n_evaluations == len(seen[-1]) <= budget
    first, again, other = results
    assert seen[0] == seen[1] != seen[2]
    assert np.array_equal(first.values, again.values) and not np.array_equal(first.values, other.values)
    warm = FunctionGame(GAMES["network"], N)
    warm(coalitions(N)[::3])
    known = attribute(index, warm, method=method, budget=budget, seed=0, **options)
    assert np.array_equal(first.values, known.values) and known.n_evaluations == first.n_evaluations


def deep(batch_size: int, **options: Any) -> ap.Game:
    torch.manual_seed(0)
    layers = [m for _ in range(4) for m in (nn.Linear(4, 4), nn.Tanh())]
    x = torch.randn(20, 4, generator=torch.Generator().manual_seed(1))
    prep = ap.wrap(nn.Sequential(*layers, nn.Linear(4, 3)).eval(), x)
    players = prep.players(["1", "3", "5"], group_by=None)
    stimuli = ap.Stimuli(x, {"label": torch.arange(20) % 3})
    score = ap.scores.log_prob("label")
    return ap.Game(prep, stimuli, score, players, kind="zero", batch_size=batch_size, progress=False, **options)


def test_batches_change_no_draw() -> None:
    cases: list[tuple[dict[str, Any], int, int]] = [
        ({"method": "shrunken", "budget": 200}, 7, 60),
        ({"method": "permutation", "budget": 1410}, 240, 2000),
        ({"budget": 1700}, 60, 2000),
    ]
    for options, few, many in cases:
        small, large = deep(few), deep(many)
        large(Pairs(12, "shapley", 9).design(30).coalitions)
        known = large.n_evaluations
        a, b = (attribute("shapley", g, seed=0, **options) for g in (small, large))
        assert a.method == b.method and a.why == b.why and a.n_evaluations == b.n_evaluations
        assert small.n_evaluations == a.n_evaluations >= large.n_evaluations - known
        assert b.values.to_numpy() == pytest.approx(a.values.to_numpy(), abs=1e-5)
        assert a.per_trial is not None and a.per_trial.mean("trial").to_numpy() == pytest.approx(a.values.to_numpy())


class Walked(FunctionGame):
    """A game in which coalitions of permutations cost a part of others."""

    part = 0.1

    def cost(self, coalitions: Array) -> float:
        chained = len(coalitions) % (self.n_players - 1) == 2  # whole paths, two at a time
        return float(len(coalitions)) * (self.part if chained else 1)


def test_stopping_does_not_depend_on_how_coalitions_are_evaluated(tmp_path: Path) -> None:
    """The same looks and the same end in other batches, on workers, and where a killed run is taken up again."""

    def stopped(batch_size: int | None = None, **options: Any) -> ap.Attribution:
        game = deep(batch_size or 4096, **options)
        return ap.shapley(game, method="regression", order=1, tolerance=0.012, seed=3, progress=False)

    first = stopped()
    assert "stopped at" in first.why and not first.exact
    deep(64, cache=tmp_path)(coalitions(12)[::7])  # part of a campaign
    with ThreadPoolExecutor(2) as pool:
        others = [stopped(24), stopped(executor=pool), stopped(cache=tmp_path), stopped(cache=tmp_path)]
    for other in others:
        assert (other.why, other.n_evaluations) == (first.why, first.n_evaluations)
        assert other.values.to_numpy() == pytest.approx(first.values.to_numpy(), rel=1e-5, abs=1e-7)


def test_auto_says_what_it_chose_and_keeps_the_budget() -> None:
    votes: Any = lambda x: (x @ np.array([3, 2, 2] + [1] * 9) > 8.1).astype(float)
    cases = list(itertools.product((1601, 2000), (votes, lambda x: x[:, 0] * 1.0)))
    chosen = set()
    for budget, value in cases:
        on = [Walked(tabled(12, value), 12) for _ in range(2)]
        on[1](coalitions(12)[::5])
        before = on[1].n_evaluations
        found, again = (attribute("shapley", g, budget=budget) for g in on)
        chosen.add(found.method)
        assert found.why == again.why and np.array_equal(found.values, again.values)
        assert found.why.startswith(f"2^12 coalitions exceed the budget {budget}")
        assert ("in a pilot" in found.why) == (budget == 2000)
        assert found.n_evaluations == on[0].n_evaluations <= budget
        assert on[1].n_evaluations - before <= found.n_evaluations
    assert chosen == {"permutation", "shrunken"}
    same = attribute("shapley", GAMES["network"], n_players=N, budget=300)
    assert same.method == "shrunken" and "permutations would not be cheaper" in same.why
    assert attribute("shapley", GAMES["network"], n_players=N, budget=500, order=1).method == "regression"
    assert attribute("banzhaf", GAMES["network"], n_players=N, budget=300).method == "shrunken"
    with pytest.raises(InputError, match="Banzhaf values use"):
        attribute("banzhaf", GAMES["network"], n_players=N, method="permutation")


@pytest.mark.parametrize("n", [1, 2, 5])
def test_exact_banzhaf_is_its_definition(n: int) -> None:
    table = np.random.default_rng(n).normal(size=2**n)
    game = tabled(n, lambda x: table)
    assert attribute("banzhaf", game, n_players=n).values.to_numpy() == pytest.approx(by_definition("banzhaf", game, n))


def test_single_lesions_of_a_function() -> None:
    one = ap.single_lesions(GAMES["network"], n_players=N)
    every = np.ones((1, N), bool)
    expected = GAMES["network"](every) - GAMES["network"](~np.eye(N, dtype=bool))
    assert one.values.to_numpy() == pytest.approx(expected) and one.exact and not one.stderr.any()
    assert one.values.sel(player=9) == 0 and one.values.sel(player=0) > 0.5
    assert one.n_evaluations == N + 1


@pytest.mark.parametrize("index", ["shapley", "banzhaf"])
def test_auto_evaluates_all_coalitions_only_where_that_takes_seconds(
    index: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def slow(rows: Array) -> Array:
        time.sleep(0.004 * len(rows))  # 16 s for all
        return np.asarray(rows.sum(axis=1) ** 2.0)

    found = attribute(index, slow, n_players=12)
    assert not found.exact and found.n_evaluations <= 514 and "would take more than 10 s" in found.why
    assert found.values.to_numpy() == pytest.approx(12, abs=0.5)

    def costly_call(rows: Array) -> Array:
        time.sleep(0.15)  # each call, however many coalitions
        return np.asarray(rows.sum(axis=1) ** 2.0)

    assert attribute(index, costly_call, n_players=14).exact
    quick = attribute(index, lambda rows: (rows.sum(axis=1) ** 2).astype(float), n_players=14)
    assert quick.exact and quick.n_evaluations == 2**14
    monkeypatch.setattr(choice_of_method, "PATIENT_SECONDS", 0.0)
    game = deep(64)
    sampled = attribute(index, game)
    assert not sampled.exact and game.n_evaluations == sampled.n_evaluations
    assert attribute(index, deep(64), budget=2**12).exact, "it was asked for"
    exact = attribute(index, game, method="exact")
    known = game.n_evaluations
    again = attribute(index, game)
    assert again.exact and game.n_evaluations == known, "nothing is left to evaluate"
    assert again.values.to_numpy() == pytest.approx(exact.values.to_numpy())


def test_a_table_that_would_fill_the_memory_is_refused() -> None:
    with pytest.raises(BudgetError, match="GB; method='shrunken'"):
        attribute("shapley", lambda c: c.sum(1) * 1.0, n_players=64, method="regression", order=3)
