"""Blocks: coalitions evaluated a block at a time, each kept as soon as it is done."""

from __future__ import annotations

import time as clock
from collections.abc import Callable

import numpy as np

from artiphys.adapters.adapter import device_of
from artiphys.array_types import Array
from artiphys.errors import InputError, MemoryLimitError
from artiphys.lesions.evaluation.batch_size import BatchSizes
from artiphys.lesions.evaluation.evaluator import Evaluator, Values
from artiphys.lesions.evaluation.memory import make_room, memory_left, out_of_memory, peak_memory
from artiphys.stimuli import Stimuli

Keep = Callable[[Array, Array], None]  # coalitions (n, player), what was kept of them (n, trial[, number])


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


def fitting_values(evaluator: Evaluator, chunk: Array, sizes: BatchSizes) -> Values:
    """One block, in smaller parts where memory runs out; what failed is told by coalition.

    Raises
    ------
    MemoryLimitError
        If one coalition on one trial does not fit the memory.
    """
    values = _values_or_none(evaluator, chunk, sizes)
    if values is not None:
        return values
    make_room(device_of(evaluator.setup.prep.model))
    if not sizes.halve():
        what = "all trials does not fit the memory, and a network that mixes trials needs them in one batch; use fewer"
        one = "one trial does not fit the memory; use shorter"
        raise MemoryLimitError(f"one coalition on {what if sizes.whole else one} trials or a smaller model")
    half = max(1, len(chunk) // 2)
    return _joined([fitting_values(evaluator, part, sizes) for part in (chunk[:half], chunk[half:]) if len(part)])


def _values_or_none(evaluator: Evaluator, chunk: Array, sizes: BatchSizes) -> Values | None:
    """None if memory ran out; not an exception, whose traceback would hold the tensors."""
    try:
        return _block_values(evaluator, chunk, sizes)
    except Exception as error:  # noqa: BLE001 (whatever it is, it belongs to a coalition)
        if out_of_memory(error):
            return None
        if len(chunk) == 1:
            return Values(np.full((1, len(evaluator.stimuli)), np.nan), {0: error})
    singles = [_values_or_none(evaluator, c[None], sizes) for c in chunk]
    return None if None in singles else _joined([s for s in singles if s is not None])


def _block_values(evaluator: Evaluator, chunk: Array, sizes: BatchSizes) -> Values:
    """One block on all trials, a batch of trials at a time."""
    batches = [_part(evaluator.stimuli, i, sizes.trials) for i in range(0, len(evaluator.stimuli), sizes.trials)]
    parts = [evaluator.block(chunk, trials, sizes.n_at_once) for trials in batches]
    if len(parts) == 1:
        return parts[0]
    failed = {i: e for part in parts for i, e in part.failed.items()}
    return Values(np.concatenate([p.per_trial for p in parts], axis=1), failed)


def _joined(parts: list[Values]) -> Values:
    """Blocks one after another; what failed as a whole takes the shape of the others."""
    shape = next(
        (p.per_trial.shape[1:] for p in parts if len(p.failed) < len(p.per_trial)), parts[0].per_trial.shape[1:]
    )
    per_trial = [
        p.per_trial if p.per_trial.shape[1:] == shape else np.full((len(p.per_trial), *shape), np.nan) for p in parts
    ]
    starts = np.cumsum([0, *(len(p.per_trial) for p in parts)])
    failed = {int(start) + i: e for start, p in zip(starts, parts) for i, e in p.failed.items()}
    return Values(np.concatenate(per_trial), failed)


def _part(stimuli: Stimuli, start: int, size: int) -> Stimuli:
    return stimuli if size >= len(stimuli) else stimuli[start : start + size]
