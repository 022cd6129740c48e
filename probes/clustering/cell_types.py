"""cell_types(): do units fall into types, or do they lie along a continuum?"""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from scipy.stats import norm
from sklearn.cluster import KMeans
from sklearn.metrics import adjusted_rand_score, silhouette_score
from sklearn.mixture import GaussianMixture
from tqdm.auto import tqdm

from artiphys.errors import InputError, StatisticsError
from artiphys.probes.tuning.result import Tuning
from artiphys.stats.permutations import Seed, whole_seed
from artiphys.version import __version__

Array = np.ndarray[Any, Any]
PILED = 0.1  # share of units at one end of a feature's range that makes a verdict impossible
N_STARTS = 4


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
        """One row a unit: its features and type."""
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
        warnings.warn(
            f"features differ {spread.max() / spread.min():.0f}-fold in spread, and the widest decides what is near; "
            "if they have different units, pass standardise=True",
            stacklevel=2,
        )
    x = (table - table.mean()).to_numpy() / (spread if standardise else spread.max())
    caution = _piled(table)
    rng = np.random.default_rng(seed)
    ks = range(2, max_types + 1)
    found = _measures(x, ks, rng)
    draws = tqdm(range(n_null), desc="continua", delay=2, disable=not progress, leave=False)
    null = np.stack([_measures(_continuum(x, rng), ks, rng) for _ in draws])  # (draw, measure, k)
    every = np.concatenate([found[None, 0], null[:, 0]])
    z = (every.mean(axis=0) - every) / every.std(axis=0)  # tight is large
    p_value = float((np.sum(z[1:].max(axis=1) >= z[0].max() - 1e-12) + 1) / (n_null + 1))
    valley = valley_p_value(_along(x, rng), n_null, rng)
    believed = p_value <= alpha and not caution
    labels = np.zeros(n, dtype=int)
    if believed:
        labels = _split(x, n, alpha, n_null, rng)
        if labels.max() == 0:  # more than two that no cut in two brings out
            labels = _clusters(x, int(ks[int(z[0].argmax())]), rng)[0]
    k = int(labels.max()) + 1
    criteria = _criteria(x, ks, found, null, rng)
    if caution:
        verdict = f"no verdict: {caution}"
        warnings.warn(caution, stacklevel=2)
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
        values = np.asarray(features)
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
            if share > PILED and table[name].nunique() > 4:
                return (
                    f"{share:.0%} of units lie at {end:g}, an end of the range of {name!r}. An index such as "
                    "(a - b) / (a + b) piles up there when counts are small, although preference is a continuum; "
                    "use units with more counts, or the counts themselves"
                )
    return ""


def _continuum(x: Array, rng: np.random.Generator) -> Array:
    """One Gaussian of the same covariance."""
    p = x.shape[1]
    root = np.linalg.cholesky(np.cov(x.T).reshape(p, p) + 1e-10 * np.eye(p))
    made: Array = rng.normal(size=x.shape) @ root.T
    return made


def _split(x: Array, n_all: int, alpha: float, n_null: int, rng: np.random.Generator) -> Array:
    """Cut in two as long as the two are tighter than one Gaussian; the leaves are the types.

    The level of a branch shrinks with its share of the units, which bounds the chance of any wrong cut by alpha
    (Kimes et al. 2017, Statistical significance for hierarchical clustering).
    """
    whole = np.zeros(len(x), dtype=int)
    if len(x) < max(20, 2 * x.shape[1] + 1):
        return whole
    labels, inertia = _clusters(x, 2, rng)
    index = inertia / ((x - x.mean(axis=0)) ** 2).sum()
    drawn = []
    for _ in range(n_null):
        y = _continuum(x, rng)
        drawn.append(_clusters(y, 2, rng)[1] / ((y - y.mean(axis=0)) ** 2).sum())
    p = norm.cdf((index - np.mean(drawn)) / np.std(drawn))
    if p > alpha * (len(x) - 1) / (n_all - 1):
        return whole
    for part in (0, 1):
        here = labels == part
        inside = _split(x[here], n_all, alpha, n_null, rng)
        whole[here] = inside + (whole.max() + 1 if part else 0)
    return whole


def _along(x: Array, rng: np.random.Generator) -> Array:
    """Units along the line between the centres of two clusters."""
    labels, _ = _clusters(x, 2, rng)
    line: Array = x @ (x[labels == 1].mean(axis=0) - x[labels == 0].mean(axis=0))
    return line


def valley_p_value(values: Array, n_draws: int, rng: np.random.Generator) -> float:
    """Bootstrap p of a density with one peak.

    Silverman 1981, Using kernel density estimates to investigate multimodality: the kernel just wide enough to leave
    one peak must be wide, compared with samples of the one-peaked density that it gives.
    """
    x = (values - values.mean()) / values.std()
    low, high = 0.02, 4.0
    for _ in range(18):
        middle = (low * high) ** 0.5
        low, high = (low, middle) if _n_peaks(x, middle) <= 1 else (middle, high)
    several = 0
    for _ in range(n_draws):
        drawn = rng.choice(x, len(x)) + high * rng.normal(size=len(x))
        several += _n_peaks(drawn / np.sqrt(1 + high**2), high) > 1  # of the same spread as the data
    return (several + 1) / (n_draws + 1)


def _n_peaks(x: Array, width: float) -> int:
    grid = np.linspace(x.min() - 3 * width, x.max() + 3 * width, 256)
    density = np.exp(-0.5 * ((grid[:, None] - x) / width) ** 2).sum(axis=1)
    slope = np.sign(np.diff(density))
    slope = slope[slope != 0]
    return int(((slope[:-1] > 0) & (slope[1:] < 0)).sum())


def _clusters(x: Array, k: int, rng: np.random.Generator) -> tuple[Array, float]:
    made = KMeans(k, n_init=N_STARTS, random_state=int(rng.integers(2**31))).fit(x)
    return made.labels_, float(made.inertia_)


def _measures(x: Array, ks: range, rng: np.random.Generator) -> Array:
    """Cluster index, silhouette and stability ``(measure, k)``."""
    total = float(((x - x.mean(axis=0)) ** 2).sum())
    rows = []
    for k in ks:
        labels, inertia = _clusters(x, k, rng)
        rows.append((inertia / total, float(silhouette_score(x, labels)), _stability(x, k, rng)))
    return np.array(rows).T


def _stability(x: Array, k: int, rng: np.random.Generator, n: int = 2) -> float:
    """Agreement of clusterings of random halves, each extended to all units."""
    agreed = []
    for _ in range(n):
        order = rng.permutation(len(x))
        halves = order[: len(x) // 2], order[len(x) // 2 :]
        fitted = [KMeans(k, n_init=2, random_state=int(rng.integers(2**31))).fit(x[h]) for h in halves]
        agreed.append(adjusted_rand_score(*(f.predict(x) for f in fitted)))
    return float(np.mean(agreed))


def _criteria(x: Array, ks: range, found: Array, null: Array, rng: np.random.Generator) -> pd.DataFrame:
    table = pd.DataFrame(index=pd.Index(list(ks), name="k"))
    for m, (name, small_is_tight) in enumerate((("cluster_index", True), ("silhouette", False), ("stability", False))):
        values, drawn = found[m], null[:, m]
        tighter = drawn <= values if small_is_tight else drawn >= values
        table[name], table[f"{name}_null"] = values, drawn.mean(axis=0)
        table[f"{name}_p"] = (tighter.sum(axis=0) + 1) / (len(null) + 1)
    table["bic"] = [GaussianMixture(k, random_state=int(rng.integers(2**31)), reg_covar=1e-6).fit(x).bic(x) for k in ks]
    return table
