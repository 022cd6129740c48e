"""Types of arrays that many modules share, and what users may give for them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol, Union

import numpy as np
import pandas as pd
import xarray as xr
from torch import Tensor

# Not numpy's own alias: from 2.5 on, checkers of shapes do not look behind it.
Array = np.ndarray[Any, np.dtype[Any]]

# A recording or another mapping of sites, or one array (trial, ..., unit) in any form.
ActivityLike = Mapping[str, xr.DataArray] | xr.DataArray | pd.DataFrame | Array | Tensor | Sequence[Sequence[float]]

# One value per trial, or the name of a condition that the activity carries.
TrialValues = Union[str, Array, Tensor, xr.DataArray, "pd.Series[Any]", Sequence[Any]]


class ProgressBar(Protocol):
    """What is asked of a bar of tqdm."""

    def update(self, n: float | None = 1) -> object:
        """``n`` steps further."""
