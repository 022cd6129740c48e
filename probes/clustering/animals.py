"""Units of several animals: features without what differs between animals, and whether types recur in them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from artiphys.array_types import Array
from artiphys.errors import InputError
from artiphys.missing import is_missing, plain_array

LEAST_UNITS = 5  # of an animal, for a mean and a spread
EXPECTED = 3.0  # units of a type that an animal should have, for it to count whether it has any


def group_names(groups: Any, n: int) -> Array:
    """Groups as an array ``(unit,)``.

    Raises
    ------
    InputError
        For groups of another shape, missing ones, a single one, or one of too few units.
    """
    names = plain_array(groups)
    if names.shape != (n,):
        raise InputError(f"groups came with shape {names.shape}; wanted one name for each of {n} units")
    if is_missing(names).any():
        raise InputError(f"groups are missing for {int(is_missing(names).sum())} units; leave these units out")
    counts = pd.Series(names).value_counts()
    if len(counts) < 2:
        raise InputError("groups came with one name; leave groups out, or give the animal of each unit")
    if counts.min() < LEAST_UNITS:
        raise InputError(
            f"group {str(counts.idxmin())!r} has {counts.min()} units; wanted {LEAST_UNITS} or more in each, for a "
            "mean and a spread. Leave out groups that are smaller"
        )
    return names


def without_offsets(table: pd.DataFrame, groups: Array) -> pd.DataFrame:
    """Features centred and of one spread within each group; the spread is the root mean square of all groups'."""
    by = table.groupby(groups)
    spread = by.transform(lambda column: column.std(ddof=1))
    still = (spread <= 1e-12 * table.abs().max()).to_numpy().any(axis=1)
    if still.any():
        raise InputError(
            f"in group {str(groups[still][0])!r} a feature is constant; leave the group or the feature out"
        )
    together: pd.DataFrame = (table - by.transform("mean")) / spread * np.sqrt((spread**2).mean())
    return together


def recurrence(labels: Array, groups: Array) -> tuple[pd.DataFrame, str]:
    """Units of each type in each group, and which type does not recur, or "".

    A type recurs if two groups have it at least, and more than half of the groups that have units enough.
    """
    table = pd.crosstab(pd.Series(groups, name="group"), pd.Series(labels, name="type"))
    for kind in table.columns:
        share = table[kind].sum() / len(labels)
        large = table.sum(axis=1) * share >= EXPECTED
        found = table[kind] > 0
        if found.sum() < 2 or (large.any() and found[large].mean() <= 0.5):
            return table, f"type {kind} is found in {int(found.sum())} of {len(table)} groups"
    return table, ""
