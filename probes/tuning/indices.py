"""Indices: what one number says of a tuning curve; the part of `Tuning` that has no test and no fit."""

from __future__ import annotations

from typing import Any

import numpy as np
import xarray as xr

from artiphys.array_types import ActivityLike, Array
from artiphys.border import border
from artiphys.errors import InputError, unknown
from artiphys.probes.data.held_units import HeldUnits
from artiphys.probes.mutual_information.tables import Information
from artiphys.probes.mutual_information.units import UnitInformation, shannon_information, skaggs_information
from artiphys.probes.tuning.bumps import Observed
from artiphys.probes.tuning.levels import Levels
from artiphys.probes.tuning.maps import smoothed_information
from artiphys.probes.tuning.selectivity import (
    circular_selectivity,
    contrast_index,
    full_turn,
    rates_of,
    sparseness,
)


class Indices:
    """Indices of curves; mixed into `Tuning`."""

    curves: xr.DataArray
    sem: xr.DataArray
    n: xr.DataArray
    eta_squared: xr.DataArray
    levels: tuple[Levels, ...]
    confounds: str
    units: HeldUnits | None
    min_occupancy: int
    cells: Observed | None
    filters: tuple[Array, ...] | list[Array]

    @property
    def dims(self) -> tuple[str, ...]:
        """Names of the stimulus axes."""
        return tuple(str(d) for d in self.n.dims)

    @property
    def visited(self) -> xr.DataArray:
        """Whether at least ``min_occupancy`` trials showed each stimulus value: bool ``(stimulus,)``."""
        return self.n >= self.min_occupancy

    def of_unit(self, values: Array) -> xr.DataArray:
        """One value per unit, labelled."""
        like = self.curves.isel(dict.fromkeys(self.dims, 0), drop=True)
        return xr.DataArray(values, dims=like.dims, coords=like.coords)

    def single(self, what: str) -> Levels:
        """The only stimulus; `InputError` if there are two."""
        if len(self.levels) != 1:
            raise InputError(f"{what} is of one stimulus; choose one: tuning.marginal({self.dims[0]!r})")
        return self.levels[0]

    def selectivity(self) -> xr.DataArray:
        """Eta squared, 0 to 1: the share of a unit's variance over trials that the stimulus explains.

        Biased upwards with few trials per value; compare it with its permutation p.
        """
        return self.eta_squared

    @border
    def orientation_selectivity(self, *, baseline: Any = None, rectify: bool = False) -> xr.DataArray:
        """1 minus the circular variance at twice the direction, 0 to 1; of rates; by fit where angles are uneven."""
        return self._circular("orientation selectivity", baseline, rectify, also_half=True)

    @border
    def direction_selectivity(self, *, baseline: Any = None, rectify: bool = False) -> xr.DataArray:
        """1 minus the circular variance of the direction, 0 to 1; of rates over a full turn."""
        return self._circular("direction selectivity", baseline, rectify, also_half=False)

    def _circular(self, what: str, baseline: Any, rectify: bool, also_half: bool) -> xr.DataArray:
        angle, stimulus = full_turn(self.single(what), also_half)
        seen = self.visited.to_numpy()
        return self.of_unit(
            circular_selectivity(self._rates(what, baseline, rectify)[..., seen], angle[seen], stimulus[seen])
        )

    @border
    def direction_index(self, *, baseline: Any = None, rectify: bool = False) -> xr.DataArray:
        """(Rp - Rn) / (Rp + Rn) of the preferred direction, that of the highest mean, and the opposite one; of rates.

        0 to 1. The highest of noisy means is above its own expectation, so an untuned unit shows more than 0. NaN for
        silent units.

        Raises
        ------
        InputError
            Where the opposite of some direction was not shown, or the period is no full turn.
        """
        what = "the direction index"
        level = self.single(what)
        full_turn(level, also_half=False)
        rates = self._rates(what, baseline, rectify)
        return self.of_unit(contrast_index(rates, level.labels, level.period, [level.period / 2]))

    @border
    def orientation_index(self, *, baseline: Any = None, rectify: bool = False) -> xr.DataArray:
        """(Rp - Ro) / (Rp + Ro) of the preferred angle, that of the highest mean, and those at right angles; of rates.

        Of directions Ro is the mean of both directions at right angles (Niell & Stryker 2008, Highly selective
        receptive fields in mouse visual cortex). Biased and NaN as `direction_index`.

        Raises
        ------
        InputError
            Where an angle at right angles to some angle was not shown.
        """
        what = "the orientation index"
        level = self.single(what)
        doubled, angle = full_turn(level, also_half=True)
        of_directions = not np.allclose(doubled, angle)
        apart = [level.period / 4, -level.period / 4] if of_directions else [level.period / 2]
        rates = self._rates(what, baseline, rectify)
        return self.of_unit(contrast_index(rates, level.labels, level.period, apart))

    @border
    def lifetime_sparseness(self, *, baseline: Any = None, rectify: bool = False) -> xr.DataArray:
        """How few stimuli drive each unit, 0 to 1; of rates.

        Noise raises it: an untuned Poisson unit of mean m, averaged over K trials, shows 1 / (1 + m K).
        """
        return self.of_unit(sparseness(self._flat(self._rates("sparseness", baseline, rectify))))

    @border
    def population_sparseness(self, *, baseline: Any = None, rectify: bool = False) -> xr.DataArray:
        """How few units each stimulus drives, 0 to 1: ``(stimulus,)``; of rates."""
        rates = self._rates("sparseness", baseline, rectify)
        return self.n.copy(data=sparseness(rates.reshape(-1, *self.n.shape), axis=0))

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
        """Information of each unit about the stimulus; of two stimuli spatial information, with their occupancy.

        Parameters
        ----------
        method : "skaggs" or "shannon"
            Skaggs et al. 1993 [bits per spike], of rates, less the bias of few spikes,
            ``F (B - 1) / (2 N ln 2)`` of B values, N spikes and Fano factor F. Or the mutual information [bits] of
            the stimulus and activity in ``bins`` equally filled classes, corrected after Panzeri & Treves 1996.
            Skaggs's is of smoothed curves where they are smoothed, with the bias that is left of them.
        activity : optional
            For "shannon", the activity again, where it was large and is gone.
        """
        seen = self.visited.to_numpy().ravel()
        if method == "shannon":
            if self.confounds:
                raise InputError(
                    "Shannon information is of the activity as it came; call tuning_curves without confounds"
                )
            assert self.units is not None
            level = np.ravel_multi_index([lv.of_trial for lv in self.levels], self.n.shape)
            rows, code = seen[level], np.cumsum(seen) - 1
            blocks = (block[rows] for _, block in self.units.units(activity).blocks())
            found = shannon_information(blocks, code[level[rows]], int(seen.sum()), bins)
            return self._information(found, "panzeri-treves")
        if method != "skaggs":
            raise InputError(unknown("method", method, ["skaggs", "shannon"]))
        rates = self._flat(self._rates("Skaggs information", baseline, rectify)).reshape(-1, int(seen.sum()))
        n = self.n.to_numpy().astype(float).ravel()
        if len(self.filters):
            assert self.cells is not None
            return self._information(smoothed_information(rates, self.cells, n, seen, self.filters), "skaggs")
        sem = self._flat(self.sem.to_numpy()).reshape(rates.shape)
        return self._information(skaggs_information(rates, sem, n[seen]), "skaggs")

    def _information(self, information: UnitInformation, method: str) -> Information:
        shape = self.eta_squared.shape
        value, stderr, bias = (
            self.of_unit(a.reshape(shape)) for a in (information.bits, information.stderr, information.bias)
        )
        return Information(value, stderr, bias, method, information.n_trials)

    def _rates(self, what: str, baseline: Any, rectify: bool) -> Array:
        return rates_of(self.curves.to_numpy(), len(self.dims), what, baseline, rectify)

    def _flat(self, values: Array) -> Array:
        """Values at visited stimuli ``(..., unit, cell)``."""
        return values.reshape(*values.shape[: -len(self.dims)], -1)[..., self.visited.to_numpy().ravel()]
