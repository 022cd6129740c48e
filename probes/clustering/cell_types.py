"""cell_types(): clusters of units tested against one Gaussian of the same covariance."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from artiphys.border import border
from artiphys.errors import InputError, StatisticsError
from artiphys.missing import plain_array
from artiphys.probes.clustering.cluster_tests import clusters, criteria_of, gaussian_like, split_in_two, tightness
from artiphys.probes.clustering.result import CellTypes
from artiphys.probes.clustering.valley import between_two, valley_p_value
from artiphys.probes.tuning.result import Tuning
from artiphys.progress import progress_bar
from artiphys.stats.seeds import Seed, whole_seed
from artiphys.user_warnings import warn

MAX_SHARE_AT_END = 0.1  # share of units at one end of a feature's range that makes a verdict impossible


@border
def cell_types(
    features: Any,
    *,
    max_types: int = 5,
    alpha: float = 0.05,
    n_null: int = 100,
    seed: Seed = 0,
    standardise: bool = False,
    progress: bool = True,
) -> CellTypes:
    """Cluster units, and say whether a continuum would look the same.

    Any clustering finds clusters. Here the tightness of the clusters is held against data drawn from one Gaussian with
    the covariance of the features: a single elongated cloud passes as types by silhouette, but not by this. A flat or
    skewed cloud is no Gaussian either: take logarithms of skewed features, and see whether there is a valley. A test
    of the features between the found clusters would prove nothing: the clusters were made by these features.

    Parameters
    ----------
    features : DataFrame or array ``(unit, feature)``, or Tuning
        Of a Tuning the shape of each unit's curve (mean 0, length 1); silent units must be left out first.
    max_types : int
        Largest number of clusters tried.
    alpha : float
        p below which types are believed.
    n_null : int
        Draws from the null.
    standardise : bool
        Give every feature unit variance first. Needed where features have different units; where they share one it
        hides types, since what sets types apart is then as wide as what does not.

    Raises
    ------
    InputError, StatisticsError

    References
    ----------
    Liu, Hayes, Nobel & Marron 2008, Statistical significance of clustering for high-dimension, low-sample size data.

    >>> two = np.random.default_rng(0).normal(size=(60, 2)) + np.repeat([[-4, 0], [4, 0]], 30, axis=0)
    >>> cell_types(two, max_types=3, n_null=40).n_types
    2
    """
    seed = whole_seed(seed)
    table = _table(features)
    n, p = table.shape
    if not 2 <= max_types <= n // 5:
        raise InputError(f"max_types came as {max_types} for {n} units; wanted 2 to {n // 5}")
    if not 0 < alpha < 1:
        raise StatisticsError(f"alpha came as {alpha!r}; wanted a number between 0 and 1, such as 0.05")
    if n_null < 19:
        raise StatisticsError(f"n_null came as {n_null}; wanted 19 or more, for a p of .05")
    if n <= 2 * p:
        raise StatisticsError(f"{n} units with {p} features cannot tell a covariance; use fewer features")
    spread = table.std(ddof=0).to_numpy()
    if not standardise and spread.max() > 30 * spread.min():
        warn(
            f"features differ {spread.max() / spread.min():.0f}-fold in spread, and the widest decides what is near; "
            "if they have different units, pass standardise=True"
        )
    x = (table - table.mean()).to_numpy() / (spread if standardise else spread.max())
    caution = _piled(table)
    rng = np.random.default_rng(seed)
    ks = range(2, max_types + 1)
    observed = tightness(x, ks, rng)
    draws = progress_bar("continua", over=range(n_null), show=progress)
    null = np.stack([tightness(gaussian_like(x, rng), ks, rng) for _ in draws])  # (draw, measure, k)
    every = np.concatenate([observed[None, 0], null[:, 0]])
    z = (every.mean(axis=0) - every) / every.std(axis=0)  # tight is large
    p_value = float((np.sum(z[1:].max(axis=1) >= z[0].max() - 1e-12) + 1) / (n_null + 1))
    valley = valley_p_value(between_two(x, rng), n_null, rng)
    believed = p_value <= alpha and not caution
    labels = np.zeros(n, dtype=int)
    if believed:
        labels = split_in_two(x, n, alpha, n_null, rng)
        if labels.max() == 0:  # more than two that no cut in two brings out
            labels = clusters(x, int(ks[int(z[0].argmax())]), rng)[0]
    k = int(labels.max()) + 1
    criteria = criteria_of(x, ks, observed, null, rng)
    if caution:
        verdict = f"no verdict: {caution}"
        warn(caution)
    elif believed:
        verdict = f"{k} types, tighter than a single Gaussian cloud of the same covariance (p {p_value:.3g})"
        verdict += (
            f", with a valley between them (p {valley:.2g})."
            if valley <= alpha
            else f". No valley shows between them (p {valley:.2g}), so one flat or skewed cloud may look the same."
        )
    else:
        best = int(np.asarray(ks)[criteria["silhouette"].to_numpy().argmax()])
        verdict = (
            f"no types, a continuum: {best} clusters have a silhouette of {criteria['silhouette'][best]:.2f}, and a "
            f"single cloud of the same covariance shows {criteria['silhouette_null'][best]:.2f} (p {p_value:.2g})."
        )
    return CellTypes(k, labels, criteria, p_value, valley, verdict, caution, table, null, n_null, seed, standardise)


def _table(features: Any) -> pd.DataFrame:
    if isinstance(features, Tuning):
        curves = features.curves.to_numpy()
        flat = curves.reshape(-1, int(np.prod(curves.shape[-len(features.dims) :])))
        flat = flat - flat.mean(axis=1, keepdims=True)
        length = np.linalg.norm(flat, axis=1, keepdims=True)
        if (length == 0).any():
            raise InputError(f"{int((length == 0).sum())} units have a constant curve and no shape; leave these out")
        features = (flat / length)[:, :-1]  # the last value follows from the others
    if isinstance(features, pd.DataFrame):
        table = features.copy()
    else:
        values = plain_array(features)
        if values.ndim != 2:
            raise InputError(f"features came with shape {values.shape}; wanted (unit, feature)")
        table = pd.DataFrame(values, columns=[f"feature {i}" for i in range(values.shape[1])])
    if any(dtype.kind not in "biuf" for dtype in table.dtypes):
        raise InputError("features hold something else than numbers; give numeric columns")
    table = table.astype(float)
    bad = ~np.isfinite(table.to_numpy()).all(axis=1)
    if bad.any():
        raise InputError(f"features are NaN or infinite in {int(bad.sum())} of {len(table)} units; leave these out")
    still = [str(c) for c in table.columns if table[c].std(ddof=0) <= 1e-12 * table[c].abs().max()]
    if still:
        raise InputError(f"the features {still[:3]} are constant; leave these out")
    return table


def _piled(table: pd.DataFrame) -> str:
    """Why the range of a feature makes a continuum look like types, or ""."""
    for name in table.columns:
        for end in (table[name].min(), table[name].max()):
            share = float((table[name] == end).mean())
            if share > MAX_SHARE_AT_END and table[name].nunique() > 4:
                return (
                    f"{share:.0%} of units lie at {end:g}, an end of the range of {name!r}. An index such as "
                    "(a - b) / (a + b) piles up there when counts are small, although preference is a continuum; "
                    "use units with more counts, or the counts themselves"
                )
    return ""
