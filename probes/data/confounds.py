"""Confounds: removed from activity by linear regression."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
import xarray as xr
from torch import Tensor

from artiphys.array_types import Array
from artiphys.border import shown
from artiphys.errors import InputError
from artiphys.missing import plain_array
from artiphys.probes.data.trial_values import per_trial
from artiphys.user_warnings import warn


@dataclass(frozen=True)
class Confounds:
    """Confounds by trial.

    Attributes
    ----------
    values : ``(trial, confound)``
    reliability : float
        Share of a confound's variance that is not measurement error. Regression on a badly measured confound
        removes too little; slopes are divided by this to remove all of it.
    """

    values: Array
    reliability: float = 1.0

    @classmethod
    def of(cls, columns_given: Any, data: xr.DataArray, reliability: float = 1.0) -> Confounds:
        """From arrays or names of conditions; None for none.

        Raises
        ------
        InputError
        """
        if not 0 < reliability <= 1:
            raise InputError(f"reliability came as {reliability!r}; wanted a number above 0, at most 1")
        if columns_given is None:
            return cls(np.empty((data.sizes["trial"], 0)), reliability)
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
        return cls(np.column_stack(read).astype(float), reliability)

    @property
    def any(self) -> bool:
        """Whether there are any."""
        return bool(self.values.shape[1])

    def removed(self, x: Tensor, train: Array) -> Tensor:
        """Activity ``(..., trial, feature)`` without what regression on trials ``train`` predicts of it."""
        if not self.any:
            return x
        c = torch.as_tensor(self.values).to(x)
        c = c - c[train].mean(dim=0)
        if int(torch.linalg.matrix_rank(c[train])) < c.shape[1]:
            warn("confounds are constant or depend on each other; their span is removed")
        seen = x[..., train, :]
        slope = torch.linalg.pinv(c[train]) @ (seen - seen.mean(dim=-2, keepdim=True))
        left: Tensor = x - c @ slope / self.reliability
        return left
