"""Two crossed factors: cells, contrasts of each term, and trials as they may be exchanged."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from artiphys.array_types import Array
from artiphys.errors import InputError, StatisticsError
from artiphys.probes.covariability.strata import without_groups
from artiphys.stats.permutations import Permutations

MAX_LEVELS = 20  # of a factor; numbers with more are to be binned first


@dataclass(frozen=True)
class Crossed:
    """A crossed design.

    Attributes
    ----------
    x : ``(trial, unit)``
        Activity without differences between groups; one trial a group, its mean, where each group saw one cell.
    cell : ``(trial,)``
        Place of each trial's combination of levels, in row-major order of ``shape``.
    shape : (int, int)
        Levels of the two factors.
    plan : Permutations or None
    """

    x: Array
    cell: Array
    shape: tuple[int, int]
    plan: Permutations | None

    @classmethod
    def of(
        cls, x: Array, codes: tuple[Array, Array], names: tuple[str, str], groups: Array | None, permute: bool
    ) -> Crossed:
        """From levels of each trial.

        Raises
        ------
        InputError, StatisticsError
        """
        shape = (int(codes[0].max()) + 1, int(codes[1].max()) + 1)
        for name, levels in zip(names, shape):
            if not 2 <= levels <= MAX_LEVELS:
                raise InputError(f"{name} has {levels} values; wanted 2 to {MAX_LEVELS} (bin a number with more first)")
        cell = np.ravel_multi_index(codes, shape)
        group = None if groups is None else np.unique(groups, return_inverse=True)[1]
        if group is not None:
            constant = [len(np.unique(cell[group == g])) == 1 for g in range(group.max() + 1)]
            if all(constant):
                first = np.unique(group, return_index=True)[1]
                x = np.array([x[group == g].mean(axis=0) for g in range(group.max() + 1)])
                cell, group = cell[first], None
        counts = np.bincount(cell, minlength=shape[0] * shape[1])
        if counts.min() < 2:
            raise StatisticsError(
                f"{int((counts < 2).sum())} of {len(counts)} combinations of {names[0]} and {names[1]} have fewer than "
                f"two {'trials' if groups is None else 'trials (or groups, where each saw one combination)'}; wanted "
                "two or more of each: leave out rare values, or merge them"
            )
        if group is not None:
            x = without_groups(x, cell, group)
        return cls(x, cell, shape, Permutations.of(cell, group) if permute else None)

    @property
    def counts(self) -> Array:
        """Trials of each cell."""
        return np.bincount(self.cell, minlength=self.shape[0] * self.shape[1])

    def projections(self) -> list[Array]:
        """Projections of cell means ``(cell, cell)`` on first factor, second factor and interaction.

        Of unweighted means, so that no factor takes over what unequal numbers of trials mix up.
        """
        mean, away = [], []
        for levels in self.shape:
            mean.append(np.full((levels, levels), 1 / levels))
            away.append(np.eye(levels) - 1 / levels)
        return [np.kron(away[0], mean[1]), np.kron(mean[0], away[1]), np.kron(away[0], away[1])]

    def contrasts(self) -> list[Array]:
        """Rows ``(contrast, cell)`` that span each projection."""
        found = []
        for projection in self.projections():
            values, vectors = np.linalg.eigh(projection)
            found.append(vectors[:, values > 0.5].T)
        return found
