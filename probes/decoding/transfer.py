"""Transfer: a reader fitted on one recording reads another (diagnostic readout)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
import torch
import xarray as xr

from artiphys.array_types import ActivityLike, Array, TrialValues
from artiphys.errors import InputError, StatisticsError
from artiphys.probes.data.activity import as_sites, by_time
from artiphys.probes.data.design import Design
from artiphys.probes.data.trial_values import per_trial
from artiphys.probes.decoding.cross_validation import told
from artiphys.probes.decoding.hit_rates import effective_trials, hit_interval
from artiphys.probes.decoding.metrics import BOUNDS, metric_of
from artiphys.probes.decoding.readout import Readout
from artiphys.probes.decoding.task import Task
from artiphys.stats.intervals import t_interval
from artiphys.stats.p_values import p_value
from artiphys.stats.permutations import PermutationTest, Tested
from artiphys.stats.text import brief
from artiphys.version import __version__

MAX_BLOCKS = 100


@dataclass(frozen=True, repr=False)
class Transfer(Tested):
    """Success of a fitted reader on new trials.

    Attributes
    ----------
    score, stderr : DataArray ``([site,] [time])``
        Jackknife over groups, or over trials, of the new recording. The reader is taken as given.
    p_value : DataArray or None
        Permuting the new labels.
    predictions : DataArray ``(trial, ...)``
    """

    score: xr.DataArray
    stderr: xr.DataArray
    chance: float
    p_value: xr.DataArray | None
    null: xr.DataArray | None
    predictions: xr.DataArray
    metric: str
    n_trials: int
    n_blocks: int
    test: PermutationTest
    n_effective: xr.DataArray | None
    version: str

    def __repr__(self) -> str:
        p = "" if self.p_value is None else f", p {brief(self.p_value)}"
        return (
            f"Transfer to {self.n_trials} new trials: {self.metric} {brief(self.score)} (chance {self.chance:.3g}{p})"
        )

    def interval(self, confidence: float = 0.95) -> tuple[xr.DataArray, xr.DataArray]:
        """Lower and upper ends; of hits those of a proportion, NaN where all blocks score alike to the last digit."""
        score, stderr = self.score.to_numpy(), self.stderr.to_numpy()
        if self.n_effective is not None:
            low, high = hit_interval(score, self.n_effective.to_numpy(), confidence)
        else:
            low, high = t_interval(score, np.where(stderr > 0, stderr, np.nan), self.n_blocks - 1, confidence)
            low, high = (np.clip(end, *BOUNDS.get(self.metric, (-np.inf, np.inf))) for end in (low, high))
        return self.score.copy(data=low), self.score.copy(data=high)

    def to_dataframe(self) -> pd.DataFrame:
        """One row per site and time."""
        low, high = self.interval()
        table = pd.DataFrame({n: np.ravel(v) for n, v in (("score", self.score), ("low", low), ("high", high))})
        table["chance"] = self.chance
        if self.p_value is not None:
            table["p"] = np.ravel(self.p_value)
        if self.score.size > 1:
            table = pd.concat([self.score.to_series().index.to_frame(index=False), table], axis=1)
        return table

    def methods_text(self) -> str:
        """A paragraph fit for a methods section."""
        test = f"; new labels were permuted {self.n_permutations} times ({self.scheme})" if self.n_permutations else ""
        return (
            f"A reader fitted on another recording read {self.n_trials} new trials; {self.metric} with jackknife "
            f"standard errors over {self.n_blocks} blocks{test}. (artiphys {self.version})"
        )


def transferred(
    readouts: Mapping[str | None, Readout],
    classes: Array | None,
    like: xr.DataArray,
    activity: ActivityLike,
    labels: TrialValues,
    groups: TrialValues | None,
    n_permutations: int,
    seed: int,
    *,
    scoring: str | None,
    period: float,
) -> Transfer:
    """Read new activity with fitted readers; see `Decoding.transfer`.

    Parameters
    ----------
    readouts : mapping of site to Readout
    classes : ``(class,)`` or None
    scoring, period : as the readers were scored
    like : DataArray ``([site,] [time])``
        The score of the readers, for its axes.
    """
    sites = as_sites(activity)
    first = next(iter(sites.values()))
    if set(sites) != set(readouts):
        raise InputError(f"the reader was fitted on {list(readouts)}; the new activity is of {list(sites)}")
    y = _known(per_trial(labels, first, "labels"), classes)
    y = y % period if period else y
    every = np.arange(len(y))
    member = None if groups is None else per_trial(groups, first, "groups")
    design = Design(member, (), None)
    metric = metric_of(scoring, y, 0 if classes is None else len(classes), [(every, every)], period)
    task = Task(y, classes, design, [(every, every)], None, metric, period)
    targets, test = [y], PermutationTest(seed=seed)
    if n_permutations:
        plan = design.permutations(y)
        test = plan.test(n_permutations, seed, symmetric=classes is not None)
        targets += list(plan.draw(n_permutations, seed))
    guess = np.concatenate([_said(readouts[name], data, "guesses") for name, data in sites.items()])  # (place, trial)
    said = guess
    if metric.said != "guesses":
        said = np.concatenate([_said(readouts[name], data, metric.said) for name, data in sites.items()])
    alike = np.broadcast_to(said[:, None], (len(said), len(targets), *said.shape[1:]))  # for every label set
    scores = metric.compute(np.stack(targets), alike)  # (place, label set)
    blocks = _blocks(len(y), member, seed)
    if blocks.max() < 1:
        raise StatisticsError("all new trials are of one group (or there is one trial), so the score has no error")
    left = np.stack([metric.compute(y[None, b], said[:, None, b])[:, 0] for b in _rest(blocks)])  # (block, place)
    k = len(left)
    stderr = np.sqrt((k - 1) / k * ((left - left.mean(axis=0)) ** 2).sum(axis=0))

    def give(a: Array, *before: str) -> xr.DataArray:
        shape = (*a.shape[: len(before)], *like.shape)
        return xr.DataArray(a.reshape(shape), dims=(*before, *like.dims), coords=like.coords)

    null = scores[:, 1:].T
    named = guess if classes is None else classes[guess.astype(int)]
    return Transfer(
        give(scores[:, 0]), give(stderr), metric.chance,
        give(p_value(scores[:, 0], null)) if n_permutations else None,
        give(null, "permutation") if n_permutations else None,
        give(np.ascontiguousarray(named.T), "trial"), metric.name, len(y), k, test,
        give(effective_trials(task, guess == y)) if metric.proportion else None, __version__,
    )  # fmt: skip


def _known(y: Array, classes: Array | None) -> Array:
    if classes is None:
        return y.astype(float)
    y = y.astype(str) if y.dtype == object else y
    strange = sorted({str(v) for v in y[~np.isin(y, classes)]})
    if strange:
        kinds = "" if y.dtype.kind == classes.dtype.kind else " (one is text, the other numbers)"
        raise InputError(
            f"labels hold {strange[:3]}, which the reader never saw; it knows {list(map(str, classes))}{kinds}"
        )
    return np.searchsorted(classes, y)


def _said(readout: Readout, data: xr.DataArray, what: str) -> Array:
    """Guesses ``(place, trial)``, or evidence or probabilities with an axis of classes more."""
    if data.dims[1:] != readout.trial.dims or data.shape[1:] != readout.trial.shape:
        raise InputError(
            f"the reader was fitted on {dict(readout.trial.sizes)} per trial; the new activity has "
            f"{dict(zip(map(str, data.dims[1:]), data.shape[1:]))}"
        )
    for axis in set(data.dims[1:]) & set(data.coords) & set(readout.trial.coords):
        if not np.array_equal(data[axis].to_numpy(), readout.trial[axis].to_numpy()):
            raise InputError(f"the new activity has other labels along {axis!r}; put it in the reader's order first")
    x = by_time(data)
    start, predictions = 0, []
    for fitted in readout.fitted:
        part = torch.from_numpy(x[start : start + fitted.n_places])
        predictions.append((fitted.predict(part) if what == "guesses" else told(fitted, part, what))[:, 0])
        start += fitted.n_places
    return np.concatenate(predictions)


def _blocks(n: int, groups: Array | None, seed: int) -> Array:
    """The jackknife block of each trial."""
    if groups is not None:
        return np.asarray(np.unique(groups, return_inverse=True)[1])
    return np.asarray(np.random.default_rng(seed).permutation(n) % min(n, MAX_BLOCKS))


def _rest(blocks: Array) -> list[Array]:
    return [np.flatnonzero(blocks != b) for b in range(blocks.max() + 1)]
