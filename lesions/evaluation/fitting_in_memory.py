"""Fitting in memory: a block of coalitions in ever smaller parts while memory runs out."""

from __future__ import annotations

import numpy as np

from artiphys.adapters.adapter import device_of
from artiphys.array_types import Array
from artiphys.errors import MemoryLimitError
from artiphys.lesions.evaluation.batch_size import BatchSizes
from artiphys.lesions.evaluation.evaluator import Evaluator, Values
from artiphys.lesions.evaluation.memory import make_room, out_of_memory
from artiphys.stimuli import Stimuli


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
