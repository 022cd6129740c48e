"""Single lesions: what the result says of its own making."""

from __future__ import annotations

import time

import numpy as np

import artiphys as ap
from artiphys.array_types import Array


def test_seconds_are_those_the_evaluations_took() -> None:
    def slow(coalitions: Array) -> Array:
        time.sleep(0.05)
        return np.asarray(coalitions.sum(axis=1), dtype=float)

    result = ap.single_lesions(slow, n_players=3)
    assert result.seconds >= 0.05 and result.n_evaluations == 4
    np.testing.assert_array_equal(result.values, [1, 1, 1])
