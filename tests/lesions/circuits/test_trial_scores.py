"""Fieller's interval, verdicts and tests of members on trials of known distribution."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats as scipy_stats

from artiphys.lesions.circuits.trial_scores import TrialScores, member_table
from artiphys.stats.ratio_intervals import fieller, paired_p


@pytest.mark.many_runs
@pytest.mark.parametrize(("n", "gap"), [(12, 1.5), (32, 0.8), (64, 0.5)])
def test_fieller_holds_where_the_gap_is_weak(n: int, gap: float) -> None:
    rng = np.random.default_rng(n)
    ratio, runs, inside = 0.9, 4000, 0
    for _ in range(runs):
        whole = rng.normal(gap, 1, n)
        part = ratio * whole + rng.normal(0, 0.5, n)
        low, high = fieller(part, whole, 0.95)
        inside += low <= ratio <= high
    # An unbounded interval holds too; coverage is that of the t-test behind it.
    assert inside / runs == pytest.approx(0.95, abs=4 * math.sqrt(0.95 * 0.05 / runs) + 0.025)


def test_fieller_is_the_set_of_ratios_that_a_t_test_keeps() -> None:
    rng = np.random.default_rng(0)
    whole = rng.normal(2, 1, 20)
    part = 0.8 * whole + rng.normal(0, 0.3, 20)
    low, high = fieller(part, whole, 0.95)
    for end in (low, high):
        assert scipy_stats.ttest_1samp(part - end * whole, 0).pvalue == pytest.approx(0.05, abs=1e-6)
    assert fieller(part, rng.normal(0, 1, 20), 0.95) == (-math.inf, math.inf)
    assert fieller(part[:1], whole[:1], 0.95) == (-math.inf, math.inf)


def test_paired_p_is_the_t_test_and_certain_without_noise() -> None:
    x = np.random.default_rng(1).normal(0.3, 1, (3, 15))
    assert paired_p(x) == pytest.approx(scipy_stats.ttest_1samp(x, 0, axis=1).pvalue)
    assert paired_p(np.array([[2.0, 2.0], [0.0, 0.0]])).tolist() == [0.0, 1.0]


def scores(mean: float, noise: float, n: int = 40) -> TrialScores:
    rng = np.random.default_rng(0)
    circuit = mean + noise * scipy_stats.norm.ppf((np.arange(n) + 0.5) / n)
    return TrialScores(rng.permutation(circuit), np.ones(n), np.zeros(n), mean, None, n)


def test_verdicts_follow_the_intervals() -> None:
    assert scores(1.0, 0.02).verdict(0.95, "mean", False) == "sufficient"
    assert scores(0.7, 0.1).verdict(0.95, "mean", False) == "refuted"
    assert scores(1.3, 0.1).verdict(0.95, "mean", False) == "refuted"
    assert scores(1.3, 0.1).verdict(0.95, "mean", True) == "sufficient"
    assert scores(0.97, 0.5).verdict(0.95, "mean", False) == "undecided"
    # The mean is right and every trial is wrong.
    wrong = scores(1.0, 0.9)
    assert wrong.verdict(0.9, "trials", False) == "refuted" and wrong.fidelity < 0.5


def test_members_are_confirmed_by_paired_tests_with_holm() -> None:
    rng = np.random.default_rng(0)
    circuit = rng.normal(1, 0.3, 40)
    without = np.stack([circuit - rng.normal(0.5, 0.2, 40), circuit - rng.normal(0, 0.2, 40)])
    found = member_table(["a", "b"], circuit, without, certain=False, noise=1e-9)
    assert found.loc["a", "confirmed"] and not found.loc["b", "confirmed"]
    assert found.loc["a", "effect"] == pytest.approx((circuit - without[0]).mean())
    certain = member_table(["a", "b"], circuit[:4], np.stack([circuit[:4] - 1, circuit[:4]]), certain=True, noise=1e-9)
    assert certain["confirmed"].tolist() == [True, False] and certain["p_holm"].isna().all()
