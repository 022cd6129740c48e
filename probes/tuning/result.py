"""Tuning: curves of every unit, preferred values, selectivity and information."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np
import pandas as pd
import xarray as xr

from artiphys.array_types import ActivityLike, Array, TrialValues
from artiphys.border import border
from artiphys.errors import InputError, StatisticsError, unknown
from artiphys.probes.data.confounds import Confounds
from artiphys.probes.data.design import groups_of
from artiphys.probes.data.held_units import HeldUnits
from artiphys.probes.data.order_in_time import slow_together
from artiphys.probes.data.unit_axes import UnitAxes
from artiphys.probes.tuning.bumps import Observed
from artiphys.probes.tuning.fits import Fits
from artiphys.probes.tuning.levels import Levels
from artiphys.probes.tuning.maps import marginal_weights, rank_one_share, smoothed
from artiphys.probes.tuning.points import cleaned
from artiphys.probes.tuning.two_way import Design, TwoWay, two_way
from artiphys.stats.intervals import t_interval
from artiphys.stats.p_values import false_discovery
from artiphys.stats.permutations import PermutationTest, Tested, whole_count
from artiphys.stats.seeds import Seed, whole_seed
from artiphys.stats.text import brief, span
from artiphys.user_warnings import warn


@dataclass(frozen=True, repr=False)
class Tuning(Fits, Tested):
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
    min_occupancy : int
        Trials that a value needs: below it curves are NaN.
    smoothing : tuple of float
        Standard deviations of the Gaussian over each stimulus, in bins; 0 for none.
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
    min_occupancy: int = 1
    smoothing: tuple[float, ...] = ()
    cells: Observed | None = field(default=None, repr=False, compare=False)
    filters: tuple[Array, ...] | list[Array] = field(default=(), repr=False, compare=False)
    axes: UnitAxes | None = field(default=None, repr=False, compare=False)
    removed: Confounds | None = field(default=None, repr=False, compare=False)
    groups: Array | None = field(default=None, repr=False, compare=False)
    averaged_over: str = ""

    def __repr__(self) -> str:
        p = "" if self.p_value is None else f", {int((self.p_fdr < 0.05).sum())} significant after FDR"
        shape = " x ".join(str(size) for size in self.n.shape)
        return (
            f"Tuning of {self.eta_squared.size} units to {shape} {self.kind} stimulus values: selectivity "
            f"{brief(self.eta_squared)}{p}"
        )

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
        assert self.cells is not None
        if len(self.filters):
            count = smoothed(self.cells, self.n.shape, self.filters)[2]
        else:
            count = np.asarray(self.cells.count, dtype=float)
        df = np.maximum(count.reshape(self.curves.shape) - 1, 1)
        low, high = t_interval(self.curves.to_numpy(), self.sem.to_numpy(), df, confidence)
        return self.curves.copy(data=low), self.curves.copy(data=high)

    @border
    def marginal(self, stimulus: str) -> Tuning:
        """Tuning to one of two stimuli: curves averaged over the other one's values, each weighed alike.

        Where combinations were not visited, those are filled by the sum of an effect of either stimulus (least squares
        over visited ones). Of what was not smoothed. `effects` has its p.

        Raises
        ------
        InputError, StatisticsError
            `StatisticsError` where the visited combinations fall into parts without a common value.
        """
        if stimulus not in self.dims:
            raise InputError(unknown("stimulus", stimulus, self.dims))
        if len(self.dims) == 1:
            return self
        assert self.cells is not None
        axis, visited = self.dims.index(stimulus), self.visited.to_numpy()
        (level,) = (lv for lv in self.levels if lv.name == stimulus)
        weights = marginal_weights(visited, axis)[:, visited.ravel()]
        mean, var, count = (np.asarray(a)[:, visited.ravel()] for a in self.cells.arrays)
        observed = mean.min(axis=1, keepdims=True), mean.max(axis=1, keepdims=True)
        made = np.clip(mean @ weights.T, *observed)  # what is filled in stays within what was seen
        error = np.sqrt((var / count) @ (weights**2).T)
        n = self.n.where(self.visited, 0).sum(self.dims[1 - axis])
        like = self.curves.isel({self.dims[1 - axis]: 0}, drop=True)
        curves = like.copy(data=made.reshape(like.shape))
        between = self.cells.mean[:, visited.ravel()].var(axis=1)
        with np.errstate(invalid="ignore", divide="ignore"):
            share = np.where(between > 0, np.minimum(np.nanvar(made, axis=1) / between, 1.0), 0.0)
        trials = np.broadcast_to(n.to_numpy().astype(float), made.shape)
        return replace(
            self, curves=curves, sem=curves.copy(data=error.reshape(like.shape)), n=n, p_value=None,
            eta_squared=self.eta_squared * share.reshape(self.eta_squared.shape), kind=level.kind, period=level.period,
            test=PermutationTest(seed=self.seed), levels=(level,), min_occupancy=1, smoothing=(0.0,),
            cells=Observed(made, error**2 * trials, trials), filters=(), averaged_over=self.dims[1 - axis],
        )  # fmt: skip

    def separability(self, about_mean: bool = False) -> xr.DataArray:
        """Share of the power of a curve over two stimuli that is a product of two curves, 0 to 1.

        Of the raw map a flat part counts as a product, so that any map on a high baseline is separable; of the map
        about its mean it does not, but then the sum of two curves is no product either. With combinations that were
        not visited the product is fitted to the others by least squares.

        Parameters
        ----------
        about_mean : bool
            Take the mean over visited combinations off first.
        """
        if len(self.dims) != 2:
            raise InputError("separability is of curves over two stimuli")
        maps = self.curves.to_numpy()
        return self.of_unit(rank_one_share(maps.reshape(-1, *self.n.shape), about_mean).reshape(maps.shape[:-2]))

    @border
    def effects(
        self,
        *,
        n_permutations: int = 999,
        seed: Seed = 0,
        groups: TrialValues | None = None,
        activity: ActivityLike | None = None,
    ) -> TwoWay:
        """Tests of either of two stimuli given the other, and of their interaction; see `TwoWay`.

        Parameters
        ----------
        n_permutations, seed : int
        groups : array or str, optional
            Trials of one group share a source; by default those of `tuning_curves`.
        activity : optional
            The activity again, where it was large and is gone.
        """
        if len(self.dims) != 2 or self.units is None:
            raise InputError("effects and their interaction are of two stimuli; pass tuning_curves a mapping of two")
        if self.scheme == "circular shifts" and groups is None:
            raise StatisticsError("slow trials cannot be turned here; pass groups= of neighbouring trials to effects")
        units = self.units.units(activity)
        own = self.groups if groups is None else None
        every = groups_of(groups, units.first) if own is None else own
        cell = np.ravel_multi_index([lv.of_trial for lv in self.levels], self.n.shape)
        rows = self.visited.to_numpy().ravel()[cell]
        rows_of = np.stack([lv.of_trial[rows] for lv in self.levels])
        if every is None:
            some = units.first.isel(trial=np.flatnonzero(rows))
            drift = slow_together(cell[rows].astype(str), some, np.arange(int(rows.sum())), None)
            if drift:
                warn(drift.replace("exchange='shift'", "groups= of neighbouring trials"))
        blocks = (cleaned(block, self.removed)[rows] for _, block in units.blocks())
        lost = self.removed.values.shape[1] if self.removed is not None else 0
        design = Design(rows_of, self.dims, None if every is None else every[rows], lost)
        n, shape = whole_count("n_permutations", n_permutations), self.eta_squared.shape
        return two_way(blocks, design, n, whole_seed(seed), lambda v: self.of_unit(v.reshape(shape)))

    def to_dataframe(self) -> pd.DataFrame:
        """One row per unit: its labels along every axis, preferred value, selectivity, p and FDR-adjusted p."""
        if len(self.dims) == 1:
            table = {"preferred": self.preferred()}
        else:
            table = {f"preferred_{d}": self.marginal(d).preferred("peak") for d in self.dims}
        table["selectivity"] = self.eta_squared
        if self.p_value is not None:
            table |= {"p": self.p_value, "p_fdr": self.p_fdr}
        values = pd.DataFrame({name: v.to_numpy().ravel() for name, v in table.items()})
        if self.axes is None:
            return values
        labels = self.axes.table()
        return pd.concat([labels.rename(columns={c: f"unit_{c}" for c in labels if c in values}), values], axis=1)

    def methods_text(self) -> str:
        """A paragraph fit for a methods section."""
        statistic = "Brown and Forsythe's F*" if self.scheme.startswith("signs") else "Welch's F"
        what = "drawing signs" if self.scheme.startswith("signs") else "permuting the stimulus"
        test = (
            f" Tuning was tested by {what} {self.n_permutations} times ({self.scheme}; {statistic})."
            if self.n_permutations
            else ""
        )
        n = self.n.where(self.visited, drop=False)
        trials, visited = span(n.min(), n.max()), int(self.visited.sum())
        left = f", of which {visited} were visited" if visited < self.n.size else ""
        over = f", averaged over {self.averaged_over}" if self.averaged_over else ""
        if self.min_occupancy > 1:
            left += f" by at least {self.min_occupancy} trials"
        if any(self.smoothing):
            width = " x ".join(f"{s:g}" for s in self.smoothing)
            over += f", smoothed by a Gaussian of {width} bins (summed activity and occupancy apart)"
        return (
            f"Tuning curves are mean activity at {self.n.size} {self.kind} stimulus values{left} ({trials} trials "
            f"each){over}, with the standard error over trials{self.confounds}; selectivity is eta squared."
            f"{test} (artiphys {self.version})"
        )
