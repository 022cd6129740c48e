"""Held units: the activity that a result may be asked for again, without keeping a recording alive."""

from __future__ import annotations

import weakref
from collections.abc import Callable, Hashable
from typing import Any

import numpy as np
import xarray as xr

from artiphys.array_types import ActivityLike, Array
from artiphys.errors import InputError
from artiphys.probes.data.units import Units
from artiphys.third_party import is_in_memory

COPIED_BYTES = 2**26  # of activity in memory, up to which a result keeps a copy of its own


class HeldUnits:
    """Activity of the units of a result.

    A copy where it is small, as it is where it lies on disk; else a weak reference, so that a recording is freed when
    its user drops it. Then the activity must be given again.
    """

    def __init__(self, units: Units) -> None:
        self._form = _form(units)
        self._sample = {name: _sample(data) for name, data in units.sites.items()}
        self._dims: dict[str | None, tuple[Hashable, ...]] = {}
        self._weak: dict[str | None, tuple[Callable[[], Array | None], xr.Coordinates]] = {}
        in_memory = {name: data for name, data in units.sites.items() if is_in_memory(data)}
        self._sites = {name: data for name, data in units.sites.items() if name not in in_memory}
        small = sum(data.nbytes for data in in_memory.values()) <= COPIED_BYTES
        for name, data in in_memory.items():
            if small:
                self._sites[name] = data.copy(deep=True)
            else:
                self._weak[name] = weakref.ref(data.to_numpy()), data.coords.copy(deep=True)
            self._dims[name] = data.dims

    def units(self, activity: ActivityLike | None = None) -> Units:
        """The units; of ``activity`` where that is given again.

        Raises
        ------
        InputError
            If the activity is gone, or what is given has other units, trials or values.
        """
        if activity is not None:
            again = Units.of(activity)
            if _form(again) != self._form:
                raise InputError(f"the activity has {_form(again)} (trial, ...) by site; the result is of {self._form}")
            self._check_same(again)
            return again
        sites = dict(self._sites)
        for name, (reference, coords) in self._weak.items():
            values = reference()
            if values is None:
                raise InputError(
                    f"this result no longer has its activity: more than {COPIED_BYTES >> 20} MB are neither copied nor "
                    "pickled with it. Pass it again: activity="
                )
            sites[name] = xr.DataArray(values, dims=self._dims[name], coords=coords)
        units = Units({name: sites[name] for name in self._form})
        self._check_same(units)
        return units

    def _check_same(self, units: Units) -> None:
        """Labels, and the values of a few trials: other activity of the same shape gives other answers."""
        for name, data in units.sites.items():
            labels, values = _sample(data)
            known_labels, known_values = self._sample[name]
            for axis in labels.keys() & known_labels.keys():
                if not np.array_equal(labels[axis], known_labels[axis]):
                    raise InputError(f"the activity has other labels along {axis!r} than the result; put it in order")
            if not np.array_equal(values, known_values, equal_nan=True):
                raise InputError("the activity has other values than the result was made from; pass it as it was")

    def __getstate__(self) -> dict[str, Any]:
        return self.__dict__ | {"_weak": {name: (_gone, coords) for name, (_, coords) in self._weak.items()}}


def _form(units: Units) -> dict[str | None, tuple[int, ...]]:
    return {name: tuple(data.shape) for name, data in units.sites.items()}


def _sample(data: xr.DataArray) -> tuple[dict[Hashable, Array], Array]:
    """Labels along the axes, and the values of three trials."""
    labels = {axis: data[axis].to_numpy() for axis in data.dims if axis in data.coords}
    n = data.sizes["trial"]
    return labels, np.array(data.isel(trial=[0, n // 2, n - 1]).to_numpy())


def _gone() -> Array | None:
    return None
