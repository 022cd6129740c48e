"""Tuning: curves of every unit, preferred values, selectivity and information."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from artiphys.array_types import ActivityLike, Array
from artiphys.border import border
from artiphys.errors import InputError, StatisticsError, unknown
from artiphys.probes.data.held_units import HeldUnits
from artiphys.probes.mutual_information.tables import Information
from artiphys.probes.mutual_information.units import UnitInformation, shannon_information, skaggs_information
from artiphys.probes.tuning.bump_fits import cosine_phase, fit_bumps
from artiphys.probes.tuning.levels import Levels
from artiphys.probes.tuning.selectivity import circular_selectivity, full_turn, rates_of, sparseness
from artiphys.stats.intervals import t_interval
from artiphys.stats.p_values import false_discovery
from artiphys.stats.permutations import PermutationTest, Tested
from artiphys.stats.text import brief, span


@dataclass(frozen=True, repr=False)
class Tuning(Tested):
    """Tuning of every unit.

    Attributes
    ----------
    curves, sem : DataArray ``(..., unit, stimulus)``
        Mean activity and its standard error over trials, in the site's own units. With two stimuli the last
        two axes bear their names.
    n : DataArray ``(stimulus,)``
        Trials behind each value.
    p_value : DataArray ``(..., unit)`` or None
        Permutation p of Welch's F; None without permutations. From 20 units on the null is pooled over
        units: F is studentised, so that units share it, and p can be small enough for many tests.
    test : PermutationTest
        Scheme, number and seed of the permutations, and the smallest p that can be attained.
    eta_squared : DataArray ``(..., unit)``
    kind : "categorical", "linear" or "circular", of each stimulus
    """

    curves: xr.DataArray
    sem: xr.DataArray
    n: xr.DataArray
    p_value: xr.DataArray | None
    eta_squared: xr.DataArray
    kind: str
    period: float
    test: PermutationTest
    version: str
    levels: tuple[Levels, ...] = field(default=(), repr=False)
    confounds: str = ""
    units: HeldUnits | None = field(default=None, repr=False, compare=False)

    def __repr__(self) -> str:
        p = "" if self.p_value is None else f", {int((self.p_fdr < 0.05).sum())} significant after FDR"
        shape = " x ".join(str(size) for size in self.n.shape)
        return (
            f"Tuning of {self.eta_squared.size} units to {shape} {self.kind} stimulus values: selectivity "
            f"{brief(self.eta_squared)}{p}"
        )

    @property
    def dims(self) -> tuple[str, ...]:
        """Names of the stimulus axes."""
        return tuple(str(d) for d in self.n.dims)

    @property
    def p_fdr(self) -> xr.DataArray:
        """p-values adjusted for the number of units (Benjamini & Hochberg 1995, Controlling the false discovery rate).

        Raises
        ------
        StatisticsError
            Without permutations.
        """
        if self.p_value is None:
            raise StatisticsError("there are no p-values; call tuning_curves with n_permutations=200 or more")
        return self.p_value.copy(data=false_discovery(self.p_value.to_numpy()))

    @border
    def interval(self, confidence: float = 0.95) -> tuple[xr.DataArray, xr.DataArray]:
        """Lower and upper ends of every point of the curves, t with (trials - 1) degrees of freedom."""
        df = np.maximum(self.n.to_numpy() - 1, 1)
        low, high = t_interval(self.curves.to_numpy(), self.sem.to_numpy(), df, confidence)
        return self.curves.copy(data=low), self.curves.copy(data=high)

    @border
    def marginal(self, stimulus: str) -> Tuning:
        """Tuning to one of two stimuli: curves averaged over the other one's values, each weighed alike."""
        if stimulus not in self.dims:
            raise InputError(unknown("stimulus", stimulus, self.dims))
        if len(self.dims) == 1:
            return self
        (other,) = (d for d in self.dims if d != stimulus)
        (level,) = (lv for lv in self.levels if lv.name == stimulus)
        curves = self.curves.mean(other)
        between = self.curves.var(self.dims)
        share = (curves.var(stimulus) / between.where(between > 0)).fillna(0.0) * self.eta_squared
        return Tuning(
            curves, (self.sem**2).sum(other) ** 0.5 / int(self.n.sizes[other]), self.n.sum(other), None, share,
            level.kind, level.period, PermutationTest(seed=self.seed), self.version, (level,), self.confounds,
            units=self.units,
        )  # fmt: skip

    def separability(self) -> xr.DataArray:
        """Share of the power of a curve over two stimuli that is a product of two curves, 0 to 1."""
        if len(self.dims) != 2:
            raise InputError("separability is of curves over two stimuli")
        power = np.linalg.svd(self.curves.to_numpy(), compute_uv=False) ** 2
        total = power.sum(axis=-1)
        with np.errstate(invalid="ignore", divide="ignore"):
            return self.of_unit(np.where(total > 0, power[..., 0] / total, np.nan))

    @border
    def preferred(self, method: str = "auto") -> xr.DataArray:
        """Preferred stimulus of each unit; constant units have none: NaN.

        Parameters
        ----------
        method : "auto", "circular mean", "fit" or "peak"
            Of circular stimuli the phase of a cosine fitted to the curve, or the peak of a fitted von Mises
            bump; of linear ones the peak of a fitted Gaussian (from five values on; below, or for text, the value of
            the highest mean).
        """
        single = self._single("preferred")
        x = single.labels
        if method == "auto":
            method = "circular mean" if single.kind == "circular" else "fit"
            if single.kind == "categorical" or (single.kind == "linear" and len(x) < 5):
                method = "peak"
        flat = (self.curves.max(single.name) == self.curves.min(single.name)).to_numpy()
        if method == "fit":
            return self.fit()["preferred"]
        if method == "circular mean":
            if single.kind != "circular":
                raise InputError("a circular mean is of circular stimuli; call tuning_curves with circular=True")
            best = cosine_phase(self.curves.to_numpy(), single.labels, single.period)
        elif method == "peak":
            best = x[self.curves.argmax(single.name).to_numpy()]
        else:
            raise InputError(unknown("method", method, ["auto", "circular mean", "fit", "peak"]))
        chosen = np.where(flat, np.nan, best if best.dtype.kind in "iuf" else best.astype(object))
        return self.of_unit(chosen)

    def fit(self) -> xr.Dataset:
        """Least-squares bump of every unit: a Gaussian, or a von Mises bump for circular stimuli.

        Returns
        -------
        Dataset of ``preferred``, ``width`` (full, at half height) [stimulus units], ``gain``, ``baseline`` [activity]
        and ``r_squared``, each ``(..., unit)``; NaN where no bump fits better than a constant.

        Raises
        ------
        InputError
            Of text, two stimuli, or fewer than four values.
        """
        single = self._single("fit")
        if single.kind == "categorical":
            raise InputError("a bump can be fitted over numbers only; this stimulus is categorical")
        curves = self.curves.to_numpy()
        period = single.period if single.kind == "circular" else None
        flat = curves.reshape(-1, curves.shape[-1])
        fitted = fit_bumps(flat, single.labels.astype(float), self.n.to_numpy().astype(float), period)
        return xr.Dataset({name: self.of_unit(v.reshape(curves.shape[:-1])) for name, v in fitted.items()})

    def width(self) -> xr.DataArray:
        """Full width at half height of the fitted bump [stimulus units]."""
        return self.fit().data_vars["width"]

    def gain(self) -> xr.DataArray:
        """Height of the fitted bump above its baseline [activity]."""
        return self.fit().data_vars["gain"]

    def selectivity(self) -> xr.DataArray:
        """Eta squared, 0 to 1: the share of a unit's variance over trials that the stimulus explains.

        Biased upwards with few trials per value; compare it with its permutation p.
        """
        return self.eta_squared

    @border
    def orientation_selectivity(self, *, baseline: Any = None, rectify: bool = False) -> xr.DataArray:
        """1 minus the circular variance at twice the direction, 0 to 1; of rates; by fit where angles are uneven."""
        single = self._single("orientation selectivity")
        rates = rates_of(self.curves.to_numpy(), len(self.dims), "orientation selectivity", baseline, rectify)
        return self.of_unit(circular_selectivity(rates, *full_turn(single, also_half=True)))

    def direction_selectivity(self, *, baseline: Any = None, rectify: bool = False) -> xr.DataArray:
        """1 minus the circular variance of the direction, 0 to 1; of rates over a full turn."""
        single = self._single("direction selectivity")
        rates = rates_of(self.curves.to_numpy(), len(self.dims), "direction selectivity", baseline, rectify)
        return self.of_unit(circular_selectivity(rates, *full_turn(single, also_half=False)))

    @border
    def lifetime_sparseness(self, *, baseline: Any = None, rectify: bool = False) -> xr.DataArray:
        """How few stimuli drive each unit, 0 to 1; of rates.

        Noise raises it: an untuned Poisson unit of mean m, averaged over K trials, shows 1 / (1 + m K).
        """
        rates = rates_of(self.curves.to_numpy(), len(self.dims), "sparseness", baseline, rectify)
        return self.of_unit(sparseness(rates.reshape(*rates.shape[: -len(self.dims)], -1)))

    def population_sparseness(self, *, baseline: Any = None, rectify: bool = False) -> xr.DataArray:
        """How few units each stimulus drives, 0 to 1: ``(stimulus,)``; of rates."""
        rates = rates_of(self.curves.to_numpy(), len(self.dims), "sparseness", baseline, rectify)
        shape = rates.shape[-len(self.dims) :]
        return self.n.copy(data=sparseness(rates.reshape(-1, *shape), axis=0))

    @border
    def information(
        self,
        method: str = "skaggs",
        *,
        bins: int = 4,
        baseline: Any = None,
        rectify: bool = False,
        activity: ActivityLike | None = None,
    ) -> Information:
        """Information of each unit about the stimulus.

        Parameters
        ----------
        method : "skaggs" or "shannon"
            Skaggs et al. 1993 [bits per spike], of rates, less the bias of few spikes,
            ``F (B - 1) / (2 N ln 2)`` of B values, N spikes and Fano factor F. Or the mutual information [bits] of
            the stimulus and activity in ``bins`` equally filled classes, corrected after Panzeri & Treves 1996.
        activity : optional
            For "shannon", the activity again, where it was large and is gone.
        """
        if method == "shannon":
            if self.confounds:
                raise InputError(
                    "Shannon information is of the activity as it came; call tuning_curves without confounds"
                )
            assert self.units is not None
            level = np.ravel_multi_index([lv.of_trial for lv in self.levels], self.n.shape)
            blocks = (block for _, block in self.units.units(activity).blocks())
            return self._information(shannon_information(blocks, level, self.n.size, bins), "panzeri-treves")
        if method != "skaggs":
            raise InputError(unknown("method", method, ["skaggs", "shannon"]))
        rates = rates_of(self.curves.to_numpy(), len(self.dims), "Skaggs information", baseline, rectify)
        flat = rates.reshape(-1, self.n.size)
        sem = self.sem.to_numpy().reshape(-1, self.n.size)
        return self._information(skaggs_information(flat, sem, self.n.to_numpy().astype(float).ravel()), "skaggs")

    def _information(self, information: UnitInformation, method: str) -> Information:
        shape = self.eta_squared.shape
        value, stderr, bias = (
            self.of_unit(a.reshape(shape)) for a in (information.bits, information.stderr, information.bias)
        )
        return Information(value, stderr, bias, method, information.n_trials)

    def _single(self, what: str) -> Levels:
        if len(self.levels) != 1:
            raise InputError(f"{what} is of one stimulus; choose one: tuning.marginal({self.dims[0]!r})")
        return self.levels[0]

    def of_unit(self, values: Array) -> xr.DataArray:
        """One value per unit, labelled."""
        like = self.curves.isel(dict.fromkeys(self.dims, 0), drop=True)
        return xr.DataArray(values, dims=like.dims, coords=like.coords)

    def to_dataframe(self) -> pd.DataFrame:
        """One row per unit: preferred value, selectivity, p and FDR-adjusted p."""
        if len(self.dims) == 1:
            table = pd.DataFrame({"preferred": self.preferred().to_numpy().ravel()})
        else:
            table = pd.DataFrame(
                {f"preferred_{d}": self.marginal(d).preferred("peak").to_numpy().ravel() for d in self.dims}
            )
        table["selectivity"] = self.eta_squared.to_numpy().ravel()
        if "site" in self.curves.coords:
            table.insert(0, "site", self.curves["site"].to_numpy())
            table.insert(1, "index", self.curves["index"].to_numpy())
        if self.p_value is not None:
            table["p"] = self.p_value.to_numpy().ravel()
            table["p_fdr"] = self.p_fdr.to_numpy().ravel()
        return table

    def methods_text(self) -> str:
        """A paragraph fit for a methods section."""
        test = (
            f" Tuning was tested by permuting the stimulus {self.n_permutations} times ({self.scheme}; Welch's F)."
            if self.n_permutations
            else ""
        )
        trials = span(self.n.min(), self.n.max())
        return (
            f"Tuning curves are mean activity at {self.n.size} {self.kind} stimulus values ({trials} trials each), "
            f"with the standard error over trials{self.confounds}; selectivity is eta squared."
            f"{test} (artiphys {self.version})"
        )
