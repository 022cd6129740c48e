"""Shares: which player cuts each pair of a sender's and a receiver's entry, and by how much."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor


class Shares:
    """Pairs of entries of one receiver and one sender, each owned by one player or by none.

    Parameters
    ----------
    pairs : sequence of (player, receiver entries, sender entries)
        A player owns all pairs of its entries.

    Attributes
    ----------
    outputs, inputs : int ``(entry,)``
        Entries of the receiver and of the sender that anyone cuts.
    owner : int ``(output, input)``
        Player of each pair; -1 where nobody cuts it. Player -1 counts as the first, for what is always cut.
    """

    def __init__(self, pairs: Sequence[tuple[int, Tensor, Tensor]]) -> None:
        self.outputs = torch.unique(torch.cat([o for _, o, _ in pairs]))
        self.inputs = torch.unique(torch.cat([i for _, _, i in pairs]))
        self.owner = torch.full((len(self.outputs), len(self.inputs)), -1)
        for player, outputs, inputs in pairs:
            rows, columns = torch.searchsorted(self.outputs, outputs), torch.searchsorted(self.inputs, inputs)
            self.owner[rows[:, None], columns[None]] = max(player, 0)

    def release(self, outputs: Tensor, inputs: Tensor) -> None:
        """From now on nobody owns the pairs of these entries."""
        rows, columns = torch.isin(self.outputs, outputs), torch.isin(self.inputs, inputs)
        self.owner[rows[:, None] & columns[None]] = -1

    def of(self, off: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """How much of each pair is cut.

        Parameters
        ----------
        off : bool or float ``(group, player)``
            How much each player is lesioned.

        Returns
        -------
        share : ``(group, output, input)``
        outputs, inputs
            The entries that any group cuts; all of them where gradients are wanted.
        """
        share = off[:, self.owner.clamp(min=0)]
        share = share * (self.owner >= 0).to(share) if off.requires_grad else share & (self.owner >= 0)
        if off.requires_grad:
            return share, self.outputs, self.inputs
        rows, columns = share.any(dim=0).any(dim=1), share.any(dim=0).any(dim=0)
        return share[:, rows][:, :, columns], self.outputs[rows], self.inputs[columns]

    @property
    def is_complete(self) -> bool:
        """Whether every pair has an owner."""
        return bool((self.owner >= 0).all())
