"""Selectivity: variance explained by the stimulus, vector strength for orientation and direction, sparseness."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from jaxtyping import Float

from artiphys.array_types import Array
from artiphys.errors import InputError
from artiphys.missing import plain_array
from artiphys.probes.tuning.levels import Levels

MAX_CONDITION = 10.0  # of the fit of sinusoids at unevenly spaced angles; beyond it noise is blown up


def eta_squared(
    mean: Float[Array, "level unit"], var: Float[Array, "level unit"], count: Float[Array, "level unit"]
) -> Float[Array, " unit"]:
    """Share of the variance over trials that lies between levels ``(unit,)``."""
    grand = np.nansum(count * mean, axis=0) / count.sum(axis=0)
    between = np.nansum(count * (mean - grand) ** 2, axis=0)
    within = np.nansum(np.where(count > 1, var * (count - 1), 0.0), axis=0)
    total = between + within
    with np.errstate(invalid="ignore", divide="ignore"):
        size = count.sum(axis=0) * np.nanmax(mean**2, axis=0, initial=0.0)
        return np.where(total > 1e-24 * size, between / total, 0.0)  # not where only rounding makes it vary


def vector_strength(rates: Array, angle: Array) -> Array:
    """|sum r e^(i angle)| / sum r, over the last axis; NaN where all rates are 0.

    With twice the direction as angle this is 1 minus the circular variance, the orientation selectivity of Ringach,
    Shapley & Hawken 2002, Orientation selectivity in macaque V1.
    """
    total = rates.sum(axis=-1)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(np.where(total > 0, np.abs(rates @ np.exp(1j * angle)) / total, np.nan))


def circular_selectivity(rates: Array, angle: Array, stimulus: Array) -> Array:
    """Vector strength over the last axis; by least squares where the angles are unevenly spaced.

    Unevenly spaced angles pull the sum of vectors towards where they lie dense, whatever the rates. The sum over all
    angles of the sinusoids of one and two cycles that fit the rates best is that of the rates where angles are even,
    and 0 where rates are equal.

    Parameters
    ----------
    rates : ``(..., level)``
    angle : ``(level,)`` [radians]
        Whose vector strength is taken.
    stimulus : ``(level,)`` [radians]
        The stimulus over its period; ``angle`` may be twice this.

    Raises
    ------
    InputError
        If so few angles, or angles so uneven, determine no sinusoid.
    """
    places, n_there = np.unique(np.round(angle % (2 * math.pi), 9) % round(2 * math.pi, 9), return_counts=True)
    gaps = np.diff(places, append=places[0] + 2 * math.pi)
    if len(set(n_there)) == 1 and np.allclose(gaps, gaps[0], rtol=1e-6):
        return vector_strength(rates, angle)
    columns = [np.ones_like(stimulus)] + [f(k * stimulus) for k in (1, 2) for f in (np.cos, np.sin)]
    design = np.column_stack(columns) * [math.sqrt(0.5), 1, 1, 1, 1]
    if len(stimulus) < design.shape[1] or np.linalg.cond(design) > MAX_CONDITION:
        raise InputError(
            f"the {len(stimulus)} angles are too few or too unevenly spaced for a vector strength; use selectivity(), "
            "or tuning_curves(..., bins=) with bins of equal width"
        )
    fitted = np.linalg.lstsq(design, rates.reshape(-1, len(stimulus)).T, rcond=None)[0]
    first = 3 if not np.allclose(angle, stimulus) else 1
    mean, size = fitted[0] * math.sqrt(0.5), np.hypot(fitted[first], fitted[first + 1]) / 2
    with np.errstate(invalid="ignore", divide="ignore"):
        strength = np.where(mean > 0, np.minimum(size / mean, 1.0), np.nan)
    return np.asarray(strength.reshape(rates.shape[:-1]))


def sparseness(rates: Array, axis: int = -1) -> Array:
    """(1 - A) / (1 - 1/n) with A = mean(r)^2 / mean(r^2): 0 for equal rates, 1 for a single active one.

    Reference: Vinje & Gallant 2000, Sparse coding and decorrelation in primary visual cortex during natural vision,
    after Treves & Rolls 1991.
    """
    n = rates.shape[axis]
    square = (rates**2).mean(axis=axis)
    with np.errstate(invalid="ignore", divide="ignore"):
        activity = np.where(square > 0, rates.mean(axis=axis) ** 2 / square, np.nan)
    return np.asarray((1 - activity) / (1 - 1 / n))


def rates_of(curves: Array, n_stimuli: int, what: str, baseline: Any, rectify: bool) -> Array:
    """Curves ``(..., unit, *stimulus)`` that may be read as rates, or `InputError` if some are negative."""
    rates, axes = curves, tuple(range(-n_stimuli, 0))
    if isinstance(baseline, str):
        if baseline != "min":
            raise InputError(f"baseline came as {baseline!r}; wanted a number, one per unit, or 'min'")
        rates = rates - np.nanmin(rates, axis=axes, keepdims=True)
    elif baseline is not None:
        level = plain_array(baseline)
        if level.dtype.kind not in "biuf" or not np.isfinite(level).all():
            raise InputError(f"baseline came as {baseline!r}; wanted a finite number, one per unit, or 'min'")
        if (
            level.size != 1
            and level.shape != curves.shape[curves.ndim - n_stimuli - level.ndim : curves.ndim - n_stimuli]
        ):
            raise InputError(f"baseline came with shape {level.shape}; wanted a number, or one per unit")
        rates = rates - (level.reshape(*level.shape, *[1] * n_stimuli) if level.ndim else level)
    if rectify:
        rates = np.maximum(rates, 0.0)
    if (rates < 0).any():
        units = int((rates < 0).any(axis=axes).sum())
        raise InputError(
            f"{what} is of rates, and mean activity is negative in {units} units; pass rectify=True, "
            "or baseline= (a number, one per unit, or 'min'), or use selectivity() or d' instead"
        )
    return np.asarray(rates)


def contrast_index(rates: Array, labels: Array, period: float, apart: Sequence[float]) -> Array:
    """(Rp - R) / (Rp + R) with Rp at the angle of the highest mean, and R the mean at those ``apart`` from it.

    Parameters
    ----------
    rates : ``(..., level)``
    labels : ``(level,)``
    period : float
    apart : list of float
        In the units of the labels.

    Raises
    ------
    InputError
        If an angle is needed that was not shown.
    """
    known = np.asarray(~np.isnan(rates).reshape(-1, rates.shape[-1]).all(axis=0))
    others = []
    for d in apart:
        away = np.abs((labels[None] - labels[:, None] - d + period / 2) % period - period / 2)  # (from, to)
        away = np.where(known[None], away, np.inf)
        alone = known & (away.min(axis=1) > 1e-6 * period)
        if alone.any():
            lonely = float(labels[alone][0])
            raise InputError(
                f"the index compares angles {abs(d):g} apart, and none lies there from {lonely:g}; use "
                "direction_selectivity() or orientation_selectivity(), which need no such pairs"
            )
        others.append(away.argmin(axis=1))
    best = np.where(np.isnan(rates), -np.inf, rates).argmax(axis=-1)
    top = np.take_along_axis(rates, best[..., None], axis=-1)[..., 0]
    rest = np.mean([np.take_along_axis(rates, o[best][..., None], axis=-1)[..., 0] for o in others], axis=0)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(np.where(top + rest > 0, (top - rest) / (top + rest), np.nan))


def full_turn(level: Levels, also_half: bool) -> tuple[Array, Array]:
    """Angle whose vector strength is taken, and the stimulus over its period; of orientations at twice it."""
    if level.kind != "circular":
        raise InputError("selectivity for orientation or direction is of circular stimuli; pass circular=True")
    turn = 2 * math.pi if level.period < 20 else 360.0
    full = math.isclose(level.period, turn, rel_tol=1e-6)
    half = math.isclose(level.period, turn / 2, rel_tol=1e-6)
    if not full and not (also_half and half):
        wanted = "360 or 2 pi" + (", or 180 or pi for orientations" if also_half else " (a full turn)")
        raise InputError(f"the stimulus has the period {level.period:g}; wanted {wanted}")
    angle = level.labels * (2 * math.pi / level.period)
    return np.asarray(2 * angle if also_half and full else angle), np.asarray(angle)
