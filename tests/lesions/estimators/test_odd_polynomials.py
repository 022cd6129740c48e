"""Odd polynomials: values of monomials in closed form, kernels against features."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from artiphys.lesions.estimators.enumeration import enumerated
from artiphys.lesions.estimators.linear_smoothers import feature_smoother, kernel_smoother
from artiphys.lesions.estimators.odd_polynomials import Functional, cubic, cubic_kernel, cubic_kernel_values, sign
from artiphys.lesions.estimators.pair_designs import Pairs


@pytest.mark.parametrize("index", ["shapley", "banzhaf"])
def test_values_of_monomials(index: Any) -> None:
    """Closed forms of the functional against all coalitions."""
    n = 7
    exact, functional = enumerated(n, index), Functional.of(index, n)
    x = sign(exact.coalitions)
    relevance = np.linspace(0.5, 2, n)
    monomials, values = cubic(x, functional, relevance)
    # The functional leaves out what is shared equally or known from all intact; add it to compare.
    rest = monomials[0] / n - (monomials[1] / n) if index == "shapley" else functional.base * monomials[0]
    assert values + rest == pytest.approx(exact.weights @ monomials, abs=1e-12)
    kernel = cubic_kernel(x, x[:9], relevance)
    assert kernel == pytest.approx(monomials @ monomials[:9].T, abs=1e-12)
    assert cubic_kernel_values(x[:9], functional, relevance) == pytest.approx(values @ monomials[:9].T, abs=1e-12)


def test_kernel_and_features_are_the_same_model() -> None:
    n, design = 8, Pairs(8, "shapley", 1).design(100)
    x, functional = sign(design.intact), Functional.of("shapley", 8)
    relevance = np.linspace(0.5, 1.5, n)
    monomials, values = cubic(x, functional, relevance)
    drift = (functional.linear(x), functional.of_linear())
    by_features = feature_smoother([(monomials * 2, values * 2)], drift)
    kernel = np.eye(len(x)) + 4 * cubic_kernel(x, x, relevance)
    by_kernel = kernel_smoother(kernel, 4 * cubic_kernel_values(x, functional, relevance), drift)
    u = np.random.default_rng(0).normal(size=(len(x), 2))
    rows, chosen = u.T, np.arange(5, 60)
    for a, b in (
        (by_features.residuals(u), by_kernel.residuals(u)),
        (by_features.from_left(rows), by_kernel.from_left(rows)),
        (by_features.diagonal(), by_kernel.diagonal()),
        (by_features.columns(chosen), by_kernel.columns(chosen)),
        (by_features.value_weights, by_kernel.value_weights),
    ):
        assert a == pytest.approx(b, abs=1e-8)
    assert by_features.rank == pytest.approx(by_kernel.rank)
