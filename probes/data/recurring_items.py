"""Recurring items: a column whose values recur over trials and have one label each, such as repeated images."""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence

import numpy as np
import xarray as xr
from jaxtyping import Integer

from artiphys.array_types import Array
from artiphys.missing import is_missing
from artiphys.probes.data.trial_values import exactly_coded

MIN_SHARE = 0.2  # of trials whose value recurs
MAX_BROKEN = 1.5  # stretches of trials a unit, beyond which units are scattered over the trials
MAX_CHANCE = 0.01  # that as many values had one label each if they had nothing to do with the labels


def recurring_item(
    labels: Array, data: xr.DataArray, unit: Integer[Array, " trial"], groups: Array | None, said: Collection[str]
) -> str:
    """What to tell of a column of ``data`` whose values recur and have one label each; "" where there is none.

    Trials of one image share what the image evokes, so that a reader which knows the images knows their labels, and
    labels exchanged between trials give such a reader nothing to know.

    Parameters
    ----------
    labels : ``(trial,)``
    unit : ``(trial,)``
        What is exchanged as a whole already.
    groups : ``(trial,)`` or None
        Values may start anew in each group, such as the numbers of blocks in runs.
    said : names of columns that need no mention
    """
    _, label = exactly_coded(labels)
    group = None if groups is None else exactly_coded(groups)[1]
    for name, column in data.coords.items():
        if column.dims != ("trial",) or name in ("trial", *said):
            continue
        values = column.to_numpy()
        if (values.dtype == object and bool(is_missing(values).any())) or (
            values.dtype.kind == "f" and np.isnan(values).any()
        ):
            continue
        _, item = exactly_coded(values)
        if _decides(label, item):  # as coarse as the labels: the labels themselves, or a superordinate of them
            continue
        if _recurs(item, label, unit):
            return (
                f"each value of {str(name)!r} has a single label and recurs ({len(np.unique(item))} values in "
                f"{len(item)} trials): trials of one value are alike whatever the label, and a reader that knows them "
                f"seems to know the label. Pass groups={str(name)!r} to ask about values that were not seen, or "
                f"exchange='trials' (or 'within groups') if none but these are meant"
            )
        if group is not None and _recurs(item * (group.max() + 1) + group, label, unit):
            return (
                f"within groups each value of {str(name)!r} has a single label for several trials: these are blocks, "
                f"whose trials are alike whatever the label. Pass blocks={str(name)!r}, or exchange='within "
                "groups' if trials are independent"
            )
    return ""


def scattered_item(labels: Array, columns: Sequence[Array], unit: Integer[Array, " trial"]) -> str:
    """The same of a column that was given among several as groups or blocks, but is no stretch of trials.

    Groups by session and image let the same image lie on both sides of a fold, in two sessions.

    Parameters
    ----------
    columns : sequence of ``(trial,)``
    unit : ``(trial,)``
        What is exchanged as a whole.
    """
    _, label = exactly_coded(labels)
    n_units = len(np.unique(unit))
    n_stretches = 1 + int((np.diff(unit) != 0).sum())
    if n_stretches <= MAX_BROKEN * n_units and len(unit) >= 2 * n_units:
        return ""
    for i, column in enumerate(columns):
        _, item = exactly_coded(column)
        if not _decides(label, item) and _recurs(item, label, unit):
            return (
                f"each value of column {i + 1} of groups and blocks ({exactly_coded(column)[0].tolist()[0]!r} ...) has "
                "a single label and recurs in other groups, so that trials of one value lie on both sides of a fold: "
                "give this column alone as groups="
            )
    return ""


def _decides(label: Array, item: Array) -> bool:
    """Whether every label has a single item."""
    return bool((_n_different(label, item) == 1).all())


def _recurs(item: Array, label: Array, unit: Array) -> bool:
    """Whether items recur over what is exchanged, each with a single label, more than chance would have it."""
    item = np.unique(item, return_inverse=True)[1]
    recurring = _n_different(item, unit) > 1
    count = np.bincount(item)[recurring]
    if count.sum() < MIN_SHARE * len(item) or (_n_different(item, label)[recurring] > 1).any():
        return False
    share = np.bincount(label) / len(label)
    chance = (share[:, None] ** count).sum(axis=0)
    return float(np.log(np.maximum(chance, 1e-300)).sum()) < math.log(MAX_CHANCE)


def _n_different(of: Array, values: Array) -> Integer[Array, " code"]:
    """How many different values the trials of each code have."""
    values = np.unique(values, return_inverse=True)[1]
    pairs = np.unique(of.astype(np.int64) * (int(values.max()) + 1) + values)
    return np.bincount(pairs // (int(values.max()) + 1))
