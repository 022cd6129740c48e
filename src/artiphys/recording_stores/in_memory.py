"""Arrays in memory, filled batch by batch."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import xarray as xr

from artiphys.array_types import Array
from artiphys.recording_stores.store import Described, check_shape
from artiphys.stimuli import Stimuli


class MemoryStore(Described):
    """Arrays in memory, filled batch by batch."""

    def __init__(self, attrs: dict[str, Any], stimuli: Stimuli) -> None:
        self.attrs, self.n_done = attrs, 0
        self._stimuli = stimuli
        self._arrays: dict[str, Array] = {}
        self._valid: dict[str, Array] = {}

    def write(self, start: int, activity: Mapping[str, Array]) -> None:
        """Put one batch in its place."""
        for name, x in activity.items():
            if name not in self._arrays:
                self._arrays[name] = np.empty((self.n_trials, *x.shape[1:]), dtype=np.float32)
            check_shape(name, self._arrays[name].shape, x.shape)
            self._arrays[name][start : start + len(x)] = x
            self.n_done = start + len(x)

    def flush(self) -> None:
        """Nothing waits."""

    def array(self, site: str, dims: tuple[str, ...]) -> xr.DataArray:
        """Activity of one site."""
        return xr.DataArray(self._arrays[site], dims=dims)

    def ids(self) -> Array:
        """Trial ids."""
        return self._stimuli.ids

    def conditions(self) -> dict[str, Array]:
        """Columns of the conditions table."""
        return {str(c): self._stimuli.conditions[c].to_numpy() for c in self._stimuli.conditions.columns}

    def valid(self, sequence: str) -> Array | None:
        """Which positions of a sequence are no padding, or None."""
        return self._valid.get(sequence)

    def keep_valid(self, sequence: str, valid: Array) -> None:
        """Keep it."""
        self._valid[sequence] = valid
