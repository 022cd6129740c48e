"""Exact Shapley and Banzhaf values: every coalition, weighted."""

from __future__ import annotations

import math

import numpy as np
from jaxtyping import Bool

from artiphys.array_types import Array
from artiphys.lesions.estimators.estimate import Estimate
from artiphys.lesions.estimators.kernel import Index

MAX_EXACT = 16


def every_coalition(n: int) -> Bool[Array, "coalition player"]:
    """All coalitions of ``n`` players: all intact, all lesioned, the others by the number that their bits make."""
    number = np.concatenate([[2**n - 1], np.arange(2**n - 1)])
    return np.asarray((number[:, None] >> np.arange(n)) & 1 == 1)


def enumerated(n: int, index: Index) -> Estimate:
    """All coalitions of ``n`` players and their weights.

    A coalition S of size s has the weight w(s - 1) for its members and -w(s) for the others; w is
    1 / (n * binomial(n - 1, s)) for Shapley values (Shapley 1953) and 2^(1 - n) for Banzhaf's (Banzhaf 1965).
    """
    coalitions = every_coalition(n)
    sizes = coalitions.sum(axis=1)
    w = [1 / (n * math.comb(n - 1, s)) if index == "shapley" else 2.0 ** (1 - n) for s in range(n)]
    joined, left = np.array([0.0, *w])[sizes], np.array([*w, 0.0])[sizes]
    return Estimate(coalitions, np.where(coalitions.T, joined, -left))
