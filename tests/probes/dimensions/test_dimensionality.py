"""Dimensionality: closed forms, brute force, bias of few trials, coverage, and refusals in words."""

from __future__ import annotations

from itertools import permutations
from typing import Any

import numpy as np
import pytest
import xarray as xr

import artiphys as ap
from artiphys import plotting
from artiphys.errors import ArtiphysError, StatisticsError
from artiphys.probes.dimensions.participation import participation_ratio


def test_unbiased_parts_by_brute_force_over_four_trials() -> None:
    rng = np.random.default_rng(0)
    x = rng.gamma(1.0, size=(7, 3)) + 5
    square, trace = [], []
    for i, j, k, m in permutations(range(7), 4):
        a, b = x[i] - x[j], x[k] - x[m]
        square.append((a @ b) ** 2 / 4)
        trace.append((a @ a) * (b @ b) / 4)
    assert participation_ratio(x).corrected == pytest.approx(np.mean(trace) / np.mean(square), rel=1e-10)
    s = np.cov(x.T)
    assert participation_ratio(x).naive == pytest.approx(np.trace(s) ** 2 / np.trace(s @ s))


@pytest.mark.parametrize("groups", [None, np.repeat(np.arange(6), 4)])
def test_jackknife_by_brute_force(groups: Any) -> None:
    x = np.random.default_rng(1).normal(size=(24, 4))
    each = np.arange(24) if groups is None else groups
    left = np.log([participation_ratio(x[each != g]).corrected for g in np.unique(each)])
    m = len(left)
    wanted = np.sqrt((m - 1) / m * ((left - left.mean()) ** 2).sum())
    assert participation_ratio(x, groups).log_stderr == pytest.approx(wanted, rel=1e-9)


def test_isotropic_noise_fills_all_units_however_few_the_trials() -> None:
    """Naive: (p^2 + 2 p / v) / (p (1 + 1 / v) + p^2 / v) of v = n - 1, by moments of the Wishart distribution."""
    for n, p in ((20, 50), (100, 50), (40, 400)):
        found = [participation_ratio(np.random.default_rng(s).normal(size=(n, p))) for s in range(60)]
        v = n - 1
        naive = (p**2 + 2 * p / v) / (p * (1 + 1 / v) + p**2 / v)
        assert np.mean([f.naive for f in found]) == pytest.approx(naive, rel=0.02)
        assert np.median([f.corrected for f in found]) == pytest.approx(p, rel=0.05)


@pytest.mark.many_runs
def test_interval_of_the_participation_ratio_covers() -> None:
    """Counts of unequal variance, not Gaussian, with fewer trials than units."""
    rng = np.random.default_rng(0)
    rates = rng.gamma(1.0, 4.0, size=60)
    loading = rng.normal(size=60) * 0.5
    big = rates * (1 + (loading**2) * rates)
    c = np.outer(loading * rates, loading * rates)
    np.fill_diagonal(c, big)
    truth = np.trace(c) ** 2 / np.trace(c @ c)
    covered, values = [], []
    for seed in range(300):
        rng = np.random.default_rng(seed)
        x = (
            rates
            + np.sqrt(rates) * rng.normal(size=(40, 60))
            + rng.uniform(-(3**0.5), 3**0.5, (40, 1)) * loading * rates
        )
        f = ap.dimensionality(x, n_bootstrap=0)
        low, high = f.interval()
        covered.append(low <= truth <= high)
        values.append(f.participation_ratio)
    assert np.median(values) == pytest.approx(truth, rel=0.06)
    assert 0.9 <= np.mean(covered) <= 0.985


def planted(rng: np.random.Generator, n_stimuli: int, repeats: int, sd: Any, noise: float) -> tuple[Any, Any]:
    """Stimuli along known axes with known standard deviations, and independent noise."""
    sd = np.asarray(sd)
    axes = np.linalg.qr(np.random.default_rng(9).normal(size=(40, len(sd))))[0]
    signal = rng.normal(size=(n_stimuli, len(sd))) * sd @ axes.T
    s = np.tile(np.arange(n_stimuli), repeats)
    return signal[s] + noise * rng.normal(size=(len(s), 40)), s


def test_shared_variance_leaves_noise_out() -> None:
    sd = np.array([3.0, 2.0, 1.0])
    found = [ap.dimensionality(*planted(np.random.default_rng(s), 100, 4, sd, 1.0), n_bootstrap=0) for s in range(15)]
    shared = np.mean([np.asarray(f.shared) for f in found], axis=0)
    np.testing.assert_allclose(shared[:3], sd**2, rtol=0.2)  # noise in the axes costs the third most
    assert np.abs(shared[3:]).max() < 0.05
    assert np.mean([float(f.variance[3:].sum()) for f in found]) > 30  # noise, which ordinary PCA counts
    assert np.mean([f.shared_total for f in found]) == pytest.approx(14, rel=0.08)
    pure = ap.dimensionality(np.random.default_rng(0).normal(size=(300, 40)), np.tile(np.arange(100), 3), n_bootstrap=0)
    assert pure.shared is not None and abs(float(pure.shared.sum())) < 3


def test_power_law_and_spectrum_intervals() -> None:
    sd = np.arange(1, 21) ** -0.5
    f = ap.dimensionality(*planted(np.random.default_rng(0), 400, 2, sd, 0.02), n_bootstrap=40)
    assert f.power_law(1, 15) == pytest.approx(1, abs=0.1)
    low, high = f.spectrum_interval(shared=True)
    inside = (low.to_numpy()[:15] <= sd[:15] ** 2) & (sd[:15] ** 2 <= high.to_numpy()[:15])
    assert inside.mean() > 0.8
    with pytest.raises(StatisticsError, match="sunk into noise"):
        ap.dimensionality(*planted(np.random.default_rng(0), 50, 2, [1.0], 1.0), n_bootstrap=0).power_law()
    table = f.to_dataframe()
    assert len(table) == 40 and {"share", "shared_stderr"} <= set(table) and table.share.sum() == pytest.approx(1)
    assert "Stringer" in f.methods_text() and "participation ratio" in repr(f)


def test_scale_and_place_do_not_matter() -> None:
    x = np.random.default_rng(0).normal(size=(30, 5))
    a, b = ap.dimensionality(x, n_bootstrap=0), ap.dimensionality(1e-6 * x + 3, n_bootstrap=0)
    assert a.participation_ratio == pytest.approx(b.participation_ratio, rel=1e-4)
    assert ap.dimensionality(np.round(x * 10).astype(int), n_bootstrap=0).n_units == 5


def test_bad_input_says_what_to_do() -> None:
    rng = np.random.default_rng(0)
    x = rng.normal(size=(40, 3))
    cases: list[tuple[Any, dict[str, Any], str]] = [
        (rng.normal(size=(40, 5, 3)), {}, "choose a time"),
        (x[:5], {}, "at least 6 trials"),
        (np.ones((40, 3)), {}, "same on all trials"),
        (np.full((40, 3), np.nan), {}, "NaN or infinite"),
        (x, {"stimulus": np.arange(40) % 2}, "three values"),
        (x, {"stimulus": np.arange(40)}, "rarest 1 trials"),
        (x, {"stimulus": np.arange(40) % 4, "n_splits": 0}, "at least 1"),
        (x, {"groups": np.arange(40) % 2}, "at least three"),
        (x, {"n_bootstrap": -1}, "0 or more"),
        (xr.DataArray(x, dims=("trial", "unit"), coords={"session": ("trial", np.arange(40) // 10)}), {}, "groups="),
    ]
    for activity, options, message in cases:
        with pytest.raises(ArtiphysError, match=message):
            ap.dimensionality(activity, **options)
    f = ap.dimensionality(x, n_bootstrap=0)
    for call in (f.spectrum_interval, f.power_law):
        with pytest.raises(StatisticsError, match="call dimensionality with"):
            call()


def test_plot_shows_both_spectra() -> None:
    f = ap.dimensionality(*planted(np.random.default_rng(0), 60, 4, [3, 2, 1.0], 1.0), n_bootstrap=30)
    ax = plotting.plot_dimensionality(f)
    ax.figure.canvas.draw()
    np.testing.assert_allclose(np.asarray(ax.get_lines()[0].get_ydata()), f.variance)
    assert f.shared is not None
    drawn = sum(len(np.asarray(line.get_ydata())) for line in ax.get_lines())
    assert drawn == len(f.variance) + int((f.shared > 0).sum())
    ax = plotting.plot_dimensionality(ap.dimensionality(np.random.default_rng(0).normal(size=(30, 5)), n_bootstrap=0))
    ax.figure.canvas.draw()
