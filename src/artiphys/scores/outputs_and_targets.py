"""Labels and targets of trials, read from arrays or conditions, and the names of scores on disk."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from artiphys.array_types import Array
from artiphys.errors import InputError
from artiphys.hooks.nested import leaves, named_parts
from artiphys.missing import plain_array, refuse_missing
from artiphys.stimuli import Stimuli

PerTrial = Sequence[float] | np.ndarray[Any, Any] | Tensor | str


def plain_outputs(outputs: Any) -> Tensor:
    """The tensor that a score reads among the outputs: itself, the logits, or the first of a plain tuple."""
    tensor = _tensor_among(outputs)
    if tensor.ndim > 2:
        raise InputError(
            f"the network's output has shape {tuple(tensor.shape)}; this score takes (trial, class). Give a function "
            "(outputs, trials) -> values that chooses the position"
        )
    return tensor


def _tensor_among(outputs: Any) -> Tensor:
    if isinstance(outputs, Tensor):
        return outputs
    named = named_parts(outputs)
    if named is not None and isinstance(named.get("logits"), Tensor):
        return named["logits"]  # type: ignore[no-any-return]
    if named is None and isinstance(outputs, (tuple, list)):
        parts = [part for part in outputs if any(t.ndim > 0 for _, t in leaves(part))]
        fitting = [
            p for p in parts if isinstance(p, Tensor) and p.is_floating_point() and p.ndim == 2 and p.shape[1] > 1
        ]
        if parts and not (len(fitting) > 1 and isinstance(parts[0], Tensor)):
            return _tensor_among(parts[0])
    tensors = [t for _, t in leaves(outputs)]
    if len(tensors) != 1:
        came = f"a {type(outputs).__name__} of {', '.join(named)}" if named else f"a {type(outputs).__name__}"
        raise InputError(
            f"the network's output is {came}, and it is not said which of it to score; name one entry logits, or give "
            "a function (outputs, trials) -> values as score"
        )
    return tensors[0]


def kept(values: PerTrial) -> PerTrial:
    """Values as they are now: a score's labels are not changed by an edit of the array that they came in."""
    return values if isinstance(values, str) else np.array(plain_array(values))


def classes_by_row(labels: PerTrial, trials: Stimuli, n_rows: int) -> Tensor:
    """Classes ``(row,)`` of rows that hold all trials once or several times over."""
    if isinstance(labels, str):
        values = _classes(_column(labels, trials))
    else:
        whole = plain_array(labels)
        values = _classes(whole[_places(whole, trials)])
    return values if n_rows == len(values) else values.repeat(n_rows // len(values))


def numbers_by_trial(numbers: PerTrial, trials: Stimuli) -> Array:
    """Numbers ``(trial,)`` of the given trials, from an array by trial id or a column."""
    if isinstance(numbers, str):
        values = _column(numbers, trials)
    else:
        whole = plain_array(numbers)
        values = whole[_places(whole, trials)]
    values = refuse_missing(values, "the target of the score")
    if values.dtype.kind not in "biuf" or not np.isfinite(values).all():
        raise InputError(f"targets came as {values.dtype} such as {values.ravel()[:1]}; wanted finite numbers")
    return np.asarray(values.astype(float))


def _column(name: str, trials: Stimuli) -> Array:
    if name not in trials.conditions.columns:
        raise InputError(f"the conditions have no column {name!r}; they have {list(trials.conditions.columns)}")
    return np.array(trials.conditions[name])


def _places(values: Any, trials: Stimuli) -> Any:
    if values.ndim != 1 or int(trials.ids.max()) >= len(values):
        raise InputError(
            f"the score was given {tuple(values.shape)} labels, but trial ids go up to {int(trials.ids.max())}; "
            "give one label per trial"
        )
    return trials.ids


def _classes(labels: Array) -> Tensor:
    refuse_missing(labels, "the label of the score")
    if labels.dtype.kind == "f" and np.isinf(labels).any():
        raise InputError(f"the label of the score is infinite on {int(np.isinf(labels).sum())} trials")
    if labels.dtype.kind not in "biuf" or (labels.dtype.kind == "f" and not (labels == np.round(labels)).all()):
        raise InputError(
            f"labels came as {labels.dtype} such as {labels.ravel()[:1]}; wanted class indices or token ids"
        )
    return torch.as_tensor(labels.astype(np.int64))


def check_classes(y: Tensor, classes: Tensor) -> None:
    """Raise `InputError` unless the outputs are ``(trial, class)`` and hold every class."""
    if y.ndim != 2:
        raise InputError(f"the network's output has shape {tuple(y.shape)}; wanted (trial, class)")
    if int(classes.min()) < 0 or int(classes.max()) >= y.shape[-1]:
        raise InputError(f"labels run from {int(classes.min())} to {int(classes.max())} for {y.shape[-1]} outputs")


def score_key(name: str, *parts: Any) -> str:
    """Name of a score on disk: its kind and a digest of its parameters."""
    h = hashlib.blake2b(name.encode(), digest_size=12)
    for part in parts:
        values = plain_array(part)
        h.update(values.astype(np.float64).tobytes() if values.dtype.kind in "biuf" else str(part).encode() + b";")
    return f"{name}-{h.hexdigest()}"
