"""Fits of tuning curves, of many units at once: a Gaussian or a von Mises bump on a baseline, or a cosine."""

from __future__ import annotations

import math

import numpy as np

from artiphys.array_types import Array
from artiphys.errors import InputError
from artiphys.probes.tuning.bump_errors import covariances, has_second_peak
from artiphys.probes.tuning.bumps import MAX_COARSE, Bumps, Observed

CHUNK_VALUES = 2**20  # of units times points at once
MAX_UNITS = 1024  # at once
N_WIDTHS = 24
N_STEPS = 60
MIN_GAIN = 3.5  # standard errors of the gain
NAMES = ("preferred", "width", "gain", "baseline")


def fit_bumps(observed: Observed, bumps: Bumps) -> dict[str, Array]:
    """Least-squares fit of ``baseline + gain * bump(x)`` over trials, with gain above 0.

    For a given place and shape of the bump, baseline and gain have a closed form, so only these two are searched: on a
    grid first, so that no start can be unlucky, then by Gauss-Newton steps with the baseline and gain solved for
    within each (Kaufman 1975, A variable projection method for solving separable nonlinear least squares problems).

    Returns
    -------
    ``preferred``, ``width`` (full, at half height), ``gain``, ``baseline``, their ``_stderr``, ``r_squared`` of the
    means, and ``flag`` (text), each ``(unit,)``; numbers are NaN for units that no bump fits better than a constant.
    """
    if observed.mean.shape[1] < 4:
        raise InputError(f"a bump has four parameters and the curve {observed.mean.shape[1]} points; use method='peak'")
    step = max(1, min(MAX_UNITS, CHUNK_VALUES // len(bumps.x)))
    parts_of: dict[str, list[Array]] = {}
    for start in range(0, len(observed.mean), step):
        for name, values in _fitted(observed.part(slice(start, start + step)), bumps).items():
            parts_of.setdefault(name, []).append(values)
    return {name: np.concatenate(parts) for name, parts in parts_of.items()}


def _fitted(seen: Observed, bumps: Bumps) -> dict[str, Array]:
    """Of units whose activity is brought to size 1, so that its squares can neither vanish nor overflow."""
    size = np.abs(seen.mean).max(axis=1, initial=0.0)
    size = np.where(size > 0, size, 1.0)
    small = Observed(seen.mean / size[:, None], seen.var / size[:, None] / size[:, None], seen.count)
    values = _fitted_small(small, bumps)
    for name in ("gain", "baseline", "gain_stderr", "baseline_stderr"):
        values[name] = values[name] * size
    return values


def _fitted_small(seen: Observed, bumps: Bumps) -> dict[str, Array]:
    n, y = seen.count, seen.mean
    total = n.sum(axis=1)
    level = (n * y).sum(axis=1) / np.maximum(total, 1)
    power = (n * (y - level[:, None]) ** 2).sum(axis=1)
    flat = ~(power > 1e-24 * total * (y**2).max(axis=1))
    y = np.where(flat[:, None], 0.0, y)
    few, few_bumps, group = seen.coarse(bumps)
    mu, shape, templates = _searched(few, few_bumps)
    mu, shape = _refined(y, n, bumps, mu, shape)
    bump = bumps.at(mu, shape)
    baseline, gain, left = _solved(y, n, bump)
    flat |= gain <= 0
    ends = bumps.shape_bounds
    span = bumps.high - bumps.low
    edge = (bumps.period is None) & ((mu <= bumps.low + 1e-6 * span) | (mu >= bumps.high - 1e-6 * span))
    bound = (shape <= ends[0] + 1e-4) | (shape >= ends[1] - 1e-4)
    errors = covariances(seen, bumps, mu, shape, gain, left, edge, bound)
    second = has_second_peak(seen, left, group, few_bumps, templates, mu, bumps.width_of(shape), gain)
    width = bumps.width_of(shape)
    with np.errstate(invalid="ignore", divide="ignore"):
        explained = 1 - (n * left**2).sum(axis=1) / power
    values = {
        "preferred": mu if bumps.period is None else mu % bumps.period,
        "width": width,
        "gain": gain,
        "baseline": baseline,
        **{f"{name}_stderr": error for name, error in zip(NAMES, errors)},
        "r_squared": explained,
    }
    fitted = {name: np.where(flat, np.nan, v) for name, v in values.items()}
    reach = 2 * np.nan_to_num(errors[0])
    near = (bumps.period is None) & ~edge & ((mu - reach < bumps.low) | (mu + reach > bumps.high))
    texts = {
        "peak out of range": edge & ~flat,
        "peak near the end of the range": near & ~flat,
        "narrower than can be told": bound & (width < math.sqrt(bumps.narrowest * bumps.widest)) & ~flat,
        "wider than can be told": bound & (width > math.sqrt(bumps.narrowest * bumps.widest)) & ~flat,
        "second peak": second & ~flat,
        "height within noise": (gain < MIN_GAIN * np.nan_to_num(errors[2])) & ~flat,
        "no bump": flat,
    }
    fitted["flag"] = np.array(["; ".join(t for t, at in texts.items() if at[u]) for u in range(len(y))], dtype=str)
    return fitted


def _searched(few: Observed, bumps: Bumps) -> tuple[Array, Array, tuple[Array, Array, Array]]:
    """Best place and shape of a grid, for each unit; and the grid's places, widths and bumps."""
    levels = few.mean.shape[1]
    places = np.linspace(bumps.low, bumps.high, min(4 * levels, 2 * MAX_COARSE) + 1)
    widths = np.geomspace(bumps.narrowest, bumps.widest, N_WIDTHS)
    mu, width = (a.ravel() for a in np.meshgrid(places, widths, indexing="ij"))
    shape = bumps.shape_of(width)
    grid = bumps.at(mu, shape)
    n = few.count
    level = (n * few.mean).sum(axis=1, keepdims=True) / np.maximum(n.sum(axis=1, keepdims=True), 1)
    same = bool((n == n[:1]).all())
    weight = n[:1] if same else n
    size = weight @ (grid**2).T - (weight @ grid.T) ** 2 / np.maximum(weight.sum(axis=1, keepdims=True), 1)
    with np.errstate(invalid="ignore", divide="ignore"):
        score = np.where(size > 1e-9, (n * (few.mean - level)) @ grid.T / np.sqrt(size), -np.inf)
    best = score.argmax(axis=1)
    return mu[best], shape[best], (mu, width, grid)


def _solved(y: Array, n: Array, bump: Array) -> tuple[Array, Array, Array]:
    """Baseline, gain and what they leave of each mean."""
    total = np.maximum(n.sum(axis=1), 1)
    level, height = (n * y).sum(axis=1) / total, (n * bump).sum(axis=1) / total
    template = bump - height[:, None]
    size = (n * template**2).sum(axis=1)
    gain = (n * template * y).sum(axis=1) / np.maximum(size, 1e-300)
    return level - gain * height, gain, y - level[:, None] - gain[:, None] * template


def _refined(y: Array, n: Array, bumps: Bumps, mu: Array, shape: Array) -> tuple[Array, Array]:
    """Damped Gauss-Newton steps in place and shape, kept within bounds."""
    low, high = bumps.shape_bounds
    mu, shape, damping = mu.copy(), shape.copy(), np.full(len(mu), 1e-3)
    error = (n * _solved(y, n, bumps.at(mu, shape))[2] ** 2).sum(axis=1)
    going = np.ones(len(mu), dtype=bool)
    for _ in range(N_STEPS):
        at = np.flatnonzero(going)
        if not len(at):
            break
        yy, nn = y[at], n[at]
        bump, by_mu, by_shape = bumps.slopes(mu[at], shape[at])
        _, gain, left = _solved(yy, nn, bump)
        slopes = [gain[:, None] * _solved(d, nn, bump)[2] for d in (by_mu, by_shape)]
        a, b, c = ((nn * slopes[i] * slopes[j]).sum(axis=1) for i, j in ((0, 0), (0, 1), (1, 1)))
        p, q = ((nn * s * left).sum(axis=1) for s in slopes)
        a, c = (v * (1 + damping[at]) + 1e-300 for v in (a, c))
        det = a * c - b * b
        with np.errstate(invalid="ignore", divide="ignore", over="ignore"):
            d_mu, d_shape = np.nan_to_num((c * p - b * q) / det), np.nan_to_num((a * q - b * p) / det)
        reach = bumps.width_of(shape[at])
        new_mu = mu[at] + np.clip(d_mu, -reach, reach)
        if bumps.period is None:
            new_mu = np.clip(new_mu, bumps.low, bumps.high)
        new_shape = np.clip(shape[at] + np.clip(d_shape, -1, 1), low, high)
        _, new_gain, new_left = _solved(yy, nn, bumps.at(new_mu, new_shape))
        new_error = (nn * new_left**2).sum(axis=1)
        better = (new_error < error[at]) & (new_gain > 0)
        still = (np.abs(new_mu - mu[at]) < 1e-7 * reach) & (np.abs(new_shape - shape[at]) < 1e-7)
        mu[at], shape[at] = np.where(better, new_mu, mu[at]), np.where(better, new_shape, shape[at])
        error[at] = np.where(better, new_error, error[at])
        damping[at] = np.where(better, damping[at] / 5, damping[at] * 5)
        going[at] = ~still & (damping[at] < 1e8)
    return mu, shape


def explained(fitted: dict[str, Array], curve: Observed, bumps: Bumps) -> Array:
    """Share of the power of mean activity about its mean that bumps explain ``(unit,)``.

    Parameters
    ----------
    fitted : from `fit_bumps`
    curve : of means
    bumps : averaged over the points of each mean
    """
    parts = []
    step = max(1, min(MAX_UNITS, CHUNK_VALUES // len(bumps.x)))
    for start in range(0, len(curve.mean), step):
        place = slice(start, start + step)
        seen = curve.part(place)
        mu, width, gain, baseline = (fitted[name][place] for name in NAMES)
        left = seen.mean - baseline[:, None] - gain[:, None] * bumps.at(mu, bumps.shape_of(width))
        level = (seen.count * seen.mean).sum(axis=1) / np.maximum(seen.count.sum(axis=1), 1)
        power = (seen.count * (seen.mean - level[:, None]) ** 2).sum(axis=1)
        with np.errstate(invalid="ignore", divide="ignore"):
            parts.append(1 - (seen.count * left**2).sum(axis=1) / power)
    return np.concatenate(parts)


def cosine_phase(curves: Array, x: Array, period: float) -> Array:
    """Phase of the cosine of period ``period`` that fits each curve ``(..., level)`` best, from 0 to ``period``."""
    angle = x * (2 * math.pi / period)
    design = np.column_stack([np.ones_like(angle), np.cos(angle), np.sin(angle)])
    fit = np.linalg.lstsq(design, curves.reshape(-1, len(angle)).T, rcond=None)[0]
    phase = np.arctan2(fit[2], fit[1]) % (2 * math.pi) * (period / (2 * math.pi))
    return np.asarray(phase.reshape(curves.shape[:-1]))
