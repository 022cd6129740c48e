"""Tuning curves: closed forms, preferred values, calibrated tests."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import xarray as xr
from scipy.stats import f_oneway

import artiphys as ap
from artiphys.errors import ArtiphysError, StatisticsError
from artiphys.stats import Permutations, false_discovery, p_value, pooled_p_value


def test_mean_and_sem_by_hand() -> None:
    rng = np.random.default_rng(0)
    x = rng.normal(loc=1e6, size=(30, 4))
    s = np.array(["a", "b", "c"])[np.arange(30) % 3]
    t = ap.tuning_curves(x, s)
    for level in "abc":
        part = x[s == level]
        np.testing.assert_allclose(t.curves.sel(stimulus=level), part.mean(0), rtol=1e-12)
        np.testing.assert_allclose(t.sem.sel(stimulus=level), part.std(0, ddof=1) / np.sqrt(10), rtol=1e-6)
    assert t.curves.dims == ("unit", "stimulus") and t.n.values.tolist() == [10, 10, 10] and t.kind == "categorical"
    f = f_oneway(*[x[s == level] for level in "abc"]).statistic
    eta = 2 * f / (2 * f + 27)
    np.testing.assert_allclose(t.selectivity(), eta, rtol=1e-6)


def test_circular_preferred_is_the_phase_of_a_cosine() -> None:
    angle = np.repeat(np.arange(12) * 30.0, 5)
    phase = np.array([0.0, 45.0, 200.0])
    x = -3 + 2 * np.cos(np.deg2rad(angle[:, None] - phase))
    t = ap.tuning_curves(x, angle, circular=True, period=360)
    np.testing.assert_allclose(t.preferred() % 360, phase, atol=1e-6)
    orientation = ap.tuning_curves(np.cos(np.deg2rad(2 * (angle[:, None] - 70))), angle, circular=True, period=180)
    assert float(orientation.preferred()[0]) == pytest.approx(70)


def test_linear_and_categorical_preferred() -> None:
    x = np.array([[0.0, 1], [2, 1], [1, 1]]).repeat(2, axis=0)
    t = ap.tuning_curves(x, [10, 10, 20, 20, 30, 30])
    assert t.kind == "linear" and float(t.preferred()[0]) == 20 and np.isnan(t.preferred()[1])
    c = ap.tuning_curves(x, list("aabbcc"))
    assert c.preferred().values[0] == "b" and np.isnan(c.preferred().values[1])


def test_many_values_are_binned() -> None:
    s = np.linspace(0, 1, 200)
    t = ap.tuning_curves(np.column_stack([s, -s]), s)
    assert len(t.n) == 8 and t.n.min() == 25
    np.testing.assert_allclose(t.curves[0], t.curves["stimulus"], atol=0.01)
    circular = ap.tuning_curves(s[:, None], s * 360, circular=True, period=360, bins=4)
    np.testing.assert_allclose(circular.curves["stimulus"], [45, 135, 225, 315])


def test_times_heads_and_padding() -> None:
    rng = np.random.default_rng(0)
    x = rng.normal(size=(6, 3, 2, 4))
    valid = np.ones((6, 3), dtype=bool)
    valid[0, 2] = False
    x[0, 2] = np.nan
    data = xr.DataArray(
        x,
        dims=("trial", "time", "head", "unit"),
        coords={"valid": (("trial", "time"), valid), "s": ("trial", list("ababab"))},
    )
    t = ap.tuning_curves(data, "s")
    assert t.curves.dims == ("time", "head", "unit", "stimulus")
    np.testing.assert_allclose(t.curves.sel(stimulus="a")[2], x[[2, 4], 2].mean(0))
    np.testing.assert_allclose(t.curves.sel(stimulus="a")[0], x[[0, 2, 4], 0].mean(0))


@pytest.mark.parametrize("units", [1, 40])
def test_p_values_are_calibrated_also_with_unequal_n_and_variance(units: int) -> None:
    """Raw mean differences reject .24 here; Welch's F keeps its level."""
    s = np.array([0] * 40 + [1] * 10)
    rejected = []
    for seed in range(400 // units + 20):
        rng = np.random.default_rng(seed)
        x = rng.normal(size=(50, units)) * np.where(s == 1, 2.0, 1.0)[:, None]
        p = ap.tuning_curves(x, s, n_permutations=99, seed=seed).p_value
        rejected.append(float((p <= 0.05).mean()))  # type: ignore[union-attr,operator]
    assert 0.02 <= np.mean(rejected) <= 0.085


def test_pooled_null_lets_many_units_survive_fdr() -> None:
    rng = np.random.default_rng(0)
    s = np.arange(60) % 2
    x = rng.normal(size=(60, 500))
    x[:, :10] += 2.0 * s[:, None]
    t = ap.tuning_curves(x, s, n_permutations=200, seed=0)
    q = false_discovery(t.p_value.to_numpy())  # type: ignore[union-attr]
    assert (q[:10] < 0.05).all() and np.mean(q[10:] < 0.05) < 0.02
    assert "pooled over 500 units" in t.methods_text()


def test_p_value_functions() -> None:
    assert p_value(np.array([2.0, 0.0]), np.array([[1.0, 1.0], [2.0, 1.0], [0.0, 0.0]])) == pytest.approx([0.5, 1.0])
    null = np.random.default_rng(0).normal(size=(50, 3))
    by_hand = [(np.sum(null >= v) + 1) / 151 for v in (0.3, -1.0, 9.0)]
    assert pooled_p_value(np.array([0.3, -1.0, 9.0]), null) == pytest.approx(by_hand)


def test_permutation_schemes_keep_the_design() -> None:
    y = np.array([0, 0, 1, 1] * 6)
    groups = np.arange(24) // 2
    for new in Permutations.of(y, groups).draw(20, 0):
        assert all(len(set(new[groups == g])) == 1 for g in range(12)) and new.sum() == y.sum()
    mixed = np.array([0, 1] * 12)
    for new in Permutations.of(mixed, groups).draw(20, 0):
        assert all(set(new[groups == g]) == {0, 1} for g in range(12))


def test_gate_is_untuned_and_backup_is_silent() -> None:
    gate = ap.toys.load("gate")
    t = ap.tuning_curves(ap.record(ap.wrap(gate), gate.stimuli, "hidden")["hidden"], "label", n_permutations=30, seed=0)
    assert float(t.p_value[0]) == 1.0 and float(t.p_value[1]) < 0.2  # type: ignore[index]
    assert t.to_dataframe().shape == (2, 4)


def test_bad_input_says_what_to_do() -> None:
    x = np.random.default_rng(0).normal(size=(10, 2))
    cases: list[tuple[Any, dict[str, Any], str]] = [
        (np.zeros(10), {}, "single value"),
        (np.arange(9), {}, "one value a trial"),
        ([*"abababab", "a", "b"], {"circular": True}, "numbers"),
        (np.arange(10) % 2, {"bins": 1}, "at least 2"),
        ([0.0, np.nan] + [1.0] * 8, {}, "missing on 1"),
        ("side", {}, "no condition 'side'"),
    ]
    for stimulus, options, message in cases:
        with pytest.raises(ArtiphysError, match=message):
            ap.tuning_curves(x, stimulus, **options)
    with pytest.raises(StatisticsError, match="fewer than two trials"):
        ap.tuning_curves(x, [0] + [1] * 9, n_permutations=10)
