"""searchlight(): cross-validated decoding at every neighbourhood of units, corrected for their number."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import xarray as xr

from artiphys.array_types import ActivityLike, Array, TrialValues
from artiphys.border import border
from artiphys.errors import InputError, StatisticsError
from artiphys.probes.data.activity import as_sites
from artiphys.probes.data.angles import turn_of
from artiphys.probes.data.confounds import Confounds
from artiphys.probes.data.design import Design
from artiphys.probes.decoding.cross_validation import CrossValidation
from artiphys.probes.decoding.folds import Splitter
from artiphys.probes.decoding.generalisation import Crossing
from artiphys.probes.decoding.hit_rates import trials_worth
from artiphys.probes.decoding.task import Task
from artiphys.probes.readers.by_name import check_estimator, check_offer, reader_of
from artiphys.probes.searchlights.neighbourhoods import neighbourhoods as made_neighbourhoods
from artiphys.probes.searchlights.places import Places
from artiphys.probes.searchlights.result import Searchlight
from artiphys.probes.searchlights.undecided import settled
from artiphys.progress import Bar, progress_bar
from artiphys.stats.intervals import nadeau_bengio
from artiphys.stats.p_values import max_statistic_p_value, p_value
from artiphys.stats.permutations import PermutationTest, whole_count
from artiphys.stats.seeds import Seed, whole_seed
from artiphys.version import __version__

MORE_PERMUTATIONS = 10  # times as many at most, where so many decide nothing


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
    coordinates: Any = None,
    radius: float | None = None,
    max_permutations: int | None = None,
    alphas: Sequence[float] | None = None,
    confounds: TrialValues | None = None,
    reliability: float = 1.0,
    confound_form: str = "linear",
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
    labels, estimator, cv, groups, n_permutations, seed : as for `decode`
    confounds, reliability, confound_form, exchange, blocks, scoring, circular, period : as for
        `decode`
        The ridge readout takes penalty 1 unless ``alphas`` gives others to choose from. One relabelling serves
        all places.
    neighbourhoods : "window", "correlation", "random", "sphere", mapping of name to indices, or list of indices
        With ``size``, ``step``, ``axis`` and ``n_subsets``, or ``coordinates`` and ``radius`` of spheres; see
        `artiphys.probes.neighbourhoods`. Heads and channels are windows of one entry along their axis, convolution
        maps ``axis=("height", "width"), size=3``, voxels ``"sphere", coordinates=xyz, radius=2.5``.
    max_permutations : int, optional
        More permutations are drawn, up to this number (default ten times ``n_permutations``), as long as so many
        places have a p near .05 that chance would decide which of them are significant.

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
    most = None if max_permutations is None else whole_count("max_permutations", max_permutations)
    if most is not None and most < n_permutations:
        raise InputError(f"max_permutations came as {most}, fewer than n_permutations ({n_permutations})")
    check_estimator(estimator)
    seed = whole_seed(seed)
    removed = Confounds.of(confounds, first, reliability, confound_form)
    removed.warn_of_what_is_left(first)
    design = Design.of(first, groups, blocks, exchange, known=(labels, confounds), alike=removed.alike)
    task = Task.of(labels, first, estimator, cv, design, seed, scoring=scoring, period=turn_of(circular, period))
    if alphas is None and estimator in (None, "ridge"):
        alphas = (1.0,)
    reader = reader_of(estimator, task.n_classes, task.balanced, alphas, task.period)
    check_offer(reader, task.metric.said)
    options: dict[str, Any] = {"size": size, "step": step, "axis": axis, "n_subsets": n_subsets, "seed": seed}
    options |= {"coordinates": coordinates, "radius": radius}
    places = Places(sites, {name: made_neighbourhoods(data, neighbourhoods, **options) for name, data in sites.items()})
    targets, test = task.permuted(n_permutations, seed, first)
    work = CrossValidation(task, reader, Crossing(), removed, np.stack(targets))
    with progress_bar("searchlight", total=len(places), unit="place", show=progress) as bar:
        scores, guesses = places.read(work, bar)
        mean = task.metric.over_folds(scores)
        observed, null = mean[:, 0], mean[:, 1:].T  # (place,), (permutation, place)
        if n_permutations:
            null, test = _settled(places, work, observed, null, test, most, bar)
    coords = places.coords()

    def give(a: Array, *before: str) -> xr.DataArray:
        return xr.DataArray(a, dims=(*before, "place"), coords=coords)

    if np.isnan(scores[:, 0]).any():
        raise StatisticsError(
            f"{task.metric.name} is not defined in some fold: a class is lacking there; use fewer folds"
        )
    sizes = [float(np.mean([len(fold[part]) for fold in task.folds])) for part in (1, 0)]  # test, train
    return Searchlight(
        give(observed), give(nadeau_bengio(scores[:, 0], *sizes)), task.metric.chance,
        give(p_value(observed, null)) if n_permutations else None,
        give(max_statistic_p_value(observed, null)) if n_permutations else None,
        give(null, "permutation") if n_permutations else None,
        places.sets, task.metric.name, reader.name, len(task.y), len(task.folds), test, __version__,
        give(trials_worth(task, scores[:, 0], guesses)) if task.metric.proportion else None,
    )  # fmt: skip


def _settled(
    places: Places,
    work: CrossValidation,
    observed: Array,
    null: Array,
    test: PermutationTest,
    most: int | None,
    bar: Bar,
) -> tuple[Array, PermutationTest]:
    """The null and its test, with more permutations as long as these would change which places are significant."""
    n = test.n_permutations
    plan = work.task.design.permutations(work.task.y, work.task.strata)
    most = plan.n_drawn(MORE_PERMUTATIONS * n if most is None else most)
    drawn = plan.draw(most, test.seed)
    if most < plan.n_distinct - 1:
        drawn = itertools.islice(drawn, n, None)
    while len(null) < most and not settled(max_statistic_p_value(observed, null), len(null)):
        every = most == plan.n_distinct - 1  # each relabelling once, so that those drawn before are among them
        some = list(drawn if every else itertools.islice(drawn, len(null)))
        bar.total = (bar.total or 0) + len(places)
        scores, _ = places.read(replace(work, targets=np.stack(some)), bar)
        more = work.task.metric.over_folds(scores).T
        null = more if every else np.concatenate([null, more])
    symmetric = work.task.classes is not None
    return null, plan.test(len(null), test.seed, symmetric=symmetric)
