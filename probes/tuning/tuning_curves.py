"""tuning_curves(): mean activity of every unit for every value of one or two stimuli, with a permutation test."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np
import torch
import xarray as xr

from artiphys.array_types import ActivityLike, Array, TrialValues
from artiphys.border import border, check
from artiphys.errors import InputError, StatisticsError
from artiphys.probes.data.confounds import Confounds
from artiphys.probes.data.design import Design
from artiphys.probes.data.held_units import HeldUnits
from artiphys.probes.data.pooled_null import Statistic, permuted_p_values, pool_of
from artiphys.probes.data.trial_values import per_trial
from artiphys.probes.data.units import Units
from artiphys.probes.tuning.level_moments import Moments, moments
from artiphys.probes.tuning.levels import Levels
from artiphys.probes.tuning.result import Tuning
from artiphys.probes.tuning.selectivity import eta_squared
from artiphys.probes.tuning.welch_test import permuted_welch, welch
from artiphys.progress import progress_bar
from artiphys.stats.permutations import PermutationTest, whole_count
from artiphys.stats.seeds import Seed, whole_seed
from artiphys.version import __version__

Cleaner = Callable[[Array], Array]  # takes confounds out of a block (trial, unit)


@border
def tuning_curves(
    activity: ActivityLike,
    stimulus: TrialValues | Mapping[str, TrialValues],
    *,
    circular: bool | Mapping[str, bool] = False,
    period: float | Mapping[str, float] = 2 * math.pi,
    bins: int | None = None,
    groups: TrialValues | None = None,
    n_permutations: int = 0,
    seed: Seed = 0,
    exchange: str | None = None,
    blocks: TrialValues | None = None,
    confounds: TrialValues | None = None,
    reliability: float = 1.0,
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
    bins : int, optional
        Number of bins (default 8; linear ones hold equal numbers of trials, circular ones equal widths).
    groups : array or str, optional
        Trials of one group share a source; the permutation keeps them together. Required for a test where the
        conditions have a column such as ``group`` or ``session``.
    exchange, blocks : optional
        As for `decode`.
    n_permutations : int
        0 for no test.
    confounds : array ``(trial,)`` or ``(trial, k)``, name or list of names, optional
        Removed from activity by linear regression over all trials: what is left is residual tuning.
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
    levels = _levels(stimulus, units.first, circular, period, bins)
    n_permutations, seed = whole_count("n_permutations", n_permutations), whole_seed(seed)
    shape = tuple(len(lv.labels) for lv in levels)
    cell = np.ravel_multi_index([lv.of_trial for lv in levels], shape)
    counted = np.bincount(cell, minlength=math.prod(shape))
    if (counted == 0).any():
        raise InputError(
            f"{(counted == 0).sum()} of {len(counted)} combinations of the two stimuli were never shown; use fewer bins"
        )
    plan = None
    if n_permutations:
        if (counted < 2).any():
            raise StatisticsError(
                "a stimulus value has fewer than two trials, so its variance is unknown; use fewer bins"
            )
        design = Design.of(units.first, groups, blocks, exchange, known=(_names_of(stimulus), confounds))
        plan = design.permutations(cell)
        design.check(cell, units.first, plan)
    removed = Confounds.of(confounds, units.first, reliability)
    chosen = pool_of(units, n_permutations) if plan is not None else np.zeros(units.n_units, dtype=bool)
    gather = _by_trials if units.on_disk and not removed.any else _by_units
    mean, var, count, nulls = gather(units, cell, len(counted), _cleaner(removed), chosen, progress)
    extra = {"stimulus" if len(levels) == 1 else lv.name: lv.labels for lv in levels}
    p, test = None, PermutationTest(seed=seed)
    if plan is not None:
        statistic = _welch_null(len(counted))
        p_values, test = permuted_p_values(welch(mean, var, count), nulls, statistic, plan, n_permutations, seed)
        p = units.label(p_values)
    curves, sems = mean.T.reshape(-1, *shape), np.sqrt(var / count).T.reshape(-1, *shape)
    labelled = units.label(curves, **extra)
    labelled.attrs["stimulus"] = stimulus if isinstance(stimulus, str) else " x ".join(lv.name for lv in levels)
    return Tuning(
        curves=labelled, sem=units.label(sems, **extra),
        n=xr.DataArray(counted.reshape(shape), dims=tuple(extra), coords=extra),
        p_value=p, eta_squared=units.label(eta_squared(mean, var, count)), kind=" x ".join(lv.kind for lv in levels),
        period=levels[0].period, test=test, version=__version__,
        levels=levels if len(levels) > 1 else (_renamed(levels[0]),), units=HeldUnits(units),
        confounds=f" after {removed.values.shape[1]} confounds were regressed out" if removed.any else "",
    )  # fmt: skip


def _names_of(stimulus: Any) -> Any:
    return list(stimulus.values()) if isinstance(stimulus, Mapping) else stimulus


def _renamed(level: Levels) -> Levels:
    return Levels("stimulus", level.labels, level.of_trial, level.kind, level.period)


def _levels(
    stimulus: Any,
    data: xr.DataArray,
    circular: bool | Mapping[str, bool],
    period: float | Mapping[str, float],
    bins: int | None,
) -> tuple[Levels, ...]:
    named: dict[str, Any]
    if isinstance(stimulus, Mapping):
        named = {str(k): v for k, v in stimulus.items()}
    elif (
        isinstance(stimulus, (list, tuple))
        and len(stimulus) == 2
        and all(isinstance(s, str) for s in stimulus)
        and (data.sizes["trial"] != 2)
    ):
        named = {str(s): s for s in stimulus}
    else:
        named = {"stimulus": stimulus}
    if len(named) > 2:
        raise InputError(f"{len(named)} stimuli came ({', '.join(named)}); wanted one or two")

    def option(value: Any, name: str, default: Any) -> Any:
        return value.get(name, default) if isinstance(value, Mapping) else value

    for value in (circular, period):
        strange = set(value) - set(named) if isinstance(value, Mapping) else set()
        if strange:
            raise InputError(f"circular or period names {sorted(strange)}; the stimuli are {list(named)}")
    clash = set(named) & {str(d) for d in data.dims} if len(named) == 2 else set()
    if clash:
        raise InputError(f"a stimulus is named {sorted(clash)[0]!r}, as an axis of the activity; rename it")
    return tuple(
        Levels.of(
            n, per_trial(v, data, n), _flag(option(circular, n, False)), _turn(option(period, n, 2 * math.pi)), bins
        )
        for n, v in named.items()
    )


def _flag(circular: Any) -> bool:
    check("circular", circular, bool)
    return bool(circular)


def _turn(period: Any) -> float:
    check("period", period, float)
    return float(period)


def _cleaner(removed: Confounds) -> Cleaner:
    """A function that takes confounds out of a block ``(trial, unit)``."""

    def clean(block: Array) -> Array:
        if not removed.any:
            return block
        if np.isnan(block).any():
            raise InputError("confounds cannot be removed from padded activity; choose times that all trials have")
        return np.asarray(removed.removed(torch.from_numpy(block), np.arange(len(block))).numpy())

    return clean


def _by_units(
    units: Units, cell: Array, n_levels: int, clean: Cleaner, chosen: Array, progress: bool
) -> tuple[Array, Array, Array, Iterator[Array]]:
    """Moments ``(level, unit)``, and the activity of the chosen units, block by block of units."""
    parts = []
    with progress_bar("tuning", total=units.n_units, unit="unit", show=progress) as bar:
        for _, block in units.blocks():
            parts.append(moments(clean(block), cell, n_levels))
            bar.update(block.shape[1])
    mean, var, count = (np.concatenate(p, axis=1) for p in zip(*parts))
    again = (clean(block)[:, chosen[where]] for where, block in units.blocks() if chosen[where].any())
    return mean, var, count, again


def _by_trials(
    units: Units, cell: Array, n_levels: int, clean: Cleaner, chosen: Array, progress: bool
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
