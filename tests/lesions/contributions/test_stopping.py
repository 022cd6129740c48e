"""Sampling that stops by its own intervals."""

from __future__ import annotations

import numpy as np
import pytest
from fixtures.benchmarks import calibration

import artiphys as ap


@pytest.mark.many_runs
def test_intervals_hold_when_sampling_stops_by_them() -> None:
    table = calibration().majority()
    exact = ap.shapley(table, method="exact").values.to_numpy()
    hits = []
    for seed in range(200):
        made = ap.shapley(table, method="regression", order=1, budget=2000, tolerance=0.06, seed=seed, progress=False)
        low, high = made.interval(over="coalitions")
        hits.append((low.to_numpy() <= exact) & (exact <= high.to_numpy()))
    assert 0.93 <= np.mean(hits) <= 0.975
