"""CellTypes: clusters of units and the evidence for them."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd

from artiphys.array_types import Array
from artiphys.version import __version__


@dataclass(frozen=True, repr=False)
class CellTypes:
    """Whether clusters are more than a continuum would show.

    Attributes
    ----------
    n_types : int
        1 means no types.
    labels : ``(unit,)``
        Type of each unit; all 0 without types.
    criteria : DataFrame
        One row a number of clusters k: ``cluster_index`` (within-cluster over total sum of squares), ``silhouette``
        and ``stability`` (adjusted Rand index of clusterings of random halves), each with its mean under the null and
        its p; and ``bic`` of a Gaussian mixture, which depends on the covariances it is allowed and proves nothing.
    p_value : float
        Of one continuum: the larger of `p_tight` and `p_valley`. Types are believed where it is alpha or less.
    p_valley : float
        Of there being no valley between two clusters, by units that had no part in choosing where it would be. It
        holds for clouds with one peak on every line, for rings and for arcs. A tail is taken to fall to .8 at most from
        the valley to what lies beyond: of an even background around a dense core p is too small.
    verdict : str
        In words.
    caution : str
        Why no verdict is possible, or "".
    p_tight : float
        Of one Gaussian of the same covariance: the smaller of the p of the cluster index, corrected for having tried
        several k, and that of a mixture's likelihood of units left out. Clouds that are not Gaussian have a small one
        without types.
    shape : str
        What the continuum looks like, such as "a ring"; "" where there are types.
    position : ``(unit, 2)``
        Units in the plane of the line between two clusters and the widest direction beside it, or of the ring.
    along : ``(unit,)``
        Units along this line [standard deviations within clusters], or the ring [rad].
    edges : ``(4,)``
        Of a peak, the valley and a peak along it, as all units would place them.
    groups : ``(unit,)`` or None
    recurrence : DataFrame or None
        Units of each type in each group, where clusters were tight and parted.
    """

    n_types: int
    labels: Array
    criteria: pd.DataFrame
    p_value: float
    p_valley: float
    verdict: str
    caution: str
    features: pd.DataFrame
    null: Array
    n_null: int
    seed: int
    standardised: bool
    p_tight: float
    shape: str
    position: Array
    along: Array
    edges: Array
    groups: Array | None = None
    recurrence: pd.DataFrame | None = None
    version: str = __version__

    def __repr__(self) -> str:
        return f"CellTypes of {len(self.features)} units: {self.verdict}"

    def to_dataframe(self) -> pd.DataFrame:
        """One row per unit: its features, its group if there are groups, and its type."""
        table = self.features.assign(type=self.labels)
        return table if self.groups is None else table.assign(group=self.groups)

    def methods_text(self) -> str:
        """A paragraph fit for a methods section."""
        scaled = " of unit variance" if self.standardised else ""
        within = "" if self.groups is None else " Features were centred and scaled within groups."
        return (
            f"{len(self.features)} units were clustered by k-means on {self.features.shape[1]} features{scaled} "
            f"for k = {self.criteria.index.min()} to {self.criteria.index.max()}.{within} The cluster index was held "
            f"against {self.n_null} draws from a single Gaussian of the data's covariance (Liu et al. 2008), the "
            "largest deviation over k counting, and the likelihood that mixtures give to units left out against that "
            f"of one Gaussian (Wasserman et al. 2020): p = {self.p_tight:.2g}. A valley between two parts of a mixture "
            "was looked for in random halves of the units and tested by the counts of the other halves (p = "
            f"{self.p_valley:.2g}): {self.verdict} (artiphys {self.version})"
        )
