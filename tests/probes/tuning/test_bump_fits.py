"""Fitted bumps: unbiased of trials, standard errors that cover, flags where numbers mean less than they seem."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import xarray as xr
from scipy.optimize import curve_fit

import artiphys as ap
from artiphys.errors import InputError

NAMES = ("preferred", "width", "gain", "baseline")
TRUTH = {"preferred": 4.3, "width": 2.0, "gain": 8.0, "baseline": 2.0}


def gauss(x: Any, mu: Any, width: Any, gain: Any, base: Any) -> Any:
    return base + gain * np.exp(-4 * np.log(2) * ((x - mu) / width) ** 2)


def von_mises(x: Any, mu: Any, kappa: Any, gain: Any, base: Any) -> Any:
    return base + gain * np.exp(kappa * (np.cos(np.deg2rad(x - mu)) - 1))


def test_fits_to_trials_are_those_of_scipy() -> None:
    rng = np.random.default_rng(0)
    s = rng.uniform(0, 10, 300)
    mu, width = rng.uniform(2, 8, 12), rng.uniform(1.5, 4, 12)
    y = rng.poisson(gauss(s[:, None], mu, width, 8, 2))
    fit = ap.tuning_curves(y, s).fit()
    for u in range(12):
        best, _ = curve_fit(gauss, s, y[:, u], p0=(mu[u], width[u], 8, 2))
        np.testing.assert_allclose([float(fit[n][u]) for n in NAMES], [*best[:1], abs(best[1]), *best[2:]], rtol=1e-4)
    assert (fit["flag"] == "").all()


def test_uneven_numbers_of_trials_weigh_as_in_scipy() -> None:
    rng = np.random.default_rng(1)
    s = np.repeat(np.arange(9.0), [30, 3, 5, 40, 12, 7, 20, 4, 9])
    y = rng.poisson(gauss(s, 4.3, 3, 8, 2))[:, None]
    fit = ap.tuning_curves(y, s).fit()
    best, _ = curve_fit(gauss, s, y[:, 0], p0=(4.3, 3, 8, 2))
    np.testing.assert_allclose([fit[n].item() for n in NAMES], best, rtol=1e-4)


def test_padded_trials_are_left_out() -> None:
    rng = np.random.default_rng(2)
    s = rng.uniform(0, 10, 300)
    y = rng.poisson(gauss(s[:, None], [3, 6], 3, 8, 2)).astype(float)
    known = rng.uniform(size=(300, 2)) < 0.7
    coords = {"valid": (("trial", "time"), known)}
    both = ap.tuning_curves(xr.DataArray(np.where(known, y, np.nan)[..., None], dims=("trial", "time", "unit"),
                                         coords=coords), s).fit()  # fmt: skip
    for k in range(2):
        alone = ap.tuning_curves(y[known[:, k], k, None], s[known[:, k]]).fit()
        for n in (*NAMES, *(f"{n}_stderr" for n in NAMES)):
            # The bound of the width is of all trials, and plays no part.
            assert float(both[n][k, 0]) == pytest.approx(float(alone[n][0]), rel=1e-5)


@pytest.mark.many_runs
@pytest.mark.parametrize("n", [200, 500])
@pytest.mark.parametrize("kind", ["counts on a line", "counts on a circle", "twelve directions"])
def test_widths_are_unbiased_and_standard_errors_cover(kind: str, n: int) -> None:
    """Fits to 8 bins gave widths 1.7 times too wide."""
    kappa, within, medians = 2.5, [], []
    for seed in range(20):
        rng = np.random.default_rng(seed)
        truth = dict(TRUTH)
        if kind == "counts on a line":
            s = rng.uniform(0, 10, n)
            rate, options = gauss(s, 4.3, 2, 8, 2), dict[str, Any]()
        else:
            s = rng.uniform(0, 360, n) if kind == "counts on a circle" else np.resize(np.arange(12) * 30.0, n)
            rate, options = von_mises(s, 100, kappa, 8, 2), {"circular": True, "period": 360.0}
            truth |= {"preferred": 100, "width": 360 / np.pi * np.arccos(1 - np.log(2) / kappa)}
        fit = ap.tuning_curves(rng.poisson(rate[:, None] * np.ones(40)), s, progress=False, **options).fit()
        medians.append([float(fit[name].median()) for name in NAMES])
        errors = [abs(fit[name] - truth[name]) <= 1.965 * fit[f"{name}_stderr"] for name in NAMES]
        within.append([float(e.mean()) for e in errors])
    np.testing.assert_allclose(np.mean(medians, axis=0), [truth[name] for name in NAMES], rtol=0.02)
    cover = np.mean(within, axis=0)
    assert (cover >= 0.92).all() and (cover <= 0.975).all()


FLAGS: list[tuple[str, Callable[[Any], Any], dict[str, Any]]] = [
    ("second peak", lambda s: von_mises(s, 100, 4, 8, 2) + von_mises(s, 280, 4, 5, 0), {"circular": True}),
    ("peak out of range", lambda s: gauss(s, 450, 200, 9, 2), {}),
    ("wider than can be told", lambda s: 5 + 4 * np.cos(np.deg2rad(s - 50)), {"circular": True}),
    ("", lambda s: von_mises(s, 100, 4, 8, 2), {"circular": True}),
]


@pytest.mark.parametrize(("flag", "rate", "options"), FLAGS)
def test_fits_that_mean_less_are_flagged(flag: str, rate: Callable[[Any], Any], options: dict[str, Any]) -> None:
    rng = np.random.default_rng(4)
    s = rng.uniform(0, 360, 400)
    y = rng.poisson(rate(s)[:, None] * np.ones(100))
    if options:
        options = options | {"period": 360.0}
    flags = ap.tuning_curves(y, s, **options).fit()["flag"].to_numpy()
    assert np.mean([flag in f if flag else f == "" for f in flags]) > 0.75


def test_untuned_and_constant_units_are_flagged() -> None:
    rng = np.random.default_rng(5)
    s = rng.uniform(0, 10, 400)
    fit = ap.tuning_curves(rng.poisson(5, size=(400, 100)), s).fit()
    assert np.mean(fit["flag"].to_numpy() == "") < 0.05
    still = ap.tuning_curves(np.full((400, 1), 0.1), s).fit()
    assert (
        still["flag"].item() == "no bump" and np.isnan(still["width"].item()) and np.isnan(still["gain_stderr"].item())
    )


def test_errors_at_a_bound_are_unknown() -> None:
    rng = np.random.default_rng(6)
    s = rng.uniform(0, 10, 400)
    fit = ap.tuning_curves(rng.poisson(gauss(s, 14, 6, 30, 2))[:, None], s).fit()
    assert "out of range" in fit["flag"].item() and float(fit["preferred"][0]) == pytest.approx(s.max())
    assert all(np.isnan(fit[f"{n}_stderr"].item()) for n in NAMES)


def test_confounds_are_out_of_trials_too() -> None:
    rng = np.random.default_rng(7)
    s, light = rng.uniform(0, 10, 500), rng.normal(size=500)
    y = (gauss(s, 4.3, 2, 8, 2) + 5 * light + 0.5 * rng.normal(size=500))[:, None]
    fit = ap.tuning_curves(y, s, confounds=light).fit()
    assert fit["width"].item() == pytest.approx(2, abs=0.1) and fit["gain"].item() == pytest.approx(8, abs=0.3)


def test_without_the_activity_bumps_are_averaged_over_bins(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("artiphys.probes.data.held_units.COPIED_BYTES", 0)
    rng = np.random.default_rng(8)
    s = rng.uniform(0, 10, 2000)
    y = gauss(s, 4.3, 2, 8, 2)[:, None] + 0.1 * rng.normal(size=(2000, 1))
    tuning, kept = ap.tuning_curves(y.copy(), s), y
    with pytest.warns(UserWarning, match="means of bins"):
        fit = tuning.fit()
    again = tuning.fit(activity=kept)
    for found in (fit, again):
        assert found["width"].item() == pytest.approx(2, abs=0.05)
    with pytest.raises(InputError, match="other values"):
        tuning.fit(activity=kept + 1)


def test_marginals_of_bins_are_unbiased() -> None:
    rng = np.random.default_rng(9)
    x, z = rng.uniform(0, 10, 4000), rng.integers(0, 3, 4000)
    y = (gauss(x, 4.3, 2, 8, 2) + z + 0.3 * rng.normal(size=4000))[:, None]
    fit = ap.tuning_curves(y, {"place": x, "task": z}).marginal("place").fit()
    assert fit["width"].item() == pytest.approx(2, abs=0.1) and fit["preferred"].item() == pytest.approx(4.3, abs=0.05)
