"""Shapley and Banzhaf values: exact against independent references, what is refused, what results say."""

from __future__ import annotations

import math
from itertools import permutations
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

import artiphys as ap
from artiphys.errors import ArtiphysError, BudgetError, InputError

Array = np.ndarray[Any, Any]


def game(n: int = 6) -> ap.Game:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(5, n), nn.ReLU(), nn.Linear(n, 3)).eval()
    x = torch.randn(20, 5, generator=torch.Generator().manual_seed(1))
    prep, stimuli = ap.wrap(model, x), ap.Stimuli(x, {"label": torch.arange(20) % 3})
    return ap.Game(prep, stimuli, ap.scores.log_prob("label"), prep.players("1"), kind="zero")


def smooth(c: Array) -> Array:
    """A game of any number of players with interactions of every order."""
    return np.asarray(np.tanh(c @ np.sin(np.arange(c.shape[1]) + 1.0)))


def brute_force(values: Any, n: int) -> Array:
    """Mean marginal contribution over all orders."""
    phi = np.zeros(n)
    for order in permutations(range(n)):
        present = np.zeros(n, dtype=bool)
        for i in order:
            before = values(present)
            present = present.copy()
            present[i] = True
            phi[i] += values(present) - before
    return phi / math.factorial(n)


def test_exact_shapley_is_brute_force_and_adds_up() -> None:
    g = game(5)
    phi = ap.shapley(g)
    assert phi.exact and phi.n_evaluations == 32
    assert phi.values.to_numpy() == pytest.approx(brute_force(lambda c: g(c)[0], 5), abs=1e-12)
    assert phi.gap == pytest.approx(0, abs=1e-12)
    assert float(phi.values.sum()) == pytest.approx(g.intact - g.lesioned)
    low, high = phi.interval(over="coalitions")
    assert np.array_equal(low, high)
    text = phi.methods_text()
    assert "exactly, from 32 coalitions" in text and "'zero'" in text and "20 trials" in text


def test_textbook_games() -> None:
    majority = lambda c: (c.sum(1) >= 2).astype(float)
    dictator = lambda c: c[:, 0].astype(float)
    glove = lambda c: np.minimum(c[:, :1].sum(1), c[:, 1:].sum(1)).astype(float)
    assert ap.shapley(majority, n_players=3).values.to_numpy() == pytest.approx([1 / 3] * 3)
    assert ap.shapley(dictator, n_players=3).values.to_numpy() == pytest.approx([1, 0, 0])
    assert ap.shapley(glove, n_players=3).values.to_numpy() == pytest.approx([2 / 3, 1 / 6, 1 / 6])
    assert ap.banzhaf(glove, n_players=3).values.to_numpy() == pytest.approx([3 / 4, 1 / 4, 1 / 4])


def test_shapiq_agrees_and_takes_a_game() -> None:
    from shapiq import ExactComputer
    from shapiq.approximator import KernelSHAP

    g = game(6)
    exact = ap.shapley(g).values.to_numpy()
    computer = ExactComputer(n_players=6, game=g)
    theirs, banzhaf = computer("SV"), computer("BV")
    assert [theirs[(i,)] for i in range(6)] == pytest.approx(list(exact), abs=1e-9)
    assert [banzhaf[(i,)] for i in range(6)] == pytest.approx(list(ap.banzhaf(g).values.to_numpy()), abs=1e-9)
    kernel = KernelSHAP(n=6, random_state=0).approximate(budget=64, game=g)
    assert [kernel[(i,)] for i in range(6)] == pytest.approx(list(exact), abs=1e-6)


def test_more_precise_than_paired_kernelshap_of_shapiq() -> None:
    """At equal budget, on a skewed game by what depends on size, on a smooth one by third order."""
    from shapiq.approximator import KernelSHAP

    def voting(c: Array) -> Array:
        weights = np.array([3, 2, 2] + [1] * 8)
        return np.asarray(c @ weights > weights.sum() / 2 + 0.1, dtype=float)

    cases: list[tuple[Any, int, Any, int]] = [(voting, 11, "regression", 300), (smooth, 12, "shrunken", 800)]
    for value, n, method, budget in cases:
        exact = ap.shapley(value, n_players=n).values.to_numpy()
        ours, theirs = [], []
        for seed in range(15):
            made = ap.shapley(value, n_players=n, method=method, budget=budget, seed=seed)
            ours.append(made.values.to_numpy() - exact)
            found = KernelSHAP(n=n, random_state=seed, pairing_trick=True).approximate(budget=budget, game=value)
            theirs.append(np.array([found[(i,)] for i in range(n)]) - exact)
        assert np.mean(np.square(ours)) < 0.75 * np.mean(np.square(theirs))


@pytest.mark.parametrize("method", ["auto", "exact", "permutation", "regression", "shrunken"])
def test_one_and_two_players(method: Any) -> None:
    assert ap.shapley(lambda c: c[:, 0] * 3.0, n_players=1, method=method).values.to_numpy() == pytest.approx([3.0])
    both = ap.shapley(lambda c: c.sum(axis=1) ** 2.0, n_players=2, method=method)
    assert both.values.to_numpy() == pytest.approx([2.0, 2.0]) and not both.stderr.any()


@pytest.mark.parametrize("method", ["exact", "regression", "shrunken"])
@pytest.mark.parametrize("index", [ap.shapley, ap.banzhaf])
def test_all_coalitions_within_the_budget_are_exact(method: Any, index: Any) -> None:
    exact = index(smooth, n_players=9, method="exact")
    found = index(smooth, n_players=9, method=method, budget=512)
    assert found.exact and not found.stderr.any() and found.n_evaluations == 512
    assert found.values.to_numpy() == pytest.approx(exact.values.to_numpy(), abs=1e-12)
    assert "fit the budget" in found.why and found.method == method


@pytest.mark.parametrize("method", ["permutation", "regression", "shrunken", "screening"])
def test_additive_constant_and_idle_players(method: Any) -> None:
    """What no sampling can change is known exactly, and covered."""
    n = 20
    options: Any = {"budget": 5000, "top_k": 3} if method == "screening" else {"budget": 2500}
    weights = np.arange(n) - 7.0
    added = ap.shapley(lambda c: c @ weights + 1, n_players=n, method=method, **options)
    assert added.values.to_numpy() == pytest.approx(weights, abs=1e-9) and float(added.stderr.max()) < 1e-9
    constant = ap.shapley(lambda c: np.full(len(c), 7.0), n_players=n, method=method, **options)
    assert not constant.values.to_numpy().any() and not constant.stderr.to_numpy().any()


@pytest.mark.parametrize("method", ["permutation", "regression", "shrunken", "screening"])
def test_draws_follow_the_seed_alone(method: Any) -> None:
    options: Any = {"n_players": 18, "method": method, "budget": 2400, "top_k": 2, "progress": False}
    asked: list[Array] = []

    def watched(c: Array) -> Array:
        asked.append(np.unique(c, axis=0))
        return smooth(c)

    first = ap.shapley(watched, seed=0, **options)
    needed = np.unique(np.concatenate(asked), axis=0)
    assert first.n_evaluations == len(needed) <= 2400
    again, other = (ap.shapley(smooth, seed=s, **options) for s in (0, 1))
    assert np.array_equal(first.values, again.values) and np.array_equal(first.stderr, again.stderr)
    assert not np.array_equal(first.values, other.values)
    # The memo of another run changes nothing.
    from artiphys.lesions.callable_game import CallableGame

    shared: Any = CallableGame(smooth, 18)
    ap.shapley(shared, seed=5, **(options | {"n_players": None}))
    later = ap.shapley(shared, seed=0, **(options | {"n_players": None}))
    assert np.array_equal(first.values, later.values) and later.n_evaluations == first.n_evaluations
    assert "seed 0" in first.methods_text() and first.why.startswith("asked for")


@pytest.mark.parametrize("method", ["permutation", "regression", "shrunken", "screening"])
def test_vector_valued_scores(method: Any) -> None:
    """Every output as by itself where nothing is chosen by all of them, and in one run."""

    def both(c: Array) -> Array:
        return np.stack([smooth(c), c[:, 0] * 2.0], axis=1)

    options: Any = {"n_players": 18, "method": method, "budget": 2400, "top_k": 2}
    made = ap.shapley(both, **options)
    assert made.values.dims == ("player", "output") and made.values.shape == made.stderr.shape == (18, 2)
    assert made.values.sel(output=1).to_numpy() == pytest.approx([2.0] + [0.0] * 17, abs=1e-9)
    low, high = made.interval(over="coalitions")
    assert low.shape == (18, 2) and bool((low <= high).all()) and made.gap.dims == ("output",)
    if method in ("permutation", "regression"):
        alone = ap.shapley(smooth, **options)
        assert np.allclose(alone.values, made.values.sel(output=0), atol=1e-12)
        assert np.allclose(alone.stderr, made.stderr.sel(output=0), atol=1e-12)
    assert len(made.to_dataframe()) == 36 and "(1)" in made.methods_text() and "Attribution" in repr(made)
    stopped = ap.shapley(both, n_players=18, method="permutation", tolerance=0.2)
    assert float(np.subtract(*stopped.interval(over="coalitions")[::-1]).max()) <= 0.4


def test_exact_vector_valued_score() -> None:
    made = ap.shapley(lambda c: np.stack([c[:, 0] * 1.0, c.sum(axis=1) ** 2.0], axis=1), n_players=2)
    assert made.exact and made.values.to_numpy() == pytest.approx(np.array([[1, 2], [0, 2]]))
    assert made.intact.to_numpy().tolist() == [1.0, 4.0]


def test_names_are_kept_as_they_are() -> None:
    class Named:
        n_players = 3
        player_names = ("a", 0, ("layer", 1))

        def __call__(self, c: Array) -> Array:
            return np.asarray(c.sum(axis=1) * 1.0)

    made = ap.shapley(Named())
    assert list(made.values["player"].values) == ["a", 0, ("layer", 1)]
    assert list(made.top(3).index) == ["a", 0, ("layer", 1)]
    assert list(ap.shapley(smooth, n_players=3).values["player"].values) == [0, 1, 2]


def test_tolerance_stops_or_says_that_it_was_not_reached() -> None:
    for method in ("permutation", "regression", "shrunken"):
        options: Any = {"n_players": 18, "method": method, "progress": False}
        loose = ap.shapley(smooth, tolerance=0.1, **options)
        tight = ap.shapley(smooth, tolerance=0.05, **options)
        assert "stopped at" in loose.why and loose.n_evaluations < tight.n_evaluations
        low, high = tight.interval(over="coalitions")
        assert float((high - low).max()) / 2 <= 0.05
        never = ap.shapley(smooth, tolerance=1e-9, budget=3000, **options)
        assert "was not reached" in never.why and never.n_evaluations <= 3000
        assert never.values.to_numpy() == pytest.approx(ap.shapley(smooth, budget=3000, **options).values.to_numpy())


def test_tolerance_for_the_largest_only() -> None:
    def uneven(c: Array) -> Array:
        return np.asarray(c[:, :3].sum(axis=1) * 5.0 + np.prod(c[:, 3:7], axis=1) + c[:, 7] * c[:, 8])

    all_of_them, top = (
        ap.shapley(uneven, n_players=18, method="permutation", tolerance=0.02, top_k=k) for k in (None, 3)
    )
    assert top.n_evaluations < all_of_them.n_evaluations and "of the 3 largest" in top.why


def test_budgets_too_small_are_refused_with_one_that_does() -> None:
    cases: list[tuple[Any, dict[str, Any]]] = [
        (ap.shapley, {"method": "permutation", "budget": 400}),
        (ap.shapley, {"method": "regression", "budget": 100}),
        (ap.shapley, {"method": "regression", "order": 3, "budget": 1500}),
        (ap.shapley, {"method": "shrunken", "budget": 100}),
        (ap.shapley, {"method": "screening", "budget": 400, "top_k": 4}),
        (ap.shapley, {"budget": 30}),
        (ap.banzhaf, {"method": "regression", "budget": 50}),
    ]
    for index, options in cases:
        with pytest.raises(BudgetError) as caught:
            index(smooth, n_players=18, **options)
        numbers = [int(w.strip(".,;")) for w in str(caught.value).split() if w.strip(".,;").isdigit()]
        enough = options | {"budget": max(numbers)}
        made = index(smooth, n_players=18, **enough)
        assert made.n_evaluations <= max(numbers) and not made.exact
    with pytest.raises(BudgetError, match="a budget of 64"):
        ap.shapley(smooth, n_players=6, method="regression", budget=40)
    with pytest.raises(BudgetError, match="take 64 evaluations"):
        ap.shapley(smooth, n_players=6, method="exact", budget=63)
    with pytest.raises(BudgetError, match="2 evaluations"):
        ap.shapley(smooth, n_players=6, budget=1)
    with pytest.raises(BudgetError, match="at most 16"):
        ap.shapley(smooth, n_players=17, method="exact")


def test_requests_that_make_no_sense_are_refused() -> None:
    bad: list[tuple[dict[str, Any], str]] = [
        ({"method": "guess"}, "method came as"),
        ({"tolerance": -1.0}, "positive"),
        ({"confidence": 1.5}, "confidence"),
        ({"order": 4}, "order came as"),
        ({"top_k": 0}, "top_k came as"),
        ({"n_players": 5}, "leave it out"),
    ]
    for options, message in bad:
        with pytest.raises(ArtiphysError, match=message):
            ap.shapley(game(6), **options)
    shapley_only: list[Any] = ["permutation", "screening"]
    for method in shapley_only:
        with pytest.raises(InputError, match="Shapley values"):
            ap.banzhaf(smooth, n_players=18, method=method)


def test_foreign_callables_are_checked() -> None:
    for fn, n, message in (
        (lambda c: c.sum(1), None, "n_players="),
        (3, 2, "came as int"),
        (lambda c: 1.0, 2, "one value each"),
        (lambda c: c.sum(1) * np.nan, 2, "NaN"),
    ):
        with pytest.raises(InputError, match=message):
            ap.shapley(fn, n_players=n)  # type: ignore[arg-type]


def test_auto_says_what_it_chose_and_why() -> None:
    assert ap.shapley(game(6)).method == "exact"
    assert ap.shapley(smooth, n_players=6, budget=64).method == "exact"
    many = ap.shapley(smooth, n_players=20, budget=700)
    assert many.method == "shrunken" and "more than 16" in many.why and many.n_evaluations <= 700
    tight = ap.shapley(smooth, n_players=12, budget=300)
    assert tight.method == "shrunken" and "exceed the budget 300" in tight.why
    assert ap.banzhaf(smooth, n_players=20, budget=700).method == "shrunken"
    assert ap.shapley(smooth, n_players=20, order=1).method == "regression"
    assert ap.shapley(smooth, n_players=20).n_evaluations <= 2 * 320 + 2


def test_auto_takes_permutations_where_they_are_cheap() -> None:
    """A game whose neighbouring coalitions share almost all work."""
    from artiphys.lesions.callable_game import CallableGame

    class Sharing(CallableGame):
        def cost(self, coalitions: Array) -> float:
            steps = (coalitions[1:] != coalitions[:-1]).sum(axis=1)
            return float(len(coalitions) * (0.001 if np.median(steps) <= 1 else 1.0))

    shared: Any = Sharing(smooth, 20)
    made = ap.shapley(shared, budget=10_000)
    assert made.method == "permutation" and "in a pilot" in made.why
    assert ap.shapley(shared, budget=1000).method == "shrunken"


def test_order_chosen_by_the_budget() -> None:
    small, large = (ap.shapley(smooth, n_players=12, method="regression", budget=b) for b in (300, 1000))
    assert (small.order, large.order) == (1, 3)
    second = ap.shapley(smooth, n_players=12, method="regression", budget=300, order=2)
    assert np.array_equal(second.values, small.values)
    assert float(large.stderr.max()) < float(small.stderr.max())


def test_both_errors_of_a_sampled_game() -> None:
    g = game(12)
    made = ap.shapley(g, method="regression", budget=400, order=1)
    assert made.per_trial is not None and made.per_trial.dims == ("player", "trial")
    assert made.per_trial.mean("trial").to_numpy() == pytest.approx(made.values.to_numpy())
    ways: list[Any] = ["coalitions", "stimuli", "both"]
    widths = {o: (h - w).to_numpy() for o in ways for w, h in [made.interval(over=o)]}
    assert (widths["both"] >= np.maximum(widths["coalitions"], widths["stimuli"]) * 0.9).all()
    assert made.gap == pytest.approx(0, abs=1e-9)
    assert made.confidence == 0.95 and "cross-fitted" in made.methods_text()
    wide = ap.shapley(g, method="regression", budget=400, order=1, confidence=0.99)
    assert (wide.to_dataframe()["low"] < made.to_dataframe()["low"]).all()
