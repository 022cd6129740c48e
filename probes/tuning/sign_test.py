"""A test for unequal variances, by signs of deviations; and where the permuted Welch's F is not to be trusted."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
from jaxtyping import Float, Integer
from scipy.stats import f as f_distribution

from artiphys.array_types import Array
from artiphys.errors import StatisticsError
from artiphys.probes.tuning.level_moments import centred
from artiphys.stats.permutations import PermutationTest
from artiphys.user_warnings import warn

CHUNK_BYTES = 2**24  # of sums held at once
MIN_DISTINCT = 20
N_CHECKED = 200  # units at most
N_SIGNS = 199  # of a check
UNCONFIRMED = 0.2  # p by signs of a unit whose permutation p is below .05
MAX_SKEWNESS = 0.3  # of a difference between means
# Shares of units, by simulation, where labels are exchangeable or tuned units are Poisson: at most .005 and .05.
UNCONFIRMED_BY_CHANCE = 0.005
SKEWED_BY_CHANCE = 0.05
MIN_UNITS = 10  # to tell of skewness: where p of one unit is small by it, the trials that show it are missing


def draw_signs(
    n_trials: int, groups: Array | None, n: int, seed: int, of_what: str
) -> tuple[Float[Array, "draw trial"], PermutationTest]:
    """Signs of trials, alike within groups, and what a test by them reports.

    Raises
    ------
    StatisticsError
        If fewer than 20 sets of signs are distinct.
    """
    group = np.arange(n_trials) if groups is None else np.unique(groups, return_inverse=True)[1].ravel()
    n_groups = int(group.max()) + 1
    distinct = 2.0 ** (n_groups - 1) if n_groups <= 50 else math.inf  # a statistic is the same with all signs turned
    if distinct < MIN_DISTINCT:
        raise StatisticsError(
            f"{n_groups} groups have {distinct:.0f} distinct sets of signs, so no p below {1 / distinct:.2g} can be "
            "reached; use more groups"
        )
    drawn = np.random.default_rng(seed).integers(2, size=(n, n_groups)) * 2.0 - 1
    scheme = f"signs of {of_what}" if groups is None else f"signs, alike within groups, of {of_what}"
    smallest = max(1 / (n + 1), 1 / distinct)
    if smallest > 0.05:
        warn(f"{n} permutations: p cannot fall below {smallest:.2g}")
    return drawn[:, group], PermutationTest(n, seed, scheme, distinct, smallest)


def sign_p_values(
    flat: Float[Array, "trial unit"], level: Integer[Array, " trial"], n_levels: int, signs: Float[Array, "draw trial"]
) -> Float[Array, " unit"]:
    """p of equal means by Brown and Forsythe's F*, where each trial keeps the size of its deviation from the mean.

    So the test holds however variances differ between levels, if deviations are symmetric. Each unit is held against
    its own draws.

    References
    ----------
    Brown & Forsythe 1974, The small sample behavior of some statistics which test the equality of several means.
    Wu 1986, Jackknife, bootstrap and other resampling methods in regression analysis.
    """
    parts = [(null >= observed * (1 - 1e-9)).sum(axis=0) for observed, null in _signed(flat, level, n_levels, signs)]
    return (np.concatenate(parts) + 1) / (len(signs) + 1)


def _signed(flat: Array, level: Array, n_levels: int, signs: Array) -> Iterator[tuple[Array, Array]]:
    """F* ``(unit,)`` and ``(draw, unit)``, chunk by chunk of units."""
    x = centred(flat)
    known = np.ones(flat.shape) if x.known is None else x.known
    moved = np.where(known > 0, x.moved - x.moved.sum(axis=0) / np.maximum(known.sum(axis=0), 1), 0.0)
    scale = np.sqrt((moved**2).mean(axis=0))
    moved = moved / np.where(scale > 1e-12 * np.abs(x.centre), scale, np.inf)
    member = np.eye(n_levels)[level].T
    each = (signs[:, None] * member).reshape(-1, len(level))
    step = max(1, CHUNK_BYTES // (8 * len(each)))
    for start in range(0, flat.shape[1], step):
        part = moved[:, start : start + step]
        count, squares = member @ known[:, start : start + step], member @ part**2
        drawn = (each @ part).reshape(len(signs), n_levels, -1)
        yield _brown_forsythe(member @ part, squares, count), _brown_forsythe(drawn, squares, count)


def _brown_forsythe(first: Array, squares: Array, count: Array) -> Array:
    """From sums over trials of each level ``(..., level, unit)``, their squares and number."""
    with np.errstate(invalid="ignore", divide="ignore"):
        mean = first / count
        var = np.maximum(squares - count * mean**2, 0.0) / (count - 1)
        total = count.sum(axis=-2)
        grand = first.sum(axis=-2, keepdims=True) / total
        between = (count * (mean - grand) ** 2).sum(axis=-2)
        within = ((1 - count / total) * np.where(var < 1e-13, 0.0, var)).sum(axis=-2)
        return np.asarray(np.where(between > 1e-12, between / within, 0.0))


def warn_of_doubtful(flat: Array, level: Array, n_levels: int, p: Array, seed: int) -> None:
    """Warn where permutation p below .05 look like those of unequal variances, or units like those that make them.

    Parameters
    ----------
    flat : ``(trial, unit)``
        Units of which ``p`` are those by exchanged labels.
    """
    below = p <= 0.05
    if not below.any():
        return
    signs, _ = draw_signs(len(flat), None, N_SIGNS, seed, "deviations")
    unequal, skewness = _shapes(flat, level, n_levels)
    unconfirmed = int((unequal[below] & (sign_p_values(flat[:, below], level, n_levels, signs) > UNCONFIRMED)).sum())
    skewed = int((unequal & (skewness > MAX_SKEWNESS)).sum())
    if len(p) >= MIN_UNITS and skewed > _most(SKEWED_BY_CHANCE * len(p)):
        warn(
            f"in {skewed} of {len(p)} units variances differ between stimulus values and activity is so skewed that p "
            "may be far too small (small means of few trials hide the variance of rare large values); transform "
            "activity (log or root), or show values equally often"
        )
    elif unconfirmed > max(_most(UNCONFIRMED_BY_CHANCE * len(p)), 0.1 * below.sum()):
        warn(
            f"{unconfirmed} of {int(below.sum())} units whose p is below .05 may owe it to variances that differ "
            "between stimulus values, not to means; exchange='signs' tests means where variances differ"
        )


def _most(expected: float) -> float:
    """Count that chance hardly exceeds."""
    return expected + 3 * math.sqrt(expected)


def _shapes(x: Array, level: Array, n_levels: int) -> tuple[Array, Array]:
    """Whether variances differ (Levene's test about medians, p < .05), and the skewness of differences of means."""
    inside, spread, third, second = np.zeros_like(x), [], 0.0, 0.0
    for k in range(n_levels):
        rows = level == k
        part = x[rows]
        n = (~np.isnan(part)).sum(axis=0)
        inside[rows] = np.abs(part - np.nanmedian(part, axis=0))
        away = part - np.nanmean(part, axis=0)
        second = second + np.nansum(away**2, axis=0) / n**2
        third = third + np.nansum(away**3, axis=0) / n**3
        spread.append((np.nanmean(inside[rows], axis=0), np.nanvar(inside[rows], axis=0) * n, n))
    mean, squares, n_each = (np.array(v) for v in zip(*spread))
    total = n_each.sum(axis=0)
    grand = (n_each * mean).sum(axis=0) / total
    with np.errstate(invalid="ignore", divide="ignore"):
        between = (n_each * (mean - grand) ** 2).sum(axis=0) / (n_levels - 1)
        levene = between / (squares.sum(axis=0) / (total - n_levels))
        p = f_distribution.sf(levene, n_levels - 1, total - n_levels)
        return np.asarray(p < 0.05), np.nan_to_num(np.abs(third) / second**1.5)
