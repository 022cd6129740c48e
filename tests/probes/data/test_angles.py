"""Angles are decoded the short way round."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from fixtures.activity import head_directions, noisy
from sklearn.ensemble import RandomForestRegressor
from sklearn.linear_model import Ridge
from sklearn.model_selection import KFold
from sklearn.svm import LinearSVR

import artiphys as ap
from artiphys.errors import InputError


def test_head_direction_is_decoded_within_ten_degrees() -> None:
    counts, angle = head_directions(1500, np.random.default_rng(0))
    options: dict[str, Any] = {"cv": KFold(5), "n_permutations": 0, "circular": True, "period": 360}
    linear = ap.decode(counts, angle, cv=KFold(5), n_permutations=0)
    ridge = ap.decode(counts, angle, **options)
    bayes = ap.decode(counts, angle, "poisson", **options)
    assert linear.predictions is not None and ridge.median_error is not None and bayes.median_error is not None
    away = np.abs((linear.predictions.to_numpy() - angle + 180) % 360 - 180)
    assert float(bayes.median_error) < float(ridge.median_error) < 10 < np.median(away)
    assert float(bayes.score) > 0.97 and bayes.metric == "cosine of the error" and bayes.chance == 0
    assert bayes.predictions is not None and bayes.predictions.min() >= 0 and bayes.predictions.max() < 360
    # Radians, whole degrees and angles beyond a turn are the same angles.
    radians = ap.decode(counts, np.deg2rad(angle), cv=KFold(5), n_permutations=0, circular=True)
    assert float(radians.score) == pytest.approx(float(ridge.score))
    whole = ap.decode(counts, angle.round().astype(int) + 720, **options)
    assert abs(float(whole.median_error) - float(ridge.median_error)) < 0.5  # type: ignore[arg-type]


def test_an_angle_by_hand_equals_ridge_on_cosine_and_sine() -> None:
    counts, angle = head_directions(200, np.random.default_rng(1), cells=6)
    ours = ap.decode(counts, angle, alphas=[3.0], cv=KFold(4), n_permutations=0, circular=True, period=360)
    target = np.column_stack([np.cos(np.deg2rad(angle)), np.sin(np.deg2rad(angle))])
    guess = np.empty(200)
    for train, test in KFold(4).split(counts):
        mean, sd = counts[train].mean(axis=0), counts[train].std(axis=0)
        said = Ridge(3.0).fit((counts[train] - mean) / sd, target[train]).predict((counts[test] - mean) / sd)
        guess[test] = np.rad2deg(np.arctan2(said[:, 1], said[:, 0])) % 360
    assert ours.predictions is not None
    np.testing.assert_allclose(ours.predictions.to_numpy(), guess, atol=1e-6)
    other = ap.decode(counts, angle, Ridge(3.0), cv=KFold(4), n_permutations=0, circular=True, period=360)
    assert abs(float(other.score) - float(ours.score)) < 0.05
    forest = RandomForestRegressor(20, random_state=0)
    assert float(ap.decode(counts, angle, forest, n_permutations=0, circular=True, period=360).score) > 0.5
    with pytest.raises(InputError, match="MultiOutputRegressor"):
        ap.decode(counts, angle, LinearSVR(), n_permutations=0, circular=True, period=360)


def test_angles_without_information_score_chance() -> None:
    rng = np.random.default_rng(0)
    p = []
    for seed in range(60):
        x, angle = rng.normal(size=(50, 4)), rng.uniform(0, 360, size=50)
        options: dict[str, Any] = {"circular": True, "period": 360, "alphas": [1.0], "n_permutations": 19, "seed": seed}
        p.append(float(ap.decode(x, angle, **options).p_value))  # type: ignore[arg-type]
    assert np.mean(np.array(p) <= 0.05) <= 0.05 + 3.5 * np.sqrt(0.05 * 0.95 / 60)
    light = ap.searchlight(x, angle, size=2, circular=True, period=360, n_permutations=20)
    assert light.metric == "cosine of the error" and np.abs(light.score).max() < 0.7


def test_what_angles_need_is_said() -> None:
    x, y = noisy(60, (4,), 0)
    cases: list[tuple[Any, dict[str, Any], str]] = [
        (y.astype(str), {"circular": True}, "wanted numbers .angles."),
        (y, {"circular": True, "period": -1.0}, "wanted a positive number"),
        (x[:, 0], {"circular": True, "estimator": "lda"}, "knows classes"),
        (x[:, 0], {"circular": True, "scoring": "r2"}, "labels are angles"),
    ]
    for labels, options, message in cases:
        with pytest.raises(InputError, match=message):
            ap.decode(x, labels, n_permutations=0, **options)
    with pytest.warns(UserWarning, match="period=360"):
        ap.decode(x, np.linspace(0, 359, 60), circular=True, n_permutations=0)
