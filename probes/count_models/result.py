"""CountEncoding: deviance explained by a Poisson model of counts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
import xarray as xr

from artiphys.border import border
from artiphys.errors import StatisticsError
from artiphys.stats.intervals import nadeau_bengio, t_interval
from artiphys.stats.p_values import false_discovery
from artiphys.stats.permutations import PermutationTest, Tested
from artiphys.stats.text import brief


@dataclass(frozen=True, repr=False)
class CountEncoding(Tested):
    """Poisson models of counts, of every unit.

    Attributes
    ----------
    fold_scores : DataArray ``(..., unit, predictor, fold)``
        Of "all" the deviance that the model explains of each fold's trials, and of each predictor what is lost without
        it; all over the mean deviance of a fold around the mean count.
    p_value : DataArray ``(..., unit, predictor)`` or None
        One-sided, by permutation.
    curves : mapping of predictors to DataArray ``(..., unit, value)``
        Factor by which each value changes the expected count, fitted to all trials; its geometric mean over them is 1.
    kinds : mapping
        Of predictors.
    test : PermutationTest
        Of the predictor with the fewest relabellings.
    """

    fold_scores: xr.DataArray
    p_value: xr.DataArray | None
    curves: Mapping[str, xr.DataArray]
    kinds: Mapping[str, str]
    n_trials: int
    train_share: float
    grouped: bool
    penalty: float
    test: PermutationTest
    version: str

    def __repr__(self) -> str:
        return (
            f"CountEncoding of {self.score.size} units by {', '.join(self.kinds)}: deviance explained "
            f"{brief(self.score)} in trials left out"
        )

    @property
    def score(self) -> xr.DataArray:
        """Deviance explained ``(..., unit)``: D squared of trials left out."""
        return self.fold_scores.mean("fold").sel(predictor="all", drop=True)

    @property
    def unique(self) -> xr.DataArray:
        """Deviance that each predictor explains uniquely ``(..., unit, predictor)``."""
        return self.fold_scores.mean("fold").sel(predictor=list(self.kinds))

    @border
    def interval(self, confidence: float = 0.95) -> tuple[xr.DataArray, xr.DataArray]:
        """Ends for "all" and each predictor ``(..., unit, predictor)``, over folds (Nadeau & Bengio 2003)."""
        values = self.fold_scores.to_numpy()
        k = values.shape[-1]
        mean = self.fold_scores.mean("fold", skipna=False)
        flat = np.ascontiguousarray(values.reshape(-1, k))
        error = nadeau_bengio(flat, 1 - self.train_share, self.train_share).reshape(mean.shape)
        low, high = t_interval(mean.to_numpy(), error, k - 1, confidence)
        return mean.copy(data=low), mean.copy(data=high)

    @property
    def p_fdr(self) -> xr.DataArray:
        """p of each predictor, adjusted for the number of units (Benjamini & Hochberg 1995)."""
        if self.p_value is None:
            raise StatisticsError("there are no p-values; call encode_counts with n_permutations=200 or more")
        flat = self.p_value.to_numpy().reshape(-1, self.p_value.sizes["predictor"])
        adjusted = np.full(flat.shape, np.nan)
        known = np.isfinite(flat).all(axis=1)
        if known.any():
            columns = [false_discovery(np.ascontiguousarray(flat[known, i])) for i in range(flat.shape[1])]
            adjusted[known] = np.column_stack(columns)
        return self.p_value.copy(data=adjusted.reshape(self.p_value.shape))

    def to_dataframe(self) -> pd.DataFrame:
        """One row per unit and predictor ("all" is the whole model): deviance explained, interval, p."""
        low, high = self.interval()
        names = self.fold_scores["predictor"].to_numpy()
        n = self.fold_scores.sizes["predictor"]
        mean = self.fold_scores.mean("fold", skipna=False)
        table = pd.DataFrame(
            {
                "unit": np.repeat(np.arange(mean.size // n), n),
                "predictor": np.tile(names, mean.size // n),
                "explained": mean.to_numpy().ravel(),
                "low": low.to_numpy().ravel(),
                "high": high.to_numpy().ravel(),
            }
        )
        if self.p_value is not None:
            table = table.assign(p=self.p_value.to_numpy().ravel(), p_fdr=self.p_fdr.to_numpy().ravel())
        return table

    def methods_text(self) -> str:
        """A paragraph fit for a methods section."""
        kinds = ", ".join(f"{name} ({kind})" for name, kind in self.kinds.items())
        whole = ", groups whole" if self.grouped else ""
        test = ""
        if self.n_permutations:
            test = (
                f" p-values are one-sided, from {self.n_permutations} permutations of a predictor's values "
                f"({self.scheme}) with the others as they were."
            )
        return (
            f"Counts of {self.n_trials} trials were modelled by Poisson regression on {kinds}, with an L2 penalty of "
            f"{self.penalty:g}. Deviance explained is of trials left out in {self.fold_scores.sizes['fold']} "
            f"folds{whole}; unique deviance is what is lost without a predictor. Intervals are Nadeau & Bengio's."
            f"{test} (artiphys {self.version})"
        )
