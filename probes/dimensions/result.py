"""Dimensionality: participation ratio and eigenspectra."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import pandas as pd
import xarray as xr

from artiphys.border import border
from artiphys.errors import InputError, StatisticsError
from artiphys.stats.intervals import check_confidence, t_interval


@dataclass(frozen=True, repr=False)
class Dimensionality:
    """Dimensionality of activity over trials.

    Attributes
    ----------
    participation_ratio : float
        Of the covariance that infinitely many trials of these units would have; may exceed the number of units by
        chance. NaN where trials are too few to tell.
    naive_participation_ratio : float
        Of the sample covariance, which few trials bound: at most their number less 1.
    log_stderr : float
        Jackknife error of the logarithm of the ratio, over trials or groups.
    variance, variance_stderr : DataArray ``(component,)``, or None without bootstrap
        Variance along principal axes over trials, noise included [squared units of activity]. Of few trials, the first
        are too large and the last too small.
    shared, shared_stderr : DataArray ``(component,)`` or None
        Variance along principal axes that repeats of the stimuli share, below 0 by chance. Noise in the axes makes the
        first too small, and spreads what they miss over the others; the sum is unbiased.
    shared_total : float or None
        Variance over stimuli that repeats share, over all axes.
    """

    participation_ratio: float
    naive_participation_ratio: float
    log_stderr: float
    n_jackknife: int
    variance: xr.DataArray
    variance_stderr: xr.DataArray | None
    shared: xr.DataArray | None
    shared_stderr: xr.DataArray | None
    shared_total: float | None
    n_trials: int
    n_units: int
    n_stimuli: int
    n_splits: int
    n_bootstrap: int
    seed: int
    grouped: bool
    version: str

    def __repr__(self) -> str:
        share = ""
        if self.shared_total is not None:
            part = self.shared_total / float(self.variance.sum())
            share = f"; {part:.0%} of the variance is shared by repeats of {self.n_stimuli} stimuli"
        low, high = self.interval()
        return (
            f"Dimensionality of {self.n_units} units over {self.n_trials} trials: participation ratio "
            f"{self.participation_ratio:.3g} ({low:.3g} to {high:.3g}){share}"
        )

    @border
    def interval(self, confidence: float = 0.95) -> tuple[float, float]:
        """Ends of the interval of the participation ratio, on its logarithm, over trials or groups."""
        check_confidence(confidence)
        if not self.participation_ratio > 0:
            return math.nan, math.nan
        middle, error = np.array(math.log(self.participation_ratio)), np.array(self.log_stderr)
        low, high = t_interval(middle, error, self.n_jackknife - 1, confidence)
        return float(np.exp(low)), float(np.exp(high))

    @border
    def spectrum_interval(self, confidence: float = 0.95, *, shared: bool = False) -> tuple[xr.DataArray, xr.DataArray]:
        """Ends for each component of ``variance``, or of ``shared``: normal, with the error of the bootstrap.

        Over trials or groups; of shared variance, over stimuli.

        Raises
        ------
        StatisticsError
            If there was no bootstrap, or no stimulus.
        """
        check_confidence(confidence)
        value, error = (self.shared, self.shared_stderr) if shared else (self.variance, self.variance_stderr)
        if value is None:
            raise StatisticsError("there is no shared variance; call dimensionality with stimulus=")
        if error is None:
            raise StatisticsError("there are no errors; call dimensionality with n_bootstrap=100 or more")
        value = value[: len(error)]
        low, high = t_interval(value.to_numpy(), error.to_numpy(), math.inf, confidence)
        return value.copy(data=low), value.copy(data=high)

    @border
    def power_law(self, first: int = 1, last: int | None = None) -> float:
        """Exponent a of shared variance falling as ``component ** -a``, by a line through its logarithm.

        Parameters
        ----------
        first, last : int
            Components that are fitted, from 1 on; up to the last by default.

        Raises
        ------
        StatisticsError
            If there is no shared variance, or it is not above 0 in that range.
        """
        if self.shared is None:
            raise StatisticsError("there is no shared variance; call dimensionality with stimulus=")
        last = len(self.shared) if last is None else last
        if not 1 <= first < last <= len(self.shared):
            raise InputError(f"components {first} to {last} came; wanted two or more of 1 to {len(self.shared)}")
        values = self.shared.to_numpy()[first - 1 : last]
        if (values <= 0).any():
            below = first + int(np.flatnonzero(values <= 0)[0])
            raise StatisticsError(
                f"shared variance is not above 0 at component {below}: it has sunk into noise. Fit components before it"
            )
        rank = np.log(np.arange(first, last + 1))
        return -float(np.polyfit(rank, np.log(values), 1, w=np.sqrt(1 / np.arange(first, last + 1)))[0])

    def to_dataframe(self) -> pd.DataFrame:
        """One row per component: variance, its share, and shared variance."""
        table = pd.DataFrame({"component": self.variance["component"].to_numpy(), "variance": self.variance.to_numpy()})
        table["share"] = table["variance"] / table["variance"].sum()
        for name in ("variance_stderr", "shared", "shared_stderr"):
            values = getattr(self, name)
            if values is not None:
                table[name] = pd.Series(values.to_numpy())
        return table

    def methods_text(self) -> str:
        """A paragraph fit for a methods section."""
        over = "groups" if self.grouped else "trials"
        shared = ""
        if self.shared is not None:
            shared = (
                f" Variance shared by repeats of {self.n_stimuli} stimuli is from cross-validated PCA (Stringer et al. "
                f"2019), averaged over {self.n_splits} halvings of the repeats, with errors over stimuli."
            )
        return (
            f"The participation ratio of {self.n_units} units over {self.n_trials} trials is the ratio of unbiased "
            f"estimates of its parts, with a jackknife over {over} on the logarithm.{shared} Errors of spectra are "
            f"from {self.n_bootstrap} bootstrap samples. (artiphys {self.version})"
        )
