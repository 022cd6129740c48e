"""Bins of time: counts of spikes in them, what was observed of them, and counts that came binned already."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import xarray as xr

from artiphys.array_types import Array
from artiphys.errors import InputError
from artiphys.missing import validity
from artiphys.probes.data.activity import as_activity
from artiphys.probes.peristimulus.spike_trains import SpikeTrains

ROUNDING = 1e-6  # of a bin, by which times and widths may be off


@dataclass(frozen=True)
class Bins:
    """Equal bins from ``start`` on, each from its left edge up to, but without, its right one [s]."""

    start: float
    width: float
    n: int

    @classmethod
    def of(cls, window: tuple[float, float], width: float) -> Bins:
        """Bins that fill a window.

        Raises
        ------
        InputError
            If they do not.
        """
        n = (window[1] - window[0]) / width
        if abs(n - round(n)) > ROUNDING * max(1.0, n) or round(n) < 1:
            raise InputError(
                f"the window {window} is {n:.6g} bins of {width:g} s long; wanted a whole number of bins, such as "
                f"window=({window[0]:g}, {window[0] + width * max(1, round(n)):g})"
            )
        return cls(window[0], width, round(n))

    @property
    def stop(self) -> float:
        """The right edge of the last bin [s]."""
        return self.start + self.n * self.width

    @property
    def centres(self) -> Array:
        """``(time,)`` [s]."""
        return self.start + (np.arange(self.n) + 0.5) * self.width

    def counts(self, trains: SpikeTrains) -> tuple[Array, int]:
        """Spikes in each bin ``(trial, time, unit)``, and how many lie in none."""
        counts = np.zeros((trains.n_trials, self.n, len(trains.units)))
        outside = 0
        for u, train in enumerate(trains.times):
            trial = np.repeat(np.arange(len(train)), [len(t) for t in train])
            place = np.floor((np.concatenate(train) - self.start) / self.width + ROUNDING).astype(np.int64)
            inside = (place >= 0) & (place < self.n)
            outside += int((~inside).sum())
            np.add.at(counts[..., u], (trial[inside], place[inside]), 1)
        return counts, outside

    def observed(self, span: Array) -> Array:
        """Bins ``(trial, time)`` that lie wholly within what was recorded of each trial ``(trial, 2)`` [s]."""
        left = self.start + np.arange(self.n) * self.width
        slack = ROUNDING * self.width
        return np.asarray((left >= span[:, :1] - slack) & (left + self.width <= span[:, 1:] + slack))


def binned(counts: object, window: tuple[float, float] | None, width: float | None) -> tuple[xr.DataArray, Bins]:
    """Counts ``(trial, time, unit)`` that came as such, NaN where padded, in bins of the width asked for.

    Raises
    ------
    InputError
    """
    data = as_activity(counts)  # type: ignore[arg-type]
    if not isinstance(counts, xr.DataArray):
        if data.ndim != 3:
            raise InputError(f"counts came with shape {data.shape}; wanted (trial, time, unit)")
        data = data.rename({data.dims[1]: "time"})
    if data.dims != ("trial", "time", "unit"):
        if set(data.dims) == {"trial", "time"}:
            data = data.expand_dims("unit", axis=2)
        elif set(data.dims) == {"trial", "time", "unit"}:
            data = data.transpose("trial", "time", "unit")
        else:
            raise InputError(f"counts have the dims {data.dims}; wanted ('trial', 'time', 'unit')")
    values = data.to_numpy().astype(float)
    valid = validity(data)
    if valid is not None:
        values[~valid.transpose("trial", "time").to_numpy()] = np.nan
    padding = np.zeros(values.shape, dtype=bool) if valid is None else ~valid.to_numpy()[..., None]
    _check_counts(values, padding)
    native = _native(data, window, width)
    data = xr.DataArray(values, dims=data.dims, coords=data.coords)
    return _coarser(data, native, width)


def _check_counts(values: Array, padding: Array) -> None:
    lost = ~np.isfinite(values) & ~padding
    if lost.any():
        raise InputError(
            f"counts are NaN or infinite in {int(lost.sum())} bins; leave these trials out, or mark what was not "
            "recorded by a coordinate valid (trial, time)"
        )
    known = values[np.isfinite(values)]
    if (known < 0).any() or (known != np.round(known)).any():
        raise InputError(
            f"counts hold {known[(known < 0) | (known != np.round(known))][0]:g}; wanted whole numbers of spikes, 0 or "
            "more (of activity that is no count, average trials with tuning_curves)"
        )


def _native(data: xr.DataArray, window: tuple[float, float] | None, width: float | None) -> Bins:
    """Bins that counts came in: by their time labels, which are the middles of bins, or by the window."""
    n = data.sizes["time"]
    if "time" in data.coords and data["time"].dtype.kind == "f":
        labels = data["time"].to_numpy()
        if n < 2:
            raise InputError("counts of a single time came; wanted at least two, so that the width of a bin is known")
        step = (labels[-1] - labels[0]) / (n - 1)
        if step <= 0 or np.abs(np.diff(labels) - step).max() > 1e-3 * step:
            raise InputError("the times of the counts are not even and increasing; wanted middles of equal bins")
        native = Bins(float(labels[0] - step / 2), float(step), n)
        if window is not None and np.abs(np.subtract(window, (native.start, native.stop))).max() > 1e-3 * step:
            raise InputError(
                f"window came as {window}, and the times of the counts are the middles of bins from {native.start:.6g} "
                f"to {native.stop:.6g} s; choose times first: counts.sel(time=slice(...)), and leave window out"
            )
        return native
    if window is None:
        raise InputError(
            "the times of these counts are unknown; pass window=(start, stop) in seconds around the event, which the "
            f"{n} bins fill, or a DataArray with a coordinate time [s]"
        )
    native = Bins(window[0], (window[1] - window[0]) / n, n)
    return native


def _coarser(data: xr.DataArray, native: Bins, width: float | None) -> tuple[xr.DataArray, Bins]:
    if width is None:
        return data, native
    ratio = width / native.width
    k = round(ratio)
    if k < 1 or abs(ratio - k) > 1e-3 * max(1, k) or native.n % k:
        raise InputError(
            f"bin came as {width:g} s for {native.n} bins of {native.width:g} s; wanted a multiple of these that "
            "divides their number"
        )
    n = native.n // k
    summed = data.to_numpy().reshape(data.sizes["trial"], n, k, -1).sum(axis=2)
    coords = {c: v for c, v in data.coords.items() if "time" not in v.dims}
    return xr.DataArray(summed, dims=data.dims, coords=coords), Bins(native.start, native.width * k, n)
