"""Predictors of counts: categories, numbers by splines, angles by periodic splines, as columns of a design."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr
from sklearn.preprocessing import SplineTransformer

from artiphys.array_types import Array
from artiphys.errors import InputError
from artiphys.probes.data.trial_values import coded, per_trial

MAX_LEVELS = 20  # of a category
N_KNOTS = 5  # of a spline, at quantiles; of a periodic one, at equal distances
N_SHOWN = 50  # values at which the curve of a number is shown
KINDS = ("categorical", "linear", "spline", "circular")


@dataclass(frozen=True)
class Predictor:
    """One predictor.

    Attributes
    ----------
    name, kind : str
    code : ``(trial,)``
        Place of each trial's value among the different ones.
    columns : ``(value, column)``
        Columns of the design for each different value.
    shown : ``(shown value,)``
        Values at which its curve is shown, with their columns in ``shown_columns``.
    """

    name: str
    kind: str
    code: Array
    columns: Array
    shown: Array
    shown_columns: Array

    @classmethod
    def of(cls, name: str, values: Array, kind: str | None, period: float | None) -> Predictor:
        """From one value per trial: floats by splines, text and whole numbers as categories, unless told otherwise.

        Raises
        ------
        InputError
        """
        numeric = values.dtype.kind in "iuf"
        if kind is None:
            kind = "circular" if period is not None else "spline" if values.dtype.kind == "f" else "categorical"
        if kind not in KINDS:
            raise InputError(f"the kind of {name!r} came as {kind!r}; wanted one of {', '.join(KINDS)}")
        if kind != "categorical" and not numeric:
            raise InputError(f"{name!r} holds {values.dtype}; a {kind} predictor must be numbers")
        turn = isinstance(period, (int, float, np.integer, np.floating)) and math.isfinite(period) and period > 0
        if kind == "circular" and not turn:
            raise InputError(f"{name!r} is circular; wanted its period, such as circular={{{name!r}: 360}}")
        labels, code = coded(values)
        if len(labels) < 2:
            raise InputError(f"{name!r} has the single value {labels.tolist()[0]!r}; leave it out")
        if kind == "categorical":
            if len(labels) > MAX_LEVELS:
                raise InputError(
                    f"{name!r} has {len(labels)} values, too many for categories (at most {MAX_LEVELS}); numbers "
                    f"can be given as floats, or kinds={{{name!r}: 'spline'}}"
                )
            # Against the most common value, so that the others' coefficients are defined.
            most = int(np.bincount(code).argmax())
            columns = np.delete(np.eye(len(labels)), most, axis=1)
            return cls(name, kind, code, columns, labels, columns)
        numbers = labels.astype(float)
        if kind == "linear":
            sd = float(values.astype(float).std())
            shown = np.linspace(numbers.min(), numbers.max(), N_SHOWN)
            centre = float(values.astype(float).mean())
            return cls(name, kind, code, (numbers[:, None] - centre) / sd, shown, (shown[:, None] - centre) / sd)
        if len(labels) < N_KNOTS:
            raise InputError(
                f"{name!r} has {len(labels)} different values, too few for a spline ({N_KNOTS} or more); use "
                f"kinds={{{name!r}: 'linear'}} or 'categorical'"
            )
        if kind == "circular":
            assert period is not None
            spline = SplineTransformer(
                knots=np.linspace(0, period, N_KNOTS + 2)[:, None], extrapolation="periodic", include_bias=False
            )
            spline.fit(numbers[:, None] % period)
            shown = np.linspace(0, period, N_SHOWN)
            return cls(name, kind, code, _columns(spline, numbers % period), shown, _columns(spline, shown % period))
        spline = SplineTransformer(n_knots=N_KNOTS, knots="quantile", extrapolation="constant", include_bias=False)
        spline.fit(values.astype(float)[:, None])
        shown = np.linspace(numbers.min(), numbers.max(), N_SHOWN)
        return cls(name, kind, code, _columns(spline, numbers), shown, _columns(spline, shown))

    @property
    def design(self) -> Array:
        """``(trial, column)``."""
        return np.asarray(self.columns[self.code])


def _columns(spline: Any, values: Array) -> Array:
    return np.asarray(spline.transform(values[:, None]))


def predictors_of(
    given: Any, data: xr.DataArray, kinds: Mapping[str, str], circular: Mapping[str, float]
) -> list[Predictor]:
    """From a mapping or table of names to values, or names of conditions.

    Raises
    ------
    InputError
    """
    if isinstance(given, str):
        given = {given: given}
    elif isinstance(given, (list, tuple)) and all(isinstance(g, str) for g in given):
        given = {name: name for name in given}
    elif isinstance(given, pd.DataFrame):
        given = {str(name): given[name] for name in given}
    if not isinstance(given, Mapping) or not given:
        raise InputError(
            f"predictors came as {type(given).__name__}; wanted a mapping of names to one value per trial, a table, or "
            "names of conditions"
        )
    named = {str(name): values for name, values in given.items()}
    strange = (set(kinds) | set(circular)) - set(named)
    if strange:
        raise InputError(f"kinds or circular name {sorted(strange)}; the predictors are {list(named)}")
    if "all" in named:
        raise InputError("a predictor is named 'all', as the whole model is; rename it")
    return [
        Predictor.of(name, per_trial(values, data, name), kinds.get(name), circular.get(name))
        for name, values in named.items()
    ]
