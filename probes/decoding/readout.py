"""Readout: scores and predictions at one site, and the readers that were fitted there."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr
from torch import Tensor

from artiphys.array_types import Array
from artiphys.probes.readers.linear import Linear
from artiphys.probes.readers.protocol import Fitted


@dataclass(frozen=True)
class Readout:
    """Scores, predictions and fitted readers at one site, places being its times.

    Attributes
    ----------
    scores : ``(place, variant, label set, fold)``
    guesses : ``(place, trial)``
    counts : ``(place, true, guessed)``
    fitted : list
        Readers fitted on all trials, one a block of places.
    patterns : list of ``(place, feature, column)`` or None
    times : ``(place,)`` or None
    trial : DataArray
        Axes and labels of one trial's activity, without its values.
    """

    scores: Array
    guesses: Array
    counts: Array
    fitted: list[Fitted]
    patterns: list[Tensor | None]
    times: Array | None
    trial: xr.DataArray

    def linear(self, n_classes: int) -> list[Linear]:
        """The fitted readers' weights; empty if they have none."""
        readers = [f.linear(n_classes) for f in self.fitted]
        return [m for m in readers if m is not None]

    def labelled(self, values: Array, classes: Array | None) -> xr.DataArray:
        """``(place, feature, column)`` as ``([time,] *site axes[, class])``."""
        axes = [str(d) for d in self.trial.dims if d != "time"]
        shape = [self.trial.sizes[d] for d in axes]
        coords: dict[str, Any] = {d: self.trial[d].to_numpy() for d in axes if d in self.trial.coords}
        values = values.reshape(len(values), *shape, -1)
        dims = ["time", *axes, "class"]
        if self.times is None:
            values, dims = values[0], dims[1:]
        else:
            coords["time"] = self.times
        if values.shape[-1] == 1:
            return xr.DataArray(values[..., 0], dims=dims[:-1], coords=coords)
        return xr.DataArray(values, dims=dims, coords={**coords, "class": classes})


def copied_labels(trial: xr.DataArray) -> xr.DataArray:
    """Axes, labels and attributes of one trial's activity, whose values are not kept (all 0)."""
    coords = {name: c.copy(deep=True) for name, c in trial.coords.items() if name in trial.dims}
    return xr.DataArray(np.broadcast_to(0.0, trial.shape), dims=trial.dims, coords=coords)
