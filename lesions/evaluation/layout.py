"""Layout: the stages of a forward pass, and from which of them each player's lesion acts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from artiphys.adapters.stages import Stages
from artiphys.array_types import Array
from artiphys.lesions.evaluation.growing_batch import Growth
from artiphys.lesions.operations.interventions import AnyWriter
from artiphys.lesions.operations.writer import Writer
from artiphys.preparation.preparation import Preparation
from artiphys.stimuli import Stimuli


@dataclass(frozen=True)
class Layout:
    """How a model's coalitions are evaluated.

    Attributes
    ----------
    growth : Growth
    first_stage : int ``(player,)``
        Stage from which each player's lesion acts.
    why : str
        In words, how coalitions share computation, or why they do not.
    """

    growth: Growth
    first_stage: Array
    why: str

    @classmethod
    def plain(cls, prep: Preparation, n_players: int, why: str = "") -> Layout:
        """Without stages: coalitions stand side by side in a batch and share nothing."""
        return cls(Growth(Stages(), prep.frame), np.zeros(n_players, dtype=int), why)

    @classmethod
    def of(cls, stages: Stages, prep: Preparation, stimuli: Stimuli, players: Sequence[Sequence[AnyWriter]]) -> Layout:
        """With the given stages."""
        first = np.array([first_stage(parts, stages, prep, stimuli) for parts in players])
        why = f"prefixes shared over {len(stages.stages)} stages"
        why += ", the last at the positions wanted" if stages.last is not None else ""
        return cls(Growth(stages, prep.frame, list(prep.adapter.recurrent.values())), first, why)

    @property
    def n_stages(self) -> int:
        """Stages of one forward pass; 0 where nothing is shared."""
        return len(self.growth.stages)

    @property
    def costs(self) -> list[float]:
        """What each stage computes as a part of a whole one."""
        return self.growth.stages.costs

    @property
    def n_whole(self) -> int:
        """Whole stages that a forward pass of one coalition computes."""
        return len(self.growth.stages.stages)

    @property
    def n_shared(self) -> int:
        """Stages below the first lesion that any player can make."""
        return int(self.first_stage.min()) if self.n_stages else 0


def first_stage(parts: Sequence[AnyWriter], stages: Stages, prep: Preparation, stimuli: Stimuli) -> int:
    """The first stage at which any of a player's lesions acts; earlier than it acts is safe, later is not."""
    return min((_first_stage(w, stages, prep, stimuli) for w in parts), default=len(stages))


def _first_stage(writer: AnyWriter, stages: Stages, prep: Preparation, stimuli: Stimuli) -> int:
    ended = stages.of_site.get(writer.site.name)
    if not ended:
        return 0
    call = (prep.tap(writer.site.name) if isinstance(writer, Writer) else writer.tap).call
    if call is not None:
        return ended[call] if call < len(ended) else 0
    steps = writer.lesion.window.steps(len(ended), stimuli)
    if writer.site.name.endswith("_reverse"):
        steps = [len(ended) - 1 - s for s in steps]  # the backward direction comes last step first
    calls = [s for s in steps if 0 <= s < len(ended)]
    return min((ended[c] for c in calls), default=len(stages))
