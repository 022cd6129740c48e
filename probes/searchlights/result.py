"""Searchlight: scores at every place, with p-values corrected for their number."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import pandas as pd
import xarray as xr

from artiphys.array_types import Array
from artiphys.border import border
from artiphys.errors import InputError, StatisticsError, unknown
from artiphys.probes.data.pooled_null import MIN_POOLED_UNITS
from artiphys.probes.decoding.hit_rates import hit_interval
from artiphys.probes.decoding.metrics import BOUNDS
from artiphys.probes.searchlights.clusters import clusters
from artiphys.stats.intervals import check_confidence, t_interval
from artiphys.stats.p_values import (
    false_discovery,
    largest_p_value,
    max_statistic_p_value,
    p_value,
    pooled_p_value,
    standardised,
)  # fmt: skip
from artiphys.stats.permutations import PermutationTest, Tested
from artiphys.stats.text import brief


@dataclass(frozen=True, repr=False)
class Searchlight(Tested):
    """Decoding at every place: site, time and neighbourhood of units.

    A unit lights every neighbourhood that holds it (the halo), so a place above chance says that the information
    lies in some of its units, not in all.

    Attributes
    ----------
    score, stderr : DataArray ``(place,)``
        Coordinates ``site``, ``time`` and ``neighbourhood`` say where each place is.
    p_value : DataArray ``(place,)`` or None
        Of each place alone.
    p_corrected : DataArray ``(place,)`` or None
        Corrected for all places (family-wise error) by the largest statistic of each permutation, every place
        standardised by its own permutations.
    null : DataArray ``(permutation, place)`` or None
    test : PermutationTest
        Scheme, number and seed of the permutations, and the smallest p that can be attained.
    neighbourhoods : mapping of site to mapping of name to unit indices
    """

    score: xr.DataArray
    stderr: xr.DataArray
    chance: float
    p_value: xr.DataArray | None
    p_corrected: xr.DataArray | None
    null: xr.DataArray | None
    neighbourhoods: Mapping[str | None, Mapping[str, Array]] = field(repr=False)
    metric: str
    estimator: str
    n_trials: int
    n_folds: int
    test: PermutationTest
    version: str
    n_effective: xr.DataArray | None = None

    def __repr__(self) -> str:
        p = "" if self.p_corrected is None else f", {int((self.p_corrected < 0.05).sum())} above chance (p corrected)"
        found = f"{self.metric} {brief(self.score)} (chance {self.chance:.3g}{p})"
        return f"Searchlight over {self.score.size} places: {found}"

    @border
    def interval(self, confidence: float = 0.95) -> tuple[xr.DataArray, xr.DataArray]:
        """Lower and upper ends of each place's score, as of `Decoding.interval`; NaN where all folds score alike."""
        check_confidence(confidence)
        score, stderr = self.score.to_numpy(), self.stderr.to_numpy()
        if self.n_effective is not None:
            low, high = hit_interval(score, self.n_effective.to_numpy(), confidence)
        else:
            low, high = t_interval(score, np.where(stderr > 0, stderr, np.nan), self.n_folds - 1, confidence)
            low, high = (np.clip(end, *BOUNDS.get(self.metric, (-np.inf, np.inf))) for end in (low, high))
        return self.score.copy(data=low), self.score.copy(data=high)

    @border
    def corrected(self, method: str = "standardised") -> xr.DataArray:
        """p-values corrected for the number of places.

        Parameters
        ----------
        method : "standardised", "raw" or "fdr"
            Family-wise by the largest statistic of each permutation, scores standardised by their place's own
            permutations (``p_corrected``) or raw, which suits places of one size, whose nulls are alike: a higher score
            then never has a higher p. Or false discovery rate (Benjamini & Hochberg 1995), by a null that all places
            share after standardising where they are 20 or more.
        """
        observed, null = self._tested()
        if method == "standardised":
            return self.score.copy(data=max_statistic_p_value(observed, null))
        if method == "raw":
            return self.score.copy(data=largest_p_value(observed, null))
        if method != "fdr":
            raise InputError(unknown("method", method, ["standardised", "raw", "fdr"]))
        p = p_value(observed, null)
        if len(observed) >= MIN_POOLED_UNITS:
            z = standardised(observed, null)
            p = pooled_p_value(z[0], z[1:])
        return self.score.copy(data=false_discovery(p))

    @border
    def clusters(self, threshold_p: float = 0.01) -> pd.DataFrame:
        """Clusters of neighbouring places above a threshold, with p corrected for all places; largest mass first.

        Places are neighbours where they share units, or follow each other in time. What is significant is that there
        is a cluster, not each place in it, nor its extent.

        Parameters
        ----------
        threshold_p : float
            One-sided p of a place (normal, after standardising) from which on it belongs to a cluster.
        """
        _, null = self._tested()
        if not 0 < threshold_p < 0.5:
            raise InputError(f"threshold_p came as {threshold_p!r}; wanted a number between 0 and .5, such as .01")
        if not any(_share_units(sets) for sets in self.neighbourhoods.values()) and "time" not in self.score.coords:
            raise InputError(
                "no two places share units, so there are no neighbours to form clusters; use overlapping windows "
                "(step=1), or spheres"
            )
        return clusters(self.score, null, self.neighbourhoods, threshold_p)[0]

    def _tested(self) -> tuple[Array, Array]:
        if self.null is None:
            raise StatisticsError("there are no permutations; call searchlight with n_permutations=200 or more")
        return self.score.to_numpy(), self.null.to_numpy()

    @border
    def containing(self, unit: int, site: str | None = None) -> xr.DataArray:
        """Which places hold a unit (an index into the site's flattened units): boolean ``(place,)``."""
        if site not in self.neighbourhoods:
            raise InputError("name one site: " + unknown("site", site, [str(s) for s in self.neighbourhoods]))
        holding = [name for name, units in self.neighbourhoods[site].items() if unit in units]
        here = np.isin(self.score["neighbourhood"].to_numpy(), holding)
        if site is not None:
            here &= self.score["site"].to_numpy() == site
        return self.score.copy(data=here)

    @border
    def map(self, site: str | None = None, what: str = "score") -> xr.DataArray:
        """``([time,] neighbourhood)`` of one site: "score", "p_value" or "p_corrected"."""
        values = getattr(self, what, None) if what in ("score", "p_value", "p_corrected", "stderr") else None
        if values is None:
            raise InputError(f"there is no {what!r} here; wanted 'score', or p-values where there were permutations")
        if site is None and len(self.neighbourhoods) == 1:
            site = next(iter(self.neighbourhoods))
        if site not in self.neighbourhoods:
            raise InputError("name one site: " + unknown("site", site, [str(s) for s in self.neighbourhoods]))
        chosen = values if site is None else values[self.score["site"].to_numpy() == site]
        names = list(self.neighbourhoods[site])
        grid = chosen.to_numpy().reshape(-1, len(names))
        if "time" not in chosen.coords:
            return xr.DataArray(grid[0], dims=("neighbourhood",), coords={"neighbourhood": names})
        times = chosen["time"].to_numpy()[:: len(names)]
        return xr.DataArray(grid, dims=("time", "neighbourhood"), coords={"time": times, "neighbourhood": names})

    @border
    def top(self, k: int = 10) -> pd.DataFrame:
        """The ``k`` places of smallest corrected p, then highest score."""
        table = self.to_dataframe()
        keys = [key for key in ("p_corrected", "score") if key in table]
        return table.sort_values(keys, ascending=[key != "score" for key in keys]).head(k)

    def to_dataframe(self) -> pd.DataFrame:
        """One row per place."""
        low, high = self.interval()
        table = pd.DataFrame({str(c): self.score[c].to_numpy() for c in self.score.coords if c != "place"})
        table = table.assign(score=self.score.to_numpy(), low=low.to_numpy(), high=high.to_numpy(), chance=self.chance)
        if self.p_value is not None and self.p_corrected is not None:
            table = table.assign(p=self.p_value.to_numpy(), p_corrected=self.p_corrected.to_numpy())
        return table

    def methods_text(self) -> str:
        """A paragraph fit for a methods section."""
        null = (
            f" Labels were permuted {self.n_permutations} times ({self.scheme}), alike at all places; p-values are "
            f"corrected for {len(self.score)} places by the largest score of each permutation, scores standardised by "
            f"their own place's permutations."
            if self.n_permutations
            else ""
        )
        return (
            f"A searchlight read {self.n_trials} trials at {len(self.score)} places with {self.estimator} over "
            f"{self.n_folds} folds ({self.metric}).{null} A unit raises every neighbourhood that holds it. "
            f"(artiphys {self.version})"
        )


def _share_units(sets: Mapping[str, Array]) -> bool:
    every = np.concatenate(list(sets.values()))
    return len(np.unique(every)) < len(every)
