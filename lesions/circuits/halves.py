"""Halves: trials to search on, and others to judge what was found by."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from artiphys.array_types import Array
from artiphys.border import shown
from artiphys.errors import InputError, StatisticsError
from artiphys.lesions.circuits.question import Criterion
from artiphys.lesions.circuits.trial_scores import require_distance, require_gap
from artiphys.lesions.games.game import Game
from artiphys.lesions.games.protocol import GameLike, checked_rows
from artiphys.user_warnings import warn

MIN_TRIALS, FEW_TRIALS = 8, 32  # of a half: below the first a search fits chance, below the second it may


@dataclass(frozen=True)
class Halves:
    """A game on the trials that a search sees, and on those that are held out.

    ``why`` says why nothing is held out, where that is so; ``rows`` are the held-out trials.
    """

    search: GameLike
    held_out: Game | None
    rows: tuple[int, ...]
    why: str

    def require_gaps(self, criterion: Criterion) -> None:
        """`StatisticsError` if either half does not tell intact from lesioned: its mean, or trial by trial."""
        if self.held_out is not None:
            assert isinstance(self.search, Game)
            require = require_gap if criterion == "mean" else require_distance
            require(self.search, "searched")
            require(self.held_out, "held-out")

    def warn_if_few(self) -> None:
        """Warn where a half has so few trials that a search may fit chance."""
        if self.held_out is None:
            return
        least = min(len(self.rows), len(self.search.stimuli))
        if least < FEW_TRIALS:
            warn(f"only {least} trials on one side: a circuit found on so few often fits them better than others")


def split(game: GameLike, holdout: float | Sequence[int] | Array | None, seed: int) -> Halves:
    """Draw the held-out trials, or take those that are named.

    Raises
    ------
    StatisticsError
        If a half has fewer than 8 trials.
    """
    if not isinstance(game, Game) or game.setup.stimuli is None:
        if holdout is not None and not _is_share(holdout):
            raise InputError("holdout= names trials, but this game has none; leave it out")
        return Halves(game, None, (), "the game gives no trials to hold out")
    if holdout is None:
        return Halves(game, None, (), "holdout=None: the trials are taken to be all there are")
    n = len(game.stimuli)
    if _is_share(holdout):
        share = float(holdout)  # type: ignore[arg-type]
        if not 0 < share < 1:
            raise InputError(f"holdout came as {holdout}; wanted a share between 0 and 1, numbers of trials, or None")
        rows = np.sort(np.random.default_rng([seed, n]).permutation(n)[: round(share * n)])
    else:
        if np.size(np.asarray(holdout, dtype=object)) == 0:
            raise InputError("holdout came empty; name the trials to hold out, or None for none")
        rows = np.sort(checked_rows(holdout, n))
    others = np.setdiff1d(np.arange(n), rows)
    least = min(len(rows), len(others))
    if least < MIN_TRIALS:
        raise StatisticsError(
            f"holding out {len(rows)} of {n} trials leaves {least} on one side; a search on fewer than {MIN_TRIALS} "
            "fits chance. Give more trials, or holdout=None if these are all the inputs there are"
        )
    return Halves(game.on(others), game.on(rows), tuple(int(r) for r in rows), "")


def _is_share(holdout: object) -> bool:
    if isinstance(holdout, (bool, str)):
        raise InputError(f"holdout came as {shown(holdout)}; wanted a share, numbers of trials, or None")
    return isinstance(holdout, (int, float, np.number))
