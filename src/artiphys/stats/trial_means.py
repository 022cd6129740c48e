"""Means over trials: intervals and p-values that hold for skewed scores, scores of few values, and rare effects."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float
from scipy import stats as scipy_stats

from artiphys.array_types import Array
from artiphys.errors import InputError
from artiphys.stats.intervals import check_confidence

MIN_ODD = 2  # trials that must differ from the others; below it the spread seen says little of the spread there is
TIED = 1e-6  # of the scale, below which trials are the same: single precision
LIKELY = 5  # odd trials to expect of a number of trials that should do
NOTICEABLE = 1.0  # skewness over its standard error in normal samples, above which it is corrected for


@dataclass(frozen=True)
class TrialMeans:
    """Means of values over trials, with what their intervals need.

    Attributes
    ----------
    mean, stderr : ndarray ``(value,)``
    skewness : ndarray ``(value,)``
        Of the trials, free of bias under normality; 0 where it may be chance.
    largest : ndarray ``(value,)``
        Largest size of a trial's value where values come from a score of few levels, else NaN.
    n_odd : ndarray ``(value,)``
        Trials that differ from the median.
    n_trials : int
    """

    mean: Float[Array, " value"]
    stderr: Float[Array, " value"]
    skewness: Float[Array, " value"]
    largest: Float[Array, " value"]
    n_odd: Float[Array, " value"]
    n_trials: int

    @property
    def refused(self) -> Bool[Array, " value"]:
        """Whose trials are all the same but for one at most, and whose score is not one of few levels."""
        few = self.n_odd < (1 if self.n_trials == 2 else MIN_ODD)
        return np.asarray(few & np.isnan(self.largest))

    def interval(self, alpha: float | Array) -> tuple[Float[Array, " value"], Float[Array, " value"]]:
        """Two-sided intervals that miss ``alpha`` of the time (one number, or one a value); NaN where `refused`."""
        low, high = self._skewed(alpha)
        below, above = self._of_few_levels(alpha)
        few = ~np.isnan(self.largest)
        low, high = np.where(few, below, low), np.where(few, above, high)
        return np.where(self.refused, np.nan, low), np.where(self.refused, np.nan, high)

    def p_values(self) -> Float[Array, " value"]:
        """Two-sided p against a mean of 0: below alpha where `interval` at alpha leaves 0 out; NaN if refused."""
        df, a = self.n_trials - 1, self.skewness / math.sqrt(self.n_trials)
        with np.errstate(divide="ignore", invalid="ignore"):
            t = self.mean / self.stderr
            bent = t + a * t**2 / 3 + a**2 * t**3 / 27 + a / 6
            above, below = np.minimum(t, bent), np.maximum(t, bent)
            p = np.minimum(1.0, 2 * np.minimum(scipy_stats.t.sf(above, df), scipy_stats.t.cdf(below, df)))
            total, squares, _ = self._with_unseen()
            z = np.where(squares > 0, np.abs(total) / np.sqrt(squares), 0.0)
        p = np.where(np.isnan(self.largest), p, 2 * scipy_stats.norm.sf(z))
        return np.where(self.refused, np.nan, p)

    def _skewed(self, alpha: float | Array) -> tuple[Array, Array]:
        """The t interval, lengthened where Hall's transformation of t reaches further.

        Either alone covers too little: t of skewed scores, and Hall's of scores with heavy tails on both sides.
        """
        q = scipy_stats.t.isf(alpha / 2, self.n_trials - 1)
        down = np.maximum(q, self._bent_back(q))
        up = np.maximum(q, -self._bent_back(-q))
        return self.mean - self.stderr * down, self.mean + self.stderr * up

    def _bent_back(self, x: float | Array) -> Array:
        """The t at which Hall's transformation is ``x``."""
        a = self.skewness / math.sqrt(self.n_trials)
        straight = np.abs(a) < 1e-6
        a = np.where(straight, 1.0, a)
        return np.where(straight, x, 3 / a * (np.cbrt(1 + a * (x - a / 6)) - 1))

    def _of_few_levels(self, alpha: float | Array) -> tuple[Array, Array]:
        """Score interval with one unseen trial of the largest value each way, which always has width."""
        total, squares, n = self._with_unseen()
        centre, q = total / n, np.asarray(scipy_stats.norm.isf(alpha / 2)) ** 2
        with np.errstate(divide="ignore", invalid="ignore"):
            half = np.sqrt(q * np.maximum(squares / n - centre**2, 0) / (n - q))
        half = np.where(n > q, half, np.inf)  # so few trials exclude nothing at that confidence
        return np.minimum(centre - half, self.mean), np.maximum(centre + half, self.mean)

    def _with_unseen(self) -> tuple[Array, Array, int]:
        """Sum, sum of squares and number of trials, an unseen one each way among them."""
        n, variance = self.n_trials, self.stderr**2 * self.n_trials
        squares = (n - 1) * variance + n * self.mean**2 + 2 * self.largest**2
        return n * self.mean, squares, n + 2


def trial_means(
    values: Float[Array, "value trial"], *, largest: Array | float = math.nan, scale: Array | float = 0.0
) -> TrialMeans:
    """`TrialMeans` of values ``(value, trial)``.

    Parameters
    ----------
    values : ndarray ``(value, trial)``
        At least two trials.
    largest : float or ndarray ``(value,)``
        Largest size that a trial's value can have, where values come from a score that takes few levels (such as right
        or wrong); NaN where scores are continuous.
    scale : float or ndarray ``(value,)``
        Size of the scores that values are differences of: what differs by a millionth of it is the same.

    Raises
    ------
    InputError
        If there are fewer than two trials, or a value is not finite.
    """
    x = np.asarray(values, dtype=float)
    if x.ndim != 2 or x.shape[1] < 2:
        raise InputError(f"values came with shape {np.shape(values)}; wanted (value, trial) with at least two trials")
    if not np.isfinite(x).all():
        raise InputError("values hold NaN or infinity; leave such trials out, of every value alike")
    n = x.shape[1]
    mean = x.mean(axis=1)
    deviation = x - mean[:, None]
    squares = deviation**2
    variance = squares.mean(axis=1)
    size = np.abs(x).max(axis=1)
    tolerance = TIED * np.maximum(scale, size)
    n_odd = (np.abs(x - np.median(x, axis=1)[:, None]) > tolerance[:, None]).sum(axis=1)
    # Where no trial shows an effect, the largest there may be; else the largest seen, as most lie far below the former.
    unseen = np.broadcast_to(np.asarray(largest, dtype=float), size.shape)
    reach = np.where(np.isnan(unseen), np.nan, np.where(size > tolerance, size, unseen))
    skewness = noticed((squares * deviation).mean(axis=1), variance, n)
    return TrialMeans(mean, np.sqrt(variance / (n - 1)), skewness, reach, n_odd.astype(float), n)


def noticed(third: Array, variance: Array, n: int) -> Array:
    """Skewness from the mean cube and mean square of ``n`` deviations; 0 where it may be chance."""
    with np.errstate(divide="ignore", invalid="ignore"):
        skewness = np.nan_to_num(third / variance**1.5, posinf=0.0, neginf=0.0)
    chance = math.sqrt(6 * (n - 2) / ((n + 1) * (n + 3)))
    bias = math.sqrt(n * (n - 1)) / (n - 2) if n > 3 else 0.0  # three trials say nothing of skewness
    return np.where(np.abs(skewness) > NOTICEABLE * chance, bias * skewness, 0.0)


def mean_interval(
    values: Float[Array, "value trial"],
    confidence: float,
    *,
    largest: Array | float = math.nan,
    scale: Array | float = 0.0,
) -> tuple[Float[Array, " value"], Float[Array, " value"]]:
    """Intervals of means over trials ``(value, trial)``, from trials that are a sample of many.

    Of continuous scores: the t interval, lengthened towards the longer tail by Hall's transformation of t where the
    trials are skewed beyond chance. NaN where all trials but one at most are the same, as their spread is then not
    known. Of scores of few levels: a score interval to which one unseen trial of the largest value each way is added,
    as Bonett and Price add them; it always has width.

    Parameters
    ----------
    values, largest, scale
        As in `trial_means`.
    confidence : float

    Notes
    -----
    No interval knows of trials that are rarer than one in n / 3 and were not drawn: a few that would weigh heavily
    among trials of little effect each remain unseen, and are not covered.

    References
    ----------
    Hall 1992, On the removal of skewness by transformation. Bonett & Price 2012, Adjusted Wald confidence interval for
    a difference of binomial proportions based on paired data.

    Examples
    --------
    >>> low, high = mean_interval(np.ones((1, 24)), 0.95, largest=1.0)  # a lesion that changed each of 24 answers
    >>> round(float(low[0]), 2)
    0.76
    >>> low, high = mean_interval(np.ones((1, 24)), 0.95)  # a continuous score: how much it varies is not known
    >>> float(low[0])
    nan
    """
    check_confidence(confidence)
    return trial_means(values, largest=largest, scale=scale).interval(1 - confidence)


def unseen_share(n_odd: float, n_trials: int, confidence: float = 0.95) -> float:
    """Largest share of trials that may be odd where ``n_odd`` of ``n_trials`` are (Clopper and Pearson, one-sided).

    >>> round(unseen_share(0, 60), 3)  # about three in sixty
    0.049
    """
    return float(scipy_stats.beta.isf(1 - confidence, n_odd + 1, n_trials - n_odd))


def refusal_text(means: TrialMeans, what: str) -> str:
    """Why some of the values (``what`` they are, such as "players") have no interval; empty where all have one."""
    n_refused, n = int(means.refused.sum()), means.n_trials
    if not n_refused:
        return ""
    odd = float(means.n_odd[means.refused].max())
    share = unseen_share(odd, n)
    enough = math.ceil(LIKELY * n / odd if odd else LIKELY / share)
    same = "all" if not odd else "all, or all but one," if (means.n_odd[means.refused] == 0).any() else "all but one"
    return (
        f"{n_refused} of {len(means.mean)} {what} have no interval over stimuli: {same} of the {n} trials gave the "
        f"same value, so that their spread is not known. Up to {share:.1%} of all trials may be otherwise (95 % "
        f"confidence), by how much these cannot tell; {enough} trials would show whether some are"
    )
