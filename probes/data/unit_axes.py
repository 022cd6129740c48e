"""Labels of every unit along all axes of the activity, for tables with one row per unit."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import pandas as pd
import xarray as xr

from artiphys.array_types import Array
from artiphys.probes.data.units import Units


@dataclass(frozen=True)
class UnitAxes:
    """Axes of the units of each site, without their activity.

    Attributes
    ----------
    sites : tuple of (name or None, dims, shape, coordinates)
        None names the only array there is; coordinates are those that have no axis of trials.
    """

    sites: tuple[tuple[str | None, tuple[str, ...], tuple[int, ...], xr.Dataset], ...]

    @classmethod
    def of(cls, units: Units) -> UnitAxes:
        """From the activity."""
        found = []
        for name, data in units.sites.items():
            dims = tuple(str(d) for d in data.dims[1:])
            kept = {str(c): v for c, v in data.coords.items() if v.dims and set(v.dims) <= set(dims)}
            labels = xr.Dataset(coords={c: (v.dims, np.array(v.to_numpy())) for c, v in kept.items()})
            found.append((None if name is None else str(name), dims, tuple(data.shape[1:]), labels))
        return cls(tuple(found))

    def table(self) -> pd.DataFrame:
        """A column for each axis, and for further labels such as names of units; of several sites the site first."""
        parts = []
        for name, dims, shape, labels in self.sites:
            like = xr.DataArray(np.empty(shape, dtype=bool), dims=dims)
            part = {}
            if name is not None:
                part["site"], part["index"] = np.full(math.prod(shape), name), np.arange(math.prod(shape))
            for axis, d in enumerate(dims):
                if d not in labels.coords:
                    index = np.arange(shape[axis]).reshape([-1 if i == axis else 1 for i in range(len(shape))])
                    part[d] = np.broadcast_to(index, shape).ravel()
                else:
                    part[d] = _spread(labels[d], like)
            for c in labels.coords:
                if c not in dims:
                    part[str(c)] = _spread(labels[c].reset_coords(drop=True), like)
            parts.append(pd.DataFrame(part))
        return pd.concat(parts, ignore_index=True)


def _spread(label: xr.DataArray, like: xr.DataArray) -> Array:
    """A label along some axes, for every place along all of them."""
    return np.asarray(label.broadcast_like(like).transpose(*like.dims).to_numpy().ravel())
