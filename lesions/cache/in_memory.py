"""Memo: kept values of coalitions, in memory."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from artiphys.array_types import Array


class Memo:
    """Kept values ``(trial[, number])`` by key, in one array that grows."""

    def __init__(self) -> None:
        self._place: dict[bytes, int] = {}
        self._kept: Array | None = None

    def __len__(self) -> int:
        return len(self._place)

    def __contains__(self, key: bytes) -> bool:
        return key in self._place

    def add(self, keys: Sequence[bytes], per_trial: Array) -> None:
        """Keep the values ``(n, trial[, number])`` of new keys."""
        start = len(self._place)
        needed = start + len(keys)
        if self._kept is None or needed > len(self._kept):
            size = max(needed, 2 * start, 64)
            grown = np.empty((size, *per_trial.shape[1:]))
            if self._kept is not None:
                grown[:start] = self._kept[:start]
            self._kept = grown
        self._kept[start:needed] = per_trial
        self._place.update(zip(keys, range(start, needed)))

    def take(self, keys: Sequence[bytes]) -> Array:
        """Kept values of known keys ``(n, trial[, number])``."""
        assert self._kept is not None
        return self._kept[[self._place[k] for k in keys]]
