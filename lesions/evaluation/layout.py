"""From which stage of a forward pass a player's lesion acts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from artiphys.adapters.stages import Stages
from artiphys.lesions.operations.writer import Writer
from artiphys.preparation.preparation import Preparation
from artiphys.stimuli import Stimuli


def first_stages(parts: Sequence[Writer], stages: Stages, prep: Preparation, stimuli: Stimuli) -> int:
    """The first stage at which any of a player's lesions acts; earlier than it acts is safe, later is not."""
    return min((_first(w, stages, prep, stimuli) for w in parts), default=len(stages))


def _first(writer: Writer, stages: Stages, prep: Preparation, stimuli: Stimuli) -> int:
    ended = stages.of_site.get(writer.site.name)
    if not ended:
        return 0
    call = prep.tap(writer.site.name).call
    if call is not None:
        return ended[call] if call < len(ended) else 0
    steps = _steps(writer.lesion.time, len(ended), stimuli)
    if writer.site.name.endswith("_reverse"):
        steps = [len(ended) - 1 - s for s in steps]  # the backward direction comes last step first
    calls = [s for s in steps if 0 <= s < len(ended)]
    return min((ended[c] for c in calls), default=len(stages))


def _steps(time: Any, n_steps: int, stimuli: Stimuli) -> list[int]:
    """The steps a time window may reach in some trial."""
    every = list(range(n_steps))
    if isinstance(time, str):
        column = stimuli.conditions.get(time)
        wanted = [] if column is None else np.unique(np.asarray(column)).astype(int).tolist()
    elif isinstance(time, tuple) and time[:1] == ("slice",):
        wanted = every[slice(*time[1:])] if not stimuli.ragged else every
        return wanted
    else:
        wanted = every if time is None else [int(t) for t in time]
    if stimuli.ragged or (isinstance(time, str) and not wanted):
        return every
    return [t + n_steps if t < 0 else t for t in wanted]
