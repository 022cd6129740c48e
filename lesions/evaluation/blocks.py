"""Blocks: coalitions evaluated a block at a time, each kept as soon as it is done."""

from __future__ import annotations

import time as clock
from collections.abc import Callable

from artiphys.adapters.adapter import device_of
from artiphys.array_types import Array
from artiphys.errors import InputError
from artiphys.lesions.evaluation.batch_size import BatchSizes
from artiphys.lesions.evaluation.evaluator import Evaluator, Values
from artiphys.lesions.evaluation.fitting_in_memory import fitting_values
from artiphys.lesions.evaluation.memory import memory_left, peak_memory

Keep = Callable[[Array, Array], None]  # coalitions (n, player), their values (n, trial[, number])


def run_blocks(evaluator: Evaluator, coalitions: Array, sizes: BatchSizes, keep: Keep) -> None:
    """Evaluate different coalitions (bool ``(n, player)``), handing each block to ``keep`` when it is done.

    Raises
    ------
    InputError
        If the score failed on a coalition; it is named, and everything else that was computed is kept.
    MemoryLimitError
        If one coalition on one trial does not fit the memory.
    """
    layout = evaluator.layout
    ordered = coalitions[evaluator.sort(coalitions)]
    start = 0
    with evaluator.running():
        while start < len(ordered):
            n = sizes.block(~ordered[start:], layout.first_stage, layout.costs)
            chunk = ordered[start : start + n]
            values = _measured(evaluator, chunk, sizes)
            good = [i for i in range(len(chunk)) if i not in values.failed]
            if good:
                keep(chunk[good], values.per_trial[good])
            if values.failed:
                first = min(values.failed)
                error = values.failed[first]
                where = evaluator.setup.described(chunk[first])
                raise InputError(f"coalition {where}: {type(error).__name__}: {error}")
            start += len(chunk)


def _measured(evaluator: Evaluator, chunk: Array, sizes: BatchSizes) -> Values:
    """One block, of which the batch sizes take note as long as they are not settled."""
    if sizes.settled:
        return fitting_values(evaluator, chunk, sizes)
    device = device_of(evaluator.setup.prep.model)
    before, began, units = peak_memory(device), clock.perf_counter(), evaluator.n_units
    values = fitting_values(evaluator, chunk, sizes)
    seconds = clock.perf_counter() - began
    rows = min(len(chunk), sizes.n_at_once) * sizes.trials
    work = (evaluator.n_units - units) * len(evaluator.stimuli) if evaluator.layout.n_stages else chunk.size
    sizes.note(rows, work, seconds, (before, peak_memory(device)), memory_left(device))
    return values


def settle(evaluator: Evaluator, coalitions: Array, sizes: BatchSizes) -> None:
    """Measure until the rows per call are settled; what is computed meanwhile is not kept."""
    some = coalitions[evaluator.sort(coalitions)]
    with evaluator.running():
        while not sizes.settled:
            n = min(len(some), sizes.n_at_once)
            began, units = clock.perf_counter(), evaluator.n_units
            fitting_values(evaluator, some[:n], sizes)
            work = (evaluator.n_units - units) * len(evaluator.stimuli) or float(n)
            sizes.note(n * sizes.trials, work, clock.perf_counter() - began, (0, 0), 0)
