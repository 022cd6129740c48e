"""Control tasks: random labels of stimulus types, which a reader can only have memorised."""

from __future__ import annotations

import numpy as np

from artiphys.array_types import Array
from artiphys.errors import InputError, StatisticsError
from artiphys.probes.data.trial_values import coded
from artiphys.probes.decoding.task import Task


def control_labels(types: Array, task: Task, n: int, seed: int) -> list[Array]:
    """``n`` labellings in which every stimulus type has one random label.

    Where the true label is constant within types, their labels are permuted over types; else each type's label
    is drawn by the labels' frequencies.

    Raises
    ------
    InputError
        If ``n`` is 0.
    StatisticsError
        If types do not recur in training and test parts, so that the control is undefined.
    """
    if n < 1:
        raise InputError("n_controls came as 0; wanted at least 1 control task")
    names, index = coded(types)
    recurring = [np.isin(index[test], index[train]).mean() for train, test in task.folds]
    if min(recurring) < 1:
        raise StatisticsError(
            f"as few as {min(recurring):.0%} of a fold's test trials have a stimulus type that its training part "
            "holds, so a control task is undefined there; use folds in which types recur, without groups=types"
        )
    if len(names) < 2 * max(2, task.n_classes):
        raise StatisticsError(
            f"{len(names)} stimulus types are too few for a control task; wanted at least {2 * max(2, task.n_classes)}"
        )
    rng = np.random.default_rng([seed, 1])
    first = np.array([task.y[index == i][0] for i in range(len(names))])
    constant = bool((task.y == first[index]).all())
    label_sets: list[Array] = []
    while len(label_sets) < n:
        of_type = rng.permutation(first) if constant else rng.choice(task.y, size=len(names))
        if task.classes is None or len(np.unique(of_type)) == task.n_classes:
            label_sets.append(of_type[index])
    return label_sets
