"""Evaluator: the scores of many coalitions, in blocks that share what coalitions have in common.

A block is one forward pass. Its batch starts with one copy of the trials and grows where coalitions
part (`artiphys.lesions.evaluation.growing_batch`); a network without stages starts with a copy for every coalition.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
import torch

from artiphys.array_types import Array
from artiphys.lesions.evaluation.batch_checks import mixing
from artiphys.lesions.evaluation.batch_size import BatchSizes
from artiphys.lesions.evaluation.coalition_rows import rows_of_coalition
from artiphys.lesions.evaluation.layout import Layout
from artiphys.lesions.evaluation.layout_search import find_layout
from artiphys.lesions.evaluation.memory import out_of_memory
from artiphys.lesions.evaluation.prefix_tree import in_order
from artiphys.lesions.evaluation.remembered_checks import checks_of
from artiphys.lesions.evaluation.runner import Runner
from artiphys.lesions.evaluation.setup import Setup
from artiphys.stimuli import Stimuli


@dataclass
class Values:
    """What one block gave: values ``(coalition, trial[, number])`` and what went wrong, by coalition."""

    per_trial: Array
    failed: dict[int, Exception] = field(default_factory=dict)


class Evaluator:
    """Scores coalitions of one setup that has stimuli.

    Attributes
    ----------
    n_units : float
        Stages computed so far, in copies of all trials.
    """

    def __init__(self, setup: Setup) -> None:
        self.setup, self.stimuli = setup, setup.trials
        self.runner = Runner(setup)
        self.n_units = 0.0

    def prepare(self) -> None:
        """Run the network a few times to find how coalitions can share a batch; again at no cost."""
        _ = self.layout

    @property
    def mixes(self) -> str:
        """Why coalitions may not share a batch: a trial's output depends on the others in it. Empty if it does not."""
        checks = checks_of(self.setup.prep)
        key = ("mixes", *self.runner.form())
        if key not in checks:
            checks[key] = mixing(self.runner)
        return checks[key]

    @cached_property
    def layout(self) -> Layout:
        """Found, and compared with the plain loop, when first asked for."""
        if self.mixes:
            plain = self.runner.plain
            return Layout(plain.growth, plain.first_stage, f"one coalition per forward pass: {self.mixes}")
        return find_layout(self.runner)

    def batch_sizes(self, fixed_rows: int | None, known_rows: int | None) -> BatchSizes:
        """Sizes of blocks; one coalition on all trials where the network mixes the trials of a batch."""
        if not self.mixes:
            return BatchSizes(self.stimuli, fixed_rows, known_rows, width=self.layout.growth.stages.width)
        return BatchSizes(self.stimuli, len(self.stimuli), whole=True)

    def sort(self, coalitions: Array) -> Array:
        """Order in which coalitions that share most stand together."""
        return in_order(~coalitions, self.layout.first_stage)

    @contextmanager
    def running(self) -> Iterator[None]:
        """Hooks and stages in place; `block` may be called inside."""
        with self.runner.running(self.layout):
            yield

    def block(self, coalitions: Array, trials: Stimuli, n_at_once: int) -> Values:
        """Score coalitions (bool ``(n, player)``, True = intact, sorted as in `sort`) on some of the trials."""
        outputs = self.runner.outputs(coalitions, trials, n_at_once)
        self.n_units += self.runner.n_units * len(trials) / len(self.stimuli)
        return self._scored(outputs, len(coalitions), trials)

    def _scored(self, outputs: Any, n: int, trials: Stimuli) -> Values:
        score = self.setup.score
        if not score.rowwise:
            return self._one_by_one(outputs, n, trials)
        try:
            raw = score.raw(outputs, trials, n * len(trials))
        except Exception as error:
            if n == 1 or out_of_memory(error):
                raise
            return self._one_by_one(outputs, n, trials)  # to tell which coalition it is
        per_trial = raw.detach().to("cpu", dtype=torch.float64).numpy()
        per_trial = per_trial.reshape(n, len(trials), *per_trial.shape[1:])
        finite = np.isfinite(per_trial).all()
        return Values(per_trial) if finite else self._one_by_one(outputs, n, trials)

    def _one_by_one(self, outputs: Any, n: int, trials: Stimuli) -> Values:
        failed: dict[int, Exception] = {}
        per_trial: list[Array | None] = []
        for i in range(n):
            try:
                per_trial.append(self.setup.score(rows_of_coalition(outputs, i, n, len(trials)), trials).numpy())
            except Exception as error:
                if out_of_memory(error):
                    raise
                failed[i] = error
                per_trial.append(None)
        shape = next((k.shape for k in per_trial if k is not None), (len(trials),))
        return Values(np.stack([np.full(shape, np.nan) if k is None else k for k in per_trial]), failed)
