"""Standard errors of fitted bumps, and whether what a bump leaves over is a second one."""

from __future__ import annotations

import numpy as np

from artiphys.array_types import Array
from artiphys.probes.tuning.bumps import Bumps, Observed

MIN_Z = 4.0  # of a second peak, the best of some hundred places and widths
MIN_SHARE = 0.25  # of the first peak's height


def covariances(
    seen: Observed, bumps: Bumps, mu: Array, shape: Array, gain: Array, left: Array, edge: Array, bound: Array
) -> tuple[Array, Array, Array, Array]:
    """Standard errors of place, width, gain and baseline, each ``(unit,)``.

    From the slopes of least squares and the squared residuals of trials, so that they hold also where the variance
    changes with the mean, as that of counts does; residuals are raised by the leverage of their trial (HC3, MacKinnon
    & White 1985, Some heteroskedasticity-consistent covariance matrix estimators with improved finite sample
    properties).

    Parameters
    ----------
    mu, shape, gain : ``(unit,)``
    left : ``(unit, level)``
        Means less the fit.
    edge, bound : bool ``(unit,)``
        Where the place, or the shape, lies at a bound: there a standard error is NaN, and of the others too, but for
        the place where it is the shape that lies at a bound.
    """
    n = seen.count
    bump, by_mu, by_shape = bumps.slopes(mu, shape)
    columns = np.stack([gain[:, None] * by_mu, gain[:, None] * by_shape, bump, np.ones_like(bump)], axis=-1)
    columns[edge, :, 0] = 0.0
    columns[bound, :, 1] = 0.0
    size = np.sqrt((n[:, :, None] * columns**2).sum(axis=1))
    size = np.where(size > 0, size, 1.0)
    columns /= size[:, None]
    inverse = np.linalg.pinv(columns.transpose(0, 2, 1) @ (n[:, :, None] * columns), rcond=1e-10, hermitian=True)
    leverage = ((columns @ inverse) * columns).sum(axis=2)
    squares = (n - 1).clip(0) * seen.var + n * left**2
    squares = squares / np.maximum(1 - leverage, 1e-3) ** 2
    covariance = inverse @ (columns.transpose(0, 2, 1) @ (squares[:, :, None] * columns)) @ inverse
    error = np.sqrt(np.diagonal(covariance, axis1=1, axis2=2)) / size
    unknown = edge | bound
    place, width = np.where(edge, np.nan, error[:, 0]), error[:, 1] * np.abs(bumps.width_slope(shape))
    width, gain_error, base_error = (np.where(unknown, np.nan, e) for e in (width, error[:, 2], error[:, 3]))
    return place, width, gain_error, base_error


def has_second_peak(
    seen: Observed,
    left: Array,
    group: Array,
    few: Bumps,
    templates: tuple[Array, Array, Array],
    mu: Array,
    width: Array,
    gain: Array,
) -> Array:
    """Whether a further bump, apart from the first, stands out of what the fit left over: ``(unit,)``.

    It does where its height is more than four standard errors, and more than a quarter of the first one's.

    Parameters
    ----------
    left : ``(unit, level)``
    group : ``(level,)``
        Which point of ``few`` holds each level.
    templates : places ``(bump,)``, widths ``(bump,)`` and bumps ``(bump, point)``
    mu, width, gain : ``(unit,)``
        Of the first bump.
    """
    places, widths, grid = templates
    member = np.eye(grid.shape[1])[group]
    n, first = seen.count @ member, (seen.count * left) @ member
    squares = ((seen.count - 1).clip(0) * seen.var + seen.count * left**2) @ member
    span = few.high - few.low
    narrow = widths <= span / 3
    places, widths, grid = places[narrow], widths[narrow], grid[narrow]
    total = np.maximum(n.sum(axis=1, keepdims=True), 1)
    height = n @ grid.T / total
    size = n @ (grid**2).T - height**2 * total
    # Products of centred bumps, multiplied out so that no array has units, bumps and points at once.
    noise = squares @ (grid**2).T - 2 * height * (squares @ grid.T) + height**2 * squares.sum(axis=1, keepdims=True)
    up = first @ grid.T
    away = np.abs(places - mu[:, None])
    if few.period is not None:
        away = np.minimum(away % few.period, -away % few.period)
    apart = away > np.maximum(width[:, None], widths)
    with np.errstate(invalid="ignore", divide="ignore"):
        z = up / np.sqrt(np.maximum(noise, 0.0))
        share = up / size / np.maximum(gain, 1e-300)[:, None]
    found = apart & (size > 1e-9) & (share > MIN_SHARE) & ((z > MIN_Z) | ((noise <= 0) & (up > 0)))
    return np.asarray(found.any(axis=1))
