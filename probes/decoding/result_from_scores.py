"""The labelled result of a decoding, from scores of all sites and times."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import xarray as xr

from artiphys.array_types import Array
from artiphys.errors import InputError, StatisticsError
from artiphys.probes.data.angles import angular_distance
from artiphys.probes.decoding.generalisation import Crossing
from artiphys.probes.decoding.hit_rates import effective_trials_by_folds, trials_worth
from artiphys.probes.decoding.readout import Readout
from artiphys.probes.decoding.result import Decoding
from artiphys.probes.decoding.task import Task
from artiphys.stats.intervals import nadeau_bengio
from artiphys.stats.p_values import max_statistic_p_value, p_value
from artiphys.stats.permutations import PermutationTest
from artiphys.version import __version__


def result_from_scores(
    task: Task,
    parts: Mapping[str | None, Readout],
    crossing: Crossing,
    test: PermutationTest,
    *,
    estimator: str,
    confounded: bool,
    scoring: str | None,
) -> Decoding:
    """The labelled result of all sites."""
    n_permutations = test.n_permutations
    scores, give = _placed(parts, crossing)  # (*place axes, label set, fold)
    if np.isnan(scores[..., 0, :]).any():
        raise StatisticsError(
            f"{task.metric.name} is not defined in some fold: a class is lacking there; use fewer folds"
        )
    mean = task.metric.over_folds(scores)
    observed, null = mean[..., 0], np.moveaxis(mean[..., 1 : 1 + n_permutations], -1, 0)
    controls = np.moveaxis(mean[..., 1 + n_permutations :], -1, 0)
    predictions = _predictions(task, parts, give) if crossing.none else None
    sizes = [float(np.mean([len(fold[part]) for fold in task.folds])) for part in (1, 0)]  # test, train
    return Decoding(
        score=give(observed),
        stderr=give(nadeau_bengio(scores[..., 0, :], *sizes)),
        chance=task.metric.chance,
        null_mean=give(null.mean(axis=0)) if n_permutations else None,
        null=give(null, "permutation") if n_permutations else None,
        p_value=give(p_value(observed, null)) if n_permutations else None,
        p_corrected=give(max_statistic_p_value(observed, null)) if n_permutations else None,
        folds=give(np.moveaxis(scores[..., 0, :], -1, 0), "fold"),
        control=give(controls, "control") if len(controls) else None,
        confusion=_confusion(task, parts, give) if crossing.none and task.classes is not None else None,
        predictions=predictions,
        n_effective=_effective(task, parts, scores[..., 0, :], give, crossing.none),
        median_error=_median_error(task, predictions, give),
        scoring=scoring, period=task.period,
        metric=task.metric.name, n_trials=len(task.y), test=test,
        estimator=estimator, confounded=confounded, version=__version__, classes=task.classes, readouts=parts,
    )  # fmt: skip


def _placed(parts: Mapping[str | None, Readout], crossing: Crossing) -> tuple[Array, Any]:
    """Scores ``([site,] [time,] [crossed axes,] label set, fold)`` and a function that labels such arrays."""
    times = [r.times for r in parts.values()]
    if len({None if t is None else tuple(t.tolist()) for t in times}) != 1:
        raise InputError("the sites have different time axes; decode those of one time axis in one call")
    scores = np.stack([r.scores for r in parts.values()])  # (site, time, variant, label set, fold)
    dims, coords = ["site", "time"], {"site": [str(s) for s in parts], "time": times[0]}
    if crossing.over_time:
        dims, coords["train_time"] = ["site", "train_time", "time"], times[0]
    elif crossing.values is not None:
        n = crossing.n_values
        scores = scores.reshape(*scores.shape[:2], n, n, *scores.shape[3:])
        names = [f"train_{crossing.name}", crossing.name]
        dims += names
        coords.update(dict.fromkeys(names, crossing.values))
    else:
        scores = scores[:, :, 0]
    single = {"site": None in parts, "time": times[0] is None, "train_time": False}
    for dim in [d for d in dims if single.get(d, False)]:
        scores = scores.squeeze(dims.index(dim))
        dims.remove(dim)
    coords = {d: coords[d] for d in dims}

    def give(a: Array, *before: str) -> xr.DataArray:
        after = [f"extra{i}" for i in range(a.ndim - len(before) - len(dims))]
        return xr.DataArray(a, dims=(*before, *dims, *after), coords=coords)

    return scores, give


def _by_place(parts: Mapping[str | None, Readout], name: str) -> Array:
    """What every site found ``([site,] [time,] ...)``."""
    labelled = np.stack([getattr(r, name) for r in parts.values()])
    labelled = labelled[:, 0] if all(r.times is None for r in parts.values()) else labelled
    return labelled[0] if None in parts else labelled


def _predictions(task: Task, parts: Mapping[str | None, Readout], give: Any) -> xr.DataArray | None:
    tested = np.concatenate([test for _, test in task.folds])
    if len(tested) != len(task.y) or len(np.unique(tested)) != len(task.y):
        return None
    guess = np.moveaxis(_by_place(parts, "guesses"), -1, 0)
    labelled: xr.DataArray = give(guess if task.classes is None else task.classes[guess.astype(int)], "trial")
    return labelled


def _effective(
    task: Task, parts: Mapping[str | None, Readout], scores: Array, give: Any, plain: bool
) -> xr.DataArray | None:
    """How many independent trials each proportion of hits is worth; None where the score is none."""
    if not task.metric.proportion:
        return None
    if plain:
        guess = _by_place(parts, "guesses").reshape(-1, len(task.y))
        worth = trials_worth(task, scores.reshape(-1, scores.shape[-1]), guess)
    else:
        worth = effective_trials_by_folds(task, scores)
    labelled: xr.DataArray = give(worth.reshape(scores.shape[:-1]))
    return labelled


def _median_error(task: Task, predictions: xr.DataArray | None, give: Any) -> xr.DataArray | None:
    """Median absolute error of held-out predictions, in the units of the labels."""
    if predictions is None or task.classes is not None:
        return None
    guess = predictions.to_numpy()
    true = task.y.reshape(-1, *[1] * (guess.ndim - 1))
    error = angular_distance(guess, true, task.period) if task.period else np.abs(guess - true)
    labelled: xr.DataArray = give(np.median(error, axis=0))
    return labelled


def _confusion(task: Task, parts: Mapping[str | None, Readout], give: Any) -> xr.DataArray:
    labelled: xr.DataArray = give(_by_place(parts, "counts"))
    labelled = labelled.rename(dict(zip(labelled.dims[-2:], ("true", "predicted"))))
    return labelled.assign_coords(true=task.classes, predicted=task.classes)
