"""Hit rates: how many independent trials a cross-validated proportion of hits is worth."""

from __future__ import annotations

import numpy as np
from jaxtyping import Bool, Float
from scipy.stats import norm, t

from artiphys.array_types import Array
from artiphys.probes.decoding.task import Task
from artiphys.stats.intervals import nadeau_bengio, proportion_interval

AT_CHANCE = 0.4  # of the variance of a proportion of .5, what shared training trials add to it with many folds
OF_FEW_FOLDS = 0.6  # and what they add for each test trial per training trial


def effective_trials(task: Task, hit: Bool[Array, "place trial"]) -> Float[Array, " place"]:
    """The number of independent trials whose proportion of hits varies as much over data sets as the score does.

    Readers of all folds share training trials, so that the score varies more than trials do: by 1.3 to 1.7 times near
    chance, and hardly where nearly all trials are hits; the law here was fitted to 20,000 simulated data sets
    (tests/benchmarks/design_calibration.py measures its coverage, which is .93 to .985, but .89 where a little
    penalised reader has nearly as many units as trials). Trials of a group are hit together; where groups are
    few, what is known of that is uncertain (Korn & Graubard 1998, Confidence intervals for proportions with small
    expected number of positive counts estimated from survey data).

    Parameters
    ----------
    hit : ``(place, trial)``
        Whether each trial was decoded, in folds that test each once.
    """
    n = hit.shape[1]
    weight = np.ones(n)
    if task.metric.name == "balanced accuracy":
        weight = n / (task.n_classes * np.bincount(task.y)[task.y])
    rate = (hit * weight).mean(axis=1)
    smooth = (rate * n + 0.5) / (n + 1)
    alone = smooth * (1 - smooth) / n
    by_class = np.zeros(len(hit))
    for c in range(task.n_classes):
        of_class = task.y == c
        recall = (hit[:, of_class].sum(axis=1) + 0.5) / (of_class.sum() + 1)
        by_class += recall * (1 - recall) * (weight[of_class] ** 2).sum() / n**2
    unequal = np.maximum(by_class / alone, 1.0) if weight.std() > 0 else 1.0
    together = _design_effect(task, hit * weight, rate, weight, alone * unequal)
    return np.asarray(n / (unequal * together * _shared(task, smooth)))


def _shared(task: Task, rate: Array) -> Array | float:
    """What readers that share training trials add to the variance; nothing where all trials had one reader."""
    if len(task.folds) == 1:
        return 1.0
    ratio = float(np.mean([len(test) / len(train) for train, test in task.folds]))
    return np.asarray(1 + (AT_CHANCE + OF_FEW_FOLDS * ratio) * 4 * rate * (1 - rate))


def _design_effect(task: Task, hits: Array, rate: Array, weight: Array, alone: Array) -> Array:
    """Variance over groups by that of as many independent trials, at least 1 and at most the size of a group."""
    groups = _clusters(task)
    if groups is None:
        return np.ones(len(hits))
    _, member = np.unique(groups, return_inverse=True)
    k = int(member.max()) + 1
    over = np.zeros((len(hits), k))
    np.add.at(over.T, member, (hits - weight * rate[:, None]).T)
    varied = (over**2).sum(axis=1) / hits.shape[1] ** 2 * k / max(k - 1, 1)
    size = float((np.bincount(member) ** 2).sum() / hits.shape[1])
    uncertain = (t.ppf(0.975, max(k - 1, 1)) / norm.ppf(0.975)) ** 2
    return np.asarray(np.clip(varied / alone * uncertain, 1.0, size))


def _clusters(task: Task) -> Array | None:
    """Groups; where labels were shifted, the stretches of trials that folds are."""
    if task.design.of_folds is not None:
        return task.design.of_folds
    if task.design.exchange != "shift":
        return None
    stretch = np.zeros(len(task.y), dtype=int)
    for f, (_, test) in enumerate(task.folds):
        stretch[test] = f
    return stretch


def effective_trials_by_folds(task: Task, scores: Float[Array, "*place fold"]) -> Float[Array, "*place"]:
    """The same from scores of folds, where folds test trials several times or some of their trials only.

    The variance over folds, widened after Nadeau & Bengio, is held against that of independent trials.
    """
    n = len(np.unique(np.concatenate([test for _, test in task.folds])))
    rate = (np.clip(scores.mean(axis=-1), 0, 1) * n + 0.5) / (n + 1)
    sizes = [float(np.mean([len(fold[part]) for fold in task.folds])) for part in (1, 0)]
    varied = nadeau_bengio(scores, *sizes) ** 2 / (rate * (1 - rate) / n)
    return np.asarray(n / np.maximum(np.nan_to_num(varied, nan=1.0), _shared(task, rate)))


def trials_worth(task: Task, scores: Float[Array, "place fold"], guesses: Float[Array, "place trial"]) -> Array:
    """`effective_trials` where folds test each trial once, else by the scores of folds."""
    tested = np.concatenate([test for _, test in task.folds])
    if len(tested) == len(task.y) == len(np.unique(tested)):
        return effective_trials(task, guesses == task.y)
    return effective_trials_by_folds(task, scores)


def hit_interval(
    rate: Float[Array, "*place"], n_effective: Float[Array, "*place"], confidence: float
) -> tuple[Float[Array, "*place"], Float[Array, "*place"]]:
    """Interval of a proportion of hits that is worth so many trials."""
    low, high = proportion_interval(np.clip(rate, 0.0, 1.0) * n_effective, n_effective, confidence)
    return np.asarray(low), np.asarray(high)
