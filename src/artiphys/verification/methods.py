"""Methods: what is examined on toys, and the cases that they are asked about."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from artiphys.array_types import Array
from artiphys.errors import ArtiphysError
from artiphys.lesions import Game
from artiphys.preparation.preparation import Preparation
from artiphys.preparation.wrap import wrap
from artiphys.toys.toy import Toy, Truth

CIRCUITS = "minimal circuits"
BATCH_SIZE = 20_000  # rows; toys are small
ROUNDING = 1e-9


@dataclass(frozen=True)
class Case:
    """A toy, one of its truths, and a wrapping of a copy of it: no other method has known or changed it."""

    toy: Toy
    truth: Truth

    @cached_property
    def prep(self) -> Preparation:
        """The wrapped toy."""
        return wrap(self.toy.model, self.toy.stimuli[:2], steps=self.toy.steps, copy=True)

    @cached_property
    def game(self) -> Game:
        """Its game, under the truth's kind of lesion."""
        toy, kind = self.toy, self.truth.kind
        players = toy.lesion_players(self.prep)
        how: Any = {"kind": kind, "batch_size": BATCH_SIZE, "progress": False}
        return Game(self.prep, toy.stimuli, toy.score, players, **how)

    @property
    def n_evaluations(self) -> int:
        """Coalitions evaluated so far."""
        return self.game.n_evaluations if "game" in self.__dict__ else 0


class InapplicableError(ArtiphysError):
    """Raised by a method on a network that it is not made for; such a case does not count.

    A network without a gradient is beyond a method of gradients; a wrong answer is no such case.
    """


@dataclass(frozen=True)
class Found:
    """A set of players, and where it came from a ranking, what the players were ranked by.

    Attributes
    ----------
    members : frozenset of str
    values : ndarray ``(player,)``, optional
        Larger absolute values rank first.
    """

    members: frozenset[str]
    values: Array | None = None


Answer = Mapping[str, float] | Found


@dataclass(frozen=True)
class Method:
    """Something that answers questions about networks.

    Attributes
    ----------
    name : str
    answer : callable
        From a case to values in the keys of its truth, or to a set of players.
    applies : callable
        From toy and truth to whether the method claims to answer that.
    peer : bool
        Another method, shown for comparison: a board passes whatever it says.
    granted : float
        Error that is forgiven, for estimates by sampling: a share of what lesioning all players does.
    """

    name: str
    answer: Callable[[Case], Answer] = field(repr=False)
    applies: Callable[[Toy, Truth], bool] = field(repr=False)
    peer: bool = False
    granted: float = 0.0
