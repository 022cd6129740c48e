"""Detection: closed forms, intervals that cover, choice probability, corrections for extreme rates."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import xarray as xr
from scipy.stats import norm

import artiphys as ap
from artiphys.errors import ArtiphysError, StatisticsError
from artiphys.probes import signal_detection


def test_d_prime_and_d_a_by_hand() -> None:
    rng = np.random.default_rng(0)
    y = np.arange(70) < 20
    x = rng.normal(size=(70, 3)) * np.where(y, 2.0, 1.0)[:, None] + y[:, None]
    d = ap.detectability(x, y, n_permutations=0)
    one, none = x[y], x[~y]
    gap = one.mean(0) - none.mean(0)
    pooled = (19 * one.var(0, ddof=1) + 49 * none.var(0, ddof=1)) / 68
    np.testing.assert_allclose(d.d_prime, gap / np.sqrt(pooled))
    np.testing.assert_allclose(d.d_a, gap / np.sqrt((one.var(0, ddof=1) + none.var(0, ddof=1)) / 2))
    flipped = ap.detectability(x, y, signal=False, n_permutations=0)
    np.testing.assert_allclose(flipped.auc, 1 - d.auc)
    assert (flipped.signal, flipped.noise, flipped.n_signal) == ("False", "True", 50)


@pytest.mark.parametrize(("n1", "n0", "sd"), [(20, 20, 1.0), (15, 60, 2.0)])
@pytest.mark.parametrize("d", [0.0, 1.0, 2.5])
def test_intervals_cover(n1: int, n0: int, sd: float, d: float) -> None:
    rng = np.random.default_rng(0)
    y = np.arange(n1 + n0) < n1
    x = rng.normal(size=(n1 + n0, 3000)) * np.where(y, sd, 1.0)[:, None] + d * y[:, None]
    found = ap.detectability(x, y, n_permutations=0)
    truth = {"auc": norm.cdf(d / np.sqrt(1 + sd**2)), "d_a": d / np.sqrt((1 + sd**2) / 2)}
    for what, value in truth.items():
        low, high = found.interval(what)
        assert 0.92 <= float(((low <= value) & (value <= high)).mean()) <= 0.98, what


def test_choice_probability_is_taken_within_stimuli() -> None:
    """A unit tuned to the stimulus and nothing else: pooled it predicts the choice, within stimuli it does not."""
    rng = np.random.default_rng(0)
    stimulus = np.arange(600) % 3
    choice = rng.uniform(size=600) < np.array([0.2, 0.5, 0.8])[stimulus]
    x = xr.DataArray(
        np.column_stack([2.0 * stimulus, choice]) + rng.normal(size=(600, 2)),
        dims=("trial", "unit"), coords={"stimulus": ("trial", stimulus)},
    )  # fmt: skip
    pooled = ap.detectability(x, choice, n_permutations=0)
    within = ap.detectability(x, choice, within="stimulus", n_permutations=200)
    assert float(pooled.auc[0]) > 0.65
    assert float(within.auc[0]) == pytest.approx(0.5, abs=0.06) and float(within.p_value[0]) > 0.05  # type: ignore[index]
    assert float(within.auc[1]) == pytest.approx(norm.cdf(1 / np.sqrt(2)), abs=0.06)
    assert within.scheme == "within groups" and "choice probability" in within.methods_text()
    by_hand = [ap.detectability(x[stimulus == s], choice[stimulus == s], n_permutations=0).auc for s in range(3)]
    weight = [c.sum() * (1 - c).sum() / len(c) for c in (choice[stimulus == s] for s in range(3))]
    np.testing.assert_allclose(within.auc, np.average(by_hand, axis=0, weights=weight))
    lopsided = np.where(stimulus == 0, False, choice)
    with pytest.warns(UserWarning, match="1 of 3 stimuli"):
        assert ap.detectability(x, lopsided, within="stimulus", n_permutations=0).within == 2


def test_null_is_pooled_over_many_units_and_fdr_finds() -> None:
    rng = np.random.default_rng(0)
    y = np.arange(80) % 2
    x = rng.normal(size=(80, 300))
    x[:, :10] += 1.8 * y[:, None]
    d = ap.detectability(x, y, n_permutations=200)
    assert "pooled over 300 units" in d.scheme
    assert (d.p_fdr[:10] < 0.05).all() and float((d.p_fdr[10:] < 0.05).mean()) < 0.03


def test_signal_detection_of_counts() -> None:
    s = signal_detection([75, 100], [25, 0], [40, 0], [60, 100], correction="none")
    assert float(s.d_prime[0]) == pytest.approx(norm.ppf(0.75) - norm.ppf(0.4))
    assert float(s.criterion[0]) == pytest.approx(-(norm.ppf(0.75) + norm.ppf(0.4)) / 2)
    assert float(s.likelihood_ratio[0]) == pytest.approx(norm.pdf(norm.ppf(0.75)) / norm.pdf(norm.ppf(0.4)))
    assert np.isinf(s.d_prime[1])
    corrected = signal_detection(100, 0, 0, 100)
    assert float(corrected.d_prime) == pytest.approx(2 * norm.ppf(100.5 / 101))
    halved = signal_detection(100, 0, 0, 100, correction="half")
    assert float(halved.d_prime) == pytest.approx(2 * norm.ppf(0.995))
    rng = np.random.default_rng(0)
    many = signal_detection(h := rng.binomial(100, 0.8, 4000), 100 - h, f := rng.binomial(100, 0.3, 4000), 100 - f)
    low, high = many.interval()
    truth = norm.ppf(0.8) - norm.ppf(0.3)
    assert 0.93 <= np.mean((low <= truth) & (truth <= high)) <= 0.97
    with pytest.raises(ArtiphysError, match="0 or more"):
        signal_detection(-1, 1, 1, 1)


def test_population_of_two_units_by_hand_and_its_refusals() -> None:
    rng = np.random.default_rng(0)
    y = np.arange(400) % 2
    noise = rng.normal(size=(400, 1))
    x = np.column_stack([y + 2 * noise[:, 0], 2 * noise[:, 0] + 0.5 * rng.normal(size=400)])
    found = ap.detectability(x, y, n_permutations=0).population()
    # S = [[4, 4], [4, 4.25]]: d'^2 = S^-1[0, 0] = 4.25 / (4 * 4.25 - 16) = 4.25, with the signal in the first alone
    assert found.d_prime_squared == pytest.approx(4.25, abs=1.0) and found.p_value < 1e-10
    low, high = found.interval()
    assert low < 4.25 < high and found.d_prime == pytest.approx(np.sqrt(found.d_prime_squared))
    wide = ap.detectability(rng.normal(size=(20, 30)), np.arange(20) % 2, n_permutations=0)
    with pytest.raises(StatisticsError, match="20 trials cannot tell the covariance of 30 units"):
        wide.population()
    twice = ap.detectability(np.column_stack([x, x[:, 0]]), y, n_permutations=0)
    with pytest.raises(StatisticsError, match="singular"):
        twice.population()


def test_recordings_constant_units_and_bad_input() -> None:
    toy = ap.toys.load("suppressor")
    rec = ap.record(ap.wrap(toy), toy.stimuli[:100], ["hidden", "readout"])
    d = ap.detectability(rec, "label", n_permutations=0)
    assert d.auc.dims == ("unit",) and d.auc["site"].values.tolist() == ["hidden", "hidden", "readout"]
    still = ap.detectability(np.ones((20, 2)), np.arange(20) % 2, n_permutations=20)
    assert (still.auc == 0.5).all() and (still.d_prime == 0).all() and (still.p_value == 1).all()  # type: ignore[union-attr]
    x = np.random.default_rng(0).normal(size=(20, 2))
    cases: list[tuple[Any, dict[str, Any], str]] = [
        (np.arange(20) % 3, {}, "3 values"),
        ([1] + [0] * 19, {}, "single trial"),
        (np.arange(20) % 2, {"signal": 7}, "no condition '7'"),
        (np.arange(20) % 2, {"within": np.arange(20)}, "two trials of each choice"),
    ]
    for labels, options, message in cases:
        with pytest.raises(ArtiphysError, match=message):
            ap.detectability(x, labels, n_permutations=0, **options)
    grouped = xr.DataArray(x, dims=("trial", "unit"), coords={"session": ("trial", np.arange(20) // 5)})
    with pytest.raises(StatisticsError, match="groups='session'"):
        ap.detectability(grouped, np.arange(20) % 2)


def test_perfect_separation_is_not_certain_nor_ignorant() -> None:
    """20 of 20 each: an AUC below .025 ** (1 / 20) = .83 would rarely look perfect."""
    y = np.arange(40) % 2
    x = (y + np.random.default_rng(0).normal(0, 0.01, 40))[:, None]
    found = ap.detectability(np.hstack([x, -x]), y, n_permutations=0)
    low, high = found.interval("auc")
    assert float(low[0]) == pytest.approx(0.025 ** (1 / 20)) and float(high[0]) == 1
    assert float(low[1]) == 0 and float(high[1]) == pytest.approx(1 - 0.025 ** (1 / 20))


def test_a_threshold_counts_the_trials_that_are_compared() -> None:
    rng = np.random.default_rng(0)
    stimulus, y = np.repeat([0, 1, 2], [40, 40, 20]), np.r_[np.arange(80) % 2, np.ones(20, dtype=int)]
    with pytest.warns(UserWarning, match="left out"):
        d = ap.detectability(rng.normal(size=(100, 2)), y, within=stimulus, n_permutations=0)
    assert d.at(-100.0).hit_rate.tolist() == [40.5 / 41] * 2
    for wrong in (np.nan, "a", np.zeros(5)):
        with pytest.raises(ArtiphysError, match="wanted a number"):
            d.at(wrong)
    scalar = signal_detection([10, 15], 5, 3, 12)
    assert scalar.d_prime.shape == (2,) and len(scalar.to_dataframe()) == 2
    with pytest.raises(ArtiphysError, match="one shape"):
        signal_detection([1, 2], [1, 2, 3], 1, 1)


def test_choice_probability_in_several_sessions() -> None:
    """Sessions with offsets of their own: choices are exchanged between trials of one stimulus and one session."""
    rng = np.random.default_rng(0)
    hits = []
    for seed in range(40):
        session, stimulus = np.arange(160) // 40, np.arange(160) % 2
        bias = rng.uniform(0.2, 0.8, size=4)[session]  # sessions differ in choices and in activity
        choice = (rng.uniform(size=160) < bias).astype(int)
        x = rng.normal(size=(160, 3)) + 3 * stimulus[:, None] + 2 * bias[:, None] * np.array([1, 1, 0])
        d = ap.detectability(x, choice, within=stimulus, groups=session, n_permutations=59, seed=seed)
        assert d.p_value is not None and d.scheme == "within groups"
        hits.append(d.p_value.to_numpy() <= 0.05)
    assert np.mean(hits) <= 0.05 + 4 * np.sqrt(0.05 * 0.95 / 120)
    told = x + 1.5 * choice[:, None]
    strong = ap.detectability(told, choice, within=stimulus, groups=session, n_permutations=199)
    assert strong.p_value is not None and (strong.p_value <= 0.02).all()


def test_tables_name_units_and_times() -> None:
    rng = np.random.default_rng(0)
    data = xr.DataArray(
        rng.normal(size=(20, 2, 3)),
        dims=("trial", "time", "unit"),
        coords={"time": [0.1, 0.2], "unit": ["a", "b", "c"], "depth": ("unit", [10, 20, 30])},
    )
    table = ap.detectability(data, np.arange(20) % 2, n_permutations=0).to_dataframe()
    assert table["time"].tolist() == [0.1] * 3 + [0.2] * 3 and table["unit"].tolist() == list("abc") * 2
    assert table["depth"].tolist() == [10, 20, 30] * 2 and {"d_prime", "auc_low"} <= set(table)
