"""Means and variances of levels: within what was observed, exact for counts, precise at large means."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import artiphys as ap
from artiphys.probes.tuning.level_moments import Moments, moments


@pytest.mark.parametrize("seed", range(20))
def test_silent_cells_are_silent(seed: int) -> None:
    """Rounding made rates of -4e-16 of them, which Skaggs information, OSI and sparseness refused."""
    rng = np.random.default_rng(seed)
    s = np.append(np.arange(8), rng.integers(0, 8, 72))
    counts = rng.poisson(rng.gamma(1, 2, 20) * np.where(s[:, None] < 3, 0.0, 1.0))
    t = ap.tuning_curves(counts / 0.3, s * 45.0, circular=True, period=360, progress=False)
    assert (t.curves[:, :3] == 0).all() and (t.curves >= 0).all()
    for index in (t.orientation_selectivity, t.direction_selectivity, t.lifetime_sparseness, t.information):
        index()


@pytest.mark.parametrize("padded", [False, True])
@pytest.mark.parametrize("loc", [0.0, 1e6, -1e9])
def test_moments_are_those_of_numpy_and_means_lie_within_what_was_observed(loc: float, padded: bool) -> None:
    rng = np.random.default_rng(0)
    x = loc + rng.exponential(size=(200, 50))
    x[:, 0] = loc + 0.1
    level = np.arange(200) % 3
    if padded:
        x[rng.uniform(size=x.shape) < 0.2] = np.nan
    gathered = Moments(3, 50)
    for start in range(0, 200, 64):
        gathered.add(x[start : start + 64].copy(), level[start : start + 64], slice(0, 50))
    for mean, var, count in (moments(x.copy(), level, 3), gathered.done()):
        for k in range(3):
            part = x[level == k]
            np.testing.assert_allclose(mean[k], np.nanmean(part, axis=0), rtol=1e-14, atol=1e-12)
            np.testing.assert_allclose(var[k], np.nanvar(part, axis=0, ddof=1), rtol=1e-5 if loc else 1e-10, atol=1e-11)
            assert (count[k] == (~np.isnan(part)).sum(axis=0)).all()
        assert (mean >= np.nanmin(x, axis=0)).all() and (mean <= np.nanmax(x, axis=0)).all() and (var[:, 0] == 0).all()


def test_counts_on_disk_are_never_negative(tmp_path: Path) -> None:
    toy = ap.toys.load("suppressor")
    rec = ap.record(ap.wrap(toy), toy.stimuli[:200], ["hidden"], out=tmp_path / "a.zarr", progress=False)
    from_disk = ap.tuning_curves(ap.Recording.open(tmp_path / "a.zarr"), "label", progress=False)
    least = rec["hidden"].load().min("trial").to_numpy()
    assert (from_disk.curves.to_numpy() >= least[:, None]).all()
