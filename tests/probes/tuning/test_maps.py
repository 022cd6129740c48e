"""Maps with combinations seldom or never shown: occupancy, smoothing, marginals, separability, information."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import xarray as xr
from scipy.ndimage import gaussian_filter
from scipy.optimize import minimize

import artiphys as ap
from artiphys.errors import ArtiphysError, StatisticsError
from artiphys.probes.tuning.maps import marginal_weights, rank_one_share

EDGES: Any = np.linspace(0, 100, 13)


def box(seed: int = 0, n: int = 2000) -> tuple[np.ndarray, np.ndarray]:
    """Places of a walk through a box whose corner is closed, and counts of a place cell and a flat unit."""
    rng = np.random.default_rng(seed)
    place = rng.uniform(0, 100, (3 * n, 2))
    place = place[~((place > 70).all(axis=1))][:n]
    rate = np.column_stack([0.2 + 6 * np.exp(-((place - [30, 40]) ** 2).sum(axis=1) / 300), np.full(n, 1.5)])
    return place, rng.poisson(rate).astype(float)


PLACE, COUNTS = box()
STIMULI = {"x": PLACE[:, 0], "y": PLACE[:, 1]}


def histograms(weights: Any) -> np.ndarray:
    return np.asarray(np.histogram2d(PLACE[:, 0], PLACE[:, 1], bins=(EDGES, EDGES), weights=weights)[0])


def test_a_map_is_summed_activity_over_occupancy_and_nan_where_never_visited() -> None:
    t = ap.tuning_curves(COUNTS, STIMULI, bins=EDGES)
    n, summed = histograms(None), histograms(COUNTS[:, 0])
    assert (t.n == n).all() and (n == 0).sum() > 5 and (t.visited == (n > 0)).all()
    with np.errstate(invalid="ignore"):
        np.testing.assert_allclose(t.curves[0], summed / n, rtol=1e-12)


def test_smoothing_is_of_activity_and_occupancy_apart() -> None:
    t = ap.tuning_curves(COUNTS, STIMULI, bins=EDGES, smoothing={"x": 1.5, "y": 0.8}, min_occupancy=3)
    n, summed = histograms(None), histograms(COUNTS[:, 0])
    with np.errstate(invalid="ignore"):
        wanted = gaussian_filter(summed, (1.5, 0.8), mode="constant") / gaussian_filter(n, (1.5, 0.8), mode="constant")
    np.testing.assert_allclose(t.curves[0], np.where(n >= 3, wanted, np.nan), rtol=1e-10)


def test_smoothing_runs_round_a_circle() -> None:
    rng = np.random.default_rng(0)
    angle = rng.uniform(0, 360, 500)
    x = rng.poisson(3, 500).astype(float)
    t = ap.tuning_curves(x[:, None], angle, circular=True, period=360, bins=24, smoothing=2)
    n, summed = (np.histogram(angle, 24, (0, 360), weights=w)[0].astype(float) for w in (None, x))
    wanted = gaussian_filter(summed, 2, mode="wrap") / gaussian_filter(n, 2, mode="wrap")
    np.testing.assert_allclose(t.curves[0], wanted, rtol=1e-10)


def test_errors_of_smoothed_means_are_those_of_many_data_sets() -> None:
    rng = np.random.default_rng(1)
    s = rng.integers(0, 10, 150)
    x = rng.poisson(np.repeat(2.0 + s[:, None], 1000, axis=1))
    t = ap.tuning_curves(x, s, smoothing=1.0)
    np.testing.assert_allclose((t.sem**2).mean("unit") ** 0.5, t.curves.std("unit"), rtol=0.08)
    low, high = t.interval()
    truth = t.curves.mean("unit")
    assert 0.93 < float(((low <= truth) & (truth <= high)).mean()) < 0.97


def test_the_test_and_indices_are_of_visited_combinations() -> None:
    t = ap.tuning_curves(COUNTS, STIMULI, bins=EDGES, min_occupancy=4, n_permutations=99, seed=0)
    kept = (t.n >= 4).to_numpy()
    cell = np.ravel_multi_index([lv.of_trial for lv in t.levels], t.n.shape)
    rows = kept.ravel()[cell]
    plain = ap.tuning_curves(COUNTS[rows], [f"{c:04d}" for c in cell[rows]], n_permutations=99, seed=0)
    np.testing.assert_allclose(t.p_value, plain.p_value)  # type: ignore[arg-type]
    np.testing.assert_allclose(t.eta_squared, plain.eta_squared)
    np.testing.assert_allclose(t.lifetime_sparseness(), plain.lifetime_sparseness())
    for method in ("skaggs", "shannon"):
        np.testing.assert_allclose(t.information(method).bits, plain.information(method).bits)
    assert t.p_value[0] <= 0.01 < t.p_value[1]  # type: ignore[index]
    with pytest.raises(StatisticsError, match="min_occupancy=2"):
        ap.tuning_curves(COUNTS[:400], {k: v[:400] for k, v in STIMULI.items()}, bins=EDGES, n_permutations=99)


@pytest.mark.parametrize("smoothing", [0.0, 1.0])
def test_spatial_information_is_unbiased_and_its_error_is_right(smoothing: float) -> None:
    rng = np.random.default_rng(2)
    flat = ap.tuning_curves(rng.poisson(1.5, size=(2000, 300)), STIMULI, bins=EDGES, smoothing=smoothing)
    info = flat.information()
    assert abs(float(info.bits.mean())) < 0.08 * float(info.bias.mean())
    rate = 1 + 6 * np.exp(-((PLACE - [30, 40]) ** 2).sum(axis=1) / 600)
    tuned = ap.tuning_curves(rng.poisson(rate[:, None] * np.ones(300)), STIMULI, bins=EDGES, smoothing=smoothing)
    info = tuned.information()
    assert float(info.stderr.mean()) == pytest.approx(float(info.bits.std()), rel=0.25)


def test_marginals_of_gaps_hold_what_a_sum_of_effects_would_fill_in() -> None:
    rng = np.random.default_rng(3)
    a, b = rng.integers(0, 4, 600), rng.integers(0, 5, 600)
    keep = ~((a == 3) & (b >= 2))
    a, b = a[keep], b[keep]
    x = (np.array([0.0, 1, 5, 2])[a] + np.array([0.0, 0, 10, 20, 30])[b])[:, None]
    t = ap.tuning_curves(x, {"a": a, "b": b})
    np.testing.assert_allclose(t.marginal("a").curves[0], np.array([0.0, 1, 5, 2]) + 12, rtol=1e-9)
    np.testing.assert_allclose(t.marginal("b").curves[0], np.array([0.0, 0, 10, 20, 30]) + 2, rtol=1e-9)
    full = np.ones((3, 4), dtype=bool)
    np.testing.assert_allclose(marginal_weights(full, 1)[2].reshape(3, 4)[:, 2], 1 / 3)
    apart = ap.tuning_curves(x, {"a": a // 2, "b": a // 2 * 2 + b % 2})
    with pytest.raises(StatisticsError, match="fall into parts"):
        apart.marginal("a")


def off(v: np.ndarray, m: np.ndarray) -> float:
    return float(np.nansum((m - np.outer(v[:5], v[5:])) ** 2))


def test_separability_of_gaps_is_the_best_product() -> None:
    rng = np.random.default_rng(4)
    whole = rng.gamma(2, 1, (2, 5, 6))
    gaps = whole.copy()
    gaps[:, 1:3, 2] = np.nan
    for about in (False, True):
        size = np.linalg.svd(whole - whole.mean(axis=(1, 2), keepdims=True) * about, compute_uv=False) ** 2
        np.testing.assert_allclose(rank_one_share(whole, about), size[:, 0] / size.sum(axis=1))
        for m, share in zip(gaps, rank_one_share(gaps, about)):
            m = m - np.nanmean(m) * about
            left = min(minimize(off, rng.normal(size=11), args=(m,)).fun for _ in range(8))
            assert share == pytest.approx(1 - left / np.nansum(m**2), abs=1e-5)
    product = np.outer([1, 2, 3.0], [1, 5, 2, 2.0])[None]
    product[0, 1, 1] = np.nan
    np.testing.assert_allclose(rank_one_share(product, False), 1, atol=1e-8)
    assert np.isnan(rank_one_share(np.full((1, 3, 3), 0.1), True)).all()


def test_a_baseline_makes_any_map_separable_but_not_about_its_mean() -> None:
    rng = np.random.default_rng(5)
    a, b = np.tile(np.arange(4), 60), np.repeat(np.arange(4), 60)
    t = ap.tuning_curves((50 + 3 * (a == b) + 0.1 * rng.normal(size=240))[:, None], {"a": a, "b": b})
    assert float(t.separability()[0]) > 0.99 and float(t.separability(about_mean=True)[0]) < 0.5


MISUSE: list[tuple[dict[str, Any], str]] = [
    ({"bins": [0, 50, 90]}, "lie outside the edges"),
    ({"bins": [0, 50, 40, 100]}, "must rise"),
    ({"bins": [0.0, 100.0]}, "edges of two bins"),
    ({"bins": {"z": 4}}, "bins names"),
    ({"bins": "many"}, "bins came as"),
    ({"smoothing": -1.0}, "standard deviation in bins"),
    ({"smoothing": {"z": 1.0}}, "smoothing names"),
    ({"smoothing": np.nan}, "finite"),
    ({"min_occupancy": 10**6}, "min_occupancy or more"),
    ({"min_occupancy": -1}, "0 or more"),
    ({"bins": {"x": EDGES}, "circular": {"x": True}, "period": {"x": 360}}, "of linear stimuli"),
]


@pytest.mark.parametrize(("options", "message"), MISUSE)
def test_misuse_is_told(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ArtiphysError, match=message):
        ap.tuning_curves(COUNTS, STIMULI, **options)


def test_text_is_not_smoothed() -> None:
    side = np.where(PLACE[:, 0] > 50, "right", "left")
    with pytest.raises(ArtiphysError, match="no neighbours"):
        ap.tuning_curves(COUNTS, side, smoothing=1.0)
    t = ap.tuning_curves(COUNTS, {"side": side, "y": PLACE[:, 1]}, smoothing=1.0)
    assert t.smoothing == (0.0, 1.0) and "Gaussian of 0 x 1 bins" in t.methods_text()
    assert isinstance(t.curves, xr.DataArray)
