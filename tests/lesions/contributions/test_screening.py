"""Screening of many players."""

from __future__ import annotations

import numpy as np
import pytest

import artiphys as ap
from artiphys.array_types import Array


@pytest.mark.many_runs
def test_screening_follows_the_largest_with_fresh_samples() -> None:
    n, rng = 150, np.random.default_rng(0)
    weights = rng.normal(size=n) * 0.02
    weights[:4] = [2.0, -1.5, 1.0, 0.7]
    partners = rng.integers(4, n, size=(60, 2))

    def value(c: Array) -> Array:
        x = c.astype(float)
        return np.asarray(x @ weights + 0.2 * (x[:, 0:1] * x[:, partners[:, 0]] * x[:, partners[:, 1]]).sum(axis=1))

    truth = weights.copy()
    for a, b in partners:
        together = 0.2 / (3 if a != b else 2)
        truth[0] += together
        truth[a] += together
        if a != b:
            truth[b] += together
    hits, errors = [], []
    for seed in range(10):
        made = ap.shapley(value, n_players=n, method="screening", budget=3000, top_k=4, seed=seed)
        low, high = made.interval(over="coalitions")
        hits.append((low.to_numpy() <= truth) & (truth <= high.to_numpy()))
        errors.append(made.values.to_numpy() - truth)
        assert "4 of them differ from 0 by Holm's test" in made.why and made.n_evaluations <= 3000
    assert np.mean(hits) >= 0.92 and np.abs(errors)[:, 1:4].max() < 0.2
    assert "fresh" in made.methods_text()
