"""Claims of the probes: data without information, effects of known size, and quantities with a closed form."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import xarray as xr
from scipy.stats import nct, norm
from scipy.stats import t as t_distribution

from artiphys.array_types import Array
from artiphys.probes import cell_types, decode, detectability, information, searchlight, tuning_curves
from artiphys.verification.calibration.claim import ALPHA, CONFIDENCE, Claim, covers, excludes_zero, rejects

AT_ONCE = 20  # data sets that share labels, as times or units of one recording
N_PERMUTATIONS = 199
N_UNITS = 8
DIMS = ("trial", "time", "unit")
EFFECT = 0.5  # d' of the units in measurements of power
N_CLASS = 50


def power_of_t(effect: float, n_class: int) -> float:
    """Power of a two-sided, two-sample t-test at .05."""
    df, noncentrality = 2 * n_class - 2, effect * math.sqrt(n_class / 2)
    border = t_distribution.ppf(1 - ALPHA / 2, df)
    return float(nct.sf(border, df, noncentrality) + nct.cdf(-border, df, noncentrality))


def _seed(rng: np.random.Generator) -> int:
    return int(rng.integers(2**31))


def _decode(x: Array, y: Array, rng: np.random.Generator, **options: Any) -> Any:
    return decode(xr.DataArray(x, dims=DIMS), y, cv=4, seed=_seed(rng), progress=False, **options)


def _independent(rng: np.random.Generator) -> tuple[Array, Array]:
    return rng.normal(size=(60, AT_ONCE, N_UNITS)), rng.permutation(np.arange(60) % 2)


def _decode_nothing(rng: np.random.Generator) -> Array:
    return rejects(_decode(*_independent(rng), rng, n_permutations=N_PERMUTATIONS).p_value)


def _decode_groups(rng: np.random.Generator) -> Array:
    """Labels constant in 12 groups that have offsets of their own."""
    group = np.arange(120) // 10
    x = rng.normal(size=(12, AT_ONCE, N_UNITS))[group] + rng.normal(size=(120, AT_ONCE, N_UNITS))
    y = rng.permutation(np.arange(12) % 2)[group]
    return rejects(_decode(x, y, rng, groups=group, n_permutations=N_PERMUTATIONS).p_value)


def _decode_accuracy(rng: np.random.Generator) -> Array:
    """(low, high, accuracy): the truth is what the procedure scores on average."""
    y = np.arange(200) % 2
    x = rng.normal(size=(200, AT_ONCE, N_UNITS))
    x[..., 0] += 1.5 * y[:, None]
    decoded = _decode(x, y, rng, n_permutations=0)
    return np.column_stack([np.asarray(end) for end in (*decoded.interval(CONFIDENCE), decoded.score)])


def _tuned(x: Array, y: Array, rng: np.random.Generator, **options: Any) -> Any:
    return tuning_curves(x, y, n_permutations=N_PERMUTATIONS, seed=_seed(rng), progress=False, **options)


def _detected(x: Array, y: Array, rng: np.random.Generator, **options: Any) -> Any:
    return detectability(x, y, n_permutations=N_PERMUTATIONS, seed=_seed(rng), progress=False, **options)


def _tuning_nothing(rng: np.random.Generator) -> Array:
    x, y = _independent(rng)
    return rejects(_tuned(x[:, :, 0], y, rng).p_value)


def _tuning_groups(rng: np.random.Generator) -> Array:
    group = np.arange(120) // 10
    x = rng.normal(size=(12, AT_ONCE))[group] + rng.normal(size=(120, AT_ONCE))
    y = rng.permutation(np.arange(12) % 2)[group]
    return rejects(_tuned(x, y, rng, groups=group).p_value)


def _effect(rng: np.random.Generator) -> tuple[Array, Array]:
    y = np.arange(2 * N_CLASS) % 2
    return rng.normal(size=(2 * N_CLASS, AT_ONCE)) + EFFECT * y[:, None], y


def _tuning_means(rng: np.random.Generator) -> Array:
    """Of the second condition, whose mean is the effect."""
    x, y = _effect(rng)
    low, high = _tuned(x, y, rng).interval(CONFIDENCE)
    return covers((low.to_numpy()[:, 1], high.to_numpy()[:, 1]), EFFECT)


def _detection_nothing(rng: np.random.Generator) -> Array:
    x, y = _independent(rng)
    return rejects(_detected(x[:, :, 0], y, rng).p_value)


def _population(rng: np.random.Generator) -> Array:
    """Ten units whose squared d' add up to 2.5."""
    y = np.arange(2 * N_CLASS) % 2
    x = rng.normal(size=(2 * N_CLASS, 10)) + 0.5 * y[:, None]
    return covers(_detected(x, y, rng).population().interval(CONFIDENCE), 2.5)


def _information(rng: np.random.Generator) -> Array:
    """8 x 8 confusions of 640 trials, .9 of them right."""
    k, right = 8, 0.9
    p = np.full((k, k), (1 - right) / (k - 1))
    np.fill_diagonal(p, right)
    tables = rng.multinomial(640, (p / k).ravel(), size=AT_ONCE).reshape(AT_ONCE, k, k)
    truth = math.log2(k) + right * math.log2(right) + (1 - right) * math.log2((1 - right) / (k - 1))
    return covers(information(tables).interval(CONFIDENCE), truth)


def _searchlight(rng: np.random.Generator) -> Array:
    """Any of 20 places."""
    x, y = rng.normal(size=(60, 20)), rng.permutation(np.arange(60) % 2)
    found = searchlight(x, y, size=3, n_permutations=N_PERMUTATIONS, seed=_seed(rng), progress=False)
    return np.array([bool(rejects(found.p_corrected).any())])


def _types(rng: np.random.Generator) -> Array:
    """One elongated Gaussian cloud."""
    x = rng.normal(size=(100, 4)) * np.array([4.0, 1, 1, 1])
    found = cell_types(x, max_types=3, n_null=39, seed=_seed(rng), progress=False)
    return np.array([bool(found.n_types > 1)])


def _power(p_of: Any) -> Any:
    def run(rng: np.random.Generator) -> Array:
        return rejects(p_of(*_effect(rng), rng).p_value)

    return run


def _covered(what: str, truth: float) -> Any:
    def run(rng: np.random.Generator) -> Array:
        return covers(_detected(*_effect(rng), rng).interval(what, CONFIDENCE), truth)

    return run


def _auc_nothing(rng: np.random.Generator) -> Array:
    x, y = _independent(rng)
    low, high = _detected(x[:, :, 0], y, rng).interval("auc", CONFIDENCE)
    return excludes_zero((low - 0.5, high - 0.5))


def probe_claims() -> list[Claim]:
    """All claims of the probes."""
    expected = power_of_t(EFFECT, N_CLASS)
    trials = f"2 x {N_CLASS} trials, d' {EFFECT}"
    return [
        Claim("decode", "false positives", "60 trials without information", ALPHA, _decode_nothing),
        Claim("decode", "false positives", "12 sessions, a label each", ALPHA, _decode_groups),
        Claim("decode", "coverage", "accuracy at d' 1.5, 200 trials", CONFIDENCE, _decode_accuracy),
        Claim("tuning_curves", "false positives", "60 trials without information", ALPHA, _tuning_nothing),
        Claim("tuning_curves", "false positives", "12 sessions, a label each", ALPHA, _tuning_groups),
        Claim("tuning_curves", "coverage", f"a mean, {trials}", CONFIDENCE, _tuning_means),
        Claim("tuning_curves", "power", trials, expected, _power(_tuned)),
        Claim("detectability", "false positives", "60 trials without information", ALPHA, _detection_nothing),
        Claim("detectability", "false positives", "AUC interval without .5, no information", ALPHA, _auc_nothing),
        Claim("detectability", "coverage", f"AUC, {trials}", CONFIDENCE, _covered("auc", norm.cdf(EFFECT / 2**0.5))),
        Claim("detectability", "coverage", f"d', {trials}", CONFIDENCE, _covered("d_prime", EFFECT)),
        Claim("detectability", "coverage", "d' squared of 10 units", CONFIDENCE, _population),
        Claim("detectability", "power", trials, expected, _power(_detected)),
        Claim("information", "coverage", "8 x 8 confusions, 640 trials", CONFIDENCE, _information),
        Claim("searchlight", "false positives", "any of 20 places without information", ALPHA, _searchlight),
        Claim("cell_types", "false positives", "one elongated cloud", ALPHA, _types),
    ]
