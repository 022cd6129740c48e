"""Intervals of proportions of hits: they have width where all trials are hits, and hold (thousands of data sets are
run by tests/benchmarks/design_calibration.py)."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr
from fixtures.activity import noisy
from sklearn.model_selection import RepeatedStratifiedKFold, StratifiedKFold

import artiphys as ap
from artiphys.array_types import Array
from artiphys.stats.intervals import proportion_interval


def separated(n: int, sets: int, apart: float, seed: int) -> tuple[xr.DataArray, Array]:
    """Many data sets as times: two classes so far apart in one of 5 units."""
    rng, y = np.random.default_rng(seed), np.arange(n) % 2
    x = rng.normal(size=(n, sets, 5))
    x[..., 0] += apart * y[:, None]
    return xr.DataArray(x, dims=("trial", "time", "unit")), y


def test_perfect_decoding_is_not_certain() -> None:
    x, y = separated(24, 1, 40.0, 0)
    d = ap.decode(x[:, 0], y, n_permutations=0)
    low, high = d.interval()
    assert float(d.score) == 1.0 and float(high) == 1.0
    assert float(low) == pytest.approx(0.86, abs=0.02)
    low99, _ = d.interval(0.99)
    assert float(low99) < float(low) and d.refused == ""
    light = ap.searchlight(x[:, 0], y, size=2, n_permutations=0)
    assert 0.8 < float(light.interval()[0][0]) < 0.9
    moved = d.transfer(x[:, 0], y, n_permutations=0)
    assert float(moved.score) == 1.0 and 0.8 < float(moved.interval()[0]) < 0.9


@pytest.mark.parametrize("apart", [1.0, 3.5, 5.3])
@pytest.mark.parametrize("n", [24, 60])
def test_intervals_cover_what_new_data_would_score(n: int, apart: float) -> None:
    d = ap.decode(*separated(n, 300, apart, 0), alphas=[1.0], n_permutations=0)
    low, high = d.interval()
    truth = float(d.score.mean())
    covered = float(((low <= truth) & (truth <= high)).mean())
    assert 0.9 <= covered <= 1.0, (truth, covered)
    assert float((high - low).mean()) < 4 * 1.6 * np.sqrt(truth * (1 - truth) / n) + 0.1  # and say something


def test_hits_of_a_group_come_together() -> None:
    """12 groups x 10 trials, of which some groups are told apart and others not."""
    covered, alone = [], []
    truths = []
    for seed in range(120):
        rng = np.random.default_rng(seed)
        group, y = np.arange(120) // 10, np.arange(120) % 2
        told = (3.0 * rng.integers(2, size=12))[group]  # half of the groups are deaf
        x = (told * (2 * y - 1) + rng.normal(size=120))[:, None]
        d = ap.decode(x, y, groups=group, cv=6, alphas=[1.0], n_permutations=0)
        truths.append(float(d.score))
        covered.append([float(e) for e in d.interval()])
        alone.append(proportion_interval(float(d.score) * 120, 120, 0.95, 1.3))
    truth = np.mean(truths)
    rate = np.mean([low <= truth <= high for low, high in covered])
    naive = np.mean([low <= truth <= high for low, high in alone])
    assert rate >= 0.9 > naive


def test_repeated_folds_and_unequal_classes() -> None:
    x, y = noisy(60, (4,), 0, 5.0)
    many = ap.decode(x, y, cv=RepeatedStratifiedKFold(n_splits=5, n_repeats=4, random_state=0), n_permutations=0)
    once = ap.decode(x, y, cv=StratifiedKFold(5), n_permutations=0)
    assert many.n_effective is not None and once.n_effective is not None
    assert 0.5 < float(many.n_effective) / float(once.n_effective) < 2  # the same trials tell as much
    rare = (np.arange(60) < 6).astype(int)
    uneven = ap.decode(np.where(rare == 1, 9.0, 0.0)[:, None] + x, rare, cv=3, n_permutations=0)
    assert uneven.metric == "balanced accuracy" and uneven.n_effective is not None
    assert float(uneven.n_effective) < 30, "6 trials of a class do not tell what 60 do"


def test_scores_that_are_alike_in_all_folds_have_no_interval() -> None:
    x, y = separated(24, 1, 40.0, 0)
    d = ap.decode(x[:, 0], y, scoring="auc", n_permutations=0)
    assert float(d.score) == 1.0 and np.isnan(d.interval()[0]).all() and "all folds have the same AUC" in d.refused
