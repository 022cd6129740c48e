"""Values of trials: labels, groups and other columns, read from arrays or conditions and checked."""

from __future__ import annotations

import numpy as np
import xarray as xr

from artiphys.array_types import Array, TrialValues
from artiphys.errors import InputError, StatisticsError, unknown


def per_trial(given: TrialValues, activity: xr.DataArray, what: str) -> Array:
    """One value per trial: an array, or the name of a condition that the recording carries.

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
        raise InputError(f"{what} came with shape {values.shape} for {n} trials; wanted one value per trial")
    if values.dtype.kind == "f" and np.isinf(values).any():
        raise InputError(f"{what} is infinite on {int(np.isinf(values).sum())} trials; leave these out first")
    missing = np.isnan(values) if values.dtype.kind == "f" else np.array([v is None for v in values])
    if missing.any():
        raise InputError(f"{what} is missing on {int(missing.sum())} trials; leave these out first")
    return values


GROUP_NAMES = ("group", "session", "run", "subject", "block")


def groups_of(groups: TrialValues | None, data: xr.DataArray) -> Array | None:
    """The group of each trial; refuses trials that the conditions say are grouped."""
    if groups is not None:
        return per_trial(groups, data, "groups")
    columns = [n for n in GROUP_NAMES if n in data.coords and data.coords[n].dims == ("trial",)]
    if columns and len(np.unique(data.coords[columns[0]].to_numpy())) > 1:
        raise StatisticsError(
            f"the conditions say that trials come in groups ({columns[0]!r}); pass groups={columns[0]!r}, or drop that "
            f"coordinate if trials are independent (activity.drop_vars({columns[0]!r}))"
        )
    return None


def coded(values: Array) -> tuple[Array, Array]:
    """Different values in their order, and the index among them of each trial's; objects count as text."""
    names, codes = np.unique(values.astype(str) if values.dtype == object else values, return_inverse=True)
    return names, codes.astype(np.int64)


def classes_of(y: Array) -> tuple[Array, Array]:
    """Names of the classes, and the index of each trial's, or `InputError` if they are no classes."""
    names, codes = coded(y)
    if len(names) < 2:
        raise InputError(f"labels hold the single class {names.tolist()[0]!r}; decoding needs at least two")
    if len(names) > len(y) / 2 and y.dtype.kind == "f":
        raise InputError("labels look like a number, not classes; pass a regressor as estimator")
    return names, codes
