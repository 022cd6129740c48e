"""Closed loops: behaviour that runs the network itself, one coalition at a time."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch

from artiphys.errors import InputError
from artiphys.lesions.evaluation.evaluator import described
from artiphys.lesions.operations.combined import writes_of
from artiphys.lesions.operations.writer import Writer
from artiphys.preparation.preparation import Preparation
from artiphys.scores.per_trial import ClosedLoop

Array = np.ndarray[Any, Any]


def run_closed_loop(
    prep: Preparation,
    score: ClosedLoop,
    players: Sequence[Sequence[Writer]],
    coalitions: Array,
    keep: Callable[[Array, Array], None],
    names: Sequence[Any],
) -> None:
    """Run the behaviour once a coalition, with its players lesioned, and keep its number or numbers.

    Raises
    ------
    InputError
        If the behaviour fails or gives no finite number; the coalition is named, what was done is kept.
    """
    writes = writes_of(players)
    n_episodes = None
    for coalition in coalitions:
        tapping = prep.tapping()
        for site, write in writes.items():
            write.cut = torch.as_tensor(~coalition[None])
            tapping.write(prep.tap(site), write)
        try:
            with torch.no_grad(), tapping:
                given = score.fn(prep)
            values = np.atleast_1d(np.asarray(torch.as_tensor(given).detach().cpu(), dtype=float))
        except Exception as error:
            text = f"coalition {described(coalition, names)}: {type(error).__name__}: {error}"
            raise InputError(text) from error
        if values.ndim != 1 or not np.isfinite(values).all():
            raise InputError(
                f"coalition {described(coalition, names)}: {score.name!r} gave {given!r}; wanted a finite number, or "
                "one an episode"
            )
        if n_episodes not in (None, len(values)):
            raise InputError(
                f"coalition {described(coalition, names)}: {score.name!r} gave {len(values)} episodes, and "
                f"{n_episodes} before; run as many for every coalition"
            )
        n_episodes = len(values)
        keep(coalition[None], values[None])
