"""All subsets of a few players: which of those that hold are minimal."""

from __future__ import annotations

import numpy as np
from jaxtyping import Bool, Integer

from artiphys.array_types import Array


def every_subset(players: Integer[Array, " member"], n: int) -> Bool[Array, "set player"]:
    """All sets of some of ``n`` players, numbered by the bits of their members."""
    k = len(players)
    rows = np.zeros((2**k, n), dtype=bool)
    rows[:, players] = (np.arange(2**k)[:, None] >> np.arange(k)) & 1 == 1
    return rows


def minimal(holds: Bool[Array, " set"]) -> Bool[Array, " set"]:
    """Which sets hold while no proper subset does; sets are numbered by bits.

    >>> np.flatnonzero(minimal(np.array([False, True, False, True, False, True, True, True]))).tolist()
    [1, 6]
    """
    below = np.zeros(len(holds), dtype=bool)  # whether a proper subset holds
    for bit in range(int(np.log2(len(holds)))):
        halves, held = below.reshape(-1, 2, 2**bit), holds.reshape(-1, 2, 2**bit)
        halves[:, 1] |= halves[:, 0] | held[:, 0]
    return np.asarray(holds & ~below)
