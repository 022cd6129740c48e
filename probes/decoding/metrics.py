"""Metrics: what the success of a decoding is measured by, larger being better."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Num
from scipy.stats import rankdata

from artiphys.array_types import Array
from artiphys.errors import InputError, StatisticsError, unknown
from artiphys.probes.decoding.folds import Folds

CLASSES = ("accuracy", "balanced_accuracy", "roc_auc", "matthews_corrcoef", "neg_log_loss", "d_prime")
NUMBERS = ("r2", "correlation")
ANGLES = ("cosine",)
ALIASES = {"auc": "roc_auc", "mcc": "matthews_corrcoef", "log_loss": "neg_log_loss"}
MIN_PROBABILITY = 1e-15


BOUNDS = {  # of scores by the names of metrics, so that no interval leaves what is possible
    "AUC": (0.0, 1.0),
    "Matthews correlation": (-1.0, 1.0),
    "log likelihood a trial": (-np.inf, 0.0),
    "R squared": (-np.inf, 1.0),
    "correlation": (-1.0, 1.0),
    "cosine of the error": (-1.0, 1.0),
}


@dataclass(frozen=True)
class Metric:
    """One measure of success.

    Attributes
    ----------
    name : str
        In words.
    said : "guesses", "evidence" or "probabilities"
        What it needs of a reader: ``(place, target, trial)``, the other two with an axis of classes more.
    chance : float
        What labels that have nothing to do with the activity score.
    compute : callable
        From what is true ``(target, trial)`` and what was said, scores ``(place, target)``; NaN where not defined.
    proportion : bool
        Whether it is a mean of hits, each class weighed alike or each trial.
    """

    name: str
    said: str
    chance: float
    compute: Callable[[Array, Array], Array]
    proportion: bool = False

    def over_folds(self, scores: Float[Array, "*place fold"]) -> Float[Array, "*place"]:
        """Mean over the folds where it is defined; chance where a relabelling leaves none."""
        if not np.isnan(scores).any():
            return np.asarray(scores.mean(axis=-1))
        defined = ~np.isnan(scores)
        total = np.where(defined, scores, 0.0).sum(axis=-1)
        return np.asarray(np.where(defined.any(axis=-1), total / np.maximum(defined.sum(axis=-1), 1), self.chance))


def metric_of(scoring: str | None, y: Array, n_classes: int, folds: Folds, period: float) -> Metric:
    """The metric that ``scoring`` names; without it (balanced) accuracy, R squared, or the cosine of an angle's error.

    Raises
    ------
    InputError
        If it is unknown or goes with other labels.
    StatisticsError
        If it needs every class in every fold's test part, and one lacks a class.
    """
    fit = CLASSES if n_classes else ANGLES if period else NUMBERS
    balanced = not n_classes or len(set(np.bincount(y))) == 1
    if scoring is None:
        scoring = "r2" if fit is NUMBERS else "cosine" if fit is ANGLES else "balanced_accuracy"
        scoring = "accuracy" if scoring == "balanced_accuracy" and balanced else scoring
    scoring = ALIASES.get(scoring.lower(), scoring.lower())
    if scoring not in fit:
        kind = "classes" if n_classes else "angles" if period else "numbers"
        raise InputError(f"labels are {kind}: " + unknown("scoring", scoring, fit))
    if scoring == "d_prime" and n_classes != 2:
        raise InputError(f"d_prime compares two classes, and labels hold {n_classes}; use scoring='roc_auc'")
    complete = all(len(np.unique(y[test])) == n_classes for _, test in folds) if n_classes else True
    if scoring in ("roc_auc", "d_prime") and not complete:
        raise StatisticsError(
            f"a fold tests trials without one of the classes, where {scoring} is not defined; use fewer folds, groups "
            "that hold every class, or scoring='accuracy'"
        )
    if scoring == "accuracy":
        share = float(np.bincount(y).max() / len(y))
        return Metric("accuracy", "guesses", 1 / n_classes if balanced else share, _accuracy, proportion=True)
    if scoring == "balanced_accuracy":
        name = "accuracy" if balanced else "balanced accuracy"
        if complete:
            return Metric(name, "guesses", 1 / n_classes, lambda t, g: _balanced(t, g, n_classes), proportion=True)
        # A fold that lacks a class has no balanced accuracy. Hits weighed by the rarity of their class over all
        # trials have the balanced accuracy of all folds together as their mean.
        weight = len(y) / (n_classes * np.bincount(y))
        size = float(np.mean([len(test) for _, test in folds])) if folds else float(len(y))
        return Metric(
            name, "guesses", 1 / n_classes, lambda t, g: ((t == g) * weight[t]).sum(axis=-1) / size, proportion=True
        )
    return {
        "roc_auc": Metric("AUC", "evidence", 0.5, _auc),
        "matthews_corrcoef": Metric("Matthews correlation", "guesses", 0.0, lambda t, g: _matthews(t, g, n_classes)),
        "neg_log_loss": Metric(
            "log likelihood a trial", "probabilities", -float(np.log(max(n_classes, 1))), _log_likelihood
        ),
        "d_prime": Metric("d' of the evidence", "evidence", 0.0, _d_prime),
        "r2": Metric("R squared", "guesses", 0.0, _r_squared),
        "correlation": Metric("correlation", "guesses", 0.0, _correlation),
        "cosine": Metric(
            "cosine of the error", "guesses", 0.0, lambda t, g: np.cos((t - g) * (2 * np.pi / period)).mean(axis=-1)
        ),
    }[scoring]


def _accuracy(
    true: Num[Array, "target trial"], guess: Num[Array, "place target trial"]
) -> Float[Array, "place target"]:
    return np.asarray((true == guess).mean(axis=-1))


def _balanced(true: Array, guess: Array, n_classes: int) -> Array:
    recalls = np.full((n_classes, *guess.shape[:2]), np.nan)
    for c in range(n_classes):
        of_class = true == c
        with np.errstate(invalid="ignore", divide="ignore"):
            recalls[c] = ((guess == c) & of_class).sum(axis=-1) / of_class.sum(axis=-1)
    return np.asarray(np.nanmean(recalls, axis=0))  # under some relabellings a fold lacks a class


def _auc(
    true: Num[Array, "target trial"], evidence: Float[Array, "place target trial klass"]
) -> Float[Array, "place target"]:
    """Mean over classes of the area for a class against the rest; of two classes that of the second."""
    classes = range(1, 2) if evidence.shape[-1] == 2 else range(evidence.shape[-1])
    areas = []
    for c in classes:
        member: Bool[Array, "target trial"] = true == c
        rank = rankdata(evidence[..., c], axis=-1)
        n1 = member.sum(axis=-1)
        with np.errstate(invalid="ignore", divide="ignore"):
            areas.append(((rank * member).sum(axis=-1) - n1 * (n1 + 1) / 2) / (n1 * (true.shape[-1] - n1)))
    return np.asarray(np.mean(areas, axis=0))


def _d_prime(true: Array, evidence: Array) -> Array:
    """Difference of the classes' mean evidence by its pooled standard deviation."""
    value = evidence[..., 1]
    member = np.stack([true == 0, true == 1])[:, None]  # (class, 1, target, trial)
    n = member.sum(axis=-1)
    with np.errstate(invalid="ignore", divide="ignore"):
        mean = (value * member).sum(axis=-1) / n
        left = (((value - mean[..., None]) ** 2) * member).sum(axis=(0, -1)) / (true.shape[-1] - 2)
        return np.asarray(np.where(left > 0, (mean[1] - mean[0]) / np.sqrt(left), np.nan))


def _matthews(true: Array, guess: Array, n_classes: int) -> Array:
    """0 where all guesses are one class (Gorodkin 2004, Comparing two K-category assignments)."""
    n = true.shape[-1]
    in_true = np.stack([(true == c).sum(axis=-1) for c in range(n_classes)])
    in_guess = np.stack([(guess == c).sum(axis=-1) for c in range(n_classes)])
    hits = (true == guess).sum(axis=-1)
    shared = hits * n - (in_true[:, None] * in_guess).sum(axis=0)
    spread = (n**2 - (in_true**2).sum(axis=0)) * (n**2 - (in_guess**2).sum(axis=0)).astype(float)
    return np.asarray(np.where(spread > 0, shared / np.sqrt(np.maximum(spread, 1.0)), 0.0))


def _log_likelihood(true: Array, probability: Array) -> Array:
    right = np.take_along_axis(probability, np.broadcast_to(true, probability.shape[:-1])[..., None], axis=-1)
    return np.asarray(np.log(np.maximum(right[..., 0], MIN_PROBABILITY)).mean(axis=-1))


def _r_squared(true: Array, guess: Array) -> Array:
    left = ((true - guess) ** 2).sum(axis=-1)
    spread = ((true - true.mean(axis=-1, keepdims=True)) ** 2).sum(axis=-1)
    with np.errstate(invalid="ignore", divide="ignore"):
        # The conventions of scikit-learn's r2_score for constant numbers.
        return np.where(spread > 0, 1 - left / spread, np.where(left == 0, 1.0, 0.0))


def _correlation(true: Array, guess: Array) -> Array:
    """Pearson's; 0 where either is constant."""
    true = true - true.mean(axis=-1, keepdims=True)
    size = np.abs(guess).max(axis=-1, initial=0.0)
    guess = guess - guess.mean(axis=-1, keepdims=True)
    spread = np.sqrt((true**2).sum(axis=-1) * (guess**2).sum(axis=-1))
    still = np.abs(guess).max(axis=-1, initial=0.0) <= 1e-12 * size
    return np.asarray(
        np.where(still | (spread == 0), 0.0, (true * guess).sum(axis=-1) / np.where(spread > 0, spread, 1.0))
    )
