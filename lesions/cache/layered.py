"""Shelf: a game's part of a campaign; what to fetch from disk, what to put there and when."""

from __future__ import annotations

import os
import time as clock
from typing import TYPE_CHECKING, Any

import numpy as np

from artiphys.lesions.cache.campaign import Campaign
from artiphys.lesions.cache.in_memory import Memo, keys_of
from artiphys.lesions.cache.keys import lesion_keys, lesion_words
from artiphys.lesions.evaluation.blocks import fitting_values

if TYPE_CHECKING:
    from artiphys.lesions.evaluation.batch_size import Pace
    from artiphys.lesions.evaluation.evaluator import Evaluator
    from artiphys.lesions.games.game import Game

Array = np.ndarray[Any, Any]
# Values go to disk after each block, or once blocks of so many seconds have come together: writing one
# takes some milliseconds, and a toy's blocks less than that.
LINGER = 0.05


class Shelf:
    """The campaign of one game.

    Parameters
    ----------
    path : path
    game : Game
    """

    def __init__(self, path: str | os.PathLike[str], game: Game) -> None:
        self.campaign = Campaign(path, game.context)
        self.words = lesion_words(game._writers)
        self.prep = game.prep
        self._waiting: list[tuple[list[bytes], Array]] = []
        self._last = clock.perf_counter()

    def keys(self, coalitions: Array) -> list[bytes]:
        """Keys of what coalitions lesion, whoever the players are."""
        return lesion_keys(~coalitions, self.words, self.prep.in_force)

    def fetch(self, coalitions: Array, memo: Memo) -> Array:
        """Put what the campaign knows into the memo; the coalitions that are left."""
        self.campaign.refresh()
        keys = self.keys(coalitions)
        known = [i for i, k in enumerate(keys) if k in self.campaign]
        if known:
            memo.add(keys_of(coalitions[known]), self.campaign.take([keys[i] for i in known]))
        left = np.ones(len(coalitions), dtype=bool)
        left[known] = False
        self._last = clock.perf_counter()
        return coalitions[left]

    def put(self, coalitions: Array, kept: Array) -> None:
        """Keep a block; on disk at once unless blocks come faster than a disk is written."""
        self._waiting.append((self.keys(coalitions), np.asarray(kept, dtype=np.float64)))
        if clock.perf_counter() - self._last >= LINGER:
            self.flush()

    def flush(self) -> None:
        """Put what waits on disk; if that fails it waits on."""
        if self._waiting:
            keys = [k for some, _ in self._waiting for k in some]
            self.campaign.add(keys, np.concatenate([kept for _, kept in self._waiting]))
            self._waiting = []
        self._last = clock.perf_counter()

    def settle(self, pace: Pace, evaluator: Evaluator, coalitions: Array) -> None:
        """Fix the rows a call before the first block, so that a resumed run makes the same blocks."""
        if pace.fixed:
            return
        known = self.campaign.rows
        if known is None:
            with evaluator.running():
                some = coalitions[evaluator.sort(coalitions)]
                while not pace.settled:
                    size = min(len(some), pace.n_at_once)
                    began, units = clock.perf_counter(), evaluator.n_units
                    fitting_values(evaluator, some[:size], pace)
                    work = (evaluator.n_units - units) * len(evaluator.stimuli) or float(size)
                    pace.note(size * pace.trials, work, clock.perf_counter() - began, (0, 0), 0)
            known = self.campaign.rows = pace.rows
        pace.rows, pace.settled = known, True
