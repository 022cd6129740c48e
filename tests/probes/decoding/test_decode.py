"""Decoding: equal to scikit-learn, honest nulls, designs that must be respected."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
import xarray as xr
from fixtures.activity import labelled, noisy
from fixtures.networks import X
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.dummy import DummyClassifier
from sklearn.ensemble import RandomForestClassifier
from sklearn.metrics import balanced_accuracy_score
from sklearn.model_selection import (
    LeaveOneGroupOut,
    LeaveOneOut,
    RepeatedStratifiedKFold,
    ShuffleSplit,
    StratifiedKFold,
    TimeSeriesSplit,
    cross_val_score,
)
from torch import nn

import artiphys as ap
from artiphys.errors import ArtiphysError, InputError, StatisticsError


def test_any_estimator_and_splitter() -> None:
    x, y = labelled()
    groups = np.arange(60) // 6
    lda = LinearDiscriminantAnalysis()
    ours = ap.decode(x, y, lda, cv=LeaveOneGroupOut(), groups=groups, n_permutations=20)
    theirs = cross_val_score(lda, x, y, cv=LeaveOneGroupOut(), groups=groups)
    np.testing.assert_allclose(ours.folds, theirs)
    assert ours.scheme == "within groups"


@pytest.mark.many_runs
def test_p_values_are_uniform_without_information() -> None:
    rng = np.random.default_rng(0)
    y = np.arange(40) % 2
    p = np.array([float(ap.decode(rng.normal(size=(40, 5)), y, n_permutations=39, seed=i).p_value) for i in range(300)])  # type: ignore[arg-type]
    assert p.min() >= 1 / 40
    assert 0.02 < np.mean(p <= 0.05) < 0.085 and 0.42 < np.mean(p <= 0.5) < 0.62


def test_null_mean_and_stderr() -> None:
    x, y = labelled()
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
            with pytest.warns(UserWarning, match="labels are not exchangeable"):
                wrong = ap.decode(x, label, n_permutations=39, seed=seed)
            naive.append(float(wrong.p_value) <= 0.05)  # type: ignore[arg-type]
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
    x, y = labelled()
    activity = xr.DataArray(x, dims=("trial", "unit"), coords={"session": ("trial", np.arange(60) // 6)})
    with pytest.raises(StatisticsError, match="pass groups='session'"):
        ap.decode(activity, y)
    assert ap.decode(activity, y, groups="session", n_permutations=0).n_trials == 60
    assert ap.decode(activity.drop_vars("session"), y, n_permutations=0).n_trials == 60


def test_few_permutations_are_refused() -> None:
    x, _ = labelled()
    group = np.arange(60) // 15
    with pytest.raises(StatisticsError, match="distinct relabellings"):
        ap.decode(x, group % 2, groups=group, cv=2)
    half = np.where(group == 0, np.arange(60) % 2, group % 2)
    with pytest.raises(StatisticsError, match="constant in 3 groups and vary in 1"):
        ap.decode(x, half, groups=group, cv=2)


def test_bad_input_says_what_to_do() -> None:
    x, y = labelled()
    nan = x.copy()
    nan[3, 2] = np.nan
    cases: list[tuple[tuple[Any, ...], dict[str, Any], str]] = [
        ((x, y[:-1]), {}, "wanted one value per trial"),
        ((nan, y), {}, "NaN or infinite on 1 of 60"),
        ((x, np.zeros(60, dtype=int)), {}, "single class"),
        ((x, y), {"cv": 61}, "61 folds for 60 trials"),
        ((x[:8], y[:8]), {"cv": 5}, "smallest class has 4 trials"),
        ((x, "label"), {}, "no condition 'label'"),
        (("activity", y), {}, "wanted numbers"),
        ((x[:, 0], y), {}, r"wanted \(trial, ..., unit\)"),
        ((x, y), {"estimator": "forest"}, "scikit-learn estimator"),
        ((x, y), {"cv": "five"}, "splitter"),
        ((x, y), {"cv": 6, "groups": np.arange(60) // 20}, "6 folds for 3 groups"),
        ((x, [None, *y[1:]]), {}, "missing on 1 trials"),
    ]
    for args, options, message in cases:
        with pytest.raises(ArtiphysError, match=message):
            ap.decode(*args, **options)
    with pytest.raises(InputError, match="'trial' first"):
        ap.decode(xr.DataArray(x, dims=("unit", "trial")), y)


def test_a_whole_recording_is_decoded_as_its_sites_are() -> None:
    toy = ap.toys.load("suppressor")
    rec = ap.record(ap.wrap(toy), toy.stimuli[:200], ["hidden", "readout"])
    whole = ap.decode(rec, "label", n_permutations=30)
    assert whole.score.dims == ("site",) and whole.score["site"].values.tolist() == ["hidden", "readout"]
    for site in rec:
        alone = ap.decode(rec[site], "label", n_permutations=30)
        assert float(whole.score.sel(site=site)) == float(alone.score)
        np.testing.assert_array_equal(whole.at(site).weights, alone.weights)
    table = whole.to_dataframe()
    assert list(table["site"]) == ["hidden", "readout"] and (table["p_corrected"] >= table["p"]).all()
    with pytest.raises(InputError, match="of one site"):
        _ = whole.weights
    assert repr(whole.at("hidden")).startswith("Decoding of 200 trials: accuracy") and whole.smallest_p == 1 / 31


@pytest.mark.many_runs
def test_correction_over_times_holds_and_finds() -> None:
    wrong, right = 0, 0
    for seed in range(60):
        x, y = noisy(60, (12, 4), seed, 0.0)
        p = ap.decode(xr.DataArray(x, dims=("trial", "time", "unit")), y, n_permutations=39, seed=seed).p_corrected
        wrong += bool((p <= 0.05).any())  # type: ignore[union-attr,operator]
        x[:, 3] += 1.2 * y[:, None]
        p = ap.decode(xr.DataArray(x, dims=("trial", "time", "unit")), y, n_permutations=39, seed=seed).p_corrected
        right += bool(p[3] <= 0.05)  # type: ignore[index]
    assert wrong <= 9 and right >= 50  # binomial 99.9 % of .05 in 60


def test_confusion_predictions_and_information() -> None:
    rng = np.random.default_rng(0)
    y = np.array(list("abcd"))[np.arange(400) % 4]
    x = 3 * np.eye(4)[np.arange(400) % 4] + rng.normal(size=(400, 4))
    d = ap.decode(x, y, n_permutations=0)
    assert d.confusion is not None and d.predictions is not None
    np.testing.assert_array_equal(d.confusion.sum("predicted"), [100] * 4)
    hits = float(np.mean(d.predictions.values == y))
    assert hits == pytest.approx(float(d.score)) == np.trace(d.confusion) / 400
    bits = d.information()
    low, high = bits.interval()
    assert low < bits.bits < high and 0.8 < float(bits.bits) < 2 and "lower bound" in bits.methods_text()


def test_transfer_reads_another_recording() -> None:
    x, y = noisy(100, (6,), 0)
    fit = ap.decode(x, y, n_permutations=0)
    new, labels = noisy(400, (6,), 1)
    moved = fit.transfer(new, labels, n_permutations=50)
    assert float(moved.score) == pytest.approx(float(fit.score), abs=0.12)
    assert float(moved.p_value) < 0.05 and moved.predictions.dims == ("trial",)  # type: ignore[arg-type]
    low, high = moved.interval()
    binomial = math.sqrt(float(moved.score) * (1 - float(moved.score)) / 400)
    assert float(moved.stderr) == pytest.approx(binomial, rel=0.15) and low < moved.score < high
    lesioned = fit.transfer(new * 0.0, labels, n_permutations=0)
    assert float(lesioned.score) == 0.5
    with pytest.raises(InputError, match="never saw"):
        fit.transfer(new, labels + 5)
    with pytest.raises(InputError, match="fitted on"):
        fit.transfer(new[:, :3], labels)
    lda = ap.decode(x, y, LinearDiscriminantAnalysis(), n_permutations=0).transfer(new, labels, n_permutations=0)
    assert float(lda.score) == LinearDiscriminantAnalysis().fit(x, y).score(new, labels)


def test_weights_keep_the_sites_axes() -> None:
    rng = np.random.default_rng(0)
    y = np.arange(90) % 3
    x = xr.DataArray(rng.normal(size=(90, 2, 4, 5)), dims=("trial", "time", "head", "unit"))
    d = ap.decode(x, y, n_permutations=0)
    assert d.weights.dims == ("time", "head", "unit", "class") == d.patterns.dims
    forest = ap.decode(x.isel(time=0), y, RandomForestClassifier(5, random_state=0), n_permutations=0)
    with pytest.raises(StatisticsError, match="no weights"):
        _ = forest.weights


def test_confounds_are_removed_inside_each_fold() -> None:
    rng = np.random.default_rng(0)
    y = np.arange(300) % 2
    confound = 2.0 * y + rng.normal(size=300)
    x = np.column_stack([confound + 0.1 * rng.normal(size=300), rng.normal(size=300)])
    assert float(ap.decode(x, y, n_permutations=0).score) > 0.78
    for given in (confound, confound[:, None]):
        assert float(ap.decode(x, y, confounds=given, n_permutations=0).score) < 0.6
    named = xr.DataArray(
        x, dims=("trial", "unit"), coords={"l": ("trial", confound), "side": ("trial", ["a", "b"] * 150)}
    )
    assert float(ap.decode(named, y, confounds=["l"], n_permutations=0).score) < 0.6
    with pytest.raises(InputError, match="wanted numbers"):
        ap.decode(named, y, confounds="side")


def test_control_tasks_need_recurring_types() -> None:
    x, y = noisy(120, (5,), 0)
    kind = np.arange(120) // 2 % 10 * 2 + y
    d = ap.decode(x, y, control=kind, n_controls=5, n_permutations=0)
    assert d.control is not None and d.control.sizes["control"] == 5
    assert float(d.selectivity()) == pytest.approx(float(d.score - d.control.mean()))
    with pytest.raises(StatisticsError, match="undefined"):
        ap.decode(x, y, control=np.arange(120), n_permutations=0)
    with pytest.raises(StatisticsError, match="too few"):
        ap.decode(x, y, control=y, n_permutations=0)
    with pytest.raises(StatisticsError, match="control="):
        ap.decode(x, y, n_permutations=0).selectivity()


def test_generalisation_needs_its_axis_and_classes() -> None:
    x, y = noisy(60, (5,), 0)
    with pytest.raises(InputError, match="time axis"):
        ap.decode(x, y, across="time")
    with pytest.raises(StatisticsError, match="every class"):
        ap.decode(x, y, across=np.where(y == 1, "a", "b"))
    with pytest.raises(InputError, match="60 values"):
        ap.decode(x, y, across=np.arange(60))


def test_a_recording_on_disk_is_read_in_parts(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    toy = ap.toys.load("suppressor")
    rec = ap.record(ap.wrap(toy), toy.stimuli[:200], "hidden")
    ap.record(ap.wrap(toy), toy.stimuli[:200], "hidden", out=tmp_path / "a.zarr", progress=False)
    disk = ap.Recording.open(tmp_path / "a.zarr")
    assert float(ap.decode(disk, "label", n_permutations=0).score[0]) == float(
        ap.decode(rec["hidden"], "label", n_permutations=0).score
    )
    x = np.random.default_rng(0).normal(size=(40, 6, 3))
    whole = ap.decode(xr.DataArray(x, dims=("trial", "time", "unit")), np.arange(40) % 2, n_permutations=10)
    monkeypatch.setattr("artiphys.probes.decoding.decode.BLOCK_BYTES", 1)
    parts = ap.decode(xr.DataArray(x, dims=("trial", "time", "unit")), np.arange(40) % 2, n_permutations=10)
    np.testing.assert_array_equal(whole.null, parts.null)
    np.testing.assert_array_equal(whole.weights, parts.weights)


@pytest.mark.parametrize("scale", [1e-13, 1e-100, 1e100])
def test_units_of_measurement_do_not_matter(scale: float) -> None:
    """Tesla or femtotesla: every probe says the same."""
    x, y = noisy(60, (4,), 0)
    x[:, 3] = 2.0  # constant
    angle = np.arange(60) % 6 * 60.0
    for estimator in ("ridge", "lda", "logistic"):
        one, other = (ap.decode(x * s, y, estimator, n_permutations=10) for s in (1.0, scale))
        np.testing.assert_array_equal(one.folds, other.folds)
        np.testing.assert_array_equal(one.null, other.null)
    for s in (y, angle):
        options: dict[str, Any] = {"n_permutations": 20, "seed": 0}
        options |= {"circular": True, "period": 360} if s is angle else {}
        tunings = [ap.tuning_curves(x * k, s, **options) for k in (1.0, scale)]
        np.testing.assert_allclose(tunings[0].selectivity(), tunings[1].selectivity(), atol=1e-12)
        np.testing.assert_array_equal(tunings[0].p_value, tunings[1].p_value)
        np.testing.assert_allclose(tunings[0].preferred(), tunings[1].preferred(), rtol=1e-6)
    np.testing.assert_allclose(tunings[0].fit()["width"], tunings[1].fit()["width"], rtol=1e-5)
    found = [ap.detectability(x * s, y, n_permutations=20) for s in (1.0, scale)]
    for what in ("auc", "d_prime", "d_a", "p_value"):
        np.testing.assert_allclose(getattr(found[0], what), getattr(found[1], what))


def test_activity_that_squares_cannot_hold_is_refused() -> None:
    x, y = noisy(60, (4,), 0)
    for analysis in (ap.decode, ap.searchlight, ap.tuning_curves, ap.detectability):
        for scale in (1e200, 1e-200):
            with pytest.raises(InputError, match="other units"):
                analysis(x * scale, y)


def test_seeds_splitters_and_float_classes() -> None:
    x, y = noisy(60, (4,), 0)
    one = ap.decode(x, y, n_permutations=10, seed=np.random.default_rng(3))
    assert one.seed == int(np.random.default_rng(3).integers(2**31))
    with pytest.raises(StatisticsError, match="seed came as 'a'"):
        ap.decode(x, y, seed="a")  # type: ignore[arg-type]
    with pytest.raises(StatisticsError, match="give one, alphas"):
        ap.decode(x, y, cv=TimeSeriesSplit(4))
    assert ap.decode(x, y, cv=TimeSeriesSplit(4), alphas=[1.0], n_permutations=0).predictions is None
    with pytest.warns(UserWarning, match="are regressed"):
        assert ap.decode(x, y.astype(float), n_permutations=0).metric == "R squared"


def test_folds_that_lack_a_class_are_balanced_over_all_trials() -> None:
    x, _ = noisy(100, (3,), 0, 0.0)
    y = (np.arange(100) >= 70).astype(int)
    always = ap.decode(x, y, DummyClassifier(strategy="most_frequent"), cv=LeaveOneOut(), n_permutations=0)
    assert always.metric == "balanced accuracy" and float(always.score) == pytest.approx(0.5)
    x[:, 0] += 2 * y
    each = ap.decode(x, y, "lda", cv=LeaveOneOut(), n_permutations=0)
    assert each.predictions is not None
    assert float(each.score) == pytest.approx(balanced_accuracy_score(y, each.predictions))
    with pytest.raises(StatisticsError, match="single trial"):
        ap.decode(x, x[:, 0], cv=LeaveOneOut())
    with pytest.raises(StatisticsError, match="cannot split"):
        ap.decode(x, x[:, 0], cv=StratifiedKFold(3))


def test_confusion_counts_every_fold() -> None:
    x, y = noisy(60, (4,), 0)
    for cv in (RepeatedStratifiedKFold(n_splits=5, n_repeats=3, random_state=0), ShuffleSplit(10, random_state=0)):
        d = ap.decode(x, y, cv=cv, alphas=[1.0], n_permutations=0)
        assert d.confusion is not None and int(d.confusion.sum()) == sum(len(t) for _, t in cv.split(x, y))
        assert np.trace(d.confusion) / int(d.confusion.sum()) == pytest.approx(float(d.score))


def test_transfer_refuses_what_it_cannot_know_and_takes_unequal_classes() -> None:
    x, y = noisy(120, (6,), 0)
    named = xr.DataArray(x, dims=("trial", "unit"), coords={"unit": list("abcdef")})
    fit = ap.decode(named, y, n_permutations=0)
    uneven = np.r_[y[:60], np.zeros(30, dtype=int)]
    moved = fit.transfer(named[:90], uneven, n_permutations=20)
    assert moved.metric == "balanced accuracy" and moved.p_value is not None
    said = ap.decode(x, y, n_permutations=0).transfer(x[:90], uneven, n_permutations=0)
    assert float(said.score) == float(moved.score)
    with pytest.raises(InputError, match="other labels along 'unit'"):
        fit.transfer(named[:, ::-1], y)
    with pytest.raises(StatisticsError, match="without its confounds"):
        ap.decode(x, y, confounds=x[:, 0], n_permutations=0).transfer(x, y)
    with pytest.raises(StatisticsError, match="one group"):
        fit.transfer(named, y, groups=np.zeros(120), n_permutations=0)
    with pytest.raises(InputError, match="one is text"):
        fit.transfer(named, y.astype(str))
    many = ap.decode({"a": x, "b": x[:, :3]}, y, n_permutations=0).transfer(
        {"a": x, "b": x[:, :3]}, y, n_permutations=20
    )
    assert list(many.to_dataframe())[:2] == ["site", "score"] and "p" in many.to_dataframe()


def test_tables_half_precision_and_ragged_activity() -> None:
    x, y = noisy(60, (4,), 0)
    plain = ap.decode(x, y, n_permutations=0)
    assert float(ap.decode(pd.DataFrame(x), y, n_permutations=0).score) == float(plain.score)
    half = ap.decode(torch.as_tensor(x).bfloat16(), y, n_permutations=0)
    assert float(half.score) == pytest.approx(float(plain.score), abs=0.1)
    with pytest.raises(InputError, match="different lengths"):
        ap.decode([[1.0, 2.0], [3.0]], [0, 1])
    with pytest.raises(InputError, match="infinite on 30"):
        ap.decode(x, np.where(y, np.inf, 0.0))
    with pytest.raises(InputError, match="confounds is infinite on 60"):
        ap.decode(x, y, confounds=np.full(60, np.inf))


def test_shifts_need_two_folds_too() -> None:
    x, _ = noisy(60, (4,), 0)
    with pytest.raises(StatisticsError, match="1 folds"):
        ap.decode(x, np.arange(60) // 10 % 2, cv=1, exchange="shift")


@pytest.mark.many_runs
def test_decoding_of_nothing_is_not_significant() -> None:
    """Folds stratified by the labels must not favour the true labels over permuted ones."""
    d = ap.decode(np.zeros((100, 3)), np.arange(100) % 2)
    assert float(d.p_value) == 1.0 and float(d.null_mean) == 0.5 and d.scheme == "trials within folds"  # type: ignore[arg-type]
    p = []
    for seed in range(200):
        rng = np.random.default_rng(seed)
        sparse = (rng.random((40, 3)) < 0.03).astype(float)
        p.append(float(ap.decode(sparse, np.arange(40) % 2, n_permutations=39, seed=seed).p_value))  # type: ignore[arg-type]
    assert np.mean(np.array(p) <= 0.05) <= 0.08


MISUSE: list[tuple[Any, str]] = [
    (lambda: ap.decode(X, np.arange(12) % 2, n_permutations=-1), "0 or more"),
    (lambda: ap.decode(np.zeros((0, 3)), []), "empty"),
    (lambda: ap.decode(X, np.arange(12) % 2, nn.Linear), "the class Linear"),
]


@pytest.mark.parametrize(("use", "message"), MISUSE)
def test_misuse_is_not_accepted_silently(use: Any, message: str) -> None:
    with pytest.raises(ArtiphysError, match=message):
        use()
