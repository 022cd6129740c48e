"""Mutual information of tables of counts, with its bias corrected and the estimator named."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr
from jaxtyping import Float, Num
from scipy.stats import norm, random_table

from artiphys.array_types import Array
from artiphys.errors import InputError, unknown
from artiphys.missing import plain_array
from artiphys.stats.intervals import t_interval
from artiphys.user_warnings import warn
from artiphys.version import __version__

METHODS = ("jackknife", "panzeri-treves", "plugin", "shuffle")
N_DRAWS = 200
TINY = 1e-24  # variance of what trials contribute, where all contribute the same
SMALL_SKEWNESS = 1e-6


@dataclass(frozen=True)
class Information:
    """Mutual information between two classifications.

    Attributes
    ----------
    bits : DataArray
        Never clipped at 0: an unbiased estimate of nothing is negative half of the time.
    stderr : DataArray
        Jackknife over trials.
    bias : DataArray
        What was subtracted from the plug-in value [bits].
    method : str
    n_trials : int
        Smallest number of trials of a table.
    skewness : DataArray or None
        Of what single trials contribute, over the root of their number: rare errors count for much.
    """

    bits: xr.DataArray
    stderr: xr.DataArray
    bias: xr.DataArray
    method: str
    n_trials: int
    version: str = __version__
    skewness: xr.DataArray | None = None

    def interval(self, confidence: float = 0.95) -> tuple[xr.DataArray, xr.DataArray]:
        """Lower and upper ends: normal, with the skewness of the trials taken out where it is known.

        References
        ----------
        Hall 1992, On the removal of skewness by transformation.
        """
        low, high = t_interval(self.bits.to_numpy(), self.stderr.to_numpy(), np.inf, confidence)
        if self.skewness is not None:
            g, z = self.skewness.to_numpy(), norm.ppf(0.5 + confidence / 2)
            low, high = (self.bits.to_numpy() - self.stderr.to_numpy() * _less_skewed(x, g) for x in (z, -z))
        return self.bits.copy(data=low), self.bits.copy(data=high)

    def methods_text(self) -> str:
        """A sentence fit for a methods section."""
        how = {
            "jackknife": "jackknife",
            "plugin": "plug-in, biased upwards",
            "shuffle": "plug-in minus the mean of shuffled tables",
            "panzeri-treves": "plug-in with the correction of Panzeri & Treves 1996",
            "skaggs": "bits per spike after Skaggs et al. 1993, less the bias of few spikes",
        }
        return (
            f"Information is a lower bound, estimated from {self.n_trials} trials ({how[self.method]}). "
            f"(artiphys {self.version})"
        )


def information(counts: Any, method: str = "jackknife", *, seed: int = 0) -> Information:
    """Information between the rows and columns of tables of counts.

    Parameters
    ----------
    counts : DataArray or array ``(..., true, predicted)``
    method : "jackknife", "panzeri-treves", "plugin" or "shuffle"
        The jackknife leaves out each trial in turn; of the corrections it leaves the least bias. "shuffle"
        subtracts the mean of tables with shuffled columns: right where there is no information, too much where there
        is some.

    Raises
    ------
    InputError

    References
    ----------
    Panzeri & Treves 1996, Analytical estimates of limited sampling biases in different information measures;
    Paninski 2003, Estimation of entropy and mutual information (the jackknife).

    >>> round(float(information(np.eye(4) * 1000).bits), 2)
    2.0
    """
    table = counts if isinstance(counts, xr.DataArray) else xr.DataArray(plain_array(counts))
    n = table.to_numpy()
    if n.ndim < 2 or n.dtype.kind not in "iuf" or not np.isfinite(n).all() or (n < 0).any() or (n != n.round()).any():
        raise InputError("counts came with other values than whole numbers (true, predicted), 0 or more")
    if method not in METHODS:
        raise InputError(unknown("method", method, METHODS))
    total = n.sum(axis=(-2, -1))
    if (total == 0).any():
        raise InputError("a table of counts is empty")
    rows = int((n.sum(axis=-1) > 0).sum(axis=-1).max())
    wanted = 10 * rows * int((n.sum(axis=-2) > 0).sum(axis=-1).max())
    if method != "plugin" and total.min() < wanted:
        warn(
            f"{int(total.min())} trials for a table of {rows} classes: the bias of information is only corrected well "
            f"from about {wanted} on; use more trials or fewer classes"
        )
    rng = np.random.default_rng(seed)
    bias = _bias(n, method, rng)
    spread, skewness = _jackknife_moments(n)
    dims = table.dims[:-2]
    coords = {d: table.coords[d] for d in dims if d in table.coords}

    def give(a: Any) -> xr.DataArray:
        return xr.DataArray(a, dims=dims, coords=coords)

    values = give(plugin_bits(n) - bias), give(spread), give(bias)
    return Information(*values, method, int(total.min()), skewness=give(skewness))


def plugin_bits(n: Num[Array, "*table row column"]) -> Float[Array, "*table"]:
    """Information of the observed frequencies [bits], of tables ``(..., row, column)``."""
    p = n / n.sum(axis=(-2, -1), keepdims=True)
    alone = p.sum(axis=-1, keepdims=True) * p.sum(axis=-2, keepdims=True)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(np.where(p > 0, p * np.log2(p / alone), 0.0).sum(axis=(-2, -1)))


def panzeri_treves_bias(n: Num[Array, "*table row column"]) -> Float[Array, "*table"]:
    """First-order bias [bits] of the plug-in information of tables ``(..., row, column)``.

    Counts cells that were occupied, and for each row how many columns it can be expected to reach at all.
    """
    total = n.sum(axis=(-2, -1))
    columns = (n.sum(axis=-2) > 0).sum(axis=-1)
    rows = n.sum(axis=-1)
    reached = _reached(n, columns)
    within = np.where(rows > 0, reached - 1, 0.0).sum(axis=-1)
    return np.asarray((within - (columns - 1)) / (2 * total * np.log(2)))


def _reached(n: Array, columns: Array) -> Array:
    """Number of columns each row reaches, given that some were missed by chance: ``(..., row)``.

    The observed number is expected of fewer trials than reach all; the number that makes it expected is taken
    (one step of Panzeri and Treves's Bayes-like procedure: missed columns are credited the chance of being missed).
    """
    rows = n.sum(axis=-1, keepdims=True)
    with np.errstate(invalid="ignore", divide="ignore"):
        p = np.where(rows > 0, n / rows, 0.0)
    seen = (n > 0).sum(axis=-1)
    missed = np.where(n > 0, (1 - p) ** rows, 0.0).sum(axis=-1)
    return np.asarray(np.minimum(seen + missed, columns[..., None]))


def _bias(n: Array, method: str, rng: np.random.Generator) -> Array:
    if method == "plugin":
        return np.zeros(n.shape[:-2])
    if method == "panzeri-treves":
        return panzeri_treves_bias(n)
    if method == "jackknife":
        return _jackknife_bias(n)
    flat = n.reshape(-1, *n.shape[-2:]).astype(int)
    shuffled = [random_table(t.sum(axis=1), t.sum(axis=0)).rvs(N_DRAWS, random_state=rng) for t in flat]
    biases = [np.mean(plugin_bits(tables)) for tables in shuffled]
    return np.reshape(biases, n.shape[:-2])


def _jackknife_bias(n: Num[Array, "*table row column"]) -> Float[Array, "*table"]:
    """(N - 1) (mean of the plug-in information without one trial - that with all)."""
    total = n.sum(axis=(-2, -1))
    if (total < 2).any():
        raise InputError("a table holds a single count; wanted more trials")
    without = (n * _without_one(n)).sum(axis=(-2, -1)) / total
    return np.asarray((total - 1) * (without - plugin_bits(n)))


def _jackknife_moments(n: Num[Array, "*table row column"]) -> tuple[Float[Array, "*table"], Float[Array, "*table"]]:
    """Standard error of the plug-in information and skewness of its trials, by leaving out each in turn.

    Tables that are drawn again from the observed one never fill its empty cells, and vary too little.
    """
    total = n.sum(axis=(-2, -1))
    without = _without_one(n)
    mean = (n * without).sum(axis=(-2, -1), keepdims=True) / total[..., None, None]
    second, third = ((n * (mean - without) ** k).sum(axis=(-2, -1)) / total for k in (2, 3))
    scale = np.where(second > TINY, second, 1.0) ** 1.5 * np.sqrt(total)
    return np.sqrt((total - 1) * second), np.where(second > TINY, third / scale, 0.0)


def _less_skewed(x: float, g: Array) -> Array:
    """Quantile of a studentised mean of skewed values, from that of a normal one."""
    small = np.abs(g) < SMALL_SKEWNESS
    safe = np.where(small, 1.0, g)
    return np.where(small, x, 3 / safe * (np.cbrt(1 + safe * (x - safe / 6)) - 1))


def _without_one(n: Num[Array, "*table row column"]) -> Float[Array, "*table row column"]:
    """Plug-in information [bits] without one trial of each cell; 0 for cells that hold none.

    N times the information is a sum of x log x over cells, rows and columns, of which one trial changes three.
    """
    rows, columns = n.sum(axis=-1), n.sum(axis=-2)
    total = n.sum(axis=(-2, -1))[..., None, None]
    whole = _x_log_x(n).sum(axis=(-2, -1)) - _x_log_x(rows).sum(axis=-1) - _x_log_x(columns).sum(axis=-1)
    change = (
        _x_log_x(n - 1) - _x_log_x(n)
        + (_x_log_x(rows) - _x_log_x(rows - 1))[..., :, None]
        + (_x_log_x(columns) - _x_log_x(columns - 1))[..., None, :]
    )  # fmt: skip
    left = np.maximum(total - 1, 1)
    return np.where(n > 0, (whole[..., None, None] + change + _x_log_x(total - 1)) / left, 0.0)


def _x_log_x(x: Array) -> Array:
    return np.asarray(np.where(x > 0, x * np.log2(np.where(x > 0, x, 1.0)), 0.0))
