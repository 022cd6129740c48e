"""MixedSelectivity: main effects, interaction and kind of every unit."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
import xarray as xr
from scipy.special import chdtr, chndtrinc, ndtri

from artiphys.array_types import Array
from artiphys.border import border
from artiphys.errors import StatisticsError
from artiphys.stats.intervals import check_confidence
from artiphys.stats.p_values import false_discovery
from artiphys.stats.permutations import PermutationTest, Tested


@dataclass(frozen=True, repr=False)
class MixedSelectivity(Tested):
    """Selectivity for two task variables; terms are the first, the second and their interaction.

    Attributes
    ----------
    p_value : DataArray ``(..., unit, term)`` or None
        By permutation of the residuals of the other terms. From 20 units on the null is pooled over units.
    statistic : DataArray ``(..., unit, term)``
        Wald-type, studentised by each combination's own variance.
    variance, variance_bias : DataArray ``(..., unit, term)``
        Variance over combinations that each term makes, less what noise adds on average (the second): around 0, and
        below it by chance, without an effect [squared units of activity].
    noise_variance : DataArray ``(..., unit)``
        Variance over trials of one combination, the mean over combinations.
    a, b : str
    shape : (int, int)
        Levels of each.
    test : PermutationTest
    """

    p_value: xr.DataArray | None
    statistic: xr.DataArray
    variance: xr.DataArray
    variance_bias: xr.DataArray
    noise_variance: xr.DataArray
    a: str
    b: str
    shape: tuple[int, int]
    n_trials: int
    grouped: bool
    test: PermutationTest
    version: str

    def __repr__(self) -> str:
        of = f"{self.a} ({self.shape[0]}) and {self.b} ({self.shape[1]}) in {self.noise_variance.size} units"
        if self.p_value is None:
            return f"MixedSelectivity for {of}, not tested"
        found = ", ".join(f"{n} {kind}" for kind, n in self.counts().items() if n)
        return f"MixedSelectivity for {of}: {found}"

    @property
    def p_fdr(self) -> xr.DataArray:
        """p of each term, adjusted for the number of units (Benjamini & Hochberg 1995)."""
        if self.p_value is None:
            raise StatisticsError("there are no p-values; call mixed_selectivity with n_permutations=500 or more")
        flat = self.p_value.to_numpy().reshape(-1, 3)
        adjusted = np.column_stack([false_discovery(flat[:, i]) for i in range(3)])
        return self.p_value.copy(data=adjusted.reshape(self.p_value.shape))

    @property
    def kinds(self) -> list[str]:
        """Names that units can have."""
        return [f"pure {self.a}", f"pure {self.b}", "linear mixed", "nonlinear mixed", "none"]

    @property
    def kind(self) -> xr.DataArray:
        """Kind of each unit ``(..., unit)`` at an FDR of .05."""
        return self.classified()

    @border
    def classified(self, alpha: float = 0.05) -> xr.DataArray:
        """Kind of each unit ``(..., unit)`` by the terms that are significant after FDR."""
        sure = self.p_fdr.to_numpy() < alpha
        first, second, both = sure[..., 0], sure[..., 1], sure[..., 2]
        pure_a, pure_b, linear, nonlinear, none = self.kinds
        kind = np.select([both, first & second, first, second], [nonlinear, linear, pure_a, pure_b], none)
        return self.noise_variance.copy(data=kind)

    @property
    def share(self) -> xr.DataArray:
        """Share ``(..., unit, term)`` of each term in a unit's variance, noise included; below 0 by chance."""
        total = self.variance.clip(min=0).sum("term") + self.noise_variance
        return (self.variance / total.where(total > 0)).transpose(*self.variance.dims)

    @border
    def interval(self, confidence: float = 0.95) -> tuple[xr.DataArray, xr.DataArray]:
        """Ends of the interval of ``variance`` of each term, 0 or more.

        Sums of squared Gaussian means over their noise are noncentral chi-squared; its noncentrality is looked up.
        """
        check_confidence(confidence)
        i, j = self.shape
        df = np.broadcast_to([i - 1, j - 1, (i - 1) * (j - 1)], self.variance.shape).astype(float)
        one = self.variance_bias.to_numpy() / df  # noise of one direction
        safe = np.where(one > 0, one, 1.0)
        found = np.maximum((self.variance + self.variance_bias).to_numpy() / safe, 0.0)
        tail = (1 - confidence) / 2
        ends = [np.where(one > 0, _noncentrality(found, df, p) * one, self.variance) for p in (1 - tail, tail)]
        return self.variance.copy(data=ends[0]), self.variance.copy(data=ends[1])

    def counts(self) -> pd.Series[int]:
        """Number of units of each kind."""
        found = pd.Series(self.kind.to_numpy().ravel()).value_counts()
        return found.reindex(self.kinds, fill_value=0).astype(int)

    def to_dataframe(self) -> pd.DataFrame:
        """One row per unit: share and p of each term, and kind."""
        table = pd.DataFrame()
        if "site" in self.noise_variance.coords:
            table["site"] = self.noise_variance["site"].to_numpy()
            table["index"] = self.noise_variance["index"].to_numpy()
        share = self.share.to_numpy().reshape(-1, 3)
        for i, term in enumerate(self.variance["term"].to_numpy()):
            table[f"share {term}"] = share[:, i]
            if self.p_value is not None:
                table[f"p {term}"] = self.p_value.to_numpy().reshape(-1, 3)[:, i]
                table[f"p_fdr {term}"] = self.p_fdr.to_numpy().reshape(-1, 3)[:, i]
        if self.p_value is not None:
            table["kind"] = self.kind.to_numpy().ravel()
        return table

    def methods_text(self) -> str:
        """A paragraph fit for a methods section."""
        test = ""
        if self.n_permutations:
            test = (
                f" Each term was tested by {self.n_permutations} permutations ({self.scheme}; Freedman & Lane 1983) of "
                "a Wald-type statistic with unequal variances. Units are pure with one main effect, linear mixed with "
                "both and nonlinear mixed with an interaction, at a false discovery rate of .05."
            )
        trials = "trials or groups" if self.grouped else "trials"
        return (
            f"Main effects of {self.a} ({self.shape[0]} levels) and {self.b} ({self.shape[1]} levels) and their "
            f"interaction are of unweighted means over {self.n_trials} {trials}.{test} (artiphys {self.version})"
        )


def _noncentrality(value: Array, df: Array, p: float) -> Array:
    """Of the noncentral chi-squared distribution whose share ``p`` lies below a value; 0 where none is so low."""
    large = value > 1e4  # the square root is as good as Gaussian there
    looked_up = chndtrinc(np.where(large, 1.0, value), df, p)
    rough = np.maximum(np.sqrt(value) - ndtri(p), 0.0) ** 2
    return np.asarray(np.where(large, rough, np.where(chdtr(df, value) <= p, 0.0, looked_up)))
