"""Components: principal ones as numpy has them, demixed ones by closed forms, planted margins, calibrated tests."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import xarray as xr

import artiphys as ap
from artiphys import plotting
from artiphys.errors import ArtiphysError, InputError, StatisticsError
from artiphys.probes.projections.demixing import demixed
from artiphys.probes.projections.margins import margins

DIMS = ("trial", "time", "unit")
AXES = np.linalg.qr(np.random.default_rng(9).normal(size=(12, 4)))[0].T
AXES[1] = 0.6 * AXES[0] + 0.8 * AXES[1]  # rule and cue are read out along axes that are not at right angles


def planted(seed: int, rule: float = 1.0, cue: float = 1.0, both: float = 0.0, n: int = 10, noise: float = 1.0) -> Any:
    """Activity of 12 units at 6 times: time, rule (2) and cue (3) along axes of their own."""
    rng = np.random.default_rng(seed)
    cell = np.arange(6 * n) % 6
    r, c = cell % 2, cell // 2
    t = np.linspace(0, 1, 6)
    signs, levels = (2 * r - 1.0)[:, None], (c - 1.0)[:, None]
    parts = [
        2 * np.sin(3 * t) * np.ones((6 * n, 1)),
        2 * rule * signs * t,
        2 * cue * levels * (1 - t),
        both * signs * levels * t,
    ]
    x = np.einsum("ait,iu->atu", np.array(parts).transpose(1, 0, 2), AXES) + noise * rng.normal(size=(6 * n, 6, 12))
    coords = {"rule": ("trial", r), "cue": ("trial", np.array(list("xyz"))[c]), "time": t}
    return xr.DataArray(x, dims=DIMS, coords=coords)


def test_principal_components_are_those_of_the_covariance() -> None:
    x = planted(0)
    found = ap.components(x, n=3)
    flat = x.to_numpy().reshape(-1, 12)
    values, vectors = np.linalg.eigh(np.cov(flat.T))
    np.testing.assert_allclose(found.explained, values[::-1][:3] / values.sum(), rtol=1e-9)
    np.testing.assert_allclose(np.abs((found.axes.to_numpy() * vectors[:, ::-1][:, :3]).sum(axis=0)), 1, rtol=1e-9)
    assert found.projections.dims == ("trial", "time", "component") and found.trajectories.dims[1:] == (
        "time",
        "component",
    )
    np.testing.assert_allclose(found.project(x), found.projections)
    np.testing.assert_allclose(found.trajectories[0], found.projections.mean("trial"), atol=1e-12)
    assert "principal" in repr(found) and "Principal" in found.methods_text() and len(found.to_dataframe()) == 3


def test_margins_sum_to_the_whole_and_are_at_right_angles() -> None:
    means = np.random.default_rng(0).normal(size=(2, 3, 4, 5)) + 7
    parts = margins(means, 2)
    np.testing.assert_allclose(np.asarray(parts).sum(axis=0), means - means.mean(axis=(0, 1, 2)))
    for i in range(4):
        for j in range(i):
            assert abs((parts[i] * parts[j]).sum()) < 1e-9
    np.testing.assert_allclose(parts[0][0, 0], means.mean(axis=(0, 1)) - means.mean(axis=(0, 1, 2)))


def test_demixed_components_reach_the_least_squares_of_their_rank() -> None:
    """Reduced-rank regression: the loss is that of full rank plus the singular values that are cut off."""
    means = np.random.default_rng(1).normal(size=(2, 4, 5, 6))
    flat = (means - means.mean(axis=(0, 1, 2))).reshape(-1, 6)
    for part, (decoder, encoder) in zip(margins(means, 2), demixed(means, 2, 0.0, 2)):
        target = part.reshape(-1, 6)
        full = np.linalg.lstsq(flat, target, rcond=None)[0]
        cut = np.linalg.svd(flat @ full, compute_uv=False)[2:]
        wanted = ((target - flat @ full) ** 2).sum() + (cut**2).sum()
        assert ((target - flat @ decoder @ encoder.T) ** 2).sum() == pytest.approx(wanted)
        np.testing.assert_allclose(encoder.T @ encoder, np.eye(encoder.shape[1]), atol=1e-9)


def test_planted_margins_are_demixed() -> None:
    found = ap.components(planted(2, both=1.0, n=20), ["rule", "cue"], n=1)
    assert found.axes["margin"].values.tolist() == ["time", "rule", "cue", "rule x cue"]
    by_margin = found.explained_by_margin.to_numpy()
    assert (by_margin.argmax(axis=1) == np.arange(4)).all()
    assert (np.diag(by_margin)[1:] / found.explained.to_numpy()[1:] > 0.85).all()
    for i, name in enumerate(("time 1", "rule 1", "cue 1")):
        encoder = found.encoders.sel(component=name)
        assert abs(float((encoder * AXES[i]).sum())) > 0.9
    assert found.reliability is not None and (found.reliability > 0.8).all()
    # Demixed: the projection on rule hardly follows time; along the axis of rule it does, for the axes are oblique.
    x = planted(2, both=1.0, n=20, noise=0.2)
    of_rule = ap.components(x, ["rule", "cue"], n=1).trajectories.sel(component="rule 1")
    along = (x @ xr.DataArray(AXES[1], dims="unit")).groupby("rule").mean("trial")
    demixed_share = of_rule.mean(["rule", "cue"]).std() / of_rule.mean(["cue", "time"]).std()
    raw_share = along.mean("rule").std() / along.mean("time").std()
    assert float(demixed_share) < 0.5 * float(raw_share)
    table = found.to_dataframe()
    assert {"explained cue", "reliability", "margin"} <= set(table) and "Kobak" in found.methods_text()


def test_shares_of_margins_leave_noise_out() -> None:
    """Sums of squares over conditions and times, by the closed form of the planted effects."""
    t = np.linspace(0, 1, 6)
    sizes = [np.var(np.sin(3 * t)), np.mean(t**2), 2 / 3 * np.mean((1 - t) ** 2), 0.0]
    truth = np.array(sizes, dtype=float)
    truth = truth / truth.sum()
    found = [ap.components(planted(s, n=4), ["rule", "cue"], ridge=0.1, n_splits=1) for s in range(30)]
    values = np.mean([f.margin_variance.to_numpy() for f in found], axis=0)
    np.testing.assert_allclose(values, truth, atol=0.02)


@pytest.mark.many_runs
def test_null_margins_keep_their_level_beside_true_ones() -> None:
    """Rule does nothing, cue much; uneven numbers of trials."""
    p = []
    for seed in range(40):
        x = planted(seed, rule=0.0, n=6)[:33, ::2]
        found = ap.components(x, ["rule", "cue"], n=1, ridge=0.1, n_permutations=19, n_splits=2, seed=seed)
        assert found.p_value is not None and np.isnan(found.p_value[0])
        p.append(found.p_value.to_numpy()[1:])
    rates = (np.array(p) <= 0.05 + 1e-9).mean(axis=0)
    assert rates[0] <= 0.15 and rates[2] <= 0.15 and rates[1] > 0.9


def test_without_time_and_with_one_condition() -> None:
    rng = np.random.default_rng(0)
    cue = np.repeat(list("abc"), 20)
    x = rng.normal(size=(60, 5)) + 3 * np.eye(3, 5)[np.repeat([0, 1, 2], 20)]
    found = ap.components(x, cue, n=4, n_permutations=99)
    assert found.axes.sizes["component"] == 2 and found.trajectories.dims == (
        "condition",
        "component",
    )  # rank of 3 means
    assert found.p_value is not None and (found.p_value <= 0.02).all()
    np.testing.assert_allclose(found.trajectories.sel(condition="b"), found.projections[20:40].mean("trial"))
    assert float(found.margin_variance[0]) == 1.0


def test_ridge_is_chosen_by_other_trials() -> None:
    """With as many noisy units as samples of the mean, no ridge rebuilds noise."""
    noisy, clean = (
        ap.components(planted(0, n=2, noise=4.0), ["rule", "cue"]),
        ap.components(planted(0, n=40, noise=0.05), "rule"),
    )
    assert noisy.ridge > 100 * max(clean.ridge, 1e-6)


def test_bad_input_says_what_to_do() -> None:
    x = planted(0)
    session = ("trial", np.arange(60) // 10)
    cases: list[tuple[Any, Any, dict[str, Any], str]] = [
        (x.to_numpy(), None, {}, "name them"),
        (x, "side", {}, "no condition 'side'"),
        (x, ["rule", "rule"], {}, "different names"),
        (x, "time", {}, "no condition|different names"),
        (x, np.arange(60), {}, "wanted 2 to 50"),
        (x, np.arange(60) // 59, {}, "fewer than two trials"),
        (x, "rule", {"ridge": -1.0}, "0 or more"),
        (x, "rule", {"n": 0}, "1 or more"),
        (x, None, {"n_permutations": 9}, "no test"),
        (x * 0, "rule", {}, "never varies"),
        (x.where(x["time"] > 0), "rule", {}, "NaN"),
        (x.assign_coords(session=session), "rule", {"n_permutations": 9}, "pass groups"),
        (x, np.arange(60) // 30, {"n_permutations": 9, "groups": np.arange(60) // 2}, "average each group"),
    ]
    for activity, by, options, message in cases:
        with pytest.raises(ArtiphysError, match=message):
            ap.components(activity, by, **options)
    found = ap.components(x, "rule")
    with pytest.raises(InputError, match="units"):
        found.project(x[..., :5])
    with pytest.raises(StatisticsError, match="distinct"):
        ap.components(x[:4], [0, 0, 1, 1], n_permutations=9)


def test_plot_shows_each_combination() -> None:
    found = ap.components(planted(0, n=5), ["rule", "cue"], n=2, n_splits=1)
    ax = plotting.plot_trajectories(found)
    ax.figure.canvas.draw()
    assert ax.get_xlabel().startswith("cue 1") or ax.get_xlabel().startswith("rule 1")
    lines = [line for line in ax.get_lines() if len(np.asarray(line.get_xdata())) == 6]
    assert len(lines) == 6
    np.testing.assert_allclose(
        np.asarray(plotting.plot_trajectories(found, x="rule 1", y="cue 1").get_lines()[0].get_ydata()),
        found.trajectories.sel(component="cue 1")[0, 0],
    )
    with pytest.raises(InputError, match="no component"):
        plotting.plot_trajectories(found, x="rule 9")
    for one in (ap.components(planted(0), n=1), ap.components(planted(0)[:, 3], "cue"), ap.components(planted(0), n=2)):
        plotting.plot_trajectories(one).figure.canvas.draw()
