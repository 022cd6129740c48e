"""Correlations: of signal and noise between units, and Fano factors."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
import xarray as xr

from artiphys.border import border
from artiphys.errors import InputError, StatisticsError, unknown
from artiphys.stats.intervals import check_confidence, t_interval, t_interval_each
from artiphys.stats.p_values import false_discovery
from artiphys.stats.permutations import PermutationTest, Tested
from artiphys.stats.text import brief

WHAT = ("noise", "signal", "fano")


@dataclass(frozen=True, repr=False)
class Correlations(Tested):
    """Correlations of all pairs of units ``(unit, other)``, with NaN on the diagonal.

    Attributes
    ----------
    signal, signal_stderr, signal_p : DataArray ``(unit, other)``
        Correlation of true tuning curves, its jackknife error over trials, and two-sided p of their covariance. NaN
        where a unit is not tuned beyond its noise. Beyond -1 or 1 by chance, where noise is large.
    reliability : DataArray ``(unit,)``
        Share of the variance of a unit's estimated curve that is no noise. Signal correlations of units with little are
        uncertain, as their intervals say.
    noise, noise_stderr, noise_df, noise_p : DataArray ``(unit, other)``
        Correlation of residuals, its error on Fisher's scale, degrees of freedom, and permutation p (or None).
    mean_noise, mean_noise_stderr, mean_noise_p : float
        Mean over pairs, with its error over trials and its permutation p.
    fano, fano_log_stderr, fano_df, fano_p : DataArray ``(unit,)`` or None
        Variance over mean of counts; None where activity is no counts. p is two-sided, of counts being Poisson.
    test : PermutationTest
    """

    signal: xr.DataArray
    signal_stderr: xr.DataArray
    signal_p: xr.DataArray
    signal_df: int
    reliability: xr.DataArray
    noise: xr.DataArray
    noise_stderr: xr.DataArray
    noise_df: xr.DataArray
    noise_p: xr.DataArray | None
    mean_noise: float
    mean_noise_stderr: float
    mean_noise_p: float
    fano: xr.DataArray | None
    fano_log_stderr: xr.DataArray | None
    fano_df: xr.DataArray | None
    fano_p: xr.DataArray | None
    stimulus: str
    n_stimuli: int
    n_trials: int
    grouped: bool
    test: PermutationTest
    version: str

    def __repr__(self) -> str:
        fano = "" if self.fano is None else f", Fano factors {brief(self.fano)}"
        return (
            f"Correlations of {self.noise.sizes['unit']} units over {self.n_trials} trials of {self.n_stimuli} "
            f"stimuli: noise {self.mean_noise:.3g} on average, signal {brief(self.signal)}{fano}"
        )

    @border
    def interval(self, what: str = "noise", confidence: float = 0.95) -> tuple[xr.DataArray, xr.DataArray]:
        """Lower and upper ends of "noise" or "signal" correlations or "fano" factors, each by itself.

        Noise correlations by Fisher's z, signal correlations by the jackknife (for these stimuli, over trials), Fano
        factors on the logarithm.
        """
        check_confidence(confidence)
        if what == "noise":
            middle = np.arctanh(np.clip(self.noise.to_numpy(), -1 + 1e-15, 1 - 1e-15))
            low, high = t_interval(middle, self.noise_stderr.to_numpy(), np.inf, confidence)
            return self.noise.copy(data=np.tanh(low)), self.noise.copy(data=np.tanh(high))
        if what == "signal":
            low, high = t_interval(self.signal.to_numpy(), self.signal_stderr.to_numpy(), self.signal_df, confidence)
            return self.signal.copy(data=low), self.signal.copy(data=high)
        if what != "fano":
            raise InputError(unknown("measure", what, WHAT))
        value = self.fano_factors()
        assert self.fano_log_stderr is not None and self.fano_df is not None
        with np.errstate(divide="ignore"):
            log = np.log(value.to_numpy())
        df = np.maximum(self.fano_df.to_numpy(), 1.0)
        low, high = t_interval_each(log, self.fano_log_stderr.to_numpy(), df, confidence)
        return value.copy(data=np.exp(low)), value.copy(data=np.exp(high))

    @border
    def mean_interval(self, confidence: float = 0.95) -> tuple[float, float]:
        """Ends of the interval of the mean noise correlation over pairs; over trials, for these units."""
        df = float(np.nanmax(self.noise_df.to_numpy()))
        low, high = t_interval(np.array(self.mean_noise), np.array(self.mean_noise_stderr), df, confidence)
        return float(low), float(high)

    def fano_factors(self) -> xr.DataArray:
        """Variance over mean of counts ``(unit,)``.

        Raises
        ------
        InputError
            If activity was no counts.
        """
        if self.fano is None:
            raise InputError(
                "Fano factors are of spike counts, and this activity is negative or no whole numbers; give counts "
                "(rates times the width of their window), not rates or smoothed or standardised activity"
            )
        return self.fano

    @property
    def noise_p_fdr(self) -> xr.DataArray:
        """p of noise correlations, adjusted for the number of pairs (Benjamini & Hochberg 1995)."""
        if self.noise_p is None:
            raise StatisticsError("there are no p-values of noise; call correlations with n_permutations=200 or more")
        return _adjusted(self.noise_p)

    @property
    def signal_p_fdr(self) -> xr.DataArray:
        """p of signal correlations, adjusted for the number of pairs that have one."""
        return _adjusted(self.signal_p)

    def to_dataframe(self) -> pd.DataFrame:
        """One row per pair of units; `units_dataframe` has those of single ones."""
        first, second = np.triu_indices(self.noise.sizes["unit"], 1)
        names = self.noise["unit"].to_numpy()
        columns: dict[str, xr.DataArray] = {"signal": self.signal}
        columns["signal_low"], columns["signal_high"] = self.interval("signal")
        columns |= {"signal_p": self.signal_p, "noise": self.noise}
        columns["noise_low"], columns["noise_high"] = self.interval("noise")
        if self.noise_p is not None:
            columns |= {"noise_p": self.noise_p, "noise_p_fdr": self.noise_p_fdr}
        table = pd.DataFrame({"unit": names[first], "other": names[second]})
        return table.assign(**{name: a.to_numpy()[first, second] for name, a in columns.items()})

    def units_dataframe(self) -> pd.DataFrame:
        """One row per unit: reliability of its curve, and its Fano factor where activity was counts."""
        table = pd.DataFrame({"unit": self.reliability["unit"].to_numpy(), "reliability": self.reliability.to_numpy()})
        if self.fano is not None:
            low, high = self.interval("fano")
            table = table.assign(fano=self.fano.to_numpy(), fano_low=low.to_numpy(), fano_high=high.to_numpy())
        if self.fano_p is not None:
            table = table.assign(fano_p=self.fano_p.to_numpy())
        return table

    def methods_text(self) -> str:
        """A paragraph fit for a methods section."""
        within = "stimulus and group" if self.grouped else "stimulus"
        test = ""
        if self.n_permutations:
            test = f" Noise correlations were tested two-sided by {self.n_permutations} shuffles ({self.scheme})" + (
                ", Fano factors against Poisson counts of the same sums." if self.fano is not None else "."
            )
        fano = ""
        if self.fano is not None:
            fano = f" Fano factors are variance over mean within each {within}, with intervals on the logarithm."
        return (
            f"Signal correlations of {self.noise.sizes['unit']} units over {self.n_stimuli} stimuli are of covariances "
            "of mean responses less the noise covariance of these means, with a jackknife over trials; p is of the "
            f"covariance. Noise correlations are of residuals standardised within each {within} ({self.n_trials} "
            f"trials), corrected for their bias, with intervals by Fisher's z.{fano}{test} (artiphys {self.version})"
        )


def _adjusted(p: xr.DataArray) -> xr.DataArray:
    values = p.to_numpy()
    first, second = np.triu_indices(len(values), 1)
    known = np.isfinite(values[first, second])
    adjusted = np.full(values.shape, np.nan)
    if known.any():
        i, j = first[known], second[known]
        adjusted[i, j] = adjusted[j, i] = false_discovery(values[i, j])
    return p.copy(data=adjusted)
