"""Poisson models of counts: closed forms, scikit-learn by hand, planted predictors, calibrated tests, refusals."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from sklearn.linear_model import PoissonRegressor
from sklearn.metrics import d2_tweedie_score, mean_poisson_deviance
from sklearn.preprocessing import SplineTransformer
from threadpoolctl import threadpool_limits

import artiphys as ap
from artiphys import plotting
from artiphys.errors import ArtiphysError, StatisticsError
from artiphys.probes.count_models.poisson_fits import deviance, folds_of

QUIET: dict[str, Any] = {"progress": False}


def drawn(seed: int, n: int = 300, units: int = 1) -> tuple[Any, dict[str, Any]]:
    """Counts that follow speed and an angle, not the cue."""
    rng = np.random.default_rng(seed)
    named = {
        "speed": rng.uniform(0, 2, n),
        "angle": rng.uniform(0, 360, n),
        "cue": np.array(list("abc"))[np.arange(n) % 3],
    }
    rate = np.exp(1 + 0.8 * named["speed"] ** 2 / 4 + 0.6 * np.cos(np.deg2rad(named["angle"] - 40)))
    return rng.poisson(rate[:, None] * np.ones(units)), named


def test_one_categorical_predictor_is_the_means_of_its_values() -> None:
    rng = np.random.default_rng(0)
    cue = np.arange(90) % 3
    y = rng.poisson(np.array([1.0, 4.0, 9.0])[cue])
    model = ap.encode_counts(y[:, None], {"cue": cue}, penalty=1e-9, cv=3, seed=4, **QUIET)
    fold = folds_of(90, 3, None, 4)
    full = null = 0.0
    for f in range(3):
        train, test = fold != f, fold == f
        means = np.array([y[train & (cue == c)].mean() for c in range(3)])
        full += deviance(y[test], means[cue[test]])
        null += deviance(y[test], np.full(test.sum(), y[train].mean()))
    assert float(model.score[0]) == pytest.approx(1 - full / null, rel=1e-5)
    np.testing.assert_allclose(model.unique[0], model.score[0])
    means = np.array([y[cue == c].mean() for c in range(3)])
    np.testing.assert_allclose(model.curves["cue"][0], means / np.exp(np.log(means).mean()), rtol=1e-4)


def test_splines_agree_with_scikit_learn_by_hand() -> None:
    y, named = drawn(1)
    model = ap.encode_counts(y, named, circular={"angle": 360}, seed=2, **QUIET)
    knots = np.linspace(0, 360, 7)[:, None]
    columns = {
        "speed": SplineTransformer(5, knots="quantile", extrapolation="constant", include_bias=False),
        "angle": SplineTransformer(knots=knots, extrapolation="periodic", include_bias=False),
    }
    parts = {name: s.fit_transform(named[name][:, None]) for name, s in columns.items()}
    parts["cue"] = np.column_stack([named["cue"] == "b", named["cue"] == "c"]).astype(float)
    fold = folds_of(300, 5, None, 2)
    totals = {}
    for left_out in ("", "speed", "angle", "cue"):
        design = np.column_stack([v for k, v in parts.items() if k != left_out])
        totals[left_out] = 0.0
        for f in range(5):
            with threadpool_limits(1):
                fit = PoissonRegressor(alpha=1e-3, max_iter=1000, tol=1e-7).fit(design[fold != f], y[fold != f, 0])
            held = fold == f
            totals[left_out] += mean_poisson_deviance(y[held, 0], fit.predict(design[held])) * held.sum()
    null = sum(deviance(y[fold == f, 0], np.full((fold == f).sum(), y[fold != f, 0].mean())) for f in range(5))
    assert float(model.score[0]) == pytest.approx(1 - totals[""] / null, abs=1e-4)
    for name in named:
        wanted = (totals[name] - totals[""]) / null
        assert float(model.unique.sel(predictor=name)[0]) == pytest.approx(wanted, abs=1e-4)
    assert d2_tweedie_score(y[:, 0], np.full(300, y.mean()), power=1) == pytest.approx(0)
    assert dict(model.kinds) == {"speed": "spline", "angle": "circular", "cue": "categorical"}


def test_planted_predictors_are_found_with_their_curves() -> None:
    y, named = drawn(2, n=300, units=2)
    model = ap.encode_counts(y, pd.DataFrame(named), circular={"angle": 360.0}, n_permutations=19, cv=3, **QUIET)
    assert model.p_value is not None
    p = model.p_value.to_numpy()
    assert (p[:, :3] <= 0.05 + 1e-9).all() and (p[:, 3] > 0.05 + 1e-9).all()
    angle = model.curves["angle"]
    wanted = np.exp(0.6 * np.cos(np.deg2rad(angle["angle"] - 40)))
    np.testing.assert_allclose(angle[0] / angle[0].mean(), wanted / wanted.mean(), atol=0.2)
    assert float(angle[0, 0]) == pytest.approx(float(angle[0, -1]))  # a full turn
    low, high = model.interval()
    assert bool((low.sel(predictor="all") > 0).all() and (high > low).all())
    table = model.to_dataframe()
    assert len(table) == 8 and "p_fdr" in table and "PoissonRegressor" not in model.methods_text()
    assert "CountEncoding of 2 units by speed, angle, cue" in repr(model)


def test_predictors_that_say_the_same_are_not_unique() -> None:
    y, named = drawn(3)
    both = ap.encode_counts(y, {"speed": named["speed"], "again": named["speed"] * 3.6}, **QUIET)
    alone = ap.encode_counts(y, {"speed": named["speed"]}, **QUIET)
    assert float(both.score[0]) == pytest.approx(float(alone.score[0]), abs=0.01) and float(alone.score[0]) > 0.05
    assert np.abs(both.unique.to_numpy()).max() < 0.01


@pytest.mark.many_runs
def test_a_null_predictor_keeps_its_level_beside_correlated_ones() -> None:
    p = []
    for seed in range(20):
        rng = np.random.default_rng(seed)
        speed = rng.normal(size=100)
        named = {"speed": speed, "null": 0.7 * speed + 0.7 * rng.normal(size=100)}
        y = rng.poisson(np.exp(1 + 0.5 * speed))[:, None]
        kinds = {"speed": "linear", "null": "linear"}
        model = ap.encode_counts(y, named, kinds=kinds, n_permutations=19, cv=2, seed=seed, **QUIET)
        assert model.p_value is not None
        p.append(model.p_value.to_numpy()[0])
    rates = (np.array(p) <= 0.05 + 1e-9).mean(axis=0)
    assert rates[0] > 0.9 and rates[2] <= 0.2


def test_groups_stay_in_one_fold() -> None:
    y, named = drawn(4)
    session = np.arange(300) // 12
    fold = folds_of(300, 5, session, 0)
    assert all(len(np.unique(fold[session == s])) == 1 for s in range(25)) and set(np.bincount(fold)) == {60}
    day = np.random.default_rng(0).normal(size=25)[session]
    model = ap.encode_counts(y, {**named, "day": day}, groups=session, n_permutations=19, cv=2, **QUIET)
    assert "groups whole" in model.methods_text()
    data = xr.DataArray(y, dims=("trial", "unit"), coords={"session": ("trial", session)})
    with pytest.raises(StatisticsError, match="pass groups"):
        ap.encode_counts(data, named, **QUIET)
    with pytest.raises(StatisticsError, match="3 groups"):
        ap.encode_counts(y, named, groups=np.arange(300) // 100, **QUIET)


def test_silent_units_are_nan_with_a_word() -> None:
    y, named = drawn(5, units=2)
    y[:, 1] = 0
    with pytest.warns(UserWarning, match="1 of 2 units have fewer than 10 spikes"):
        model = ap.encode_counts(y, {"speed": named["speed"]}, **QUIET)
    assert np.isnan(model.score[1]) and np.isfinite(model.score[0]) and np.isnan(model.interval()[0][1]).all()
    rare = np.where(np.arange(300) == 7, "rare", "often")
    with pytest.warns(UserWarning, match="'rare' of 'cue' is in no training trial"):
        ap.encode_counts(y[:, :1], {"cue": rare}, **QUIET)


def test_bad_input_says_what_to_do() -> None:
    y, named = drawn(6)
    whole = np.arange(300)
    cases: list[tuple[Any, Any, dict[str, Any], str]] = [
        (y * 0.5, named, {}, "whole numbers of spikes"),
        (-y, named, {}, "whole numbers of spikes"),
        (y, {}, {}, "mapping of names"),
        (y, {"speed": named["speed"][:-1]}, {}, "one value per trial"),
        (y, {"speed": np.where(whole == 3, np.nan, named["speed"])}, {}, "missing on 1"),
        (y, {"speed": np.zeros(300)}, {}, "single value"),
        (y, {"n": whole}, {}, "too many for categories"),
        (y, {"n": whole % 3 * 1.0}, {}, "too few for a spline"),
        (y, named, {"kinds": {"cue": "spline"}}, "must be numbers"),
        (y, named, {"kinds": {"speed": "cubic"}}, "wanted one of"),
        (y, named, {"kinds": {"angle": "circular"}}, "wanted its period"),
        (y, named, {"circular": {"angle": "turn"}}, "wanted its period"),
        (y, named, {"circular": {"angel": 360}}, "the predictors are"),
        (y, {"all": named["speed"]}, {}, "rename it"),
        (y, named, {"penalty": 0.0}, "above 0"),
        (y, "speed", {}, "no condition 'speed'"),
    ]
    for counts, predictors, options, message in cases:
        with pytest.raises(ArtiphysError, match=message):
            ap.encode_counts(counts, predictors, **options, **QUIET)
    with pytest.raises(StatisticsError, match="no p-values"):
        _ = ap.encode_counts(y, {"cue": named["cue"]}, **QUIET).p_fdr


def test_plot_shows_every_unit_and_predictor() -> None:
    y, named = drawn(7, n=150, units=5)
    model = ap.encode_counts(y, {"speed": named["speed"], "cue": named["cue"]}, **QUIET)
    ax = plotting.plot_count_encoding(model)
    ax.figure.canvas.draw()
    drawn_units = sum(len(np.asarray(c.get_offsets())) for c in ax.collections if type(c).__name__ == "PathCollection")
    assert drawn_units == 15 and "D²" in ax.get_ylabel()
    plotting.plot_count_encoding(ap.encode_counts(y[:, :1], {"cue": named["cue"]}, **QUIET)).figure.canvas.draw()
