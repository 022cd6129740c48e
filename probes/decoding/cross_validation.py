"""Cross-validation of many places and label sets at once: the engine of decode() and searchlight()."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from artiphys.array_types import Array, ProgressBar
from artiphys.probes.data.confounds import Confounds
from artiphys.probes.decoding.generalisation import Crossing
from artiphys.probes.decoding.task import Task
from artiphys.probes.readers.linear import Linear
from artiphys.probes.readers.protocol import Fitted, Reader, Telling


@dataclass(frozen=True)
class Scores:
    """Scores, predictions and fitted readers at a block of places.

    Attributes
    ----------
    values : ``(place, variant, label set, fold)``
    guesses : ``(place, trial)``
        Of the labels themselves; the last where folds test a trial more than once.
    counts : ``(place, true, guessed)``
        Over all folds.
    fitted : reader fitted on all trials, or None
    """

    values: Array
    guesses: Array
    counts: Array
    fitted: Any


@dataclass(frozen=True)
class CrossValidation:
    """The task, reader, folds and confounds, which are the same at every place.

    Attributes
    ----------
    targets : ``(label set, trial)``
        The labels, their permutations and control labels: all are read over the same folds.
    """

    task: Task
    reader: Reader
    crossing: Crossing
    confounds: Confounds
    targets: Array

    def bytes_a_place(self, n_trials: int, n_features: int) -> int:
        """What reading one place needs, so that places can be read together within bounded memory."""
        columns = len(self.targets) * self.reader.n_columns
        small = min(n_trials, n_features)
        inner = 16 * small * (small + n_features)  # decompositions that folds share
        return 8 * (4 * n_trials * n_features + inner + 7 * columns * (small + n_trials))

    def scores(self, x: Tensor, bar: ProgressBar, *, fit_all: bool = False) -> Scores:
        """Read activity ``(place, trial, feature)``.

        Returns
        -------
        Scores, with ``fit_all`` also the reader fitted on all trials. ``bar`` is a progress bar of folds.
        """
        folds = self.task.folds
        scores = np.empty((len(x), self.crossing.n_variants(len(x)), len(self.targets), len(folds)))
        guesses = np.full((len(x), x.shape[1]), np.nan)
        counts = np.zeros((len(x), self.task.n_classes, self.task.n_classes), dtype=int)
        fits = self._fits(x, fit_all)
        for f, ((_, test), (cleaned, fitted)) in enumerate(zip(folds, fits)):
            for variant, reader, held, rows in self.crossing.tests(fitted, cleaned, test):
                guess = reader.predict(held)
                said = guess if self.task.metric.said == "guesses" else told(reader, held, self.task.metric.said)
                scores[:, variant, :, f] = self.task.metric.compute(self.targets[:, rows], said)
                if self.crossing.none:
                    guesses[:, rows] = guess[:, 0]
                    self._counted(counts, rows, guess[:, 0])
            bar.update()
        fit_of_all = next(fits)[1][0] if fit_all else None
        return Scores(scores, guesses, counts, fit_of_all)

    def _counted(self, counts: Array, rows: Array, guess: Array) -> None:
        """Add a fold's true and guessed classes to the counts ``(place, true, guessed)``."""
        for place in range(len(guess)) if self.task.n_classes else ():
            np.add.at(counts[place], (self.task.y[rows], guess[place]), 1)

    def _fits(self, x: Tensor, fit_all: bool) -> Iterator[tuple[Tensor, list[Any]]]:
        """For each fold the activity without confounds and a fit of each training variant; then one of all trials."""
        folds, every = self.task.folds, np.arange(x.shape[1])
        tests = [test for _, test in folds]
        variants = [self.crossing.trains(train) for train, _ in folds]
        if self.confounds.any:
            for (train, _), variant in zip(folds, variants):
                cleaned = self.confounds.removed(x, train)
                yield cleaned, list(self.reader.fits(cleaned, self.targets, variant, tests))
        else:
            trains = [t for v in variants for t in v]
            # Shared work serves the fit of all trials too; readers without it would fit every label set once more.
            together = fit_all and self.reader.shares_work
            fits = self.reader.fits(x, self.targets, [*trains, every] if together else trains, tests)
            for variant in variants:
                yield x, [next(fits) for _ in variant]
            if together:
                yield x, [next(fits).first()]
                return
        if fit_all:
            cleaned = self.confounds.removed(x, every)
            yield cleaned, list(self.reader.fits(cleaned, self.targets[:1], [every], tests))

    def patterns(self, x: Tensor, fitted: Fitted) -> Tensor | None:
        """Haufe patterns of a reader fitted on all trials, if it has weights."""
        linear = fitted.linear(self.task.n_classes)
        return None if linear is None else haufe(self.confounds.removed(x, np.arange(x.shape[1])), linear)


def told(fitted: Fitted, x: Tensor, what: str) -> Array:
    """Evidence or probabilities ``(place, target, trial, class)`` of a reader that offers them."""
    assert isinstance(fitted, Telling)
    return fitted.evidence(x) if what == "evidence" else fitted.probabilities(x)


def haufe(x: Tensor, fitted: Linear) -> Tensor:
    """Activation patterns ``(place, feature, column)``: the covariance of activity with what is read out.

    Weights say how a reader combines units, also to cancel noise; patterns say where the signal is (Haufe et al.
    2014, On the interpretation of weight vectors of linear models in multivariate neuroimaging).
    """
    weights = fitted.weights[:, :, 0]
    centred = x - x.mean(dim=1, keepdim=True)
    read = centred @ weights
    patterns: Tensor = centred.mT @ read @ torch.linalg.pinv(read.mT @ read, rtol=1e-10, hermitian=True)
    return patterns
