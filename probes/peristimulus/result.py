"""Psth: rates around an event, by condition."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import pandas as pd
import xarray as xr

from artiphys.array_types import Array
from artiphys.border import border
from artiphys.errors import InputError, unknown
from artiphys.probes.peristimulus.spike_trains import SpikeTrains
from artiphys.stats.intervals import t_interval_each
from artiphys.stats.text import brief, span


@dataclass(frozen=True, repr=False)
class Psth:
    """Peri-stimulus time histogram.

    Attributes
    ----------
    rate, sem : DataArray ``(condition, time, unit)`` [spikes/s]
        Mean over trials and its standard error, NaN of a single trial; times are the middles of bins [s].
    n : DataArray ``(condition, time)``
        Trials behind each mean.
    activity : DataArray ``(trial, time, unit)`` [spikes/s]
        Rates of single trials, smoothed as asked; with coordinates ``time`` and ``condition``, and ``valid`` where
        trials have different lengths.
    counts : DataArray ``(trial, time, unit)``
        Spikes in each bin, NaN where none were recorded.
    condition_of_trial : ``(trial,)``
        Place of each trial's condition.
    bin, smoothing : float
        [s]
    n_outside : int
        Spikes outside of the window, which were left out. Of flat spike times, those around no event are not counted.
    """

    rate: xr.DataArray
    sem: xr.DataArray
    n: xr.DataArray
    activity: xr.DataArray
    counts: xr.DataArray
    condition_of_trial: Array
    bin: float
    smoothing: float
    shape: str
    causal: bool
    n_outside: int
    version: str
    trains: SpikeTrains | None = field(repr=False, compare=False, default=None)

    def __repr__(self) -> str:
        return (
            f"Psth of {self.rate.sizes['unit']} units, {self.counts.sizes['trial']} trials in "
            f"{self.rate.sizes['condition']} conditions, {self.rate.sizes['time']} bins of {self.bin:g} s: "
            f"{brief(self.rate)} spikes/s"
        )

    @border
    def interval(self, confidence: float = 0.95) -> tuple[xr.DataArray, xr.DataArray]:
        """Lower and upper ends of the mean rate at each time, by t over trials; NaN of a single trial.

        Of each time by itself: a band that holds the whole curve would be wider.
        """
        df = np.broadcast_to(np.maximum(self.n.to_numpy()[..., None] - 1.0, 1.0), self.rate.shape)
        low, high = t_interval_each(self.rate.to_numpy(), self.sem.to_numpy(), np.ascontiguousarray(df), confidence)
        return self.rate.copy(data=low), self.rate.copy(data=high)

    def raster(self, unit: object) -> list[Array]:
        """Spike times of each trial [s] of one unit by its name, within the window; of counts, middles of their bins.

        Raises
        ------
        InputError
            If there is no such unit.
        """
        names = self.rate["unit"].to_numpy().tolist()
        if unit not in names:
            raise InputError(unknown("unit", unit, [str(n) for n in names]))
        place = names.index(unit)
        times = self.rate["time"].to_numpy()
        if self.trains is not None:
            low, high = times[0] - self.bin / 2, times[-1] + self.bin / 2
            return [t[(t >= low) & (t < high)] for t in self.trains.times[place]]
        counts = np.nan_to_num(self.counts.to_numpy()[..., place]).astype(np.int64)
        return [np.repeat(times, row) for row in counts]

    def to_dataframe(self) -> pd.DataFrame:
        """One row per condition, time and unit: rate, its standard error [spikes/s], and number of trials."""
        table = xr.Dataset({"rate": self.rate, "sem": self.sem}).to_dataframe().reset_index()
        trials = self.n.broadcast_like(self.rate).transpose(*self.rate.dims).to_numpy().ravel()
        return table[["condition", "time", "unit", "rate", "sem"]].assign(n=trials)

    def methods_text(self) -> str:
        """A paragraph fit for a methods section."""
        smooth = "were not smoothed"
        if self.smoothing:
            if self.shape == "gaussian":
                kind = f"{'the past half of ' if self.causal else ''}a Gaussian of {self.smoothing:g} s (s.d.)"
            else:
                kind = f"a {'causal ' if self.causal else ''}boxcar {self.smoothing:g} s wide"
            smooth = f"were smoothed by {kind}, renormalised at the edges"
        trials = span(self.n.min(), self.n.max())
        return (
            f"Rates are spikes in bins of {self.bin:g} s around the event, from "
            f"{float(self.rate['time'][0]) - self.bin / 2:g} to {float(self.rate['time'][-1]) + self.bin / 2:g} s, and "
            f"{smooth}. Means are over {trials} trials of each of {self.rate.sizes['condition']} conditions, with the "
            f"standard error over trials. (artiphys {self.version})"
        )
