"""Evaluation: how one game's coalitions are run. Here in blocks, in a closed loop, or by an executor."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from artiphys.array_types import Array
from artiphys.lesions.cache.campaign import Campaign
from artiphys.lesions.evaluation.batch_size import BatchSizes
from artiphys.lesions.evaluation.blocks import run_blocks, settle
from artiphys.lesions.evaluation.closed_loop import run_closed_loop
from artiphys.lesions.evaluation.evaluator import Evaluator
from artiphys.lesions.evaluation.executors import run_elsewhere
from artiphys.lesions.evaluation.remembered_checks import fastest_rows_of
from artiphys.lesions.evaluation.setup import Setup


class Evaluation:
    """Runs coalitions of one setup.

    Attributes
    ----------
    evaluator : Evaluator or None
        None where the score runs the network itself.
    """

    def __init__(self, setup: Setup, batch_size: int | None, executor: Any) -> None:
        self.setup, self.batch_size, self.executor = setup, batch_size, executor
        self.evaluator = None if setup.stimuli is None else Evaluator(setup)

    def run(self, coalitions: Array, keep: Callable[[Array, Array], None], campaign: Campaign | None) -> None:
        """Evaluate coalitions (bool ``(n, player)``); ``keep`` gets each block as soon as it is there."""
        evaluator = self.evaluator
        if evaluator is None:
            run_closed_loop(self.setup, coalitions, keep)
            return
        evaluator.prepare()
        sizes = self.batch_sizes()
        if campaign is not None and not sizes.fixed:  # so that a resumed run makes the same blocks
            known = campaign.rows
            if known is None:
                settle(evaluator, coalitions, sizes)
                known = campaign.rows = sizes.rows
            sizes.rows, sizes.settled = known, True
        if self.executor is not None:
            run_elsewhere(self.executor, evaluator, coalitions, sizes, self.batch_size, keep)
            return
        run_blocks(evaluator, coalitions, sizes, keep)
        if sizes.settled and not sizes.fixed:
            trials = self.setup.trials
            fastest_rows_of(self.setup.prep)[trials.form(), len(trials)] = sizes.rows

    def batch_sizes(self) -> BatchSizes:
        """Sizes of blocks, as fixed or as measured before."""
        assert self.evaluator is not None
        trials = self.setup.trials
        known = fastest_rows_of(self.setup.prep).get((trials.form(), len(trials)))
        return self.evaluator.batch_sizes(self.batch_size, known)
