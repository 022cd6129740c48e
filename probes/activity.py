"""Activity as every probe takes it: a DataArray, or a plain array ``(trial, ..., unit)``."""

from __future__ import annotations

from typing import Any

import numpy as np
import xarray as xr

from artiphys.errors import InputError, unknown

Array = np.ndarray[Any, Any]


def as_activity(activity: Any) -> xr.DataArray:
    """A float DataArray with ``trial`` first.

    Raises
    ------
    InputError
        If it is no numeric array, has no unit axis, or holds NaN that no padding explains.
    """
    if not isinstance(activity, xr.DataArray):
        values = np.asarray(activity.detach().cpu() if hasattr(activity, "detach") else activity)
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
    if 0 in activity.shape:
        raise InputError(f"activity is empty: its shape is {activity.shape}")
    data = activity.astype(np.float64) if activity.dtype != np.float64 else activity
    bad = ~np.isfinite(data)
    if "valid" in data.coords:
        bad = bad & data["valid"]
    if bool(bad.any()):
        n = int(bad.any(dim=[d for d in bad.dims if d != "trial"]).sum())
        raise InputError(f"activity is NaN or infinite on {n} of {data.sizes['trial']} trials; leave these out first")
    checked: xr.DataArray = data
    return checked


def per_trial(given: Any, activity: xr.DataArray, what: str) -> Array:
    """One value a trial: an array, or the name of a condition that the recording carries.

    Raises
    ------
    InputError
        If the name is unknown, the length differs, or values are missing.
    """
    n = activity.sizes["trial"]
    if isinstance(given, str):
        known = [str(c) for c in activity.coords if activity.coords[c].dims == ("trial",)]
        if given not in known:
            raise InputError(f"{what}: " + unknown("condition", given, known))
        given = activity.coords[given].to_numpy()
    values = np.asarray(given.detach().cpu() if hasattr(given, "detach") else given)
    if values.shape != (n,):
        raise InputError(f"{what} came with shape {values.shape} for {n} trials; wanted one value a trial")
    missing = np.isnan(values) if values.dtype.kind == "f" else np.array([v is None for v in values])
    if missing.any():
        raise InputError(f"{what} is missing on {int(missing.sum())} trials; leave these out first")
    return values
