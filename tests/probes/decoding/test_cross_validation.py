"""Cross-validation of many places and label sets at once, against plain loops over scikit-learn."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
import xarray as xr
from fixtures.activity import labelled
from sklearn.linear_model import LinearRegression

from artiphys.array_types import Array
from artiphys.probes.data.confounds import Confounds
from artiphys.probes.data.design import Design
from artiphys.probes.decoding.cross_validation import CrossValidation, haufe
from artiphys.probes.decoding.generalisation import Crossing
from artiphys.probes.decoding.task import Task
from artiphys.probes.readers.by_name import reader_of
from artiphys.probes.readers.linear import Linear


class Bar:
    """Counts folds."""

    n = 0

    def update(self, n: float | None = 1) -> None:
        self.n += 1


def work(x: Array, y: Array, estimator: Any = None, n_permutations: int = 3, **options: Any) -> CrossValidation:
    data = xr.DataArray(x, dims=("trial", "unit"))
    task = Task.of(y, data, estimator, 5, Design.of(data, None), 0)
    targets, _ = task.permuted(n_permutations, 0, data)
    reader = reader_of(estimator, task.n_classes, task.balanced, (1.0,) if estimator is None else None)
    confounds = Confounds.of(options.get("confounds"), data)
    return CrossValidation(task, reader, options.get("crossing", Crossing()), confounds, np.stack(targets))


@pytest.mark.parametrize("estimator", [None, "lda", "logistic"])
def test_places_read_together_are_places_read_alone(estimator: str | None) -> None:
    parts = [labelled(60, 5, 3, seed)[0] for seed in range(3)]
    y = np.arange(60) % 3
    job = work(parts[0], y, estimator)
    bar = Bar()
    together = job.scores(torch.as_tensor(np.stack(parts)), bar)
    assert together.values.shape == (3, 1, 4, 5) and bar.n == 5
    for place, x in enumerate(parts):
        alone = job.scores(torch.as_tensor(x[None]), Bar())
        np.testing.assert_allclose(together.values[place], alone.values[0], atol=1e-9)
        np.testing.assert_array_equal(together.guesses[place], alone.guesses[0])
        np.testing.assert_array_equal(together.counts[place], alone.counts[0])


def test_guesses_are_held_out_and_counted_once() -> None:
    x, y = labelled(60, 5, 3)
    job = work(x, y)
    read = job.scores(torch.as_tensor(x[None]), Bar())
    assert not np.isnan(read.guesses).any() and read.counts.sum() == 60
    assert np.trace(read.counts[0]) / 60 == pytest.approx(read.values[0, 0, 0].mean())
    np.testing.assert_array_equal(read.counts[0].sum(axis=1), np.bincount(y))


@pytest.mark.parametrize("estimator", [None, "lda"])
def test_the_reader_kept_is_that_of_all_trials(estimator: str | None) -> None:
    x, y = labelled(60, 5, 2)
    job = work(x, y, estimator)
    kept = job.scores(torch.as_tensor(x[None]), Bar(), fit_all=True).fitted
    every = np.arange(60)
    (alone,) = job.reader.fits(torch.as_tensor(x[None]), job.targets[:1], [every], [t for _, t in job.task.folds])
    np.testing.assert_allclose(kept.weights, alone.weights, atol=1e-8)  # type: ignore[attr-defined]
    assert kept.weights.shape[2] == 1  # of the labels, not of their permutations


def test_confounds_are_taken_out_by_the_training_part_alone() -> None:
    """Every fold's activity has the slope of its own training trials removed, in training and test parts alike."""
    x, y = labelled(60, 4, 2)
    c = np.random.default_rng(3).normal(size=60)
    x = x + c[:, None]
    job = work(x, y, "lda", 0, confounds=c)
    got = job.scores(torch.as_tensor(x[None]), Bar()).values[0, 0, 0]
    for f, (train, test) in enumerate(job.task.folds):
        line = LinearRegression().fit(c[train, None], x[train])
        cleaned = x - line.predict(c[:, None])
        (fitted,) = job.reader.fits(torch.as_tensor(cleaned[None]), y[None], [train], [test])
        guess = fitted.predict(torch.as_tensor(cleaned[None, test]))[0, 0]
        assert got[f] == pytest.approx(np.mean(guess == y[test]))


def test_memory_of_a_place_grows_with_what_is_read_there() -> None:
    x, y = labelled(60, 5, 2)
    few, many = work(x, y, n_permutations=0), work(x, y, n_permutations=100)
    assert few.bytes_a_place(60, 5) < many.bytes_a_place(60, 5) < many.bytes_a_place(600, 50)
    assert few.bytes_a_place(60, 5) > 60 * 5 * 8


def test_haufe_pattern_of_one_signal_in_correlated_noise() -> None:
    """Two units share noise and one carries the signal: the weights use both, the pattern shows the one."""
    rng = np.random.default_rng(0)
    signal, noise = rng.normal(size=4000), rng.normal(size=4000)
    x = torch.as_tensor(np.column_stack([signal + noise, noise]))[None]
    weights = torch.tensor([[1.0], [-1.0]], dtype=torch.float64)[None, :, None]
    pattern = haufe(x, Linear(weights, torch.zeros(1, 1, 1, dtype=torch.float64), 2))[0, :, 0]
    assert pattern[0] == pytest.approx(1.0, abs=0.05) and pattern[1] == pytest.approx(0.0, abs=0.05)
