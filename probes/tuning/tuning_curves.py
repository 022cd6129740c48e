"""tuning_curves(): mean activity of every unit for every value of one or two stimuli, with a permutation test."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import xarray as xr

from artiphys.array_types import ActivityLike, Array, TrialValues
from artiphys.border import border
from artiphys.errors import InputError, StatisticsError
from artiphys.probes.data.confounds import Confounds
from artiphys.probes.data.design import Design
from artiphys.probes.data.held_units import HeldUnits
from artiphys.probes.data.pooled_null import Statistic, permuted_p_values, pool_of
from artiphys.probes.data.unit_axes import UnitAxes
from artiphys.probes.data.units import Units
from artiphys.probes.tuning.bumps import Observed
from artiphys.probes.tuning.level_moments import Moments, moments
from artiphys.probes.tuning.maps import curves_of, kernels
from artiphys.probes.tuning.points import cleaned
from artiphys.probes.tuning.result import Tuning
from artiphys.probes.tuning.selectivity import eta_squared
from artiphys.probes.tuning.sign_test import N_CHECKED, draw_signs, sign_p_values, warn_of_doubtful
from artiphys.probes.tuning.stimulus_axes import levels_of
from artiphys.probes.tuning.welch_test import permuted_welch, welch
from artiphys.progress import progress_bar
from artiphys.stats.permutations import PermutationTest, whole_count
from artiphys.stats.seeds import Seed, whole_seed
from artiphys.version import __version__


@border
def tuning_curves(
    activity: ActivityLike,
    stimulus: TrialValues | Mapping[str, TrialValues],
    *,
    circular: bool | Mapping[str, bool] = False,
    period: float | Mapping[str, float] = 2 * math.pi,
    bins: int | Sequence[float] | Mapping[str, Any] | None = None,
    min_occupancy: int = 1,
    smoothing: float | Mapping[str, float] = 0.0,
    groups: TrialValues | None = None,
    n_permutations: int = 0,
    seed: Seed = 0,
    exchange: str | None = None,
    blocks: TrialValues | None = None,
    confounds: TrialValues | None = None,
    reliability: float = 1.0,
    confound_form: str = "linear",
    progress: bool = True,
) -> Tuning:
    """Tuning curves of all units, and of all times and heads where there are such axes.

    Parameters
    ----------
    activity : Recording, DataArray ``(trial, ..., unit)`` or array
        Of a recording of several sites, units are strung along one axis with the coordinates ``site`` and ``index``.
    stimulus : array ``(trial,)`` or str; or a list of two names, or a mapping of two names to values
        A value per trial, or the name of a condition the recording carries. Text is categorical; a number
        with more than 20 values is binned.
    circular : bool, or mapping of name to bool
        The stimulus is an angle with the given ``period``.
    bins : int, or edges of bins ``(bin + 1,)``, or mapping of name to either, optional
        Number of bins (default 8; linear ones hold equal numbers of trials, circular ones equal widths). Edges, such
        as ``np.linspace(0, 100, 21)``, are of linear stimuli.
    min_occupancy : int
        Values, or combinations of two values, that fewer trials show are NaN in curves, and left out of the test and
        of all indices.
    smoothing : float, or mapping of name to float
        Standard deviation of a Gaussian, in bins, over which the curves of numeric stimuli are smoothed: summed
        activity and numbers of trials apart, then divided, as maps of place fields are; round the circle for
        circular stimuli. The test, ``eta_squared``, ``fit()`` and ``marginal()`` are of what was not smoothed.
    groups : array or str, optional
        Trials of one group share a source; the permutation keeps them together. Required for a test where the
        conditions have a column such as ``group`` or ``session``.
    exchange : "trials", "within groups", "shift" or "signs", optional
        As for `decode`; "signs" holds for variances that differ between values as labels exchanged do not: the signs
        of trials' deviations from the mean are drawn anew, and Brown and Forsythe's F* is held against each unit's own
        draws. A warning says where p by exchanged labels may be that of unequal variances.
    blocks : optional
        As for `decode`.
    n_permutations : int
        0 for no test.
    confounds : array ``(trial,)`` or ``(trial, k)``, name or list of names, optional
        Removed from activity by linear regression over all trials: what is left is residual tuning.
    confound_form : "linear", "spline" or "matched"
        As for `decode`.
    reliability : float
        Share of the confound's variance that is no measurement error. A confound measured with error is removed
        only in part, and what it leaves looks like tuning; with its reliability the slope is corrected for that.

    Raises
    ------
    InputError, StatisticsError

    Examples
    --------
    >>> t = tuning_curves(np.array([[0.0, 3.0], [0.0, 3.0], [1.0, 3.0], [1.0, 3.0]]), ["a", "a", "b", "b"])
    >>> t.curves.sel(stimulus="b").values.tolist(), t.selectivity().values.tolist()
    ([1.0, 3.0], [1.0, 0.0])
    """
    units = Units.of(activity)
    levels, widths = levels_of(stimulus, units.first, circular, period, bins, smoothing)
    n_permutations, seed = whole_count("n_permutations", n_permutations), whole_seed(seed)
    least = max(whole_count("min_occupancy", min_occupancy), 1)
    shape = tuple(len(lv.labels) for lv in levels)
    cell = np.ravel_multi_index([lv.of_trial for lv in levels], shape)
    counted = np.bincount(cell, minlength=math.prod(shape))
    visited = counted >= least
    if visited.sum() < 2:
        raise InputError(
            f"{int(visited.sum())} stimulus values have the {least} trials of min_occupancy or more (the most are "
            f"{counted.max()}), and tuning needs at least two; use fewer bins or a smaller min_occupancy"
        )
    removed = Confounds.of(confounds, units.first, reliability, confound_form)
    removed.warn_of_what_is_left(units.first)
    own_groups, design = None, None
    if n_permutations or groups is not None or blocks is not None:
        said = (stimulus.values() if isinstance(stimulus, Mapping) else stimulus, confounds)
        design = Design.of(units.first, groups, blocks, None if exchange == "signs" else exchange, said, removed.alike)
        own_groups = design.of_folds
    rows, plan, by_signs = visited[cell], None, exchange == "signs"
    code = (np.cumsum(visited) - 1)[cell[rows]]  # of the visited cells only
    if n_permutations:
        if (counted[visited] < 2).any():
            raise StatisticsError(
                f"{int((counted[visited] == 1).sum())} stimulus values have fewer than two trials, so that their "
                "variance is unknown; use fewer bins, or min_occupancy=2 to leave them out"
            )
        if design is not None and not by_signs:
            shown = np.flatnonzero(rows)
            plan = design.of_trials(shown).permutations(code)
            design.of_trials(shown).check(code, units.first.isel(trial=shown), plan)
    chosen = (
        pool_of(units, n_permutations) if plan is not None else np.full(units.n_units, by_signs and n_permutations > 0)
    )
    gather = _by_trials if units.on_disk and not removed.any and not by_signs else _by_units
    mean, var, count, nulls = gather(units, cell, len(counted), removed, chosen, progress)
    nulls, n_visited = (block if rows.all() else block[rows] for block in nulls), int(visited.sum())
    p, test = None, PermutationTest(seed=seed)
    if plan is not None:
        checked: list[Array] = []
        observed = welch(mean[visited], var[visited], count[visited])
        kept = _with_first(nulls, checked)
        p_values, test = permuted_p_values(observed, kept, _welch_null(n_visited), plan, n_permutations, seed)
        if plan.scheme == "trials":
            some = np.concatenate(checked, axis=1)
            warn_of_doubtful(some, code, n_visited, p_values[chosen][: some.shape[1]], seed)
        p = units.label(p_values)
    elif by_signs:
        own = None if own_groups is None else own_groups[rows]
        signs, test = draw_signs(len(code), own, n_permutations, seed, "deviations from the mean")
        p = units.label(np.concatenate([sign_p_values(block, code, n_visited, signs) for block in nulls]))
    extra = {"stimulus" if len(levels) == 1 else lv.name: lv.labels for lv in levels}
    cells = Observed(mean.T, var.T, count.T)
    filters = kernels(shape, widths, [lv.kind == "circular" for lv in levels]) if any(widths) else ()
    curves, sems = curves_of(cells, shape, filters, visited)
    labelled, error = units.label(curves, **extra), units.label(sems, **extra)
    labelled.attrs["stimulus"] = stimulus if isinstance(stimulus, str) else " x ".join(lv.name for lv in levels)
    if "units" in units.first.attrs:
        labelled.attrs["units"] = error.attrs["units"] = str(units.first.attrs["units"])
    eta = eta_squared(mean[visited], var[visited], count[visited])
    return Tuning(
        curves=labelled, sem=error, n=xr.DataArray(counted.reshape(shape), dims=tuple(extra), coords=extra),
        p_value=p, eta_squared=units.label(eta), kind=" x ".join(lv.kind for lv in levels),
        period=levels[0].period, test=test, version=__version__,
        levels=levels if len(levels) > 1 else (replace(levels[0], name="stimulus"),), units=HeldUnits(units),
        confounds=f" after {removed.values.shape[1]} confounds were regressed out" if removed.any else "",
        min_occupancy=least, smoothing=widths, cells=cells, filters=filters, axes=UnitAxes.of(units),
        removed=removed, groups=own_groups,
    )  # fmt: skip


def _by_units(
    units: Units, cell: Array, n_levels: int, removed: Confounds, chosen: Array, progress: bool
) -> tuple[Array, Array, Array, Iterator[Array]]:
    """Moments ``(level, unit)``, and the activity of the chosen units, block by block of units."""
    parts = []
    with progress_bar("tuning", total=units.n_units, unit="unit", show=progress) as bar:
        for _, block in units.blocks():
            parts.append(moments(cleaned(block, removed), cell, n_levels))
            bar.update(block.shape[1])
    mean, var, count = (np.concatenate(p, axis=1) for p in zip(*parts))
    again = (cleaned(block, removed)[:, chosen[where]] for where, block in units.blocks() if chosen[where].any())
    return mean, var, count, again


def _by_trials(
    units: Units, cell: Array, n_levels: int, removed: Confounds, chosen: Array, progress: bool
) -> tuple[Array, Array, Array, Iterator[Array]]:
    """The same in one reading of a recording on disk, block by block of trials."""
    gathered = Moments(n_levels, units.n_units)
    place = np.cumsum(chosen) - 1
    activity = np.empty((units.n_trials, int(chosen.sum())))
    total = units.n_trials * len(units.sites)
    with progress_bar("tuning", total=total, unit="trial", show=progress) as bar:
        for rows, where, block in units.trial_blocks():
            gathered.add(block, cell[rows], where)
            here = chosen[where]
            activity[rows, place[where][here]] = block[:, here]
            bar.update(len(block))
    return *gathered.done(), iter([activity] if activity.size else [])


def _welch_null(n_levels: int) -> Statistic:
    return lambda block, labelled: (f for _, f in permuted_welch(block, labelled, n_levels))


def _with_first(blocks: Iterator[Array], kept: list[Array]) -> Iterator[Array]:
    """Blocks as they come; the activity of the first units is kept on the way."""
    for block in blocks:
        room = N_CHECKED - sum(b.shape[1] for b in kept)
        if room > 0 or not kept:
            kept.append(np.array(block[:, : max(room, 0)]))
        yield block
