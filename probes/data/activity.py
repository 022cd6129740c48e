"""Activity as every probe takes it: a Recording, a DataArray, or a plain array ``(trial, ..., unit)``."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np
import xarray as xr

from artiphys.array_types import ActivityLike, Array
from artiphys.errors import InputError
from artiphys.missing import plain_array, refuse_missing, validity

BLOCK_BYTES = 2**28  # of float64 activity held at once, so that a recording may be larger than memory
MAX_ACTIVITY = 1e140  # beyond this, squares overflow; below its inverse they vanish


def as_activity(activity: ActivityLike) -> xr.DataArray:
    """A DataArray with ``trial`` first; one that lies on disk stays there, see `loaded`.

    Raises
    ------
    InputError
        If it is no numeric array or has no unit axis.
    """
    if isinstance(activity, Mapping):
        names = ", ".join(repr(str(n)) for n in list(activity)[:3])
        raise InputError(
            f"a recording of the sites {names} came; this analysis takes one site: recording[{names[:40]}]"
        )
    if not isinstance(activity, xr.DataArray):
        try:
            values = plain_array(activity)
        except InputError as error:
            raise InputError(f"activity is no array: {error}") from error
        if values.dtype == object and values.ndim and len(values):
            refuse_missing(values, "activity")
        if values.dtype.kind not in "biuf":
            raise InputError(
                f"activity came as {type(activity).__name__} of {values.dtype}; wanted numbers (trial, ..., unit), "
                "such as recording['hidden']"
            )
        if values.ndim < 2:
            raise InputError(f"activity has shape {values.shape}; wanted (trial, ..., unit)")
        middle = [f"axis{i}" for i in range(1, values.ndim - 1)]
        activity = xr.DataArray(values, dims=("trial", *middle, "unit"))
    if not activity.dims or activity.dims[0] != "trial" or activity.ndim < 2:
        raise InputError(f"activity has dims {activity.dims}; wanted 'trial' first, then units")
    if activity.dtype == object and len(activity):
        refuse_missing(activity.to_numpy(), "activity")
    if activity.dtype.kind not in "biuf":
        raise InputError(f"activity holds {activity.dtype}; wanted numbers (trial, ..., unit)")
    if 0 in activity.shape:
        raise InputError(f"activity is empty: its shape is {activity.shape}")
    checked: xr.DataArray = activity
    return checked


def as_sites(activity: ActivityLike) -> dict[str | None, xr.DataArray]:
    """Activity by site: all sites of a Recording (or mapping), else the one array under None.

    Raises
    ------
    InputError
        If there is no site, or the sites have different trials.
    """
    if not isinstance(activity, Mapping):
        return {None: as_activity(activity)}
    sites: dict[str | None, xr.DataArray] = {str(name): as_activity(activity[name]) for name in activity}
    counts = {a.sizes["trial"] for a in sites.values()}
    if len(counts) != 1:
        raise InputError(f"the sites have {sorted(counts)} trials; wanted one or more sites of the same trials")
    return sites


def loaded(part: xr.DataArray) -> Array:
    """Float64 values of a part of the activity, read from disk if they lie there.

    Raises
    ------
    InputError
        If they hold NaN that no padding explains.
    """
    values = np.asarray(part.to_numpy(), dtype=np.float64)
    values = values if values.flags.writeable else values.copy()  # such as those of a table
    bad = ~np.isfinite(values)
    if bad.any():
        valid = validity(part)
        if valid is not None:
            bad = (xr.DataArray(bad, dims=part.dims) & valid).transpose(*part.dims).to_numpy()
        n = int(bad.reshape(len(bad), -1).any(axis=1).sum())
        if n:
            raise InputError(f"activity is NaN or infinite on {n} of {len(bad)} trials; leave these out first")
    largest = float(np.nanmax(np.abs(values), initial=0.0))
    if largest > MAX_ACTIVITY or 0 < largest < 1 / MAX_ACTIVITY:
        raise InputError(
            f"activity reaches {largest:.2g}, whose square no number holds; give it in other units, such as "
            "activity / abs(activity).max()"
        )
    return values


def times_of(data: xr.DataArray) -> Array | None:
    """Labels of the time axis; None where there is none.

    Raises
    ------
    InputError
        If trials have different lengths.
    """
    if "time" not in data.dims:
        return None
    valid = validity(data)
    if valid is not None and not bool(valid.all()):
        raise InputError(
            "trials have different lengths, so some times are missing on some trials; decode times that all have: "
            "activity.where(activity.valid.all('trial'), drop=True)"
        )
    return np.asarray(data["time"].to_numpy() if "time" in data.coords else np.arange(data.sizes["time"]))


def windowed(data: xr.DataArray, window: int) -> xr.DataArray:
    """Means over all windows of so many times; a window bears the mean of its time labels where these are numbers.

    Raises
    ------
    InputError
        If there is no time axis, it is shorter, or trials have different lengths.
    """
    if isinstance(window, bool) or not isinstance(window, (int, np.integer)) or window < 1:
        raise InputError(f"window came as {window!r}; wanted a whole number of times, at least 1")
    times = times_of(data)
    if times is None or window > len(times):
        n = "no time axis" if times is None else f"{len(times)} times"
        raise InputError(f"window came as {window} for activity with {n} ({dict(data.sizes)})")
    axis = data.dims.index("time")
    means = np.lib.stride_tricks.sliding_window_view(loaded(data), int(window), axis=axis).mean(axis=-1)
    numbers = times.dtype.kind in "iuf"
    starts = np.lib.stride_tricks.sliding_window_view(times, int(window))
    coords = {n: c for n, c in data.coords.items() if "time" not in c.dims}
    coords["time"] = ("time", starts.mean(axis=1) if numbers else starts[:, 0])
    return xr.DataArray(means, dims=data.dims, coords=coords, attrs=data.attrs)


def by_time(data: xr.DataArray) -> Array:
    """Loaded activity ``(time, trial, feature)``, one time where there is no time axis."""
    values = loaded(data)
    if "time" not in data.dims:
        return values.reshape(1, len(values), -1)
    moved = np.moveaxis(values, data.dims.index("time"), 0)
    return np.ascontiguousarray(moved.reshape(*moved.shape[:2], -1))


def unit_blocks(data: xr.DataArray, n_bytes: int = BLOCK_BYTES) -> Iterator[tuple[slice, Array]]:
    """Activity in blocks ``(trial, unit)`` of all trials, every other axis flattened, none above ``n_bytes``.

    Yields the place of each block among all units, and its values.
    """
    rest = [str(d) for d in data.dims[1:]]
    per_unit = 8 * data.sizes["trial"]
    yield from _blocks(data, rest, 0, max(1, n_bytes // per_unit))


def _blocks(data: xr.DataArray, dims: list[str], start: int, most: int) -> Iterator[tuple[slice, Array]]:
    size = int(np.prod(data.shape[1:]))
    if size <= most or not dims:
        values = loaded(data)
        yield slice(start, start + size), values.reshape(len(values), -1)
        return
    inner = int(np.prod([data.sizes[d] for d in dims[1:]]))
    step = max(1, most // inner)
    for first in range(0, data.sizes[dims[0]], step):
        part = data.isel({dims[0]: slice(first, first + step)})
        left = dims[1:] if inner > most else []
        yield from _blocks(part, left, start + first * inner, most)
