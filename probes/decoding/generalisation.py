"""Training and testing: on the same times and values of a condition, or generalised over them (`across`)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr
from torch import Tensor

from artiphys.array_types import Array
from artiphys.errors import InputError, StatisticsError
from artiphys.probes.data.trial_values import coded, per_trial
from artiphys.probes.decoding.task import Task

MAX_VALUES = 12


@dataclass(frozen=True)
class Crossing:
    """Which trials or times a reader is trained on, and which it is tested on.

    Attributes
    ----------
    over_time : bool
    values : ``(value,)`` or None
        Values of the condition that is crossed.
    level : ``(trial,)`` or None
        Index of each trial's value.
    """

    over_time: bool = False
    values: Array | None = None
    level: Array | None = None
    name: str = "condition"

    @classmethod
    def of(cls, across: Any, data: xr.DataArray, task: Task) -> Crossing:
        """From ``decode``'s argument.

        Raises
        ------
        InputError, StatisticsError
        """
        if across is None:
            return cls()
        if isinstance(across, str) and across == "time":
            if "time" not in data.dims:
                raise InputError(f"across='time' needs activity with a time axis; it has {data.dims}")
            return cls(over_time=True)
        conditions = per_trial(across, data, "across")
        values, level = coded(conditions)
        if not 2 <= len(values) <= MAX_VALUES:
            raise InputError(f"across has {len(values)} values; wanted 2 to {MAX_VALUES}")
        for v, value in enumerate(values.tolist()):
            for train, test in task.folds:
                seen = np.unique(task.y[train[level[train] == v]])
                if (task.classes is not None and len(seen) < task.n_classes) or len(seen) < 2:
                    raise StatisticsError(
                        f"trials with {value!r} do not hold every class in every fold's training part, so a reader "
                        "trained on them alone cannot know all classes; use fewer folds or other conditions"
                    )
                if not (level[test] == v).any():
                    raise StatisticsError(f"a fold tests no trial with {value!r}; use fewer folds")
        return cls(values=values, level=level, name=across if isinstance(across, str) else "condition")

    @property
    def none(self) -> bool:
        """Whether nothing is crossed."""
        return not self.over_time and self.values is None

    @property
    def n_values(self) -> int:
        """Values of the condition; 1 where none is crossed."""
        return 1 if self.values is None else len(self.values)

    def n_variants(self, n_places: int) -> int:
        """Tests of each place's reader."""
        return n_places if self.over_time else self.n_values**2

    def trains(self, train: Array) -> list[Array]:
        """The training parts of one fold."""
        if self.level is None:
            return [train]
        return [train[self.level[train] == v] for v in range(self.n_values)]

    def tests(self, fitted: list[Any], x: Tensor, test: Array) -> Iterator[tuple[int, Any, Tensor, Array]]:
        """Every test of one fold's readers: variant, reader, its activity and the trials tested."""
        if self.over_time:
            for t in range(len(x)):
                yield t, fitted[0], x[t : t + 1, test].expand(len(x), -1, -1), test
            return
        for v, reader in enumerate(fitted):
            for w in range(self.n_values):
                rows = test if self.level is None else test[self.level[test] == w]
                yield v * self.n_values + w, reader, x[:, rows], rows
