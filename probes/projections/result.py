"""Components: axes in the space of units, projections and trajectories."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd
import xarray as xr

from artiphys.array_types import ActivityLike
from artiphys.border import border
from artiphys.errors import InputError
from artiphys.probes.data.activity import as_activity
from artiphys.stats.permutations import PermutationTest, Tested


@dataclass(frozen=True, repr=False)
class Components(Tested):
    """Components of population activity; the coordinate ``margin`` says what each is of.

    Attributes
    ----------
    axes, encoders : DataArray ``(unit, component)``
        Weights by which activity is projected, and by which a projection is put back among the units. The same for
        principal components.
    centre : DataArray ``(unit,)``
        What is subtracted before.
    projections : DataArray ``(trial, [time,] component)``
        Of single trials.
    trajectories : DataArray ``(condition, ..., [time,] component)``
        Of mean activity of each combination of conditions, or ``(mean, [time,] component)``.
    explained : DataArray ``(component,)``
        Share of variance that a component rebuilds: of all samples for principal components, of mean activity for
        demixed ones, the noise of these means included. Shares of components of different margins may overlap.
    explained_by_margin : DataArray ``(component, of_margin)``
        The same by margin; a well demixed component has all of its own.
    margin_variance : DataArray ``(margin,)``
        Share of each margin in the variance of true means, noise taken off; below 0 by chance.
    reliability : DataArray ``(component,)`` or None
        Correlation of a component's margin between halves of the trials, with decoders from one of them.
    p_value : DataArray ``(component,)`` or None
        One-sided; NaN of the margin of time.
    ridge : float
    test : PermutationTest
    """

    axes: xr.DataArray
    encoders: xr.DataArray
    centre: xr.DataArray
    projections: xr.DataArray
    trajectories: xr.DataArray
    explained: xr.DataArray
    explained_by_margin: xr.DataArray
    margin_variance: xr.DataArray
    reliability: xr.DataArray | None
    p_value: xr.DataArray | None
    by: tuple[str, ...]
    ridge: float
    n_trials: int
    n_splits: int
    test: PermutationTest
    version: str

    def __repr__(self) -> str:
        kind = f"demixed by {' and '.join(self.by)}" if self.by else "principal"
        shares = ", ".join(f"{c} {v:.0%}" for c, v in zip(self.explained["component"].values, self.explained.values))
        return f"Components ({kind}) of {len(self.centre)} units over {self.n_trials} trials: {shares}"

    @border
    def project(self, activity: ActivityLike) -> xr.DataArray:
        """Projections ``(trial, ..., component)`` of other activity of the same units.

        Raises
        ------
        InputError
            If it has another number of units.
        """
        data = as_activity(activity)
        unit = str(data.dims[-1])
        if data.sizes[unit] != len(self.centre):
            raise InputError(f"activity has {data.sizes[unit]} units; the components are of {len(self.centre)}")
        if unit in data.coords and not (data[unit].to_numpy() == self.centre["unit"].to_numpy()).all():
            raise InputError("the units have other labels than those of the components; put them in the same order")
        values = (data.to_numpy() - self.centre.to_numpy()) @ self.axes.to_numpy()
        coords = {name: c for name, c in data.coords.items() if unit not in c.dims}
        bear = {"component": self.axes["component"], "margin": self.axes["margin"]}
        return xr.DataArray(values, dims=(*data.dims[:-1], "component"), coords={**coords, **bear})

    def to_dataframe(self) -> pd.DataFrame:
        """One row per component: its margin, what it explains, reliability and p."""
        table = pd.DataFrame(
            {
                "component": self.explained["component"].to_numpy(),
                "margin": self.explained["margin"].to_numpy(),
                "explained": self.explained.to_numpy(),
            }
        )
        if self.by:
            for name in self.explained_by_margin["of_margin"].to_numpy():
                table[f"explained {name}"] = self.explained_by_margin.sel(of_margin=name).to_numpy()
        if self.reliability is not None:
            table["reliability"] = self.reliability.to_numpy()
        if self.p_value is not None:
            table["p"] = self.p_value.to_numpy()
        return table

    def methods_text(self) -> str:
        """A paragraph fit for a methods section."""
        if not self.by:
            return (
                f"Principal components of {len(self.centre)} units are of all samples of {self.n_trials} trials "
                f"(artiphys {self.version})"
            )
        test = ""
        if self.n_permutations:
            test = (
                f" Components were tested one-sided by their reliability in {self.n_permutations} permutations of the "
                f"residuals of the other margins ({self.scheme})."
            )
        return (
            f"Demixed principal components (Kobak et al. 2016) of {len(self.centre)} units are by "
            f"{' and '.join(self.by)} over {self.n_trials} trials, with a ridge of {self.ridge:.2g} times a unit's "
            "mean sum of squares. Reliability is the correlation between halves of the trials, over "
            f"{self.n_splits} halvings.{test} (artiphys {self.version})"
        )
