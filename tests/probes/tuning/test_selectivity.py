"""Orientation and direction selectivity where angles are unevenly spaced."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

import artiphys as ap
from artiphys.errors import InputError

UNEVEN = [0, 10, 20, 30, 40, 50, 90, 135]
DIRECTIONS = [0, 20, 40, 60, 90, 150, 180, 225, 270, 300]


def tuning(levels: Sequence[float], rates: np.ndarray, period: float) -> ap.Tuning:
    """Tuning of one unit without noise: two trials a level."""
    angle = np.repeat(np.asarray(levels, dtype=float), 2)
    return ap.tuning_curves(np.repeat(rates, 2)[:, None], angle, circular=True, period=period)


@pytest.mark.parametrize("levels", [UNEVEN, list(np.arange(8) * 22.5)])
def test_equal_rates_have_no_selectivity(levels: list[float]) -> None:
    assert tuning(levels, np.full(8, 20.0), 180).orientation_selectivity().item() == pytest.approx(0, abs=1e-12)


@pytest.mark.parametrize("levels", [UNEVEN, list(np.arange(8) * 22.5)])
def test_a_cosine_has_half_its_relative_amplitude(levels: list[float]) -> None:
    rates = 10 + 6 * np.cos(2 * np.deg2rad(np.asarray(levels) - 33))
    assert tuning(levels, rates, 180).orientation_selectivity().item() == pytest.approx(0.3)


@pytest.mark.parametrize("levels", [DIRECTIONS, list(np.arange(10) * 36.0)])
def test_direction_and_orientation_do_not_leak_into_each_other(levels: list[float]) -> None:
    angle = np.deg2rad(np.asarray(levels))
    rates = 10 + 4 * np.cos(angle - 1) + 2 * np.cos(2 * (angle - 0.5))
    found = tuning(levels, rates, 360)
    assert found.direction_selectivity().item() == pytest.approx(0.2)
    assert found.orientation_selectivity().item() == pytest.approx(0.1)


def test_even_angles_are_the_vector_sum() -> None:
    rates = np.random.default_rng(0).poisson(5, 12).astype(float)
    angle = np.arange(12) * 30.0
    expected = [abs(np.sum(rates * np.exp(1j * k * np.deg2rad(angle)))) / rates.sum() for k in (1, 2)]
    found = tuning(list(angle), rates, 360)
    assert [found.direction_selectivity().item(), found.orientation_selectivity().item()] == pytest.approx(expected)


@pytest.mark.parametrize("levels", [[0, 5, 10, 15, 20, 25], [0, 10, 90]])
def test_angles_that_determine_no_sinusoid_are_refused(levels: list[float]) -> None:
    with pytest.raises(InputError, match="too few or too unevenly spaced"):
        tuning(levels, np.arange(1.0, len(levels) + 1), 180).orientation_selectivity()


def test_a_baseline_that_is_no_number_is_refused() -> None:
    with pytest.raises(InputError, match="baseline came as"):
        tuning(UNEVEN, np.full(8, 20.0), 180).orientation_selectivity(baseline=np.nan)


def test_direction_and_orientation_indices_by_hand() -> None:
    rates = np.array([2.0, 3, 1, 1, 4, 1, 9, 3])  # preferred 270, opposite 90; at right angles 0 and 180
    found = tuning(list(np.arange(8) * 45.0), rates, 360)
    assert found.direction_index().item() == pytest.approx((9 - 1) / (9 + 1))
    assert found.orientation_index().item() == pytest.approx((9 - 3) / (9 + 3))
    half = tuning(list(np.arange(8) * 22.5), rates, 180)
    assert half.orientation_index().item() == pytest.approx((9 - 1) / (9 + 1))
    with pytest.raises(InputError, match="full turn"):
        half.direction_index()


def test_indices_need_the_opposite_and_rates() -> None:
    with pytest.raises(InputError, match="none lies there"):
        tuning([0, 90, 200, 300], np.arange(1.0, 5), 360).direction_index()
    with pytest.raises(InputError, match="negative"):
        tuning([0, 90, 180, 270], np.arange(4.0) - 2, 360).orientation_index()
    assert np.isnan(tuning([0, 90, 180, 270], np.zeros(4), 360).direction_index().item())


@pytest.mark.parametrize("dtype", ["int8", "int16", "uint16", "int64", "float32", "float64"])
def test_whole_angles_work_as_floats_do(dtype: str) -> None:
    rng = np.random.default_rng(0)
    angle = np.arange(240) % 13 * 10 - 60 if dtype == "int8" else np.arange(260) % 13 * 30
    x = rng.poisson(4, (len(angle), 2))
    found, wanted = (ap.tuning_curves(x, angle.astype(d), circular=True, period=180) for d in (dtype, float))
    assert found.n.equals(wanted.n) and found.curves.equals(wanted.curves)
    if dtype != "int8":
        turn = ap.tuning_curves(x, angle.astype(dtype), circular=True, period=360)
        assert turn.n.values.tolist() == [40] + [20] * 11  # 0 and 360 are one
