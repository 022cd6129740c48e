"""Rows: which trial and which coalition each row of a batch belongs to."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator, Mapping
from functools import cached_property
from typing import Any

import numpy as np
import torch
from torch import Tensor

from artiphys.stimuli import Stimuli


class Rows:
    """The rows of one batch: all trials, once per node (node-major), or as they were given.

    What is rarely asked for (conditions, the row of each coalition) is worked out when asked for: a
    toy's forward pass takes less time than a table of its rows.

    Parameters
    ----------
    trials : Stimuli
        One copy of the trials.
    nodes : Tensor, optional
        ``(node,)`` index of the coalition that each copy of the trials belongs to.
    """

    def __init__(self, trials: Stimuli, nodes: Tensor | None = None) -> None:
        self._trials, self.nodes = trials, nodes
        self._valid: dict[Hashable, Tensor | None] = {}
        self.n_copies = 1 if nodes is None else len(nodes)

    def __len__(self) -> int:
        return self.n_copies * len(self._trials)

    @cached_property
    def trial(self) -> Tensor:
        """``(row,)`` trial ids."""
        return torch.as_tensor(self._trials.ids).repeat(self.n_copies)

    @cached_property
    def node(self) -> Tensor | None:
        """``(row,)`` coalition of each row."""
        return None if self.nodes is None else self.nodes.repeat_interleave(len(self._trials))

    def valid(self, of_trials: Callable[[Stimuli], Tensor | None], key: Hashable) -> Tensor | None:
        """``(row, time)`` False at padding, from a mask of the trials; worked out once for each key."""
        if key not in self._valid:
            mask = of_trials(self._trials)
            self._valid[key] = None if mask is None else mask.repeat(self.n_copies, 1)
        return self._valid[key]

    @property
    def conditions(self) -> Mapping[str, Any]:
        """Columns of the conditions table, one value per row."""
        return _Columns(self._trials, self.n_copies)


class _Columns(Mapping[str, Any]):
    """Columns tiled when they are asked for."""

    def __init__(self, trials: Stimuli, n_copies: int) -> None:
        self._table, self._n = trials.conditions, n_copies

    def __getitem__(self, column: str) -> Any:
        return np.tile(self._table[column].to_numpy(), self._n)

    def __iter__(self) -> Iterator[str]:
        return iter(self._table.columns)

    def __len__(self) -> int:
        return len(self._table.columns)
