"""Scores of each trial: accuracy, log-probability, logit difference, an output, and several at once."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

from artiphys.border import border
from artiphys.errors import InputError
from artiphys.scores.outputs_and_targets import PerTrial, check_classes, classes_by_row, kept, plain_outputs, score_key
from artiphys.scores.score import Score
from artiphys.stimuli import Stimuli


@border
def accuracy(labels: PerTrial, *, threshold: float = 0.5) -> Score:
    """Proportion correct.

    Parameters
    ----------
    labels : array or str
        Class index of each trial (by trial id), or the name of a column of the conditions.
    threshold : float
        With one output per trial, it decides for class 1 at this value and above. With several, the
        largest wins and ties share the credit.
    """

    own = kept(labels)

    def fn(outputs: Any, trials: Stimuli) -> Tensor:
        y = plain_outputs(outputs)
        truth = classes_by_row(own, trials, len(y)).to(y.device)
        if y.ndim == 1 or y.shape[-1] == 1:
            return (y.reshape(len(truth)) >= threshold).double().eq(truth).double()
        check_classes(y, truth)
        top = (y == y.amax(dim=-1, keepdim=True)).double()
        return (top / top.sum(-1, keepdim=True)).gather(-1, truth.long()[:, None])[:, 0]

    return Score(fn, "accuracy", "proportion correct", "last", score_key("accuracy", labels, threshold), rowwise=True)


@border
def log_prob(targets: PerTrial) -> Score:
    """Log-probability of the target class or next token [nats]; outputs are logits."""

    own = kept(targets)

    def fn(outputs: Any, trials: Stimuli) -> Tensor:
        y = plain_outputs(outputs)
        truth = classes_by_row(own, trials, len(y)).to(y.device)
        check_classes(y, truth)
        y = y.to(torch.promote_types(y.dtype, torch.float32))
        return y.gather(-1, truth[:, None])[:, 0] - y.logsumexp(-1)

    return Score(fn, "log-probability", "nats", "last", score_key("log_prob", targets), rowwise=True)


@border
def logit_difference(correct: PerTrial, wrong: PerTrial) -> Score:
    """Logit of the correct minus logit of the wrong class or next token, at the last position [nats]."""

    own = kept(correct), kept(wrong)

    def fn(outputs: Any, trials: Stimuli) -> Tensor:
        y = plain_outputs(outputs)
        a, b = (classes_by_row(v, trials, len(y)).to(y.device) for v in own)
        for ids in (a, b):
            check_classes(y, ids)
        return (y.gather(-1, a[:, None]) - y.gather(-1, b[:, None]))[:, 0]

    return Score(fn, "logit difference", "nats", "last", score_key("logit_difference", correct, wrong), rowwise=True)


@border
def output(index: int = 0) -> Score:
    """The network's output itself (its ``index``-th entry), in the model's own units."""

    def fn(outputs: Any, trials: Stimuli) -> Tensor:
        y = plain_outputs(outputs)
        y = y.reshape(len(y), -1)
        if not -y.shape[1] <= index < y.shape[1]:
            raise InputError(f"output {index} was asked for; the network has {y.shape[1]} outputs per trial")
        return y[:, index]

    return Score(fn, "output", "", "last", score_key("output", np.array([index])), rowwise=True)


def several(**parts: Score) -> Score:
    """Several scores in one run: ``several(accuracy=..., nats=...)`` gives one value per trial and name.

    >>> both = several(right=accuracy([0, 1]), nats=log_prob([0, 1]))
    >>> both.outputs, tuple(both(torch.eye(2), Stimuli(torch.zeros(2, 1))).shape)
    (('right', 'nats'), (2, 2))
    """
    if not parts or any(not isinstance(p, Score) or p.reduce or p.outputs for p in parts.values()):
        raise InputError("several() takes scores by name, each with one value per trial")
    needs = {p.needs for p in parts.values()}
    if len(needs) > 1:
        raise InputError("these scores want different positions of the outputs; give a Score whose fn does both")
    keys = [p.key for p in parts.values()]

    def fn(outputs: Any, trials: Stimuli) -> Tensor:
        return torch.stack([torch.as_tensor(p.fn(outputs, trials)).double() for p in parts.values()], dim=1)

    key = None if None in keys else score_key("several", *[f"{n}={k}" for n, k in zip(parts, keys)])
    name = ", ".join(p.name for p in parts.values())
    return Score(fn, name, "", needs.pop(), key, tuple(parts), rowwise=all(p.rowwise for p in parts.values()))
