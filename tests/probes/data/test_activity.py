"""Activity in windows of time."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr

import artiphys as ap
from artiphys.errors import InputError


def test_windows_of_time() -> None:
    rng = np.random.default_rng(0)
    y = np.arange(60) % 2
    x = rng.normal(size=(60, 10, 3)) + 0.5 * y[:, None, None]
    data = xr.DataArray(x, dims=("trial", "time", "unit"), coords={"time": np.arange(10) * 0.1})
    wide = ap.decode(data, y, window=4, n_permutations=0, alphas=[1.0])
    np.testing.assert_allclose(wide.score["time"], 0.15 + 0.1 * np.arange(7))
    alone = ap.decode(x[:, 2:6].mean(axis=1), y, n_permutations=0, alphas=[1.0])
    assert float(wide.score[2]) == float(alone.score)
    for window, message in ((11, "10 times"), (0, "at least 1"), (2.5, "wanted")):
        with pytest.raises(InputError, match=message):
            ap.decode(data, y, window=window)  # type: ignore[arg-type]
    with pytest.raises(InputError, match="no time axis"):
        ap.decode(x[:, 0], y, window=2)
