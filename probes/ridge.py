"""Ridge readout of many places and many label sets at once, its penalty chosen inside each fold.

The predictions are those of scikit-learn's StandardScaler followed by RidgeClassifier or Ridge, with the penalty
found by a grid search on squared error over the other folds.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from artiphys.probes.linear import Linear, coded, standard

Array = np.ndarray[Any, Any]
ALPHAS = tuple(10.0 ** np.arange(-1, 6))
MOST_PARTS = 10  # folds that serve as inner folds by themselves; more are merged


@dataclass(frozen=True)
class Ridge:
    """Ridge regression on +-1 coded classes, or on numbers.

    Attributes
    ----------
    n_classes : int
        0 for numbers.
    alphas : sequence of float
        Penalties to choose from, on features of unit variance; a single one is used as it is.
    midway : bool
        Put the threshold of two classes midway between their means, for classes of unequal size.
    """

    n_classes: int
    alphas: Sequence[float] = ALPHAS
    midway: bool = False

    @property
    def name(self) -> str:
        """In words."""
        what = "a ridge classifier" if self.n_classes else "ridge regression"
        if len(self.alphas) == 1:
            return f"{what} (alpha {self.alphas[0]:g})"
        low, high = min(self.alphas), max(self.alphas)
        return f"{what} (alpha chosen within each fold among {len(self.alphas)} from {low:g} to {high:g})"

    def fits(self, x: Tensor, targets: Array, trains: Sequence[Array], tests: Sequence[Array]) -> Iterator[Linear]:
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
        y = coded(targets, self.n_classes).to(x.device)  # (trial, target, column)
        shared = _Shared(x, y.flatten(1))
        parts = _parts(tests)
        for train in trains:
            if len(self.alphas) == 1:
                alpha = torch.full((len(x), y.shape[1]), float(self.alphas[0]), dtype=x.dtype, device=x.device)
            else:
                alpha = self._chosen(shared, y, train, parts)
            yield self._readout(shared, y, train, alpha)

    def _chosen(self, shared: _Shared, y: Tensor, train: Array, parts: list[Array]) -> Tensor:
        """The penalty of least squared error over inner folds ``(place, target)``."""
        grid = torch.tensor(self.alphas, dtype=y.dtype, device=y.device)
        errors = []
        for part in parts:
            held = np.intersect1d(train, part)
            kept = np.setdiff1d(train, part)
            if not len(held) or len(kept) < 2:
                continue
            guess = shared.predicted(kept, held, grid)  # (place, held, column, alpha)
            left = (y[held].flatten(1)[None, :, :, None] - guess) ** 2
            errors.append(torch.unflatten(left.mean(dim=1), 1, y.shape[1:]).mean(dim=2))  # (place, target, alpha)
        return grid[torch.stack(errors).mean(dim=0).argmin(dim=-1)]

    def _readout(self, shared: _Shared, y: Tensor, train: Array, alpha: Tensor) -> Linear:
        columns = alpha.repeat_interleave(y.shape[2], dim=1)  # (place, target x column)
        weights, intercept = shared.weights(train, columns)
        made = Linear(
            torch.unflatten(weights, 2, y.shape[1:]),
            torch.unflatten(intercept, 1, y.shape[1:]),
            self.n_classes,
            alpha=alpha,
        )
        return made.midway(shared.x[:, train], y[train, :, 0]) if self.midway and self.n_classes == 2 else made


def _parts(tests: Sequence[Array]) -> list[Array]:
    """Inner folds: what each fold tests, merged where folds are many."""
    if len(tests) <= MOST_PARTS:
        return list(tests)
    return [np.unique(np.concatenate(tests[i::MOST_PARTS])) for i in range(MOST_PARTS)]


class _Shared:
    """What training sets share: decompositions, made once for each set of trials.

    Two folds of k leave out the same trials when the one is the outer and the other the inner fold, so that
    k (k - 1) / 2 decompositions serve k (k - 1) inner fits.
    """

    def __init__(self, x: Tensor, y: Tensor) -> None:
        self.x, self.y = x, y
        # Centred and scaled once by all trials, which changes no result and keeps sums of squares exact.
        self.shift, self.scale = standard(x)
        self.z = (x - self.shift[:, None]) / self.scale[:, None]
        self._known: dict[bytes, _Decomposed] = {}

    def _decomposed(self, train: Array, keep: bool) -> _Decomposed:
        key = np.sort(train).tobytes()
        found = self._known.pop(key, None)
        if found is None:
            found = _Decomposed(self.z[:, train], self.y[train])
            if keep:
                self._known[key] = found
        return found

    def predicted(self, train: Array, test: Array, grid: Tensor) -> Tensor:
        """Predictions for every penalty ``(place, test, column, alpha)``."""
        made = self._decomposed(train, keep=True)
        return made.predicted(self.z[:, test], grid)

    def weights(self, train: Array, alpha: Tensor) -> tuple[Tensor, Tensor]:
        """Weights ``(place, feature, column)`` and intercepts ``(place, column)``, for activity as it came."""
        made = _Decomposed(self.z[:, train], self.y[train])
        weights, intercept = made.weights(alpha)
        weights = weights / self.scale[..., None]
        return weights, intercept - (self.shift[:, None] @ weights)[:, 0]


class _Decomposed:
    """One training set: its scaled features, decomposed in the smaller of features and trials."""

    def __init__(self, z: Tensor, y: Tensor) -> None:
        self.mean, self.sd = standard(z)
        x = (z - self.mean[:, None]) / self.sd[:, None]
        self.level = y.mean(dim=0)
        self.dual = x.shape[2] > x.shape[1]
        if self.dual:
            self.values, vectors = torch.linalg.eigh(x @ x.mT)
            self.turned = vectors.mT @ (y - self.level)
            self.basis = x.mT @ vectors  # (place, feature, component)
        else:
            self.values, self.basis = torch.linalg.eigh(x.mT @ x)
            self.turned = self.basis.mT @ (x.mT @ (y - self.level))

    def predicted(self, z: Tensor, grid: Tensor) -> Tensor:
        held = ((z - self.mean[:, None]) / self.sd[:, None]) @ self.basis  # (place, test, component)
        shrunk = self.turned[..., None] / (self.values[:, :, None, None] + grid)  # (place, component, column, alpha)
        guess: Tensor = torch.unflatten(held @ shrunk.flatten(2), 2, shrunk.shape[2:])
        return guess + self.level[:, None]

    def weights(self, alpha: Tensor) -> tuple[Tensor, Tensor]:
        made = self.basis @ (self.turned / (self.values[..., None] + alpha[:, None]))
        made = made / self.sd[..., None]
        return made, self.level - (self.mean[:, None] @ made)[:, 0]
