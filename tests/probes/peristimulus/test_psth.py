"""Peri-stimulus time histograms: counts by hand, all forms of input, smoothing, and refusals in words."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
import xarray as xr
from scipy.ndimage import gaussian_filter1d

import artiphys as ap
from artiphys import plotting
from artiphys.errors import ArtiphysError, InputError

TRIALS = [[0.25, -0.15, 0.05], [], [0.0, 0.299999999, 0.3], [0.1 + 0.2 - 0.1]]
WINDOW = (-0.2, 0.4)


def test_counts_by_hand_unsorted_times_empty_trials_and_edges() -> None:
    h = ap.psth(TRIALS, window=WINDOW, bin=0.1)
    wanted = [[1, 0, 1, 0, 1, 0], [0] * 6, [0, 0, 1, 0, 0, 2], [0, 0, 0, 0, 1, 0]]  # .2999... is .3 up to rounding
    np.testing.assert_array_equal(h.counts[..., 0], wanted)
    np.testing.assert_allclose(h.rate[0, :, 0], np.mean(wanted, axis=0) / 0.1)
    np.testing.assert_allclose(h.sem[0, :, 0], np.std(wanted, axis=0, ddof=1) / 2 / 0.1)
    np.testing.assert_allclose(h.rate["time"], [-0.15, -0.05, 0.05, 0.15, 0.25, 0.35])
    assert h.activity.dims == ("trial", "time", "unit") and h.activity.attrs["units"] == "spikes/s" and h.n_outside == 0
    assert h.raster(0)[0].tolist() == [-0.15, 0.05, 0.25]
    assert ap.psth([[0.4, -0.3], [0.1]], window=WINDOW, bin=0.1).n_outside == 2  # the right edge lies outside


def test_forms_of_input_agree() -> None:
    rng = np.random.default_rng(0)
    events = np.arange(1, 21) * 2.0
    session = rng.permutation(rng.uniform(0, 44, 900))
    named = {"a": session, "b": session[:300]}
    flat = ap.psth(named, events=events, window=(-0.5, 1.0), bin=0.05, recorded=(0, 44))
    lists = {k: [(v - e)[np.abs(v - e) < 1.6].tolist() for e in events] for k, v in named.items()}
    by_trial = ap.psth(lists, window=(-0.5, 1.0), bin=0.05)
    np.testing.assert_array_equal(flat.counts, by_trial.counts)
    assert flat.counts["unit"].values.tolist() == ["a", "b"]
    for e, row in zip(events, flat.counts.values[..., 0]):
        np.testing.assert_array_equal(row, np.histogram(session, e + np.linspace(-0.5, 1, 31))[0])
    whole = flat.counts.to_numpy().astype(int)
    for given in (whole, torch.from_numpy(whole), whole.astype(np.uint8)):
        np.testing.assert_allclose(ap.psth(given, window=(-0.5, 1.0)).rate, flat.rate)
    np.testing.assert_allclose(ap.psth(flat.counts).rate, flat.rate)
    wide = ap.psth(flat.counts.transpose("trial", "unit", "time"), bin=0.15)
    np.testing.assert_allclose(
        wide.rate, ap.psth(named, events=events, window=(-0.5, 1.0), bin=0.15, recorded=(0, 44)).rate
    )
    assert ap.psth([np.array([0.1]), np.array([])], window=(0, 1), bin=0.5).rate.values.ravel().tolist() == [1.0, 0.0]


def test_conditions_and_the_way_into_other_analyses() -> None:
    rng = np.random.default_rng(1)
    side = np.array(["left", "right"])[np.arange(60) % 2]
    counts = rng.poisson(np.where((side == "right")[:, None, None], [4.0, 2.0], [1.0, 2.0]), size=(60, 10, 2))
    h = ap.psth(counts, side, window=(0, 1.0))
    np.testing.assert_allclose(h.rate.sel(condition="left"), counts[side == "left"].mean(0) / 0.1)
    decoded = ap.decode(h.activity, "condition", n_permutations=0)
    assert float(decoded.score.mean()) > 0.7 and decoded.score.dims == ("time",)
    np.testing.assert_allclose(decoded.score["time"], h.rate["time"])
    tuned = ap.tuning_curves(h.activity, "condition")
    np.testing.assert_allclose(tuned.curves.transpose("stimulus", "time", "unit"), h.rate)
    data = xr.DataArray(counts, dims=("trial", "time", "unit"), coords={"side": ("trial", side)})
    assert ap.psth(data, "side", window=(0, 1.0)).rate.equals(h.rate)
    low, high = h.interval()
    assert bool(((low < h.rate) & (h.rate < high)).all())
    table = h.to_dataframe()
    assert len(table) == 2 * 10 * 2 and table.n.eq(30).all() and "bins of 0.1 s" in h.methods_text()
    assert "Psth of 2 units, 60 trials in 2 conditions" in repr(h)


def test_trials_of_unequal_length_are_unknown_not_silent() -> None:
    rng = np.random.default_rng(2)
    ends = rng.uniform(0.35, 1.0, 200)
    trials = [np.sort(rng.uniform(0, e, rng.poisson(40 * e))) for e in ends]
    h = ap.psth(trials, window=(0, 1), bin=0.1, ends=ends)
    naive = ap.psth(trials, window=(0, 1), bin=0.1)
    late = slice(6, 9)
    assert np.abs(h.rate[0, late, 0] - 40).max() < 8 and float(naive.rate[0, late, 0].max()) < 25
    np.testing.assert_array_equal(h.activity["valid"], np.arange(1, 11) / 10 <= ends[:, None] + 1e-9)
    np.testing.assert_array_equal(h.n[0], h.activity["valid"].sum("trial"))
    j = 6
    seen = h.activity["valid"].values[:, j]
    np.testing.assert_allclose(h.sem[0, j, 0], h.activity.values[seen, j, 0].std(ddof=1) / np.sqrt(seen.sum()))
    smooth = ap.psth(trials, window=(0, 1), bin=0.05, ends=ends, smoothing=0.1)
    assert np.abs(smooth.rate[0, :16, 0] - 40).max() < 9
    with pytest.raises(ArtiphysError, match="different lengths"):
        ap.decode(h.activity, np.arange(200) % 2, n_permutations=0)
    with pytest.raises(InputError, match="spikes after their end"):
        ap.psth([[0.9], [0.1]], window=(0, 1), bin=0.1, ends=[0.5, 0.5])
    with pytest.raises(InputError, match="after the end of their trial"):
        ap.psth(np.ones((2, 10, 1)), window=(0, 1), ends=[0.5, 1.0])
    again = ap.psth(h.counts.assign_coords(valid=h.activity["valid"]))  # the mark of padding is read back
    np.testing.assert_allclose(again.rate, h.rate)


def test_what_was_not_recorded_is_unknown() -> None:
    rng = np.random.default_rng(3)
    session = rng.uniform(0, 100, 5000)
    events = np.array([-0.2, 50.0, 99.7])
    h = ap.psth(session, events=events, window=(0, 1), bin=0.1, recorded=(0, 100))
    assert h.n.values[0].tolist() == [2, 2, 3, 2, 2, 2, 2, 2, 2, 2]
    with pytest.warns(UserWarning, match="reach beyond the first or the last spike"):
        ap.psth(session, events=events, window=(0, 1), bin=0.1)
    with pytest.warns(UserWarning, match="2 of 3 events overlap"):
        ap.psth(session, events=[10, 10.5, 20], window=(0, 1), bin=0.1)


def test_smoothing_keeps_the_rate_and_follows_scipy() -> None:
    rng = np.random.default_rng(4)
    counts = rng.poisson(3, size=(5, 400, 2))
    h = ap.psth(counts, window=(0, 4.0), smoothing=0.1)
    wanted = gaussian_filter1d(counts.mean(0) / 0.01, 10, axis=0, mode="constant", truncate=5)
    mass = gaussian_filter1d(np.ones(400), 10, mode="constant", truncate=5)
    np.testing.assert_allclose(h.rate[0], wanted / mass[:, None], rtol=2e-3)
    for shape in ("gaussian", "boxcar"):
        for causal in (False, True):
            flat = ap.psth(np.full((2, 50, 1), 2), window=(0, 0.5), smoothing=0.04, shape=shape, causal=causal)
            np.testing.assert_allclose(flat.rate, 200.0)
            impulse = np.zeros((1, 51, 1))
            impulse[0, 25] = 1
            one = ap.psth(impulse, window=(0, 0.51), smoothing=0.04, shape=shape, causal=causal)
            rate = one.rate[0, :, 0].to_numpy()
            assert rate.sum() * 0.01 == pytest.approx(1, rel=1e-4)
            if causal:
                assert (rate[:25] == 0).all() and rate[25] > 0
            else:
                np.testing.assert_allclose(rate, rate[::-1], atol=1e-12)
            if shape == "boxcar":
                wide = [12.5, 25, 25, 25, 12.5] if not causal else [25] * 4
                np.testing.assert_allclose(rate[rate > 0], wide)


def test_the_rate_of_a_poisson_process_is_unbiased_and_its_interval_covers() -> None:
    rng = np.random.default_rng(5)
    truth = 20 + 15 * np.sin(2 * np.pi * (np.arange(20) + 0.5) / 20)
    covered, means = [], []
    for _ in range(100):
        h = ap.psth(rng.poisson(truth[:, None] * 0.05, size=(40, 20, 1)), window=(0, 1.0))
        low, high = h.interval()
        covered.append(((low <= truth[:, None]) & (truth[:, None] <= high)).mean())
        means.append(h.rate[0, :, 0])
    np.testing.assert_allclose(np.mean(means, axis=0), truth, atol=1.5)
    assert 0.92 <= np.mean(covered) <= 0.97


UNEVEN = xr.DataArray(np.ones((2, 3, 1)), dims=("trial", "time", "unit"), coords={"time": [0, 0.1, 0.3]})
SILENT: list[Any] = [[0.1], []]


@pytest.mark.parametrize(
    ("spikes", "options", "message"),
    [
        (SILENT, {}, "without window"),
        (SILENT, {"window": (0, 0.95)}, None),
        (SILENT, {"window": (0, 1), "bin": 0.3}, "whole number of bins"),
        (SILENT, {"window": (1, 0)}, "start, stop"),
        (SILENT, {"window": (0, 1), "bin": 0.0}, "bin above 0"),
        (SILENT, {"window": (0, 1), "smoothing": 0.001}, "next to nothing"),
        (SILENT, {"window": (0, 1), "shape": "box"}, "boxcar"),
        (SILENT, {"window": (0, 1), "recorded": (0, 1)}, "needs events"),
        ([[100.0], [350.0]], {"window": (0, 1)}, "are they in seconds"),
        ([[100], [350]], {"window": (0, 1000)}, "whole numbers"),
        ([0.1, 0.2], {"window": (0, 1)}, "flat spike times need events"),
        ([[0.1], None], {"window": (0, 1)}, "is None"),
        ([[0.1], [np.nan]], {"window": (0, 1)}, "NaN"),
        ([[0.1], [None]], {"window": (0, 1)}, "missing"),
        ([[0.1], ["a"]], {"window": (0, 1)}, "wanted one list of times"),
        ([[[0.1]], [[0.2]]], {"window": (0, 1)}, "mapping of names"),
        ([], {"window": (0, 1)}, "hold no trial"),
        ({}, {"window": (0, 1)}, "without units"),
        ({"a": [[0.1]], "b": [[0.1], []]}, {"window": (0, 1)}, "same trials"),
        (SILENT, {"window": (0, 1), "conditions": ["a"]}, "one value per trial"),
        (SILENT, {"window": (0, 1), "ends": ["a", "b"]}, "wanted the end"),
        (SILENT, {"window": (0, 1), "ends": [0.0, 0.0]}, "spikes after"),
        ([[], []], {"window": (0, 1), "ends": [0.0, 0.0]}, "no bin"),
        ([[0.1], [0.2]], {"window": (0, 1), "events": [1.0, 2.0]}, "one or the other"),
        (np.array([0.5, 1.5]), {"window": (0, 1), "events": [0.4], "recorded": (0, 1)}, "outside of recorded"),
        (np.ones((3, 4, 2)), {}, "times of these counts are unknown"),
        (np.ones((3, 4)), {"window": (0, 1)}, "wanted \\(trial, time, unit\\)"),
        (np.ones((3, 4, 2)) * 0.5, {"window": (0, 1)}, "whole numbers of spikes"),
        (-np.ones((3, 4, 2)), {"window": (0, 1)}, "whole numbers of spikes"),
        (np.full((3, 4, 2), np.nan), {"window": (0, 1)}, "NaN or infinite"),
        (np.ones((3, 4, 2)), {"window": (0, 1), "bin": 0.4}, "multiple"),
        (np.ones((3, 4, 2)), {"window": (0, 1), "events": [1, 2, 3]}, "have their trials already"),
        (UNEVEN, {}, "not even"),
    ],
)  # fmt: skip
def test_bad_input_says_what_to_do(spikes: Any, options: dict[str, Any], message: str | None) -> None:
    if message is None:
        ap.psth(spikes, **options)
        return
    with pytest.raises(ArtiphysError, match=message):
        ap.psth(spikes, **options)


def test_plot_shows_rates_and_every_spike() -> None:
    rng = np.random.default_rng(6)
    side = np.array(["left", "right"])[np.arange(40) % 2]
    trials = [rng.uniform(-0.2, 0.8, rng.poisson(10 + 20 * (s == "right"))) for s in side]
    h = ap.psth({"a": trials, "b": [[] for _ in trials]}, side, window=(-0.2, 0.8), smoothing=0.03)
    ax = plotting.plot_psth(h)
    ax.figure.canvas.draw()
    np.testing.assert_allclose(np.asarray(ax.get_lines()[1].get_ydata()), h.rate.sel(condition="right", unit="a"))
    above: Any = plotting.plot_raster(h)
    drawn = sum(len(c.get_positions()) for c in above.collections)
    assert drawn == sum(map(len, trials)) and "spikes/s" in ax.get_ylabel()
    with pytest.raises(InputError, match="no unit"):
        plotting.plot_psth(h, unit="c")
    plotting.plot_psth(ap.psth(rng.poisson(1, (5, 10, 3)), window=(0, 1)), confidence=0.9)
