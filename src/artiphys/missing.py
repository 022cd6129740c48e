"""Missing values: None, NaN, NaT, pandas' NA and masked entries mean the same wherever data come in."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import torch
import xarray as xr

from artiphys.array_types import Array
from artiphys.errors import InputError

MAX_EXACT = 2**53  # the whole numbers up to here are different floats


def plain_array(given: Any) -> Array:
    """A plain array of what a user gave; masked entries become missing: NaN among numbers, None among others.

    >>> plain_array(np.ma.array([1, 2, 3], mask=[False, True, False])).tolist()
    [1.0, nan, 3.0]

    Raises
    ------
    InputError
        For a tensor with a mask of its own, and for rows of different lengths.
    """
    if type(given).__name__ == "MaskedTensor":
        raise InputError("a MaskedTensor came; give a tensor with NaN where values are missing")
    if hasattr(given, "detach"):
        require_plain(given, "a tensor")
        tensor = given.detach().cpu()
        return np.asarray(tensor.float() if tensor.dtype == torch.bfloat16 else tensor)
    if isinstance(given, (list, tuple)) and _holds_masked(given):
        given = _stacked(given)
    if isinstance(given, np.ma.MaskedArray):
        return _unmasked(given)
    if isinstance(given, (pd.Series, pd.api.extensions.ExtensionArray)) and pd.api.types.is_integer_dtype(given.dtype):
        whole = np.array([None if pd.isna(v) else v for v in given], dtype=object)
        if any(v is not None and abs(v) > MAX_EXACT for v in whole) and any(v is None for v in whole):
            return whole  # as floats several of them would be one
    if isinstance(given, pd.DataFrame) and given.isna().to_numpy().any():
        numeric = all(pd.api.types.is_numeric_dtype(t) for t in given.dtypes)
        return given.to_numpy(dtype=float if numeric else object, na_value=np.nan)
    try:
        values = np.asarray(given)
    except ValueError as error:
        raise InputError(f"the rows are of different lengths ({error})") from error
    if values.dtype.kind == "T":  # numpy's strings of any length may hold a missing value
        values = values.astype(object)
    if values.dtype == object and values.ndim == 1 and len(values) and not is_missing(values).any():
        # Whole numbers in an array of objects are whole numbers.
        values = pd.Series(values, dtype=object).infer_objects().to_numpy()
    return values


def require_plain(tensor: Any, name: str) -> None:
    """`InputError` for tensors without numbers that can be read as they are: sparse, nested, quantised, on "meta"."""
    kinds = {
        "nested": getattr(tensor, "is_nested", False), "quantised": getattr(tensor, "is_quantized", False),
        "without data (meta)": getattr(tensor, "is_meta", False),
    }  # fmt: skip
    kind = next((k for k, is_it in kinds.items() if is_it), "")
    if not kind and tensor.layout is not torch.strided:
        kind = f"of layout {str(tensor.layout).removeprefix('torch.')}"
    if kind:
        raise InputError(f"{name} came as a tensor {kind}; give an ordinary, dense one")


def is_missing(values: Array) -> Array:
    """Bool, of the shape of ``values``: which entries are missing.

    >>> is_missing(np.array(["a", None, float("nan"), pd.NaT, pd.NA], dtype=object)).tolist()
    [False, True, True, True, True]
    """
    if values.dtype.kind in "biuUSV":
        return np.zeros(values.shape, dtype=bool)
    return np.asarray(pd.isna(values))


def refuse_missing(values: Array, what: str) -> Array:
    """The values, or `InputError` with the number of trials on which one is missing."""
    missing = is_missing(values).reshape(len(values), -1).any(axis=1)
    if missing.any():
        raise InputError(f"{what} is missing on {int(missing.sum())} trials; leave these out first")
    return values


def validity(data: xr.DataArray) -> xr.DataArray | None:
    """The mark of padding that recordings carry, ``(trial, time)`` False at padding; None where nothing is padded.

    A column of the user's own that is called ``valid`` is no such mark: it has no time axis.
    """
    mark = data.coords.get("valid")
    return mark if mark is not None and set(mark.dims) == {"trial", "time"} and mark.dtype == bool else None


def _holds_masked(rows: Any) -> bool:
    return any(
        isinstance(row, np.ma.MaskedArray) or (isinstance(row, (list, tuple)) and _holds_masked(row)) for row in rows
    )


def _stacked(rows: Any) -> np.ma.MaskedArray[Any, Any]:
    if any(row is np.ma.masked for row in rows):
        present = [row for row in rows if row is not np.ma.masked]
        filler = present[0] if present else np.nan
        mask = [row is np.ma.masked for row in rows]
        return np.ma.array([filler if m else row for m, row in zip(mask, rows)], mask=mask)
    return np.ma.array([_stacked(r) if isinstance(r, (list, tuple)) and _holds_masked(r) else r for r in rows])


def _unmasked(given: np.ma.MaskedArray[Any, Any]) -> Array:
    mask = np.ma.getmaskarray(given)
    values = np.asarray(given.data)
    if values.dtype.names is not None:
        raise InputError("a masked array with named fields came; give one array per field")
    if not mask.any():
        return values
    kind = values.dtype.kind
    if kind == "f" or (kind in "iu" and (np.abs(values[~mask].astype(object)) <= MAX_EXACT).all()):
        return np.where(mask, np.nan, values.astype(np.promote_types(values.dtype, np.float32)))
    if values.dtype.kind in "mM":
        return np.where(mask, np.array("NaT", dtype=values.dtype), values)
    whole = values.astype(object)
    whole[mask] = None
    return whole
