"""Cross-fitting: exact with all pairs, and free of bias with two models."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from fixtures.benchmarks import calibration

import artiphys as ap
from artiphys.lesions.estimators.cross_fitting import centred, cross_fitted
from artiphys.lesions.estimators.enumeration import enumerated
from artiphys.lesions.estimators.kernel import n_pairs
from artiphys.lesions.estimators.pair_designs import Pairs
from artiphys.lesions.estimators.smoothers import shrunken


@pytest.mark.parametrize("index", ["shapley", "banzhaf"])
def test_pairs_with_all_weights_are_the_exact_values(index: Any) -> None:
    n = 8
    design = Pairs(n, index, 0).design(n_pairs(n))
    v = np.random.default_rng(0).normal(size=2**n)
    place = design.coalitions @ (1 << np.arange(n))
    found = cross_fitted(design, v[place])
    exact = enumerated(n, index)
    assert found.weights @ v[place] == pytest.approx(exact.weights @ v[exact.coalitions @ (1 << np.arange(n))])
    assert found.stderr is None


@pytest.mark.many_runs
def test_two_models_correct_each_others_pairs() -> None:
    """An estimate is unbiased whatever is modelled: over many draws its mean is the exact value."""
    table = calibration().xor_redundant()
    exact = ap.shapley(table, method="exact").values.to_numpy()
    runs = []
    for seed in range(300):
        design = Pairs(10, "shapley", seed).design(120)
        values = table(design.coalitions)
        models, ratio = shrunken(design, centred(design, values))
        assert len(models) == 2 and ratio >= 0
        runs.append(cross_fitted(design, values, *models).weights @ values)
    off = (np.mean(runs, axis=0) - exact) / (np.std(runs, axis=0) / math.sqrt(300))
    assert np.abs(off).max() < 4
