"""Confounds whose trace is no straight line: warned of, and removed by splines."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pytest
from fixtures.activity import noisy

import artiphys as ap
from artiphys.array_types import Array
from artiphys.errors import InputError, StatisticsError

TRACES: dict[str, Any] = {"quadratic": np.square, "exponential": lambda c: np.exp(1.5 * c), "linear": lambda c: c}


def confounded(trace: str, seed: int, n: int = 120) -> tuple[Array, Array, Array]:
    """Activity that holds nothing but a trace of the confound, on which the label depends, too."""
    rng = np.random.default_rng(seed)
    c = rng.normal(size=n)
    size = np.abs(c) - 0.67 if trace == "quadratic" else c
    y = (size + 0.5 * rng.normal(size=n) > 0).astype(int)
    return rng.normal(size=(n, 3)) + TRACES[trace](c)[:, None] * np.array([1.0, 0.5, 0.0]), y, c


@pytest.mark.parametrize("trace", ["quadratic", "exponential"])
def test_a_line_leaves_what_splines_take(trace: str) -> None:
    """The rates of 1,000 data sets: tests/benchmarks/design_calibration.py."""
    by_line, by_spline, warned = [], [], []
    for seed in range(40):
        x, y, c = confounded(trace, seed)
        options: dict[str, Any] = {"confounds": c, "alphas": [1.0], "n_permutations": 19, "seed": seed}
        with warnings.catch_warnings(record=True) as said:
            warnings.simplefilter("always")
            by_line.append(ap.decode(x, y, **options).p_value.item() <= 0.05)  # type: ignore[union-attr]
        warned.append(any("confound_form='spline'" in str(w.message) for w in said))
        by_spline.append(ap.decode(x, y, confound_form="spline", **options).p_value.item() <= 0.05)  # type: ignore[union-attr]
    assert np.mean(warned) >= 0.95 and np.mean(by_line) >= 0.2
    assert np.mean(by_spline) <= 0.05 + 3.5 * np.sqrt(0.05 * 0.95 / 40)


def test_a_straight_trace_is_no_reason_to_warn() -> None:
    for seed in range(20):
        x, y, c = confounded("linear", seed)
        ap.decode(x, y, confounds=c, alphas=[1.0], n_permutations=0)


def test_what_is_informative_stays() -> None:
    rng = np.random.default_rng(0)
    x, y, c = confounded("quadratic", 0)
    x[:, 2] += 3 * y
    d = ap.decode(x, y, confounds=c, confound_form="spline", n_permutations=50)
    assert float(d.score) > 0.7 and float(d.p_value) < 0.05  # type: ignore[arg-type]
    few = rng.integers(3, size=120)  # of few values each has its own level
    same = np.column_stack([few == 1, few == 2]).astype(float)
    by_level = ap.decode(x, y, confounds=few, confound_form="spline", alphas=[1.0], n_permutations=0)
    by_column = ap.decode(x, y, confounds=same, alphas=[1.0], n_permutations=0)
    np.testing.assert_allclose(by_level.folds, by_column.folds)


def test_reliability_and_forms_are_checked() -> None:
    x, y = noisy(60, (4,), 0)
    c = np.random.default_rng(0).normal(size=60)
    noise = ap.decode(x, y, confounds=c, reliability=0.7, alphas=[1.0], n_permutations=0)
    assert not np.array_equal(noise.folds, ap.decode(x, y, confounds=c, alphas=[1.0], n_permutations=0).folds)
    with pytest.raises(InputError, match="confound_form='linear' only"):
        ap.decode(x, y, confounds=c, reliability=0.7, confound_form="spline")
    with pytest.raises(InputError, match="no confound_form 'cubic'"):
        ap.searchlight(x, y, size=2, confounds=c, confound_form="cubic")


def test_a_badly_measured_confound_is_removed_by_its_reliability() -> None:
    """Activity holds the true confound, of which half of the variance was measured."""
    plain, corrected = [], []
    for seed in range(40):
        rng = np.random.default_rng(seed)
        true = rng.normal(size=200)
        measured = true + rng.normal(size=200)
        y = (true + 0.3 * rng.normal(size=200) > 0).astype(int)
        x = true[:, None] + 0.5 * rng.normal(size=(200, 2))
        options: dict[str, Any] = {"confounds": measured, "alphas": [1.0], "n_permutations": 0, "seed": seed}
        plain.append(float(ap.decode(x, y, **options).score))
        corrected.append(float(ap.decode(x, y, reliability=0.5, **options).score))
    assert np.mean(plain) > 0.65 and np.mean(corrected) == pytest.approx(0.5, abs=0.04)


def test_matched_labels_move_between_trials_of_similar_confounds() -> None:
    p, found = [], []
    for seed in range(40):
        x, y, c = confounded("exponential", seed)
        options: dict[str, Any] = {"confounds": c, "confound_form": "matched", "alphas": [1.0], "n_permutations": 19}
        d = ap.decode(x, y, seed=seed, **options)
        assert d.null_mean is not None and d.p_value is not None and d.scheme == "trials of similar confounds"
        p.append(float(d.p_value))
        assert float(d.null_mean) > 0.55  # what the confound tells of the label is in the null
        x[:, 2] += 2 * y
        told = ap.decode(x, y, seed=seed, **options)
        found.append(float(told.p_value) <= 0.05)  # type: ignore[arg-type]
    assert np.mean(np.array(p) <= 0.05) <= 0.05 + 3.5 * np.sqrt(0.05 * 0.95 / 40) and np.mean(found) > 0.9
    with pytest.raises(StatisticsError, match="give one of them"):
        ap.decode(x, y, confounds=c, confound_form="matched", groups=np.arange(120) // 10)
    with pytest.raises(InputError, match="matched by one"):
        ap.decode(x, y, confounds=np.column_stack([c, c**2]), confound_form="matched")
    light = ap.searchlight(x, y, size=1, confounds=c, confound_form="matched", n_permutations=39, max_permutations=39)
    tuned = ap.tuning_curves(x, y, confounds=c, confound_form="matched", n_permutations=39)
    assert light.scheme == "trials of similar confounds" and tuned.scheme.startswith("trials of similar confounds")
