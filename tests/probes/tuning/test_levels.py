"""Values of a stimulus that differ by rounding are one value, on a line and on a circle."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import artiphys as ap

STEP = np.arange(240) % 12
RNG = np.random.default_rng(0)
COUNTS = RNG.poisson(5, size=(240, 2)).astype(float)


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("period", [2 * np.pi, np.pi, 360.0, 180.0])
def test_directions_written_with_other_signs_and_turns_are_the_same(period: float, dtype: Any) -> None:
    turns = RNG.integers(-1, 1, size=240)
    angles = (STEP * (period / 12) + turns * period).astype(dtype)
    tuning = ap.tuning_curves(COUNTS, angles, circular=True, period=period)
    assert tuning.n.values.tolist() == [20] * 12
    expected = [COUNTS[k == STEP].mean(axis=0) for k in range(12)]
    np.testing.assert_allclose(tuning.curves.values.T, expected)


def test_sums_in_another_order_are_the_same_value() -> None:
    contrast = np.repeat([0.1, 0.2, 0.3], 80)
    contrast[200:] = 0.1 + 0.2
    assert ap.tuning_curves(COUNTS, contrast).n.values.tolist() == [80, 80, 80]
    within = ap.detectability(COUNTS, np.arange(240) % 2, within=contrast, n_permutations=0)
    assert "3" in within.methods_text()
    folds = ap.decode(COUNTS, contrast, "lda", n_permutations=0)
    assert folds.confusion is not None and folds.confusion.shape == (3, 3)


def test_levels_that_are_close_but_meant_stay_apart() -> None:
    concentration = 10.0 ** -np.repeat(np.arange(2, 10), 30)
    assert ap.tuning_curves(COUNTS, concentration).n.values.tolist() == [30] * 8
    assert ap.tuning_curves(COUNTS, 10_000_000 + STEP).n.size == 12


def test_single_precision_beside_double_is_said() -> None:
    mixed = np.where(np.arange(240) < 120, 0.1 * (1 + STEP), (0.1 * (1 + STEP)).astype(np.float32))
    with pytest.warns(UserWarning, match="count as one"):
        assert ap.tuning_curves(COUNTS, mixed).n.values.tolist() == [20] * 12


def test_bins_hold_the_values_at_their_edges() -> None:
    angles = np.arange(240) % 24 * (np.pi / 12)
    signed = np.where(RNG.random(240) < 0.5, angles, angles - 2 * np.pi)
    for a in (angles, signed):
        assert ap.tuning_curves(COUNTS, a, circular=True, bins=8).n.values.tolist() == [30] * 8


def test_jitter_on_both_sides_of_a_full_turn_is_one_direction() -> None:
    angles = (STEP * 30 + 1e-6 * np.random.default_rng(1).normal(size=240)) % 360
    with pytest.warns(UserWarning, match="count as one"):
        assert ap.tuning_curves(COUNTS, angles, circular=True, period=360).n.values.tolist() == [20] * 12


def test_a_period_without_a_circle_is_told() -> None:
    """Taken for a line, 0 and 330 degrees are far apart."""
    for options in ({"period": 360.0}, {"period": {"stimulus": 360.0}}):
        with pytest.warns(UserWarning, match="pass circular=True"):
            ap.tuning_curves(COUNTS, STEP * 30, **options)
    ap.tuning_curves(COUNTS, {"a": STEP * 30, "b": np.arange(240) // 120}, circular={"a": True}, period=360)


def test_measured_values_that_lie_near_each_other_are_no_slips() -> None:
    place = np.random.default_rng(0).uniform(0, 1, 240)
    place[1] = place[0] * (1 + 1e-8)
    assert ap.tuning_curves(COUNTS, place).n.values.tolist() == [30] * 8
