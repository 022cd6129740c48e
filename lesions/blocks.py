"""Blocks: coalitions evaluated a block at a time, each kept as soon as it is done."""

from __future__ import annotations

import gc
import time as clock
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch

from artiphys.adapters.base import device_of
from artiphys.errors import InputError, MemoryLimitError
from artiphys.lesions.evaluation import Evaluator, Values, described
from artiphys.lesions.pace import Pace, memory_left, out_of_memory, peak_memory
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
            try:
                values = block_values(evaluator, chunk, pace)
            except Exception as error:
                if not out_of_memory(error):
                    if len(chunk) == 1:
                        raise _failed(error, chunk, names) from error
                    raise
                values = None
            if values is None:  # outside the except clause: its traceback would hold the tensors
                _make_room(device)
                if not pace.halve():
                    raise MemoryLimitError(
                        "one coalition on one trial does not fit the memory; use shorter trials or a smaller model"
                    )
                continue
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


def block_values(evaluator: Evaluator, chunk: Array, pace: Pace) -> Values:
    """One block on all trials, a batch of trials at a time."""
    batches = [_part(evaluator.stimuli, i, pace.trials) for i in range(0, len(evaluator.stimuli), pace.trials)]
    parts = [evaluator.block(chunk, trials, pace.n_at_once) for trials in batches]
    if len(parts) == 1:
        return parts[0]
    failed = {i: e for part in parts for i, e in part.failed.items()}
    return Values(np.concatenate([p.kept for p in parts], axis=1), failed)


def _part(stimuli: Stimuli, start: int, size: int) -> Stimuli:
    return stimuli if size >= len(stimuli) else stimuli[start : start + size]


def _failed(error: BaseException, coalition: Array, names: Sequence[Any]) -> InputError:
    return InputError(f"coalition {described(coalition[0], names)}: {type(error).__name__}: {error}")


def _make_room(device: torch.device) -> None:
    gc.collect()
    if device.type == "cuda":
        torch.cuda.empty_cache()
