"""Tuning curves: mean activity of every unit for every value of a stimulus."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from artiphys.errors import InputError, StatisticsError
from artiphys.probes.activity import as_activity, per_trial
from artiphys.stats import Permutations, Seed, false_discovery, p_value, pooled_p_value, span
from artiphys.version import __version__

Array = np.ndarray[Any, Any]
MAX_LEVELS = 20  # a number with more values than this is binned
POOL_FROM = 20  # units; with fewer, each is held against its own permutations only


@dataclass(frozen=True)
class Tuning:
    """Tuning of every unit.

    Attributes
    ----------
    curves, sem : DataArray ``(..., unit, stimulus)``
        Mean activity and its standard error over trials, in the site's own units.
    n : DataArray ``(stimulus,)``
        Trials behind each value.
    p_value : DataArray ``(..., unit)`` or None
        Permutation p of Welch's F; None without permutations. From 20 units on the null is pooled over
        units: F is studentised, so that units share it, and p can be small enough for many tests.
    eta_squared : DataArray ``(..., unit)``
    kind : "categorical", "linear" or "circular"
    """

    curves: xr.DataArray
    sem: xr.DataArray
    n: xr.DataArray
    p_value: xr.DataArray | None
    eta_squared: xr.DataArray
    kind: str
    period: float
    n_permutations: int
    scheme: str
    seed: Any
    version: str

    def preferred(self) -> xr.DataArray:
        """Preferred stimulus of each unit.

        The value of the highest mean; for circular stimuli the phase of a cosine fitted to the curve.
        Constant units have none: NaN.
        """
        flat = (self.curves.max("stimulus") == self.curves.min("stimulus")).to_numpy()
        if self.kind == "circular":
            angle = self.curves["stimulus"].to_numpy() * (2 * math.pi / self.period)
            design = np.column_stack([np.ones_like(angle), np.cos(angle), np.sin(angle)])
            values = self.curves.to_numpy()
            fit = np.linalg.lstsq(design, values.reshape(-1, len(angle)).T, rcond=None)[0]
            phase = np.arctan2(fit[2], fit[1]) % (2 * math.pi) * (self.period / (2 * math.pi))
            best = phase.reshape(values.shape[:-1])
        else:
            best = self.curves["stimulus"].to_numpy()[self.curves.argmax("stimulus").to_numpy()]
        chosen = np.where(flat, np.nan, best if best.dtype.kind in "iuf" else best.astype(object))
        return xr.DataArray(chosen, dims=self.curves.dims[:-1])

    def selectivity(self) -> xr.DataArray:
        """Eta squared, 0 to 1: the share of a unit's variance over trials that the stimulus explains.

        Biased upwards with few trials a value; compare it with its permutation p.
        """
        return self.eta_squared

    def to_dataframe(self) -> pd.DataFrame:
        """One row a unit: preferred value, selectivity, p and FDR-adjusted p."""
        table = pd.DataFrame(
            {
                "preferred": self.preferred().to_numpy().ravel(),
                "selectivity": self.eta_squared.to_numpy().ravel(),
            }
        )
        if self.p_value is not None:
            table["p"] = self.p_value.to_numpy().ravel()
            table["p_fdr"] = false_discovery(self.p_value.to_numpy()).ravel()
        return table

    def methods_text(self) -> str:
        """A paragraph fit for a methods section."""
        test = (
            f" Tuning was tested by permuting the stimulus {self.n_permutations} times ({self.scheme}; Welch's F)."
            if self.n_permutations
            else ""
        )
        trials = span(self.n.min(), self.n.max())
        return (
            f"Tuning curves are mean activity at {len(self.n)} {self.kind} stimulus values ({trials} trials each), "
            "with the standard error over trials; selectivity is eta squared."
            f"{test} (artiphys {self.version})"
        )


def tuning_curves(
    activity: Any,
    stimulus: Any,
    *,
    circular: bool = False,
    period: float = 2 * math.pi,
    bins: int | None = None,
    groups: Any = None,
    n_permutations: int = 0,
    seed: Seed = None,
) -> Tuning:
    """Tuning curves of all units, and of all times and heads where there are such axes.

    Parameters
    ----------
    activity : DataArray ``(trial, ..., unit)`` or array
    stimulus : array ``(trial,)`` or str
        A value a trial, or the name of a condition the recording carries. Text is categorical; a number
        with more than 20 values is binned.
    circular : bool
        The stimulus is an angle with the given ``period``.
    bins : int, optional
        Number of bins (default 8; linear ones hold equal numbers of trials, circular ones equal widths).
    groups : array or str, optional
        Trials of one group share a source; the permutation keeps them together.
    n_permutations : int
        0 for no test.

    Raises
    ------
    InputError, StatisticsError

    Examples
    --------
    >>> t = tuning_curves(np.array([[0.0, 3.0], [0.0, 3.0], [1.0, 3.0], [1.0, 3.0]]), ["a", "a", "b", "b"])
    >>> t.curves.sel(stimulus="b").values.tolist(), t.selectivity().values.tolist()
    ([1.0, 3.0], [1.0, 0.0])
    """
    data = as_activity(activity)
    values = per_trial(stimulus, data, "stimulus")
    if circular and not period > 0:
        raise InputError(f"period came as {period}; wanted a positive number, in the units of the stimulus")
    if n_permutations < 0:
        raise InputError(f"n_permutations came as {n_permutations}; wanted 0 or more")
    level, labels, kind = _levels(values, circular, period, bins)
    if len(labels) < 2:
        raise InputError(f"the stimulus has the single value {labels[0]!r}; tuning needs at least two")
    flat = data.to_numpy().reshape(len(values), -1)
    mean, var, count = _moments(flat, level, len(labels))
    shape = data.shape[1:]
    dims = (*(str(d) for d in data.dims[1:]), "stimulus")
    coords: dict[str, Any] = {str(d): data[d].to_numpy() for d in data.dims[1:] if d in data.coords}
    coords["stimulus"] = labels

    def give(a: Array) -> xr.DataArray:
        return xr.DataArray(a.T.reshape(*shape, len(labels)), dims=dims, coords=coords)

    def unit(a: Array) -> xr.DataArray:
        return xr.DataArray(a.reshape(shape), dims=dims[:-1])

    with np.errstate(invalid="ignore", divide="ignore"):
        sem = np.sqrt(var / count)
    p, scheme = None, ""
    if n_permutations:
        if (count < 2).any():
            raise StatisticsError(
                "a stimulus value has fewer than two trials, so its variance is unknown; use fewer bins"
            )
        plan = Permutations.of(level, None if groups is None else per_trial(groups, data, "groups"))
        observed = _welch(mean, var, count)
        null = np.stack([_welch(*_moments(flat, new, len(labels))) for new in plan.draw(n_permutations, seed)])
        pooled = null.shape[1] >= POOL_FROM
        p = unit(pooled_p_value(observed, null) if pooled else p_value(observed, null))
        scheme = plan.scheme + (f"; null pooled over {null.shape[1]} units" if pooled else "")
    return Tuning(
        curves=give(mean), sem=give(sem), n=xr.DataArray(np.bincount(level), dims=("stimulus",)),
        p_value=p, eta_squared=unit(_eta_squared(mean, var, count)), kind=kind, period=period,
        n_permutations=n_permutations, scheme=scheme, seed=seed, version=__version__,
    )  # fmt: skip


def _levels(values: Array, circular: bool, period: float, bins: int | None) -> tuple[Array, Array, str]:
    """Which level each trial belongs to, and the levels' labels."""
    numeric = values.dtype.kind in "iuf"
    if circular and not numeric:
        raise InputError("a circular stimulus must be numbers (angles)")
    if not numeric:
        labels, level = np.unique(values.astype(str) if values.dtype == object else values, return_inverse=True)
        return level, labels, "categorical"
    values = values.astype(float) % period if circular else values.astype(float)
    kind = "circular" if circular else "linear"
    labels, level = np.unique(values, return_inverse=True)
    if bins is None and len(labels) <= MAX_LEVELS:
        return level, labels, kind
    n = 8 if bins is None else bins
    if n < 2:
        raise InputError(f"bins came as {n}; wanted at least 2")
    edges = np.linspace(0, period, n + 1) if circular else np.unique(np.quantile(values, np.linspace(0, 1, n + 1)))
    level = np.clip(np.searchsorted(edges, values, side="right") - 1, 0, len(edges) - 2)
    used, level = np.unique(level, return_inverse=True)
    return level, ((edges[:-1] + edges[1:]) / 2)[used], kind


def _moments(flat: Array, level: Array, n: int) -> tuple[Array, Array, Array]:
    """Mean, variance and count ``(level, unit)``; padding (NaN) is left out."""
    member = np.zeros((n, len(level)))
    member[level, np.arange(len(level))] = 1
    known = ~np.isnan(flat)
    count = member @ known
    # Centred first: a variance from raw squares loses all digits where the mean is large.
    centre = np.nan_to_num(np.nansum(flat, axis=0) / np.maximum(known.sum(axis=0), 1))
    moved = np.where(known, flat - centre, 0.0)
    with np.errstate(invalid="ignore", divide="ignore"):
        mean = (member @ moved) / count
        var = np.maximum(member @ moved**2 - count * mean**2, 0.0) / (count - 1)
    var[var < 1e-24 * (1 + mean**2)] = 0.0
    return mean + centre, var, count


def _eta_squared(mean: Array, var: Array, count: Array) -> Array:
    grand = np.nansum(count * mean, axis=0) / count.sum(axis=0)
    between = np.nansum(count * (mean - grand) ** 2, axis=0)
    within = np.nansum(np.where(count > 1, var * (count - 1), 0.0), axis=0)
    total = between + within
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(total > 1e-20 * (1 + grand**2), between / total, 0.0)


def _welch(mean: Array, var: Array, count: Array) -> Array:
    """Welch's F: studentised, so that unequal n and variance do not make false positives.

    Reference: Welch 1951, On the comparison of several mean values.
    """
    k = len(mean)
    with np.errstate(invalid="ignore", divide="ignore"):
        weight = count / var
        total = weight.sum(axis=0)
        centre = (weight * mean).sum(axis=0) / total
        spread = (weight * (mean - centre) ** 2).sum(axis=0) / (k - 1)
        tail = ((1 - weight / total) ** 2 / (count - 1)).sum(axis=0)
        f = spread / (1 + 2 * (k - 2) / (k**2 - 1) * tail)
    silent = (var == 0).any(axis=0)  # noiseless: any difference is infinite, none is 0
    differs = mean.max(axis=0) - mean.min(axis=0) > 1e-12 * (1 + np.abs(mean).max(axis=0))
    return np.where(silent, np.where(differs, np.inf, 0.0), f)
