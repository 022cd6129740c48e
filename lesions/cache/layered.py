"""Layered cache: values of one setup in memory, and on disk where there is a campaign."""

from __future__ import annotations

import os
import time as clock

import numpy as np

from artiphys.array_types import Array
from artiphys.border import shown
from artiphys.errors import InputError
from artiphys.lesions.cache.campaign import Campaign
from artiphys.lesions.cache.in_memory import Memo
from artiphys.lesions.cache.keys import keys_of, lesion_keys, lesion_words
from artiphys.lesions.evaluation.setup import Setup

# Values go to disk after each block, or once blocks of so many seconds have come together: writing one
# takes some milliseconds, and a toy's blocks less than that.
FLUSH_SECONDS = 0.05


class LayeredCache:
    """What is known of one setup's coalitions.

    Parameters
    ----------
    setup : Setup
    path : path, optional
        A campaign's directory.
    whole : cache and rows, optional
        Of a game with more trials, and which of them this one has.
    """

    def __init__(
        self,
        setup: Setup,
        path: str | os.PathLike[str] | None = None,
        whole: tuple[LayeredCache, Array] | None = None,
    ) -> None:
        self._prep, self.path, self._whole = setup.prep, path, whole
        self._memos: dict[tuple[str, ...], Memo] = {}
        self.campaign: Campaign | None = None
        if path is not None and not (isinstance(path, (str, os.PathLike)) and str(path)):
            raise InputError(f"cache came as {shown(path)}; wanted the path of a directory")
        if path is not None:
            self.campaign = Campaign(path, setup.context)
            self._words = lesion_words(setup.players)
        self._waiting: list[tuple[list[bytes], Array]] = []
        self._flushed = clock.perf_counter()

    @property
    def memo(self) -> Memo:
        """Values in memory; inside `lesioned` the same coalition is another network."""
        return self._memos.setdefault(self._prep.in_force, Memo())

    def load_known(self, coalitions: Array) -> Array:
        """Put what is known of new coalitions elsewhere into memory; the coalitions that are left."""
        if self._whole is not None:
            coalitions = self._load_from_whole(coalitions, *self._whole)
        if self.campaign is None or not len(coalitions):
            return coalitions
        self.campaign.refresh()
        keys = self._keys_on_disk(coalitions)
        known = [i for i, k in enumerate(keys) if k in self.campaign]
        if known:
            self.memo.add(keys_of(coalitions[known]), self.campaign.take([keys[i] for i in known]))
        left = np.ones(len(coalitions), dtype=bool)
        left[known] = False
        self._flushed = clock.perf_counter()
        return coalitions[left]

    def _load_from_whole(self, coalitions: Array, whole: LayeredCache, rows: Array) -> Array:
        keys, memo = keys_of(coalitions), whole.memo
        known = np.array([key in memo for key in keys], dtype=bool)
        if known.any():
            kept = [key for key, there in zip(keys, known) if there]
            self.memo.add(kept, memo.take(kept)[:, rows])
        return np.asarray(coalitions[~known])

    def put(self, coalitions: Array, per_trial: Array) -> None:
        """Keep a block; on disk at once unless blocks come faster than a disk is written."""
        self.memo.add(keys_of(coalitions), per_trial)
        if self.campaign is None:
            return
        self._waiting.append((self._keys_on_disk(coalitions), np.asarray(per_trial, dtype=np.float64)))
        if clock.perf_counter() - self._flushed >= FLUSH_SECONDS:
            self.flush()

    def flush(self) -> None:
        """Put what waits on disk; if that fails it waits on."""
        if self._waiting and self.campaign is not None:
            keys = [k for some, _ in self._waiting for k in some]
            self.campaign.add(keys, np.concatenate([values for _, values in self._waiting]))
            self._waiting = []
        self._flushed = clock.perf_counter()

    def _keys_on_disk(self, coalitions: Array) -> list[bytes]:
        """Keys of what coalitions lesion, whoever the players are."""
        return lesion_keys(~coalitions, self._words, self._prep.in_force)
