"""searchlight(): cross-validated decoding at every neighbourhood of units, corrected for their number."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import torch
import xarray as xr

from artiphys.array_types import ActivityLike, Array, ProgressBar, TrialValues
from artiphys.border import border
from artiphys.probes.data.activity import BLOCK_BYTES, as_sites, by_time, times_of
from artiphys.probes.data.angles import turn_of
from artiphys.probes.data.confounds import Confounds
from artiphys.probes.data.design import Design
from artiphys.probes.decoding.cross_validation import CrossValidation
from artiphys.probes.decoding.folds import Splitter
from artiphys.probes.decoding.generalisation import Crossing
from artiphys.probes.decoding.task import Task
from artiphys.probes.readers.by_name import check_estimator, check_offer, reader_of
from artiphys.probes.searchlights.neighbourhoods import neighbourhoods as made_neighbourhoods
from artiphys.probes.searchlights.result import Searchlight
from artiphys.progress import progress_bar
from artiphys.stats.intervals import nadeau_bengio
from artiphys.stats.p_values import max_statistic_p_value, p_value
from artiphys.stats.permutations import whole_count
from artiphys.stats.seeds import Seed, whole_seed
from artiphys.version import __version__


@border
def searchlight(
    activity: ActivityLike,
    labels: TrialValues,
    neighbourhoods: Any = "window",
    estimator: Any = None,
    cv: int | Splitter = 5,
    groups: TrialValues | None = None,
    n_permutations: int = 200,
    seed: Seed = 0,
    *,
    size: int | Sequence[int] | None = None,
    step: int | None = None,
    axis: str | Sequence[str] | None = None,
    n_subsets: int = 50,
    alphas: Sequence[float] | None = None,
    confounds: TrialValues | None = None,
    exchange: str | None = None,
    blocks: TrialValues | None = None,
    scoring: str | None = None,
    circular: bool = False,
    period: float = 2 * math.pi,
    progress: bool = True,
) -> Searchlight:
    """Decode a label from every neighbourhood of units, at every site and time.

    Parameters
    ----------
    activity : Recording, DataArray ``(trial[, time], ..., unit)`` or array
    labels, estimator, cv, groups, n_permutations, seed, confounds, exchange, blocks, scoring, circular, period : as for
        `decode`
        The ridge readout takes penalty 1 unless ``alphas`` gives others to choose from. One relabelling serves
        all places.
    neighbourhoods : "window", "correlation", "random", mapping of name to indices, or list of indices
        With ``size``, ``step``, ``axis`` and ``n_subsets``; see `artiphys.probes.neighbourhoods`. Heads and
        channels are windows of one entry along their axis, convolution maps ``axis=("height", "width"), size=3``.

    Raises
    ------
    InputError, StatisticsError

    Examples
    --------
    >>> x = np.random.default_rng(0).normal(size=(40, 6))
    >>> x[:, 3] += 3 * (np.arange(40) % 2)
    >>> sl = searchlight(x, np.arange(40) % 2, size=2, n_permutations=60)
    >>> sl.score["neighbourhood"].values[(sl.p_corrected < 0.05).values].tolist()
    ['unit 2-3', 'unit 3-4']
    """
    sites = as_sites(activity)
    first = next(iter(sites.values()))
    n_permutations = whole_count("n_permutations", n_permutations)
    check_estimator(estimator)
    seed = whole_seed(seed)
    design = Design.of(first, groups, blocks, exchange, known=(labels, confounds))
    task = Task.of(
        labels, first, estimator, cv, design, seed, scoring=scoring, period=turn_of(circular, period)
    )
    if alphas is None and estimator in (None, "ridge"):
        alphas = (1.0,)
    reader = reader_of(estimator, task.n_classes, task.balanced, alphas, task.period)
    check_offer(reader, task.metric.said)
    targets, test = task.permuted(n_permutations, seed, first)
    work = CrossValidation(task, reader, Crossing(), Confounds.of(confounds, first), np.stack(targets))
    options: dict[str, Any] = {"size": size, "step": step, "axis": axis, "n_subsets": n_subsets, "seed": seed}
    sets = {name: made_neighbourhoods(data, neighbourhoods, **options) for name, data in sites.items()}
    n_places = sum(len(sets[name]) * data.sizes.get("time", 1) for name, data in sites.items())
    with progress_bar("searchlight", total=n_places, unit="place", show=progress) as bar:
        scores = np.concatenate([_at_site(work, data, list(sets[name].values()), bar) for name, data in sites.items()])
    mean = task.metric.over_folds(scores)
    observed, null = mean[:, 0], mean[:, 1:].T  # (place,), (permutation, place)
    coords = _coords(sites, sets)

    def give(a: Array, *before: str) -> xr.DataArray:
        return xr.DataArray(a, dims=(*before, "place"), coords=coords)

    sizes = [float(np.mean([len(fold[part]) for fold in task.folds])) for part in (1, 0)]  # test, train
    return Searchlight(
        give(observed), give(nadeau_bengio(scores[:, 0], *sizes)), task.metric.chance,
        give(p_value(observed, null)) if n_permutations else None,
        give(max_statistic_p_value(observed, null)) if n_permutations else None,
        give(null, "permutation") if n_permutations else None,
        sets, task.metric.name, reader.name, len(task.y), len(task.folds), test, __version__,
    )  # fmt: skip


def _coords(sites: Mapping[str | None, xr.DataArray], sets: Mapping[str | None, Mapping[str, Array]]) -> dict[str, Any]:
    rows = []
    for name, data in sites.items():
        times = times_of(data)
        every = [np.nan] if times is None else times
        rows += [(str(name), t, where) for t in every for where in sets[name]]
    site, time, where = (list(column) for column in zip(*rows))
    coords: dict[str, Any] = {"neighbourhood": ("place", where)}
    if None not in sites:
        coords["site"] = ("place", site)
    if any("time" in data.dims for data in sites.values()):
        coords["time"] = ("place", time)
    return coords


def _at_site(work: CrossValidation, data: xr.DataArray, sets: list[Array], bar: ProgressBar) -> Array:
    """Scores ``(time x neighbourhood, label set, fold)``; neighbourhoods of one size are read together."""
    n_times = 1 if times_of(data) is None else data.sizes["time"]
    out = np.empty((n_times, len(sets), len(work.targets), len(work.task.folds)))
    for start, block in _times(data):
        x = by_time(block)  # (time, trial, unit)
        for size in sorted({len(units) for units in sets}):
            alike = [i for i, units in enumerate(sets) if len(units) == size]
            most = max(1, BLOCK_BYTES // (work.bytes_a_place(x.shape[1], size) * len(x)))
            for first in range(0, len(alike), most):
                some = alike[first : first + most]
                gathered = x[:, :, np.stack([sets[i] for i in some])]  # (time, trial, neighbourhood, unit)
                places = torch.from_numpy(gathered.transpose(0, 2, 1, 3).reshape(-1, x.shape[1], size))
                scores = work.scores(places, _Silent()).values
                out[start : start + len(x), some] = scores[:, 0].reshape(len(x), len(some), *scores.shape[2:])
                bar.update(len(x) * len(some))
    return out.reshape(-1, *out.shape[2:])


def _times(data: xr.DataArray) -> Iterator[tuple[int, xr.DataArray]]:
    """Times that fit in memory together."""
    if "time" not in data.dims:
        yield 0, data
        return
    per_time = 8 * data.size // data.sizes["time"]
    step = max(1, BLOCK_BYTES // (4 * per_time))
    for start in range(0, data.sizes["time"], step):
        yield start, data.isel(time=slice(start, start + step))


class _Silent:
    """A bar that counts places, not folds."""

    def update(self, n: float | None = 1) -> None:
        """Nothing."""
