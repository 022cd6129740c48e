"""Toys of reading: the numbers as published, and what the naive analysis says of each."""

from __future__ import annotations

import itertools
import math
from typing import Any

import numpy as np
import pytest
import xarray as xr
from fixtures.recorded_toys import recorded
from scipy.special import i1
from scipy.stats import norm

import artiphys as ap
from artiphys.errors import InputError
from artiphys.probes import information
from artiphys.probes.mutual_information.tables import plugin_bits
from artiphys.verification.answers import shipped
from artiphys.verification.result import described
from artiphys.verification.scoring import scored


def expected(name: str, analysis: str, kind: str | None = None, **options: Any) -> Any:
    return ap.toys.load(name, **options).truths(analysis, kind).expected


def test_published_numbers() -> None:
    """As they are printed, not as the toys compute them."""

    def close(x: float) -> Any:
        return pytest.approx(x, abs=6e-5)

    assert expected("luminance", "decoding")["category"] == close(0.6726)
    given = expected("luminance", "decoding given a confound")
    assert given["luminance"] == 0.5 and given["luminance measured"] == pytest.approx(0.60, abs=0.005)
    turning = expected("rotating_code", "decoding across time")
    assert turning["0→0"] == turning["9→9"] == close(0.8413) and turning["0→9"] == close(0.5)
    assert expected("far_pair", "searchlight of windows of 3")["unit 9-11"] == pytest.approx(0.691, abs=5e-4)
    heard = expected("letters_and_phonemes", "prediction")
    assert math.sqrt(heard["speech"]) == close(0.7071) and math.sqrt(heard["text"]) == close(0.6364)
    left = expected("letters_and_phonemes", "prediction given letters")
    assert math.sqrt(left["speech"]) == pytest.approx(0.308, abs=5e-4)
    assert expected("sparse_code", "lifetime sparseness of noise", n_trials=2)["hidden.3"] == close(1 / 11)
    assert expected("noisy_channel", "transmitted information")["clear"] == pytest.approx(2.25, abs=1e-3)
    assert expected("erasure_residue", "accuracy", dims=5)["intact"] == close(0.9485)
    assert expected("suppressor", "readout weights")["hidden.1"] == close(-0.9975)
    assert expected("epiphenomenal", "choice AUC, stimuli pooled")["hidden.0"] == pytest.approx(0.691, abs=6e-4)
    assert expected("index_pileup", "contrast indices")["share at +-1"] == pytest.approx(0.58, abs=0.005)
    assert expected("index_pileup", "contrast indices", rate=5.0)["share at +-1"] == pytest.approx(0.05, abs=0.006)


@pytest.mark.parametrize("seed", [1, 2])
def test_other_seeds_hold_too(seed: int) -> None:
    """Tolerances allow for sampling, not for one lucky data set."""
    for name in (
        "luminance",
        "letters_and_phonemes",
        "far_pair",
        "fisher_population",
        "noisy_channel",
        "erasure_residue",
    ):
        toy = ap.toys.load(name, seed=seed)
        for truth in toy.truth:
            for m in shipped().values():
                if truth.kind is None and m.applies(toy, truth):
                    score = scored(m, toy, truth)
                    assert score.passed, described(score)


def test_fisher_information_of_poisson_bumps() -> None:
    """The closed form is the sum over units of f'^2 / f, and linear for small steps; the best unit is on the flank."""
    n, rate, k = 32, 10.0, 2.0
    away = 2 * np.pi / n * np.arange(n)
    f = rate * np.exp(k * (np.cos(away) - 1))
    each = (f * k * np.sin(away)) ** 2 / f
    closed = expected("poisson_population", "Fisher information")["hidden"]
    assert closed == pytest.approx(each.sum(), rel=1e-6) == pytest.approx(n * rate * k * math.exp(-k) * i1(k))
    d_prime = expected("poisson_population", "d_prime")
    assert d_prime["hidden.0"] == 0 and d_prime[f"hidden.{each.argmax() % 16}"] > 0.6
    x, toy = recorded("poisson_population")
    assert int(x.mean("trial").to_numpy().argmax()) == 0, "the naive choice: the most active unit"
    assert x.to_numpy() == pytest.approx(np.round(x.to_numpy())) and float(x.var("trial")[0] / x.mean("trial")[0]) < 1.2
    lost = toy.truths("single_lesions", "zero").expected
    assert lost["on top"] == 0 < min(lost["ahead"], lost["behind"])


def test_tolerance_of_fisher_information_rejects_naive_estimates() -> None:
    x, toy = recorded("fisher_population")
    truth, step = toy.truths("Fisher information"), 0.2828
    found = ap.detectability(x, toy.labels, n_permutations=0)
    for wrong in (found.population().plugin / step**2, found.population(shuffled=True).fisher(step)):
        assert wrong > truth.expected["hidden"] + truth.tolerance
    assert truth.tolerance < truth.expected["hidden"], "nothing at all is rejected too"
    half = ap.detectability(x.isel(unit=range(100)), toy.labels, n_permutations=0).population().fisher(step)
    assert half == pytest.approx(5.49, abs=3), "half of the units hold most of it"


def test_sparseness_and_information_of_flat_noise() -> None:
    """A flat Poisson unit seems sparse and informed: .17 and bias (B - 1) / (2 N ln 2) at one trial's worth."""
    x, toy = recorded("sparse_code", n_trials=2)
    stimulus = toy.stimuli.conditions["stimulus"].to_numpy()
    first = np.array([np.flatnonzero(stimulus == s)[0] for s in np.unique(stimulus)])
    r = x.to_numpy()[first, 3:]
    sparse = (1 - r.mean(axis=0) ** 2 / (r**2).mean(axis=0)) / (1 - 1 / len(r))
    assert sparse == pytest.approx(1 / 6, abs=0.09) and pytest.approx(0.17, abs=0.005) == 1 / 6
    naive = (r / r.mean(axis=0) * np.log2(np.maximum(r, 1e-12) / r.mean(axis=0))).mean(axis=0)
    bias = (len(r) - 1) / (2 * r.sum(axis=0) * math.log(2))
    truth = ap.toys.load("sparse_code").truths("Skaggs information of noise")
    assert (naive > 0.5 * bias).all() and bias.mean() > 4 * truth.tolerance
    # of the toy as it is examined, the plug-in is off too
    toy = ap.toys.load("sparse_code")
    assert (128 - 1) / (2 * 5 * 128 * 4 * math.log(2)) > 1.9 * toy.truths("Skaggs information of noise").tolerance
    assert toy.truths("single_lesions", "zero").expected["hidden.0"] == 0, "the sparsest unit is not read"


def test_a_text_model_predicts_auditory_cortex_by_what_it_shares() -> None:
    text, _ = recorded("letters_and_phonemes", site="text")
    r_squared = float(ap.decode(text, "cortex", n_permutations=0).score)
    assert math.sqrt(r_squared) == pytest.approx(0.6364, abs=0.03), "the naive analysis"
    erased = ap.decode(text, "cortex", confounds="phonemes", n_permutations=0)
    assert float(erased.score) == pytest.approx(0, abs=0.014)
    assert expected("letters_and_phonemes", "single_lesions", "zero")["text"] == 0


def test_noise_seems_to_transmit_information() -> None:
    """Eight symbols, 80 trials: the plug-in says .54 bits of pure noise."""
    naive, mended = [], []
    for seed in range(40):
        toy = ap.toys.load("noisy_channel", n_trials=80, seed=seed)
        symbol, _, received = toy.stimuli.inputs.numpy().astype(int).T  # type: ignore[union-attr]
        counts = np.zeros((8, 8))
        np.add.at(counts, (symbol, (symbol + received) % 8), 1)
        naive.append(plugin_bits(counts))
        with pytest.warns(UserWarning, match="80 trials"):
            mended.append(float(information(counts).bits))
    assert np.mean(naive) == pytest.approx(0.544, abs=0.05)
    assert np.mean(mended) == pytest.approx(0, abs=0.06)
    toy = ap.toys.load("noisy_channel")
    bias = 49 / (2 * len(toy.labels) * math.log(2))
    assert bias > 1.2 * toy.truths("transmitted information of noise").tolerance


def test_a_linear_probe_after_erasure_is_at_chance_and_the_network_is_not() -> None:
    x, toy = recorded("erasure_residue")
    before = float(ap.decode(x, "label", n_permutations=0).score)
    erased, _ = recorded("erasure_residue", site="erased")
    after = float(ap.decode(erased, "label", n_permutations=0).score)
    assert before > 0.75 and after == pytest.approx(0.5, abs=0.032)
    lost = toy.truths("single_lesions", "zero").expected
    assert lost["hidden.0"] == 0 and lost["hidden.1"] > 0.1, "the unit that decodes best linearly is not used"


def test_no_line_beats_three_of_four_and_logistic_readers_are_at_chance() -> None:
    corners = np.array(list(itertools.product([0, 1], [0, 1])))
    fine = np.linspace(-2, 2, 21)
    w = np.array(list(itertools.product(fine, fine, fine)))
    right = ((corners @ w[:, :2].T + w[:, 2] >= 0) == (corners.sum(axis=1) == 1)[:, None]).mean(axis=0)
    assert right.max() == expected("synergy", "best linear accuracy")["hidden.0+hidden.1"]
    assert expected("synergy", "joint information")["hidden.0+hidden.1"] == 1.0
    x = np.random.default_rng(0).integers(0, 2, size=(400, 2))
    score = float(ap.decode(x, x[:, 0] ^ x[:, 1], "logistic", n_permutations=0).score)
    assert score == pytest.approx(0.53, abs=0.2), "a tuning screen or a linear reader discards both units"


def test_weights_are_no_patterns() -> None:
    """The suppressor's weight is as large as the signal unit's, and its pattern is nothing."""
    weights, patterns = (expected("suppressor", f"readout {w}") for w in ("weights", "patterns"))
    assert abs(weights["hidden.1"]) > 0.99 and patterns["hidden.1"] == 0
    x, toy = recorded("suppressor")
    alone = abs(float(ap.detectability(x, "label", n_permutations=0).d_prime[1]))
    assert alone < 0.15 and toy.truths("single_lesions", "zero").expected["hidden.1"] > 0.3


def test_the_more_active_step_of_a_turning_memory_is_no_better() -> None:
    """Equal decoding at each step looks stable; a lesion of the unit that codes first costs nothing."""
    x, toy = recorded("rotating_code", n_trials=2000)
    assert isinstance(x, xr.DataArray) and x.sizes["time"] == 10
    first = ap.detectability(x.isel(time=0), "label", n_permutations=0).d_prime.to_numpy()
    assert first == pytest.approx([2, 0], abs=0.18)
    lost = toy.truths("single_lesions", "zero").expected
    assert lost["hidden.0"] == 0 and lost["hidden.1"] == pytest.approx(norm.cdf(1) - 0.5, abs=0.04)


@pytest.mark.parametrize(
    ("name", "options", "said"),
    [
        ("sessions", {"n_sessions": 7}, "n_sessions"),
        ("sessions", {"n_trials": 2.5}, "n_trials"),
        ("luminance", {"error": 0.0}, "error"),
        ("letters_and_phonemes", {"rho": 1.0}, "rho"),
        ("letters_and_phonemes", {"sigma": -1.0}, "sigma"),
        ("mixed_selectivity", {"noise": 1.0}, "noise"),
        ("abstract_code", {"noise": 0.0}, "noise"),
        ("random_expansion", {"n_units": 100}, "n_units"),
        ("sparse_code", {"rate": -1.0}, "rate"),
        ("rotating_code", {"d_prime": 0.0}, "d_prime"),
        ("far_pair", {"n_units": 20}, "n_units"),
        ("poisson_population", {"step": 2.0}, "step"),
        ("fisher_population", {"information": 30.0}, "information"),
        ("fisher_population", {"n_trials": 100}, "covariance"),
        ("continuum", {"n_units": 10}, "n_units"),
        ("clusters", {"separation": 1.0}, "separation"),
        ("index_pileup", {"rate": 0.0}, "rate"),
        ("noisy_channel", {"right": 1.0}, "right"),
        ("erasure_residue", {"dims": 9}, "dims"),
        ("erasure_residue", {"dims": True}, "dims"),
        ("luminance", {"errors": 1.0}, "does not take"),
    ],
)
def test_bad_options_are_refused(name: str, options: dict[str, Any], said: str) -> None:
    with pytest.raises(InputError, match=said):
        ap.toys.load(name, **options)
