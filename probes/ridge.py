"""Ridge readout for many targets at once: one factorisation a fold serves all permutations.

The same predictions as scikit-learn's StandardScaler followed by RidgeClassifier or Ridge.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.linalg import cho_factor, cho_solve

Array = np.ndarray[Any, Any]


def ridge_predictions(train: Array, targets: Array, test: Array, n_classes: int | None, alpha: float = 1.0) -> Array:
    """Predictions of each target on the test trials.

    Parameters
    ----------
    train : ``(trial, feature)``
    targets : ``(target, trial)``
        Class indices 0..n_classes-1, or numbers where ``n_classes`` is None.
    test : ``(test trial, feature)``

    Returns
    -------
    ``(target, test trial)``, classes or numbers.
    """
    mean, sd = train.mean(axis=0), train.std(axis=0)
    # A feature that only rounding makes vary is constant; dividing by its sd would blow rounding up.
    sd[sd <= 10 * np.finfo(float).eps * np.sqrt(len(train)) * np.abs(mean)] = 1.0
    sd[sd == 0] = 1.0
    x, z = (train - mean) / sd, (test - mean) / sd
    y = _coded(targets, n_classes)  # (trial, column)
    centre = y.mean(axis=0)
    if x.shape[1] > len(x):
        weights = cho_solve(cho_factor(x @ x.T + alpha * np.eye(len(x))), y - centre)
        guess = (z @ x.T) @ weights + centre
    else:
        weights = cho_solve(cho_factor(x.T @ x + alpha * np.eye(x.shape[1])), x.T @ (y - centre))
        guess = z @ weights + centre
    guess = guess.reshape(len(test), len(targets), -1)
    if n_classes is None:
        return np.asarray(guess[..., 0].T)
    return np.asarray((guess[..., 0] > 0).astype(int).T if n_classes == 2 else guess.argmax(axis=-1).T)


def _coded(targets: Array, n_classes: int | None) -> Array:
    if n_classes is None:
        return np.asarray(targets, dtype=float).T
    if n_classes == 2:
        return np.asarray(2.0 * targets.T - 1)
    columns = np.where(targets[..., None] == np.arange(n_classes), 1.0, -1.0)  # (target, trial, class)
    return columns.transpose(1, 0, 2).reshape(targets.shape[1], -1)
