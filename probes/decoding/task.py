"""Task: the labels of a decoding, its folds, and the metric of its success."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr
from sklearn.base import is_regressor
from sklearn.model_selection import KFold

from artiphys.array_types import Array
from artiphys.errors import InputError
from artiphys.probes.data.angles import check_turn
from artiphys.probes.data.design import Design
from artiphys.probes.data.trial_values import classes_of, per_trial
from artiphys.probes.decoding.folds import Folds, folds_of, strata_of
from artiphys.probes.decoding.metrics import Metric, metric_of
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
    metric : Metric
    period : float
        Of labels that are angles; else 0.
    """

    y: Array
    classes: Array | None
    design: Design
    folds: Folds
    strata: Array | None
    metric: Metric
    period: float = 0.0

    @classmethod
    def of(
        cls,
        labels: Any,
        data: xr.DataArray,
        estimator: Any,
        cv: Any,
        design: Design,
        seed: int,
        *,
        scoring: str | None = None,
        period: float = 0.0,
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
        if period:
            y, regress = _angles(y, estimator, known, period), True
        member = design.of_folds
        classes = None
        if regress and known and len(np.unique(y)) == 2 and not period:
            warn(
                "labels are numbers (floats) of two values and are regressed; if they are classes, give them as "
                "integers: labels.astype(int)"
            )
        if not regress:
            classes, y = classes_of(y)
        if design.exchange == "shift" and member is None and isinstance(cv, (int, np.integer)) and cv > 1:
            cv = KFold(int(cv))  # neighbours are alike, so folds are blocks
        elif design.alike is not None and isinstance(cv, (int, np.integer)) and cv > 1:
            cv = KFold(int(cv), shuffle=True, random_state=seed)  # not balanced by labels, which move between folds
        folds = folds_of(y, member, cv, regress, seed)
        metric = metric_of(scoring, y, 0 if classes is None else len(classes), folds, period)
        return cls(y, classes, design, folds, strata_of(cv, folds, member, regress), metric, period)

    @property
    def n_classes(self) -> int:
        """Number of classes; 0 for numbers."""
        return 0 if self.classes is None else len(self.classes)

    @property
    def balanced(self) -> bool:
        """Whether all classes have equally many trials."""
        return self.classes is None or len(set(np.bincount(self.y))) == 1

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


def _angles(y: Array, estimator: Any, known: bool, period: float) -> Array:
    """Labels within one turn, or `InputError` if they are no angles or the reader knows classes only."""
    if y.dtype.kind not in "iuf":
        raise InputError(f"circular labels came as {y.dtype}; wanted numbers (angles)")
    if estimator in ("lda", "logistic") if known else not is_regressor(estimator):
        raise InputError("angles are decoded by 'ridge', 'poisson' or a regressor; this estimator knows classes")
    check_turn(y.astype(float), period)
    return np.asarray(y.astype(float) % period)
