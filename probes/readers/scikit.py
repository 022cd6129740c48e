"""Any scikit-learn estimator as a reader."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Num
from sklearn.base import clone
from torch import Tensor

from artiphys.array_types import Array
from artiphys.probes.readers.linear import Linear


@dataclass(frozen=True)
class Estimators:
    """Fitted copies of an estimator, ``[place][target]``."""

    fitted: list[list[Any]]

    def predict(self, x: Float[Tensor, "place trial feature"]) -> Num[Array, "place target trial"]:
        """Guesses ``(place, target, trial)``; one place's fits read all places, if only one was fitted."""
        places = self.fitted * len(x) if len(self.fitted) == 1 else self.fitted
        return np.stack([np.stack([e.predict(at) for e in row]) for row, at in zip(places, x.cpu().numpy())])

    @property
    def n_places(self) -> int:
        """Number of places it was fitted at."""
        return len(self.fitted)

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
            return None  # such as one column per pair of classes
        return Linear(torch.stack(weights)[:, :, None], torch.stack(level)[:, None], n_classes)


@dataclass(frozen=True)
class AnyEstimator:
    """Any scikit-learn estimator, cloned for every place, fold and label set."""

    estimator: Any
    shares_work = False

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
            yield Estimators([[clone(self.estimator).fit(at[train], row[train]) for row in targets] for at in places])
