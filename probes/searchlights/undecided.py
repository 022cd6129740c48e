"""Undecided places: whose p-value so few permutations cannot tell from the level of the test."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float
from scipy.stats import beta

from artiphys.array_types import Array

ALPHA = 0.05
CONFIDENCE = 0.99
MAX_SHARE = 0.1  # of undecided places among the significant ones, up to which a map is taken as settled


def settled(p: Float[Array, " place"], n_permutations: int) -> bool:
    """Whether more permutations would change little of which places are significant.

    Of each place the number of permutations as extreme is binomial about its true p. Drawing on as long as many places
    are undecided costs the level little: what is decided is so with 99 % confidence (after Besag & Clifford 1991,
    Sequential Monte Carlo p-values).
    """
    extreme = np.round(p * (n_permutations + 1)) - 1
    tail = (1 - CONFIDENCE) / 2
    with np.errstate(invalid="ignore"):
        low = np.where(extreme > 0, beta.ppf(tail, extreme, n_permutations - extreme + 1), 0.0)
        high = np.where(extreme < n_permutations, beta.isf(tail, extreme + 1, n_permutations - extreme), 1.0)
    undecided = (low <= ALPHA) & (high > ALPHA)
    return bool(undecided.sum() <= MAX_SHARE * (p <= ALPHA).sum())
