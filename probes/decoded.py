"""Decoding: the result of decode(), labelled."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr
from torch import Tensor

from artiphys.errors import InputError, StatisticsError, unknown
from artiphys.probes.crossing import Crossing
from artiphys.probes.information import Information, information
from artiphys.probes.linear import Linear
from artiphys.probes.readers import Estimators
from artiphys.probes.task import Task
from artiphys.probes.transfer import Transfer, transferred
from artiphys.stats import check_confidence, max_statistic_p_value, nadeau_bengio, p_value, t_interval
from artiphys.version import __version__

Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class Readout:
    """What was found at one site, places being its times.

    Attributes
    ----------
    scores : ``(place, variant, label set, fold)``
    guesses : ``(place, trial)``
    fitted : list
        Readers fitted on all trials, one a block of places.
    patterns : list of ``(place, feature, column)`` or None
    times : ``(place,)`` or None
    trial : DataArray
        One trial's activity, for its axes.
    """

    scores: Array
    guesses: Array
    fitted: list[Any]
    patterns: list[Tensor | None]
    times: Array | None
    trial: xr.DataArray

    def linear(self, n_classes: int) -> list[Linear]:
        """The fitted readers' weights; empty if they have none."""
        made = [f.linear(n_classes) if isinstance(f, Estimators) else f for f in self.fitted]
        return [m for m in made if isinstance(m, Linear)]

    def labelled(self, values: Array, classes: Array | None) -> xr.DataArray:
        """``(place, feature, column)`` as ``([time,] *site axes[, class])``."""
        axes = [str(d) for d in self.trial.dims if d != "time"]
        shape = [self.trial.sizes[d] for d in axes]
        coords: dict[str, Any] = {d: self.trial[d].to_numpy() for d in axes if d in self.trial.coords}
        values = values.reshape(len(values), *shape, -1)
        dims = ["time", *axes, "class"]
        if self.times is None:
            values, dims = values[0], dims[1:]
        else:
            coords["time"] = self.times
        if values.shape[-1] == 1:
            return xr.DataArray(values[..., 0], dims=dims[:-1], coords=coords)
        return xr.DataArray(values, dims=dims, coords={**coords, "class": classes})


@dataclass(frozen=True)
class Decoding:
    """Cross-validated decoding, at each site and time where there are several.

    Attributes
    ----------
    score : DataArray ``([site,] [time])``
        Mean over folds of ``metric``. With ``across`` it has two axes more: ``train_time, time``, or
        ``train_condition, condition``.
    stderr : DataArray
        Nadeau-Bengio corrected; it speaks of the procedure over new data sets.
    chance : float
        Theoretical chance level.
    null : DataArray ``(permutation, ...)`` or None
        Scores with permuted labels, and their mean.
    p_value : DataArray or None
        (b + 1) / (m + 1), one-sided.
    p_corrected : DataArray or None
        The same, corrected for all sites and times by the largest statistic of each permutation.
    folds : DataArray ``(fold, ...)``
    confusion : DataArray ``(..., true, predicted)`` or None
        Counts over folds, for classes.
    predictions : DataArray ``(trial, ...)`` or None
        Held-out predictions, where every trial is tested once.
    control : DataArray ``(control, ...)`` or None
        Scores of the control tasks.
    n_distinct : float
        Number of distinct permutations.
    """

    score: xr.DataArray
    stderr: xr.DataArray
    chance: float
    null_mean: xr.DataArray | None
    p_value: xr.DataArray | None
    folds: xr.DataArray
    metric: str
    estimator: str
    n_trials: int
    n_permutations: int
    scheme: str
    seed: int
    version: str
    null: xr.DataArray | None = None
    p_corrected: xr.DataArray | None = None
    confusion: xr.DataArray | None = None
    predictions: xr.DataArray | None = None
    control: xr.DataArray | None = None
    classes: Array | None = None
    readouts: Mapping[str | None, Readout] = field(default_factory=dict, repr=False, compare=False)

    def interval(self, confidence: float = 0.95) -> tuple[xr.DataArray, xr.DataArray]:
        """Lower and upper ends, t with (folds - 1) degrees of freedom."""
        check_confidence(confidence)
        low, high = t_interval(self.score.to_numpy(), self.stderr.to_numpy(), len(self.folds) - 1, confidence)
        return self.score.copy(data=low), self.score.copy(data=high)

    def selectivity(self) -> xr.DataArray:
        """Score minus the mean score of the control tasks.

        Raises
        ------
        StatisticsError
            If no control tasks were asked for.
        """
        if self.control is None:
            raise StatisticsError("no control tasks were run; call decode with control=<stimulus types>")
        return self.score - self.control.mean("control")

    def information(self, method: str = "jackknife") -> Information:
        """Information that the decoded classes carry about the true ones [bits], a lower bound.

        See `artiphys.probes.information`.
        """
        if self.confusion is None:
            raise StatisticsError("information needs a confusion matrix: classes, and no across=")
        return information(self.confusion, method)

    def weights(self, site: str | None = None) -> xr.DataArray:
        """Weights of the reader fitted on all trials, for activity in its own units."""
        readout, linear = self._linear(site)
        return readout.labelled(np.concatenate([m.weights[:, :, 0].cpu().numpy() for m in linear]), self.classes)

    def patterns(self, site: str | None = None) -> xr.DataArray:
        """Haufe patterns: where the signal is, rather than how it is read out."""
        readout, _ = self._linear(site)
        return readout.labelled(
            np.concatenate([p.cpu().numpy() for p in readout.patterns if p is not None]), self.classes
        )

    def _linear(self, site: str | None) -> tuple[Readout, list[Linear]]:
        readout = self.readout(site)
        linear = readout.linear(0 if self.classes is None else len(self.classes))
        if not linear:
            raise StatisticsError(f"{self.estimator} has no weights, one a unit; use a linear reader")
        return readout, linear

    def readout(self, site: str | None = None) -> Readout:
        """What was found at one site; the only one if none is named."""
        if site is None and len(self.readouts) == 1:
            return next(iter(self.readouts.values()))
        if site not in self.readouts:
            raise InputError("name one site: " + unknown("site", site, [str(s) for s in self.readouts]))
        return self.readouts[site]

    def transfer(
        self, activity: Any, labels: Any, groups: Any = None, n_permutations: int = 200, *, seed: int = 0
    ) -> Transfer:
        """Read another recording with the reader fitted on this one (diagnostic readout); nothing is fitted anew.

        Parameters
        ----------
        activity : as for `decode`, of the same sites, times and units
        labels : array ``(trial,)`` or str
            Of the same classes.
        groups : array or str, optional
            Trials of one group share a source; errors and permutations follow it.
        """
        return transferred(self, activity, labels, groups, n_permutations, seed)

    def to_dataframe(self) -> pd.DataFrame:
        """One row a site and time: score, error, chance, p."""
        low, high = self.interval()
        table = pd.DataFrame(
            {"score": self.score.to_numpy().ravel(), "stderr": self.stderr.to_numpy().ravel(),
             "low": low.to_numpy().ravel(), "high": high.to_numpy().ravel(), "chance": self.chance}
        )  # fmt: skip
        if self.p_value is not None:
            table["p"] = self.p_value.to_numpy().ravel()
        if self.score.size > 1:
            places = self.score.to_series().index.to_frame(index=False)
            table = pd.concat([places, table], axis=1)
            if self.p_corrected is not None:
                table["p_corrected"] = self.p_corrected.to_numpy().ravel()
        if self.control is not None:
            table["selectivity"] = self.selectivity().to_numpy().ravel()
        return table

    def methods_text(self) -> str:
        """A paragraph fit for a methods section."""
        null = (
            f" The null distribution came from {self.n_permutations} permutations of the labels ({self.scheme}; "
            f"smallest attainable p {1 / (self.n_permutations + 1):.2g}); folds were fixed."
            if self.n_permutations
            else ""
        )
        control = ""
        if self.control is not None:
            control = f" Selectivity is the score minus the mean of {len(self.control)} control tasks."
        return (
            f"{self.n_trials} trials were decoded with {self.estimator}, scaled and fitted within each of "
            f"{len(self.folds)} folds; scores are {self.metric} with Nadeau-Bengio standard errors.{null}{control} "
            f"(artiphys {self.version})"
        )


def assembled(
    task: Task,
    parts: Mapping[str | None, Readout],
    crossing: Crossing,
    scheme: str,
    permuted: tuple[int, int],
    estimator: str,
) -> Decoding:
    """The labelled result of all sites."""
    n_permutations, seed = permuted
    scores, give = _placed(parts, crossing)  # (*place axes, label set, fold)
    observed = scores[..., 0, :].mean(axis=-1)
    null = np.moveaxis(scores[..., 1 : 1 + n_permutations, :].mean(axis=-1), -1, 0)
    controls = np.moveaxis(scores[..., 1 + n_permutations :, :].mean(axis=-1), -1, 0)
    sizes = [float(np.mean([len(fold[part]) for fold in task.folds])) for part in (1, 0)]  # test, train
    return Decoding(
        score=give(observed),
        stderr=give(nadeau_bengio(scores[..., 0, :], *sizes)),
        chance=task.chance,
        null_mean=give(null.mean(axis=0)) if n_permutations else None,
        null=give(null, "permutation") if n_permutations else None,
        p_value=give(p_value(observed, null)) if n_permutations else None,
        p_corrected=give(max_statistic_p_value(observed, null)) if n_permutations else None,
        folds=give(np.moveaxis(scores[..., 0, :], -1, 0), "fold"),
        control=give(controls, "control") if len(controls) else None,
        confusion=_confusion(task, parts, give) if crossing.none and task.classes is not None else None,
        predictions=_predictions(task, parts, give) if crossing.none else None,
        metric=task.metric, n_trials=len(task.y), n_permutations=n_permutations, scheme=scheme, seed=seed,
        estimator=estimator, version=__version__, classes=task.classes, readouts=parts,
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


def _guesses(parts: Mapping[str | None, Readout]) -> Array:
    """``([site,] [time,] trial)``."""
    made = np.stack([r.guesses for r in parts.values()])
    made = made[:, 0] if all(r.times is None for r in parts.values()) else made
    return made[0] if None in parts else made


def _predictions(task: Task, parts: Mapping[str | None, Readout], give: Any) -> xr.DataArray | None:
    tested = np.concatenate([test for _, test in task.folds])
    if len(tested) != len(task.y) or len(np.unique(tested)) != len(task.y):
        return None
    guess = np.moveaxis(_guesses(parts), -1, 0)
    made: xr.DataArray = give(guess if task.classes is None else task.classes[guess.astype(int)], "trial")
    return made


def _confusion(task: Task, parts: Mapping[str | None, Readout], give: Any) -> xr.DataArray:
    # Where folds test a trial more than once its last guess counts.
    guess = _guesses(parts)
    counts = np.zeros((*guess.shape[:-1], task.n_classes, task.n_classes), dtype=int)
    for true in range(task.n_classes):
        for said in range(task.n_classes):
            counts[..., true, said] = ((task.y == true) & (guess == said)).sum(axis=-1)
    made = give(counts)
    made = made.rename(dict(zip(made.dims[-2:], ("true", "predicted"))))
    return made.assign_coords(true=task.classes, predicted=task.classes)  # type: ignore[no-any-return]
