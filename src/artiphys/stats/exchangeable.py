"""Whether labels may be exchanged as asked: refusals and warnings of designs that no exchange of labels keeps."""

from __future__ import annotations

import numpy as np
from scipy.stats import spearmanr

from artiphys.array_types import Array
from artiphys.errors import StatisticsError
from artiphys.user_warnings import warn

MAX_SINGLE = 0.1  # share of groups with a single label, up to which (or one group) the others are exchanged within
MIN_CHANGES = 3  # of labels that are turned: with one, drift (AR .97) was called significant in .16 to .24 of data sets
MAX_STRAIGHT = 0.95  # rank correlation of labels with their order, above which turning them tells nothing


def check_turns(labels: Array, places: list[Array]) -> None:
    """Refuse to turn labels that change so rarely, or run so straight, that drift alone does as much."""
    if labels.dtype.kind in "iuf" and len(np.unique(labels)) > max(2, len(labels) // 3):
        straight = [abs(spearmanr(np.arange(len(p)), labels[p]).statistic) for p in places if len(p) > 2]
        if straight and min(straight) > MAX_STRAIGHT:
            raise StatisticsError(
                "labels only rise or only fall with the order of trials, and nothing tells them from a drift of the "
                "activity; no exchange of labels helps here"
            )
        return
    changes = sum(int((labels[p][1:] != labels[p][:-1]).sum()) for p in places)
    if changes < MIN_CHANGES:
        raise StatisticsError(
            f"labels change {changes} times over the trials in their order, and nothing tells them from a drift of the "
            f"activity; exchange='shift' needs at least {MIN_CHANGES} changes, better many more"
        )


def check_kinds(constant: Array, name: str) -> None:
    """Refuse labels that are constant in some groups and vary in others, unless nearly all are of one kind."""
    n, single = len(constant), int(constant.sum())
    if not single:
        return
    if single <= max(1, MAX_SINGLE * n) and n - single >= 2:
        warn(
            f"{single} of {n} {name} hold a single label; labels are exchanged within {name}, which leaves out what "
            f"these say (exchange='within groups' says so outright)"
        )
        return
    raise StatisticsError(
        f"labels are constant in {single} {name} and vary in {n - single}; "
        "no exchange of labels keeps this design. Use groups of one kind, or exchange='within groups', "
        "which leaves out what the constant ones say"
    )
