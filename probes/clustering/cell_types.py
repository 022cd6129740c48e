"""cell_types(): clusters of units, believed where they are tighter than one cloud and a valley parts them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from artiphys.array_types import Array
from artiphys.border import border
from artiphys.errors import InputError, StatisticsError
from artiphys.missing import plain_array
from artiphys.probes.clustering.animals import group_names, recurrence, without_offsets
from artiphys.probes.clustering.cluster_tests import criteria_of, gaussian_like, tightness
from artiphys.probes.clustering.halves import Split, split_in_two
from artiphys.probes.clustering.result import CellTypes
from artiphys.probes.clustering.shapes import shape_of
from artiphys.probes.clustering.tree import types_of
from artiphys.probes.tuning.result import Tuning
from artiphys.progress import progress_bar
from artiphys.stats.seeds import Seed, whole_seed
from artiphys.user_warnings import warn

MAX_SHARE_AT_END = 0.1  # share of units at one end of a feature's range that makes a verdict impossible


MOST_KINDS = 4  # values of a feature, up to which they are kinds and not steps of a scale


@border
def cell_types(
    features: Any,
    *,
    max_types: int = 5,
    alpha: float = 0.05,
    n_null: int = 100,
    seed: Seed = 0,
    standardise: bool = False,
    groups: Any = None,
    progress: bool = True,
) -> CellTypes:
    """Cluster units, and say whether a continuum would look the same.

    Any clustering finds clusters. Types are believed where two tests agree. Clusters must be tighter than those of
    one Gaussian of the same covariance, by k-means or by a mixture's likelihood of units left out; an elongated cloud
    passes as types by silhouette, but not by this. And there must be a valley between them, on a line that one half
    of the units has chosen and that the other half is counted on: flat, skewed and heavy-tailed clouds have none. Of
    a ring or an arc, which has valleys on straight lines, the valley must show along the curve. Types are cut in two
    again as long as both parts show a valley. A test of the features between the found clusters would prove nothing:
    the clusters were made by these features.

    Two types 3 standard deviations apart have so flat a valley that hundreds of units leave it in doubt; at 5, sixty
    show it. Discrete features are spread over their steps, for empty places between whole numbers are no valleys.

    Parameters
    ----------
    features : DataFrame or array ``(unit, feature)``, or Tuning
        Of a Tuning the shape of each unit's curve (mean 0, length 1); silent units must be left out first.
    max_types : int
        Largest number of clusters tried, and of types.
    alpha : float
        p below which types are believed.
    n_null : int
        Draws from the null.
    standardise : bool
        Give every feature unit variance first. Needed where features have different units; where they share one it
        hides types, since what sets types apart is then as wide as what does not.
    groups : array ``(unit,)``, optional
        Animal or session of each unit. What differs between groups in offset or scale is taken out, and types must
        recur: in two groups at least, and in more than half of those large enough to have three units of the type.

    Raises
    ------
    InputError, StatisticsError

    References
    ----------
    Liu, Hayes, Nobel & Marron 2008, Statistical significance of clustering for high-dimension, low-sample size data.
    Hennig 2010, Methods for merging Gaussian mixture components (parts without a valley are one type).

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
    names = None if groups is None else group_names(groups, n)
    caution = _piled(table)
    rng = np.random.default_rng(seed)
    spaced = _spread_over_steps(table, rng)
    spaced = spaced if names is None else without_offsets(spaced, names)
    spread = spaced.std(ddof=0).to_numpy()
    x = (spaced - spaced.mean()).to_numpy() / (spread if standardise else spread.max())
    ks = range(2, max_types + 1)
    observed = tightness(x, ks, rng)
    draws = progress_bar("continua", over=range(n_null), show=progress)
    null = np.stack([tightness(gaussian_like(x, rng), ks, rng) for _ in draws])  # (draw, measure, k)
    every = np.concatenate([observed[None, 0], null[:, 0]])
    z = (every.mean(axis=0) - every) / every.std(axis=0)  # tight is large
    split = split_in_two(x, rng)
    p_index = float((np.sum(z[1:].max(axis=1) >= z[0].max() - 1e-12) + 1) / (n_null + 1))
    p_tight = min(p_index, split.p_mixture)
    p_value = max(p_tight, split.p_valley)
    labels, recurs, alone = np.zeros(n, dtype=int), None, ""
    if p_value <= alpha and not caution:
        labels = types_of(x, split, max_types, alpha, rng)
        if names is not None:
            recurs, alone = recurrence(labels, names)
            labels = np.zeros(n, dtype=int) if alone else labels
    k = int(labels.max()) + 1
    criteria = criteria_of(x, ks, observed, null, rng)
    shape = "" if k > 1 or caution else shape_of(x, split.curve, rng)
    if caution:
        verdict = f"no verdict: {caution}"
        warn(caution)
    elif k > 1:
        verdict = (
            f"{k} types, tighter than a single Gaussian cloud of the same covariance (p {p_tight:.2g}), with a valley "
            f"between them (p {split.p_valley:.2g})."
        )
    elif alone:
        verdict = f"no types that recur in the groups: {alone}."
    else:
        verdict = _no_types(shape, p_tight, split, alpha)
    position, along, edges = _drawn(x, split)
    return CellTypes(
        n_types=k, labels=labels, criteria=criteria, p_value=p_value, p_valley=split.p_valley, verdict=verdict,
        caution=caution, features=table, null=null, n_null=n_null, seed=seed, standardised=standardise,
        p_tight=p_tight, shape=shape, position=position, along=along, edges=edges, groups=names, recurrence=recurs,
    )  # fmt: skip


def _no_types(shape: str, p_tight: float, split: Split, alpha: float) -> str:
    why = [
        *([f"no valley shows between clusters (p {split.p_valley:.2g})"] if split.p_valley > alpha else []),
        *([f"clusters are no tighter than a single Gaussian's (p {p_tight:.2g})"] if p_tight > alpha else []),
    ]
    return f"no types: {shape}, a continuum; {' and '.join(why)}."


def _spread_over_steps(table: pd.DataFrame, rng: np.random.Generator) -> pd.DataFrame:
    """Values of features that come in steps, spread evenly over their step; features of few values are kinds."""
    spread = table.copy()
    for name in table.columns:
        values = np.unique(table[name])
        if MOST_KINDS < len(values) <= len(table) / 2:
            step = float(np.median(np.diff(values)))
            spread[name] = table[name] + step * rng.uniform(-0.5, 0.5, size=len(table))
    return spread


def _drawn(x: Array, split: Split) -> tuple[Array, Array, Array]:
    """Units in a plane ``(unit, 2)``, along the line or curve of the valley ``(unit,)``, and its edges ``(4,)``."""
    if split.curve is not None:
        plane = (x - split.curve.mean) @ split.curve.frame[:, :2] - split.curve.centre
        return plane, split.curve.along(x), split.edges
    along = x @ split.line
    beside = x - np.outer(along, x.T @ along / (along @ along))  # what the line does not tell
    wide = np.linalg.svd(beside - beside.mean(axis=0), full_matrices=False)[2][0]
    return np.column_stack([along, beside @ wide]), along, split.edges


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
            if share > MAX_SHARE_AT_END and table[name].nunique() > MOST_KINDS:
                return (
                    f"{share:.0%} of units lie at {end:g}, an end of the range of {name!r}. An index such as "
                    "(a - b) / (a + b) piles up there when counts are small, although preference is a continuum; "
                    "use units with more counts, or the counts themselves"
                )
    return ""
