"""Columns of a conditions table on disk: numbers and times as they are, text as codes and a list, nothing pickled."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote

import numpy as np
import pandas as pd
import zarr

from artiphys.array_types import Array
from artiphys.missing import is_missing
from artiphys.zarr_files import put_array, put_group, store_at


def put_table(path: Path, table: pd.DataFrame) -> None:
    """Write a table as a group of one array a column."""
    put_group(path, {"order": [str(c) for c in table.columns]})
    for column in table.columns:
        _put(path, str(column), table[column])


def get_table(path: Path, order: list[str] | None, checked: bool = True) -> dict[str, Array]:
    """Read it, in the order of its columns."""
    arrays = zarr.open_group(store_at(path, checked), mode="r", zarr_format=3).arrays()
    columns = {a.attrs.get("column", name): _values(np.asarray(a[...]), a.attrs) for name, a in arrays}
    return {c: columns[c] for c in (order or list(columns)) if c in columns}


def _put(path: Path, name: str, column: pd.Series[Any]) -> None:
    values = column.to_numpy()
    attributes: dict[str, Any] = {"column": name}
    if values.dtype.kind in "mM":
        attributes["moments"] = values.dtype.str
        values = values.view(np.int64)
    elif values.dtype.kind not in "biuf":
        # Text is kept as codes and a list: no pickled objects on disk. What is missing has the code -1.
        kept = [
            None if m else v if type(v) in (bool, int, float) else str(v) for v, m in zip(values, is_missing(values))
        ]
        known = {key: i for i, key in enumerate(dict.fromkeys((type(v), v) for v in kept if v is not None))}
        values = np.array([-1 if v is None else known[type(v), v] for v in kept], dtype=np.int32)
        attributes["categories"] = [value for _, value in known]
    put_array(path, quote(name, safe=""), values, dims=("trial",), attributes=attributes)


def _values(values: Array, attributes: Mapping[str, Any]) -> Array:
    if "categories" in attributes:
        # A code of -1 is a missing value, as in pandas.
        categories = np.empty(len(attributes["categories"]) + 1, dtype=object)
        categories[:-1], categories[-1] = attributes["categories"], np.nan
        return categories[values]
    return values.view(attributes["moments"]) if "moments" in attributes else values
