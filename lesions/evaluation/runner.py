"""Runner: forward passes of one setup, with a coalition's players lesioned in each row of the batch."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch

from artiphys.adapters.adapter import without_trace
from artiphys.array_types import Array
from artiphys.hooks.batch_rows import Rows
from artiphys.hooks.changes import grad_enabled
from artiphys.hooks.taps import Tap
from artiphys.lesions.evaluation.layout import Layout
from artiphys.lesions.evaluation.prefix_tree import Tree
from artiphys.lesions.evaluation.setup import Setup
from artiphys.lesions.operations.interventions import Interventions
from artiphys.lesions.operations.stream_cuts import StreamCuts
from artiphys.stimuli import Stimuli


class Runner:
    """Runs the network of a setup that has stimuli.

    Parameters
    ----------
    setup : Setup

    Attributes
    ----------
    interventions : Interventions
        What the players' lesions write.
    plain : Layout
        In which coalitions share nothing.
    """

    def __init__(self, setup: Setup) -> None:
        self.setup, self.prep = setup, setup.prep
        self.interventions = Interventions(setup.prep, setup.players)
        self.plain = Layout.plain(setup.prep, setup.n_players)
        self._layout = self.plain

    def form(self) -> tuple[Any, ...]:
        """What decides how a forward pass runs: the network, sites lesioned, outputs wanted, inputs."""
        return (
            self.setup.model,
            tuple(sorted(self.interventions)),
            str(self.setup.score.needs),
            self.setup.trials.form(),
        )

    @contextmanager
    def running(self, layout: Layout) -> Iterator[None]:
        """Hooks and stages in place; `outputs` may be called inside."""
        tapping = self.prep.tapping()
        self.interventions.plan(tapping)
        try:
            with grad_enabled(False), tapping, layout.growth.active(layout.n_shared):
                self._layout = layout
                yield
        finally:
            self.interventions.release()

    @property
    def is_light(self) -> bool:
        """Whether a coalition costs little more than a forward pass: there are no edges of a residual stream."""
        return not any(isinstance(joint, StreamCuts) for _, joint in self.interventions.joints.values())

    @property
    def n_units(self) -> float:
        """Stages that the last pass computed, in copies of its trials."""
        return self._layout.growth.n_units

    def outputs(self, coalitions: Array, trials: Stimuli, n_at_once: int) -> Any:
        """The network's outputs, inside `running`.

        Parameters
        ----------
        coalitions : bool ``(coalition, player)``
            True = intact; in an order in which those that share a prefix stand together.
        trials : Stimuli
        n_at_once : int
            Nodes per call of a stage.

        Returns
        -------
        Outputs of all trials under the first coalition, then under the next, in the network's own structure.
        """
        layout, frame = self._layout, self.prep.frame
        cut = ~coalitions
        tree = Tree.of(cut, layout.first_stage, layout.n_stages)
        self.interventions.lesion(torch.as_tensor(cut))
        frame.announce(Rows(trials, tree.coalitions(0)))
        wanted_from = 0
        if layout.growth.stages.last is not None:
            wanted_from = self.prep.adapter.first_wanted(trials.inputs) or 0
        layout.growth.begin(tree, trials, n_at_once, wanted_from)
        inputs = trials.tiled(layout.growth.first_rows())
        return self.prep.call(inputs, last_only=self.setup.score.needs == "last", n_trials=len(trials))

    @contextmanager
    def tracing(self) -> Iterator[tuple[list[Tap], Callable[[int], None]]]:
        """The lesioned sites' taps, and a function that runs so many trials; nothing is lesioned."""
        prep, stimuli = self.prep, self.setup.trials
        taps = self.interventions.taps
        tapping = prep.tapping()
        for tap in taps:
            tapping.write(tap, lambda x, at: x)

        def run(n: int) -> None:
            rows = stimuli[[i % len(stimuli) for i in range(n)]]
            prep.frame.announce(Rows(rows))
            try:
                prep.call(rows.inputs)
            finally:
                prep.frame.forget()

        with grad_enabled(False), without_trace(prep.model), tapping:
            yield taps, run
