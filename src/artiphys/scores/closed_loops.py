"""Scores that run the network themselves: an environment, a generation loop."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from artiphys.array_types import Array
from artiphys.border import border
from artiphys.errors import InputError


@dataclass(frozen=True)
class ClosedLoop:
    """A score that runs the network itself: an environment, a generation loop; see `closed_loop`."""

    fn: Callable[[Any], Any]
    name: str
    unit: str = ""
    key: str | None = None
    outputs: tuple[str, ...] = ()
    reduce: None = None

    def summary(self, per_trial: Array, trials: Any) -> Array:
        """Mean over episodes ``(n, episode) -> (n,)``."""
        return np.asarray(per_trial.mean(axis=1))


@border
def closed_loop(fn: Callable[[Any], Any], *, name: str = "", unit: str = "", key: str | None = None) -> ClosedLoop:
    """A behaviour that calls the network as often as it likes: ``fn(prep)`` -> a number, or one per episode.

    For ``ap.Game(prep, None, score, players, kind=...)``: players are lesioned while ``fn`` runs. It must
    give the same for the same lesions: seed whatever is random in it.

    Parameters
    ----------
    fn : callable
        Gets the preparation; calls ``prep.run(...)`` or ``prep.model(...)``.
    key : str, optional
        Name on disk, needed for a disk cache.
    """
    if not callable(fn):
        raise InputError(f"closed_loop got a {type(fn).__name__}; wanted a function of the preparation")
    return ClosedLoop(fn, name or getattr(fn, "__name__", "score"), unit, key)
