"""Folds of cross-validation that follow the design: stratified, grouped, or as a splitter says."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Protocol

import numpy as np
from sklearn.model_selection import GroupKFold, KFold, StratifiedGroupKFold, StratifiedKFold

from artiphys.array_types import Array
from artiphys.errors import InputError, StatisticsError

DEFAULT_FOLDS = 5
Folds = list[tuple[Array, Array]]


class Splitter(Protocol):
    """A scikit-learn splitter, or anything like one."""

    def get_n_splits(self) -> int:
        """Number of folds."""

    def split(self, x: Array, y: Array, groups: Array | None) -> Iterator[tuple[Array, Array]]:
        """Training and test trials of each fold."""


def folds_of(y: Array, groups: Array | None, cv: Any, regress: bool, seed: int) -> Folds:
    """Training and test trials of every fold.

    Raises
    ------
    InputError
        If ``cv`` is no number and no splitter.
    StatisticsError
        If there are too few trials or groups, a training part lacks a class, or a fold splits a group.
    """
    x = np.zeros((len(y), 1))
    if isinstance(cv, (int, np.integer)):
        cv = _splitter(y, groups, int(cv), regress, seed)
    if not hasattr(cv, "get_n_splits"):
        raise InputError(f"cv came as {type(cv).__name__}; wanted a number of folds or a scikit-learn splitter")
    try:
        folds = [(np.asarray(a), np.asarray(b)) for a, b in cv.split(x, y, groups if _uses_groups(cv) else None)]
    except ValueError as error:
        raise StatisticsError(f"the splitter {type(cv).__name__} cannot split these labels: {error}") from error
    for train, test in folds:
        if regress and len(test) < 2:
            raise StatisticsError("a fold tests a single trial, where R squared is not defined; use fewer folds")
        if not regress and len(np.unique(y[train])) < len(np.unique(y)):
            raise StatisticsError("a fold's training part lacks a class; use fewer folds or other groups")
        if len(np.intersect1d(train, test)):
            raise StatisticsError("the splitter puts trials on both sides of a fold")
        if groups is not None and len(np.intersect1d(groups[train], groups[test])):
            raise StatisticsError(
                "the splitter puts trials of one group on both sides of a fold, so a reader could know the group "
                "instead of the label; use a splitter for groups, such as GroupKFold"
            )
    return folds


def _splitter(y: Array, groups: Array | None, k: int, regress: bool, seed: int) -> Any:
    if k < 2 or k > len(y):
        raise StatisticsError(f"{k} folds for {len(y)} trials; use between 2 and {len(y)}")
    if groups is not None:
        n = len(np.unique(groups))
        if n < 2:
            raise StatisticsError("all trials are of one group; leaving it out leaves nothing to fit on")
        if n < k == DEFAULT_FOLDS:
            k = n  # each group is left out once
        if n < k:
            raise StatisticsError(f"{k} folds for {n} groups; use cv={n} or fewer")
        # Whole-group labels are permuted, so the folds must not have been chosen by them.
        mixed = not regress and all(len(np.unique(y[groups == g])) > 1 for g in np.unique(groups))
        return (StratifiedGroupKFold if mixed else GroupKFold)(k, shuffle=True, random_state=seed)
    if not regress and np.bincount(y).min() < k:
        raise StatisticsError(f"the smallest class has {np.bincount(y).min()} trials for {k} folds; use fewer folds")
    return (KFold if regress else StratifiedKFold)(k, shuffle=True, random_state=seed)


def strata_of(cv: Any, folds: Folds, groups: Array | None, regress: bool) -> Array | None:
    """The fold that tests each trial where folds were balanced by the labels, else None."""
    ours = isinstance(cv, (int, np.integer)) and groups is None and not regress
    if not (ours or isinstance(cv, StratifiedKFold)):
        return None
    index = np.empty(sum(len(test) for _, test in folds), dtype=int)
    for f, (_, test) in enumerate(folds):
        index[test] = f
    return index


def _uses_groups(cv: Any) -> bool:
    """Whether a splitter looks at groups; scikit-learn's others warn where some are given."""
    kinds = [c.__name__ for c in type(cv).__mro__ if c.__module__.startswith("sklearn.model_selection")]
    return not kinds or any("Group" in kind and "Unsupported" not in kind for kind in kinds)
