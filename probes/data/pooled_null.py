"""Which units' permutations make up a null that all units share."""

from __future__ import annotations

import numpy as np

from artiphys.array_types import Array
from artiphys.probes.data.activity import BLOCK_BYTES
from artiphys.probes.data.units import Units

POOL_FROM = 20  # units; with fewer, each is held against its own permutations only
POOL_SIZE = 5_000_000  # values of a pooled null: p as small as 2e-7; more units than this needs are drawn from


def pool_of(units: Units, n_permutations: int) -> Array:
    """All units, or as many at random as the size of a null and memory allow: boolean ``(unit,)``."""
    chosen = np.ones(units.n_units, dtype=bool)
    most = max(POOL_FROM, min(POOL_SIZE // n_permutations, BLOCK_BYTES // (8 * units.n_trials)))
    if units.n_units > most:
        chosen[:] = False
        chosen[np.random.default_rng(0).choice(units.n_units, most, replace=False)] = True
    return chosen
