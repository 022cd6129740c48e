"""All units of one array, or of every site of a recording, read in blocks that fit in memory."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr

from artiphys.array_types import ActivityLike, Array
from artiphys.probes.data.activity import BLOCK_BYTES, as_sites, loaded, unit_blocks
from artiphys.third_party import is_in_memory


@dataclass(frozen=True)
class Units:
    """Units of one array, with its axes; or of several sites, strung along one axis ``unit``."""

    sites: Mapping[str | None, xr.DataArray]

    @classmethod
    def of(cls, activity: ActivityLike) -> Units:
        """From a Recording, DataArray or array."""
        return cls(as_sites(activity))

    @property
    def first(self) -> xr.DataArray:
        """The first site, for its trials and conditions."""
        return next(iter(self.sites.values()))

    @property
    def n_trials(self) -> int:
        """Number of trials."""
        return int(self.first.sizes["trial"])

    @property
    def n_units(self) -> int:
        """Number of units, times and other axes counted."""
        return sum(math.prod(data.shape[1:]) for data in self.sites.values())

    def blocks(self, n_bytes: int = BLOCK_BYTES) -> Iterator[tuple[slice, Array]]:
        """Blocks ``(trial, unit)`` of all trials, and their place among all units."""
        start = 0
        for data in self.sites.values():
            for place, values in unit_blocks(data, n_bytes):
                yield slice(start + place.start, start + place.stop), values
            start += math.prod(data.shape[1:])

    @property
    def on_disk(self) -> bool:
        """Whether the activity is read from disk, trial by trial as it was recorded."""
        return not all(is_in_memory(data) for data in self.sites.values())

    def trial_blocks(self, n_bytes: int = BLOCK_BYTES) -> Iterator[tuple[slice, slice, Array]]:
        """Blocks ``(trial, unit)`` of all units of a site: their trials, their place among all units, and values.

        A recording on disk is stored by trials, so that this reads it once.
        """
        start = 0
        for data in self.sites.values():
            n_units = math.prod(data.shape[1:])
            step = max(1, n_bytes // (8 * n_units))
            for first in range(0, self.n_trials, step):
                values = loaded(data.isel(trial=slice(first, first + step)))
                yield slice(first, first + len(values)), slice(start, start + n_units), values.reshape(len(values), -1)
            start += n_units

    def label(self, values: Array, **extra: Any) -> xr.DataArray:
        """``(unit, *extra)`` as ``(*site axes, *extra)``; ``extra`` maps further axes to their labels."""
        after = tuple(extra)
        coords = {d: v for d, v in extra.items() if v is not None}
        if None in self.sites:
            data = self.sites[None]
            dims = tuple(str(d) for d in data.dims[1:])
            coords.update({d: data[d].to_numpy() for d in dims if d in data.coords})
            shape = (*data.shape[1:], *values.shape[1:])
            return xr.DataArray(values.reshape(shape), dims=(*dims, *after), coords=coords)
        names = np.concatenate([np.full(math.prod(d.shape[1:]), str(n)) for n, d in self.sites.items()])
        within = np.concatenate([np.arange(math.prod(d.shape[1:])) for d in self.sites.values()])
        coords.update(site=("unit", names), index=("unit", within))
        return xr.DataArray(values, dims=("unit", *after), coords=coords)
