"""Order in time: whether labels and activity both change slowly over the trials, which are not exchangeable then."""

from __future__ import annotations

import numpy as np
import xarray as xr
from jaxtyping import Float, Integer

from artiphys.array_types import Array
from artiphys.probes.data.trial_values import exactly_coded
from artiphys.third_party import is_in_memory

MAX_FEATURES = 64
MAX_LAG = 64
MIN_UNITS = 12  # trials or blocks; of fewer no order can be told
MIN_INFLATION = 1.2  # of the variance of a difference, which takes an error rate of .05 to about .07
MIN_Z = 3.5  # standard errors above what independent activity shows
MIN_LABEL_Z = 3.0
MAX_BINS = 16  # of a number, within which activity is taken to be flat
TRIALS_A_BIN = 8
MAX_NOISE = 3.0  # standard deviations
ROUNDING = 1e-9  # of activity and labels of size 1
MAX_BYTES = 2**26  # read from disk for the sake of a warning


def slow_together(
    labels: Array, data: xr.DataArray, unit: Integer[Array, " trial"], container: Integer[Array, " trial"] | None
) -> str:
    """What to warn of, or "".

    Labels that are exchanged as if trials were independent have a null that is too narrow where labels and noise are
    autocorrelated: the variance of a difference of means is 1 + 2 sum_k r_label(k) r_noise(k) times as large (Bartlett
    1935, Some aspects of the time-correlation problem in regard to tests of significance). Noise is what is left of
    activity without the means of labels, so that a true difference is not taken for drift.

    Parameters
    ----------
    labels : ``(trial,)``
    data : DataArray ``(trial, ...)``
    unit : ``(trial,)``
        What is exchanged as a whole; its trials are averaged.
    container : ``(trial,)`` or None
        What labels are exchanged within; there is no order across.
    """
    first, of_trial = np.unique(unit, return_index=True, return_inverse=True)[1:]
    if len(first) < MIN_UNITS:
        return ""
    order = np.argsort(first)
    x = some_features(data)
    if x is None:
        return ""
    count = np.bincount(of_trial).astype(float)
    if len(first) < len(x):
        x = np.stack([np.bincount(of_trial, weights=column) / count for column in x.T], axis=1)
    x, y = x[order], labels[first][order]
    inside = np.zeros(len(y), dtype=int) if container is None else container[first][order]
    member = _indicators(y)
    noise = _standardised(_left(x, np.column_stack([member, _bins(y), _indicators(exactly_coded(inside)[1])])))
    noise = _of_one_spread(noise, member)
    member = _standardised(_left(member, _indicators(exactly_coded(inside)[1])))
    if not noise.shape[1] or not member.shape[1]:
        return ""
    lags = np.arange(1, max(2, min(MAX_LAG, _shortest(inside) // 4) + 1))
    of_label, pairs = _autocorrelation(member, inside, lags)
    of_noise, _ = _autocorrelation(noise, inside, lags)
    n_alike = len(y) / len(np.unique(inside))
    of_noise = of_noise + 1 / n_alike  # centring makes independent activity seem to alternate
    sums = 2 ** np.arange(int(np.log2(len(lags))) + 1) - 1  # up to 1, 2, 4 ... lags
    inflation = 1 + 2 * np.cumsum(of_label * of_noise)[sums]
    with np.errstate(invalid="ignore", divide="ignore"):
        error = np.sqrt(np.cumsum(of_label**2 / np.maximum(pairs, 1)) / _n_independent(noise))[sums]
        z = np.nan_to_num((inflation - 1) / 2 / error)
    label_z = (np.cumsum(of_label + 1 / n_alike) / np.sqrt(np.cumsum(1 / np.maximum(pairs, 1))))[sums]
    at = int(np.argmax(inflation))
    if inflation[at] < MIN_INFLATION or z[at] < MIN_Z or label_z.max() < MIN_LABEL_Z:
        return ""
    what = "trials" if len(first) == len(labels) else "blocks or groups"
    return (
        f"in the order of the {what} the labels and the noise of the activity both change slowly (autocorrelations "
        f"{of_label[0]:.2f} and {of_noise[0]:.2f} from one to the next), so that labels are not exchangeable and p is "
        f"too small: the variance of a difference is about {inflation[at]:.1f} times as large. If trials come in runs "
        "and blocks, pass groups= and blocks=; if they are in their order in time, exchange='shift'; if neither, "
        "exchange='trials'"
    )


def some_features(data: xr.DataArray) -> Float[Array, "trial feature"] | None:
    """Activity of some units; None where it is much to read for this."""
    if not is_in_memory(data) and data.nbytes > MAX_BYTES:
        return None
    values = data.to_numpy().reshape(len(data), -1)
    some = np.unique(np.linspace(0, values.shape[1] - 1, min(MAX_FEATURES, values.shape[1])).astype(int))
    x = np.asarray(values[:, some], dtype=float)
    x = x[:, np.isfinite(x).all(axis=0)]
    size = np.abs(x).max(axis=0, initial=0.0)
    return np.asarray(x[:, size > 0] / size[size > 0])


def _indicators(values: Array) -> Float[Array, "unit column"]:
    """A column for each value; a number of many values as itself."""
    names, code = exactly_coded(values)
    if values.dtype.kind in "iuf" and len(names) > max(2, len(values) // 3):
        number = values.astype(float)
        return np.asarray((number - number.mean())[:, None] / np.ptp(number))
    return np.asarray((code[:, None] == np.arange(len(names))).astype(float))


def _bins(values: Array) -> Float[Array, "unit column"]:
    """Indicators of equally filled bins of a number of many values: activity may follow it other than by a line."""
    names, _ = exactly_coded(values)
    if values.dtype.kind not in "iuf" or len(names) <= max(2, len(values) // 3):
        return np.empty((len(values), 0))
    rank = np.argsort(np.argsort(values, kind="stable"))
    n_bins = min(MAX_BINS, len(values) // TRIALS_A_BIN)
    return np.asarray(((rank * n_bins // len(values))[:, None] == np.arange(n_bins)).astype(float))


def _left(x: Array, design: Array) -> Float[Array, "unit column"]:
    """What regression on the columns of a design leaves."""
    design = np.column_stack([np.ones(len(x)), design])
    return np.asarray(x - design @ np.linalg.lstsq(design, x, rcond=None)[0])


def _standardised(x: Array) -> Array:
    """Columns of unit variance, without those that only rounding makes vary."""
    sd = x.std(axis=0)
    good = sd > ROUNDING
    return np.asarray((x[:, good] - x[:, good].mean(axis=0)) / sd[good])


def _of_one_spread(noise: Array, member: Array) -> Array:
    """Noise by the spread within its label, without outliers: a few wild trials beside each other are no drift."""
    if member.shape[1] > 1:
        for of_label in member.T > 0:
            spread = noise[of_label].std(axis=0)
            noise[of_label] = noise[of_label] / np.where(spread > ROUNDING, spread, 1.0)
    return np.asarray(np.clip(noise, -MAX_NOISE, MAX_NOISE))


def _shortest(inside: Array) -> int:
    return int(np.median(np.unique(inside, return_counts=True)[1]))


def _autocorrelation(
    x: Float[Array, "unit column"], inside: Integer[Array, " unit"], lags: Integer[Array, " lag"]
) -> tuple[Float[Array, " lag"], Float[Array, " lag"]]:
    """Mean over columns of the autocorrelation within containers, and the number of pairs at each lag."""
    order = np.argsort(inside, kind="stable")
    x, inside = x[order], inside[order]
    at_lag, pairs = np.zeros(len(lags)), np.zeros(len(lags))
    for i, k in enumerate(lags):
        same = inside[k:] == inside[:-k]
        pairs[i] = same.sum()
        at_lag[i] = (x[k:] * x[:-k])[same].sum() / (len(x) * x.shape[1])
    return at_lag, pairs


def _n_independent(x: Array) -> float:
    """How many independent columns vary as much together (the participation ratio of their correlations)."""
    small = x @ x.T if len(x) < x.shape[1] else x.T @ x
    return float(np.trace(small) ** 2 / (small**2).sum())
