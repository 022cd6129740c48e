"""Trials of crossed conditions: their means, and random halves and single trials of them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from artiphys.array_types import Array
from artiphys.errors import InputError, StatisticsError


@dataclass(frozen=True)
class Design:
    """Trials ``(trial, time, unit)`` and the cell of each.

    Attributes
    ----------
    x : ``(trial, time, unit)``
    cell : ``(trial,)``
    shape : tuple of int
        Levels of each factor.
    """

    x: Array
    cell: Array
    shape: tuple[int, ...]

    @classmethod
    def of(cls, x: Array, codes: list[Array], names: tuple[str, ...]) -> Design:
        """From levels of each trial.

        Raises
        ------
        InputError, StatisticsError
        """
        shape = tuple(int(c.max()) + 1 for c in codes)
        for name, levels in zip(names, shape):
            if not 2 <= levels <= 50:
                raise InputError(f"{name} has {levels} values; wanted 2 to 50 (bin a number with more first)")
        cell = np.ravel_multi_index(codes, shape)
        counts = np.bincount(cell, minlength=int(np.prod(shape)))
        if counts.min() < 2:
            raise StatisticsError(
                f"{int((counts < 2).sum())} of {len(counts)} combinations of {' and '.join(names)} have fewer than two "
                "trials; wanted two or more of each: leave out rare values, or merge them"
            )
        return cls(x, cell, shape)

    @property
    def counts(self) -> Array:
        """Trials of each cell."""
        return np.asarray(np.bincount(self.cell))

    @property
    def member(self) -> Array:
        """``(cell, trial)``."""
        return np.asarray(self.cell == np.arange(len(self.counts))[:, None], dtype=float)

    def means(self, x: Array | None = None, chosen: Array | None = None) -> Array:
        """Mean activity ``(level, ..., time, unit)`` over all or chosen trials."""
        x = self.x if x is None else x
        member = self.member if chosen is None else self.member * chosen
        flat = member @ x.reshape(len(x), -1) / member.sum(axis=1, keepdims=True)
        return np.asarray(flat.reshape(*self.shape, *x.shape[1:]))

    def half(self, rng: np.random.Generator) -> Array:
        """A random half of each cell's trials: boolean ``(trial,)``."""
        return self._some(rng, None)

    def one_each(self, rng: np.random.Generator) -> Array:
        """A random trial of each cell: boolean ``(trial,)``."""
        return self._some(rng, 1)

    def _some(self, rng: np.random.Generator, n: int | None) -> Array:
        chosen = np.zeros(len(self.cell), dtype=bool)
        for c in range(len(self.counts)):
            rows = rng.permutation(np.flatnonzero(self.cell == c))
            chosen[rows[: len(rows) // 2 if n is None else n]] = True
        return chosen
