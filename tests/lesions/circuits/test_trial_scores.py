"""Fieller's interval, verdicts and tests of members on trials of known distribution."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from scipy import stats as scipy_stats

from artiphys.lesions.circuits.trial_scores import TrialScores, member_table
from artiphys.stats.ratio_intervals import fieller, paired_p, ratio_interval
from artiphys.stats.trial_means import trial_means


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


def test_paired_p_is_the_t_test_of_trials_without_skew_and_near_a_sign_test_of_trials_that_agree() -> None:
    half = np.random.default_rng(1).normal(size=(3, 8))
    x = np.concatenate([half, -half], axis=1) + 0.3
    assert paired_p(x) == pytest.approx(scipy_stats.ttest_1samp(x, 0, axis=1).pvalue)
    for n in (6, 8, 12):
        agree = paired_p(np.stack([np.full(n, 2.0), np.zeros(n)]))
        assert 0.5 < agree[0] / scipy_stats.binomtest(n, n).pvalue < 3 and agree[1] == 1.0


def test_ratios_are_those_that_no_test_rejects() -> None:
    rng = np.random.default_rng(0)
    whole = rng.lognormal(0, 1, 30)
    part = 0.9 * whole + rng.lognormal(0, 0.5, 30) - 1
    low, high = ratio_interval(part, whole, 0.95)
    for end, inside in ((low, 1e-6), (high, -1e-6)):
        assert mean_p(part - (end + inside) * whole) >= 0.05 > mean_p(part - (end - inside) * whole)
    symmetric = np.concatenate([whole, whole + 1]), np.concatenate([part, part + 1])
    assert ratio_interval(*symmetric, 0.5)[0] >= ratio_interval(*symmetric, 0.9)[0]  # nested
    assert ratio_interval(part, rng.normal(0, 1, 30), 0.95) == (-math.inf, math.inf)
    assert ratio_interval(part[:1], whole[:1], 0.95) == (-math.inf, math.inf)


def mean_p(values: Any) -> float:
    return float(trial_means(values[None]).p_values()[0])


@pytest.mark.many_runs
@pytest.mark.parametrize("n", [12, 24, 60])
def test_faithfulness_of_right_and_wrong_answers_is_covered(n: int) -> None:
    """A circuit that errs on 3 % of trials and mostly agrees with the network on all trials held out: not [1, 1]."""
    rng = np.random.default_rng(n)
    intact = rng.random((600, n)) < 0.95
    lesioned = rng.random((600, n)) < 0.5
    circuit = intact ^ (rng.random((600, n)) < 0.03)
    truth = (0.95 * 0.97 + 0.05 * 0.03 - 0.5) / 0.45
    ends = [
        TrialScores(s * 1.0, c * 1.0, e * 1.0, 1.0, None, n, 1.0).interval(0.95, "mean")
        for s, c, e in zip(circuit, intact, lesioned)
    ]
    plain = [fieller(s * 1.0 - e, c * 1.0 - e, 0.95) for s, c, e in zip(circuit, intact, lesioned)]
    covered, plainly = (np.mean([low <= truth <= high for low, high in found]) for found in (ends, plain))
    assert covered >= 0.95 and min(high - low for low, high in ends) > 0.1
    assert plainly < 0.9  # Fieller's alone


def test_what_holds_on_few_trials_alike_is_not_sufficient_yet() -> None:
    ones, none = np.ones(24), np.zeros(24)
    same = TrialScores(ones, ones, none, 1.0, None, 24, 1.0)
    low, high = same.interval(0.95, "mean")
    assert 0.7 < low < 0.9 and high > 1 and same.verdict(0.95, "mean", False) == "undecided"
    assert same.verdict(0.7, "mean", True) == "sufficient"
    many = TrialScores(np.ones(400), np.ones(400), np.zeros(400), 1.0, None, 400, 1.0)
    assert many.verdict(0.95, "mean", False) == "sufficient"
    assert many.interval(0.95, "trials")[1] == 1.0


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
