"""detectability(): d' and AUC of every unit for two conditions, with a studentised permutation test."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import xarray as xr

from artiphys.array_types import ActivityLike, Array, TrialValues
from artiphys.border import border, shown
from artiphys.errors import InputError, StatisticsError, unknown
from artiphys.probes.data.design import Design
from artiphys.probes.data.held_units import HeldUnits
from artiphys.probes.data.pooled_null import Statistic, permuted_p_values, pool_of
from artiphys.probes.data.trial_values import coded, per_trial
from artiphys.probes.data.unit_axes import UnitAxes
from artiphys.probes.data.units import Units
from artiphys.probes.detection.result import Detection
from artiphys.probes.detection.roc import auc, auc_chunks
from artiphys.progress import progress_bar
from artiphys.stats.permutations import Permutations, PermutationTest, whole_count
from artiphys.stats.seeds import Seed, whole_seed
from artiphys.user_warnings import warn
from artiphys.version import __version__


@border
def detectability(
    activity: ActivityLike,
    labels: TrialValues,
    *,
    signal: Any = None,
    within: TrialValues | None = None,
    groups: TrialValues | None = None,
    exchange: str | None = None,
    blocks: TrialValues | None = None,
    n_permutations: int = 200,
    seed: Seed = 0,
    progress: bool = True,
) -> Detection:
    """d', AUC and their intervals of every unit, for two conditions.

    Parameters
    ----------
    activity : Recording, DataArray ``(trial, ..., unit)`` or array
    labels : array ``(trial,)`` or str
        Two conditions; or the two choices, with ``within`` the stimulus, for choice probability.
    signal : optional
        Which condition is the signal; the later in order by default (1 of 0 and 1).
    within : array ``(trial,)`` or str, optional
        Compare trials of the same value only, and permute within it. Pooling over stimuli would turn every unit
        tuned to the stimulus into one that seems to predict the choice.
    groups : array or str, optional
        Trials of one group share a source; the permutation keeps them together.
    exchange, blocks : optional
        As for `decode`. With ``within`` labels are exchanged between trials of one stimulus and one group.

    Raises
    ------
    InputError, StatisticsError

    Examples
    --------
    >>> x = np.array([[0.0, 2], [1, 2], [2, 1], [1, 2], [2, 3], [3, 1]])
    >>> detectability(x, [0, 0, 0, 1, 1, 1], n_permutations=0).auc.values.round(2).tolist()
    [0.78, 0.61]
    """
    units = Units.of(activity)
    seed = whole_seed(seed)
    y, noise_name, signal_name = _two(per_trial(labels, units.first, "labels"), signal)
    n_permutations = whole_count("n_permutations", n_permutations)
    strata = _strata(y, None if within is None else per_trial(within, units.first, "within"))
    used = np.sort(np.concatenate(strata))
    rows = []
    with progress_bar("detection", total=units.n_units, unit="unit", show=progress) as bar:
        for _, x in units.blocks():
            if np.isnan(x).any():
                raise InputError("activity is padded; choose times that all trials have")
            area, var = auc(x, y[None], strata)
            rows.append((*_d_prime(x, y, strata), area[0], np.sqrt(var[0])))
            bar.update(x.shape[1])
    d, d_error, d_a, d_a_error, area, area_error = (np.concatenate(r) for r in zip(*rows))
    p, test = None, PermutationTest(seed=seed)
    if n_permutations:
        design = Design.of(units.first, groups, blocks, exchange, known=(labels, within))
        plan = _plan(y, units.first, strata, used, design)
        chosen = pool_of(units, n_permutations)
        activities = (x[:, chosen[place]] for place, x in units.blocks() if chosen[place].any())
        statistic = _auc_null(used, strata, units.n_trials)
        observed = studentised(area, area_error)
        p_values, test = permuted_p_values(observed, activities, statistic, plan, n_permutations, seed)
        p = units.label(p_values)
    stderr = {"d_prime": units.label(d_error), "d_a": units.label(d_a_error), "auc": units.label(area_error)}
    return Detection(
        units.label(d), units.label(d_a), units.label(area), p, xr.Dataset(stderr), signal_name, noise_name,
        int((y[used] == 1).sum()), int((y[used] == 0).sum()), len(strata), test, __version__,
        np.where(np.isin(np.arange(len(y)), used), y, -1), HeldUnits(units),
        UnitAxes.of(units),
    )  # fmt: skip


def _plan(y: Array, data: xr.DataArray, strata: list[Array], used: Array, design: Design) -> Permutations:
    """How the labels of the trials used may be exchanged: within strata where there are several."""
    if len(strata) > 1 and design.exchange == "shift":
        raise StatisticsError(
            "within and exchange='shift' came together, and turning labels among the trials of one stimulus leaves "
            "what drifts in them. Give groups= of neighbouring trials with within"
        )
    data = data.isel(trial=used)
    design = design.of_trials(used)
    if len(strata) > 1:
        stratum = np.zeros(len(y), dtype=int)
        for i, rows in enumerate(strata):
            stratum[rows] = i
        design = design.within(stratum[used])
    plan = design.permutations(y[used])
    design.check(y[used], data, plan)
    return plan


def studentised(area: Array, error: Array) -> Array:
    """AUC - .5 over its standard error, absolute; infinite where separation is perfect."""
    away = np.abs(area - 0.5)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(np.where(error > 1e-12, away / error, np.where(away > 1e-12, np.inf, 0.0)))


def _two(labels: Array, signal: Any) -> tuple[Array, str, str]:
    names, y = coded(labels)
    if len(names) != 2:
        raise InputError(f"labels hold {len(names)} values; wanted two, such as signal and noise")
    if signal is not None:
        several = hasattr(signal, "__len__") and not isinstance(signal, (str, bytes))
        if several or signal not in names.tolist():
            raise InputError(unknown("condition", shown(signal) if several else signal, [str(n) for n in names]))
        y = (names[y] == signal).astype(np.int64)
        names = names if names[1] == signal else names[::-1]
    if np.bincount(y, minlength=2).min() < 2:
        raise StatisticsError(f"a condition has a single trial; wanted at least two of each of {names.tolist()}")
    return y, str(names[0]), str(names[1])


def _strata(y: Array, within: Array | None) -> list[Array]:
    if within is None:
        return [np.arange(len(y))]
    names, stimulus = coded(within)
    every = [np.flatnonzero(stimulus == v) for v in range(len(names))]
    good = [rows for rows in every if np.bincount(y[rows], minlength=2).min() >= 2]
    if not good:
        raise StatisticsError("no stimulus has two trials of each choice, so none can be compared within a stimulus")
    if len(good) < len(every):
        warn(
            f"{len(every) - len(good)} of {len(every)} stimuli have fewer than two trials of a choice and are left out"
        )
    return good


def _d_prime(x: Array, y: Array, strata: list[Array]) -> tuple[Array, Array, Array, Array]:
    """d', its standard error, d_a and its standard error, averaged over strata as AUC is."""
    total = 0.0
    sums = np.zeros((3, x.shape[1]))  # difference, and the variances of signal and noise
    for rows in strata:
        one, none = x[rows][y[rows] == 1], x[rows][y[rows] == 0]
        weight = len(one) * len(none) / len(rows)
        apart = one.mean(axis=0) - none.mean(axis=0)
        sums += weight * np.stack([apart, one.var(axis=0, ddof=1), none.var(axis=0, ddof=1)])
        total += weight
    difference, var1, var0 = sums / total
    used = np.concatenate(strata)
    n1, n0, k = int((y[used] == 1).sum()), int((y[used] == 0).sum()), len(strata)
    df1, df0 = n1 - k, n0 - k
    pooled = (df1 * var1 + df0 * var0) / (df1 + df0)
    mixed = (var1 + var0) / 2
    spread = var1 / n1 + var0 / n0
    with np.errstate(invalid="ignore", divide="ignore"):
        d, d_a = difference / np.sqrt(pooled), difference / np.sqrt(mixed)
        # Relative variances, whose squares cannot overflow.
        share1, share0, mixed1, mixed0 = var1 / pooled, var0 / pooled, var1 / mixed, var0 / mixed
        of_pooled = (2 * df1 * share1**2 + 2 * df0 * share0**2) / (df1 + df0) ** 2
        of_mixed = (2 * mixed1**2 / df1 + 2 * mixed0**2 / df0) / 4
        error = np.sqrt(spread / pooled + d**2 * of_pooled / 4)
        error_a = np.sqrt(spread / mixed + d_a**2 * of_mixed / 4)
    still = (pooled == 0) & (difference == 0)  # constant units
    return np.where(still, 0.0, d), error, np.where(still, 0.0, d_a), error_a


def _auc_null(used: Array, strata: list[Array], n_trials: int) -> Statistic:
    """The studentised AUC of a block under labellings ``(permutation, used trial)``."""

    def null(block: Array, labelled: Array) -> Iterator[Array]:
        drawn = np.zeros((len(labelled), n_trials), dtype=np.int64)
        drawn[:, used] = labelled
        return (studentised(area, np.sqrt(var)) for _, area, var in auc_chunks(block, drawn, strata))

    return null
