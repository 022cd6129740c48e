"""Clusters of places: neighbours above a threshold together, held against the largest cluster of each permutation."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import combinations
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr
from jaxtyping import Float
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components
from scipy.stats import norm

from artiphys.array_types import Array
from artiphys.stats.p_values import standardised


def clusters(
    score: xr.DataArray,
    null: Float[Array, "permutation place"],
    neighbourhoods: Mapping[str | None, Mapping[str, Array]],
    threshold_p: float,
) -> tuple[pd.DataFrame, Float[Array, " place"]]:
    """Clusters, largest mass first, and the corrected p of each place's cluster (1 outside of clusters).

    Places are neighbours where they lie at one site and time and share units, or are one neighbourhood at successive
    times. The mass of a cluster is the sum of its standardised scores above the threshold (Maris & Oostenveld 2007,
    Nonparametric statistical testing of EEG- and MEG-data).
    """
    z = standardised(score.to_numpy(), null)
    above = z - norm.isf(threshold_p)
    edges = _edges(score, neighbourhoods)
    largest = np.array([max(_masses(row, edges)[1], default=0.0) for row in above[1:]])
    label, masses = _masses(above[0], edges)
    p_of = [float((np.sum(largest >= mass - 1e-12) + 1) / (len(largest) + 1)) for mass in masses]
    p = np.ones(len(label))
    rows: list[dict[str, Any]] = []
    for i in np.argsort(-np.array(masses)):
        here = label == i
        p[here] = p_of[i]
        best = score.isel(place=int(np.where(here, above[0], -np.inf).argmax()))
        at = {str(c): best[c].item() for c in best.coords if c != "place"}
        rows.append({"n_places": int(here.sum()), "mass": masses[i], "p": p_of[i], "peak_score": float(best), **at})
    columns = ["n_places", "mass", "p", "peak_score", *(str(c) for c in score.coords if c != "place")]
    return pd.DataFrame(rows, columns=columns), p


def _masses(above: Array, edges: tuple[Array, Array]) -> tuple[Array, list[float]]:
    """The cluster of each place (-1 for none), and the mass of each cluster."""
    high = above > 0
    label = np.full(len(above), -1)
    if not high.any():
        return label, []
    place = np.cumsum(high) - 1
    kept = high[edges[0]] & high[edges[1]]
    graph = coo_array((np.ones(kept.sum()), (place[edges[0][kept]], place[edges[1][kept]])), shape=(high.sum(),) * 2)
    n, found = connected_components(graph, directed=False)
    label[high] = found
    return label, np.bincount(found, weights=above[high], minlength=n).tolist()


def _edges(score: xr.DataArray, neighbourhoods: Mapping[str | None, Mapping[str, Array]]) -> tuple[Array, Array]:
    """Pairs of places that are neighbours."""
    first: list[int] = []
    second: list[int] = []
    start = 0
    for site, sets in neighbourhoods.items():
        n_here = score.sizes["place"] if site is None else int((score["site"] == site).sum())
        n_times = n_here // len(sets)
        holding: dict[int, list[int]] = {}
        for i, units in enumerate(sets.values()):
            for unit in np.asarray(units).tolist():
                holding.setdefault(unit, []).append(i)
        pairs = {pair for members in holding.values() for pair in combinations(members, 2)}
        for t in range(n_times):
            at = start + t * len(sets)
            first += [at + a for a, _ in pairs]
            second += [at + b for _, b in pairs]
            if t + 1 < n_times:
                first += range(at, at + len(sets))
                second += range(at + len(sets), at + 2 * len(sets))
        start += n_here
    return np.array(first, dtype=int), np.array(second, dtype=int)
