"""Readers: what turns activity into guesses, the built-in linear ones or any scikit-learn estimator."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import torch
from sklearn.base import clone
from torch import Tensor

from artiphys.errors import InputError, unknown
from artiphys.probes.decoding.task import Task
from artiphys.probes.readers.lda import Discriminant
from artiphys.probes.readers.linear import Linear
from artiphys.probes.readers.logistic import Logistic
from artiphys.probes.readers.ridge import ALPHAS, Ridge

Array = np.ndarray[Any, Any]


class Fitted(Protocol):
    """A reader fitted at every place, for every target."""

    def predict(self, x: Tensor) -> Array:
        """Activity ``(place, trial, feature)`` -> guesses ``(place, target, trial)``."""
        ...

    def first(self) -> Fitted:
        """The same of the first target alone."""
        ...


class Reader(Protocol):
    """A way to read."""

    @property
    def name(self) -> str:
        """In words, for a methods section."""
        ...

    def fits(self, x: Tensor, targets: Array, trains: Sequence[Array], tests: Sequence[Array]) -> Iterator[Fitted]:
        """One fit for each training part; see `Ridge.fits`."""
        ...


@dataclass(frozen=True)
class Estimators:
    """Fitted copies of an estimator, ``[place][target]``."""

    fitted: list[list[Any]]

    def predict(self, x: Tensor) -> Array:
        """Guesses ``(place, target, trial)``; one place's fits read all places, if only one was fitted."""
        places = self.fitted * len(x) if len(self.fitted) == 1 else self.fitted
        return np.stack([np.stack([e.predict(at) for e in row]) for row, at in zip(places, x.cpu().numpy())])

    def first(self) -> Estimators:
        """Of the first target alone."""
        return Estimators([row[:1] for row in self.fitted])

    def linear(self, n_classes: int) -> Linear | None:
        """Weights and intercepts, where the estimator has them."""
        if not all(hasattr(row[0], "coef_") and hasattr(row[0], "intercept_") for row in self.fitted):
            return None
        weights = [torch.as_tensor(np.atleast_2d(row[0].coef_).T.copy(), dtype=torch.float64) for row in self.fitted]
        level = [torch.as_tensor(np.atleast_1d(row[0].intercept_), dtype=torch.float64) for row in self.fitted]
        if weights[0].shape[1] != (n_classes if n_classes > 2 else 1):
            return None  # such as one column a pair of classes
        return Linear(torch.stack(weights)[:, :, None], torch.stack(level)[:, None], n_classes)


@dataclass(frozen=True)
class AnyEstimator:
    """Any scikit-learn estimator, cloned for every place, fold and label set."""

    estimator: Any

    @property
    def name(self) -> str:
        """Its representation."""
        return " ".join(repr(self.estimator).split())

    def fits(self, x: Tensor, targets: Array, trains: Sequence[Array], tests: Sequence[Array]) -> Iterator[Estimators]:
        """One fit for each training part."""
        places = x.cpu().numpy()
        for train in trains:
            yield Estimators([[clone(self.estimator).fit(at[train], row[train]) for row in targets] for at in places])


def reader_of(estimator: Any, task: Task, alphas: Sequence[float] | None) -> Reader:
    """The reader that ``estimator``, which `check_estimator` has passed, names or is.

    Raises
    ------
    InputError
        If ``alphas`` are no penalties or go with another reader than ridge.
    """
    if alphas is not None and estimator not in (None, "ridge"):
        raise InputError("alphas are the penalties of the ridge readout; give them with estimator='ridge' only")
    if estimator in (None, "ridge"):
        given = np.atleast_1d(ALPHAS if alphas is None else np.asarray(alphas))
        if given.dtype.kind not in "iuf" or given.ndim != 1:
            raise InputError(f"alphas came as {alphas!r}; wanted one or more positive numbers")
        grid = tuple(float(a) for a in given)
        if not grid or not all(np.isfinite(a) and a > 0 for a in grid):
            raise InputError(f"alphas came as {alphas!r}; wanted one or more positive numbers")
        return Ridge(task.n_classes, grid)
    if estimator == "lda":
        return Discriminant(task.n_classes, equal_priors=not task.balanced)
    if estimator == "logistic":
        return Logistic(task.n_classes, balanced=not task.balanced)
    return AnyEstimator(estimator)


def check_estimator(estimator: Any) -> None:
    """Raise `InputError` unless it is a name, or can fit and predict."""
    if estimator is None or isinstance(estimator, str):
        if estimator not in (None, "ridge", "lda", "logistic"):
            raise InputError(
                unknown("estimator", estimator, ["ridge", "lda", "logistic"]) + "; or give a scikit-learn estimator"
            )
        return
    if isinstance(estimator, type):
        raise InputError(f"estimator came as the class {estimator.__name__}; make one of it: {estimator.__name__}()")
    if not (hasattr(estimator, "fit") and hasattr(estimator, "predict")):
        raise InputError(f"estimator came as {type(estimator).__name__}; wanted a scikit-learn estimator")
