"""Toy and Truth: a network, what it is shown, and what is true of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from artiphys.players import Grouping, Player, Players
from artiphys.preparation.preparation import Preparation
from artiphys.preparation.wrap import wrap
from artiphys.scores.score import Score
from artiphys.stimuli import Stimuli


@dataclass(frozen=True)
class Truth:
    """One right answer.

    Attributes
    ----------
    analysis : str
        "accuracy", "single_lesions", "shapley", "value" (of a coalition, named by the intact players),
        "d_prime", ...
    expected : mapping of str to float
        By player, unit or case.
    kind : str or None
        Lesion kind the answer belongs to; None where nothing is lesioned.
    tolerance : float
        0 for a closed form on the toy's own trials; else what sampling the trials allows.
    source : str
        Where the number comes from.
    faithfulness : float
        Share of what all players do that a minimal circuit keeps.
    """

    analysis: str
    expected: Mapping[str, float]
    kind: str | None
    tolerance: float
    source: str
    faithfulness: float = 0.95


@dataclass(frozen=True)
class Toy:
    """A ground-truth network.

    Attributes
    ----------
    name : str
    model : Module
        Explicit weights; a real module that any other tool can use too.
    stimuli : Stimuli
    labels : ndarray ``(trial,)``
    score : Score
    players : tuple of str
        Sites whose units are the players of its game; with ``grouped`` each whole site is one player.
    connections : tuple of Player
        Where the players are connections, or groups of units, instead of the units of those sites.
    windows : tuple of (start, stop)
        Windows of time: each unit is a player in each of them.
    truth : tuple of Truth
    exhaustive : bool
        True if the trials are all the inputs there are, so that nothing is sampled.
    lesson : str
        What a naive analysis says, and why it is wrong.
    """

    name: str
    model: nn.Module
    stimuli: Stimuli
    labels: np.ndarray[Any, Any]
    score: Score
    players: tuple[str, ...]
    truth: tuple[Truth, ...]
    lesson: str
    steps: tuple[str, ...] = ()
    windows: tuple[tuple[int, int], ...] = ()
    grouped: bool = False
    connections: tuple[Player, ...] = ()
    exhaustive: bool = True
    _prepared: list[Preparation] = field(default_factory=list, repr=False, compare=False)

    def preparation(self) -> Preparation:
        """The wrapped toy; the same one each time."""
        if not self._prepared:
            self._prepared.append(wrap(self.model, self.stimuli[:2], steps=self.steps))
        return self._prepared[0]

    def lesion_players(self, prep: Preparation | None = None) -> Players:
        """The players of its game, of a wrapping of it (default: `preparation`)."""
        if self.connections:
            return Players(self.connections)
        grouping: Grouping | None = "site" if self.grouped else None
        prep = self.preparation() if prep is None else prep
        return prep.players(self.players, group_by=grouping, windows=self.windows or None)

    def truths(self, analysis: str, kind: str | None = None) -> Truth:
        """The truth of one analysis under one lesion kind.

        Raises
        ------
        KeyError
            If the toy states none; a truth is never used for another kind than its own.
        """
        for t in self.truth:
            if t.analysis == analysis and t.kind == kind:
                return t
        raise KeyError(f"toy {self.name!r} states no truth for {analysis!r} under {kind!r} lesions")

    @property
    def kinds(self) -> list[str]:
        """Lesion kinds the toy states truths for."""
        return list(dict.fromkeys(t.kind for t in self.truth if t.kind is not None))


class TransformerToy(Toy):
    """A toy whose model is a transformers one: wrapped as a copy, so that the toy's own stays as it is."""

    def preparation(self) -> Preparation:
        """The wrapped toy; the same one each time."""
        if not self._prepared:
            self._prepared.append(wrap(self.model, self.stimuli[:2], copy=True))
        return self._prepared[0]


class Threshold(nn.Module):
    """H(x): 1 where x >= 0, else 0; NaN stays NaN."""

    def forward(self, x: Tensor) -> Tensor:
        """Elementwise step."""
        return torch.where(torch.isnan(x), x, (x >= 0).to(x.dtype))


def linear(weights: list[list[float]], biases: list[float]) -> nn.Linear:
    """A linear layer with the given weights ``(out, in)`` and biases."""
    layer = nn.Linear(len(weights[0]), len(weights))
    with torch.no_grad():
        layer.weight.copy_(torch.tensor(weights))
        layer.bias.copy_(torch.tensor(biases))
    return layer.requires_grad_(False)
