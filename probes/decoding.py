"""Decoding: what a reader of the activity could know, with its error, chance and permutation null."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr
from sklearn.base import clone, is_regressor
from sklearn.metrics import balanced_accuracy_score, r2_score
from sklearn.model_selection import GroupKFold, KFold, StratifiedGroupKFold, StratifiedKFold
from tqdm.auto import tqdm

from artiphys.errors import InputError, StatisticsError
from artiphys.probes.activity import as_activity, per_trial
from artiphys.probes.ridge import ridge_predictions
from artiphys.stats import Permutations, check_confidence, nadeau_bengio, p_value, t_interval
from artiphys.version import __version__

Array = np.ndarray[Any, Any]
Folds = list[tuple[Array, Array]]
GROUP_NAMES = ("group", "session", "run", "subject", "block")


@dataclass(frozen=True)
class Decoding:
    """Cross-validated decoding, at each time where there is time.

    Attributes
    ----------
    score : DataArray ``()`` or ``(time,)``
        Mean over folds of ``metric``.
    stderr : DataArray
        Nadeau-Bengio corrected; it speaks of the procedure over new data sets.
    chance : float
        Theoretical chance level.
    null_mean : DataArray or None
        Mean score with permuted labels.
    p_value : DataArray or None
        (b + 1) / (m + 1), one-sided.
    folds : DataArray ``(fold[, time])``
    """

    score: xr.DataArray
    stderr: xr.DataArray
    chance: float
    null_mean: xr.DataArray | None
    p_value: xr.DataArray | None
    folds: xr.DataArray
    metric: str
    estimator: str
    n_trials: int
    n_permutations: int
    scheme: str
    seed: int
    version: str

    def interval(self, confidence: float = 0.95) -> tuple[xr.DataArray, xr.DataArray]:
        """Lower and upper ends, t with (folds - 1) degrees of freedom."""
        check_confidence(confidence)
        low, high = t_interval(self.score.to_numpy(), self.stderr.to_numpy(), len(self.folds) - 1, confidence)
        return self.score.copy(data=low), self.score.copy(data=high)

    def to_dataframe(self) -> pd.DataFrame:
        """One row a time: score, error, chance, p."""
        low, high = self.interval()
        table = pd.DataFrame(
            {"score": self.score.to_numpy().ravel(), "stderr": self.stderr.to_numpy().ravel(),
             "low": low.to_numpy().ravel(), "high": high.to_numpy().ravel(), "chance": self.chance}
        )  # fmt: skip
        if self.p_value is not None:
            table["p"] = self.p_value.to_numpy().ravel()
        return table

    def methods_text(self) -> str:
        """A paragraph fit for a methods section."""
        null = (
            f" The null distribution came from {self.n_permutations} permutations of the labels ({self.scheme}; "
            f"smallest attainable p {1 / (self.n_permutations + 1):.2g}); folds were fixed."
            if self.n_permutations
            else ""
        )
        return (
            f"{self.n_trials} trials were decoded with {self.estimator}, scaled and fitted within each of "
            f"{len(self.folds)} folds; scores are {self.metric} with Nadeau-Bengio standard errors.{null} "
            f"(artiphys {self.version})"
        )


def decode(
    activity: Any,
    labels: Any,
    estimator: Any = None,
    cv: Any = 5,
    groups: Any = None,
    n_permutations: int = 200,
    seed: int = 0,
    *,
    progress: bool = True,
) -> Decoding:
    """Decode a label from activity, cross-validated.

    Parameters
    ----------
    activity : DataArray ``(trial[, time], ..., unit)`` or array ``(trial, ..., unit)``
        With a time axis each time is decoded by itself; other axes are features together.
    labels : array ``(trial,)`` or str
        Classes (text, integers, booleans) or, as floats, a number to regress; or a condition's name.
    estimator : scikit-learn estimator, optional
        Default: a ridge classifier (regression for numbers) on features scaled within each fold.
    cv : int or splitter
        Folds; stratified for classes, shuffled by ``seed``, whole groups where there are groups.
    groups : array or str, optional
        Trials of one group never lie on both sides of a fold. Required where the conditions have a
        column such as ``group`` or ``session``.
    n_permutations : int
        Permutations of the labels, following the design; 0 for none.

    Raises
    ------
    InputError
        One class only, NaN activity, labels of another length.
    StatisticsError
        Too few trials for the folds, grouped trials without ``groups``, too few distinct permutations.

    Examples
    --------
    >>> x = np.repeat([[0.0, 1.0], [1.0, 0.0]], 10, axis=0) + np.random.default_rng(0).normal(0, 0.1, (20, 2))
    >>> d = decode(x, [0] * 10 + [1] * 10, n_permutations=50)
    >>> float(d.score), d.chance, bool(d.p_value < 0.05)
    (1.0, 0.5, True)
    """
    data = as_activity(activity)
    y = per_trial(labels, data, "labels")
    if n_permutations < 0:
        raise InputError(f"n_permutations came as {n_permutations}; wanted 0 or more")
    if isinstance(estimator, type):
        raise InputError(f"estimator came as the class {estimator.__name__}; make one of it: {estimator.__name__}()")
    if estimator is not None and not (hasattr(estimator, "fit") and hasattr(estimator, "predict")):
        raise InputError(f"estimator came as {type(estimator).__name__}; wanted a scikit-learn estimator")
    regress = y.dtype.kind == "f" if estimator is None else is_regressor(estimator)
    member = _groups(groups, data)
    if not regress:
        y = _encoded(y)
    folds = _folds(y, member, cv, regress, seed)
    metric, score = _metric(y, regress)
    parts, time = _parts(data)
    targets = [y]
    scheme = ""
    if n_permutations:
        plan = Permutations.of(y, member, _stratified(cv, folds, member, regress))
        scheme = plan.scheme
        if math.isfinite(plan.n_distinct) and 1 / plan.n_distinct > 0.05:
            warnings.warn(f"only {plan.n_distinct:.0f} distinct relabellings: p cannot fall below .05", stacklevel=2)
        targets += list(plan.draw(n_permutations, seed))
    stacked = np.stack(targets)
    fit = _fitter(estimator, regress)
    results = np.stack(
        [
            _cross_validated(x, stacked, folds, fit, score)
            for x in tqdm(parts, desc="decoding", delay=2, disable=not progress or len(parts) < 2, leave=False)
        ],
        axis=-1,
    )  # (target, fold, part)
    dims: tuple[str, ...] = ("time",) if time is not None else ()
    coords = {"time": time} if time is not None else {}

    def give(a: Array) -> xr.DataArray:
        return xr.DataArray(a if time is not None else a[..., 0], dims=dims, coords=coords)

    observed, null = results[0].mean(axis=0), results[1:].mean(axis=1)
    sizes = [float(np.mean([len(fold[part]) for fold in folds])) for part in (1, 0)]  # test, train
    errors = np.array([nadeau_bengio(results[0, :, i], *sizes) for i in range(results.shape[2])])
    return Decoding(
        score=give(observed),
        stderr=give(errors),
        chance=0.0 if regress else 1 / len(np.unique(y)),
        null_mean=give(null.mean(axis=0)) if n_permutations else None,
        p_value=give(p_value(observed, null)) if n_permutations else None,
        folds=xr.DataArray(results[0] if time is not None else results[0, :, 0], dims=("fold", *dims), coords=coords),
        metric=metric, n_trials=len(y), n_permutations=n_permutations, scheme=scheme, seed=seed,
        estimator="a ridge classifier (alpha 1)" if estimator is None and not regress
        else "ridge regression (alpha 1)" if estimator is None else repr(estimator),
        version=__version__,
    )  # fmt: skip


def _groups(groups: Any, data: xr.DataArray) -> Array | None:
    if groups is not None:
        return per_trial(groups, data, "groups")
    found = [n for n in GROUP_NAMES if n in data.coords and data.coords[n].dims == ("trial",)]
    if found and len(np.unique(data.coords[found[0]].to_numpy())) > 1:
        raise StatisticsError(
            f"the conditions say that trials come in groups ({found[0]!r}); pass groups={found[0]!r}, or drop that "
            f"coordinate if trials are independent (activity.drop_vars({found[0]!r}))"
        )
    return None


def _encoded(y: Array) -> Array:
    names, codes = np.unique(y.astype(str) if y.dtype == object else y, return_inverse=True)
    if len(names) < 2:
        raise InputError(f"labels hold the single class {names[0]!r}; decoding needs at least two")
    if len(names) > len(y) / 2 and y.dtype.kind == "f":
        raise InputError("labels look like a number, not classes; pass a regressor as estimator")
    return codes.astype(np.int64)


def _folds(y: Array, groups: Array | None, cv: Any, regress: bool, seed: int) -> Folds:
    x = np.zeros((len(y), 1))
    if isinstance(cv, (int, np.integer)):
        k = int(cv)
        if k < 2 or k > len(y):
            raise StatisticsError(f"{k} folds for {len(y)} trials; use between 2 and {len(y)}")
        if groups is not None:
            n = len(np.unique(groups))
            if n < k:
                raise StatisticsError(f"{k} folds for {n} groups; use cv={n} or fewer")
            # Whole-group labels are permuted, so the folds must not have been chosen by them.
            mixed = not regress and all(len(np.unique(y[groups == g])) > 1 for g in np.unique(groups))
            made_of_groups = StratifiedGroupKFold if mixed else GroupKFold
            cv = made_of_groups(k, shuffle=True, random_state=seed)
        else:
            if not regress and np.bincount(y).min() < k:
                raise StatisticsError(
                    f"the smallest class has {np.bincount(y).min()} trials for {k} folds; use fewer folds"
                )
            made = KFold if regress else StratifiedKFold
            cv = made(k, shuffle=True, random_state=seed)
    if not hasattr(cv, "get_n_splits"):
        raise InputError(f"cv came as {type(cv).__name__}; wanted a number of folds or a scikit-learn splitter")
    folds = [(np.asarray(a), np.asarray(b)) for a, b in cv.split(x, y, groups)]
    for train, test in folds:
        if not regress and len(np.unique(y[train])) < len(np.unique(y)):
            raise StatisticsError("a fold's training part lacks a class; use fewer folds or other groups")
        if len(np.intersect1d(train, test)):
            raise StatisticsError("the splitter puts trials on both sides of a fold")
    return folds


def _stratified(cv: Any, folds: Folds, groups: Array | None, regress: bool) -> Array | None:
    """Which fold tests each trial, where folds were balanced by the labels; else None."""
    ours = isinstance(cv, (int, np.integer)) and groups is None and not regress
    if not (ours or isinstance(cv, StratifiedKFold)):
        return None
    index = np.empty(sum(len(test) for _, test in folds), dtype=int)
    for f, (_, test) in enumerate(folds):
        index[test] = f
    return index


def _metric(y: Array, regress: bool) -> tuple[str, Callable[[Array, Array], float]]:
    if regress:
        return "R squared", lambda true, guess: float(r2_score(true, guess))
    counts = np.bincount(y)
    if counts.max() == counts.min():
        return "accuracy", lambda true, guess: float(np.mean(true == guess))

    def balanced(true: Array, guess: Array) -> float:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # a class predicted but absent from a small fold
            return float(balanced_accuracy_score(true, guess))

    return "balanced accuracy", balanced


def _parts(data: xr.DataArray) -> tuple[list[Array], Array | None]:
    """Feature matrices ``(trial, feature)``, one a time."""
    if "time" not in data.dims:
        return [data.to_numpy().reshape(data.sizes["trial"], -1)], None
    if "valid" in data.coords and not bool(data["valid"].all()):
        raise InputError(
            "trials have different lengths, so some times are missing on some trials; decode times that all have: "
            "activity.where(activity.valid.all('trial'), drop=True)"
        )
    moved = data.transpose("trial", "time", ...).to_numpy()
    flat = moved.reshape(*moved.shape[:2], -1)
    time = data["time"].to_numpy() if "time" in data.coords else np.arange(flat.shape[1])
    return [flat[:, t] for t in range(flat.shape[1])], time


Fit = Callable[[Array, Array, Array, int], Array]  # (train, targets, test, n_classes) -> predictions (target, test)


def _fitter(estimator: Any, regress: bool) -> Fit:
    if estimator is None:
        return lambda train, y, test, n: ridge_predictions(train, y, test, None if regress else n)
    return lambda train, y, test, n: np.stack([clone(estimator).fit(train, row).predict(test) for row in y])


def _cross_validated(x: Array, targets: Array, folds: Folds, fit: Fit, score: Callable[[Array, Array], float]) -> Array:
    """Scores ``(target, fold)``: the folds are the same for the labels and for their permutations."""
    n_classes = int(targets.max()) + 1 if targets.dtype.kind == "i" else 0
    result = np.empty((len(targets), len(folds)))
    for f, (train, test) in enumerate(folds):
        guesses = fit(x[train], targets[:, train], x[test], n_classes)
        result[:, f] = [score(true, guess) for true, guess in zip(targets[:, test], guesses)]
    return result
