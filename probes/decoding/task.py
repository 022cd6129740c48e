"""Task: the labels of a decoding, its folds, and the metric of its success."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import xarray as xr
from sklearn.base import is_regressor
from sklearn.model_selection import KFold

from artiphys.array_types import Array
from artiphys.probes.data.design import Design
from artiphys.probes.data.trial_values import classes_of, per_trial
from artiphys.probes.decoding.folds import Folds, folds_of, strata_of
from artiphys.stats.permutations import PermutationTest
from artiphys.user_warnings import warn


@dataclass(frozen=True)
class Task:
    """Labels, folds and metric of one decoding.

    Attributes
    ----------
    y : ``(trial,)``
        Class indices, or numbers to regress.
    classes : ``(class,)`` or None
        Names of the classes, in the order of their indices; None for numbers.
    design : Design
        What trials share.
    folds : list of (train, test)
    strata : ``(trial,)`` or None
        The fold that tests each trial where folds were balanced by the labels; permutations stay within it.
    """

    y: Array
    classes: Array | None
    design: Design
    folds: Folds
    strata: Array | None

    @classmethod
    def of(
        cls,
        labels: Any,
        data: xr.DataArray,
        estimator: Any,
        cv: Any,
        design: Design,
        seed: int,
    ) -> Task:
        """Check labels, and draw the folds; of neighbours where trials are exchanged by shifts.

        Raises
        ------
        InputError, StatisticsError
        """
        y = per_trial(labels, data, "labels")
        known = isinstance(estimator, str) or estimator is None
        number = y.dtype.kind == "f" and estimator not in ("lda", "logistic")
        regress = number if known else is_regressor(estimator)
        member = design.of_folds
        classes = None
        if regress and known and len(np.unique(y)) == 2:
            warn(
                "labels are numbers (floats) of two values and are regressed; if they are classes, give them as "
                "integers: labels.astype(int)"
            )
        if not regress:
            classes, y = classes_of(y)
        if design.exchange == "shift" and member is None and isinstance(cv, (int, np.integer)) and cv > 1:
            cv = KFold(int(cv))  # neighbours are alike, so folds are blocks
        folds = folds_of(y, member, cv, regress, seed)
        return cls(y, classes, design, folds, strata_of(cv, folds, member, regress))

    @property
    def n_classes(self) -> int:
        """Number of classes; 0 for numbers."""
        return 0 if self.classes is None else len(self.classes)

    @property
    def balanced(self) -> bool:
        """Whether all classes have equally many trials."""
        return self.classes is None or len(set(np.bincount(self.y))) == 1

    @property
    def metric(self) -> str:
        """Name of the score."""
        return "R squared" if self.classes is None else "accuracy" if self.balanced else "balanced accuracy"

    @property
    def chance(self) -> float:
        """Theoretical chance level."""
        return 0.0 if self.classes is None else 1 / self.n_classes

    def permuted(self, n: int, seed: int, data: xr.DataArray) -> tuple[list[Array], PermutationTest]:
        """The labels, followed by ``n`` permutations of them; and what a test by these reports.

        Raises
        ------
        StatisticsError
            If labels belong to items that recur over trials, or too few relabellings are distinct.
        """
        plan = self.design.permutations(self.y, self.strata) if n else None
        self.design.check(self.y, data, plan)
        if plan is None:
            return [self.y], PermutationTest(seed=seed)
        test = plan.test(n, seed, symmetric=self.classes is not None)
        if n >= 19 and test.smallest_p > 0.05:
            warn(f"only {plan.n_distinct:.0f} distinct relabellings: p cannot fall below {test.smallest_p:.2g}")
        return [self.y, *plan.draw(n, seed)], test

    @cached_property
    def _complete(self) -> bool:
        """Whether every fold tests every class."""
        return all(len(np.unique(self.y[test])) == self.n_classes for _, test in self.folds)

    def scores(self, true: Array, guess: Array) -> Array:
        """Score of each place and target.

        Parameters
        ----------
        true : ``(target, trial)``
        guess : ``(place, target, trial)``

        Returns
        -------
        ``(place, target)``
        """
        if self.classes is None:
            left = ((true - guess) ** 2).sum(axis=-1)
            spread = ((true - true.mean(axis=-1, keepdims=True)) ** 2).sum(axis=-1)
            with np.errstate(invalid="ignore", divide="ignore"):
                # The conventions of scikit-learn's r2_score for constant numbers.
                return np.where(spread > 0, 1 - left / spread, np.where(left == 0, 1.0, 0.0))
        hit = true == guess
        if self.balanced:
            return np.asarray(hit.mean(axis=-1))
        if not self._complete:
            # A fold that lacks a class has no balanced accuracy. Hits weighed by the rarity of their class over all
            # trials have the balanced accuracy of all folds together as their mean.
            weight = len(self.y) / (self.n_classes * np.bincount(self.y))
            size = np.mean([len(test) for _, test in self.folds])
            return np.asarray((hit * weight[true]).sum(axis=-1) / size)
        recalls = np.full((self.n_classes, *hit.shape[:2]), np.nan)
        for c in range(self.n_classes):
            of_class = true == c
            count = of_class.sum(axis=-1)
            with np.errstate(invalid="ignore", divide="ignore"):
                recalls[c] = (hit & of_class).sum(axis=-1) / count
        return np.asarray(np.nanmean(recalls, axis=0))  # a small fold may lack a class
