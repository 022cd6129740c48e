"""Means over trials: intervals and p-values against closed forms, and how often they cover where the mean is known."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from scipy import stats as scipy_stats

from artiphys.errors import InputError, StatisticsError
from artiphys.stats.trial_means import mean_interval, refusal_text, trial_means, unseen_share

Array = np.ndarray[Any, Any]
ALPHAS = (0.5, 0.1, 0.05, 0.01, 1e-4, 1e-9)


def mixed(n: int) -> Array:
    """Rows of all kinds: normal, skewed either way, of few levels, all but one or two the same, all the same."""
    rng = np.random.default_rng(n)
    rows = [*rng.normal(0.5, 1, (40, n)), *rng.lognormal(0, 1, (40, n)), *-rng.lognormal(0, 1, (40, n))]
    rows += [*rng.choice([-1.0, 0.0, 1.0], p=[0.1, 0.3, 0.6], size=(40, n)), np.zeros(n), np.ones(n)]
    rows += [np.eye(n)[0], np.eye(n)[0] + np.eye(n)[1]]
    return np.stack(rows)


def test_without_skew_it_is_the_t_interval() -> None:
    half = np.random.default_rng(0).normal(size=(5, 10))
    x = np.concatenate([half, -half], axis=1) + np.arange(5)[:, None]
    low, high = mean_interval(x, 0.9)
    expected = scipy_stats.ttest_1samp(x, 0, axis=1).confidence_interval(0.9)
    assert low == pytest.approx(expected.low) and high == pytest.approx(expected.high)
    assert trial_means(x).p_values() == pytest.approx(
        scipy_stats.ttest_1samp(x, 0, axis=1).pvalue, rel=1e-9, abs=1e-300
    )


def test_with_skew_it_is_what_halls_transformation_of_t_keeps() -> None:
    """By brute force: means at which neither t nor its transformation lies outside the quantiles."""
    x = np.random.default_rng(3).lognormal(0, 1, (1, 30))
    low, high = mean_interval(x, 0.95)
    means = np.linspace(0, 10, 400_001)
    t = (x.mean() - means) / (x.std(ddof=1) / np.sqrt(30))
    a = scipy_stats.skew(x[0], bias=False) / np.sqrt(30)
    hall = t + a * t**2 / 3 + a**2 * t**3 / 27 + a / 6
    q = scipy_stats.t.isf(0.025, 29)
    kept = means[(np.abs(t) <= q) | (np.abs(hall) <= q)]
    assert [low[0], high[0]] == pytest.approx([kept.min(), kept.max()], abs=1e-4)
    assert high[0] - x.mean() > 1.3 * (x.mean() - low[0])  # longer towards the long tail


def test_few_levels_are_a_score_interval_with_one_unseen_trial_each_way() -> None:
    x = np.repeat([[1.0, 0.0, -1.0]], [15, 4, 2], axis=1)
    low, high = mean_interval(x, 0.95, largest=1.0)
    means = np.linspace(-1, 1, 400_001)
    with_unseen = np.append(x[0], [1.0, -1.0])
    second = (with_unseen**2).mean() - 2 * means * with_unseen.mean() + means**2
    kept = means[np.abs(with_unseen.mean() - means) / np.sqrt(second / 23) <= scipy_stats.norm.isf(0.025)]
    assert [low[0], high[0]] == pytest.approx([kept.min(), kept.max()], abs=1e-4)
    # Of McNemar's test: 15 against 2.
    assert trial_means(x, largest=1.0).p_values()[0] == pytest.approx(2 * scipy_stats.norm.sf(13 / np.sqrt(19)))


@pytest.mark.parametrize("n", [2, 3, 4, 7, 24, 200])
@pytest.mark.parametrize("largest", [np.nan, 1.0])
def test_p_is_below_alpha_where_the_interval_leaves_0_out_and_intervals_are_nested(n: int, largest: float) -> None:
    means = trial_means(mixed(n), largest=largest)
    p = means.p_values()
    ends = [means.interval(alpha) for alpha in ALPHAS]
    known = ~means.refused
    assert np.array_equal(np.isnan(p), means.refused) and np.isnan(largest) | known.all()
    for alpha, (low, high) in zip(ALPHAS, ends):
        assert np.array_equal((p < alpha)[known], ((low > 0) | (high < 0))[known])
        assert (low[known] <= means.mean[known]).all() and (means.mean[known] <= high[known]).all()
        assert np.isnan(low[~known]).all() and np.isnan(high[~known]).all()
    lows, highs = np.stack([e[0] for e in ends])[:, known], np.stack([e[1] for e in ends])[:, known]
    assert (lows[1:] <= lows[:-1]).all() and (highs[1:] >= highs[:-1]).all()
    each = np.full(len(mixed(n)), 0.05)
    assert np.array_equal(means.interval(each), means.interval(0.05), equal_nan=True)


def test_trials_that_agree_are_refused_or_counted_but_never_of_zero_width() -> None:
    for x in (np.zeros((1, 24)), np.full((1, 24), 0.3), 0.3 + np.eye(24)[:1], 1e-9 * np.arange(24)[None]):
        assert np.isnan(mean_interval(x, 0.95, scale=1.0)).all()
        low, high = mean_interval(x, 0.95, largest=1.0, scale=1.0)
        assert low[0] < high[0] - 0.01
    # Two odd trials say something of their spread.
    assert not np.isnan(mean_interval(np.eye(24)[:1] + np.eye(24)[1:2], 0.95)).any()
    # No effect on n trials: a rule of three, as P(none of n | share) is 5 % at 3 / n.
    for n in (24, 60, 200):
        low, high = mean_interval(np.zeros((1, n)), 0.95, largest=1.0)
        assert high[0] == -low[0] == pytest.approx(3 / n, rel=0.15)


def test_refusals_say_how_many_trials_would_do() -> None:
    none, one = trial_means(np.zeros((3, 60))), trial_means(np.eye(60)[:2])
    assert unseen_share(0, 60) == pytest.approx(1 - 0.05 ** (1 / 60))
    assert "3 of 3 players have no interval over stimuli: all of the 60 trials" in refusal_text(none, "players")
    assert "Up to 4.9%" in refusal_text(none, "players") and "103 trials" in refusal_text(none, "players")
    assert "all but one of the 60 trials" in refusal_text(one, "players") and "300 trials" in refusal_text(one, "x")
    assert refusal_text(trial_means(mixed(24)[:5]), "players") == ""


def test_bad_values_are_told() -> None:
    for bad in (np.zeros((2, 1)), np.zeros(4), np.array([[0.0, np.nan]]), np.array([[0.0, np.inf]])):
        with pytest.raises(InputError, match=r"wanted|leave such"):
            trial_means(bad)
    with pytest.raises(StatisticsError, match="confidence"):
        mean_interval(np.zeros((2, 3)), 95)
    whole = np.array([[0, 1, 5, 2], [3, 3, 1, 0]])
    assert np.array_equal(mean_interval(whole, 0.9), mean_interval(whole.astype(float), 0.9))


def normal(rng: np.random.Generator, shape: tuple[int, int]) -> Array:
    return rng.normal(1, 1, shape)


def lognormal(rng: np.random.Generator, shape: tuple[int, int]) -> Array:
    return rng.lognormal(0, 1, shape)


def rare(rng: np.random.Generator, shape: tuple[int, int]) -> Array:
    return (rng.random(shape) < 0.1) * lognormal(rng, shape)


def heavy(rng: np.random.Generator, shape: tuple[int, int]) -> Array:
    return rng.standard_t(3, shape)


@pytest.mark.parametrize(
    ("draw", "truth", "of_t"),
    [(normal, 1.0, 0.94), (lognormal, np.exp(0.5), 0.82), (rare, 0.1 * np.exp(0.5), 0.5), (heavy, 0.0, 0.94)],
)
@pytest.mark.parametrize("n", [8, 12, 24, 60, 200])
def test_means_are_covered(draw: Callable[..., Array], truth: float, of_t: float, n: int) -> None:
    x = draw(np.random.default_rng(n), (4000, n))
    low, high = mean_interval(x, 0.95)
    known = ~np.isnan(low)
    covered = float(((low <= truth) & (truth <= high))[known].mean())
    assert (0.885 if n < 24 else 0.925) < covered <= (1.0 if draw is rare else 0.975)
    stderr, q = x.std(axis=1, ddof=1) / np.sqrt(n), scipy_stats.t.isf(0.025, n - 1)
    plain = float((np.abs(x.mean(axis=1) - truth) <= q * stderr).mean())
    assert plain >= of_t - 0.02 if n == 8 else plain < 0.97  # what t alone covers
    if draw is normal:
        wider = (high - low) / (2 * q * stderr)
        assert np.median(wider) < 1.001 and (n < 24 or wider.mean() < 1.03)


@pytest.mark.parametrize(("helps", "harms"), [(0.5, 0), (0.9, 0), (0.962, 0), (0.996, 0), (0.1, 0.1), (0.02, 0.02)])
@pytest.mark.parametrize("n", [6, 8, 12, 24, 60])
def test_effects_on_right_and_wrong_are_covered(helps: float, harms: float, n: int) -> None:
    """Summed over all counts of trials turned wrong and turned right."""
    counts = np.array([(a, b) for a in range(n + 1) for b in range(n + 1 - a)])
    place = np.arange(n)
    x = (place < counts[:, :1]) * 1.0 - ((place >= counts[:, :1]) & (place < counts.sum(axis=1, keepdims=True)))
    low, high = mean_interval(x, 0.95, largest=1.0)
    cells = np.column_stack([counts, n - counts.sum(axis=1)])
    weight = scipy_stats.multinomial.pmf(cells, n, [helps, harms, 1 - helps - harms])
    truth = helps - harms
    assert float(weight[(low <= truth) & (truth <= high)].sum()) > 0.935
    assert (high - low).min() > 0 and float(weight @ (np.clip(high, -1, 1) - np.clip(low, -1, 1))) < 4 / np.sqrt(n)
