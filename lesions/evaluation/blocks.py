"""Blocks: coalitions evaluated a block at a time, each kept as soon as it is done."""

from __future__ import annotations

import gc
import time as clock
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch

from artiphys.adapters.adapter import device_of
from artiphys.errors import InputError, MemoryLimitError
from artiphys.lesions.evaluation.batch_size import Pace, memory_left, out_of_memory, peak_memory
from artiphys.lesions.evaluation.evaluator import Evaluator, Values, described
from artiphys.stimuli import Stimuli

Array = np.ndarray[Any, Any]
Keep = Callable[[Array, Array], None]  # coalitions (n, player), what was kept of them (n, trial[, number])


def run_blocks(evaluator: Evaluator, coalitions: Array, pace: Pace, keep: Keep, names: Sequence[Any]) -> None:
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
    device = device_of(evaluator.prep.model)
    start = 0
    with evaluator.running(layout):
        while start < len(ordered):
            size = pace.block(~ordered[start:], layout.first_stage, layout.costs)
            chunk = ordered[start : start + size]
            before, began, units = peak_memory(device), clock.perf_counter(), evaluator.n_units
            values = fitting_values(evaluator, chunk, pace)
            rows = min(len(chunk), pace.n_at_once) * pace.trials
            work = (evaluator.n_units - units) * len(evaluator.stimuli) if layout.n_stages else chunk.size
            pace.note(rows, work, clock.perf_counter() - began, (before, peak_memory(device)), memory_left(device))
            good = [i for i in range(len(chunk)) if i not in values.failed]
            if good:
                keep(chunk[good], values.kept[good])
            if values.failed:
                first = min(values.failed)
                raise _failed(values.failed[first], chunk[first : first + 1], names)
            start += len(chunk)


def fitting_values(evaluator: Evaluator, chunk: Array, pace: Pace) -> Values:
    """One block, in smaller parts where memory runs out; what failed is told by coalition.

    Raises
    ------
    MemoryLimitError
        If one coalition on one trial does not fit the memory.
    """
    values = _values_or_none(evaluator, chunk, pace)
    if values is not None:
        return values
    _make_room(device_of(evaluator.prep.model))
    if not pace.halve():
        what = "all trials does not fit the memory, and a network that mixes trials needs them in one batch; use fewer"
        one = "one trial does not fit the memory; use shorter"
        raise MemoryLimitError(f"one coalition on {what if pace.whole else one} trials or a smaller model")
    half = max(1, len(chunk) // 2)
    return _joined([fitting_values(evaluator, part, pace) for part in (chunk[:half], chunk[half:]) if len(part)])


def _values_or_none(evaluator: Evaluator, chunk: Array, pace: Pace) -> Values | None:
    """None if memory ran out; not an exception, whose traceback would hold the tensors."""
    try:
        return _block_values(evaluator, chunk, pace)
    except Exception as error:  # noqa: BLE001 (whatever it is, it belongs to a coalition)
        if out_of_memory(error):
            return None
        if len(chunk) == 1:
            return Values(np.full((1, len(evaluator.stimuli)), np.nan), {0: error})
    singles = [_values_or_none(evaluator, c[None], pace) for c in chunk]
    return None if None in singles else _joined([s for s in singles if s is not None])


def _block_values(evaluator: Evaluator, chunk: Array, pace: Pace) -> Values:
    """One block on all trials, a batch of trials at a time."""
    batches = [_part(evaluator.stimuli, i, pace.trials) for i in range(0, len(evaluator.stimuli), pace.trials)]
    parts = [evaluator.block(chunk, trials, pace.n_at_once) for trials in batches]
    if len(parts) == 1:
        return parts[0]
    failed = {i: e for part in parts for i, e in part.failed.items()}
    return Values(np.concatenate([p.kept for p in parts], axis=1), failed)


def _joined(parts: list[Values]) -> Values:
    """Blocks one after another; what failed as a whole takes the shape of the others."""
    shape = next((p.kept.shape[1:] for p in parts if len(p.failed) < len(p.kept)), parts[0].kept.shape[1:])
    kept = [p.kept if p.kept.shape[1:] == shape else np.full((len(p.kept), *shape), np.nan) for p in parts]
    starts = np.cumsum([0, *(len(p.kept) for p in parts)])
    failed = {int(start) + i: e for start, p in zip(starts, parts) for i, e in p.failed.items()}
    return Values(np.concatenate(kept), failed)


def _part(stimuli: Stimuli, start: int, size: int) -> Stimuli:
    return stimuli if size >= len(stimuli) else stimuli[start : start + size]


def _failed(error: BaseException, coalition: Array, names: Sequence[Any]) -> InputError:
    return InputError(f"coalition {described(coalition[0], names)}: {type(error).__name__}: {error}")


def _make_room(device: torch.device) -> None:
    gc.collect()
    if device.type == "cuda":
        torch.cuda.empty_cache()
