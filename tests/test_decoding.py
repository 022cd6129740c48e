"""Decoding: equal to scikit-learn, honest nulls, designs that must be respected."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import xarray as xr
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.model_selection import LeaveOneGroupOut, cross_val_score

import artiphys as ap
from artiphys.errors import ArtiphysError, InputError, StatisticsError


def data(n: int = 60, units: int = 8, classes: int = 2, seed: int = 0) -> tuple[Any, Any]:
    rng = np.random.default_rng(seed)
    y = np.arange(n) % classes
    return rng.normal(size=(n, units)) + 0.6 * rng.normal(size=(classes, units))[y], y


def test_any_estimator_and_splitter() -> None:
    x, y = data()
    groups = np.arange(60) // 6
    lda = LinearDiscriminantAnalysis()
    ours = ap.decode(x, y, lda, cv=LeaveOneGroupOut(), groups=groups, n_permutations=20)
    theirs = cross_val_score(lda, x, y, cv=LeaveOneGroupOut(), groups=groups)
    np.testing.assert_allclose(ours.folds, theirs)
    assert ours.scheme == "within groups"


def test_p_values_are_uniform_without_information() -> None:
    rng = np.random.default_rng(0)
    y = np.arange(40) % 2
    p = np.array([float(ap.decode(rng.normal(size=(40, 5)), y, n_permutations=39, seed=i).p_value) for i in range(300)])  # type: ignore[arg-type]
    assert p.min() >= 1 / 40
    assert 0.02 < np.mean(p <= 0.05) < 0.085 and 0.42 < np.mean(p <= 0.5) < 0.62


def test_null_mean_and_stderr() -> None:
    x, y = data()
    d = ap.decode(x, y, n_permutations=100)
    assert float(d.null_mean) == pytest.approx(0.5, abs=0.05)  # type: ignore[arg-type]
    sd = float(np.std(d.folds, ddof=1))
    assert float(d.stderr) == pytest.approx(sd * math.sqrt(1 / 5 + 12 / 48))
    low, high = d.interval()
    assert float(low) < float(d.score) < float(high)
    assert "Nadeau-Bengio" in d.methods_text() and d.to_dataframe().shape == (1, 6)


def test_sessions_trap() -> None:
    """12 groups x 20 trials with a group offset and no information about the label."""
    hits, naive = [], []
    for seed in range(60):
        rng = np.random.default_rng(seed)
        group = np.arange(240) // 20
        label = rng.permutation(np.arange(12) % 2)[group]
        x = rng.normal(size=(12, 10))[group] + rng.normal(size=(240, 10))
        right = ap.decode(x, label, groups=group, cv=4, n_permutations=39, seed=seed)
        assert right.scheme == "whole groups"
        hits.append(float(right.p_value) <= 0.05)  # type: ignore[arg-type]
        if seed < 20:
            naive.append(float(ap.decode(x, label, n_permutations=39, seed=seed).p_value) <= 0.05)  # type: ignore[arg-type]
    assert np.mean(hits) <= 0.15, "whole-group permutation keeps the false-positive rate"
    assert np.mean(naive) >= 0.9, "permuting trials does not"


def test_time_is_decoded_step_by_step() -> None:
    """The rotating code: equal decoding at each step."""
    rng = np.random.default_rng(0)
    y = np.arange(200) % 2
    angle = np.linspace(0, np.pi / 2, 4)
    axis = np.stack([np.cos(angle), np.sin(angle)], axis=-1)
    x = rng.normal(size=(200, 4, 2)) + (2 * y - 1)[:, None, None] * axis
    d = ap.decode(xr.DataArray(x, dims=("trial", "time", "unit")), y, n_permutations=0)
    assert d.score.dims == ("time",) and d.folds.dims == ("fold", "time")
    np.testing.assert_allclose(d.score, 0.8413, atol=0.07)


def test_unequal_classes_use_balanced_accuracy() -> None:
    rng = np.random.default_rng(0)
    y = np.array([0] * 50 + [1] * 10)
    d = ap.decode(rng.normal(size=(60, 3)), y, n_permutations=0)
    assert d.metric == "balanced accuracy" and d.chance == 0.5 and float(d.score) < 0.7


def test_labels_by_name_text_and_boolean() -> None:
    toy = ap.toys.load("suppressor")
    rec = ap.record(ap.wrap(toy), toy.stimuli[:200], "hidden")
    by_name = ap.decode(rec["hidden"], "label", n_permutations=0)
    text = np.where(toy.labels[:200] == 1, "yes", "no")
    assert float(by_name.score) == float(ap.decode(rec["hidden"], text, n_permutations=0).score) > 0.98
    assert float(ap.decode(rec["hidden"], toy.labels[:200] == 1, n_permutations=0).score) > 0.98


def test_grouped_conditions_need_groups() -> None:
    x, y = data()
    activity = xr.DataArray(x, dims=("trial", "unit"), coords={"session": ("trial", np.arange(60) // 6)})
    with pytest.raises(StatisticsError, match="pass groups='session'"):
        ap.decode(activity, y)
    assert ap.decode(activity, y, groups="session", n_permutations=0).n_trials == 60
    assert ap.decode(activity.drop_vars("session"), y, n_permutations=0).n_trials == 60


def test_few_permutations_are_refused() -> None:
    x, _ = data()
    group = np.arange(60) // 15
    with pytest.raises(StatisticsError, match="distinct relabellings"):
        ap.decode(x, group % 2, groups=group, cv=2)
    half = np.where(group == 0, np.arange(60) % 2, group % 2)
    with pytest.raises(StatisticsError, match="constant in 3 groups and vary in 1"):
        ap.decode(x, half, groups=group, cv=2)


def test_bad_input_says_what_to_do() -> None:
    x, y = data()
    nan = x.copy()
    nan[3, 2] = np.nan
    cases: list[tuple[tuple[Any, ...], dict[str, Any], str]] = [
        ((x, y[:-1]), {}, "wanted one value a trial"),
        ((nan, y), {}, "NaN or infinite on 1 of 60"),
        ((x, np.zeros(60, dtype=int)), {}, "single class"),
        ((x, y), {"cv": 61}, "61 folds for 60 trials"),
        ((x[:8], y[:8]), {"cv": 5}, "smallest class has 4 trials"),
        ((x, "label"), {}, "no condition 'label'"),
        (("activity", y), {}, "wanted numbers"),
        ((x[:, 0], y), {}, r"wanted \(trial, ..., unit\)"),
        ((x, y), {"estimator": "forest"}, "scikit-learn estimator"),
        ((x, y), {"cv": "five"}, "splitter"),
        ((x, y), {"cv": 5, "groups": np.arange(60) // 20}, "5 folds for 3 groups"),
        ((x, [None, *y[1:]]), {}, "missing on 1 trials"),
    ]
    for args, options, message in cases:
        with pytest.raises(ArtiphysError, match=message):
            ap.decode(*args, **options)
    with pytest.raises(InputError, match="'trial' first"):
        ap.decode(xr.DataArray(x, dims=("unit", "trial")), y)
