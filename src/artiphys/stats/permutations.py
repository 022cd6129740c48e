"""Small statistics that every analysis shares: permutation p-values, intervals, designs."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import stats as scipy_stats

from artiphys.errors import StatisticsError

Array = np.ndarray[Any, Any]
Seed = int | np.random.Generator | None


def whole_seed(seed: Seed) -> int:
    """A seed as a whole number: as it is, or drawn.

    Raises
    ------
    StatisticsError
        If it is neither a whole number, a numpy Generator nor None.
    """
    if seed is None or isinstance(seed, np.random.Generator):
        return int(np.random.default_rng(seed).integers(2**31))
    if not isinstance(seed, (int, np.integer)) or not 0 <= seed < 2**32:
        raise StatisticsError(f"seed came as {seed!r}; wanted a whole number from 0 to 2**32 - 1, a Generator or None")
    return int(seed)


def p_value(observed: Array | float, null: Array) -> Array:
    """Permutation p-value (b + 1) / (m + 1), one-sided (large is extreme), never 0.

    Parameters
    ----------
    observed : array
    null : array ``(permutation, *observed.shape)``

    References
    ----------
    Phipson & Smyth 2010, Permutation P-values should never be zero.

    >>> float(p_value(3.0, np.array([1.0, 2.0, 3.0])))
    0.5
    """
    null = np.asarray(null)
    return np.asarray((np.sum(null >= _slackened(observed), axis=0) + 1) / (len(null) + 1))


def _slackened(observed: Array | float) -> Array:
    # Rounding must not make an equal value look smaller.
    value = np.asarray(observed, dtype=float)
    return value - np.where(np.isfinite(value), 1e-12 * np.maximum(1.0, np.abs(value)), 0.0)


def pooled_p_value(observed: Array, null: Array) -> Array:
    """Permutation p-value of many units against one null pooled over all of them.

    Only for studentised statistics, whose null is the same for all units. The smallest p rest on few values of the
    null, whose chance errors all units share; one standard error of that count is added, so that they do not raise
    the false discovery rate.

    Parameters
    ----------
    observed : ``(unit,)``
    null : ``(permutation, unit)``
    """
    ordered = np.sort(np.asarray(null).ravel())
    above = len(ordered) - np.searchsorted(ordered, _slackened(observed), side="left")
    return np.asarray(np.minimum((above + np.sqrt(above) + 1) / (len(ordered) + 1), 1.0))


def t_interval(mean: Array, stderr: Array, df: Array | float, confidence: float) -> tuple[Array, Array]:
    """Two-sided interval from a mean, its standard error and the degrees of freedom (inf for normal)."""
    check_confidence(confidence)
    factor = scipy_stats.t.ppf(0.5 + confidence / 2, df)
    return mean - factor * stderr, mean + factor * stderr


def check_confidence(confidence: float) -> None:
    """`StatisticsError` unless a confidence lies strictly between 0 and 1."""
    if not isinstance(confidence, (int, float, np.number)) or not 0 < confidence < 1:
        raise StatisticsError(f"confidence came as {confidence!r}; wanted a number between 0 and 1, such as 0.95")


def standard_error(values: Array, axis: int = -1) -> Array:
    """Standard error of the mean; NaN for a single value."""
    n = values.shape[axis]
    if n < 2:
        return np.full(np.delete(values.shape, axis), np.nan)
    return np.asarray(values.std(axis=axis, ddof=1) / math.sqrt(n))


def nadeau_bengio(scores: Array, n_test: float, n_train: float) -> Array:
    """Corrected standard error of cross-validated scores ``(..., fold)``: folds share training trials.

    References
    ----------
    Nadeau & Bengio 2003, Inference for the Generalization Error.
    """
    k = scores.shape[-1]
    if k < 2:
        return np.full(scores.shape[:-1], np.nan)
    return np.asarray(np.std(scores, axis=-1, ddof=1) * math.sqrt(1 / k + n_test / n_train))


def max_statistic_p_value(observed: Array, null: Array) -> Array:
    """p-values of many places, corrected for their number (family-wise error, in the strong sense).

    Every place is standardised by its own permutations, the observed labelling among them so that all labellings
    are treated alike; then each place is held against the largest of every permutation. A place with a wide null
    thus costs the others no power.

    Parameters
    ----------
    observed : ``(...)``
    null : ``(permutation, ...)``
        The same relabelling at all places, in each permutation.

    References
    ----------
    Westfall & Young 1993, Resampling-based multiple testing; Nichols & Holmes 2002, Nonparametric permutation tests
    for functional neuroimaging.

    >>> max_statistic_p_value(np.array([5.0, 0.0]), np.array([[1.0, -1], [-1, 1], [0, 0]])).tolist()
    [0.25, 0.75]
    """
    observed, null = np.asarray(observed, dtype=float), np.asarray(null, dtype=float)
    every = np.concatenate([observed[None], null])
    mean, sd = every.mean(axis=0), every.std(axis=0)
    flat = sd <= 1e-12 * (1 + np.abs(mean))
    z = np.where(flat, 0.0, (every - mean) / np.where(flat, 1.0, sd))
    largest = z[1:].reshape(len(null), -1).max(axis=1)
    p = (np.sum(largest.reshape(-1, *[1] * observed.ndim) >= _slackened(z[0]), axis=0) + 1) / (len(null) + 1)
    return np.asarray(p)


def false_discovery(p: Array) -> Array:
    """Benjamini-Hochberg adjusted p-values, in the shape of ``p``."""
    flat = np.asarray(p, dtype=float).ravel()
    return np.asarray(scipy_stats.false_discovery_control(flat)).reshape(np.shape(p))


EXCHANGES = (None, "trials", "within groups", "shift")


@dataclass(frozen=True)
class Permutations:
    """How labels may be exchanged, given the groups trials come in.

    Attributes
    ----------
    scheme : str
        "trials", "trials within folds", "within groups", "whole groups" or "circular shifts".
    n_distinct : float
        Number of distinct relabellings (inf above 1e15).
    """

    labels: Array
    groups: Array | None
    scheme: str
    n_distinct: float

    def smallest_p(self, n: int) -> float:
        """The smallest p that ``n`` permutations can give."""
        return max(1 / (n + 1), 1 / self.n_distinct)

    @classmethod
    def of(
        cls, labels: Array, groups: Array | None = None, folds: Array | None = None, exchange: str | None = None
    ) -> Permutations:
        """The scheme that follows the design.

        A label that is constant within every group is exchanged between whole groups, one that varies
        within every group is exchanged within them. Folds that were stratified by the labels would favour
        the true labels over permuted ones, so with ``folds`` (one number a trial) labels are exchanged
        within them, which leaves every fold's class counts as they are.

        ``exchange`` says it outright: "trials", "within groups" (groups of one label stay as they are), or "shift",
        which turns the labels round the trials in their order, for activity and labels that both change slowly.

        Raises
        ------
        StatisticsError
            If ``exchange`` is something else, some groups are constant and some not, or fewer than 20 relabellings
            are distinct.

        >>> y = np.repeat([0, 1], 12)
        >>> Permutations.of(y).scheme, Permutations.of(y, np.arange(24) // 2).scheme
        ('trials', 'whole groups')
        """
        labels = np.asarray(labels)
        if exchange not in EXCHANGES:
            raise StatisticsError(f"exchange came as {exchange!r}; wanted one of {', '.join(map(repr, EXCHANGES[1:]))}")
        if exchange == "within groups" and groups is None:
            raise StatisticsError("exchange='within groups' needs groups")
        if exchange == "shift":
            made = cls(labels, None, "circular shifts", _distinct_shifts(labels))
        elif exchange == "trials":
            made = cls(labels, None, "trials", _arrangements(labels))
        elif groups is None and folds is not None:
            counts = math.prod(_arrangements(labels[folds == f]) for f in np.unique(folds))
            made = cls(labels, folds, "trials within folds", counts)
        elif groups is None:
            made = cls(labels, None, "trials", _arrangements(labels))
        else:
            groups = np.asarray(groups)
            members = [labels[groups == g] for g in np.unique(groups)]
            constant = [len(np.unique(m)) == 1 for m in members]
            if all(constant) and exchange is None:
                made = cls(labels, groups, "whole groups", _arrangements(np.array([m[0] for m in members])))
            elif not any(constant) or exchange == "within groups":
                made = cls(labels, groups, "within groups", math.prod(_arrangements(m) for m in members))
            else:
                raise StatisticsError(
                    f"labels are constant in {sum(constant)} groups and vary in {len(constant) - sum(constant)}; "
                    "no exchange of labels keeps this design. Use groups of one kind, or exchange='within groups', "
                    "which leaves out what the constant ones say"
                )
        if made.n_distinct < 20:
            raise StatisticsError(
                f"only {made.n_distinct:.0f} distinct relabellings exist ({made.scheme}), so no p-value below "
                f"{1 / made.n_distinct:.2f} can be reached. Use more groups or trials, or n_permutations=0"
            )
        return made

    def draw(self, n: int, seed: Seed) -> Iterator[Array]:
        """``n`` relabellings of the trials."""
        rng = np.random.default_rng(seed)
        if self.scheme == "circular shifts":
            most = len(self.labels) - 1
            shifts = 1 + (rng.permutation(most)[:n] if n <= most else rng.integers(most, size=n))
            yield from (np.roll(self.labels, shift) for shift in shifts)
            return
        for _ in range(n):
            if self.groups is None:
                yield rng.permutation(self.labels)
                continue
            new = self.labels.copy()
            names, first = np.unique(self.groups, return_index=True)
            if self.scheme in ("within groups", "trials within folds"):
                for g in names:
                    rows = np.flatnonzero(self.groups == g)
                    new[rows] = rng.permutation(new[rows])
            else:
                for g, value in zip(names, rng.permutation(self.labels[first])):
                    new[self.groups == g] = value
            yield new


def _distinct_shifts(labels: Array) -> int:
    """How many different orders turning the labels round gives: fewer than trials where they repeat."""
    n = len(labels)
    for period in range(1, n // 2 + 1):
        if n % period == 0 and np.array_equal(labels, np.roll(labels, period)):
            return period
    return n - 1


def _arrangements(labels: Array) -> float:
    _, counts = np.unique(labels, return_counts=True)
    log = math.lgamma(len(labels) + 1) - sum(math.lgamma(c + 1) for c in counts)
    return math.inf if log > math.log(1e15) else float(round(math.exp(log)))


def brief(values: Any) -> str:
    """One number or the range of many, for a line that describes a result.

    >>> brief(0.5), brief(np.array([0.25, 0.75]))
    ('0.5', '0.25 to 0.75')
    """
    flat = np.asarray(values, dtype=float).ravel()
    known = flat[~np.isnan(flat)]
    if not len(known):
        return "nan"
    low, high = f"{known.min():.3g}", f"{known.max():.3g}"
    return low if low == high else f"{low} to {high}"


def span(low: Any, high: Any) -> str:
    """A range of counts in words.

    >>> span(3, 3), span(3, 5)
    ('3', '3 to 5')
    """
    return f"{int(low)}" if int(low) == int(high) else f"{int(low)} to {int(high)}"
