"""Evaluation: the values of many coalitions, in blocks that share what coalitions have in common.

A block is one forward pass. Its batch starts with one copy of the trials and grows where coalitions
part (`artiphys.lesions.evaluation.growing_batch`); a model without stages starts with a copy for every coalition.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch

from artiphys.adapters.adapter import without_trace
from artiphys.adapters.last_block import split_last
from artiphys.adapters.stages import NotStagedError, Stages, find_stages
from artiphys.hooks.batch_rows import Rows
from artiphys.hooks.tapping import Tap
from artiphys.lesions.evaluation.batch_checks import disagreement, mixing
from artiphys.lesions.evaluation.batch_size import Pace, out_of_memory
from artiphys.lesions.evaluation.growing_batch import Growth
from artiphys.lesions.evaluation.layout import first_stages
from artiphys.lesions.evaluation.prefix_tree import Tree, in_order
from artiphys.lesions.operations.combined import rows_of_coalition, writes_of
from artiphys.lesions.operations.writer import Writer
from artiphys.preparation.preparation import Preparation
from artiphys.scores.per_trial import Score
from artiphys.stimuli import Stimuli

logger = logging.getLogger("artiphys")
Array = np.ndarray[Any, Any]
WORTH = 0.9  # cost of the last block in two, by the whole block, beyond which it stays whole


@dataclass
class Values:
    """What one block gave: kept values ``(coalition, trial[, number])`` and what went wrong, by coalition."""

    kept: Array
    failed: dict[int, Exception] = field(default_factory=dict)


@dataclass(frozen=True)
class Layout:
    """How a model's coalitions are evaluated: its stages, and from which of them each player's lesion acts."""

    growth: Growth
    first_stage: Array
    why: str

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


class Evaluator:
    """Runs coalitions of one game.

    Parameters
    ----------
    prep, stimuli, score
    players : sequence of sequence of Writer
        What each player's lesion writes.
    """

    def __init__(self, prep: Preparation, stimuli: Stimuli, score: Score, players: Sequence[Sequence[Writer]]) -> None:
        self.prep, self.stimuli, self.score = prep, stimuli, score
        self.players, self.writes = players, writes_of(players)
        self.n_units = 0.0  # stages computed so far, in copies of all trials
        self._layout: Layout | None = None
        self.plain = Layout(Growth(Stages(), prep.frame), np.zeros(len(players), dtype=int), "")

    def paced(self, rows: int | None, known: int | None) -> Pace:
        """Sizes of blocks; one coalition on all trials where the network mixes the trials of a batch."""
        if not self.mixes:
            return Pace(self.stimuli, rows, known)
        return Pace(self.stimuli, len(self.stimuli), whole=True)

    @property
    def mixes(self) -> str:
        """Why coalitions may not share a batch: a trial's output depends on the others in it. Empty if it does not."""
        key = ("mixes", tuple(sorted(self.writes)), str(self.score.needs), self.stimuli.form())
        if key not in self.prep.staged:
            self.prep.staged[key] = mixing(self)
        return self.prep.staged[key]

    @property
    def layout(self) -> Layout:
        """Found, and compared with the plain loop, when first asked for."""
        if self._layout is None:
            self._layout = self._found()
        return self._layout

    @contextmanager
    def running(self, layout: Layout | None = None) -> Iterator[None]:
        """Hooks and stages in place; `block` may be called inside."""
        layout = self.layout if layout is None else layout
        tapping = self.prep.tapping()
        for site, write in self.writes.items():
            tapping.write(self.prep.tap(site), write)
        with torch.no_grad(), tapping, layout.growth.active(layout.n_shared):
            self._running = layout
            try:
                yield
            finally:
                self.prep.frame.forget()

    def block(self, coalitions: Array, trials: Stimuli, n_at_once: int) -> Values:
        """Score coalitions (bool ``(n, player)``, True = intact, sorted as in `sort`) on some of the trials."""
        outputs = self.outputs(coalitions, trials, n_at_once)
        self.n_units += self._running.growth.n_units * len(trials) / len(self.stimuli)
        return self._scored(outputs, len(coalitions), trials)

    def sort(self, coalitions: Array) -> Array:
        """Order in which coalitions that share most stand together."""
        return in_order(~coalitions, self.layout.first_stage)

    def outputs(self, coalitions: Array, trials: Stimuli, n_at_once: int) -> Any:
        """The network's outputs for sorted coalitions on some of the trials, inside `running`."""
        layout, frame = self._running, self.prep.frame
        cut = ~coalitions
        tree = Tree.of(cut, layout.first_stage, layout.n_stages)
        for write in self.writes.values():
            write.cut = torch.as_tensor(cut)
        frame.announce(Rows(trials, tree.coalitions(0)))
        wanted_from = 0
        if layout.growth.stages.last is not None:
            wanted_from = self.prep.adapter.first_wanted(trials.inputs) or 0
        layout.growth.begin(tree, trials, n_at_once, wanted_from)
        inputs = trials.tiled(layout.growth.first_rows())
        return self.prep.adapter.call(inputs, last_only=self.score.needs == "last", n_trials=len(trials))

    def _scored(self, outputs: Any, n: int, trials: Stimuli) -> Values:
        score = self.score
        if score.rowwise:
            try:
                raw = score.raw(outputs, trials, n * len(trials))
            except Exception as error:
                if n == 1 or out_of_memory(error):
                    raise
                return self._one_by_one(outputs, n, trials)  # to tell which coalition it is
            kept = raw.detach().to("cpu", torch.float64).numpy()
            kept = kept.reshape(n, len(trials), *kept.shape[1:])
            bad = np.flatnonzero(~np.isfinite(kept).reshape(n, -1).all(axis=1))
            return self._one_by_one(outputs, n, trials) if len(bad) else Values(kept)
        return self._one_by_one(outputs, n, trials)

    def _one_by_one(self, outputs: Any, n: int, trials: Stimuli) -> Values:
        failed: dict[int, Exception] = {}
        kept: list[Array | None] = []
        for i in range(n):
            try:
                kept.append(self.score(rows_of_coalition(outputs, i, n, len(trials)), trials).numpy())
            except Exception as error:
                if out_of_memory(error):
                    raise
                failed[i] = error
                kept.append(None)
        shape = next((k.shape for k in kept if k is not None), (len(trials),))
        return Values(np.stack([np.full(shape, np.nan) if k is None else k for k in kept]), failed)

    def _found(self) -> Layout:
        if self.mixes:
            why = f"one coalition a forward pass: {self.mixes}"
            return Layout(self.plain.growth, self.plain.first_stage, why)
        taps = [self.prep.tap(site) for site in self.writes]
        guesses = self.prep.adapter.stage_candidates(taps)
        reasons = []
        for guess in guesses:
            names = tuple(name for name, _ in guess)
            try:
                layout = self._traced(guess)
            except NotStagedError as error:
                reasons.append(str(error))
                continue
            except Exception as error:  # noqa: BLE001 (a guess that breaks the forward is only a wrong guess)
                reasons.append(f"{type(error).__name__}: {error}")
                continue
            if layout.n_stages == 0:
                continue
            split = self._split(layout) if self.score.needs == "last" else None
            if split is not None and not self._disagrees(split, names, quiet=True):
                return split
            disagreement = self._disagrees(layout, names)
            if not disagreement:
                return layout
            reasons.append(disagreement)
        why = "; ".join(dict.fromkeys(reasons)) or "the adapter names no stages for this model"
        logger.info("no computation is shared between coalitions, only batched: %s", why)
        return Layout(self.plain.growth, self.plain.first_stage, f"batching only: {why}")

    def _disagrees(self, layout: Layout, names: Sequence[str], quiet: bool = False) -> str:
        """How a layout differs from the plain loop, found once a model, sites and form of the stimuli."""
        key = (tuple(names), len(layout.growth.stages), tuple(sorted(self.writes)), str(self.score.needs),
               self.stimuli.form())  # fmt: skip
        if key not in self.prep.staged:
            self.prep.staged[key] = disagreement(self, layout, quiet)
        return self.prep.staged[key]

    def _split(self, layout: Layout) -> Layout | None:
        """The same with the last block in two; None where it cannot be."""
        wanted_from = self.prep.adapter.first_wanted(self.stimuli.inputs)
        if not wanted_from:
            return None
        try:
            with self._tracing() as (taps, run):
                stages = split_last(layout.growth.stages, taps, run, wanted_from, self.prep.adapter.after_last())
        except Exception as error:  # noqa: BLE001 (a block this breaks is computed whole)
            logger.info("the last block is computed at all positions: %s", error)
            return None
        # Of a short prompt most positions are wanted anyway.
        return self._laid_out(stages) if sum(stages.costs[-2:]) < WORTH else None

    def _traced(self, guess: Sequence[tuple[str, Any]]) -> Layout:
        with self._tracing() as (taps, run):
            stages = find_stages(guess, taps, run)
        return self._laid_out(stages)

    def _laid_out(self, stages: Stages) -> Layout:
        first = np.array([first_stages(parts, stages, self.prep, self.stimuli) for parts in self.players])
        unrolled = self.prep.adapter.recurrent.values()
        why = f"prefixes shared over {len(stages.stages)} stages"
        why += ", the last at the positions wanted" if stages.last is not None else ""
        return Layout(Growth(stages, self.prep.frame, list(unrolled)), first, why)

    @contextmanager
    def _tracing(self) -> Iterator[tuple[list[Tap], Callable[[int], None]]]:
        """The sites' taps, and a function that runs so many trials; nothing is lesioned."""
        prep = self.prep
        taps = [prep.tap(site) for site in self.writes]
        tapping = prep.tapping()
        for tap in taps:
            tapping.write(tap, lambda x, at: x)

        def run(n: int) -> None:
            rows = self.stimuli[[i % len(self.stimuli) for i in range(n)]]
            prep.frame.announce(Rows(rows))
            try:
                prep.adapter.call(rows.inputs)
            finally:
                prep.frame.forget()

        with torch.no_grad(), without_trace(prep.model), tapping:
            yield taps, run


def described(coalition: Array, names: Sequence[Any]) -> str:
    """A coalition by the players it lesions, for messages."""
    cut: list[Any] = [n for n, intact in zip(names, coalition) if not intact]
    some = ", ".join(map(str, cut[:8])) + (f" and {len(cut) - 8} more" if len(cut) > 8 else "")
    return f"with {some} lesioned" if cut else "with all players intact"
