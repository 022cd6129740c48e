"""Seeds as users give them."""

from __future__ import annotations

import numpy as np

from artiphys.errors import StatisticsError

Seed = int | np.random.Generator | None


def whole_seed(seed: Seed) -> int:
    """A seed as a whole number: as it is, or drawn.

    Raises
    ------
    StatisticsError
        If it is neither a whole number, a numpy Generator nor None.
    """
    if seed is None or isinstance(seed, np.random.Generator):
        return int(np.random.default_rng(seed).integers(2**31))
    if not isinstance(seed, (int, np.integer)) or not 0 <= seed < 2**32:
        raise StatisticsError(f"seed came as {seed!r}; wanted a whole number from 0 to 2**32 - 1, a Generator or None")
    return int(seed)
