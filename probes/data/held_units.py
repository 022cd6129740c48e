"""Held units: the activity that a result may be asked for again, without keeping a recording alive."""

from __future__ import annotations

import weakref
from collections.abc import Callable, Hashable
from typing import Any

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
            If the activity is gone, or what is given has other units or trials.
        """
        if activity is not None:
            given = Units.of(activity)
            if _form(given) != self._form:
                raise InputError(f"the activity has {_form(given)} (trial, ...) by site; the result is of {self._form}")
            return given
        sites = dict(self._sites)
        for name, (reference, coords) in self._weak.items():
            values = reference()
            if values is None:
                raise InputError(
                    f"the activity behind this result is gone: more than {COPIED_BYTES >> 20} MB are not copied, and "
                    "nobody kept it. Pass it again: activity="
                )
            sites[name] = xr.DataArray(values, dims=self._dims[name], coords=coords)
        return Units({name: sites[name] for name in self._form})

    def __getstate__(self) -> dict[str, Any]:
        return self.__dict__ | {"_weak": {name: (_gone, coords) for name, (_, coords) in self._weak.items()}}


def _form(units: Units) -> dict[str | None, tuple[int, ...]]:
    return {name: tuple(data.shape) for name, data in units.sites.items()}


def _gone() -> Array | None:
    return None
