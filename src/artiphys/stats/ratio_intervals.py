"""Intervals of a ratio of two means over the same trials, and tests of differences of paired trials."""

from __future__ import annotations

import math

import numpy as np
from jaxtyping import Float
from scipy import stats as scipy_stats

from artiphys.array_types import Array
from artiphys.stats.trial_means import MIN_ODD, TIED, TrialMeans, noticed, trial_means

N_STEPS, N_HALVINGS = 400, 50  # from the ratio outwards, and then in search of the end
NEAREST = 1e-9  # angle of the first step


def fieller(
    numerator: Float[Array, " trial"], denominator: Float[Array, " trial"], confidence: float
) -> tuple[float, float]:
    """Interval of mean(numerator) / mean(denominator), whose values belong together trial by trial.

    It holds all ratios r for which a t-test does not reject that the mean of ``numerator - r * denominator`` is 0; it
    is unbounded where the denominator does not differ from 0.

    References
    ----------
    Fieller 1954, Some problems in interval estimation.

    >>> low, high = fieller(np.array([1.0, 2.1, 2.9, 2.0, 2.4]), np.array([2.0, 4.0, 6.5, 4.1, 5.0]), 0.95)
    >>> round(float(low), 2), round(float(high), 2)
    (0.45, 0.55)
    """
    n = len(numerator)
    if n < 2:
        return -math.inf, math.inf
    t = float(scipy_stats.t.ppf(0.5 + confidence / 2, n - 1)) ** 2 / n
    covariance = np.cov(numerator, denominator)
    a, b = float(numerator.mean()), float(denominator.mean())
    square = b * b - t * covariance[1, 1]
    if square <= 0:
        return -math.inf, math.inf
    middle = a * b - t * covariance[0, 1]
    root = math.sqrt(max(middle**2 - square * (a * a - t * covariance[0, 0]), 0.0))
    return float((middle - root) / square), float((middle + root) / square)


def ratio_interval(
    numerator: Float[Array, " trial"],
    denominator: Float[Array, " trial"],
    confidence: float,
    *,
    level_range: float = math.nan,
    scale: float = 0.0,
) -> tuple[float, float]:
    """Interval of mean(numerator) / mean(denominator) from trials that are a sample of many.

    As `fieller`, but a ratio is kept unless the interval of `mean_interval` for ``numerator - ratio * denominator``
    leaves 0 out, so that it holds for skewed trials too. Where scores take few levels (``level_range`` apart), or all
    trials but one at most show one ratio, their spread is not known: two unseen trials are then added, in which one of
    the two is missed altogether. Unbounded where the denominator does not differ from 0.

    Parameters
    ----------
    numerator, denominator : ndarray ``(trial,)``
        Differences of scores.
    level_range : float
        Distance from the lowest to the highest score where scores take few levels, else NaN.
    scale : float
        Size of the scores: what differs by a millionth of it is the same.

    Examples
    --------
    >>> whole = np.array([1.0, 1, 0, 1, 1, 1, 0, 1, 1, 1, 1, 1])
    >>> low, high = ratio_interval(whole, whole, 0.95, level_range=1.0)  # twelve that agree are not all there are
    >>> round(low, 2), round(high, 2)
    (0.74, 1.35)
    """
    n = len(numerator)
    if n < 2:
        return -math.inf, math.inf
    a, b = float(numerator.mean()), float(denominator.mean())
    unlike = np.abs(b * numerator - a * denominator)
    tolerance = TIED * max(scale, float(np.abs(denominator).max())) * max(abs(a), abs(b))
    unseen = level_range
    if math.isnan(unseen) and (unlike > tolerance).sum() < MIN_ODD:
        unseen = float(np.abs(denominator).max())
    if not math.isnan(unseen):
        return fieller(np.append(numerator, [unseen, 0.0]), np.append(denominator, [0.0, unseen]), confidence)
    return _kept(numerator, denominator, 1 - confidence)


def _kept(numerator: Array, denominator: Array, alpha: float) -> tuple[float, float]:
    """Ratios about that of the means which no test at alpha rejects."""
    n, a, b = len(numerator), float(numerator.mean()), float(denominator.mean())
    x, y = numerator - a, denominator - b
    second = [float((x ** (2 - k) * y**k).mean()) for k in range(3)]
    third = [float((x ** (3 - k) * y**k).mean()) for k in range(4)]

    def rejected(angle: Array) -> Array:
        c, s = np.cos(angle), -np.sin(angle)  # of c * numerator + s * denominator; the ratio is the angle's tangent
        variance = np.maximum(second[0] * c**2 + 2 * second[1] * c * s + second[2] * s**2, 0)
        cube = third[0] * c**3 + 3 * third[1] * c**2 * s + 3 * third[2] * c * s**2 + third[3] * s**3
        stderr = np.sqrt(variance / (n - 1))
        unknown, many = np.full(angle.shape, np.nan), np.full(angle.shape, float(n))
        means = TrialMeans(c * a + s * b, stderr, noticed(cube, variance, n), unknown, many, n)
        return np.asarray(means.p_values() < alpha)

    if not rejected(np.array([math.pi / 2]))[0]:
        return -math.inf, math.inf
    middle, ends = math.atan2(a, b) if b > 0 else math.atan2(-a, -b), []
    for sign, room in ((-1, middle + math.pi / 2), (1, math.pi / 2 - middle)):
        steps = np.geomspace(NEAREST, room, N_STEPS)
        out = rejected(middle + sign * steps)
        first = int(np.argmax(out))
        inside, outside = (steps[first - 1] if first else 0.0), steps[first]
        for _ in range(N_HALVINGS):
            half = (inside + outside) / 2
            inside, outside = (inside, half) if rejected(np.array([middle + sign * half]))[0] else (half, outside)
        ends.append(math.tan(middle + sign * inside))
    return ends[0], ends[1]


def paired_p(
    differences: Float[Array, "*test trial"], *, largest: float = math.nan, scale: float = 0.0
) -> Float[Array, "*test"]:
    """Two-sided p of each mean against 0, as of `mean_interval`; below alpha where that at alpha leaves 0 out.

    Where all trials but one at most are the same, an unseen trial each way of the largest size seen is added: of eight
    trials that agree p is .01, about that of a sign test. 1 where all are 0.

    Parameters
    ----------
    differences : ndarray ``(..., trial)``
    largest, scale
        As in `mean_interval`.
    """
    rows = differences.reshape(-1, differences.shape[-1])
    means = trial_means(rows, largest=largest, scale=scale)
    p = means.p_values()
    if means.refused.any():
        p = np.where(means.refused, trial_means(rows, largest=0.0, scale=scale).p_values(), p)
    return np.asarray(p.reshape(differences.shape[:-1]))
