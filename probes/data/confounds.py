"""Confounds: removed from activity by regression on them, or on splines of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
import xarray as xr
from scipy.stats import f as f_distribution
from sklearn.preprocessing import SplineTransformer
from torch import Tensor

from artiphys.array_types import Array
from artiphys.border import shown
from artiphys.errors import InputError, unknown
from artiphys.missing import plain_array
from artiphys.probes.data.order_in_time import some_features
from artiphys.probes.data.trial_values import per_trial
from artiphys.user_warnings import warn

FORMS = ("linear", "spline", "matched")
N_KNOTS = 5
MATCHED_TRIALS = 6  # of nearly the same confound, between which labels are exchanged
MAX_P = 0.001  # of activity that depends on confounds no more than by a line
MIN_SHARE = 0.02  # of a unit's variance, below which what is left does not matter


@dataclass(frozen=True)
class Confounds:
    """Confounds by trial.

    Attributes
    ----------
    values : ``(trial, confound)``
    reliability : float
        Share of a confound's variance that is not measurement error. Regression on a badly measured confound
        removes too little; slopes are divided by this to remove all of it.
    form : "linear", "spline" or "matched"
        Of each confound's trace in the activity: a straight line, or cubic splines between quantiles (of few values, a
        level for each), which follow any smooth trace at the cost of some degrees of freedom. Or nothing is removed,
        and labels are exchanged between trials of nearly the same confound only, whatever its trace.
    """

    values: Array
    reliability: float = 1.0
    form: str = "linear"

    @classmethod
    def of(cls, columns_given: Any, data: xr.DataArray, reliability: float = 1.0, form: str = "linear") -> Confounds:
        """From arrays or names of conditions; None for none.

        Raises
        ------
        InputError
        """
        if not 0 < reliability <= 1:
            raise InputError(f"reliability came as {reliability!r}; wanted a number above 0, at most 1")
        if form not in FORMS:
            raise InputError(unknown("confound_form", form, FORMS))
        if form != "linear" and reliability < 1:
            raise InputError("reliability corrects the slope of a line; give it with confound_form='linear' only")
        if columns_given is None and (reliability < 1 or form != "linear"):
            raise InputError("reliability and confound_form are of confounds, and none came; give confounds=")
        if columns_given is None:
            return cls(np.empty((data.sizes["trial"], 0)), reliability, form)
        columns: Sequence[Any]
        if isinstance(columns_given, str):
            columns = [columns_given]
        elif isinstance(columns_given, (list, tuple)) and all(isinstance(g, str) for g in columns_given):
            columns = columns_given
        else:
            array = plain_array(columns_given)
            if array.ndim not in (1, 2):
                raise InputError(f"confounds came as {shown(columns_given)}; wanted (trial,) or (trial, confound)")
            columns = [array] if array.ndim == 1 else list(array.T)
        read = [per_trial(c, data, "confounds") for c in columns]
        for column in read:
            if column.dtype.kind not in "biuf":
                raise InputError(
                    f"confounds hold {column.dtype}; wanted numbers (text can be given as 0/1 columns, one per value)"
                )
        if not read:
            raise InputError("confounds hold no column; wanted (trial,), (trial, k) or names of conditions")
        if reliability < 1 and len(read) > 1:
            raise InputError("reliability is of one confound; remove several one after the other, or give 1")
        return cls(np.column_stack(read).astype(float), reliability, form)

    @property
    def any(self) -> bool:
        """Whether any are to be removed."""
        return bool(self.values.shape[1]) and self.form != "matched"

    @property
    def alike(self) -> Array | None:
        """For each trial the stretch of the ordered confound that it lies in, where labels are matched; else None."""
        if self.form != "matched" or not self.values.shape[1]:
            return None
        if self.values.shape[1] > 1:
            raise InputError(
                f"{self.values.shape[1]} confounds came; labels can be matched by one. Give that, or splines"
            )
        _, index, count = np.unique(self.values[:, 0], return_inverse=True, return_counts=True)
        before = np.cumsum(count) - count  # equal values stay together
        return np.asarray((before[index] // MATCHED_TRIALS).astype(int))

    def removed(self, x: Tensor, train: Array) -> Tensor:
        """Activity ``(..., trial, feature)`` without what regression on trials ``train`` predicts of it."""
        if not self.any:
            return x
        c = torch.as_tensor(self._columns(train)).to(x)
        c = c - c[train].mean(dim=0)
        if self.form == "linear" and int(torch.linalg.matrix_rank(c[train])) < c.shape[1]:
            warn("confounds are constant or depend on each other; their span is removed")
        seen = x[..., train, :]
        slope = torch.linalg.pinv(c[train]) @ (seen - seen.mean(dim=-2, keepdim=True))
        left: Tensor = x - c @ slope / self.reliability
        return left

    def _columns(self, train: Array) -> Array:
        """What activity is regressed on; splines are laid through the training trials."""
        if self.form == "linear":
            return self.values
        return np.column_stack([_spline(c, train) for c in self.values.T])

    def warn_of_what_is_left(self, data: xr.DataArray) -> None:
        """Warn where activity depends on confounds by more than a line, which then stays in it.

        Of some units, what a line leaves is regressed on splines (F test, Bonferroni over units).
        """
        if not self.any or self.form != "linear" or self.reliability < 1:
            return
        x = some_features(data)
        if x is None or not x.shape[1]:
            return
        every = np.arange(len(x))
        line = _orthonormal(np.column_stack([np.ones(len(x)), self.values]))
        left = x - line @ (line.T @ x)
        bent = np.column_stack([_spline(c, every) for c in self.values.T])
        bent = _orthonormal(bent - line @ (line.T @ bent))
        df1, df2 = bent.shape[1], len(x) - line.shape[1] - bent.shape[1]
        if not df1 or df2 < 10:
            return
        explained, power = ((bent.T @ left) ** 2).sum(axis=0), (left**2).sum(axis=0)
        told = power > 1e-20 * (x**2).sum(axis=0)
        if not told.any():
            return
        share = explained[told] / power[told]
        p = f_distribution.sf(share / (1 - np.minimum(share, 1 - 1e-12)) * df2 / df1, df1, df2)
        if p.min() * len(p) <= MAX_P and share.max() >= MIN_SHARE:
            warn(
                f"after a straight line of the confounds was removed, activity still depends on them (up to "
                f"{share.max():.0%} of a unit's variance, p {p.min() * len(p):.1g}), so that they may be decoded or "
                "tuned to; pass confound_form='spline'"
            )


def _spline(values: Array, train: Array) -> Array:
    """Columns that together follow any smooth function of one confound."""
    names = np.unique(values[train])
    if len(names) <= N_KNOTS + 1:
        nearest = np.abs(values[:, None] - names).argmin(axis=1)
        return np.asarray((nearest[:, None] == np.arange(1, len(names))).astype(float))
    knots = np.unique(np.quantile(values[train], np.linspace(0, 1, N_KNOTS)))
    basis = SplineTransformer(degree=3, knots=knots[:, None], extrapolation="linear")
    return np.asarray(basis.fit(values[train][:, None]).transform(values[:, None]))


def _orthonormal(columns: Array) -> Array:
    """An orthonormal basis of their span."""
    left, size, _ = np.linalg.svd(columns, full_matrices=False)
    return np.asarray(left[:, size > 1e-9 * max(size.max(initial=0.0), 1e-300)])
