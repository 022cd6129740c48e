"""Counts are read by Bayes' rule, against what can be reckoned by hand."""

from __future__ import annotations

import numpy as np
import pytest
from fixtures.activity import noisy
from scipy.special import softmax
from scipy.stats import poisson
from sklearn.model_selection import KFold

import artiphys as ap
from artiphys.errors import InputError, StatisticsError


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
        log = np.asarray(poisson.logpmf(counts[test][:, None, :3], rate[None, :, :3])).sum(axis=-1)
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
    with pytest.raises(StatisticsError, match="no weights"):
        _ = bayes.weights


def test_what_the_poisson_decoder_needs_is_said() -> None:
    x, y = noisy(60, (4,), 0)
    with pytest.raises(InputError, match="reads counts"):
        ap.decode(x, y, "poisson", n_permutations=0)
    with pytest.warns(UserWarning, match="holds fractions"):
        ap.decode(np.abs(x), y, "poisson", n_permutations=0)
