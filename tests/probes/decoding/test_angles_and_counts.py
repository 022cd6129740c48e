"""Angles are decoded the short way round, and counts by Bayes' rule; both against what can be known."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import xarray as xr
from fixtures.activity import noisy
from scipy.special import softmax
from scipy.stats import poisson
from sklearn.ensemble import RandomForestRegressor
from sklearn.linear_model import Ridge
from sklearn.model_selection import KFold
from sklearn.svm import LinearSVR

import artiphys as ap
from artiphys.array_types import Array
from artiphys.errors import InputError


def head_directions(n: int, rng: np.random.Generator, cells: int = 25, peak: float = 4.0) -> tuple[Array, Array]:
    """Spike counts of head-direction cells while the head turns by a random walk, and the direction [degrees]."""
    angle = np.cumsum(rng.normal(size=n) * 12) % 360
    preferred = rng.uniform(0, 360, size=cells)
    rate = 0.2 + peak * np.exp(4 * (np.cos(np.deg2rad(angle[:, None] - preferred)) - 1))
    return rng.poisson(rate).astype(float), angle


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


def test_poisson_classes_are_bayes_rule() -> None:
    rng = np.random.default_rng(0)
    y = np.arange(90) % 3
    counts = rng.poisson(np.array([[1.0, 3, 2, 0], [3, 1, 2, 0], [2, 2, 5, 0]])[y]).astype(float)
    ours = ap.decode(counts, y, "poisson", cv=KFold(3), scoring="log_loss", n_permutations=0)
    guess, chance = np.empty(90, dtype=int), np.empty((90, 3))
    for train, test in KFold(3).split(counts):
        mean = counts[train].mean(axis=0)
        rate = np.stack(
            [(counts[train][y[train] == c].sum(axis=0) + mean) / ((y[train] == c).sum() + 1) for c in range(3)]
        )
        log: Array = poisson.logpmf(counts[test][:, None, :3], rate[None, :, :3]).sum(axis=-1)
        guess[test] = log.argmax(axis=1)
        chance[test] = np.asarray(softmax(log, axis=1))
    np.testing.assert_array_equal(ours.predictions, guess)
    np.testing.assert_allclose(float(ours.score), np.log(chance[np.arange(90), y]).mean())
    two = ap.decode(counts, (y == 2).astype(int), "poisson", cv=KFold(3), n_permutations=19)
    assert two.weights.dims == ("unit",) and float(two.score) > 0.6 and "Poisson" in two.estimator


def test_position_on_a_track() -> None:
    rng = np.random.default_rng(0)
    position = np.abs((np.arange(1200) * 0.7) % 200 - 100)  # runs up and down a track of 100 cm
    centres = rng.uniform(0, 100, size=30)
    counts = rng.poisson(0.1 + 3 * np.exp(-0.5 * ((position[:, None] - centres) / 8) ** 2)).astype(float)
    bayes = ap.decode(counts, position, "poisson", cv=KFold(5), n_permutations=0)
    ridge = ap.decode(counts, position, cv=KFold(5), n_permutations=0)
    assert float(bayes.median_error) < 4 and float(bayes.score) > float(ridge.score)  # type: ignore[arg-type]
    with pytest.raises(Exception, match="no weights"):
        _ = bayes.weights


def test_what_the_poisson_decoder_and_angles_need_is_said() -> None:
    x, y = noisy(60, (4,), 0)
    with pytest.raises(InputError, match="reads counts"):
        ap.decode(x, y, "poisson", n_permutations=0)
    with pytest.warns(UserWarning, match="holds fractions"):
        ap.decode(np.abs(x), y, "poisson", n_permutations=0)
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


def test_windows_of_time() -> None:
    rng = np.random.default_rng(0)
    y = np.arange(60) % 2
    x = rng.normal(size=(60, 10, 3)) + 0.5 * y[:, None, None]
    data = xr.DataArray(x, dims=("trial", "time", "unit"), coords={"time": np.arange(10) * 0.1})
    wide = ap.decode(data, y, window=4, n_permutations=0, alphas=[1.0])
    np.testing.assert_allclose(wide.score["time"], 0.15 + 0.1 * np.arange(7))
    alone = ap.decode(x[:, 2:6].mean(axis=1), y, n_permutations=0, alphas=[1.0])
    assert float(wide.score[2]) == float(alone.score)
    for window, message in ((11, "10 times"), (0, "at least 1"), (2.5, "wanted")):
        with pytest.raises(InputError, match=message):
            ap.decode(data, y, window=window)  # type: ignore[arg-type]
    with pytest.raises(InputError, match="no time axis"):
        ap.decode(x[:, 0], y, window=2)
