"""Signal and noise correlations and Fano factors: closed forms, bias, coverage, calibrated p-values, refusals."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import xarray as xr

import artiphys as ap
from artiphys import plotting
from artiphys.errors import ArtiphysError, InputError, StatisticsError

ANGLES = np.arange(8) / 8 * 2 * np.pi


def tuned(rng: np.random.Generator, n: int, rho: float, phases: Any, scale: float = 1.0) -> tuple[Any, Any]:
    """Cosine tuning, so that the signal correlation is cos(phase difference), and noise of correlation rho."""
    phases = np.asarray(phases)
    s = np.tile(np.arange(8), n)
    noise = np.sqrt(rho) * rng.normal(size=(8 * n, 1)) + np.sqrt(1 - rho) * rng.normal(size=(8 * n, len(phases)))
    return scale * np.cos(ANGLES[s][:, None] - phases) + noise, s


def test_noise_correlation_is_the_mean_within_stimuli_by_hand() -> None:
    rng = np.random.default_rng(0)
    s = np.repeat([0, 1, 2], [10, 20, 30])
    x = rng.normal(size=(60, 3)) * np.array([1, 5, 0.1])[s][:, None] + 100 * s[:, None]
    x[:, 1] += x[:, 0]
    each = [np.corrcoef(x[s == k].T) for k in range(3)]
    pooled = np.average(each, axis=0, weights=[9, 19, 29])
    wanted = pooled * (1 + (1 - pooled**2) * 3 / (2 * 57))
    found = ap.correlations(x, s)
    off = ~np.eye(3, dtype=bool)
    np.testing.assert_allclose(found.noise.to_numpy()[off], wanted[off], rtol=1e-10)
    assert (found.noise_df.to_numpy()[off] == 57).all() and np.isnan(np.diag(found.noise)).all()
    assert found.mean_noise == pytest.approx(wanted[off].mean())
    low, high = found.interval("noise")
    z = np.arctanh(wanted[0, 1]) + 1.959964 * (1 + 3 / 114) / np.sqrt(55) * np.array([-1, 1])
    np.testing.assert_allclose([low[0, 1], high[0, 1]], np.tanh(z), rtol=1e-5)


@pytest.mark.many_runs
@pytest.mark.parametrize("rho", [0.0, 0.4])
def test_noise_intervals_cover_and_p_is_calibrated(rho: float) -> None:
    covered, means, mean_covered, p, p_mean = [], [], [], [], []
    off = np.triu_indices(4, 1)
    for seed in range(150):
        x, s = tuned(np.random.default_rng(seed), 8, rho, [0, 1, 2, 3])
        found = ap.correlations(x, s, n_permutations=39 if seed < 100 else 0, seed=seed)
        low, high = (a.to_numpy()[off] for a in found.interval("noise"))
        covered.append((low <= rho) & (rho <= high))
        means.append(found.noise.to_numpy()[off])
        ends = found.mean_interval()
        mean_covered.append(ends[0] <= rho <= ends[1])
        if found.noise_p is not None:
            p.append(found.noise_p.to_numpy()[off] <= 0.05)
            p_mean.append(found.mean_noise_p <= 0.05)
    assert 0.92 <= np.mean(covered) <= 0.98 and 0.89 <= np.mean(mean_covered) <= 0.99
    assert np.mean(means) == pytest.approx(rho, abs=0.02)
    if rho == 0:
        assert np.mean(p) <= 0.09 and np.mean(p_mean) <= 0.12
    else:
        assert np.mean(p) > 0.7 and np.mean(p_mean) > 0.95


@pytest.mark.many_runs
def test_signal_correlation_is_not_made_by_noise_nor_lost_in_it() -> None:
    """Curves estimated from 5 trials: noise attenuates what is 1, and shared noise correlates what is not."""
    same, orthogonal, naive_same, naive_orthogonal, p, covered = [], [], [], [], [], []
    for seed in range(300):
        x, s = tuned(np.random.default_rng(seed), 5, 0.6, [0, 0, np.pi / 2])
        found = ap.correlations(x, s)
        curves = np.corrcoef(np.array([x[s == k].mean(axis=0) for k in range(8)]).T)
        same.append(found.signal.values[0, 1])
        orthogonal.append(found.signal.values[0, 2])
        naive_same.append(curves[0, 1])
        naive_orthogonal.append(curves[0, 2])
        p.append(found.signal_p.values[0, 2] <= 0.05)
        low, high = found.interval("signal")
        covered.append((low.values[0, 1] <= 1 <= high.values[0, 1], low.values[0, 2] <= 0 <= high.values[0, 2]))
    assert np.mean(naive_same) < 0.95 and np.mean(naive_orthogonal) > 0.09
    assert np.nanmedian(same) == pytest.approx(1, abs=0.06) and np.nanmedian(orthogonal) == pytest.approx(0, abs=0.08)
    assert np.mean(p) <= 0.09 and np.mean(covered) >= 0.9


def test_jackknife_by_brute_force() -> None:
    from artiphys.probes.covariability.signal_correlation import signal_correlation
    from artiphys.probes.covariability.strata import Strata

    rng = np.random.default_rng(1)
    s = np.repeat(np.arange(4), [3, 4, 5, 6])
    x = rng.normal(size=(18, 2)) * 0.3 + np.array([[0, 0], [1, 2], [2, 1], [3, 4]])[s]

    def estimate(rows: Any) -> float:
        k = range(4)
        curves = np.array([x[rows & (s == c)].mean(axis=0) for c in k])
        noise = np.mean([np.cov(x[rows & (s == c)].T) / (rows & (s == c)).sum() for c in k], axis=0)
        c = np.cov(curves.T) - noise
        return float(c[0, 1] / np.sqrt(c[0, 0] * c[1, 1]))

    found = signal_correlation(Strata.of(x, s, None))
    assert found.r[0, 1] == pytest.approx(estimate(np.ones(18, dtype=bool)))
    variance = 0.0
    for c in range(4):
        left = np.array([estimate(np.arange(18) != t) for t in np.flatnonzero(s == c)])
        m = len(left)
        variance += (m - 1) / m * ((left - left.mean()) ** 2).sum()
    assert found.stderr[0, 1] == pytest.approx(np.sqrt(variance), rel=1e-9)


def test_untuned_units_have_no_signal_correlation() -> None:
    rng = np.random.default_rng(3)
    x = rng.normal(size=(400, 20))
    found = ap.correlations(x, np.arange(400) % 8)
    untuned = found.reliability.to_numpy() <= 0
    assert untuned.any() and np.isnan(found.signal.to_numpy()[untuned]).all()
    sure = found.signal_p_fdr.to_numpy() < 0.05
    assert not sure.any()


@pytest.mark.many_runs
def test_fano_factors_of_poisson_and_negative_binomial_counts() -> None:
    """Negative binomial of mean m and shape r: 1 + m / r."""
    p, fano, covered = [], [], []
    for seed in range(60):
        rng = np.random.default_rng(seed)
        s = np.repeat(np.arange(5), 30)
        m = np.array([0.3, 1, 2, 4, 8])[s][:, None] * np.ones(6)
        x = rng.poisson(m).astype(float)
        x[:, 3:] = rng.poisson(rng.gamma(3.0, 1 / 3.0, size=(150, 3)) * m[:, 3:])
        found = ap.correlations(x, s, n_permutations=39, seed=seed)
        assert found.fano_p is not None
        p.append(found.fano_p.to_numpy() <= 0.05)
        fano.append(found.fano_factors())
        low, high = (a.to_numpy() for a in found.interval("fano"))
        truth = np.where(np.arange(6) < 3, 1.0, 1 + np.mean([0.3, 1, 2, 4, 8]) / 3)
        covered.append((low <= truth) & (truth <= high))
    np.testing.assert_allclose(np.mean(fano, axis=0), truth, rtol=0.06)
    assert np.mean(p, axis=0)[:3].mean() <= 0.1 and np.mean(p, axis=0)[3:].min() > 0.9
    assert np.mean(covered) >= 0.9


def test_fano_factor_by_hand_and_only_of_counts() -> None:
    x = np.array([[1, 0], [3, 0], [5, 0], [2, 0], [2, 1], [8, 0]])
    found = ap.correlations(np.tile(x, (2, 1)), ["a", "a", "a", "b", "b", "b"] * 2)
    a, b = np.tile(x[:3, 0], 2), np.tile(x[3:, 0], 2)
    assert float(found.fano_factors()[0]) == pytest.approx((a.var(ddof=1) / a.mean() + b.var(ddof=1) / b.mean()) / 2)
    assert float(found.fano_factors()[1]) == pytest.approx(np.array([0, 1, 0, 0, 1, 0]).var(ddof=1) * 3)
    rng = np.random.default_rng(0)
    for bad in (rng.normal(size=(40, 2)), rng.poisson(3, (40, 2)) * 0.5, rng.poisson(3, (40, 2)) - 1):
        with pytest.raises(InputError, match="give counts"):
            ap.correlations(bad, np.arange(40) % 2).fano_factors()


def test_differences_between_sessions_are_no_noise() -> None:
    rng = np.random.default_rng(0)
    session, s = np.repeat(np.arange(6), 40), np.tile(np.arange(4), 60)
    x = rng.normal(size=(240, 2)) + 3 * rng.normal(size=(6, 1))[session]
    with pytest.warns(UserWarning, match="2 of 2 units drift"):
        assert float(ap.correlations(x, s).noise[0, 1]) > 0.6
    found = ap.correlations(x, s, groups=session, n_permutations=99)
    assert abs(float(found.noise[0, 1])) < 0.2 and float(found.noise_df[0, 1]) == 240 - 24
    assert "stimulus and group" in found.methods_text()
    data = xr.DataArray(x, dims=("trial", "unit"), coords={"session": ("trial", session)})
    with pytest.raises(StatisticsError, match="pass groups='session'"):
        ap.correlations(data, s)
    with pytest.raises(StatisticsError, match="cannot be told from the stimuli"):
        ap.correlations(x, session % 3, groups=session)


def test_tables_names_and_words() -> None:
    rng = np.random.default_rng(0)
    data = xr.DataArray(rng.poisson(4, (120, 8)), dims=("trial", "neuron"), coords={"neuron": list("abcdefgh")})
    found = ap.correlations(data.assign_coords(side=("trial", np.arange(120) % 3)), "side", n_permutations=50)
    table = found.to_dataframe()
    assert len(table) == 28 and table.unit[0] == "a" and table.other[27] == "h" and "noise_p_fdr" in table
    assert len(found.units_dataframe()) == 8 and "fano_p" in found.units_dataframe()
    assert "pooled over 28 pairs" in found.scheme and "Fisher's z" in found.methods_text()
    assert "Correlations of 8 units over 120 trials of 3 stimuli" in repr(found)
    with pytest.raises(InputError, match="no measure"):
        found.interval("variance")


def test_bad_input_says_what_to_do() -> None:
    rng = np.random.default_rng(0)
    x, s = rng.normal(size=(40, 3)), np.arange(40) % 4
    cases: list[tuple[Any, Any, str]] = [
        (rng.normal(size=(40, 5, 3)), s, "choose a time"),
        (x[:, :1], s, "wanted 2 to"),
        (np.where(np.arange(40)[:, None] == 3, np.nan, x), s, "NaN or infinite on 1"),
        (x, np.zeros(40), "single value"),
        (x, s[:-1], "one value per trial"),
        (x, np.arange(40), "single trial"),
        (x[:6], [0, 0, 1, 1, 2, 2], "leave 3 degrees"),
        (x.astype(str), s, "wanted numbers"),
    ]
    for activity, stimulus, message in cases:
        with pytest.raises(ArtiphysError, match=message):
            ap.correlations(activity, stimulus)
    with pytest.warns(UserWarning, match="1 of 3 units never vary"):
        found = ap.correlations(x * [1, 1, 0], s)
    assert np.isnan(found.noise.to_numpy()[2]).all() and np.isfinite(found.noise[0, 1])
    assert np.isfinite(found.mean_noise)
    with pytest.raises(StatisticsError, match="no p-values"):
        _ = found.noise_p_fdr


def test_plots_show_every_pair_and_unit() -> None:
    rng = np.random.default_rng(0)
    s = np.arange(160) % 8
    x = rng.poisson(
        3 + 2 * np.cos(ANGLES[s][:, None] - np.arange(6)) * (np.arange(6) < 4) + rng.uniform(0, 1, (160, 1))
    )
    for n in (0, 99):
        found = ap.correlations(x, s, n_permutations=n)
        ax = plotting.plot_correlations(found)
        ax.figure.canvas.draw()
        assert sum(len(np.asarray(c.get_offsets())) for c in ax.collections if hasattr(c, "get_offsets")) >= 15
    ax = plotting.plot_fano(found)
    ax.figure.canvas.draw()
    np.testing.assert_allclose(np.asarray(ax.get_lines()[0].get_ydata()), np.sort(found.fano_factors()))
