"""Angles: numbers that come round again after a period."""

from __future__ import annotations

import math

import numpy as np
from jaxtyping import Float, Num

from artiphys.array_types import Array
from artiphys.border import check
from artiphys.errors import InputError
from artiphys.user_warnings import warn


def turn_of(circular: object, period: object) -> float:
    """The period of circular labels; 0 where they are not circular.

    Raises
    ------
    InputError
    """
    check("circular", circular, bool)
    check("period", period, float)
    turn = float(period)  # type: ignore[arg-type]
    if circular and not (math.isfinite(turn) and turn > 0):
        raise InputError(f"period came as {period!r}; wanted a positive number, in the units of the labels")
    if not circular and turn != 2 * math.pi:
        warn(f"a period of {turn:g} came for labels that are not circular, so it has no effect; pass circular=True")
    return turn if circular else 0.0


def check_turn(values: Num[Array, " trial"], period: float) -> None:
    """Warn where angles seem to be in other units than their period."""
    span = float(values.max()) - float(values.min())  # of small integers the difference would overflow
    if period <= 2 * math.pi + 1e-6 and span > 4 * math.pi:
        warn(
            f"the circular stimulus spans {span:g}, many times its period of {period:g}; if it is in degrees, pass "
            "period=360 (directions) or period=180 (orientations)"
        )
    if period in (180, 360) and 1 < span <= 2 * math.pi + 1e-6 and (values != values.round()).any():
        warn(f"the circular stimulus spans {span:.3g} of a period of {period:g}; if it is in radians, pass period=2*pi")


def angular_distance(a: Float[Array, "*value"], b: Float[Array, "*value"], period: float) -> Float[Array, "*value"]:
    """The shorter way round from one angle to another, at least 0 and at most half a period.

    >>> float(angular_distance(np.array(350.0), np.array(20.0), 360.0))
    30.0
    """
    away = np.abs(a - b) % period
    return np.asarray(np.minimum(away, period - away))
