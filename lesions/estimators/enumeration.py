"""Exact Shapley and Banzhaf values: every coalition, weighted."""

from __future__ import annotations

import math

import numpy as np

from artiphys.lesions.estimators.estimate import Estimate
from artiphys.lesions.estimators.kernel import Index

MAX_EXACT = 16


def enumerated(n: int, index: Index) -> Estimate:
    """All coalitions of ``n`` players and their weights.

    A coalition S of size s has the weight w(s - 1) for its members and -w(s) for the others; w is
    1 / (n * binomial(n - 1, s)) for Shapley values (Shapley 1953) and 2^(1 - n) for Banzhaf's (Banzhaf 1965).
    """
    number = np.concatenate([[2**n - 1], np.arange(2**n - 1)])  # all intact, all lesioned, the others
    coalitions = (number[:, None] >> np.arange(n)) & 1 == 1
    sizes = coalitions.sum(axis=1)
    w = [1 / (n * math.comb(n - 1, s)) if index == "shapley" else 2.0 ** (1 - n) for s in range(n)]
    joined, left = np.array([0.0, *w])[sizes], np.array([*w, 0.0])[sizes]
    return Estimate(coalitions, np.where(coalitions.T, joined, -left))
