"""Question: which sets of players suffice, or are critical; every answer is kept and every evaluation counted."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from jaxtyping import Bool, Float

from artiphys.array_types import Array
from artiphys.errors import InputError, StatisticsError
from artiphys.lesions.cache.keys import keys_of
from artiphys.lesions.games.game import Game
from artiphys.lesions.games.protocol import GameLike

Kind = Literal["sufficient", "critical"]
Criterion = Literal["mean", "trials"]
ROUNDING = 1e-9  # of the gap: sums of single precision differ by less than the last digit that a border is given with
FLAT = 1e-9  # of the larger of two scores, below which they are the same
FLAT_IN_A_NETWORK = 1e-6  # likewise, of scores of a network in single precision


class OutOfBudgetError(Exception):
    """The next evaluations are more than the budget allows; never leaves this package."""


@dataclass
class Question:
    """Whether sets of players suffice alone, or are missed when they alone are lesioned.

    Attributes
    ----------
    game : GameLike
        On the trials that the search may see.
    kind : "sufficient" or "critical"
        A set suffices if the game with only its players intact is faithful; it is critical if the game with only
        its players lesioned is not.
    border : float
        Least faithfulness of a sufficient set; of a critical one, what the remaining faithfulness must fall below.
    criterion : "mean" or "trials"
        Faithfulness of the mean score, or fidelity to the intact score trial by trial.
    one_sided : bool
        Whether more than the intact score is faithful too.
    budget : int
        Most coalitions to evaluate.
    n_evaluations : dict
        Coalitions evaluated, by phase.
    n_elsewhere : int
        Those of the budget that were spent by others, such as a ranking.
    """

    game: GameLike
    kind: Kind
    border: float
    criterion: Criterion
    one_sided: bool
    budget: int
    n_evaluations: dict[str, int] = field(default_factory=dict)
    phase: str = "search"
    n_elsewhere: int = 0
    _seen: set[bytes] = field(default_factory=set)
    _answers: dict[bytes, tuple[Array, float]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        ends = np.stack([np.ones(self.n_players, bool), np.zeros(self.n_players, bool)])
        with self.during("intact and lesioned"):
            values = self.values(ends)
        if values.ndim > 1:
            raise InputError(
                f"score {self.game.score.name!r} has several outputs; a circuit explains one. Make a game with a "
                "score of one output"
            )
        self.intact, self.lesioned = (float(v) for v in values)
        self._ends = self.game.per_trial(ends) if self.criterion == "trials" else None
        self.noise = self._noise(ends)
        if self.criterion == "mean" and self.is_flat:
            raise StatisticsError(
                f"the score is {self.intact:.6g} intact and {self.lesioned:.6g} with all players lesioned, so "
                "there is nothing for a circuit to explain: take players that the behaviour depends on, or another kind"
            )
        if self._ends is not None and not np.abs(self._ends[0] - self._ends[1]).max() > self.noise:
            raise StatisticsError("no trial's score differs between intact and lesioned; there is nothing to explain")

    @property
    def n_players(self) -> int:
        """Number of players."""
        return self.game.n_players

    @property
    def gap(self) -> float:
        """Score intact minus lesioned."""
        return self.intact - self.lesioned

    @property
    def farthest(self) -> float:
        """Mean square over trials of the distance from intact to lesioned."""
        assert self._ends is not None
        return float(((self._ends[0] - self._ends[1]) ** 2).mean())

    @property
    def is_flat(self) -> bool:
        """Whether intact and lesioned differ by no more than rounding, so that a share of the gap means nothing."""
        return abs(self.gap) <= self.noise

    def _noise(self, ends: Bool[Array, "end player"]) -> float:
        """What rounding may change of the score: of a network, in units of its largest score of a trial."""
        largest = max(abs(self.intact), abs(self.lesioned))
        if not isinstance(self.game, Game):
            return FLAT * largest
        if self.game.score.reduce is None:
            largest = max(largest, float(np.abs(self.game.per_trial(ends)).max()))
        return FLAT_IN_A_NETWORK * largest

    @property
    def left(self) -> int:
        """Evaluations that the budget still allows."""
        return self.budget - len(self._seen) - self.n_elsewhere

    @contextmanager
    def during(self, phase: str) -> Iterator[None]:
        """Count evaluations for a phase."""
        before, self.phase = self.phase, phase
        try:
            yield
        finally:
            self.phase = before

    def values(self, coalitions: Bool[Array, "coalition player"]) -> Array:
        """Scores of coalitions, counted.

        Raises
        ------
        OutOfBudgetError
            If more of them are new than the budget allows; none is then evaluated.
        """
        new = set(keys_of(coalitions)) - self._seen
        if len(new) > self.left:
            raise OutOfBudgetError
        values = self.game(coalitions)
        self._seen |= new
        self.n_evaluations[self.phase] = self.n_evaluations.get(self.phase, 0) + len(new)
        return values

    def faithfulness(self, coalitions: Bool[Array, "coalition player"]) -> Float[Array, " coalition"]:
        """Share of the gap that coalitions keep."""
        return np.asarray((self.values(coalitions) - self.lesioned) / self.gap)

    def levels(self, coalitions: Bool[Array, "coalition player"]) -> Float[Array, " coalition"]:
        """What the criterion measures, of coalitions: faithfulness, or fidelity."""
        if self.criterion == "mean":
            return self.faithfulness(coalitions)
        self.values(coalitions)
        assert self._ends is not None
        intact, lesioned = self._ends
        return fidelity(self.game.per_trial(coalitions), intact, lesioned)

    def coalitions(self, sets: Bool[Array, "set player"]) -> Bool[Array, "coalition player"]:
        """The coalitions that decide about sets."""
        return sets if self.kind == "sufficient" else ~sets

    def excess(self, sets: Bool[Array, "set player"]) -> Float[Array, " set"]:
        """By how much sets miss the border; 0 or less if they do not."""
        levels = self.levels(self.coalitions(sets))
        excess = self.beyond(levels)
        for key, row, value in zip(keys_of(sets), sets, excess):
            self._answers.setdefault(key, (row.copy(), float(value)))
        return excess

    def beyond(self, levels: Array) -> Array:
        """By how much levels of faithfulness or fidelity miss the border."""
        if self.kind == "critical":  # strictly below it
            return np.asarray(levels - self.border + 2 * ROUNDING)
        if self.criterion == "trials" or self.one_sided:
            return np.asarray(self.border - levels)
        return np.asarray(np.abs(levels - 1) - (1 - self.border))

    def holds(self, sets: Bool[Array, "set player"]) -> Bool[Array, " set"]:
        """Whether sets suffice, or are critical."""
        return np.asarray(self.excess(sets) <= ROUNDING)

    def answers(self) -> tuple[Bool[Array, "set player"], Float[Array, " set"]]:
        """All sets asked about so far, and by how much each misses the border; in the order they were asked."""
        rows = [row for row, _ in self._answers.values()]
        excess = np.array([value for _, value in self._answers.values()])
        return (np.stack(rows) if rows else np.empty((0, self.n_players), bool)), excess

    def found(self) -> Bool[Array, "set player"]:
        """Sets that hold among all asked about: smallest first, then nearest to what is wanted."""
        sets, excess = self.answers()
        good = np.flatnonzero(excess <= ROUNDING)
        order = np.lexsort((np.round(excess[good], 9), sets[good].sum(axis=1)))
        return np.asarray(sets[good][order])


def fidelity(per_trial: Array, intact: Array, lesioned: Array) -> Float[Array, " coalition"]:
    """One minus the squared distance to the intact score over trials, in units of that of all lesioned."""
    return np.asarray(1 - ((per_trial - intact) ** 2).mean(axis=1) / ((lesioned - intact) ** 2).mean())


def members_of(sets: Bool[Array, "set player"]) -> list[tuple[int, ...]]:
    """Players of each set, by number."""
    return [tuple(int(p) for p in np.flatnonzero(row)) for row in sets]


def mask_of(members: Sequence[int], n: int) -> Bool[Array, " player"]:
    """A set of players as a mask."""
    row = np.zeros(n, dtype=bool)
    row[list(members)] = True
    return row
