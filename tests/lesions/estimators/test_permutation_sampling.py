"""Antithetic permutations: weights against marginal contributions."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest
from fixtures.benchmarks import calibration

from artiphys.lesions.estimators.permutation_sampling import Orders, _plain_weights, antithetic, paths


def test_antithetic_weights_are_the_mean_marginal_contributions() -> None:
    n, table = 5, np.random.default_rng(0).normal(size=32)
    orders = Orders(n, 0).first(9)
    drawn = paths(orders)
    v: Any = lambda c: table[c @ (1 << np.arange(n))]
    by_hand = np.zeros(n)
    for order, backwards in itertools.product(orders, (False, True)):
        present = np.zeros(n, dtype=bool)
        for i in order[::-1] if backwards else order:
            before, present[i] = v(present), True
            by_hand[i] += (v(present) - before) / 18
    assert _plain_weights(orders) @ v(drawn) == pytest.approx(by_hand)
    adjusted = antithetic(orders, v(drawn))
    values = adjusted.weights @ v(drawn)
    assert values.sum() == pytest.approx(table[-1] - table[0]) and not np.allclose(values, by_hand)


def test_many_orders_of_many_players_are_not_adjusted(monkeypatch: pytest.MonkeyPatch) -> None:
    from artiphys.lesions.estimators import permutation_sampling as permutation

    monkeypatch.setattr(permutation, "MAX_DENSE_WEIGHTS", 10)
    line = calibration().calibrated(calibration().xor_redundant(), "shapley", "permutation", 1154, 60)
    assert 0.88 <= line.coverage.mean() <= 1


@pytest.mark.many_runs
def test_adjusting_for_position_makes_skewed_games_easier() -> None:
    table = calibration().majority()
    orders = [Orders(11, s).first(64) for s in range(60)]
    adjusted = [antithetic(o, v := table(paths(o))).weights @ v for o in orders]
    plain = [_plain_weights(o) @ table(paths(o)) for o in orders]
    assert np.var(adjusted, axis=0).mean() < 0.85 * np.var(plain, axis=0).mean()
