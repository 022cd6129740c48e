"""Shapley values: exact against brute force, textbooks and shapiq; sampled permutations; budgets and refusals."""

from __future__ import annotations

import math
from itertools import permutations
from typing import Any

import numpy as np
import pytest
from fixtures.games import coalitions, game

import artiphys as ap
from artiphys.errors import ArtiphysError, BudgetError, InputError


def brute_force(values: Any, n: int) -> np.ndarray[Any, Any]:
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
    assert ap.shapley(lambda c: c[:, 0] * 3.0, n_players=1).values.to_numpy() == pytest.approx([3.0])


def test_shapiq_agrees_and_takes_a_game() -> None:
    from shapiq import ExactComputer
    from shapiq.approximator import KernelSHAP

    g = game(6)
    exact = ap.shapley(g).values.to_numpy()
    theirs = ExactComputer(n_players=6, game=g)("SV")
    assert [theirs[(i,)] for i in range(6)] == pytest.approx(list(exact), abs=1e-9)
    kernel = KernelSHAP(n=6, random_state=0).approximate(budget=64, game=g)
    assert [kernel[(i,)] for i in range(6)] == pytest.approx(list(exact), abs=1e-6)


def test_permutation_sampling_is_unbiased_with_honest_errors() -> None:
    """200 runs: the mean is the exact value, and 95 % intervals cover it about 95 times in 100."""
    g = game(6)
    exact = ap.shapley(g).values.to_numpy()
    runs = [ap.shapley(g, method="permutation", budget=2 + 64 * 10, seed=s, progress=False) for s in range(200)]
    values = np.array([r.values.to_numpy() for r in runs])
    sd = values.std(axis=0, ddof=1)
    assert np.abs(values.mean(axis=0) - exact).max() <= 4 * sd.max() / math.sqrt(200)
    covered = np.array([(lo <= exact) & (exact <= hi) for lo, hi in (r.interval(over="coalitions") for r in runs)])
    assert 0.92 <= covered.mean() <= 0.98
    claimed = np.array([r.stderr.to_numpy() for r in runs]).mean(axis=0)
    assert claimed == pytest.approx(sd, rel=0.2)
    assert all(abs(r.gap) < 1e-9 for r in runs) and not runs[0].exact


def test_antithetic_pairs_beat_plain_orders() -> None:
    g = game(6)
    exact = ap.shapley(g).values.to_numpy()
    rng = np.random.default_rng(0)

    table = g(coalitions(6))  # number of the coalition -> value

    def plain(n: int) -> np.ndarray[Any, Any]:
        total = np.zeros(6)
        for order in rng.random((n, 6)).argsort(axis=1):
            value = table[np.concatenate([[0], np.cumsum(1 << order)])]
            total[order] += np.diff(value)
        return total / n

    assert plain(20_000) == pytest.approx(exact, abs=0.02 * np.abs(exact).max())  # a fair opponent
    ours = [ap.shapley(g, method="permutation", budget=2 + 64 * 10, seed=s).values.to_numpy() for s in range(60)]
    theirs = [plain(128) for _ in range(60)]
    error = [float(np.mean((np.array(v) - exact) ** 2)) for v in (ours, theirs)]
    assert error[0] < error[1]


def test_budget_tolerance_and_choice_are_said() -> None:
    g = game(6)
    sampled = ap.shapley(g, method="permutation", seed=0)
    assert "asked for" in sampled.why and sampled.n_samples == 64
    assert ap.shapley(g).method == "exact"
    assert ap.shapley(game(6), budget=63 + 20).method == "exact"
    small = ap.shapley(lambda c: c.sum(1) * 1.0, n_players=20, budget=700)
    assert small.method == "shrunken" and "more than 16" in small.why and small.n_evaluations <= 700
    stopped = ap.shapley(g, method="permutation", tolerance=1.0)
    assert stopped.n_samples == 64 and "stopped at 64 pairs" in stopped.why
    small_budgets: list[tuple[dict[str, Any], str]] = [
        ({"budget": 60}, "a budget of 64"),
        ({"budget": 641, "method": "permutation"}, "allows 63 pairs of permutations.* a budget of 642"),
        ({"budget": 1}, "2 evaluations"),
        ({"budget": 63, "method": "exact"}, "take 64 evaluations"),
    ]
    for options, message in small_budgets:
        with pytest.raises(BudgetError, match=message):
            ap.shapley(g, **options)
    with pytest.raises(BudgetError, match="at most 16"):
        ap.shapley(lambda c: c.sum(1), n_players=17, method="exact")
    bad: list[tuple[dict[str, Any], str]] = [
        ({"method": "guess"}, "method came as"),
        ({"tolerance": -1.0}, "positive"),
        ({"confidence": 1.5}, "confidence"),
    ]
    for options, message in bad:
        with pytest.raises(ArtiphysError, match=message):
            ap.shapley(g, **options)


def test_foreign_callables_are_checked() -> None:
    for fn, n, message in (
        (lambda c: c.sum(1), None, "n_players="),
        (3, 2, "came as int"),
        (lambda c: 1.0, 2, "one value each"),
        (lambda c: c.sum(1) * np.nan, 2, "NaN"),
    ):
        with pytest.raises(InputError, match=message):
            ap.shapley(fn, n_players=n)  # type: ignore[arg-type]


def test_seed_zero_and_player_zero_count() -> None:
    g = game(6)
    a, b, c = (ap.shapley(g, method="permutation", budget=642, seed=s).values.to_numpy() for s in (0, 0, 1))
    assert np.array_equal(a, b) and not np.array_equal(a, c)
    constant = ap.shapley(lambda c: np.zeros(len(c)), n_players=3)
    assert not constant.values.any()
    assert list(constant.values["player"].values) == [0, 1, 2]
