"""Clusters held against draws from one Gaussian of the same covariance."""

from __future__ import annotations

import numpy as np
import pandas as pd
from sklearn.metrics import adjusted_rand_score
from sklearn.mixture import GaussianMixture

from artiphys.array_types import Array

N_STARTS = 4
N_STEPS = 50


def gaussian_like(x: Array, rng: np.random.Generator) -> Array:
    """One Gaussian of the same covariance."""
    p = x.shape[1]
    root = np.linalg.cholesky(np.cov(x.T).reshape(p, p) + 1e-10 * np.eye(p))
    draw: Array = rng.normal(size=x.shape) @ root.T
    return draw


def clusters(x: Array, k: int, rng: np.random.Generator) -> tuple[Array, float]:
    """Labels of k-means clusters ``(unit,)``, and their within-cluster sum of squares: the best of several starts."""
    fitted = _lloyd(np.broadcast_to(x, (N_STARTS, *x.shape)), k, rng)
    squares = _squares(np.broadcast_to(x, (N_STARTS, *x.shape)), fitted)
    best = int(squares.min(axis=2).sum(axis=1).argmin())
    return squares[best].argmin(axis=1), float(squares[best].min(axis=1).sum())


def tightness(x: Array, ks: range, rng: np.random.Generator) -> Array:
    """Cluster index, silhouette and stability ``(measure, k)``."""
    total = float(((x - x.mean(axis=0)) ** 2).sum())
    apart = np.sqrt(np.maximum(_squares(x[None], x[None])[0], 0))
    rows = []
    for k in ks:
        labels, inertia = clusters(x, k, rng)
        rows.append((inertia / total, _silhouette(apart, labels, k), _stability(x, k, rng)))
    return np.array(rows).T


def _lloyd(x: Array, k: int, rng: np.random.Generator) -> Array:
    """Centres ``(set, k, feature)`` of k-means in sets ``(set, unit, feature)``, from spread-out starts.

    Arthur & Vassilvitskii 2007, k-means++: the advantages of careful seeding.
    """
    sets, n, p = x.shape
    every = np.arange(sets)
    centres = np.empty((sets, k, p))
    centres[:, 0] = x[every, rng.integers(n, size=sets)]
    for i in range(1, k):
        near = np.maximum(_squares(x, centres[:, :i]).min(axis=2), 0).cumsum(axis=1)
        drawn = (near < rng.uniform(size=(sets, 1)) * near[:, -1:]).sum(axis=1)
        centres[:, i] = x[every, np.minimum(drawn, n - 1)]
    labels = np.full((sets, n), -1)
    for _ in range(N_STEPS):
        now = _squares(x, centres).argmin(axis=2)
        if (now == labels).all():
            break
        labels = now
        member = (labels[:, :, None] == np.arange(k)).astype(float).transpose(0, 2, 1)
        size = member.sum(axis=2)[:, :, None]
        centres = np.where(size > 0, member @ x / np.maximum(size, 1), centres)
    return centres


def _squares(x: Array, centres: Array) -> Array:
    """Squared distances ``(set, unit, centre)``."""
    cross = x @ centres.transpose(0, 2, 1)
    squares: Array = (x**2).sum(axis=2)[:, :, None] - 2 * cross + (centres**2).sum(axis=2)[:, None]
    return squares


def _silhouette(apart: Array, labels: Array, k: int) -> float:
    """Mean silhouette (Rousseeuw 1987, Silhouettes) from distances ``(unit, unit)``; 0 of a unit by itself."""
    member = (labels[:, None] == np.arange(k)).astype(float)
    size = member.sum(axis=0)
    total, own = apart @ member, np.arange(len(labels))
    inside = total[own, labels] / np.maximum(size[labels] - 1, 1)
    mean = np.where(member > 0, np.inf, total / np.maximum(size, 1))
    mean[:, size == 0] = np.inf
    outside = mean.min(axis=1)
    largest = np.maximum(inside, outside)
    alone = (size[labels] <= 1) | ~np.isfinite(outside) | (largest <= 0)
    return float(np.where(alone, 0.0, (outside - inside) / np.where(alone, 1.0, largest)).mean())


def _stability(x: Array, k: int, rng: np.random.Generator, n: int = 2) -> float:
    """Agreement of clusterings of random halves, each extended to all units."""
    half = len(x) // 2
    orders = [rng.permutation(len(x)) for _ in range(n)]
    halves = np.stack([x[part] for o in orders for part in (o[:half], o[half : 2 * half])])
    starts = np.repeat(halves, 2, axis=0)  # two starts of each half
    centres = _lloyd(starts, k, rng)
    within = np.maximum(_squares(starts, centres).min(axis=2), 0).sum(axis=1).reshape(-1, 2)
    chosen = centres[2 * np.arange(len(halves)) + within.argmin(axis=1)]
    labels = _squares(np.broadcast_to(x, (len(chosen), *x.shape)), chosen).argmin(axis=2)
    return float(np.mean([adjusted_rand_score(labels[2 * i], labels[2 * i + 1]) for i in range(n)]))


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
