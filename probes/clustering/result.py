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
        Of the cluster index, corrected for having tried several k.
    p_valley : float
        Of there being a single peak along the line between two clusters. Without a valley between them, clusters may be
        parts of one cloud that is not Gaussian; the verdict says so.
    verdict : str
        In words.
    caution : str
        Why no verdict is possible, or "".
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
    version: str = __version__

    def __repr__(self) -> str:
        return f"CellTypes of {len(self.features)} units: {self.verdict}"

    def to_dataframe(self) -> pd.DataFrame:
        """One row per unit: its features and type."""
        return self.features.assign(type=self.labels)

    def methods_text(self) -> str:
        """A paragraph fit for a methods section."""
        scaled = " of unit variance" if self.standardised else ""
        return (
            f"{len(self.features)} units were clustered by k-means on {self.features.shape[1]} features{scaled} "
            f"for k = {self.criteria.index.min()} to {self.criteria.index.max()}. The cluster index was held against "
            f"{self.n_null} draws from a single Gaussian of the data's covariance (Liu et al. 2008), the largest "
            f"deviation over k giving p = {self.p_value:.3g}: {self.verdict} (artiphys {self.version})"
        )
