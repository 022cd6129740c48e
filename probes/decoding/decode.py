"""decode(): cross-validated decoding with standard error, chance level and permutation null."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import torch
import xarray as xr

from artiphys.array_types import ActivityLike, Array, TrialValues
from artiphys.border import border
from artiphys.probes.data.activity import BLOCK_BYTES, as_sites, by_time, times_of, windowed
from artiphys.probes.data.angles import turn_of
from artiphys.probes.data.confounds import Confounds
from artiphys.probes.data.design import Design
from artiphys.probes.data.trial_values import per_trial
from artiphys.probes.decoding.control_tasks import control_labels
from artiphys.probes.decoding.cross_validation import CrossValidation
from artiphys.probes.decoding.folds import Splitter
from artiphys.probes.decoding.generalisation import Crossing
from artiphys.probes.decoding.readout import Readout, copied_labels
from artiphys.probes.decoding.result import Decoding
from artiphys.probes.decoding.result_from_scores import result_from_scores
from artiphys.probes.decoding.task import Task
from artiphys.probes.readers.by_name import check_estimator, check_offer, reader_of
from artiphys.progress import Bar, progress_bar
from artiphys.stats.permutations import whole_count
from artiphys.stats.seeds import Seed, whole_seed


@border
def decode(
    activity: ActivityLike,
    labels: TrialValues,
    estimator: Any = None,
    cv: int | Splitter = 5,
    groups: TrialValues | None = None,
    n_permutations: int = 200,
    seed: Seed = 0,
    *,
    alphas: Sequence[float] | None = None,
    across: TrialValues | None = None,
    confounds: TrialValues | None = None,
    reliability: float = 1.0,
    confound_form: str = "linear",
    exchange: str | None = None,
    blocks: TrialValues | None = None,
    scoring: str | None = None,
    circular: bool = False,
    period: float = 2 * math.pi,
    window: int | None = None,
    control: TrialValues | None = None,
    n_controls: int = 20,
    progress: bool = True,
) -> Decoding:
    """Decode a label from activity, cross-validated; at every site and time where there are several.

    Parameters
    ----------
    activity : Recording, DataArray ``(trial[, time], ..., unit)`` or array ``(trial, ..., unit)``
        With a time axis each time is decoded by itself; other axes are features together. Of a recording
        every site is decoded, with the same folds and permutations. What lies on disk is read in parts.
    labels : array ``(trial,)`` or str
        Classes (text, integers, booleans) or, as floats, a number to regress; or a condition's name.
    estimator : "ridge" (default), "lda", "logistic", "poisson" or a scikit-learn estimator
        The named ones scale features within each fold and serve all times and permutations at once. Where
        classes have unequal numbers of trials they treat them as equally likely (ridge: two classes only). "poisson"
        reads counts, of classes, numbers (as of a position) or angles: Bayes' rule with independent Poisson units.
    cv : int or splitter
        Folds; stratified for classes, shuffled by ``seed``, whole groups where there are groups.
    groups : array ``(trial,)`` or ``(trial, column)``, name or list of names, optional
        Trials of one group never lie on both sides of a fold; of several columns, trials that share all. Required
        where the conditions have a column such as ``group`` or ``session``.
    n_permutations : int
        Permutations of the labels, following the design; 0 for none.
    alphas : sequence of float, optional
        Ridge penalties to choose from inside each fold and permutation, by squared error over the other folds.
        A single one is used as it is.
    across : "time", array ``(trial,)`` or a condition's name, optional
        Generalisation: train at each time and test at every other, or train on the trials of each value of a
        condition and test on those of every other. Folds are kept, so that the diagonal is cross-validated too.
    confounds : array ``(trial,)`` or ``(trial, k)``, name or list of names, optional
        Removed from activity by regression fitted on the training part of each fold.
    confound_form : "linear", "spline" or "matched"
        A straight line of each confound, with a warning where activity depends on it otherwise; splines, which
        follow any smooth trace; or nothing is removed and labels are exchanged between trials of nearly the same
        confound only: hold the score against ``null_mean`` then, which is what the confound tells of the label.
    exchange : "trials", "within groups" or "shift", optional
        How labels are exchanged, where the design does not say it. "shift" is for trials in their order in time whose
        labels and activity change slowly: labels are turned round the trials, within each group where there are
        groups; else folds are of neighbours. Said outright, it waves through what is else refused or warned
        of: recurring items, and labels and activity that drift.
    blocks : array ``(trial,)`` or ``(trial, column)``, name or list of names, optional
        Stretches of trials within groups over which labels stay the same, such as the blocks of a run; of several
        columns from the widest to the narrowest. Labels are exchanged between whole blocks of a group. Without
        ``groups`` the widest blocks are also kept together in folds. Numbers may start anew in each group.
    reliability : float
        Share of a confound's variance that is no measurement error, as for `tuning_curves`.
    scoring : str, optional
        Of classes "accuracy", "balanced_accuracy" (the default where classes are unequal), "roc_auc" (or "auc"),
        "matthews_corrcoef" ("mcc"), "neg_log_loss" ("log_loss") or "d_prime"; of numbers "r2" or "correlation".
        AUC and d' look at how sure the reader is and find weak information with fewer trials than accuracy.
    circular, period : bool, float
        Labels are angles, such as ``circular=True, period=360``: they are read through their cosine and sine, and the
        score is the mean cosine of the error. `Decoding.median_error` is in the units of the labels.
    window : int, optional
        Average activity over so many times before it is decoded, at every window of the time axis.
    control : array ``(trial,)`` or str, optional
        Stimulus types for control tasks: each type gets a random label, ``n_controls`` times, and selectivity
        is the score minus the control's (Hewitt & Liang 2019, Designing and Interpreting Probes with Control
        Tasks). Types must recur in training and test parts.
    progress : bool
        Show a bar on long work.

    Raises
    ------
    InputError
        One class only, NaN activity, labels of another length.
    StatisticsError
        Too few trials for the folds, grouped trials without ``groups``, folds that split a group, too few
        distinct permutations, or a column whose values recur and have one label each, such as repeated images.

    Examples
    --------
    >>> x = np.repeat([[0.0, 1.0], [1.0, 0.0]], 10, axis=0) + np.random.default_rng(0).normal(0, 0.1, (20, 2))
    >>> d = decode(x, [0] * 10 + [1] * 10, n_permutations=50)
    >>> float(d.score), d.chance, bool(d.p_value < 0.05)
    (1.0, 0.5, True)
    """
    sites = as_sites(activity)
    if window is not None:
        sites = {name: windowed(data, window) for name, data in sites.items()}
    first = next(iter(sites.values()))
    n_permutations = whole_count("n_permutations", n_permutations)
    n_controls = whole_count("n_controls", n_controls)
    check_estimator(estimator)
    seed = whole_seed(seed)
    removed = Confounds.of(confounds, first, reliability, confound_form)
    removed.warn_of_what_is_left(first)
    design = Design.of(first, groups, blocks, exchange, known=(labels, across, confounds, control), alike=removed.alike)
    task = Task.of(labels, first, estimator, cv, design, seed, scoring=scoring, period=turn_of(circular, period))
    reader = reader_of(estimator, task.n_classes, task.balanced, alphas, task.period)
    check_offer(reader, task.metric.said)
    crossing = Crossing.of(across, first, task)
    targets, test = task.permuted(n_permutations, seed, first)
    if control is not None:
        targets += control_labels(per_trial(control, first, "control"), task, n_controls, seed)
    work = CrossValidation(task, reader, crossing, removed, np.stack(targets))
    parts: dict[str | None, Readout] = {}
    for site, data in sites.items():
        with progress_bar(f"decoding {site or ''}".strip(), show=progress) as bar:
            parts[site] = _at_site(work, data, bar)
    return result_from_scores(
        task, parts, crossing, test, estimator=reader.name, confounded=work.confounds.any, scoring=scoring
    )


def _at_site(work: CrossValidation, data: xr.DataArray, bar: Bar) -> Readout:
    """Decode at every time of one site."""
    times = times_of(data)
    found, patterns = [], []
    blocks = list(_blocks(work, data, times))
    bar.total = len(blocks) * len(work.task.folds)
    for block in blocks:
        x = torch.from_numpy(by_time(block))
        found.append(work.scores(x, bar, fit_all=True))
        patterns.append(work.patterns(x, found[-1].fitted))
    scores, guesses, counts = (np.concatenate([getattr(f, n) for f in found]) for n in ("values", "guesses", "counts"))
    return Readout(
        scores, guesses, counts, [f.fitted for f in found], patterns, times, copied_labels(data.isel(trial=0))
    )


def _blocks(work: CrossValidation, data: xr.DataArray, times: Array | None) -> Iterator[xr.DataArray]:
    """Times that are decoded together, within bounded memory."""
    if times is None:
        yield data
        return
    n, p = data.sizes["trial"], math.prod(data.sizes[d] for d in data.dims if d not in ("trial", "time"))
    step = len(times) if work.crossing.over_time else max(1, BLOCK_BYTES // work.bytes_a_place(n, p))
    for start in range(0, len(times), step):
        yield data.isel(time=slice(start, start + step))
