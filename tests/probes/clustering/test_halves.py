"""Continua of many shapes have no types, however tight their clusters are, and types of many shapes are found."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from sklearn.metrics import adjusted_rand_score
from sklearn.mixture import GaussianMixture

import artiphys as ap
from artiphys.array_types import Array

Rng = np.random.Generator
QUICK: dict[str, Any] = {"max_types": 3, "n_null": 19, "progress": False}


def _ring(rng: Rng, angles: Array, noise: float = 0.15) -> Array:
    return np.column_stack([np.cos(angles), np.sin(angles)]) + noise * rng.normal(size=(len(angles), 2))


def _tuned(rng: Rng, preferred: Array) -> Array:
    """Tuning curves shifted along a circle: a ring in as many dimensions as there are stimuli."""
    s = np.arange(8) * np.pi / 4
    curves: Array = np.exp(np.cos(s - preferred[:, None]) - 1) + 0.05 * rng.normal(size=(len(preferred), 8))
    return curves


CONTINUA: dict[str, tuple[Callable[[Rng], Array], str]] = {
    "Gaussian": (lambda rng: rng.normal(size=(120, 2)), "one Gaussian cloud"),
    "elongated": (lambda rng: rng.normal(size=(120, 3)) * [5, 1, 1], "an elongated cloud"),
    "t": (lambda rng: rng.normal(size=(120, 2)) / np.sqrt(rng.chisquare(2, size=(120, 1)) / 2), "a heavy-tailed cloud"),
    "square": (lambda rng: rng.uniform(size=(120, 2)), "a flat cloud"),
    "box": (lambda rng: rng.uniform(size=(120, 5)), "a flat cloud"),
    "log-normal": (lambda rng: np.exp(rng.normal(size=(120, 2))), "a skewed cloud"),
    "exponential": (lambda rng: rng.exponential(size=(120, 3)), "a skewed cloud"),
    "ring": (lambda rng: _ring(rng, rng.uniform(0, 2 * np.pi, size=120)), "a ring"),
    "uneven ring": (lambda rng: _ring(rng, rng.vonmises(1, 0.7, size=120)), "a ring"),
    "arc": (lambda rng: _ring(rng, rng.uniform(0, np.pi, size=120), 0.1), "an arc"),
    "tuning curves": (lambda rng: _tuned(rng, rng.uniform(0, 2 * np.pi, size=120)), "a ring"),
}


@pytest.mark.parametrize("name", CONTINUA)
def test_a_continuum_has_no_types_and_its_shape_is_named(name: str) -> None:
    make, shape = CONTINUA[name]
    found = [ap.cell_types(make(np.random.default_rng(seed)), seed=seed, **QUICK) for seed in range(3)]
    assert [f.n_types for f in found] == [1, 1, 1]
    assert sum(f.shape == shape for f in found) >= 2, [f.shape for f in found]
    assert all(f"no types: {f.shape}" in f.verdict and "no valley" in f.verdict for f in found)


def test_types_are_found_as_a_mixture_finds_them() -> None:
    rng = np.random.default_rng(0)
    noise = rng.normal(size=(300, 2))
    clouds = {
        "two": (noise[:60] + np.repeat([[0, 0], [5, 0]], 30, axis=0), np.repeat([0, 1], 30)),
        "rare": (noise + np.where(np.arange(300) < 15, 7, 0)[:, None] * [1, 0], (np.arange(300) < 15).astype(int)),
        "unequal": (np.r_[noise[:90] * [3, 1], noise[90:120] * 0.5 + [0, 5]], np.repeat([0, 1], [90, 30])),
        "side by side": (noise[:120] * [6, 1] + np.repeat([[0, 0], [0, 6]], 60, axis=0), np.repeat([0, 1], 60)),
        "three": (
            noise[:180] + 6 * np.array([[0, 0], [1, 0], [0.5, 0.87]])[np.arange(180) % 3],
            np.arange(180) % 3,
        ),
    }
    for name, (x, truth) in clouds.items():
        found = ap.cell_types(x, **QUICK)
        k = truth.max() + 1
        mixture = GaussianMixture(k, n_init=5, random_state=0).fit_predict(x)
        reference = adjusted_rand_score(truth, mixture)
        assert found.n_types == k, f"{name}: {found}"
        assert adjusted_rand_score(truth, found.labels) >= reference - 0.06, name
        assert found.shape == "" and "with a valley" in found.verdict


def test_types_on_a_ring_need_gaps() -> None:
    rng = np.random.default_rng(0)
    angles = np.repeat([0.0, 2.1, 4.2], 40) + 0.15 * rng.normal(size=120)
    assert ap.cell_types(_ring(rng, angles, 0.1), **QUICK).n_types == 3


def test_discrete_features_are_no_types() -> None:
    counts = np.random.default_rng(0).poisson(3, size=(120, 2))
    assert ap.cell_types(counts, **QUICK).n_types == 1
    assert ap.cell_types(counts.astype(np.int16), **QUICK).p_valley > 0.05


def test_the_p_of_a_continuum_is_that_of_the_weaker_test() -> None:
    found = ap.cell_types(np.random.default_rng(0).uniform(size=(80, 2)), **QUICK)
    assert found.p_value == max(found.p_tight, found.p_valley) > 0.05
    again = ap.cell_types(np.random.default_rng(0).uniform(size=(80, 2)), **QUICK)
    assert again.p_value == found.p_value and (again.labels == found.labels).all()


def test_the_order_of_units_and_the_unit_of_features_do_not_matter_much() -> None:
    rng = np.random.default_rng(1)
    x = rng.normal(size=(90, 2)) + np.repeat([[0, 0], [6, 0]], 45, axis=0)
    order = rng.permutation(90)
    here, there = ap.cell_types(x, **QUICK), ap.cell_types(1000 * x[order] + 7, **QUICK)
    assert adjusted_rand_score(here.labels[order], there.labels) == 1
