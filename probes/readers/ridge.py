"""Ridge readout of many places and many label sets at once, its penalty chosen inside each fold.

The predictions are those of scikit-learn's StandardScaler followed by RidgeClassifier or Ridge, with the penalty
found by a grid search on squared error over the other folds. Only the threshold of two classes lies midway between
their means: with equal numbers of training trials that is RidgeClassifier's, with unequal ones a ridge classifier says
the frequent class.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Int, Integer, Num
from torch import Tensor

from artiphys.array_types import Array
from artiphys.errors import StatisticsError
from artiphys.probes.readers.linear import Linear, coded
from artiphys.probes.readers.ridge_solutions import Shared

ALPHAS = tuple(10.0 ** np.arange(-1, 6))
MAX_INNER_FOLDS = 10  # folds that serve as inner folds by themselves; more are merged


@dataclass(frozen=True)
class Ridge:
    """Ridge regression on +-1 coded classes, or on numbers.

    Attributes
    ----------
    n_classes : int
        0 for numbers.
    alphas : sequence of float
        Penalties to choose from, on features of unit variance; a single one is used as it is.
    period : float
        Of angles, which are read through their cosine and sine; else 0.
    """

    n_classes: int
    alphas: Sequence[float] = ALPHAS
    period: float = 0.0
    shares_work = True
    offers = frozenset({"evidence"})

    @property
    def n_columns(self) -> int:
        """Columns of numbers that each target needs."""
        return 2 if self.period else max(1, self.n_classes)

    @property
    def name(self) -> str:
        """In words."""
        what = "a ridge classifier" if self.n_classes else "ridge regression"
        what += " on the cosine and sine" if self.period else ""
        if len(self.alphas) == 1:
            return f"{what} (alpha {self.alphas[0]:g})"
        low, high = min(self.alphas), max(self.alphas)
        return f"{what} (alpha chosen within each fold among {len(self.alphas)} from {low:g} to {high:g})"

    def fits(
        self,
        x: Float[Tensor, "place trial feature"],
        targets: Num[Array, "target trial"],
        trains: Sequence[Array],
        tests: Sequence[Array],
    ) -> Iterator[Linear]:
        """One readout for each training part, for all places and targets.

        Parameters
        ----------
        x : ``(place, trial, feature)``
        targets : ``(target, trial)``
        trains : list of trial indices
        tests : list of trial indices
            What the folds test; parts of a training set that other folds test are its inner folds, so that
            groups which the folds keep together stay together.
        """
        y = coded(targets, self.n_classes, self.period).to(x.device)  # (trial, target, column)
        grid = torch.tensor(self.alphas).to(y)
        parts = _parts(tests)
        shared = Shared(x, y.flatten(1), grid, parts)
        for train in trains:
            chosen = torch.zeros(len(x), y.shape[1], dtype=torch.long, device=x.device)
            if len(grid) > 1:
                chosen = self._chosen(shared, y, train, parts)
            yield self._readout(shared, y, train, chosen)

    def _chosen(
        self,
        shared: Shared,
        y: Float[Tensor, "trial target column"],
        train: Integer[Array, " train"],
        parts: list[Array],
    ) -> Int[Tensor, "place target"]:
        """Index of the penalty of least squared error over inner folds ``(place, target)``."""
        errors = []
        for part in parts:
            held = np.intersect1d(train, part)
            rest = np.setdiff1d(train, part)
            if not len(held) or len(rest) < 2:
                continue
            guess = shared.solution(rest).predicted(shared.z[:, held])  # (place, held, column, alpha)
            left = (y[held].flatten(1)[None, :, :, None] - guess) ** 2
            errors.append(torch.unflatten(left.mean(dim=1), 1, y.shape[1:]).mean(dim=2))  # (place, target, alpha)
        if not errors:
            raise StatisticsError(
                "no other fold tests trials of a training part, so no penalty can be chosen inside it; give one, "
                "alphas=[1.0], or use folds that test every trial"
            )
        return torch.stack(errors).mean(dim=0).argmin(dim=-1)

    def _readout(
        self,
        shared: Shared,
        y: Float[Tensor, "trial target column"],
        train: Integer[Array, " train"],
        chosen: Int[Tensor, "place target"],
    ) -> Linear:
        weights, intercept = shared.weights(train, chosen.repeat_interleave(y.shape[2], dim=1))
        readout = Linear(
            torch.unflatten(weights, 2, y.shape[1:]),
            torch.unflatten(intercept, 1, y.shape[1:]),
            self.n_classes,
            self.period,
        )
        return readout.midway(shared.x[:, train], y[train, :, 0]) if self.n_classes == 2 else readout


def _parts(tests: Sequence[Array]) -> list[Array]:
    """Inner folds: what each fold tests, merged where folds are many."""
    if len(tests) <= MAX_INNER_FOLDS:
        return list(tests)
    return [np.unique(np.concatenate(tests[i::MAX_INNER_FOLDS])) for i in range(MAX_INNER_FOLDS)]
