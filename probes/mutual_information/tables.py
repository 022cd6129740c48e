"""Mutual information of tables of counts, with its bias corrected and the estimator named."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr
from jaxtyping import Float, Num
from scipy.stats import random_table

from artiphys.array_types import Array
from artiphys.errors import InputError, unknown
from artiphys.missing import plain_array
from artiphys.stats.intervals import t_interval
from artiphys.user_warnings import warn
from artiphys.version import __version__

METHODS = ("jackknife", "panzeri-treves", "plugin", "shuffle")
N_DRAWS = 200


@dataclass(frozen=True)
class Information:
    """Mutual information between two classifications.

    Attributes
    ----------
    bits : DataArray
        Never clipped at 0: an unbiased estimate of nothing is negative half of the time.
    stderr : DataArray
        Bootstrap over trials.
    bias : DataArray
        What was subtracted from the plug-in value [bits].
    method : str
    n_trials : int
        Smallest number of trials of a table.
    """

    bits: xr.DataArray
    stderr: xr.DataArray
    bias: xr.DataArray
    method: str
    n_trials: int
    version: str = __version__

    def interval(self, confidence: float = 0.95) -> tuple[xr.DataArray, xr.DataArray]:
        """Lower and upper ends, normal."""
        low, high = t_interval(self.bits.to_numpy(), self.stderr.to_numpy(), np.inf, confidence)
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
    drawn = np.stack([_resampled(n, rng) for _ in range(N_DRAWS)])
    spread = (plugin_bits(drawn) - panzeri_treves_bias(drawn)).std(axis=0, ddof=1)
    dims = table.dims[:-2]
    coords = {d: table.coords[d] for d in dims if d in table.coords}

    def give(a: Any) -> xr.DataArray:
        return xr.DataArray(a, dims=dims, coords=coords)

    return Information(give(plugin_bits(n) - bias), give(spread), give(bias), method, int(total.min()))


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
    without = np.zeros(n.shape[:-2])
    if (total < 2).any():
        raise InputError("a table holds a single count; wanted more trials")
    for row in range(n.shape[-2]):
        for column in range(n.shape[-1]):
            less = n.astype(float)
            less[..., row, column] = np.maximum(less[..., row, column] - 1, 0)
            without += np.where(n[..., row, column] > 0, n[..., row, column] * plugin_bits(less), 0.0)
    return np.asarray((total - 1) * (without / total - plugin_bits(n)))


def _resampled(n: Array, rng: np.random.Generator) -> Array:
    flat = n.reshape(-1, n.shape[-2] * n.shape[-1]).astype(int)
    total = flat.sum(axis=1)
    return rng.multinomial(total, flat / total[:, None]).reshape(n.shape)
