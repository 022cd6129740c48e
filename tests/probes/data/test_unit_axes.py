"""Tables of tuning: one row per unit with its labels along every axis, of one site and of several."""

from __future__ import annotations

import numpy as np
import xarray as xr

import artiphys as ap

S = np.arange(40) % 4


def activity(**coords: object) -> xr.DataArray:
    x = np.random.default_rng(0).normal(size=(40, 2, 3))
    return xr.DataArray(x, dims=("trial", "time", "unit"), coords=coords)


def test_all_axes_and_further_labels_are_columns() -> None:
    data = activity(time=[0.1, 0.2], unit=["a", "b", "c"], channel=("unit", [7, 8, 9]))
    tuning = ap.tuning_curves(data, S)
    table = tuning.to_dataframe()
    assert list(table) == ["time", "unit", "channel", "preferred", "selectivity"]
    row = table[(table["time"] == 0.2) & (table["unit"] == "b")]
    assert row["channel"].item() == 8
    assert row["selectivity"].item() == tuning.selectivity().sel(time=0.2, unit="b").item()


def test_axes_without_labels_are_numbered() -> None:
    table = ap.tuning_curves(activity(), S).to_dataframe()
    assert table["time"].tolist() == [0, 0, 0, 1, 1, 1] and table["unit"].tolist() == [0, 1, 2] * 2


def test_labels_do_not_hide_results() -> None:
    table = ap.tuning_curves(activity(preferred=("unit", list("xyz"))), S).to_dataframe()
    assert table["unit_preferred"].tolist() == list("xyz") * 2 and table["preferred"].dtype.kind in "fi"


def test_several_sites_keep_their_axes() -> None:
    toy = ap.toys.load("suppressor")
    rec = ap.record(ap.wrap(toy), toy.stimuli[:60], ["hidden", "readout"])
    table = ap.tuning_curves(rec, "label").to_dataframe()
    assert list(table)[:3] == ["site", "index", "unit"] and table["site"].tolist() == ["hidden", "hidden", "readout"]
    assert table["unit"].tolist() == [0, 1, 0]


def test_tables_of_maps_have_them_too() -> None:
    table = ap.tuning_curves(activity(unit=["a", "b", "c"]), {"s": S, "half": np.arange(40) // 20}).to_dataframe()
    assert list(table)[:4] == ["time", "unit", "preferred_s", "preferred_half"]
