"""Scores over the whole set of trials: area under the ROC curve, correlation."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from scipy import stats
from torch import Tensor

from artiphys.array_types import Array
from artiphys.border import border
from artiphys.errors import InputError
from artiphys.scores.outputs_and_targets import (
    PerTrial,
    classes_by_row,
    kept,
    numbers_by_trial,
    plain_outputs,
    score_key,
)
from artiphys.scores.score import Score
from artiphys.stimuli import Stimuli


@border
def auc(labels: PerTrial, index: int = -1) -> Score:
    """Area under the ROC curve of one output between trials labelled 1 and 0, over the set of all trials.

    With two outputs or more, output ``index`` minus the mean of the others decides. Ties count half.

    References
    ----------
    Hanley & McNeil 1982, The meaning and use of the area under a ROC curve.
    """

    own = kept(labels)

    def collect(outputs: Any, trials: Stimuli) -> Tensor:
        y = plain_outputs(outputs)
        y = y.reshape(len(y), -1).double()
        if y.shape[1] == 1:
            return y[:, 0]
        return y[:, index] - (y.sum(1) - y[:, index]) / (y.shape[1] - 1)

    def reduce(per_trial: Array, trials: Stimuli) -> Array:
        truth = classes_by_row(own, trials, len(trials)).numpy()
        positive = truth == 1
        n1, n0 = int(positive.sum()), int((truth == 0).sum())
        if n1 + n0 != len(truth) or not n1 or not n0:
            raise InputError(f"auc needs labels 0 and 1, both present; there are {np.unique(truth)[:5].tolist()}")
        ranks = stats.rankdata(per_trial, axis=1)
        return np.asarray((ranks[:, positive].sum(axis=1) - n1 * (n1 + 1) / 2) / (n1 * n0))

    return Score(collect, "AUC", "proportion", "last", score_key("auc", labels, index), reduce=reduce, rowwise=True)


@border
def correlation(targets: PerTrial, index: int = 0) -> Score:
    """Pearson correlation of one output with a target, over the set of all trials; 0 where either is constant."""

    own = kept(targets)

    def collect(outputs: Any, trials: Stimuli) -> Tensor:
        y = plain_outputs(outputs)
        return y.reshape(len(y), -1).double()[:, index]

    def reduce(per_trial: Array, trials: Stimuli) -> Array:
        target = numbers_by_trial(own, trials)
        a = per_trial - per_trial.mean(axis=1, keepdims=True)
        b = target - target.mean()
        norm = np.sqrt((a**2).sum(axis=1) * (b**2).sum())
        # Rounding of a constant must not look like a signal.
        flat = norm <= 1e-9 * np.abs(per_trial).max(axis=1) * math.sqrt(len(target)) * np.sqrt((b**2).sum())
        return np.where(flat, 0.0, (a * b).sum(axis=1) / np.where(flat, 1.0, norm))

    key = score_key("correlation", targets, index)
    return Score(collect, "correlation", "", "last", key, reduce=reduce, rowwise=True)
