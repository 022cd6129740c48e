"""Places: neighbourhoods of every site and time, read together where they have one size."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
import xarray as xr

from artiphys.array_types import Array, ProgressBar
from artiphys.probes.data.activity import BLOCK_BYTES, by_time, times_of
from artiphys.probes.decoding.cross_validation import CrossValidation

Sets = Mapping[str | None, Mapping[str, Array]]


@dataclass(frozen=True)
class Places:
    """Activity of all sites and the neighbourhoods of their units."""

    sites: Mapping[str | None, xr.DataArray]
    sets: Sets

    def __len__(self) -> int:
        return sum(len(self.sets[name]) * data.sizes.get("time", 1) for name, data in self.sites.items())

    def read(self, work: CrossValidation, bar: ProgressBar) -> tuple[Array, Array]:
        """Scores ``(place, label set, fold)``, and guesses ``(place, trial)`` of the first label set."""
        read = [_at_site(work, data, list(self.sets[name].values()), bar) for name, data in self.sites.items()]
        scores, guesses = zip(*read)
        return np.concatenate(scores), np.concatenate(guesses)

    def coords(self) -> dict[str, Any]:
        """Site, time and neighbourhood of each place."""
        rows = []
        for name, data in self.sites.items():
            times = times_of(data)
            every = [np.nan] if times is None else times
            rows += [(str(name), t, where) for t in every for where in self.sets[name]]
        site, time, where = (list(column) for column in zip(*rows))
        coords: dict[str, Any] = {"neighbourhood": ("place", where)}
        if None not in self.sites:
            coords["site"] = ("place", site)
        if any("time" in data.dims for data in self.sites.values()):
            coords["time"] = ("place", time)
        return coords


def _at_site(work: CrossValidation, data: xr.DataArray, sets: list[Array], bar: ProgressBar) -> tuple[Array, Array]:
    """Scores ``(time x neighbourhood, label set, fold)`` and guesses ``(time x neighbourhood, trial)``."""
    n_times = 1 if times_of(data) is None else data.sizes["time"]
    out = np.empty((n_times, len(sets), len(work.targets), len(work.task.folds)))
    guesses = np.empty((n_times, len(sets), data.sizes["trial"]))
    for start, block in _times(data):
        x = by_time(block)  # (time, trial, unit)
        for size in sorted({len(units) for units in sets}):
            alike = [i for i, units in enumerate(sets) if len(units) == size]
            most = max(1, BLOCK_BYTES // (work.bytes_a_place(x.shape[1], size) * len(x)))
            for first in range(0, len(alike), most):
                some = alike[first : first + most]
                gathered = x[:, :, np.stack([sets[i] for i in some])]  # (time, trial, neighbourhood, unit)
                places = torch.from_numpy(gathered.transpose(0, 2, 1, 3).reshape(-1, x.shape[1], size))
                read = work.scores(places, _Silent())
                shape = (len(x), len(some))
                out[start : start + len(x), some] = read.values[:, 0].reshape(*shape, *read.values.shape[2:])
                guesses[start : start + len(x), some] = read.guesses.reshape(*shape, -1)
                bar.update(len(x) * len(some))
    return out.reshape(-1, *out.shape[2:]), guesses.reshape(-1, guesses.shape[-1])


def _times(data: xr.DataArray) -> Iterator[tuple[int, xr.DataArray]]:
    """Times that fit in memory together."""
    if "time" not in data.dims:
        yield 0, data
        return
    per_time = 8 * data.size // data.sizes["time"]
    step = max(1, BLOCK_BYTES // (4 * per_time))
    for start in range(0, data.sizes["time"], step):
        yield start, data.isel(time=slice(start, start + step))


class _Silent:
    """A bar that counts places, not folds."""

    def update(self, n: float | None = 1) -> None:
        """Nothing."""
