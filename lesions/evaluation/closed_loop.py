"""Closed loops: behaviour that runs the network itself, one coalition at a time."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch

from artiphys.array_types import Array
from artiphys.errors import InputError
from artiphys.hooks.changes import grad_enabled
from artiphys.lesions.evaluation.setup import Setup
from artiphys.lesions.operations.interventions import Interventions


def run_closed_loop(setup: Setup, coalitions: Array, keep: Callable[[Array, Array], None]) -> None:
    """Run the behaviour once for each coalition, with its players lesioned, and keep its number or numbers.

    Raises
    ------
    InputError
        If the behaviour fails or gives no finite number; the coalition is named, what was done is kept.
    """
    prep, score = setup.prep, setup.score
    interventions = Interventions(prep, setup.players)
    n_episodes = None
    for coalition in coalitions:
        tapping = prep.tapping(is_loop=True)
        interventions.lesion(torch.as_tensor(~coalition[None]))
        interventions.plan(tapping)
        try:
            with grad_enabled(False), tapping:
                scored = score.fn(prep)
            values = np.atleast_1d(np.asarray(torch.as_tensor(scored).detach().cpu(), dtype=float))
        except Exception as error:
            where = setup.described(coalition)
            raise InputError(f"coalition {where}: {type(error).__name__}: {error}") from error
        if values.ndim != 1 or not np.isfinite(values).all():
            raise InputError(
                f"coalition {setup.described(coalition)}: {score.name!r} gave {scored!r}; wanted a finite number, or "
                "one per episode"
            )
        if n_episodes not in (None, len(values)):
            raise InputError(
                f"coalition {setup.described(coalition)}: {score.name!r} gave {len(values)} episodes, and "
                f"{n_episodes} before; run as many for every coalition"
            )
        n_episodes = len(values)
        keep(coalition[None], values[None])
