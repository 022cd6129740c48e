"""Any scikit-learn estimator as a reader."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Num
from sklearn.base import clone
from torch import Tensor

from artiphys.array_types import Array
from artiphys.errors import InputError
from artiphys.probes.readers.linear import Linear


@dataclass(frozen=True)
class Estimators:
    """Fitted copies of an estimator, ``[place][target]``."""

    fitted: list[list[Any]]
    n_classes: int = 0
    period: float = 0.0

    def predict(self, x: Float[Tensor, "place trial feature"]) -> Num[Array, "place target trial"]:
        """Guesses ``(place, target, trial)``; one place's fits read all places, if only one was fitted."""
        return self._asked(x, self._guess)

    def evidence(self, x: Float[Tensor, "place trial feature"]) -> Float[Array, "place target trial klass"]:
        """Decision values of each class, or logarithms of its probability."""
        return self._asked(x, self._told)

    def probabilities(self, x: Float[Tensor, "place trial feature"]) -> Float[Array, "place target trial klass"]:
        """Of each class; 0 for one that a relabelling kept out of the training part."""
        return self._asked(x, lambda e, at: self._by_class(e, e.predict_proba(at), 0.0))

    def _asked(self, x: Tensor, ask: Callable[[Any, Array], Array]) -> Array:
        places = self.fitted * len(x) if len(self.fitted) == 1 else self.fitted
        return np.stack([np.stack([ask(e, at) for e in row]) for row, at in zip(places, x.cpu().numpy())])

    def _guess(self, estimator: Any, at: Array) -> Array:
        guess = np.asarray(estimator.predict(at))
        if self.period:
            return np.asarray(np.arctan2(guess[:, 1], guess[:, 0]) * (self.period / (2 * np.pi)) % self.period)
        return guess

    def _told(self, estimator: Any, at: Array) -> Array:
        if not hasattr(estimator, "decision_function"):
            chance = estimator.predict_proba(at)
            return self._by_class(estimator, np.log(np.maximum(chance, 1e-300)), -1e3)
        value = np.asarray(estimator.decision_function(at))
        if value.ndim == 1:
            value = np.column_stack([-value / 2, value / 2])
        return self._by_class(estimator, value, float(value.min()) - 1.0)

    def _by_class(self, estimator: Any, value: Array, absent: float) -> Array:
        every = np.full((len(value), self.n_classes), absent)
        every[:, np.asarray(estimator.classes_).astype(int)] = value
        return every

    @property
    def n_places(self) -> int:
        """Number of places it was fitted at."""
        return len(self.fitted)

    def first(self) -> Estimators:
        """Of the first target alone."""
        return replace(self, fitted=[row[:1] for row in self.fitted])

    def linear(self, n_classes: int) -> Linear | None:
        """Weights and intercepts, where the estimator has them."""
        if self.period or not all(hasattr(row[0], "coef_") and hasattr(row[0], "intercept_") for row in self.fitted):
            return None
        weights = [torch.as_tensor(np.atleast_2d(row[0].coef_).T.copy(), dtype=torch.float64) for row in self.fitted]
        level = [torch.as_tensor(np.atleast_1d(row[0].intercept_), dtype=torch.float64) for row in self.fitted]
        if weights[0].shape[1] != (n_classes if n_classes > 2 else 1):
            return None  # such as one column per pair of classes
        return Linear(torch.stack(weights)[:, :, None], torch.stack(level)[:, None], n_classes)


@dataclass(frozen=True)
class AnyEstimator:
    """Any scikit-learn estimator, cloned for every place, fold and label set."""

    estimator: Any
    n_classes: int = 0
    period: float = 0.0
    shares_work = False

    @property
    def n_columns(self) -> int:
        """Columns of numbers that each target needs."""
        return max(1, self.n_classes)

    @property
    def offers(self) -> frozenset[str]:
        """What its fitted copies can tell besides guesses."""
        probabilities = {"probabilities", "evidence"} if hasattr(self.estimator, "predict_proba") else set()
        return frozenset(probabilities | ({"evidence"} if hasattr(self.estimator, "decision_function") else set()))

    @property
    def name(self) -> str:
        """Its representation."""
        return " ".join(repr(self.estimator).split())

    def fits(
        self,
        x: Float[Tensor, "place trial feature"],
        targets: Num[Array, "target trial"],
        trains: Sequence[Array],
        tests: Sequence[Array],
    ) -> Iterator[Estimators]:
        """One fit for each training part."""
        places = x.cpu().numpy()
        for train in trains:
            fitted = [[self._fitted(at[train], row[train]) for row in targets] for at in places]
            yield Estimators(fitted, self.n_classes, self.period)

    def _fitted(self, x: Array, y: Array) -> Any:
        if self.period:
            angle = y * (2 * np.pi / self.period)
            y = np.column_stack([np.cos(angle), np.sin(angle)])
        try:
            return clone(self.estimator).fit(x, y)
        except ValueError as error:
            if not self.period:
                raise
            raise InputError(
                f"{self.name} cannot fit an angle, which is read through its cosine and sine: {error}; wrap it in "
                "sklearn.multioutput.MultiOutputRegressor"
            ) from error
