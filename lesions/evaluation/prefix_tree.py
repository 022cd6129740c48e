"""Prefix tree: coalitions that lesion the same players up to a stage share it up to there."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from torch import Tensor

from artiphys.array_types import Array


def in_order(cut: Array, first_stage: Array) -> Array:
    """Order of coalitions in which those that share a prefix stand together.

    Parameters
    ----------
    cut : bool ``(coalition, player)``, True = lesioned
    first_stage : int ``(player,)``
        Stage from which each player's lesion acts.
    """
    if not cut.shape[1]:
        return np.arange(len(cut))
    # As bits they are compared byte by byte, the earliest stage first.
    packed = np.packbits(cut[:, np.argsort(first_stage, kind="stable")], axis=1)
    return np.argsort(np.ascontiguousarray(packed).view(f"V{packed.shape[1]}").ravel(), kind="stable")


@dataclass(frozen=True)
class Tree:
    """Nodes of a block of coalitions: one a different lesion mask up to each stage.

    Parameters
    ----------
    parting : int ``(coalition - 1,)``
        Stage at which each coalition parts from the one before it.
    n_stages : int

    Examples
    --------
    Three coalitions of players at stages 0 and 1; the last two part at stage 1 only.

    >>> cut = np.array([[False, False], [True, False], [True, True]])
    >>> tree = Tree.of(cut, np.array([0, 1]), 2)
    >>> [tree.n_nodes(s) for s in range(3)], tree.cost([1, 0.5])
    ([2, 3, 3], 3.5)
    """

    parting: Array
    n_stages: int

    @classmethod
    def of(cls, cut: Array, first_stage: Array, n_stages: int) -> Tree:
        """The tree of different coalitions, sorted by `in_order`."""
        parting = np.full(max(0, len(cut) - 1), n_stages)
        for stage in np.unique(first_stage)[::-1]:
            players = first_stage == stage
            some = cut if players.all() else cut[:, players]
            parting[(some[1:] != some[:-1]).any(axis=1)] = min(stage, n_stages)
        return cls(parting, n_stages)

    @cached_property
    def n_leaves(self) -> int:
        """Number of coalitions."""
        return len(self.parting) + 1

    @cached_property
    def _starts(self) -> list[Tensor]:
        """Coalition at which each node starts, by stage; after the last stage every coalition is a node."""
        every = [np.flatnonzero(np.r_[True, self.parting <= s]) for s in range(self.n_stages)]
        return [torch.as_tensor(starts) for starts in [*every, np.arange(self.n_leaves)]]

    def n_nodes(self, stage: int) -> int:
        """Number of nodes of a stage."""
        return len(self._starts[stage])

    def coalitions(self, stage: int) -> Tensor:
        """``(node,)`` one coalition that passes through each node of a stage."""
        return self._starts[stage]

    def ancestors(self, stage: int, earlier: int) -> Tensor:
        """``(node,)`` which node of an earlier stage each node of a stage comes from."""
        return torch.searchsorted(self._starts[earlier], self._starts[stage], right=True) - 1

    def cost(self, costs: Sequence[float]) -> float:
        """What all nodes cost to compute, from what one node costs at each stage."""
        return float(sum(self.n_nodes(s) * cost for s, cost in enumerate(costs)))
