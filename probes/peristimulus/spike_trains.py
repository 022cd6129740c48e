"""Spike trains as users have them, made into one form: for each unit, the sorted times of every trial [s]."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from artiphys.array_types import Array
from artiphys.border import shown
from artiphys.errors import InputError
from artiphys.missing import is_missing, plain_array
from artiphys.user_warnings import warn

FORMS = (
    "a list with the spike times of each trial [s], a mapping of units to such lists, flat spike times with events=, "
    "or counts (trial, time, unit)"
)


@dataclass(frozen=True)
class SpikeTrains:
    """Spike times relative to the event of each trial.

    Attributes
    ----------
    units : ``(unit,)``
        Names.
    times : tuple, by unit, of tuples, by trial, of sorted arrays
        [s]
    """

    units: Array
    times: tuple[tuple[Array, ...], ...]

    @property
    def n_trials(self) -> int:
        """Number of trials."""
        return len(self.times[0])

    @classmethod
    def of(
        cls, spikes: Any, events: Any, window: tuple[float, float], recorded: Sequence[float] | None
    ) -> tuple[SpikeTrains, Array | None]:
        """The trains, and the part of each trial that was recorded ``(trial, 2)`` [s], or None for all of it.

        Raises
        ------
        InputError
        """
        named = dict(spikes) if isinstance(spikes, Mapping) else {0: spikes}
        if not named:
            raise InputError(f"spikes came as a mapping without units; wanted {FORMS}")
        span = None
        if events is None:
            if recorded is not None:
                raise InputError("recorded= says when a session began and ended, and needs events=; use ends= instead")
            trains = {name: _by_trial(given, name) for name, given in named.items()}
            _refuse_whole([t for train in trains.values() for t in train])
        else:
            moments = _times(events, "events")
            if not len(moments):
                raise InputError("events hold no time; wanted one for each trial")
            flat = {name: _flat(given, name) for name, given in named.items()}
            _refuse_whole([*flat.values()])
            span = _span(flat, moments, window, recorded)
            trains = {name: _around(times, moments, window) for name, times in flat.items()}
        counts = {name: len(t) for name, t in trains.items()}
        if len(set(counts.values())) > 1:
            few, many = min(counts, key=lambda n: counts[n]), max(counts, key=lambda n: counts[n])
            raise InputError(
                f"unit {few!r} has {counts[few]} trials and unit {many!r} has {counts[many]}; wanted the same trials "
                "of all units, with an empty list where a unit was silent"
            )
        names = np.array([*trains] if len({type(n) for n in trains}) == 1 else [str(n) for n in trains])
        return cls(names, tuple(tuple(np.sort(t.astype(float)) for t in train) for train in trains.values())), span


def is_spike_times(spikes: Any) -> bool:
    """Whether these are spike times; else they are counts."""
    if isinstance(spikes, (Mapping, list, tuple, pd.Series)):
        return True
    return isinstance(spikes, np.ndarray) and (spikes.dtype == object or spikes.ndim == 1)


def _by_trial(given: Any, unit: Any) -> tuple[Array, ...]:
    if not isinstance(given, (list, tuple, pd.Series)) and not (isinstance(given, np.ndarray) and given.ndim == 1):
        raise InputError(f"the spikes of unit {unit!r} came as {shown(given)}; wanted {FORMS}")
    trials = list(given)
    if not trials:
        raise InputError(f"the spikes of unit {unit!r} hold no trial; wanted {FORMS}")
    for i, one in enumerate(trials):
        if one is None:
            raise InputError(
                f"trial {i} of unit {unit!r} is None; give an empty list where it was silent, and leave the trial out "
                "of all units where it was not recorded"
            )
        if np.ndim(one) == 0 and not hasattr(one, "__len__"):
            raise InputError(
                f"trial {i} of unit {unit!r} is the single value {shown(one)}; flat spike times need events=, and a "
                "trial of one spike is a list of one time"
            )
    return tuple(_times(one, f"trial {i} of unit {unit!r}") for i, one in enumerate(trials))


def _flat(given: Any, unit: Any) -> Array:
    if isinstance(given, (list, tuple)) and any(hasattr(one, "__len__") for one in given):
        raise InputError(f"the spikes of unit {unit!r} are lists by trial, and events= came too; give one or the other")
    return _times(given, f"the spikes of unit {unit!r}")


def _times(given: Any, what: str) -> Array:
    values = plain_array(given)
    if values.size == 0:
        return np.empty(0)
    if values.ndim != 1 or values.dtype.kind not in "iuf":
        missing = " with missing values" if values.dtype == object and is_missing(values).any() else ""
        raise InputError(
            f"{what} came as {values.dtype} of shape {values.shape}{missing}; wanted one list of times [s] "
            "(of several units, a mapping of names to their spikes)"
        )
    if not np.isfinite(values).all():
        raise InputError(
            f"{what}: {int((~np.isfinite(values)).sum())} times are NaN or infinite; leave these out first"
        )
    return values


def _refuse_whole(arrays: Sequence[Array]) -> None:
    kept = [t for t in arrays if len(t)]
    if kept and all(t.dtype.kind in "iu" for t in kept):
        raise InputError(
            "spike times are whole numbers, such as samples or milliseconds; wanted seconds: times / sampling_rate "
            "(where they are seconds, give them as floats)"
        )


def _span(
    flat: Mapping[Any, Array], events: Array, window: tuple[float, float], recorded: Sequence[float] | None
) -> Array | None:
    """What of each trial lies within the recording ``(trial, 2)``, relative to its event [s]."""
    if recorded is not None:
        ends = _times(recorded, "recorded")
        if ends.shape != (2,) or not ends[0] < ends[1]:
            raise InputError(f"recorded came as {recorded!r}; wanted (start, stop) of the session [s]")
        spikes = np.concatenate([*flat.values()])
        outside = int(((spikes < ends[0]) | (spikes > ends[1])).sum())
        if outside:
            raise InputError(f"{outside} spikes lie outside of recorded={tuple(ends.tolist())}; mend one or the other")
        return np.asarray(ends - events[:, None])
    times = np.concatenate([*flat.values()])
    if len(times):
        beyond = int(((events + window[0] < times.min()) | (events + window[1] > times.max())).sum())
        if beyond:
            warn(
                f"the windows of {beyond} of {len(events)} events reach beyond the first or the last spike "
                f"({times.min():g} to {times.max():g} s), and count as silent there; recorded=(start, stop) of the "
                "session marks what was not recorded"
            )
    return None


def _around(times: Array, events: Array, window: tuple[float, float]) -> tuple[Array, ...]:
    ordered = np.sort(times)
    # A little more than the window; whether a time at its edge lies inside is for the bins to say.
    slack = 1e-6 * (window[1] - window[0])
    first = np.searchsorted(ordered, events + window[0] - slack, side="left")
    last = np.searchsorted(ordered, events + window[1] + slack, side="right")
    return tuple(ordered[a:b] - e for a, b, e in zip(first, last, events))
