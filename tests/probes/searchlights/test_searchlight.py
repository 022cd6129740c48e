"""Searchlights: scikit-learn's scores, family-wise error, neighbourhoods."""

from __future__ import annotations

import sys
from typing import Any

import numpy as np
import pytest
import xarray as xr
from fixtures.activity import labelled
from sklearn.linear_model import RidgeClassifier
from sklearn.model_selection import StratifiedKFold, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import artiphys as ap
from artiphys.errors import ArtiphysError
from artiphys.probes import neighbourhoods
from artiphys.stats.p_values import max_statistic_p_value


def test_scores_are_scikit_learns_at_every_place() -> None:
    x, y = labelled(units=20, effect=0)
    found = ap.searchlight(x, y, size=4, step=3, n_permutations=0, seed=2)
    folds = StratifiedKFold(5, shuffle=True, random_state=2)
    theirs = make_pipeline(StandardScaler(), RidgeClassifier(alpha=1.0))
    expected = [cross_val_score(theirs, x[:, s : s + 4], y, cv=folds).mean() for s in range(0, 17, 3)]
    np.testing.assert_allclose(found.score, expected)
    assert found.score["neighbourhood"].values[1] == "unit 3-6" and found.chance == 0.5


def test_sites_times_and_places_are_labelled() -> None:
    rng = np.random.default_rng(0)
    y = np.arange(60) % 2
    recording = {
        "early": xr.DataArray(rng.normal(size=(60, 4, 6)), dims=("trial", "time", "unit")),
        "late": xr.DataArray(
            rng.normal(size=(60, 4, 3, 5)), dims=("trial", "time", "head", "unit"), attrs={"unit_axis": "head"}
        ),
    }
    recording["late"][:, 2, 1] += 2 * y[:, None]
    found = ap.searchlight(recording, y, n_permutations=60)
    assert found.score.size == 4 * 1 + 4 * 3
    best = found.top(1).iloc[0]
    assert (best["site"], best["time"], best["neighbourhood"]) == ("late", 2, "head 1") and best["p_corrected"] < 0.05
    grid = found.map("late", "p_corrected")
    assert grid.dims == ("time", "neighbourhood") and bool(grid.sel(time=2, neighbourhood="head 1") < 0.05)
    assert found.map("early").shape == (4, 1)
    assert "A unit raises every neighbourhood that holds it" in found.methods_text()


def test_neighbourhoods_of_maps_heads_and_subsets() -> None:
    maps = xr.DataArray(np.zeros((2, 3, 5, 4)), dims=("trial", "channel", "height", "width"))
    blocks = neighbourhoods(maps, axis=("height", "width"), size=2)
    assert len(blocks) == 4 * 3 and all(len(units) == 3 * 4 for units in blocks.values())
    assert set(blocks["height 0-1, width 0-1"]) == {
        c * 20 + h * 4 + w for c in range(3) for h in (0, 1) for w in (0, 1)
    }
    channels = neighbourhoods(maps, axis="channel")
    assert list(channels) == ["channel 0", "channel 1", "channel 2"] and len(channels["channel 1"]) == 20
    subsets = neighbourhoods(np_units(30), "random", size=4, n_subsets=7, seed=1)
    assert len(subsets) == 7 and all(len(set(u)) == 4 for u in subsets.values())
    given = neighbourhoods(np_units(30), {"mine": [3, 1, 3]})
    assert given["mine"].tolist() == [1, 3]


def np_units(n: int) -> xr.DataArray:
    return xr.DataArray(np.random.default_rng(0).normal(size=(10, n)), dims=("trial", "unit"))


@pytest.mark.many_runs
def test_the_halo_is_stated_and_only_there_is_anything_found() -> None:
    """Strong control: one informative unit, errors counted over places that do not hold it."""
    wrong, found = 0, 0
    for seed in range(60):
        x, y = labelled(units=20, effect=0, seed=seed)
        x[:, 7] += 1.8 * y
        s = ap.searchlight(x, y, size=3, n_permutations=59, seed=seed)
        p, halo = s.p_corrected.to_numpy(), s.containing(7).to_numpy()  # type: ignore[union-attr]
        assert halo.sum() == 3
        wrong += bool((p[~halo] <= 0.05).any())
        found += bool((p[halo] <= 0.05).any())
    assert wrong <= 9 and found >= 54


def test_a_wide_null_elsewhere_costs_no_power() -> None:
    rng = np.random.default_rng(0)
    null = rng.normal(size=(500, 40)) * np.where(np.arange(40) < 20, 1.0, 10.0)
    observed = null.mean(axis=0).copy()
    observed[3] = 5.0
    p = max_statistic_p_value(observed, null)
    assert p[3] < 0.01 and (p[20:] > 0.5).all()
    unscaled = (np.sum(null.max(axis=1) >= observed[3]) + 1) / 501
    assert unscaled > 0.9, "without standardising the wide places decide"


def test_memory_bounds_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    x = xr.DataArray(np.random.default_rng(0).normal(size=(40, 3, 8)), dims=("trial", "time", "unit"))
    y = np.arange(40) % 2
    whole = ap.searchlight(x, y, size=2, n_permutations=20)
    monkeypatch.setattr(sys.modules["artiphys.probes.searchlights.places"], "BLOCK_BYTES", 1)
    np.testing.assert_array_equal(whole.null, ap.searchlight(x, y, size=2, n_permutations=20).null)


def test_bad_input_says_what_to_do() -> None:
    x, y = labelled(units=20, effect=0)
    cases: list[tuple[dict[str, Any], str]] = [
        ({"neighbourhoods": "ball"}, "no kind of neighbourhood 'ball'"),
        ({"size": 21}, "wanted 1 to 20"),
        ({"axis": "channel"}, "no axis 'channel'"),
        ({"neighbourhoods": [[0, 25]]}, "unit 25 of 20"),
        ({"neighbourhoods": []}, "no neighbourhoods"),
        ({"step": 0}, "at least 1"),
        ({"neighbourhoods": "random", "size": 0}, "whole number"),
    ]
    for options, message in cases:
        with pytest.raises(ArtiphysError, match=message):
            ap.searchlight(x, y, n_permutations=0, **options)
    with pytest.raises(ArtiphysError, match="name one site"):
        ap.searchlight(x, y, n_permutations=0).containing(3, "hidden")


def brain(seed: int, effect: float = 0.8) -> tuple[xr.DataArray, Any, Any, Any]:
    """6 runs x 8 blocks of each of two conditions in 6 x 6 x 6 smooth voxels, of which a ball is informative."""
    rng = np.random.default_rng(seed)
    grid = np.stack(np.meshgrid(*[np.arange(6)] * 3, indexing="ij"), axis=-1).reshape(-1, 3)
    near = np.exp(-0.5 * ((grid[:, None] - grid) ** 2).sum(axis=-1))
    noise = rng.normal(size=(96, 216)) @ near / np.sqrt((near**2).sum(axis=0))
    y, run = np.arange(96) % 2, np.arange(96) // 16
    ball = ((grid - 1.5) ** 2).sum(axis=1) <= 2.5
    coords = {name: ("unit", grid[:, i]) for i, name in enumerate("xyz")}
    x = noise + rng.normal(size=6)[run][:, None] + effect * y[:, None] * ball
    return xr.DataArray(x, dims=("trial", "unit"), coords=coords), y, run, ball


def test_spheres_are_the_units_within_a_distance() -> None:
    data, _, _, _ = brain(0)
    grid = np.column_stack([data[c].to_numpy() for c in "xyz"])
    by_name = neighbourhoods(data, "sphere", coordinates=["x", "y", "z"], radius=1.0)
    by_array = neighbourhoods(data, "sphere", coordinates=grid, radius=1.0)
    assert len(by_name) == 216 and all((by_name[n] == by_array[n]).all() for n in by_name)
    for i in (0, 86):
        away = np.sqrt(((grid - grid[i]) ** 2).sum(axis=1))
        assert sorted(by_name[f"around {i}"]) == np.flatnonzero(away <= 1.0).tolist()
    cases: list[tuple[dict[str, Any], str]] = [
        ({}, "need coordinates="),
        ({"coordinates": ["x", "w"], "radius": 1.0}, "no coordinate of the units 'w'"),
        ({"coordinates": grid[:10], "radius": 1.0}, "wanted finite numbers .216"),
        ({"coordinates": grid, "radius": 0}, "positive number"),
    ]
    for options, message in cases:
        with pytest.raises(ArtiphysError, match=message):
            neighbourhoods(data, "sphere", **options)
    with pytest.raises(ArtiphysError, match="are of spheres"):
        neighbourhoods(data, "random", size=2, radius=1.0)


def test_significant_places_do_not_depend_on_the_seed() -> None:
    data, y, run, ball = brain(0, 0.45)
    maps = []
    for seed in range(3):
        options: dict[str, Any] = {"coordinates": ["x", "y", "z"], "radius": 1.5, "groups": run, "cv": 6}
        light = ap.searchlight(data, y, "sphere", scoring="auc", seed=seed, progress=False, **options)
        assert light.p_corrected is not None and light.n_permutations > 200, "places near .05 need more"
        maps.append(light.p_corrected.to_numpy() <= 0.05)
    for a in range(3):
        for b in range(a):
            assert (maps[a] & maps[b]).sum() / (maps[a] | maps[b]).sum() >= 0.8
    holding = np.array([ball[units].any() for units in light.neighbourhoods[None].values()])
    assert maps[0].sum() >= 10 and not maps[0][~holding].any()
    few = ap.searchlight(data, y, "sphere", max_permutations=200, progress=False, **options)
    assert few.n_permutations == 200


def test_corrections_and_clusters() -> None:
    data, y, run, ball = brain(1, 0.5)
    options: dict[str, Any] = {"coordinates": ["x", "y", "z"], "radius": 1.5, "groups": run, "cv": 6, "scoring": "auc"}
    light = ap.searchlight(data, y, "sphere", n_permutations=200, max_permutations=200, progress=False, **options)
    assert light.null is not None and light.p_corrected is not None
    np.testing.assert_array_equal(light.corrected(), light.p_corrected)
    score, largest = light.score.to_numpy(), light.null.to_numpy().max(axis=1)
    np.testing.assert_allclose(light.corrected("raw"), [(np.sum(largest >= s - 1e-9) + 1) / 201 for s in score])
    order = np.argsort(-score)
    assert (np.diff(light.corrected("raw").to_numpy()[order]) >= 0).all(), "a higher score never has a higher raw p"
    assert (light.corrected("fdr") <= 0.05).sum() >= (light.p_corrected <= 0.05).sum()
    found = light.clusters(0.01)
    assert found["p"].iloc[0] <= 0.05 and found["n_places"].iloc[0] >= 10 and found["mass"].is_monotonic_decreasing
    best = int(found["neighbourhood"].iloc[0].removeprefix("around "))
    assert any(ball[units].any() for units in [light.neighbourhoods[None][f"around {best}"]])
    with pytest.raises(ArtiphysError, match="no method"):
        light.corrected("bonferroni")
    x, y = labelled(units=12, effect=0)
    with pytest.raises(ArtiphysError, match="no two places share units"):
        ap.searchlight(x, y, size=2, step=2, n_permutations=20).clusters()
    with pytest.raises(ArtiphysError, match="no permutations"):
        ap.searchlight(x, y, size=2, n_permutations=0).corrected("raw")


def test_clusters_by_hand() -> None:
    """Windows of 2 of 6 units form a chain; over two times each follows itself."""
    x, y = labelled(units=6, effect=0)
    x = np.stack([x, x], axis=1)
    x[:, :, 2] += 3.0 * y[:, None]
    light = ap.searchlight(xr.DataArray(x, dims=("trial", "time", "unit")), y, size=2, n_permutations=40)
    found = light.clusters(0.05)
    assert found["n_places"].iloc[0] == 4 and found["p"].iloc[0] <= 0.05  # unit 1-2 and 2-3, at both times
    assert set(found.columns) >= {"n_places", "mass", "p", "peak_score", "neighbourhood", "time"}


@pytest.mark.many_runs
def test_errors_stay_at_their_level_with_more_permutations_and_clusters() -> None:
    any_place, any_cluster, raw = 0, 0, 0
    for seed in range(60):
        x, y = labelled(units=20, effect=0, seed=seed)
        light = ap.searchlight(x, y, size=3, n_permutations=39, max_permutations=160, seed=seed, scoring="auc")
        assert light.p_corrected is not None
        any_place += bool((light.p_corrected <= 0.05).any())
        raw += bool((light.corrected("raw") <= 0.05).any())
        any_cluster += bool((light.clusters(0.05)["p"] <= 0.05).any())
    for wrong in (any_place, any_cluster, raw):
        assert wrong <= 60 * 0.05 + 3.3 * np.sqrt(60 * 0.05 * 0.95)
