"""Permutation p-values and the false discovery rate."""

from __future__ import annotations

import numpy as np
import pytest

from artiphys.stats.p_values import p_value, pooled_p_value


def test_p_value_functions() -> None:
    assert p_value(np.array([2.0, 0.0]), np.array([[1.0, 1.0], [2.0, 1.0], [0.0, 0.0]])) == pytest.approx([0.5, 1.0])
    null = np.random.default_rng(0).normal(size=(50, 3))
    above = [np.sum(null >= v) for v in (0.3, -1.0, 9.0)]
    by_hand = [(b + np.sqrt(b) + 1) / 151 for b in above]
    assert pooled_p_value(np.array([0.3, -1.0, 9.0]), null) == pytest.approx(by_hand)
