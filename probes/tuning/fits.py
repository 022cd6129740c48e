"""Preferred stimuli and fitted bumps: the part of `Tuning` that is about the shape of curves."""

from __future__ import annotations

import numpy as np
import xarray as xr

from artiphys.array_types import ActivityLike, Array
from artiphys.border import border
from artiphys.errors import InputError, unknown
from artiphys.probes.data.confounds import Confounds
from artiphys.probes.tuning.bump_fits import cosine_phase, explained, fit_bumps
from artiphys.probes.tuning.bumps import Observed
from artiphys.probes.tuning.indices import Indices
from artiphys.probes.tuning.levels import Levels
from artiphys.probes.tuning.points import at_points, bumps_over, cleaned
from artiphys.user_warnings import warn


class Fits(Indices):
    """Preferred stimuli and fits; mixed into `Tuning`."""

    removed: Confounds | None
    averaged_over: str

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
        single = self.single("preferred")
        x = single.labels
        if method == "auto":
            method = "circular mean" if single.kind == "circular" else "fit"
            if single.kind == "categorical" or (single.kind == "linear" and self.visited.sum() < 5):
                method = "peak"
        if method == "fit":
            return self.fit()["preferred"]
        curves, seen = self.curves.to_numpy(), self.visited.to_numpy()
        curves, x = curves[..., seen], x[seen]
        if method == "circular mean":
            if single.kind != "circular":
                raise InputError("a circular mean is of circular stimuli; call tuning_curves with circular=True")
            best = cosine_phase(curves, x, single.period)
        elif method == "peak":
            best = x[curves.argmax(axis=-1)]
        else:
            raise InputError(unknown("method", method, ["auto", "circular mean", "fit", "peak"]))
        flat = curves.max(axis=-1) == curves.min(axis=-1)
        chosen = np.where(flat, np.nan, best if best.dtype.kind in "iuf" else best.astype(object))
        return self.of_unit(chosen)

    @border
    def fit(self, *, activity: ActivityLike | None = None) -> xr.Dataset:
        """Least-squares bump of every unit: a Gaussian, or a von Mises bump for circular stimuli.

        Each trial counts with the stimulus it showed, also where curves are of bins. Standard errors are those of
        least squares with residuals of any variance (HC3), so that they hold for counts; they suppose many trials, and
        with few under a narrow bump they are too small. Those that rest on a parameter at a bound are NaN.

        ``flag`` says where numbers mean less than they seem, several joined by "; ":

        - "peak out of range": the place is an end of the range of stimuli shown;
        - "peak near the end of the range": an end is within two standard errors;
        - "narrower than can be told", "wider than can be told": the width lies at its bound;
        - "second peak": what the bump leaves over rises elsewhere, as at the opposite direction, by more than a
          quarter of its height and four standard errors;
        - "height within noise": below 3.5 standard errors, which the best bump of an untuned unit may reach;
        - "no bump": none fits better than a constant.

        The width lies between half the least step of the stimulus (of binned ones, what holds five trials on average)
        and the period, or twice the range.

        Parameters
        ----------
        activity : optional
            The activity again, where the stimulus was binned and the activity was large and is gone; without it, and
            for a `marginal`, the bump is averaged over the stimuli within each bin.

        Returns
        -------
        Dataset of ``preferred``, ``width`` (full, at half height) [stimulus units], ``gain``, ``baseline`` [activity],
        their standard errors ``preferred_stderr`` and so on, ``r_squared`` (of the curve, not of single trials) and
        ``flag``, each ``(..., unit)``; NaN where no bump fits better than a constant.

        Raises
        ------
        InputError
            Of text, two stimuli, or fewer than four values.
        """
        single = self.single("fit")
        if single.kind == "categorical":
            raise InputError("a bump can be fitted over numbers only; this stimulus is categorical")
        assert self.cells is not None
        shape, seen = self.eta_squared.shape, self.visited.to_numpy()
        curve = Observed(*(np.asarray(a)[:, seen] for a in self.cells.arrays))
        if single.binned and not self.averaged_over:
            fitted = self._of_trials(single, curve, activity)
        else:
            fitted = fit_bumps(curve, bumps_over(single, seen))
        return xr.Dataset({name: self.of_unit(v.reshape(shape)) for name, v in fitted.items()})

    def _of_trials(self, level: Levels, curve: Observed, activity: ActivityLike | None) -> dict[str, Array]:
        """Fits to single trials of a binned stimulus; of ``curve`` where the activity is gone."""
        assert self.units is not None and level.values is not None
        seen = self.visited.to_numpy()
        rows = seen[level.of_trial]
        try:
            units = self.units.units(activity)
        except InputError as error:
            if activity is not None:
                raise
            warn(f"bumps are fitted to means of bins, not to trials: {error}")
            return fit_bumps(curve, bumps_over(level, seen))
        blocks = (cleaned(block, self.removed)[rows] for _, block in units.blocks())
        _, observed = at_points(blocks, level.values[rows])
        fitted = fit_bumps(observed, bumps_over(level, seen, of_trials=True))
        return fitted | {"r_squared": explained(fitted, curve, bumps_over(level, seen))}

    def width(self) -> xr.DataArray:
        """Full width at half height of the fitted bump [stimulus units]."""
        return self.fit().data_vars["width"]

    def gain(self) -> xr.DataArray:
        """Height of the fitted bump above its baseline [activity]."""
        return self.fit().data_vars["gain"]
