"""Readings of activity: rankings of units by what they tell of the labels, types of units, and brain scores.

References: Rousseeuw 1987, Silhouettes: a graphical aid to the interpretation and validation of cluster analysis;
Yamins et al. 2014, Performance-optimized hierarchical models predict neural responses in higher visual cortex.
"""

from __future__ import annotations

import numpy as np
from sklearn.cluster import KMeans
from sklearn.linear_model import LogisticRegression, RidgeCV
from sklearn.metrics import silhouette_score
from sklearn.model_selection import cross_val_predict
from sklearn.preprocessing import StandardScaler

from artiphys.array_types import Array
from artiphys.recording import record
from artiphys.verification.methods import Case

MAX_TYPES = 5


def probe_weights(activity: Array, labels: Array) -> Array:
    """Absolute weights of a logistic probe on standardised activity, summed over classes."""
    probe = LogisticRegression(max_iter=1000).fit(StandardScaler().fit_transform(activity), labels)
    return np.asarray(np.abs(probe.coef_).sum(axis=0))


def selectivity(activity: Array, labels: Array) -> Array:
    """(largest - smallest mean) / (largest + smallest) of the rectified activity, as single units are often ranked."""
    rates = np.stack([np.maximum(activity[labels == label], 0).mean(axis=0) for label in np.unique(labels)])
    low, high = rates.min(axis=0), rates.max(axis=0)
    return np.asarray(np.divide(high - low, high + low, out=np.zeros_like(high), where=high + low > 0))


def discriminability(activity: Array, labels: Array) -> Array:
    """|d'| of each unit, the largest of the pairs of classes; 0 where nothing varies."""
    classes = np.unique(labels)
    best = np.zeros(activity.shape[1])
    for i, a in enumerate(classes):
        for b in classes[i + 1 :]:
            x, y = activity[labels == a], activity[labels == b]
            spread = np.sqrt((x.var(axis=0) + y.var(axis=0)) / 2)
            apart = np.abs(x.mean(axis=0) - y.mean(axis=0))
            # Units without noise are told apart perfectly, so they come before all others.
            d = np.divide(apart, spread, out=np.where(apart > 0, np.inf, 0.0), where=spread > 0)
            best = np.maximum(best, d)
    finite = best[np.isfinite(best)]
    return np.where(np.isfinite(best), best, 10 * finite.max(initial=1.0))


def correlation(activity: Array, labels: Array) -> Array:
    """|correlation| of each unit with the labels: how units are chosen by their brain score, one target at a time."""
    x, y = activity - activity.mean(axis=0), labels - labels.mean()
    norm = np.sqrt((x**2).sum(axis=0) * (y**2).sum())
    return np.asarray(np.abs(np.divide(y @ x, norm, out=np.zeros(x.shape[1]), where=norm > 0)))


def types_by_silhouette(case: Case) -> dict[str, float]:
    """k-means with the number of clusters of the best silhouette, which is never one; units by their activity."""
    (site,) = case.toy.players
    x = record(case.prep, case.toy.stimuli, [site], progress=False)[site].to_numpy().T
    every = [KMeans(k, n_init=10, random_state=0).fit_predict(x) for k in range(2, MAX_TYPES + 1)]
    labels = max(every, key=lambda found: silhouette_score(x, found))
    shares = {"smaller type": np.bincount(labels).min() / len(labels)}
    for first, name in enumerate(("even", "odd")):
        own = np.bincount(labels[first::2])
        shares[f"{name} units in one type"] = own.max() / own.sum()
    return {"types": float(labels.max() + 1), **{k: float(v) for k, v in shares.items()}}


def brain_score(case: Case) -> dict[str, float]:
    """Cross-validated R2 of a ridge regression onto a recorded response, whatever else would explain it."""
    activity = record(case.prep, case.toy.stimuli, list(case.truth.expected), progress=False)
    response = case.toy.stimuli.conditions["cortex"].to_numpy()
    scores = {}
    for site in case.truth.expected:
        x = activity[site].to_numpy()
        guess = cross_val_predict(RidgeCV(np.logspace(-2, 4, 13)), x, response, cv=5)
        scores[site] = float(1 - ((response - guess) ** 2).sum() / ((response - response.mean()) ** 2).sum())
    return scores
