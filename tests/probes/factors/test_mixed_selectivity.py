"""Mixed selectivity: contrasts by hand, calibrated tests with true main effects, kinds, groups, refusals."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import xarray as xr
from scipy import stats

import artiphys as ap
from artiphys import plotting
from artiphys.errors import ArtiphysError, StatisticsError
from artiphys.probes.factors.crossed import Crossed
from artiphys.probes.factors.wald import cell_moments, fitted, permuted, wald

A, B = np.arange(64) % 2, np.arange(64) // 2 % 2
UNEVEN_A, UNEVEN_B = np.repeat([0, 0, 1, 1], [30, 8, 8, 14]), np.repeat([0, 1, 0, 1], [30, 8, 8, 14])


def test_contrasts_by_hand_on_unweighted_means() -> None:
    rng = np.random.default_rng(0)
    x = rng.normal(size=(60, 3)) + 2 * UNEVEN_A[:, None]
    found = ap.mixed_selectivity(x, UNEVEN_A, UNEVEN_B, n_permutations=0)
    m, v = np.empty((2, 2, 3)), np.empty((2, 2, 3))
    n = np.array([[30, 8], [8, 14]])[..., None]
    for i in range(2):
        for j in range(2):
            part = x[(i == UNEVEN_A) & (j == UNEVEN_B)]
            m[i, j], v[i, j] = part.mean(axis=0), part.var(axis=0, ddof=1)
    pool = ((n - 1) * v).sum((0, 1)) / 56
    spread = (((n - 1) * v + pool) / n**2).sum((0, 1))
    for term, c in (("a", m[1] - m[0]), ("b", m[:, 1] - m[:, 0]), ("a x b", m[1] - m[0])):
        e = c[1] - c[0] if term == "a x b" else c.sum(axis=0)
        np.testing.assert_allclose(found.statistic.sel(term=term), e**2 / spread, rtol=1e-9)
    noise = (v / n).sum((0, 1))
    wanted = ((m[1] - m[0]).sum(axis=0) / 4) ** 2 - noise / 16
    np.testing.assert_allclose(found.variance.sel(term="a"), wanted, rtol=1e-9)
    moved = ap.mixed_selectivity(x + 1e7, UNEVEN_A, UNEVEN_B, n_permutations=0)
    np.testing.assert_allclose(moved.statistic, found.statistic, rtol=1e-5)


def test_permuted_statistics_are_those_of_freedman_and_lane() -> None:
    """By least squares on effect-coded columns, and permuted residuals added to the fit."""
    rng = np.random.default_rng(1)
    x = rng.normal(size=(60, 2)) + UNEVEN_A[:, None] + 2 * UNEVEN_B[:, None]
    design = Crossed.of(x, (UNEVEN_A, UNEVEN_B), ("a", "b"), None, True)
    member = (design.cell == np.arange(4)[:, None]).astype(float)
    a, b = 2 * UNEVEN_A - 1.0, 2 * UNEVEN_B - 1.0
    columns = np.column_stack([np.ones(60), a, b, a * b])
    assert design.plan is not None
    orders = list(design.plan.of_others(np.arange(60)).draw(5, 3))
    for order, statistics in zip(orders, permuted(design, member, design.plan, 5, 3)):
        for term in range(3):
            reduced = np.delete(columns, term + 1, axis=1)
            fit = reduced @ np.linalg.lstsq(reduced, x, rcond=None)[0]
            again = fit + (x - fit)[order]
            wanted = wald(*cell_moments(again, member), design.counts, design.contrasts()[term])
            np.testing.assert_allclose(statistics[term], wanted, rtol=1e-9)
    p = design.projections()[2]
    reduced = columns[:, :3]
    fit = reduced @ np.linalg.lstsq(reduced, x, rcond=None)[0]
    np.testing.assert_allclose(fitted(x, member, np.eye(4) - p)[design.cell], fit)


def test_p_agrees_with_a_t_test_where_that_holds() -> None:
    x = np.random.default_rng(2).normal(size=(64, 5)) + 0.3 * (A * B)[:, None]
    p = ap.mixed_selectivity(x, A, B, n_permutations=2000).p_value
    assert p is not None
    for term, sign in (("a", 2 * A - 1), ("a x b", (2 * A - 1) * (2 * B - 1))):
        columns = np.column_stack([np.ones(64), A, B, A * B])
        residual = x - columns @ np.linalg.lstsq(columns, x, rcond=None)[0]
        t = sign @ x / 64 / np.sqrt((residual**2).sum(axis=0) / 60 / 64)
        np.testing.assert_allclose(p.sel(term=term), 2 * stats.t.sf(np.abs(t), 60), atol=0.04)


@pytest.mark.many_runs
@pytest.mark.parametrize("units", [4, 24])
@pytest.mark.parametrize("noise", ["normal", "unequal", "poisson"])
def test_null_terms_keep_their_level_beside_true_ones(units: int, noise: str) -> None:
    """Uneven cells; Poisson with additive true effects of both factors, and an interaction under test."""
    rejected = []
    for seed in range(240 // units):
        rng = np.random.default_rng(seed)
        m = (2.0 + 1.5 * UNEVEN_A + UNEVEN_B)[:, None] * np.ones(units)
        x = rng.poisson(m) if noise == "poisson" else m + rng.normal(size=m.shape)
        if noise == "unequal":
            x = m + rng.normal(size=m.shape) * np.where(UNEVEN_A == 1, 2.0, 1.0)[:, None]
        p = ap.mixed_selectivity(x, UNEVEN_A, UNEVEN_B, n_permutations=99, seed=seed).p_value
        assert p is not None
        rejected.append(p.to_numpy()[:, 2] <= 0.05)
    assert np.mean(rejected) <= 0.1


def planted(rng: np.random.Generator) -> tuple[Any, Any, Any]:
    """Ten units of each kind: pure in a, pure in b, linear, nonlinear (xor), none."""
    a, b = np.arange(120) % 2, np.arange(120) // 2 % 3
    effects = [a, 1.0 * (b == 1), a + 1.0 * (b == 1), 1.0 * (a == (b == 2)), 0 * a]
    return np.repeat(np.column_stack(effects), 10, axis=1) * 1.6 + rng.normal(size=(120, 50)), a, b


def test_kinds_of_planted_units() -> None:
    x, a, b = planted(np.random.default_rng(3))
    data = xr.DataArray(x, dims=("trial", "unit"), coords={"rule": ("trial", a), "cue": ("trial", b)})
    found = ap.mixed_selectivity(data, "rule", "cue")
    truth = np.repeat(["pure rule", "pure cue", "linear mixed", "nonlinear mixed", "none"], 10)
    assert (found.kind.to_numpy() == truth).mean() >= 0.9
    assert found.counts().sum() == 50 and "pooled over 50 units" in found.scheme
    assert "nonlinear mixed" in repr(found) and "Freedman" in found.methods_text()
    table = found.to_dataframe()
    assert len(table) == 50 and {"kind", "p rule x cue", "share cue"} <= set(table)
    np.testing.assert_allclose(found.variance.sel(term="rule")[:10].mean(), 0.64, atol=0.12)


def test_variances_are_unbiased_and_their_intervals_cover() -> None:
    """An effect of 1 between two levels makes a variance of 1/4; one of none makes 0."""
    covered, values = [], []
    for seed in range(150):
        rng = np.random.default_rng(seed)
        x = rng.poisson(4.0 + (A[:, None] - B[:, None] + 1), size=(64, 2))
        found = ap.mixed_selectivity(x, A, B, n_permutations=0)
        low, high = found.interval()
        truth = np.array([0.25, 0.25, 0.0])
        covered.append(((low <= truth) & (truth <= high)).to_numpy())
        values.append(found.variance.to_numpy())
    np.testing.assert_allclose(np.mean(values, axis=(0, 1)), truth, atol=0.04)
    assert 0.93 <= np.mean(covered) <= 0.99


def test_groups_that_saw_all_combinations_or_one_each() -> None:
    rng = np.random.default_rng(4)
    session = np.arange(64) // 8
    x = rng.normal(size=(64, 3)) + 20 * rng.normal(size=(8, 3))[session] + 1.5 * A[:, None]
    within = ap.mixed_selectivity(x, A, B, groups=session, n_permutations=199)
    assert (
        within.p_value is not None and (within.p_value.sel(term="a") < 0.05).all() and "within groups" in within.scheme
    )
    rejected = []
    for seed in range(40):
        rng = np.random.default_rng(seed)
        of_session = rng.normal(size=(24, 4))
        s = np.repeat(np.arange(24), 5)
        y = of_session[s] + 0.2 * rng.normal(size=(120, 4))
        found = ap.mixed_selectivity(y, s % 2, s // 2 % 2, groups=s, n_permutations=99, seed=seed)
        assert found.p_value is not None and found.n_trials == 24
        rejected.append(found.p_value.to_numpy() <= 0.05)
    assert np.mean(rejected) <= 0.09
    with pytest.raises(StatisticsError, match="cannot be told from"):
        ap.mixed_selectivity(x, session % 2, B, groups=session)
    data = xr.DataArray(x, dims=("trial", "unit"), coords={"session": ("trial", session)})
    with pytest.raises(StatisticsError, match="pass groups"):
        ap.mixed_selectivity(data, A, B)


def test_silent_and_noiseless_units() -> None:
    x = np.zeros((64, 3))
    x[:, 1], x[:, 2] = A, A ^ B
    found = ap.mixed_selectivity(x, A, B, n_permutations=99)
    assert found.p_value is not None
    assert (
        (found.p_value[0] == 1).all()
        and (found.interval()[1][0] == 0).all()
        and found.kind.values.tolist() == ["none", "pure a", "nonlinear mixed"]
    )


def test_times_are_tested_each() -> None:
    x = np.random.default_rng(0).normal(size=(64, 5, 6))
    x[:, 3] += 2 * (A ^ B)[:, None]
    found = ap.mixed_selectivity(xr.DataArray(x, dims=("trial", "time", "unit")), A, B, n_permutations=99)
    assert found.kind.dims == ("time", "unit") and (found.kind[3] == "nonlinear mixed").all()


def test_bad_input_says_what_to_do() -> None:
    x = np.random.default_rng(0).normal(size=(64, 2))
    cases: list[tuple[Any, Any, Any, str]] = [
        (x, np.zeros(64), B, "a has 1 values"),
        (x, np.arange(64), B, "bin a number"),
        (x, A, A, "combinations of a and b"),
        (x, A[:-1], B, "one value per trial"),
        (np.where(np.arange(64)[:, None] == 1, np.nan, x), A, B, "NaN"),
        (x, "rule", B, "no condition 'rule'"),
        (x[:, 0], A, B, "wanted \\(trial"),
    ]
    for activity, a, b, message in cases:
        with pytest.raises(ArtiphysError, match=message):
            ap.mixed_selectivity(activity, a, b)
    with pytest.raises(StatisticsError, match="no p-values"):
        _ = ap.mixed_selectivity(x, A, B, n_permutations=0).kind


def test_plot_shows_every_unit() -> None:
    x, a, b = planted(np.random.default_rng(5))
    for n in (0, 199):
        ax = plotting.plot_mixed_selectivity(ap.mixed_selectivity(x, a, b, n_permutations=n))
        ax.figure.canvas.draw()
        assert sum(len(np.asarray(c.get_offsets())) for c in ax.collections) == 50
