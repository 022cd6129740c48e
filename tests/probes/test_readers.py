"""The built-in readers against scikit-learn, fold by fold and prediction by prediction."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
import xarray as xr
from fixtures.activity import labelled, unequal
from sklearn.covariance import ledoit_wolf
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.linear_model import LinearRegression, LogisticRegression, Ridge, RidgeClassifier
from sklearn.model_selection import GridSearchCV, GroupKFold, KFold, PredefinedSplit, StratifiedKFold, cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import artiphys as ap
from artiphys.array_types import Array
from artiphys.errors import ArtiphysError
from artiphys.probes.readers.lda import Discriminant
from artiphys.probes.readers.logistic import Logistic
from artiphys.probes.readers.ridge import ALPHAS


def brier(estimator: Any, x: Array, y: Array) -> float:
    """Squared error of the decision values, as the ridge readout chooses its penalty."""
    values = np.asarray(estimator.decision_function(x))
    values = values[:, None] if values.ndim == 1 else values
    true = 2.0 * y[:, None] - 1 if values.shape[1] == 1 else 2.0 * (y[:, None] == np.arange(values.shape[1])) - 1
    return -float(np.mean((values - true) ** 2))


def nested(estimator: Any, step: str, scoring: Any, x: Array, y: Array, folds: list[tuple[Array, Array]]) -> Array:
    """Held-out predictions of a grid search inside each fold, its inner folds being the other folds."""
    index = np.empty(len(y), dtype=int)
    for f, (_, test) in enumerate(folds):
        index[test] = f
    guess = np.empty(len(y))
    for train, test in folds:
        search = GridSearchCV(
            make_pipeline(StandardScaler(), estimator), {f"{step}__alpha": ALPHAS}, cv=PredefinedSplit(index[train]),
            scoring=scoring,
        )  # fmt: skip
        guess[test] = search.fit(x[train], y[train]).predict(x[test])
    return guess


@pytest.mark.parametrize("classes", [2, 3])
@pytest.mark.parametrize("units", [8, 100])
def test_default_is_a_ridge_classifier_whose_penalty_is_searched_inside(classes: int, units: int) -> None:
    x, y = unequal(90, units, classes)
    ours = ap.decode(x, y, n_permutations=0, seed=3)
    folds = list(StratifiedKFold(5, shuffle=True, random_state=3).split(x, y))
    theirs = nested(RidgeClassifier(), "ridgeclassifier", brier, x, y, folds)
    np.testing.assert_array_equal(ours.predictions, theirs)
    assert "chosen within each fold" in ours.methods_text()


@pytest.mark.parametrize("units", [8, 100])
def test_numbers_are_regressed_as_scikit_learn_does(units: int) -> None:
    x, _ = unequal(60, units, 2)
    y = x[:, 1:4].sum(axis=1) + 0.3 * np.random.default_rng(1).normal(size=60)
    folds = list(KFold(5, shuffle=True, random_state=0).split(x))
    theirs = nested(Ridge(), "ridge", "neg_mean_squared_error", x, y, folds)
    ours = ap.decode(x, y, n_permutations=30)
    np.testing.assert_allclose(np.asarray(ours.predictions), theirs, rtol=1e-8)
    assert ours.metric == "R squared" and ours.chance == 0 and float(ours.p_value) < 0.05  # type: ignore[arg-type]


def test_inner_folds_keep_groups_together() -> None:
    x, y = unequal(120, 6, 2)
    groups = np.arange(120) // 10
    ours = ap.decode(x, y, groups=groups, cv=GroupKFold(4), n_permutations=0)
    folds = list(GroupKFold(4).split(x, y, groups))
    np.testing.assert_array_equal(ours.predictions, nested(RidgeClassifier(), "ridgeclassifier", brier, x, y, folds))


def test_one_penalty_is_used_as_it_is() -> None:
    x, y = unequal(60, 100, 2)
    ours = ap.decode(x, y, alphas=[1.0], n_permutations=0, seed=3)
    theirs = make_pipeline(StandardScaler(), RidgeClassifier(alpha=1.0))
    folds = StratifiedKFold(5, shuffle=True, random_state=3)
    np.testing.assert_array_equal(ours.predictions, cross_val_predict(theirs, x, y, cv=folds))


def by_hand(x: Any, y: Any, at: Any, priors: Any) -> Any:
    """Log likelihoods under Gaussian classes of one covariance, shrunken by scikit-learn's Ledoit-Wolf."""
    mean, sd = x.mean(axis=0), x.std(axis=0)
    z, held = (x - mean) / sd, (at - mean) / sd
    means = np.stack([z[y == c].mean(axis=0) for c in range(y.max() + 1)])
    cov, _ = ledoit_wolf(z - means[y], assume_centered=True)
    weights = np.linalg.solve(cov, means.T)
    return held @ weights - 0.5 * (means.T * weights).sum(axis=0) + np.log(priors)


@pytest.mark.parametrize(("classes", "units"), [(2, 8), (4, 8), (2, 150), (3, 150)])
def test_discriminant_is_shrunken_by_ledoit_and_wolf(classes: int, units: int) -> None:
    x, y = unequal(90, units + 1, classes)
    x, rng = x[:, 1:], np.random.default_rng(0)
    rare = np.minimum(y, np.where(rng.uniform(size=90) < 0.6, 0, y))  # unequal numbers of trials
    at, every = x[:10] + rng.normal(size=(10, units)), np.arange(90)
    for equal_priors in (False, True):
        share = np.bincount(rare) / 90
        reader = Discriminant(classes, equal_priors)
        made = next(iter(reader.fits(torch.from_numpy(x[None]), np.stack([rare, y]), [every], [])))
        values = made.decide(torch.from_numpy(at[None]))[0].numpy()
        for row, (labels, priors) in enumerate(((rare, share), (y, np.bincount(y) / 90))):
            expected = by_hand(x, labels, at, np.full(classes, 1 / classes) if equal_priors else priors)
            if classes == 2:
                expected = expected[:, 1:] - expected[:, :1]
            np.testing.assert_allclose(values[:, row], expected, rtol=1e-6, atol=1e-6)


def test_shrinking_helps_where_trials_are_few_and_hurts_little_where_they_are_many() -> None:
    ours, plain = [], []
    for seed in range(10):
        rng = np.random.default_rng(seed)
        y, mixed = np.arange(80) % 2, rng.normal(size=(60, 60)) / 8
        x = rng.normal(size=(80, 60)) @ mixed + rng.normal(size=(80, 60)) + 0.4 * y[:, None] * rng.normal(size=60)
        ours.append(float(ap.decode(x, y, "lda", n_permutations=0).score))
        plain.append(float(ap.decode(x, y, LinearDiscriminantAnalysis(), n_permutations=0).score))
    assert np.mean(ours) > np.mean(plain) + 0.05
    many, labels = labelled(1000, 5, 2)
    folds = StratifiedKFold(5, shuffle=True, random_state=0)
    theirs = cross_val_predict(LinearDiscriminantAnalysis(), many, labels, cv=folds)
    assert np.mean(ap.decode(many, labels, "lda", n_permutations=0).predictions.to_numpy() == theirs) > 0.98  # type: ignore[union-attr]


def test_a_discriminant_of_what_has_no_noise_or_one_value() -> None:
    y = np.repeat([0, 1], 20)
    still = np.column_stack([np.where(y == 1, 2.0, 1.0), np.full(40, 3.0), np.where(y == 1, 0.0, 1.0)])
    assert float(ap.decode(still, y, "lda", n_permutations=0).score) == 1.0
    assert float(ap.decode(np.ones((40, 3)), y, "lda", n_permutations=0).score) == 0.5


@pytest.mark.parametrize(("classes", "units"), [(2, 8), (3, 8), (2, 150)])
def test_logistic_is_scikit_learns(classes: int, units: int) -> None:
    x, y = unequal(90, units, classes)
    folds = StratifiedKFold(5, shuffle=True, random_state=0)
    theirs = make_pipeline(StandardScaler(), LogisticRegression(max_iter=2000, tol=1e-8))
    ours = ap.decode(x, y, "logistic", n_permutations=0)
    np.testing.assert_array_equal(ours.predictions, cross_val_predict(theirs, x, y, cv=folds))
    made = next(iter(Logistic(classes).fits(torch.from_numpy(x[None]), np.stack([y, y[::-1]]), [np.arange(90)], [])))
    values = made.decide(torch.from_numpy(x[None]))[0]
    for target, labels in enumerate((y, y[::-1])):
        expected = theirs.fit(x, labels).decision_function(x)
        got = values[:, target].numpy()
        got = got[:, 0] if classes == 2 else got - got.mean(axis=1, keepdims=True)
        np.testing.assert_allclose(got, expected, atol=5e-3)


def test_unequal_classes_get_a_threshold_midway() -> None:
    """A ridge classifier alone says the frequent class always; its threshold belongs between the classes."""
    rng = np.random.default_rng(0)
    y = (np.arange(300) < 40).astype(int)
    x = rng.normal(size=(300, 5)) + 0.8 * y[:, None]
    ours = float(ap.decode(x, y, alphas=[1.0], n_permutations=0).score)
    theirs = cross_val_predict(RidgeClassifier(), x, y, cv=StratifiedKFold(5, shuffle=True, random_state=0))
    naive = np.mean([(theirs[y == c] == c).mean() for c in (0, 1)])
    assert ours > 0.72 and naive < 0.6


def test_many_places_and_label_sets_at_once_change_nothing() -> None:
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(40, 6, 5)), np.arange(40) % 2
    for estimator in ("ridge", "lda", "logistic"):
        whole = ap.decode(xr.DataArray(x, dims=("trial", "time", "unit")), y, estimator, n_permutations=20)
        for t in (0, 5):
            alone = ap.decode(x[:, t], y, estimator, n_permutations=20)
            np.testing.assert_array_equal(whole.folds[:, t], alone.folds)
            np.testing.assert_array_equal(whole.null[:, t], alone.null)  # type: ignore[index]


def test_the_discriminant_cancels_noise_that_units_share() -> None:
    """The suppressor: what a knows of the noise, b knows exactly."""
    rng = np.random.default_rng(0)
    y = np.arange(60) % 2
    noise = rng.normal(size=60)
    x = np.column_stack([2 * y - 1 + noise, noise, noise])
    assert float(ap.decode(x, y, "lda", n_permutations=0).score) >= 0.95
    assert float(ap.decode(x, y, n_permutations=0).score) == 1.0


def test_bad_options_say_what_to_do() -> None:
    x, y = unequal(60, 5, 2)
    cases: list[tuple[dict[str, Any], str]] = [
        ({"estimator": "svm"}, "no estimator 'svm'"),
        ({"estimator": RidgeClassifier}, r"make one of it: RidgeClassifier\(\)"),
        ({"alphas": [0.0]}, "positive"),
        ({"alphas": [1.0], "estimator": "lda"}, "ridge readout"),
        ({"n_permutations": -1}, "0 or more"),
        ({"cv": KFold(5), "groups": np.arange(60) % 7}, "both sides"),
    ]
    for options, message in cases:
        with pytest.raises(ArtiphysError, match=message):
            ap.decode(x, y, **options)


def test_confounds_and_crossings_are_scikit_learns_fold_by_fold() -> None:
    """Balanced folds, where the threshold is RidgeClassifier's own."""
    rng = np.random.default_rng(0)
    y, context = np.arange(120) % 2, np.arange(120) // 2 % 2
    confound = rng.normal(size=120) + y
    x = rng.normal(size=(120, 4)) + confound[:, None] + 0.5 * y[:, None]
    folds = StratifiedKFold(5, shuffle=True, random_state=0)
    model = make_pipeline(StandardScaler(), RidgeClassifier(alpha=1.0))
    ours = ap.decode(x, y, confounds=confound, alphas=[1.0], n_permutations=0)
    expected = []
    for train, test in folds.split(x, y):
        fitted = LinearRegression().fit(confound[train, None], x[train])
        clean = x - fitted.predict(confound[:, None])
        expected.append(model.fit(clean[train], y[train]).score(clean[test], y[test]))
    np.testing.assert_allclose(ours.folds, expected)
    crossed = ap.decode(x, y, across=context, alphas=[1.0], n_permutations=0).folds
    for f, (train, test) in enumerate(folds.split(x, y)):
        for a in (0, 1):
            rows = train[context[train] == a]
            if len(set(np.bincount(y[rows]))) > 1:
                continue  # the threshold lies midway, see above
            fitted = model.fit(x[rows], y[rows])
            for b in (0, 1):
                held = test[context[test] == b]
                assert float(crossed[f, a, b]) == pytest.approx(fitted.score(x[held], y[held]))
