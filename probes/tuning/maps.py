"""Maps over stimuli of which some values, or combinations of values, were shown seldom or never."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from jaxtyping import Float
from scipy.ndimage import gaussian_filter1d

from artiphys.array_types import Array
from artiphys.errors import StatisticsError
from artiphys.probes.mutual_information.units import UnitInformation, skaggs
from artiphys.probes.tuning.bumps import Observed

N_ALTERNATIONS = 500
TOLERANCE = 1e-10


def kernels(shape: Sequence[int], smoothing: Sequence[float], circular: Sequence[bool]) -> list[Array]:
    """One Gaussian filter ``(to, from)`` for each axis, of widths in bins; round the circle where it is one."""
    return [
        gaussian_filter1d(np.eye(n), s, axis=0, mode="wrap" if wrap else "constant") if s > 0 else np.eye(n)
        for n, s, wrap in zip(shape, smoothing, circular)
    ]


def smoothed(cells: Observed, shape: Sequence[int], filters: Sequence[Array]) -> tuple[Array, Array, Array]:
    """Means smoothed over cells: sums of activity and numbers of trials are smoothed apart, then divided.

    So cells count by their trials, and an edge or a cell that was never visited pulls nothing towards 0.

    Parameters
    ----------
    cells : mean, variance and trials, ``(unit, cell)``
    shape : of the cells
    filters : one for each axis, from `kernels`

    Returns
    -------
    Means, their standard errors, and the number of trials that a mean with this error would have without smoothing
    where variances are equal, each ``(unit, *shape)``. The variance of a cell of one trial is the pool of the others.
    """
    count, mean, var = _pooled(cells)
    squared = [f**2 for f in filters]
    with np.errstate(invalid="ignore", divide="ignore"):
        trials = _filtered(count, shape, filters)
        curves = _filtered(np.where(count > 0, count * mean, 0.0), shape, filters) / trials
        error = np.sqrt(_filtered(count * var, shape, squared)) / trials
        effective = trials**2 / _filtered(count, shape, squared)
    return curves, error, effective


def _pooled(cells: Observed) -> tuple[Array, Array, Array]:
    """Trials, means and variances; of one trial the variance is that within all cells."""
    count, mean, var = (np.asarray(a, dtype=float) for a in (cells.count, cells.mean, cells.var))
    inside = np.where(count > 1, (count - 1) * var, 0.0).sum(axis=1) / np.maximum((count - 1).clip(0).sum(axis=1), 1)
    return count, mean, np.where(count > 1, var, np.where(count > 0, inside[:, None], 0.0))


def smoothed_information(
    rates: Array, cells: Observed, n: Array, seen: Array, filters: Sequence[Array]
) -> UnitInformation:
    """Bits per spike of smoothed rates, less the bias that noise leaves in them; see `Tuning.information`.

    To second order noise adds the variance of the rates about their mean, over 2 ln 2 times the squared mean. Their
    variance, and the standard error, follow from that of the cells before smoothing.

    Parameters
    ----------
    rates : ``(unit, visited cell)``
    cells : of all cells, before smoothing
    n : ``(cell,)``
        Trials.
    seen : bool ``(cell,)``
    filters : one for each axis
    """
    shape = [len(f) for f in filters]
    count, _, var = _pooled(cells)
    p, bits = n[seen] / n[seen].sum(), skaggs(rates, n[seen])
    mean = rates @ p
    trials = _filtered(count, shape, filters).reshape(count.shape)
    error = smoothed(cells, shape, filters)[1].reshape(count.shape)[:, seen]

    def variance(slope: Array) -> Array:
        """Variance of a sum of smoothed rates, whose weights ``slope`` are those of the visited cells."""
        every = np.zeros(count.shape)
        every[:, seen] = slope / trials[:, seen]
        back = _filtered(every, shape, [f.T for f in filters]).reshape(count.shape)
        return np.asarray((back**2 * count * var).sum(axis=1))

    with np.errstate(invalid="ignore", divide="ignore"):
        bias = (error**2 @ p - variance(np.broadcast_to(p, rates.shape))) / (2 * mean**2 * math.log(2))
        ratio = rates / mean[:, None]
        slope = np.where(rates > 0, p / mean[:, None] * (np.log2(ratio) - bits[:, None]), 0.0)
    return UnitInformation(bits - bias, np.sqrt(variance(slope)), bias, int(n[seen].sum()))


def curves_of(cells: Observed, shape: Sequence[int], filters: Sequence[Array], visited: Array) -> tuple[Array, Array]:
    """Curves and their standard errors ``(unit, *shape)``, smoothed where there are filters; NaN where not visited."""
    if filters:
        curves, error, _ = smoothed(cells, shape, filters)
    else:
        with np.errstate(invalid="ignore", divide="ignore"):
            curves, error = (a.reshape(-1, *shape) for a in (cells.mean, np.sqrt(cells.var / cells.count)))
    if visited.all():
        return curves, error
    seen = visited.reshape(shape)
    return np.where(seen, curves, np.nan), np.where(seen, error, np.nan)


def _filtered(values: Array, shape: Sequence[int], filters: Sequence[Array]) -> Array:
    out = values.reshape(-1, *shape)
    for axis, f in enumerate(filters, start=1):
        out = np.moveaxis(np.tensordot(out, f, axes=(axis, 1)), -1, axis)
    return out


def marginal_weights(visited: Array, axis: int) -> Array:
    """Weights ``(level, cell)`` that take the means of cells to the mean of each level of one of two stimuli.

    Every value of the other stimulus weighs alike. Where cells were not visited, what they would hold is what the sum
    of an effect of either stimulus makes of the others (least squares over visited cells); a plain mean of visited
    cells would show an effect of the other stimulus instead. NaN for levels without a visited cell.

    Raises
    ------
    StatisticsError
        Where the visited cells fall into parts that share no row and no column.
    """
    seen = visited if axis == 0 else visited.T
    n_rows, n_columns = seen.shape
    rows, columns = np.flatnonzero(seen.any(axis=1)), np.flatnonzero(seen.any(axis=0))
    weights = np.zeros((n_rows, n_rows, n_columns))
    part = seen[np.ix_(rows, columns)]
    if part.all():
        for row in rows:
            weights[row, row, columns] = 1 / len(columns)
    else:
        at = np.argwhere(part)
        design = np.zeros((len(at), len(rows) + len(columns)))
        design[np.arange(len(at)), at[:, 0]] = 1
        design[np.arange(len(at)), len(rows) + at[:, 1]] = 1
        wanted = np.hstack([np.eye(len(rows)), np.full((len(rows), len(columns)), 1 / len(columns))])
        solved = wanted @ np.linalg.pinv(design)
        if not np.allclose(solved @ design, wanted, atol=1e-8):
            raise StatisticsError(
                "the visited combinations fall into parts that share no value of either stimulus, so a marginal over "
                "both parts is unknown; use fewer bins"
            )
        for k, row in enumerate(rows):
            weights[row, rows[at[:, 0]], columns[at[:, 1]]] = solved[k]
    weights[~seen.any(axis=1)] = np.nan
    flat = weights if axis == 0 else weights.transpose(0, 2, 1)
    return flat.reshape(n_rows, -1)


def rank_one_share(maps: Float[Array, "unit row column"], about_mean: bool) -> Float[Array, " unit"]:
    """Share of each map's power that one product of two curves takes up, 0 to 1; NaN where there is no power.

    By singular values where all cells are visited; else by least squares over the visited ones, one curve after the
    other in turn, from the singular vectors of the map with 0 in its gaps.
    """
    known = ~np.isnan(maps)
    largest = np.nanmax(maps**2, axis=(1, 2), initial=0.0)
    if about_mean:
        with np.errstate(invalid="ignore"):
            mean = np.where(known, maps, 0.0).sum(axis=(1, 2)) / known.sum(axis=(1, 2))
        maps = maps - mean[:, None, None]
    filled = np.where(known, maps, 0.0)
    total = (filled**2).sum(axis=(1, 2))
    total = np.where(total > 1e-24 * largest, total, 0.0)  # what is left of a constant map is rounding
    if known.all():
        taken = np.linalg.svd(filled, compute_uv=False)[:, 0] ** 2
    else:
        taken = total - _left_by_rank_one(filled, known.astype(float))
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(total > 0, taken / total, np.nan)


def _left_by_rank_one(filled: Array, known: Array) -> Array:
    across = np.linalg.svd(filled, full_matrices=False)[2][:, 0]
    left = np.full(len(filled), np.inf)
    for _ in range(N_ALTERNATIONS):
        down = np.einsum("urc,uc->ur", filled, across) / np.maximum(np.einsum("urc,uc->ur", known, across**2), 1e-300)
        across = np.einsum("urc,ur->uc", filled, down) / np.maximum(np.einsum("urc,ur->uc", known, down**2), 1e-300)
        before, left = left, (known * (filled - down[:, :, None] * across[:, None, :]) ** 2).sum(axis=(1, 2))
        size = np.linalg.norm(across, axis=1, keepdims=True)
        across = across / np.where(size > 0, size, 1.0)
        if (before - left <= TOLERANCE * (filled**2).sum(axis=(1, 2))).all():
            break
    return np.asarray(left)
