"""Metrics of decoding equal scikit-learn's, find weak information, and hold their chance level."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from fixtures.activity import labelled, noisy
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss, matthews_corrcoef, roc_auc_score
from sklearn.model_selection import GroupKFold, StratifiedKFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import artiphys as ap
from artiphys.array_types import Array
from artiphys.errors import InputError, StatisticsError
from artiphys.probes.decoding.metrics import CLASSES, metric_of


def by_hand(x: Array, y: Array, score: Any) -> Array:
    """Of scikit-learn's logistic regression over the same folds."""
    scores = []
    for train, test in StratifiedKFold(5).split(x, y):
        fitted = make_pipeline(StandardScaler(), LogisticRegression(C=1.0, tol=1e-10, max_iter=5000)).fit(
            x[train], y[train]
        )
        scores.append(score(y[test], fitted, x[test]))
    return np.array(scores)


@pytest.mark.parametrize("classes", [2, 3])
def test_metrics_are_those_of_scikit_learn(classes: int) -> None:
    x, y = labelled(90, 6, classes)
    measures: dict[str, Any] = {
        "mcc": lambda t, f, a: matthews_corrcoef(t, f.predict(a)),
        "neg_log_loss": lambda t, f, a: -log_loss(t, f.predict_proba(a)),
        "accuracy": lambda t, f, a: np.mean(t == f.predict(a)),
    }
    if classes == 2:
        measures["auc"] = lambda t, f, a: roc_auc_score(t, f.decision_function(a))
    for scoring, score in measures.items():
        ours = ap.decode(x, y, "logistic", cv=StratifiedKFold(5), scoring=scoring, n_permutations=0)
        np.testing.assert_allclose(ours.fold_scores, by_hand(x, y, score), atol=1e-4, err_msg=scoring)
    # Evidence of several classes, as probabilities of scikit-learn's own estimator.
    lda = LinearDiscriminantAnalysis()
    area = ap.decode(x, y, lda, cv=StratifiedKFold(5), scoring="roc_auc", n_permutations=0)
    expected = []
    for train, test in StratifiedKFold(5).split(x, y):
        told = LinearDiscriminantAnalysis().fit(x[train], y[train]).decision_function(x[test])
        each = [roc_auc_score(y[test] == c, told[:, c] if classes > 2 else told * (2 * c - 1)) for c in range(classes)]
        expected.append(np.mean(each))
    np.testing.assert_allclose(area.folds, expected)
    assert area.metric == "AUC" and area.chance == 0.5


def test_numbers_by_correlation() -> None:
    rng = np.random.default_rng(0)
    x = rng.normal(size=(80, 5))
    y = x[:, 0] + rng.normal(size=80)
    d = ap.decode(x, y, scoring="correlation", alphas=[1.0], cv=5, n_permutations=30)
    assert d.predictions is not None
    plain = ap.decode(x, y, alphas=[1.0], cv=5, n_permutations=0)
    np.testing.assert_allclose(d.predictions, plain.predictions, atol=1e-12)  # type: ignore[arg-type]
    assert 0.4 < float(d.score) < 0.9 and abs(float(d.null_mean)) < 0.15  # type: ignore[arg-type]
    assert float(d.median_error) == pytest.approx(np.median(np.abs(d.predictions.to_numpy() - y)))  # type: ignore[arg-type]
    assert float(ap.decode(np.zeros((80, 2)), y, scoring="correlation", n_permutations=0).score) == 0.0


@pytest.mark.parametrize("scoring", [*CLASSES, "auc"])
def test_null_data_score_chance(scoring: str) -> None:
    rng = np.random.default_rng(0)
    y = np.arange(60) % 2
    options: dict[str, Any] = {"estimator": "logistic", "scoring": scoring, "n_permutations": 19, "cv": 3}
    found = [ap.decode(rng.normal(size=(60, 3)), y, seed=s, **options) for s in range(30)]
    scores = np.array([float(f.score) for f in found])
    if scoring == "neg_log_loss":  # whoever is sure without reason does worse than chance
        assert scores.mean() < found[0].chance == pytest.approx(-np.log(2))
    else:
        assert abs(scores.mean() - found[0].chance) < 4 * scores.std(ddof=1) / np.sqrt(30)
    assert np.mean([float(f.p_value) <= 0.05 for f in found]) <= 0.05 + 4 * np.sqrt(0.05 * 0.95 / 30)  # type: ignore[arg-type]


def test_area_finds_weak_information_more_often_than_accuracy() -> None:
    """n = 40, 5 units; tests/benchmarks/design_calibration.py measures the power by each."""
    y, found = np.arange(40) % 2, {"auc": 0, "accuracy": 0}
    for seed in range(60):
        x = np.random.default_rng(seed).normal(size=(40, 5))
        x[:, 0] += 0.7 * y
        for scoring in found:
            options: dict[str, Any] = {"scoring": scoring, "alphas": [1.0], "n_permutations": 39, "seed": seed}
            found[scoring] += float(ap.decode(x, y, **options).p_value) <= 0.05  # type: ignore[arg-type]
    assert found["auc"] >= found["accuracy"] + 3


def test_what_a_metric_needs_is_said() -> None:
    x, y = noisy(60, (4,), 0)
    cases: list[tuple[Any, dict[str, Any], str]] = [
        (y, {"scoring": "aucc"}, "did you mean"),
        (y, {"scoring": "correlation"}, "labels are classes"),
        (x[:, 0], {"scoring": "auc"}, "labels are numbers"),
        (np.arange(60) % 3, {"scoring": "d_prime"}, "labels hold 3"),
        (y, {"scoring": "log_loss"}, "needs probabilities.*'lda', 'logistic'"),
    ]
    for labels, options, message in cases:
        with pytest.raises(InputError, match=message):
            ap.decode(x, labels, n_permutations=0, **options)
    whole = np.arange(60) // 10
    with pytest.raises(StatisticsError, match="not defined; use fewer folds"):
        ap.decode(x, whole % 2, groups=whole, cv=GroupKFold(6), scoring="auc", n_permutations=0)


def test_searchlight_and_transfer_take_a_metric() -> None:
    x, y = noisy(80, (6,), 0, 0.8)
    light = ap.searchlight(x, y, size=2, scoring="auc", n_permutations=20)
    one = ap.decode(x[:, 2:4], y, alphas=[1.0], scoring="auc", n_permutations=0)
    assert light.metric == "AUC" and float(light.score[2]) == float(one.score)
    fit = ap.decode(x[:40], y[:40], scoring="auc", n_permutations=0)
    moved = fit.transfer(x[40:], y[40:], n_permutations=30)
    assert (
        float(moved.score) == pytest.approx(roc_auc_score(y[40:], x[40:] @ fit.weights.to_numpy()))
        and moved.metric == "AUC"
    )


def test_ties_count_half() -> None:
    true, evidence = np.array([[0, 0, 1, 1]]), np.array([1.0, 2.0, 2.0, 3.0])
    metric = metric_of("auc", true[0], 2, [(np.arange(4), np.arange(4))], 0.0)
    assert metric.compute(true, np.stack([-evidence, evidence], axis=-1)[None, None]).item() == 0.875


def test_intervals_stay_within_what_is_possible() -> None:
    for seed in range(20):
        x, y = noisy(40, (3,), seed, 1.2)
        for scoring in ("auc", "mcc"):
            low, high = ap.decode(x, y, scoring=scoring, alphas=[1.0], n_permutations=0, seed=seed).interval()
            assert not float(high) > 1 and not float(low) < -1


def test_options_without_effect_are_told() -> None:
    x, y = noisy(40, (3,), 0)
    with pytest.warns(UserWarning, match="not circular"):
        ap.decode(x, y, period=360, n_permutations=0)
    with pytest.raises(InputError, match="none came"):
        ap.decode(x, y, confound_form="spline")
    with pytest.raises(InputError, match="fewer than n_permutations"):
        ap.searchlight(x, y, size=2, n_permutations=100, max_permutations=20)
    assert ap.decode(x, y, scoring="AUC", alphas=[1.0], n_permutations=0).metric == "AUC"
