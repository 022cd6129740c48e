"""Plots of tuning: circles closed, units of measurement, intervals, maps with gaps, effects."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import pytest
import xarray as xr

import artiphys as ap
from artiphys import plotting
from artiphys.errors import InputError

RNG = np.random.default_rng(0)
ANGLE = np.tile(np.arange(12) * 30.0, 20)
RATE = 2 + 12 * np.exp(2 * (np.cos(np.deg2rad(ANGLE[:, None] - [30, 200, 300])) - 1))
SPIKES = xr.DataArray(
    RNG.poisson(RATE) / 0.5, dims=("trial", "unit"), coords={"direction": ("trial", ANGLE)}, attrs={"units": "spikes/s"}
)


def rendered(ax: Any) -> Any:
    ax.figure.savefig(io.BytesIO())
    return ax


def test_circles_are_drawn_round_and_closed_with_units() -> None:
    tuning = ap.tuning_curves(SPIKES, "direction", circular=True, period=360)
    ax = rendered(plotting.plot_tuning(tuning))
    assert ax.name == "polar" and "spikes/s" in ax.get_ylabel() and ax.get_xlabel() == "direction"
    line = ax.containers[0].lines[0]
    x, y = line.get_data()
    assert len(x) == 13 and y[0] == y[-1] and x[-1] - x[0] == pytest.approx(2 * np.pi)
    assert [t.get_text() for t in ax.get_xticklabels()][2] == "90"
    below = ap.tuning_curves(SPIKES - 10, "direction", circular=True, period=360)
    flat = rendered(plotting.plot_tuning(below))
    x, y = flat.containers[0].lines[0].get_data()
    assert flat.name != "polar" and y[0] == y[-1] and x[-1] - x[0] == pytest.approx(360)


def test_bars_are_standard_errors_or_intervals() -> None:
    tuning = ap.tuning_curves(SPIKES, "direction")
    for confidence, ends in (
        (None, (tuning.curves - tuning.sem, tuning.curves + tuning.sem)),
        (0.9, tuning.interval(0.9)),
    ):
        ax = rendered(plotting.plot_tuning(tuning, units=[1], confidence=confidence))
        (bars,) = ax.containers[0].lines[2]
        drawn = np.array([segment[:, 1] for segment in bars.get_segments()])
        np.testing.assert_allclose(drawn, np.column_stack([end[1] for end in ends]))
        assert ("90 % interval" if confidence else "standard error") in ax.get_ylabel()


@pytest.mark.parametrize("n", [5, 30])
def test_every_name_is_shown_or_none(n: int) -> None:
    names = np.array([f"stimulus {i:02d}" for i in range(n)])[np.arange(240) % n]
    tuning = ap.tuning_curves(SPIKES, names)
    ax = rendered(plotting.plot_tuning(tuning))
    assert len(ax.get_xticks()) == (n if n == 5 else 0)
    two = ap.tuning_curves(SPIKES, {"name": names, "half": np.arange(240) // 120})
    assert len(rendered(plotting.plot_tuning_map(two)).get_yticks()) == (n if n == 5 else 0)


def test_a_place_map_leaves_unvisited_places_blank() -> None:
    place = RNG.uniform(0, 100, (3000, 2))
    place = place[~((place > 70).all(axis=1))]
    counts = RNG.poisson(0.1 + 4 * np.exp(-((place - [30, 40]) ** 2).sum(axis=1) / 300))
    data = xr.DataArray(counts[:, None] / 0.1, dims=("trial", "unit"), attrs={"units": "spikes/s"})
    edges = np.linspace(0, 100, 21).tolist()
    tuning = ap.tuning_curves(data, {"x": place[:, 0], "y": place[:, 1]}, bins=edges, smoothing=1.0)
    ax = rendered(plotting.plot_tuning_map(tuning))
    (image,) = ax.get_images()
    np.testing.assert_array_equal(np.ma.filled(image.get_array(), np.nan), tuning.curves[0].T)
    assert np.isnan(np.ma.filled(image.get_array(), np.nan)).any() and image.get_extent() == [0, 100, 0, 100]
    assert ax.get_xlabel() == "x" and "blank" in ax.get_title()
    assert "[spikes/s]" in ax.figure.axes[1].get_ylabel()
    with pytest.raises(InputError, match="0 to 0"):
        plotting.plot_tuning_map(tuning, unit=3)


def test_effects_are_drawn_with_readable_p() -> None:
    tuning = ap.tuning_curves(SPIKES, {"direction": ANGLE, "half": np.arange(240) // 120})
    ax = rendered(plotting.plot_effects(tuning.effects(n_permutations=99)))
    assert [t.get_text() for t in ax.get_xticklabels()] == ["direction", "half", "interaction"]
    assert "0.1" in [t.get_text() for t in ax.get_yticklabels()]
