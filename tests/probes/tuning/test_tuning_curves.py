"""Tuning curves: closed forms, preferred values, calibrated tests."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import xarray as xr
from fixtures.networks import X
from scipy.stats import f_oneway

import artiphys as ap
from artiphys.errors import ArtiphysError, StatisticsError
from artiphys.probes.data.units import Units
from artiphys.stats.p_values import false_discovery


def test_mean_and_sem_by_hand() -> None:
    rng = np.random.default_rng(0)
    x = rng.normal(loc=1e6, size=(30, 4))
    s = np.array(["a", "b", "c"])[np.arange(30) % 3]
    t = ap.tuning_curves(x, s)
    for level in "abc":
        part = x[s == level]
        np.testing.assert_allclose(t.curves.sel(stimulus=level), part.mean(0), rtol=1e-12)
        np.testing.assert_allclose(t.sem.sel(stimulus=level), part.std(0, ddof=1) / np.sqrt(10), rtol=1e-6)
    assert t.curves.dims == ("unit", "stimulus") and t.n.values.tolist() == [10, 10, 10] and t.kind == "categorical"
    f = f_oneway(*[x[s == level] for level in "abc"]).statistic
    eta = 2 * f / (2 * f + 27)
    np.testing.assert_allclose(t.selectivity(), eta, rtol=1e-6)


def test_circular_preferred_is_the_phase_of_a_cosine() -> None:
    angle = np.repeat(np.arange(12) * 30.0, 5)
    phase = np.array([0.0, 45.0, 200.0])
    x = -3 + 2 * np.cos(np.deg2rad(angle[:, None] - phase))
    t = ap.tuning_curves(x, angle, circular=True, period=360)
    np.testing.assert_allclose(t.preferred() % 360, phase, atol=1e-6)
    orientation = ap.tuning_curves(np.cos(np.deg2rad(2 * (angle[:, None] - 70))), angle, circular=True, period=180)
    assert float(orientation.preferred()[0]) == pytest.approx(70)


def test_linear_and_categorical_preferred() -> None:
    x = np.array([[0.0, 1], [2, 1], [1, 1]]).repeat(2, axis=0)
    t = ap.tuning_curves(x, [10, 10, 20, 20, 30, 30])
    assert t.kind == "linear" and float(t.preferred()[0]) == 20 and np.isnan(t.preferred()[1])
    c = ap.tuning_curves(x, list("aabbcc"))
    assert c.preferred().values[0] == "b" and np.isnan(c.preferred().values[1])


def test_many_values_are_binned() -> None:
    s = np.linspace(0, 1, 200)
    t = ap.tuning_curves(np.column_stack([s, -s]), s)
    assert len(t.n) == 8 and t.n.min() == 25
    np.testing.assert_allclose(t.curves[0], t.curves["stimulus"], atol=0.01)
    circular = ap.tuning_curves(s[:, None], s * 360, circular=True, period=360, bins=4)
    np.testing.assert_allclose(circular.curves["stimulus"], [45, 135, 225, 315])


def test_times_heads_and_padding() -> None:
    rng = np.random.default_rng(0)
    x = rng.normal(size=(6, 3, 2, 4))
    valid = np.ones((6, 3), dtype=bool)
    valid[0, 2] = False
    x[0, 2] = np.nan
    data = xr.DataArray(
        x,
        dims=("trial", "time", "head", "unit"),
        coords={"valid": (("trial", "time"), valid), "s": ("trial", list("ababab"))},
    )
    t = ap.tuning_curves(data, "s")
    assert t.curves.dims == ("time", "head", "unit", "stimulus")
    np.testing.assert_allclose(t.curves.sel(stimulus="a")[2], x[[2, 4], 2].mean(0))
    np.testing.assert_allclose(t.curves.sel(stimulus="a")[0], x[[0, 2, 4], 0].mean(0))


@pytest.mark.many_runs
@pytest.mark.parametrize("units", [1, 40])
def test_p_values_are_calibrated_also_with_unequal_n_and_variance(units: int) -> None:
    """Raw mean differences reject .24 here; Welch's F keeps its level."""
    s = np.array([0] * 40 + [1] * 10)
    rejected = []
    for seed in range(400 // units + 20):
        rng = np.random.default_rng(seed)
        x = rng.normal(size=(50, units)) * np.where(s == 1, 2.0, 1.0)[:, None]
        p = ap.tuning_curves(x, s, n_permutations=99, seed=seed).p_value
        rejected.append(float((p <= 0.05).mean()))  # type: ignore[union-attr,operator]
    assert 0.02 <= np.mean(rejected) <= 0.085


def test_pooled_null_lets_many_units_survive_fdr() -> None:
    rng = np.random.default_rng(0)
    s = np.arange(60) % 2
    x = rng.normal(size=(60, 500))
    x[:, :10] += 2.0 * s[:, None]
    t = ap.tuning_curves(x, s, n_permutations=200, seed=0)
    q = false_discovery(t.p_value.to_numpy())  # type: ignore[union-attr]
    assert (q[:10] < 0.05).all() and np.mean(q[10:] < 0.05) < 0.02
    assert "pooled over 500 units" in t.methods_text()


def test_gate_is_untuned_and_backup_is_silent() -> None:
    gate = ap.toys.load("gate")
    t = ap.tuning_curves(ap.record(ap.wrap(gate), gate.stimuli, "hidden")["hidden"], "label", n_permutations=30, seed=0)
    assert float(t.p_value[0]) == 1.0 and float(t.p_value[1]) < 0.2  # type: ignore[index]
    assert list(t.to_dataframe()) == ["unit", "preferred", "selectivity", "p", "p_fdr"]


def test_bad_input_says_what_to_do() -> None:
    x = np.random.default_rng(0).normal(size=(10, 2))
    cases: list[tuple[Any, dict[str, Any], str]] = [
        (np.zeros(10), {}, "single value"),
        (np.arange(9), {}, "one value per trial"),
        ([*"abababab", "a", "b"], {"circular": True}, "numbers"),
        (np.arange(10) % 2, {"bins": 1}, "at least 2"),
        ([0.0, np.nan] + [1.0] * 8, {}, "missing on 1"),
        ("side", {}, "no condition 'side'"),
    ]
    for stimulus, options, message in cases:
        with pytest.raises(ArtiphysError, match=message):
            ap.tuning_curves(x, stimulus, **options)
    with pytest.raises(StatisticsError, match="fewer than two trials"):
        ap.tuning_curves(x, [0] + [1] * 9, n_permutations=10)


DIRECTIONS = np.repeat(np.arange(16) * 22.5, 10)


def von_mises(x: Any, mu: float, kappa: float, period: float) -> Any:
    return np.exp(kappa * (np.cos(2 * np.pi * (x - mu) / period) - 1))


def test_fit_recovers_a_von_mises_bump() -> None:
    mu, kappa, gain, base = np.array([10.0, 95.0, 171.0]), np.array([1.0, 2.5, 6.0]), np.array([1, 5, 20.0]), [0, 2, -1]
    angle = np.repeat(np.arange(12) * 15.0, 4)
    x = np.column_stack([b + g * von_mises(angle, m, k, 180) for m, k, g, b in zip(mu, kappa, gain, base)])
    t = ap.tuning_curves(x, angle, circular=True, period=180)
    fit = t.fit()
    np.testing.assert_allclose(fit["preferred"], mu, atol=1e-3)
    np.testing.assert_allclose(fit["gain"], gain, rtol=1e-3)
    np.testing.assert_allclose(fit["baseline"], base, atol=1e-2)
    np.testing.assert_allclose(t.width(), 180 / np.pi * np.arccos(1 - np.log(2) / kappa), rtol=1e-3)
    np.testing.assert_allclose(fit["r_squared"], 1, atol=1e-6)


def test_fit_recovers_a_gaussian_between_bin_centres() -> None:
    s = np.repeat(np.arange(9.0), 5)
    x = 1 + 3 * np.exp(-((s[:, None] - [2.3, 6.8]) ** 2) / (2 * 1.2**2))
    t = ap.tuning_curves(np.column_stack([x, np.ones(45), s]), s)
    np.testing.assert_allclose(t.preferred()[:2], [2.3, 6.8], atol=1e-3)
    np.testing.assert_allclose(t.width()[:2], 2.3548 * 1.2, rtol=1e-3)
    assert np.isnan(t.preferred()[2]) and float(t.preferred()[3]) == pytest.approx(8, abs=0.01)
    assert float(t.preferred("peak")[0]) == 2


def test_fit_agrees_with_scipy_on_noisy_curves() -> None:
    from scipy.optimize import curve_fit

    rng = np.random.default_rng(0)
    s = np.repeat(np.arange(11.0), 8)
    centre = rng.uniform(2, 8, 12)
    x = 2 + 4 * np.exp(-((s[:, None] - centre) ** 2) / 4) + rng.normal(size=(88, 12))
    t = ap.tuning_curves(x, s)
    for u in range(12):

        def bump(v: Any, m: float, w: float, g: float, b: float) -> Any:
            return b + g * np.exp(-((v - m) ** 2) / (2 * w**2))

        curve = t.curves[u].to_numpy()
        best, _ = curve_fit(bump, np.arange(11.0), curve, p0=(centre[u], 1.4, 4, 2))
        assert float(t.fit()["preferred"][u]) == pytest.approx(best[0], abs=0.01)
        assert float(t.fit()["gain"][u]) == pytest.approx(best[2], rel=0.02)


def test_orientation_and_direction_selectivity_in_closed_form() -> None:
    """Of a cosine 1 + m cos(k theta) the vector strength at harmonic k is m / 2."""
    th = np.deg2rad(DIRECTIONS)
    x = np.column_stack([1 + 0.6 * np.cos(2 * th), 1 + 0.8 * np.cos(th), np.ones(160)])
    t = ap.tuning_curves(x, DIRECTIONS, circular=True, period=360)
    np.testing.assert_allclose(t.orientation_selectivity(), [0.3, 0, 0], atol=1e-9)
    np.testing.assert_allclose(t.direction_selectivity(), [0, 0.4, 0], atol=1e-9)
    half = ap.tuning_curves(x[:, :1], DIRECTIONS % 180, circular=True, period=180)
    assert float(half.orientation_selectivity()[0]) == pytest.approx(0.3)
    with pytest.raises(ArtiphysError, match="full turn"):
        half.direction_selectivity()
    with pytest.raises(ArtiphysError, match="circular stimuli"):
        ap.tuning_curves(x, DIRECTIONS).orientation_selectivity()


def test_sparseness_and_its_bias_by_noise() -> None:
    """An untuned Poisson unit of mean 5 shows .17 at one trial a stimulus, 1 / (1 + 5 K) with K."""
    t = ap.tuning_curves(np.repeat(np.array([[1.0, 1], [0, 1], [0, 1], [0, 1]]), 2, axis=0), np.arange(8) // 2)
    np.testing.assert_allclose(t.lifetime_sparseness(), [1, 0])
    np.testing.assert_allclose(t.population_sparseness()[1:], 1)
    rng = np.random.default_rng(0)
    for k in (1, 4):
        counts = rng.poisson(5, size=(400 * k, 200))
        shown = ap.tuning_curves(counts, np.repeat([f"{i:03d}" for i in range(400)], k)).lifetime_sparseness()
        assert float(shown.mean()) == pytest.approx(1 / (1 + 5 * k), rel=0.05)


def test_skaggs_information_and_its_bias() -> None:
    """On one of four equally frequent stimuli: 2 bits per spike. A flat Poisson unit: bias (B - 1) / (2 N ln 2)."""
    s = np.repeat(np.arange(4), 200)
    clean = ap.tuning_curves((8.0 * (s == 2))[:, None], s).information()
    assert float(clean.bits[0]) == pytest.approx(2) and float(clean.bias[0]) == 0
    rng = np.random.default_rng(0)
    flat = ap.tuning_curves(rng.poisson(0.5, size=(800, 2000)), s).information()
    expected = 3 / (2 * 400 * np.log(2))
    assert float(flat.bias.mean()) == pytest.approx(expected, rel=0.03)
    assert float((flat.bits + flat.bias).mean()) == pytest.approx(expected, rel=0.08)
    assert abs(float(flat.bits.mean())) < 0.1 * expected
    rates = np.array([1.0, 2, 4, 9])
    truth = float(np.sum(rates / rates.mean() * np.log2(rates / rates.mean())) / 4)
    tuned = ap.tuning_curves(rng.poisson(rates[s][:, None] * np.ones(500)), s).information()
    low, high = tuned.interval()
    assert float(tuned.bits.mean()) == pytest.approx(truth, abs=0.003)
    assert 0.92 <= float(((low <= truth) & (truth <= high)).mean()) <= 0.98


def test_shannon_information_of_units() -> None:
    rng = np.random.default_rng(0)
    s = np.tile(np.arange(4), 200)
    x = np.column_stack([s, rng.normal(size=800), s // 2])
    info = ap.tuning_curves(x, s).information("shannon", bins=4)
    np.testing.assert_allclose(info.bits, [2, 0, 1], atol=0.03)
    many = ap.tuning_curves(rng.normal(size=(800, 400)), s).information("shannon")
    assert abs(float(many.bits.mean())) < 0.002


def test_two_stimuli() -> None:
    rng = np.random.default_rng(0)
    o, f = np.tile(np.arange(6) * 30.0, 40), np.repeat([1.0, 2, 4, 8], 60)
    product = von_mises(o, 60, 2, 180) * np.exp(-((np.log2(f) - 1) ** 2))
    oblique = von_mises(o + 40 * np.log2(f), 60, 2, 180)
    x = np.column_stack([product, oblique, np.zeros(240)]) + 0.05 * rng.normal(size=(240, 3))
    data = xr.DataArray(x, dims=("trial", "unit"), coords={"orientation": ("trial", o), "frequency": ("trial", f)})
    t = ap.tuning_curves(
        data, ["orientation", "frequency"], circular={"orientation": True}, period={"orientation": 180},
        n_permutations=50, seed=0,
    )  # fmt: skip
    assert t.curves.dims == ("unit", "orientation", "frequency") and t.kind == "circular x linear"
    np.testing.assert_allclose(t.curves[0, 2], x[:, 0].reshape(4, 10, 6)[:, :, 2].mean(axis=1))
    assert float(t.separability()[0]) > 0.97 > float(t.separability()[1]) + 0.2
    assert float(t.marginal("orientation").preferred()[0]) == pytest.approx(60, abs=3)
    assert float(t.marginal("frequency").preferred()[0]) == 2
    assert (t.p_value[:2] < 0.05).all() and float(t.p_value[2]) > 0.01  # type: ignore[index]
    assert list(t.to_dataframe())[:3] == ["unit", "preferred_orientation", "preferred_frequency"]
    with pytest.raises(ArtiphysError, match=r"tuning.marginal\('orientation'\)"):
        t.preferred()
    never = ap.tuning_curves(data, {"a": o, "b": np.where(o == 0, 1.0, f)})
    assert never.curves[:, 0, 1:].isnull().all() and not never.curves[:, 1:].isnull().any()


def test_recordings_are_strung_together_and_memory_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    toy = ap.toys.load("suppressor")
    rec = ap.record(ap.wrap(toy), toy.stimuli[:200], ["hidden", "readout"])
    t = ap.tuning_curves(rec, "label", n_permutations=50, seed=0)
    assert t.curves.dims == ("unit", "stimulus") and t.curves["site"].values.tolist() == ["hidden", "hidden", "readout"]
    np.testing.assert_allclose(t.curves[:2], ap.tuning_curves(rec["hidden"], "label").curves)
    assert list(t.to_dataframe())[:2] == ["site", "index"]
    x = xr.DataArray(np.random.default_rng(0).normal(size=(30, 4, 3, 5)), dims=("trial", "time", "head", "unit"))
    whole = ap.tuning_curves(x, np.arange(30) % 3, n_permutations=20, seed=0)
    for most in (1, 7 * 240, 20 * 240):
        monkeypatch.setattr("artiphys.probes.data.units.BLOCK_BYTES", most)
        from artiphys.probes.data.activity import unit_blocks

        blocks = list(unit_blocks(x, most))
        assert max(b.nbytes for _, b in blocks) <= max(most, 240)
        np.testing.assert_array_equal(np.concatenate([b for _, b in blocks], axis=1), x.values.reshape(30, -1))
    assert whole.p_value is not None


def test_a_recording_on_disk_is_read_once_and_gives_the_same(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    toy = ap.toys.load("suppressor")
    options: dict[str, Any] = {"n_permutations": 30, "seed": 0, "progress": False}
    rec = ap.record(ap.wrap(toy), toy.stimuli[:200], ["hidden", "readout"])
    ap.record(ap.wrap(toy), toy.stimuli[:200], ["hidden", "readout"], out=tmp_path / "a.zarr", progress=False)
    monkeypatch.setattr("artiphys.probes.data.pooled_null.MIN_POOLED_UNITS", 2)
    memory = ap.tuning_curves(rec, "label", **options)
    read: list[Any] = []
    whole = Units.trial_blocks

    def counted(self: Units) -> Any:
        for block in whole(self, 8 * 2 * 50):
            read.append(block)
            yield block

    monkeypatch.setattr(Units, "trial_blocks", counted)
    disk = ap.tuning_curves(ap.Recording.open(tmp_path / "a.zarr"), "label", **options)
    assert sum(b[2].size for b in read) == 200 * 3 and len(read) == 4 + 2
    for one, other in ((memory.curves, disk.curves), (memory.sem, disk.sem), (memory.p_value, disk.p_value)):
        np.testing.assert_allclose(one, other, rtol=1e-9)  # type: ignore[arg-type]


def test_angles_in_the_wrong_unit_are_noticed() -> None:
    x = np.random.default_rng(0).normal(size=(160, 2))
    with pytest.warns(UserWarning, match="pass period=360"):
        ap.tuning_curves(x, DIRECTIONS, circular=True)
    with pytest.warns(UserWarning, match=r"period=2\*pi"):
        ap.tuning_curves(x, np.deg2rad(DIRECTIONS), circular=True, period=360)


def test_negative_activity_is_no_rate() -> None:
    x = np.random.default_rng(0).normal(size=(160, 3))
    t = ap.tuning_curves(x, DIRECTIONS, circular=True, period=360)
    selective: list[Any] = [t.orientation_selectivity, t.direction_selectivity]
    calls: list[Any] = [t.lifetime_sparseness, t.population_sparseness, t.information, *selective]
    for call in calls:
        with pytest.raises(ArtiphysError, match=r"negative in 3 units; pass rectify=True"):
            call()
        call(rectify=True)
        call(baseline="min")
    with pytest.raises(ArtiphysError, match="negative"):
        t.lifetime_sparseness(baseline=0.01)


def test_more_bad_input_says_what_to_do() -> None:
    x = np.random.default_rng(0).normal(size=(20, 2))
    s = np.arange(20) % 2
    cases: list[tuple[Any, dict[str, Any], str]] = [
        ({"a": s, "b": s, "c": s}, {}, "wanted one or two"),
        (s, {"circular": {"angle": True}}, "names"),
        (s, {"n_permutations": 1.5}, "whole number"),
        (s, {"reliability": 0.5, "confounds": np.ones((20, 2)) * s[:, None]}, "one confound"),
        (s, {"reliability": 2.0}, "at most 1"),
    ]
    for stimulus, options, message in cases:
        with pytest.raises(ArtiphysError, match=message):
            ap.tuning_curves(x, stimulus, **options)
    t = ap.tuning_curves(x, s)
    with pytest.raises(ArtiphysError, match="four parameters"):
        t.fit()
    with pytest.raises(ArtiphysError, match="no p-values"):
        _ = t.p_fdr
    with pytest.raises(ArtiphysError, match="circular mean is of circular"):
        t.preferred("circular mean")
    assert float(t.curves[0, 1]) == pytest.approx(x[1::2, 0].mean())


def test_sparse_units_neither_hide_nor_spoil_the_null_of_others() -> None:
    """A level without variance has infinite weight in Welch's F, in the data or under some relabelling."""
    rng = np.random.default_rng(0)
    s = np.repeat(np.arange(8), 10)
    perfect = np.where(s == 4, 5.0, 0.0)[:, None]
    assert float(ap.tuning_curves(perfect, s, n_permutations=999, seed=0).p_value[0]) <= 0.002  # type: ignore[index]
    counts = rng.poisson(np.where(s == 4, 3.3, 0.3))[:, None]
    assert float(ap.tuning_curves(counts, s, n_permutations=999, seed=0).p_value[0]) <= 0.02  # type: ignore[index]
    y = np.repeat(range(3), 20)
    x = rng.normal(size=(60, 20)) + 3 * y[:, None]
    x[:, 0] = 0
    x[7, 0] = 1
    t = ap.tuning_curves(x, y, n_permutations=200, seed=0)
    assert (t.p_value[1:] < 0.001).all() and float(t.p_value[0]) > 0.1  # type: ignore[index]
    theta = np.tile(np.arange(8) * 45.0, 10)
    rate = rng.lognormal(-1, 1, 60) * (1 + 0.9 * np.cos(np.deg2rad(theta[:, None] - rng.uniform(0, 360, 60))))
    cells = ap.tuning_curves(rng.poisson(rate), theta, circular=True, period=360, n_permutations=200, seed=0)
    assert float((cells.p_fdr < 0.05).mean()) > 0.4


@pytest.mark.many_runs
@pytest.mark.parametrize("rate", [0.05, 0.5])
def test_sparse_counts_hold_their_level(rate: float) -> None:
    rng = np.random.default_rng(0)
    s = np.repeat(np.arange(3), 20)
    p = []
    for seed in range(40):
        x = np.hstack([rng.poisson(rate, size=(60, 20)), rng.normal(size=(60, 20))])
        p.append(ap.tuning_curves(x, s, n_permutations=99, seed=seed).p_value.to_numpy())  # type: ignore[union-attr]
    every = np.array(p) <= 0.05
    assert every[:, :20].mean() <= 0.075 and 0.025 <= every[:, 20:].mean() <= 0.09


def test_circular_values_at_the_seam() -> None:
    angle = np.tile(np.arange(12) * 30.0, 6)
    x = 5 + 3 * np.cos(np.deg2rad(angle[:, None] - [5.0, 358.0]))
    t = ap.tuning_curves(x, np.where(angle == 0, -1e-17, angle), circular=True, period=360)
    assert len(t.n) == 12 and t.curves["stimulus"].values[0] == 0
    binned = ap.tuning_curves(x, angle, circular=True, period=360, bins=12)
    for tuned in (t, binned):
        assert ((tuned.fit()["preferred"] >= 0) & (tuned.fit()["preferred"] < 360)).all()


MISUSE: list[tuple[Any, str]] = [
    (lambda: ap.tuning_curves(X, np.arange(12), bins=0), "at least 2"),
    (lambda: ap.tuning_curves(X, np.arange(12), circular=True, period=0), "positive"),
]


@pytest.mark.parametrize(("use", "message"), MISUSE)
def test_misuse_is_not_accepted_silently(use: Any, message: str) -> None:
    with pytest.raises(ArtiphysError, match=message):
        use()
