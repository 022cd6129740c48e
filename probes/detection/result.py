"""Detection: d', AUC and their intervals for every unit."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr
from scipy.special import expit, logit
from scipy.stats import norm, t

from artiphys.array_types import ActivityLike, Array
from artiphys.border import border
from artiphys.errors import InputError, StatisticsError, unknown
from artiphys.missing import plain_array
from artiphys.probes.data.held_units import HeldUnits
from artiphys.probes.data.unit_axes import UnitAxes
from artiphys.probes.detection.population import Population, population
from artiphys.probes.detection.signal_detection import SignalDetection, signal_detection
from artiphys.stats.intervals import check_confidence
from artiphys.stats.p_values import false_discovery
from artiphys.stats.permutations import PermutationTest, Tested
from artiphys.stats.text import brief


@dataclass(frozen=True, repr=False)
class Detection(Tested):
    """Detectability of a signal in every unit.

    Attributes
    ----------
    d_prime : DataArray ``(..., unit)``
        Difference of means (signal minus noise) by the pooled standard deviation.
    d_a : DataArray
        The same by the root mean square of the two standard deviations, for unequal variances.
    auc : DataArray
        Area under the ROC curve, .5 without a difference; with ``within`` the choice probability.
    p_value : DataArray or None
        Two-sided, from permutations of AUC - .5 over its standard error, which holds with unequal variances
        (Neubert & Brunner 2007, A studentized permutation test for the non-parametric Behrens-Fisher problem).
    test : PermutationTest
        Scheme, number and seed of the permutations, and the smallest p that can be attained.
    signal, noise : str
        Names of the two conditions.
    """

    d_prime: xr.DataArray
    d_a: xr.DataArray
    auc: xr.DataArray
    p_value: xr.DataArray | None
    stderr: xr.Dataset
    signal: str
    noise: str
    n_signal: int
    n_noise: int
    within: int
    test: PermutationTest
    version: str
    labels: Array = field(repr=False, compare=False)
    units: HeldUnits = field(repr=False, compare=False)
    axes: UnitAxes = field(repr=False, compare=False)

    def __repr__(self) -> str:
        p = "" if self.p_value is None else f", {int((self.p_fdr < 0.05).sum())} significant after FDR"
        return (
            f"Detection of {self.signal!r} against {self.noise!r} in {self.auc.size} units: d' {brief(self.d_prime)}, "
            f"AUC {brief(self.auc)}{p}"
        )

    @border
    def interval(self, what: str = "auc", confidence: float = 0.95) -> tuple[xr.DataArray, xr.DataArray]:
        """Lower and upper ends for each unit of "auc", "d_prime" or "d_a".

        Of AUC on the logit scale, with as many degrees of freedom as the smaller condition has; else normal.
        """
        if what not in ("auc", "d_prime", "d_a"):
            raise InputError(unknown("measure", what, ["auc", "d_prime", "d_a"]))
        check_confidence(confidence)
        z = norm.ppf(0.5 + confidence / 2)
        value, error = getattr(self, what), self.stderr[what]
        if what != "auc":
            return value - z * error, value + z * error
        n = min(self.n_signal, self.n_noise)
        factor = t.ppf(0.5 + confidence / 2, n - 1)
        least = 0.5 / (self.n_signal * self.n_noise)
        inside = value.clip(least, 1 - least)
        middle, half = logit(inside), factor * error / (inside * (1 - inside))
        # Perfect separation leaves no variance, but is not certain: the end is where n trials of n would be as rare.
        rare = ((1 - confidence) / 2) ** (1 / n)
        low = np.where(value >= 1 - least, rare, np.where(value <= least, 0.0, expit(middle - half)))
        high = np.where(value >= 1 - least, 1.0, np.where(value <= least, 1 - rare, expit(middle + half)))
        return value.copy(data=low), value.copy(data=high)

    @property
    def p_fdr(self) -> xr.DataArray:
        """p-values adjusted for the number of units (Benjamini & Hochberg 1995)."""
        if self.p_value is None:
            raise StatisticsError("there are no p-values; call detectability with n_permutations=200 or more")
        return self.p_value.copy(data=false_discovery(self.p_value.to_numpy()))

    @border
    def population(self, *, shuffled: bool = False, activity: ActivityLike | None = None) -> Population:
        """Discriminability by all units together, bias-corrected; with ``shuffled`` as if their noise were independent.

        ``activity`` is the activity again, where it was large and is gone.

        Raises
        ------
        StatisticsError
            If there are too few trials for the number of units.
        """
        if self.within > 1:
            raise StatisticsError("population d' is not defined within strata; call detectability without within")
        blocks = np.concatenate([x for _, x in self.units.units(activity).blocks()], axis=1)
        return population(blocks, self.labels, shuffled=shuffled)

    def at(self, threshold: Any, *, activity: ActivityLike | None = None) -> SignalDetection:
        """Hits and false alarms of an observer that reports a signal where activity is above ``threshold``.

        A number, or one for each unit; rates, d', criterion and likelihood ratio of each unit. ``activity`` is the
        activity again, where it was large and is gone.
        """
        thresholds = plain_array(threshold)
        if thresholds.dtype.kind not in "biuf" or np.isnan(thresholds).any():
            raise InputError(f"threshold came as {threshold!r}; wanted a number, or one per unit")
        if thresholds.ndim and thresholds.shape != self.auc.shape:
            raise InputError(f"threshold came with shape {thresholds.shape}; wanted a number, or {self.auc.shape}")
        level = np.broadcast_to(thresholds, self.auc.shape).ravel()
        blocks = self.units.units(activity).blocks()
        counts = np.concatenate(
            [[(x[self.labels == k] > level[where]).sum(axis=0) for k in (1, 0)] for where, x in blocks], axis=1
        )
        hits, alarms = (a.reshape(self.auc.shape) for a in counts)
        return signal_detection(hits, self.n_signal - hits, alarms, self.n_noise - alarms)

    def to_dataframe(self) -> pd.DataFrame:
        """One row per unit: its labels along all axes, d', AUC with its interval, p."""
        low, high = self.interval()
        columns = {"d_prime": self.d_prime, "d_a": self.d_a, "auc": self.auc, "auc_low": low, "auc_high": high}
        table = self.axes.table().assign(**{name: a.to_numpy().ravel() for name, a in columns.items()})
        if self.p_value is not None:
            table = table.assign(p=self.p_value.to_numpy().ravel(), p_fdr=self.p_fdr.to_numpy().ravel())
        return table

    def methods_text(self) -> str:
        """A paragraph fit for a methods section."""
        within = f", within each of {self.within} stimuli (choice probability)" if self.within > 1 else ""
        test = ""
        if self.n_permutations:
            test = (
                f" p-values are two-sided, from {self.n_permutations} permutations of the labels ({self.scheme}) "
                "of the studentised AUC."
            )
        return (
            f"Detectability compares {self.n_signal} trials of {self.signal!r} with {self.n_noise} of "
            f"{self.noise!r}{within}: d', and the area under the ROC curve with DeLong's variance on the logit scale."
            f"{test} (artiphys {self.version})"
        )
