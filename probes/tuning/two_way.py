"""Two stimuli: tests of the effect of either one given the other, and of their interaction."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
import xarray as xr

from artiphys.array_types import Array
from artiphys.errors import InputError, StatisticsError
from artiphys.probes.tuning.sign_test import draw_signs
from artiphys.probes.tuning.two_way_model import TwoWayModel
from artiphys.stats.p_values import false_discovery
from artiphys.stats.permutations import PermutationTest, Tested
from artiphys.stats.text import brief
from artiphys.version import __version__


@dataclass(frozen=True, repr=False)
class TwoWay(Tested):
    """Effects of two stimuli and their interaction, of every unit.

    Attributes
    ----------
    f, p_value : DataArray ``(effect, ..., unit)``
        F of each stimulus given the other's, and of the interaction given both (sums of squares of type II, over the
        variance within combinations), and its p.
    eta_squared : DataArray ``(effect, ..., unit)``
        Share of the variance over trials that each takes up given the others.
    df, df_residual : degrees of freedom ``(effect,)`` and of the residuals
    test : PermutationTest
        The signs of the residuals of the model without the effect are drawn anew (Wu 1986, Jackknife, bootstrap and
        other resampling methods in regression analysis). Each trial keeps the size of its residual, so that other
        effects may be as strong as they like and variances as unequal, as those of counts are. Every unit is held
        against its own draws: p is never below 1 / (n_permutations + 1).
    """

    f: xr.DataArray
    p_value: xr.DataArray
    eta_squared: xr.DataArray
    df: xr.DataArray
    df_residual: int
    test: PermutationTest
    version: str = __version__

    @property
    def p_fdr(self) -> xr.DataArray:
        """p adjusted for the number of units, each effect apart (Benjamini & Hochberg 1995)."""
        adjusted = [false_discovery(part) for part in self.p_value.to_numpy()]
        return self.p_value.copy(data=np.stack(adjusted))

    def __repr__(self) -> str:
        found = ", ".join(f"{e} {brief(self.p_value.sel(effect=e))}" for e in self.f["effect"].to_numpy())
        return f"Effects of two stimuli on {self.f[0].size} units: p of {found}"

    def to_dataframe(self) -> pd.DataFrame:
        """One row per effect and unit: F, its degrees of freedom, p, FDR-adjusted p and eta squared."""
        columns = {"f": self.f, "p": self.p_value, "p_fdr": self.p_fdr, "eta_squared": self.eta_squared}
        labelled = xr.Dataset({name: v.drop_vars("site", errors="ignore") for name, v in columns.items()})
        table = labelled.to_dataframe().reset_index()
        if "site" in self.f.coords:
            table.insert(1, "site", np.tile(self.f["site"].to_numpy(), len(self.f["effect"])))
        table["df"] = self.df.sel(effect=table["effect"].to_numpy()).to_numpy()
        return table.assign(df_residual=self.df_residual)

    def methods_text(self) -> str:
        """A paragraph fit for a methods section."""
        first, second = self.f["effect"].to_numpy()[:2]
        return (
            f"Effects of {first} and {second}, each given the other, and their interaction were tested by F (type II "
            f"sums of squares over the variance within combinations); p by drawing the {self.scheme} of the model "
            f"without the effect {self.n_permutations} times (wild bootstrap, Wu 1986). (artiphys {self.version})"
        )


@dataclass(frozen=True)
class Design:
    """Which values of two stimuli each trial showed, and how trials may be exchanged.

    Attributes
    ----------
    levels : int ``(2, trial)``
    names : of the two stimuli
    groups : ``(trial,)`` or None
    n_confounds : int
        Degrees of freedom that activity has lost already.
    """

    levels: Array
    names: Sequence[str]
    groups: Array | None
    n_confounds: int


def two_way(
    blocks: Iterable[Array],
    design: Design,
    n_permutations: int,
    seed: int,
    label: Callable[[Array], xr.DataArray],
) -> TwoWay:
    """See `Tuning.effects`.

    Parameters
    ----------
    blocks : iterable of ``(trial, unit)``
    design : Design
    n_permutations, seed : int
    label : gives values ``(unit,)`` their labels

    Raises
    ------
    InputError, StatisticsError
    """
    if n_permutations < 1:
        raise StatisticsError("effects are tested by resampling; wanted n_permutations=199 or more")
    model = TwoWayModel(design.levels, design.names, design.n_confounds)
    signs, test = draw_signs(design.levels.shape[1], design.groups, n_permutations, seed, "the residuals")
    found, p_values, shares = [], [], []
    for block in blocks:
        if np.isnan(block).any():
            raise InputError("effects are of activity without gaps, and some is padded; choose times that all have")
        y = block - block.mean(axis=0)
        size = np.sqrt((y**2).mean(axis=0))
        y = y / np.where(size > 1e-12 * np.abs(block).max(axis=0), size, np.inf)
        found.append(model.f(y))
        shares.append(model.shares(y))
        p_values.append(_p(y, found[-1], model, signs))
    axis = pd.Index([*design.names, "interaction"], name="effect")
    f, p, eta = (
        xr.concat([label(v) for v in np.concatenate(each, axis=1)], dim=axis) for each in (found, p_values, shares)
    )
    degrees = xr.DataArray(model.df, dims="effect", coords={"effect": axis})
    return TwoWay(f, p, eta, degrees, model.df_residual, test)


def _p(y: Array, observed: Array, model: TwoWayModel, signs: Array) -> Array:
    """p of each effect ``(effect, unit)``.

    What the model without an effect fits lies in the span of every larger one, so that only residuals count.
    """
    p = np.empty(observed.shape)
    for k in range(len(p)):
        left = model.residuals(y, k)
        reached = observed[k] * (1 - 1e-9)
        p[k] = (1 + sum((model.f(left * s[:, None])[k] >= reached).astype(float) for s in signs)) / (len(signs) + 1)
    return p
