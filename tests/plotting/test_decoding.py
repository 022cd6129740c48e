"""Plots show what the results hold."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import xarray as xr

import artiphys as ap
from artiphys import plotting
from artiphys.errors import InputError


def labelled(ax: Any) -> Any:
    """Drawn, with both axes named."""
    ax.figure.canvas.draw()
    assert ax.get_xlabel() and ax.get_ylabel()
    return ax


def test_reading_plots_hold_their_numbers_and_name_their_axes() -> None:
    rng = np.random.default_rng(0)
    y = np.arange(60) % 2
    x = xr.DataArray(rng.normal(size=(60, 5, 6)), dims=("trial", "time", "unit"))
    x[:, 3, 2] += 2 * y
    course = ap.decode(x, y, n_permutations=30)
    line = labelled(plotting.plot_time_course(course)).get_lines()[0]
    np.testing.assert_allclose(line.get_ydata(), course.score)
    cross = ap.decode(x, y, across="time", n_permutations=30)
    (image,) = labelled(plotting.plot_generalisation(cross)).get_images()
    np.testing.assert_allclose(image.get_array(), cross.score)
    one = ap.decode(x[:, 3], y, n_permutations=0)
    (image,) = labelled(plotting.plot_confusion(one)).collections
    assert one.confusion is not None
    np.testing.assert_allclose(image.get_array(), one.confusion / 30)
    light = ap.searchlight(x, y, size=2, n_permutations=30)
    (image,) = labelled(plotting.plot_searchlight(light)).get_images()
    np.testing.assert_allclose(image.get_array(), light.map().T)
    flat = labelled(plotting.plot_searchlight(ap.searchlight(x[:, 3], y, size=2, n_permutations=0)))
    assert len(flat.get_lines()[0].get_ydata()) == 5
    for permutations in (0, 30):
        labelled(plotting.plot_detection(ap.detectability(x[:, 3], y, n_permutations=permutations)))
    labelled(plotting.plot_detection(ap.detectability(rng.normal(size=(60, 100)), y, n_permutations=30)))
    types = ap.cell_types(rng.normal(size=(60, 2)), max_types=3, n_null=19, progress=False)
    drawn = labelled(plotting.plot_cell_types(types)).get_lines()
    assert any(np.array_equal(d.get_ydata(), types.criteria["cluster_index"]) for d in drawn)
    two = ap.tuning_curves(x[:, 3], {"a": y, "b": np.arange(60) // 2 % 3})
    (image,) = labelled(plotting.plot_tuning_map(two, unit=2)).get_images()
    np.testing.assert_allclose(image.get_array(), two.curves[2])


def test_reading_plots_refuse_what_they_cannot_show() -> None:
    rng = np.random.default_rng(0)
    y = np.arange(60) % 2
    flat, one = ap.decode(rng.normal(size=(60, 3)), y, n_permutations=0), ap.tuning_curves(rng.normal(size=(60, 3)), y)
    two = ap.tuning_curves(rng.normal(size=(60, 3)), {"a": y, "b": np.arange(60) // 2 % 3})
    cases: list[tuple[Any, Any, str]] = [
        (plotting.plot_time_course, flat, "wanted time"),
        (plotting.plot_generalisation, flat, "across"),
        (plotting.plot_tuning, two, "plot_tuning_map"),
        (plotting.plot_tuning_map, one, "use plot_tuning"),
    ]
    for plot, result, message in cases:
        with pytest.raises(InputError, match=message):
            plot(result)


def test_a_marginal_is_drawn_and_names_must_fit() -> None:
    rng = np.random.default_rng(0)
    two = ap.tuning_curves(rng.normal(size=(60, 3)), {"orientation": np.arange(60) % 5, "b": np.arange(60) // 5 % 2})
    ax = labelled(plotting.plot_tuning(two.marginal("orientation")))
    assert len(ax.get_legend().get_texts()) == 3
    one = ap.decode(rng.normal(size=(60, 3)), np.arange(60) % 2, n_permutations=0)
    with pytest.raises(InputError, match="for each name"):
        plotting.plot_decoding([one], ["a", "b"])
