"""Ridge solutions for every penalty at once, shared over training sets, label sets and places."""

from __future__ import annotations

from typing import Protocol, runtime_checkable

import numpy as np
import torch
from jaxtyping import Float, Int, Integer
from torch import Tensor

from artiphys.array_types import Array
from artiphys.probes.readers.linear import standard
from artiphys.probes.readers.shifted_systems import solve_shifted, suits


@runtime_checkable
class Solution(Protocol):
    """Ridge regressions of one training set, for every penalty."""

    def predicted(self, z: Float[Tensor, "place test feature"]) -> Float[Tensor, "place test column alpha"]:
        """Predictions ``(place, test, column, alpha)`` of activity ``(place, test, feature)``."""
        ...

    def weights(
        self, chosen: Int[Tensor, "place column"]
    ) -> tuple[Float[Tensor, "place feature column"], Float[Tensor, "place column"]]:
        """Weights and intercepts at the penalty chosen for each ``(place, column)``."""
        ...


class Shared:
    """Standardised activity, targets and sums of products that the training sets share.

    Sums over what each fold tests add up to those of any training set that is made of such parts. And two folds of k
    leave out the same trials when the one is the outer and the other the inner fold, so that k (k - 1) / 2 solutions
    serve k (k - 1) inner fits.
    """

    def __init__(
        self,
        x: Float[Tensor, "place trial feature"],
        y: Float[Tensor, "trial column"],
        grid: Float[Tensor, " alpha"],
        parts: list[Array],
    ) -> None:
        self.x, self.y, self.grid = x, y, grid
        # Centred and scaled once by all trials, which changes no result and keeps sums of squares exact.
        self.shift, self.scale = standard(x)
        self.z = (x - self.shift[:, None]) / self.scale[:, None]
        whole = np.concatenate(parts) if parts else np.empty(0, dtype=int)
        self.parts = parts if len(whole) == x.shape[1] == len(np.unique(whole)) else []
        self._sums: dict[int, _Sums] = {}
        self._known: dict[bytes, Solution] = {}

    def solution(self, train: Integer[Array, " train"]) -> Solution:
        """Of one training set; forgotten when it was asked for a second time."""
        key = np.sort(train).tobytes()
        solution = self._known.pop(key, None)
        if solution is None:
            solution = self._known[key] = self._made(train)
        return solution

    def weights(
        self, train: Integer[Array, " train"], chosen: Int[Tensor, "place column"]
    ) -> tuple[Float[Tensor, "place feature column"], Float[Tensor, "place column"]]:
        """Weights ``(place, feature, column)`` and intercepts ``(place, column)``, for activity as it came."""
        weights, intercept = self.solution(train).weights(chosen)
        weights = weights / self.scale[..., None]
        return weights, intercept - (self.shift[:, None] @ weights)[:, 0]

    def _made(self, train: Array) -> Solution:
        features = self.x.shape[2]
        if features > len(train):
            return _dual(self.z[:, train], self.y[train], self.grid)
        sums = self._summed(train)
        n, mean = len(train), sums.first / len(train)
        gram = sums.second - n * mean[..., None] * mean[:, None]
        var = gram.diagonal(dim1=1, dim2=2) / n
        still = var <= 1e-13 * (1 + mean.square())
        sd = torch.where(still, 1.0, var.clamp_min(0.0).sqrt())
        level = sums.target / n
        right = (sums.cross - n * mean[..., None] * level) / sd[..., None]
        gram = gram / (sd[..., None] * sd[:, None])
        if bool(still.any()):
            right = right.masked_fill(still[..., None], 0.0)
            gram = gram.masked_fill(still[..., None] | still[:, None], 0.0)
        return _solved(gram, right, mean, sd, level, self.grid, None)

    def _summed(self, train: Array) -> _Sums:
        inside = np.zeros(self.x.shape[1], dtype=bool)
        inside[train] = True
        made_of = [i for i, part in enumerate(self.parts) if inside[part].any()]
        if not made_of or any(not inside[self.parts[i]].all() for i in made_of):
            return _Sums.of(self.z[:, train], self.y[train])
        for i in made_of:
            if i not in self._sums:
                self._sums[i] = _Sums.of(self.z[:, self.parts[i]], self.y[self.parts[i]])
        total = self._sums[made_of[0]]
        for i in made_of[1:]:
            total = total + self._sums[i]
        return total


class _Sums:
    """Sums of one set of trials: of activity, its squares and products with targets, and of targets."""

    def __init__(
        self,
        first: Float[Tensor, "place feature"],
        second: Float[Tensor, "place feature feature"],
        cross: Float[Tensor, "place feature column"],
        target: Float[Tensor, " column"],
    ) -> None:
        self.first, self.second, self.cross, self.target = first, second, cross, target

    @classmethod
    def of(cls, z: Float[Tensor, "place trial feature"], y: Float[Tensor, "trial column"]) -> _Sums:
        return cls(z.sum(dim=1), z.mT @ z, z.mT @ y, y.sum(dim=0))

    def __add__(self, other: _Sums) -> _Sums:
        return _Sums(
            self.first + other.first, self.second + other.second, self.cross + other.cross, self.target + other.target
        )


def _dual(
    z: Float[Tensor, "place trial feature"], y: Float[Tensor, "trial column"], grid: Float[Tensor, " alpha"]
) -> Solution:
    """With more features than trials, in the space of trials."""
    mean, sd = standard(z)
    x = (z - mean[:, None]) / sd[:, None]
    level = y.mean(dim=0)
    return _solved(x @ x.mT, (y - level).expand(len(z), -1, -1), mean, sd, level, grid, x)


def _solved(
    gram: Tensor, right: Tensor, mean: Tensor, sd: Tensor, level: Tensor, grid: Tensor, x: Tensor | None
) -> Solution:
    if suits(gram.shape[1], right.shape[2] * len(grid), gram.device):
        return _Solved(gram, right, mean, sd, level, grid, x)
    return _Decomposed(gram, right, mean, sd, level, grid, x)


class _Solved:
    """The solutions themselves, where label sets are few."""

    def __init__(
        self, gram: Tensor, right: Tensor, mean: Tensor, sd: Tensor, level: Tensor, grid: Tensor, x: Tensor | None
    ) -> None:
        solutions = solve_shifted(gram, right, grid).permute(0, 2, 3, 1)  # (place, row, column, alpha)
        if x is not None:
            solutions = torch.unflatten(x.mT @ solutions.flatten(2), 2, solutions.shape[2:])
        self._weights = solutions / sd[..., None, None]
        self._level = level[:, None] - torch.einsum("pf,pfca->pca", mean, self._weights)

    def predicted(self, z: Tensor) -> Tensor:
        guess: Tensor = torch.unflatten(z @ self._weights.flatten(2), 2, self._weights.shape[2:])
        return guess + self._level[:, None]

    def weights(self, chosen: Tensor) -> tuple[Tensor, Tensor]:
        index = chosen[:, None, :, None].expand(-1, self._weights.shape[1], -1, 1)
        return self._weights.gather(3, index)[..., 0], self._level.gather(2, chosen[..., None])[..., 0]


class _Decomposed:
    """An eigendecomposition, which serves any number of label sets."""

    def __init__(
        self, gram: Tensor, right: Tensor, mean: Tensor, sd: Tensor, level: Tensor, grid: Tensor, x: Tensor | None
    ) -> None:
        self.mean, self.sd, self.level, self.grid = mean, sd, level, grid
        self.values, vectors = torch.linalg.eigh(gram)
        self.turned = vectors.mT @ right
        self.basis = vectors if x is None else x.mT @ vectors  # (place, feature, component)

    def predicted(self, z: Tensor) -> Tensor:
        held = ((z - self.mean[:, None]) / self.sd[:, None]) @ self.basis  # (place, test, component)
        shrunk = self.turned[..., None] / (
            self.values[:, :, None, None] + self.grid
        )  # (place, component, column, alpha)
        guess: Tensor = torch.unflatten(held @ shrunk.flatten(2), 2, shrunk.shape[2:])
        return guess + self.level[:, None]

    def weights(self, chosen: Tensor) -> tuple[Tensor, Tensor]:
        alpha = self.grid[chosen]
        weights = self.basis @ (self.turned / (self.values[..., None] + alpha[:, None]))
        weights = weights / self.sd[..., None]
        return weights, self.level - (self.mean[:, None] @ weights)[:, 0]
