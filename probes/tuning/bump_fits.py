"""Fits of tuning curves, of many units at once: a Gaussian or a von Mises bump on a baseline, or a cosine."""

from __future__ import annotations

import math

import numpy as np
from jaxtyping import Float

from artiphys.array_types import Array
from artiphys.errors import InputError

N_UNITS_PER_FIT = 4096
N_REFINEMENTS = 24  # of refinement; each halves the step


def fit_bumps(
    curves: Float[Array, "unit level"], x: Float[Array, " level"], count: Float[Array, " level"], period: float | None
) -> dict[str, Array]:
    """Least-squares fit of ``baseline + gain * bump(x)``, with gain above 0.

    For a given place and width of the bump, baseline and gain have a closed form, so only these two are searched:
    on a grid first, so that no start can be unlucky, then by halving steps around the best.

    Parameters
    ----------
    curves : ``(unit, level)``
    x : ``(level,)``
    count : ``(level,)``
        Trials of each level, the weights.
    period : float or None
        von Mises ``exp(kappa (cos - 1))`` with this period, else Gaussian within the range of ``x``.

    Returns
    -------
    ``preferred``, ``width`` (full, at half height), ``gain``, ``baseline``, ``r_squared``, each ``(unit,)``; NaN for
    constant units.
    """
    if len(x) < 4:
        raise InputError(f"a bump has four parameters and the curve {len(x)} points; use method='peak'")
    weight = count / count.sum()
    parts_of: dict[str, list[Array]] = {}
    for start in range(0, len(curves), N_UNITS_PER_FIT):
        for name, values in _fitted(curves[start : start + N_UNITS_PER_FIT], x, weight, period).items():
            parts_of.setdefault(name, []).append(values)
    return {name: np.concatenate(parts) for name, parts in parts_of.items()}


def _fitted(
    y: Float[Array, "unit level"], x: Float[Array, " level"], weight: Float[Array, " level"], period: float | None
) -> dict[str, Array]:
    level = y @ weight
    centred = y - level[:, None]
    power = (weight * centred**2).sum(axis=1)
    step = np.diff(np.sort(x)).min()
    span = period if period else float(np.ptp(x))
    low = float(x.min())
    places = np.linspace(low, low + span, 4 * len(x) + 1)
    widths = np.geomspace(step / 2, 2 * span if period is None else span, 24)  # full, at half height
    mu, width = (a.ravel() for a in np.meshgrid(places, widths, indexing="ij"))
    templates, size = _templates(x, mu, width, weight, period)
    best = ((centred * weight) @ (templates / size[:, None]).T).argmax(axis=1)
    mu, width = mu[best], np.log(width[best])
    step_mu, step_width = np.full(len(y), places[1] - places[0]), math.log(widths[1] / widths[0])
    score = _score(centred, x, mu, width, weight, period)
    for _ in range(N_REFINEMENTS):
        for d_mu, d_width in ((1, 0), (-1, 0), (0, 1), (0, -1), (1, 1), (-1, -1), (1, -1), (-1, 1)):
            new_mu, new_width = mu + d_mu * step_mu, width + d_width * step_width
            if period is None:
                new_mu = np.clip(new_mu, low, low + span)
            new_width = np.clip(new_width, math.log(widths[0]), math.log(widths[-1]))
            new = _score(centred, x, new_mu, new_width, weight, period)
            better = new > score
            mu, width = np.where(better, new_mu, mu), np.where(better, new_width, width)
            score = np.where(better, new, score)
        step_mu, step_width = step_mu / 2, step_width / 2
    width = np.exp(width)
    raw = _bump(x, mu, width, period)
    template, size = _centred(raw, weight)
    gain = (weight * template * centred).sum(axis=1) / size**2
    with np.errstate(invalid="ignore", divide="ignore"):
        explained = np.where(power > 0, (gain * size) ** 2 / power, np.nan)
    flat = ~(power > 1e-24 * (y**2).max(axis=1)) | (gain <= 0)
    fitted = {
        "preferred": mu if period is None else mu % period,
        "width": width,
        "gain": gain,
        "baseline": level - gain * (raw @ weight),
        "r_squared": explained,
    }
    return {name: np.where(flat, np.nan, values) for name, values in fitted.items()}


def _bump(
    x: Float[Array, " level"], mu: Float[Array, " bump"], width: Float[Array, " bump"], period: float | None
) -> Float[Array, "bump level"]:
    """Height 1 at ``mu``, one half at ``width`` / 2 from it: ``(unit, level)``."""
    away = x - mu[:, None]
    if period is None:
        return np.asarray(np.exp(-4 * math.log(2) * (away / width[:, None]) ** 2))
    half = np.minimum(np.pi * width / period, np.pi)
    kappa = math.log(2) / np.maximum(1 - np.cos(half), 1e-9)
    return np.asarray(np.exp(kappa[:, None] * (np.cos(2 * np.pi * away / period) - 1)))


def _centred(raw: Array, weight: Array) -> tuple[Array, Array]:
    template = raw - (raw @ weight)[:, None]
    size = np.sqrt((weight * template**2).sum(axis=1))
    return template, np.maximum(size, 1e-150)


def _templates(x: Array, mu: Array, width: Array, weight: Array, period: float | None) -> tuple[Array, Array]:
    return _centred(_bump(x, mu, width, period), weight)


def _score(centred: Array, x: Array, mu: Array, log_width: Array, weight: Array, period: float | None) -> Array:
    template, size = _templates(x, mu, np.exp(log_width), weight, period)
    return np.asarray((weight * template * centred).sum(axis=1) / size)


def cosine_phase(curves: Array, x: Array, period: float) -> Array:
    """Phase of the cosine of period ``period`` that fits each curve ``(..., level)`` best, from 0 to ``period``."""
    angle = x * (2 * math.pi / period)
    design = np.column_stack([np.ones_like(angle), np.cos(angle), np.sin(angle)])
    fit = np.linalg.lstsq(design, curves.reshape(-1, len(angle)).T, rcond=None)[0]
    phase = np.arctan2(fit[2], fit[1]) % (2 * math.pi) * (period / (2 * math.pi))
    return np.asarray(phase.reshape(curves.shape[:-1]))
