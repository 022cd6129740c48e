"""Rankings of units by what their activity tells of the labels."""

from __future__ import annotations

import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler

from artiphys.array_types import Array


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
