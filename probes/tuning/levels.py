"""Levels of a stimulus: which values it takes, and which of them each trial shows."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from artiphys.array_types import Array
from artiphys.border import shown
from artiphys.errors import InputError
from artiphys.missing import plain_array
from artiphys.probes.data.angles import check_turn
from artiphys.probes.data.trial_values import N_ROUNDINGS, SINGLE_PRECISION, coded, distinct_numbers

MAX_LEVELS = 20  # a number with more values than this is binned


@dataclass(frozen=True)
class Levels:
    """One stimulus dimension.

    Attributes
    ----------
    name : str
    labels : ``(level,)``
    of_trial : ``(trial,)``
        Index of each trial's level.
    kind : "categorical", "linear" or "circular"
    period : float
    values : ``(trial,)`` or None
        What each trial showed, of which levels are bins; angles from 0 to the period. None of text.
    edges : ``(bin + 1,)`` or None
        Of the bins, where values were binned.
    """

    name: str
    labels: Array
    of_trial: Array
    kind: str
    period: float
    values: Array | None = None
    edges: Array | None = None

    @property
    def binned(self) -> bool:
        """Whether a level holds trials of more than one value."""
        return self.edges is not None

    @classmethod
    def of(cls, name: str, values: Array, circular: bool, period: float, bins: Any, keep_empty: bool = False) -> Levels:
        """From one value per trial; ``keep_empty`` keeps bins that no trial falls into.

        Raises
        ------
        InputError
        """
        numeric = values.dtype.kind in "iuf"
        if circular and not numeric:
            raise InputError("a circular stimulus must be numbers (angles)")
        if circular and not (math.isfinite(period) and period > 0):
            raise InputError(f"period came as {period}; wanted a positive number, in the units of the stimulus")
        if not numeric:
            labels, level = coded(values)
            kind, own, edges = "categorical", None, None
        else:
            kind = "circular" if circular else "linear"
            if circular:
                check_turn(values, period)
            rounding = N_ROUNDINGS * float(np.finfo(values.dtype).eps) if values.dtype.kind == "f" else 0.0
            labels, level, own, edges = _numbers(values.astype(float), circular, period, bins, rounding, keep_empty)
        if len(labels) < 2:
            raise InputError(f"the {name} has the single value {labels.tolist()[0]!r}; tuning needs at least two")
        return cls(name, labels, level, kind, period, own, edges)


def _numbers(
    values: Array, circular: bool, period: float, bins: Any, rounding: float, keep_empty: bool
) -> tuple[Array, Array, Array, Array | None]:
    """Labels, the level and the value of each trial, and the edges of bins."""
    if circular:
        values = values % period
        values = np.where(values > period * (1 - rounding), 0.0, values)  # what rounding puts just below a full turn
    names = np.unique(values)
    apart = np.diff(names) > SINGLE_PRECISION * np.maximum(np.abs(names[1:]), period if circular else 0.0)
    if apart.sum() >= max(MAX_LEVELS, len(values) / 2):  # measured, not set: values that lie near are no slips
        edges = _edges(values, circular, period, bins)
        return _binned(values, values, edges, keep_empty)
    labels, level = distinct_numbers(values, period if circular else 0.0, rounding)
    if circular and len(labels) > 1 and labels[0] + period - labels[-1] <= SINGLE_PRECISION * period:
        level = np.where(level == len(labels) - 1, 0, level)  # on both sides of a full turn
        labels = labels[:-1]
    values = labels[level]
    if bins is None and len(labels) <= MAX_LEVELS:
        return labels, level, values, None
    edges = _edges(values, circular, period, bins)
    # A value that rounding puts just below an edge lies on it.
    nearly = values + rounding * np.maximum(np.abs(values), period if circular else 0.0)
    return _binned(values, nearly, edges, keep_empty)


def _binned(values: Array, nearly: Array, edges: Array, keep_empty: bool) -> tuple[Array, Array, Array, Array]:
    outside = (nearly < edges[0]) | (values > edges[-1])
    if outside.any():
        raise InputError(
            f"{int(outside.sum())} values, such as {values[outside][0]:g}, lie outside the edges of the bins, "
            f"{edges[0]:g} to {edges[-1]:g}; give wider edges or leave these trials out"
        )
    level = np.clip(np.searchsorted(edges, nearly, side="right") - 1, 0, len(edges) - 2)
    if keep_empty:
        return (edges[:-1] + edges[1:]) / 2, level, values, edges
    used, level = np.unique(level, return_inverse=True)
    return ((edges[:-1] + edges[1:]) / 2)[used], level, values, edges


def _edges(values: Array, circular: bool, period: float, bins: Any) -> Array:
    if bins is not None and not isinstance(bins, (int, np.integer)):
        edges = plain_array(bins)
        if edges.ndim != 1 or edges.dtype.kind not in "iuf" or len(edges) < 3 or not np.isfinite(edges).all():
            raise InputError(f"bins came as {shown(bins)}; wanted a whole number, or the edges of two bins or more")
        if (np.diff(edges) <= 0).any():
            raise InputError("the edges of bins must rise; sort them and leave out doubles")
        if circular:
            raise InputError("edges of bins are of linear stimuli; of a circular one give the number of bins")
        return np.asarray(edges, dtype=float)
    n = 8 if bins is None else bins
    if isinstance(n, bool) or n < 2:
        raise InputError(f"bins came as {n!r}; wanted a whole number, at least 2")
    return np.linspace(0, period, n + 1) if circular else np.unique(np.quantile(values, np.linspace(0, 1, n + 1)))
