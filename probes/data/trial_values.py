"""Values of trials: labels, groups and other columns, read from arrays or conditions and checked."""

from __future__ import annotations

import numpy as np
import pandas as pd
import xarray as xr

from artiphys.array_types import Array, TrialValues
from artiphys.errors import InputError, unknown
from artiphys.missing import plain_array, refuse_missing
from artiphys.user_warnings import warn


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
        if given not in known and f"condition_{given}" in known:
            given = f"condition_{given}"  # its name is that of an axis, or of the mark of padding
        if given not in known:
            raise InputError(f"{what}: " + unknown("condition", given, known))
        given = activity.coords[given].to_numpy()
    _refuse_other_order(given, activity, what)
    values = plain_array(given)
    if values.shape != (n,):
        raise InputError(f"{what} came with shape {values.shape} for {n} trials; wanted one value per trial")
    if values.dtype.kind == "f" and np.isinf(values).any():
        raise InputError(f"{what} is infinite on {int(np.isinf(values).sum())} trials; leave these out first")
    return refuse_missing(values, what)


def _refuse_other_order(given: object, activity: xr.DataArray, what: str) -> None:
    """Values are matched by place; an index that names the same trials in another order says they are not."""
    if isinstance(given, pd.Series):
        theirs = given.index.to_numpy()
    elif isinstance(given, xr.DataArray) and "trial" in given.coords and given.dims == ("trial",):
        theirs = given["trial"].to_numpy()
    else:
        return
    n = activity.sizes["trial"]
    ours = activity["trial"].to_numpy() if "trial" in activity.coords else np.arange(n)
    if len(theirs) != n or np.array_equal(theirs, ours):
        return
    if set(theirs.tolist()) == set(ours.tolist()):
        raise InputError(
            f"the index of {what} names the trials in another order than the activity has them; put it in order, such "
            "as labels.loc[activity.index], or give plain values: labels.to_numpy()"
        )


N_ROUNDINGS = 64  # roundings, by which numbers that were calculated in other ways may differ
SINGLE_PRECISION = 2.0**-23


def coded(values: Array) -> tuple[Array, Array]:
    """Different values in their order, and the index among them of each trial's; objects count as text.

    Numbers that are equal up to rounding, such as .3 and .1 + .2, are one value.
    """
    if values.dtype.kind == "f":
        return distinct_numbers(values, rounding=N_ROUNDINGS * float(np.finfo(values.dtype).eps))
    names, codes = np.unique(values.astype(str) if values.dtype == object else values, return_inverse=True)
    if values.dtype == object and len(names) < len({(type(v), v) for v in values.tolist()}):
        raise InputError(f"among the values are texts and other things that read the same, such as {names[0]!r}")
    return names, codes.astype(np.int64)


def exactly_coded(values: Array) -> tuple[Array, Array]:
    """As `coded`, but numbers that differ at all are different: where it matters little and must cost nothing."""
    names, codes = np.unique(values.astype(str) if values.dtype == object else values, return_inverse=True)
    return names, codes.astype(np.int64)


def distinct_numbers(values: Array, period: float = 0.0, rounding: float = 1e-14) -> tuple[Array, Array]:
    """Different numbers in their order, and the index of each value's; equal up to rounding counts as equal.

    Parameters
    ----------
    values : ``(trial,)`` float
    period : float
        Of angles, whose rounding errors are those of a full turn.
    rounding : float
        Relative difference of what is equal; 0 for whole numbers.

    >>> distinct_numbers(np.array([0.3, 0.1 + 0.2, 0.1]))[1].tolist()
    [1, 1, 0]
    """
    names, codes, counts = np.unique(values, return_inverse=True, return_counts=True)
    size = np.maximum(np.maximum(np.abs(names[1:]), np.abs(names[:-1])), period)
    gaps = np.diff(names)
    apart = gaps > rounding * size
    near = apart & (gaps <= SINGLE_PRECISION * size) & (rounding > 0)
    if near.any():
        low, high = (float(names[int(near.argmax()) + i]) for i in (0, 1))
        warn(f"the values {low!r} and {high!r} differ by no more than single precision and count as one")
    level = np.concatenate([[0], np.cumsum(apart & ~near)])
    # Each level bears the value that most trials have.
    best = [int(np.flatnonzero(level == k)[counts[level == k].argmax()]) for k in range(level[-1] + 1)]
    return names[best], level[codes].astype(np.int64)


def classes_of(y: Array) -> tuple[Array, Array]:
    """Names of the classes, and the index of each trial's, or `InputError` if they are no classes."""
    names, codes = coded(y)
    if len(names) < 2:
        raise InputError(f"labels hold the single class {names.tolist()[0]!r}; decoding needs at least two")
    if len(names) > len(y) / 2 and y.dtype.kind == "f":
        raise InputError("labels look like a number, not classes; pass a regressor as estimator")
    return names, codes
