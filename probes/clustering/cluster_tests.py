"""Clusters held against draws from one Gaussian of the same covariance."""

from __future__ import annotations

import numpy as np
import pandas as pd
from scipy.stats import norm
from sklearn.cluster import KMeans
from sklearn.metrics import adjusted_rand_score, silhouette_score
from sklearn.mixture import GaussianMixture

from artiphys.array_types import Array

N_STARTS = 4


def gaussian_like(x: Array, rng: np.random.Generator) -> Array:
    """One Gaussian of the same covariance."""
    p = x.shape[1]
    root = np.linalg.cholesky(np.cov(x.T).reshape(p, p) + 1e-10 * np.eye(p))
    draw: Array = rng.normal(size=x.shape) @ root.T
    return draw


def split_in_two(x: Array, n_all: int, alpha: float, n_null: int, rng: np.random.Generator) -> Array:
    """Cut in two as long as the two are tighter than one Gaussian; the leaves are the types.

    The level of a branch shrinks with its share of the units, which bounds the chance of any wrong cut by alpha
    (Kimes et al. 2017, Statistical significance for hierarchical clustering).
    """
    whole = np.zeros(len(x), dtype=int)
    if len(x) < max(20, 2 * x.shape[1] + 1):
        return whole
    labels, inertia = clusters(x, 2, rng)
    index = inertia / ((x - x.mean(axis=0)) ** 2).sum()
    drawn = []
    for _ in range(n_null):
        y = gaussian_like(x, rng)
        drawn.append(clusters(y, 2, rng)[1] / ((y - y.mean(axis=0)) ** 2).sum())
    p = norm.cdf((index - np.mean(drawn)) / np.std(drawn))
    if p > alpha * (len(x) - 1) / (n_all - 1):
        return whole
    for part in (0, 1):
        here = labels == part
        inside = split_in_two(x[here], n_all, alpha, n_null, rng)
        whole[here] = inside + (whole.max() + 1 if part else 0)
    return whole


def clusters(x: Array, k: int, rng: np.random.Generator) -> tuple[Array, float]:
    """Labels of k-means clusters ``(unit,)``, and their within-cluster sum of squares."""
    fitted = KMeans(k, n_init=N_STARTS, random_state=int(rng.integers(2**31))).fit(x)
    return fitted.labels_, float(fitted.inertia_)


def tightness(x: Array, ks: range, rng: np.random.Generator) -> Array:
    """Cluster index, silhouette and stability ``(measure, k)``."""
    total = float(((x - x.mean(axis=0)) ** 2).sum())
    rows = []
    for k in ks:
        labels, inertia = clusters(x, k, rng)
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


def criteria_of(x: Array, ks: range, observed: Array, null: Array, rng: np.random.Generator) -> pd.DataFrame:
    """One row for each number of clusters: every criterion, its mean under the null and its p."""
    table = pd.DataFrame(index=pd.Index(list(ks), name="k"))
    for m, (name, small_is_tight) in enumerate((("cluster_index", True), ("silhouette", False), ("stability", False))):
        values, drawn = observed[m], null[:, m]
        tighter = drawn <= values if small_is_tight else drawn >= values
        table[name], table[f"{name}_null"] = values, drawn.mean(axis=0)
        table[f"{name}_p"] = (tighter.sum(axis=0) + 1) / (len(null) + 1)
    table["bic"] = [GaussianMixture(k, random_state=int(rng.integers(2**31)), reg_covar=1e-6).fit(x).bic(x) for k in ks]
    return table
