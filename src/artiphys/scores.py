"""Scores: behaviour as one value a trial, computed from a network's outputs."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor

from artiphys.errors import InputError
from artiphys.stimuli import Stimuli
from artiphys.taps import leaves

PerTrial = Sequence[float] | np.ndarray[Any, Any] | Tensor | str


@dataclass(frozen=True)
class Score:
    """``score(outputs, trials) -> Tensor (trial,)``.

    Attributes
    ----------
    fn : callable
    name : str
        What is measured, for axis labels.
    unit : str
        Unit of the values, such as ``"nats"``.
    needs : "all" or "last"
        Which positions of the outputs it wants; with "last" they arrive as ``(trial, ...)``.
    key : str or None
        Name on disk; None for a plain function, which may not use a disk cache.
    """

    fn: Callable[[Any, Stimuli], Any]
    name: str
    unit: str = ""
    needs: Literal["all", "last"] = "all"
    key: str | None = None

    def __call__(self, outputs: Any, trials: Stimuli) -> Tensor:
        """One value a trial; `InputError` if the function gave anything else, or NaN or infinity."""
        given = self.fn(outputs, trials)
        try:
            values = torch.as_tensor(given).detach().cpu()
        except (TypeError, ValueError, RuntimeError) as error:
            raise InputError(f"score {self.name!r} gave a {type(given).__name__}; wanted one number a trial") from error
        if values.is_complex():
            raise InputError(f"score {self.name!r} gave complex numbers; wanted one real number a trial")
        values = values.to(torch.float64)
        if values.shape != (len(trials),):
            raise InputError(
                f"score {self.name!r} gave values of shape {tuple(values.shape)} for {len(trials)} trials; "
                "wanted one value a trial"
            )
        bad = ~torch.isfinite(values)
        if bool(bad.any()):
            raise InputError(f"score {self.name!r} is NaN or infinite on {int(bad.sum())} trials")
        return values

    @classmethod
    def of(cls, score: Score | Callable[[Any, Stimuli], Any]) -> Score:
        """A score as it is, or made from a plain function ``(outputs, trials) -> one value a trial``."""
        if isinstance(score, Score):
            return score
        if not callable(score):
            raise InputError(f"the score came as {type(score).__name__}; wanted a function (outputs, trials) -> values")
        return cls(score, getattr(score, "__name__", "score"))


def accuracy(labels: PerTrial, *, threshold: float = 0.5) -> Score:
    """Proportion correct.

    Parameters
    ----------
    labels : array or str
        Class index of each trial (by trial id), or the name of a column of the conditions.
    threshold : float
        With one output a trial, it decides for class 1 at this value and above. With several, the
        largest wins and ties share the credit.
    """

    def fn(outputs: Any, trials: Stimuli) -> Tensor:
        y = _outputs(outputs)
        truth = _values(labels, trials).to(y.device)
        if y.ndim == 1 or y.shape[-1] == 1:
            return (y.reshape(len(trials)) >= threshold).double().eq(truth).double()
        _check_classes(y, truth)
        top = (y == y.amax(dim=-1, keepdim=True)).double()
        return (top / top.sum(-1, keepdim=True)).gather(-1, truth.long()[:, None])[:, 0]

    return Score(fn, "accuracy", "proportion correct", "last", _key("accuracy", labels, threshold))


def log_prob(targets: PerTrial) -> Score:
    """Log-probability of the target class or next token [nats]; outputs are logits."""

    def fn(outputs: Any, trials: Stimuli) -> Tensor:
        y = _outputs(outputs)
        truth = _values(targets, trials).to(y.device)
        _check_classes(y, truth)
        return y.double().log_softmax(-1).gather(-1, truth.long()[:, None])[:, 0]

    return Score(fn, "log-probability", "nats", "last", _key("log_prob", targets))


def logit_difference(correct: PerTrial, wrong: PerTrial) -> Score:
    """Logit of the correct minus logit of the wrong class or next token, at the last position [nats]."""

    def fn(outputs: Any, trials: Stimuli) -> Tensor:
        y = _outputs(outputs)
        a, b = (_values(v, trials).to(y.device) for v in (correct, wrong))
        for ids in (a, b):
            _check_classes(y, ids)
        return (y.gather(-1, a.long()[:, None]) - y.gather(-1, b.long()[:, None]))[:, 0]

    return Score(fn, "logit difference", "nats", "last", _key("logit_difference", correct, wrong))


def output(index: int = 0) -> Score:
    """The network's output itself (its ``index``-th entry), in the model's own units."""

    def fn(outputs: Any, trials: Stimuli) -> Tensor:
        y = _outputs(outputs).reshape(len(trials), -1)
        if not -y.shape[1] <= index < y.shape[1]:
            raise InputError(f"output {index} was asked for; the network has {y.shape[1]} outputs a trial")
        return y[:, index]

    return Score(fn, "output", "", "last", _key("output", np.array([index])))


def _outputs(outputs: Any) -> Tensor:
    if isinstance(outputs, Tensor):
        found = outputs
    elif isinstance(outputs, Mapping) and isinstance(outputs.get("logits"), Tensor):
        found = outputs["logits"]
    else:
        tensors = [t for _, t in leaves(outputs)]
        if not tensors or (isinstance(outputs, Mapping) and len(tensors) > 1):
            came = f"the entries {list(outputs)}" if isinstance(outputs, Mapping) else type(outputs).__name__
            raise InputError(f"the network's output is {came}; give a function (outputs, trials) -> values as score")
        found = tensors[0]
    if found.ndim > 2:
        raise InputError(
            f"the network's output has shape {tuple(found.shape)}; this score takes (trial, class). Give a function "
            "(outputs, trials) -> values that chooses the position"
        )
    return found


def _values(given: PerTrial, trials: Stimuli) -> Tensor:
    if isinstance(given, str):
        if given not in trials.conditions.columns:
            raise InputError(f"the conditions have no column {given!r}; they have {list(trials.conditions.columns)}")
        return _classes(np.array(trials.conditions[given]))
    values = _classes(given.detach().cpu().numpy() if isinstance(given, Tensor) else np.asarray(given))
    if values.ndim != 1 or int(trials.ids.max()) >= len(values):
        raise InputError(
            f"the score was given {tuple(values.shape)} labels, but trial ids go up to {int(trials.ids.max())}; "
            "give one label a trial"
        )
    return values[torch.as_tensor(trials.ids)]


def _classes(given: Any) -> Tensor:
    if given.dtype.kind not in "biuf" or (given.dtype.kind == "f" and not (given == np.round(given)).all()):
        raise InputError(f"labels came as {given.dtype} such as {given.ravel()[:1]}; wanted class indices or token ids")
    return torch.as_tensor(given.astype(np.int64))


def _check_classes(y: Tensor, classes: Tensor) -> None:
    if y.ndim != 2:
        raise InputError(f"the network's output has shape {tuple(y.shape)}; wanted (trial, class)")
    if int(classes.min()) < 0 or int(classes.max()) >= y.shape[-1]:
        raise InputError(f"labels run from {int(classes.min())} to {int(classes.max())} for {y.shape[-1]} outputs")


def _key(name: str, *parts: Any) -> str:
    h = hashlib.blake2b(name.encode(), digest_size=12)
    for part in parts:
        values = np.asarray(part.detach().cpu() if isinstance(part, Tensor) else part)
        h.update(values.astype(np.float64).tobytes() if values.dtype.kind in "biuf" else str(part).encode())
    return f"{name}-{h.hexdigest()}"
