"""The rows of one coalition among the outputs of a batch, whatever structure the outputs come in."""

from __future__ import annotations

import copy
import dataclasses
from collections.abc import Mapping
from typing import Any

from torch import Tensor

from artiphys.errors import InputError
from artiphys.hooks.nested import is_record, like, with_fields


def rows_of_coalition(outputs: Any, i: int, n: int, n_trials: int) -> Any:
    """The rows of coalition ``i`` of ``n``, in the same structure the outputs come in."""
    if n == 1:
        return outputs
    if isinstance(outputs, Tensor):
        if outputs.ndim == 0 or len(outputs) != n * n_trials:
            raise InputError(
                f"the network's output has shape {tuple(outputs.shape)} for {n * n_trials} trials; its first axis must "
                "be the trial"
            )
        return outputs[i * n_trials : (i + 1) * n_trials]
    if isinstance(outputs, Mapping):
        new: Any = copy.copy(outputs)
        for key, value in outputs.items():
            new[key] = rows_of_coalition(value, i, n, n_trials)
        return new
    if isinstance(outputs, (tuple, list)):
        return like(outputs, [rows_of_coalition(v, i, n, n_trials) for v in outputs])
    if is_record(outputs):
        names = [f.name for f in dataclasses.fields(outputs)]
        return with_fields(outputs, {k: rows_of_coalition(getattr(outputs, k), i, n, n_trials) for k in names})
    return outputs
