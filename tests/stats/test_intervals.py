"""Intervals of proportions: against closed forms, and their coverage summed over the binomial distribution."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats as scipy_stats

from artiphys.errors import InputError, StatisticsError
from artiphys.stats.intervals import proportion_interval


def _coverage(p: float, n: int, confidence: float = 0.95) -> float:
    counts = np.arange(n + 1)
    low, high = proportion_interval(counts, n, confidence)
    return float(scipy_stats.binom.pmf(counts, n, p)[(low <= p) & (p <= high)].sum())


@pytest.mark.parametrize("p", [0.5, 0.9, 0.962, 0.996])
def test_a_proportion_is_covered_at_every_number_of_trials(p: float) -> None:
    each = np.array([_coverage(p, n) for n in range(6, 201)])
    assert each.min() > 0.90 and 0.945 < each.mean() < 0.98


def test_inside_it_is_jeffreys_and_at_the_edge_clopper_pearson() -> None:
    low, high = proportion_interval(np.array([7.0, 20.0]), 24, 0.9)
    assert low == pytest.approx(scipy_stats.beta.ppf(0.05, [7.5, 20.5], [17.5, 4.5]))
    assert high == pytest.approx(scipy_stats.beta.ppf(0.95, [7.5, 20.5], [17.5, 4.5]))
    exact = scipy_stats.binomtest(24, 24).proportion_ci(0.95, "exact")
    ends = proportion_interval(24, 24, 0.95)
    assert [float(e) for e in ends] == pytest.approx([exact.low, 1.0])
    assert 1 - np.array(proportion_interval(0, 24, 0.95))[::-1] == pytest.approx(np.array(ends).ravel())


def test_design_effects_count_fewer_trials_and_confidence_nests() -> None:
    assert np.allclose(proportion_interval(30, 40, 0.95, design_effect=2.0), proportion_interval(15, 20, 0.95))
    hits = np.linspace(0, 12, 49)
    low, high = zip(*(proportion_interval(hits, 12, c) for c in (0.5, 0.8, 0.95, 0.99)))
    assert (np.diff(low, axis=0) <= 0).all() and (np.diff(high, axis=0) >= 0).all()
    assert (np.diff(low[2]) >= 0).all() and (np.diff(high[2]) >= 0).all()
    assert (low[2] <= hits / 12).all() and (hits / 12 <= high[2]).all()
    ends = proportion_interval(3, 4, 0.95, design_effect=8.0)
    assert [float(end) for end in ends] == [0.0, 1.0]  # half a trial says nothing


def test_bad_counts_are_told() -> None:
    for hits, n in ((3, 0), (5, 4), (-1, 4), (np.nan, 4), (1, np.inf)):
        with pytest.raises(InputError, match="wanted"):
            proportion_interval(hits, n, 0.95)
    with pytest.raises(InputError, match="design_effect"):
        proportion_interval(3, 4, 0.95, design_effect=0.5)
    with pytest.raises(StatisticsError, match="confidence"):
        proportion_interval(3, 4, 95)
