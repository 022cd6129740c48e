"""psth(): peri-stimulus time histograms of spike times or counts, by condition."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
import xarray as xr

from artiphys.array_types import Array, TrialValues
from artiphys.border import border, shown
from artiphys.errors import InputError, unknown
from artiphys.missing import plain_array
from artiphys.probes.data.trial_values import coded, per_trial
from artiphys.probes.peristimulus.binning import Bins, binned
from artiphys.probes.peristimulus.result import Psth
from artiphys.probes.peristimulus.smoothing import kernel, smoothed
from artiphys.probes.peristimulus.spike_trains import SpikeTrains, is_spike_times
from artiphys.stats.intervals import standard_error
from artiphys.user_warnings import warn
from artiphys.version import __version__

DEFAULT_BIN = 0.01  # s, of spike times


@border
def psth(
    spikes: Any,
    conditions: TrialValues | None = None,
    *,
    window: Sequence[float] | None = None,
    events: TrialValues | None = None,
    recorded: Sequence[float] | None = None,
    ends: TrialValues | None = None,
    bin: float | None = None,
    smoothing: float = 0.0,
    shape: Literal["gaussian", "boxcar"] = "gaussian",
    causal: bool = False,
) -> Psth:
    """Mean rate around an event, by condition, time and unit, with its standard error over trials.

    Parameters
    ----------
    spikes : list, mapping, array or DataArray
        Spike times [s] in any order: a list with the times of each trial relative to its event (empty where the unit
        was silent), or a mapping of units to such lists; or, with ``events``, the flat times of a session, or a mapping
        of units to them. Or counts of spikes ``(trial, time, unit)``; times of a DataArray are the middles of its bins.
    conditions : array ``(trial,)`` or str, optional
        A value per trial, or the name of a condition that a DataArray carries. One condition, "all", by default.
    window : (start, stop) [s]
        Around the event, of all trials. Needed for spike times, and for counts without times. Spikes outside are left
        out, and counted in ``n_outside``.
    events : array ``(trial,)``, optional
        Times of the events [s], on the clock of flat spike times.
    recorded : (start, stop), optional
        When the session was recorded [s]: bins outside are unknown, not silent. Only with ``events``.
    ends : array ``(trial,)``, optional
        When each trial ended [s], relative to its event, where trials have different lengths. Bins that are not wholly
        before it are unknown: NaN in ``activity``, marked by its coordinate ``valid``, and left out of means.
    bin : float, optional
        Width of a bin [s]; 0.01 for spike times, as they came for counts. A bin holds its left edge, not its right one.
    smoothing : float
        Standard deviation of a Gaussian, or full width of a boxcar [s]; 0 for none. Near the edges of what was
        observed, weights are divided by what of the kernel lies inside, so that a constant rate stays itself.
    shape : "gaussian" or "boxcar"
    causal : bool
        Smooth by the past alone (half a Gaussian, or a boxcar that ends with the bin), so that no rate rises before
        its spikes do. Latencies and decoding over time should not see the future; causal rates are late instead.

    Returns
    -------
    Psth
        Its ``activity`` goes into `decode`, `tuning_curves` and other analyses as it is.

    Raises
    ------
    InputError

    Examples
    --------
    >>> histogram = psth([[0.02, 0.13], [0.01], []], window=(0.0, 0.2), bin=0.1)
    >>> histogram.rate.sel(unit=0).values.round(2).tolist()
    [[6.67, 3.33]]

    References
    ----------
    Gerstein & Kiang 1960, An approach to the quantitative analysis of electrophysiological data from single neurons.
    """
    around = _window(window)
    for name, value in (("bin", bin), ("smoothing", smoothing)):
        if value is not None and (value < 0 or (value == 0 and name == "bin")):
            raise InputError(f"{name} came as {value:g}; wanted a time in seconds, {name} above 0")
    if shape not in ("gaussian", "boxcar"):
        raise InputError(unknown("shape", shape, ["gaussian", "boxcar"]))
    trains, outside = None, 0
    if is_spike_times(spikes):
        if around is None:
            raise InputError("spike times came without window; wanted window=(start, stop) [s] around the event")
        bins = Bins.of(around, DEFAULT_BIN if bin is None else bin)
        trains, span = SpikeTrains.of(spikes, events, around, recorded)
        values, outside = bins.counts(trains)
        if outside and not values.any():
            raise InputError(
                f"all {outside} spikes lie outside of the window {around}; are they in seconds, and relative to the "
                "event of their trial? (flat spike times of a session need events=)"
            )
        if span is not None:
            values[~bins.observed(span)] = np.nan
        data = xr.DataArray(values, dims=("trial", "time", "unit"), coords={"unit": trains.units})
        _warn_overlaps(events, around)
    else:
        if events is not None or recorded is not None:
            raise InputError("events= and recorded= are for spike times; counts have their trials already")
        data, bins = binned(spikes, around, bin)
    data = data.assign_coords(time=("time", bins.centres, {"units": "s"}))
    if ends is not None:
        data = _ended(data, bins, per_trial(ends, data, "ends"), trains)
    names, code = _conditions(conditions, data)
    known = ~np.isnan(data.to_numpy()).any(axis=2)
    if not known.any():
        raise InputError("no bin of any trial was recorded in this window; look at window, ends and recorded")
    values = data.to_numpy() / bins.width
    if smoothing:
        values = smoothed(values, *kernel(smoothing, bins.width, shape, causal))
    activity = data.copy(data=values)
    activity.attrs = {"units": "spikes/s", "long_name": "rate"}
    if not known.all():
        activity = activity.assign_coords(valid=(("trial", "time"), known))
    if conditions is not None and "condition" not in activity.coords:
        activity = activity.assign_coords(condition=("trial", names[code]))
    rate, sem, n = _means(values, code, len(names))
    axes = {"condition": names, "time": activity["time"], "unit": _labels(data)}
    dims = ("condition", "time", "unit")
    units = {"units": "spikes/s"}
    return Psth(
        rate=xr.DataArray(rate, dims=dims, coords=axes, attrs=units),
        sem=xr.DataArray(sem, dims=dims, coords=axes, attrs=units),
        n=xr.DataArray(n, dims=dims[:2], coords={k: axes[k] for k in dims[:2]}), activity=activity, counts=data,
        trains=trains, condition_of_trial=code, bin=bins.width, smoothing=float(smoothing), shape=shape,
        causal=causal, n_outside=outside, version=__version__,
    )  # fmt: skip


def _window(window: Any) -> tuple[float, float] | None:
    if window is None:
        return None
    values = plain_array(window)
    if (
        values.shape != (2,)
        or values.dtype.kind not in "iuf"
        or not np.isfinite(values).all()
        or values[0] >= values[1]
    ):
        raise InputError(f"window came as {shown(window)}; wanted (start, stop) in seconds, such as (-0.2, 0.8)")
    return float(values[0]), float(values[1])


def _labels(data: xr.DataArray) -> Array:
    return np.asarray(data["unit"].to_numpy() if "unit" in data.coords else np.arange(data.sizes["unit"]))


def _conditions(conditions: TrialValues | None, data: xr.DataArray) -> tuple[Array, Array]:
    if conditions is None:
        return np.array(["all"]), np.zeros(data.sizes["trial"], dtype=np.int64)
    return coded(per_trial(conditions, data, "conditions"))


def _ended(data: xr.DataArray, bins: Bins, ends: Array, trains: SpikeTrains | None) -> xr.DataArray:
    """Bins after the end of a trial are unknown; spikes after it contradict it."""
    if ends.dtype.kind not in "iuf":
        raise InputError(f"ends hold {ends.dtype}; wanted the end of each trial [s], relative to its event")
    last = (
        [max((t[-1] for t in of_unit if len(t)), default=-math.inf) for of_unit in zip(*trains.times)] if trains else []
    )
    late = [i for i, (t, end) in enumerate(zip(last, ends)) if t > end + 1e-9]
    if late:
        raise InputError(
            f"{len(late)} trials hold spikes after their end, such as trial {late[0]} (ends {ends[late[0]]:g} s, spike "
            f"at {last[late[0]]:g} s); are ends relative to the events?"
        )
    span = np.column_stack([np.full(len(ends), -math.inf), ends.astype(float)])
    unseen = ~bins.observed(span)
    if trains is None and np.nansum(np.where(unseen[..., None], data.to_numpy(), 0.0)):
        raise InputError("counts hold spikes in bins after the end of their trial; are ends relative to the events?")
    return data.copy(data=np.where(unseen[..., None], np.nan, data.to_numpy()))


def _means(values: Array, code: Array, n_conditions: int) -> tuple[Array, Array, Array]:
    """Mean, standard error ``(condition, time, unit)`` and trials ``(condition, time)`` of what was observed."""
    shape = (n_conditions, *values.shape[1:])
    rate, sem = np.full(shape, np.nan), np.full(shape, np.nan)
    n = np.zeros(shape[:2], dtype=np.int64)
    for c in range(n_conditions):
        part = values[code == c]
        known = ~np.isnan(part).any(axis=2)
        n[c] = known.sum(axis=0)
        for pattern in np.unique(known, axis=1).T:  # times that the same trials have
            times = np.flatnonzero((known == pattern[:, None]).all(axis=0))
            if pattern.any():
                seen = part[pattern][:, times]
                rate[c, times], sem[c, times] = seen.mean(axis=0), standard_error(seen, axis=0)
    return rate, sem, n


def _warn_overlaps(events: Any, window: tuple[float, float]) -> None:
    if events is None:
        return
    gaps = np.diff(np.sort(plain_array(events)))
    close = int((gaps < (window[1] - window[0]) * (1 - 1e-9)).sum())
    if close:
        warn(
            f"the windows of {close + 1} of {len(gaps) + 1} events overlap, so that spikes count in more than one "
            "trial and trials are not independent; shorten the window, or read standard errors with care"
        )
