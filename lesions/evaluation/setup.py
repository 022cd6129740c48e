"""Setup: what a game evaluates. A network, its stimuli, a score, and what each player's lesion writes."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from typing import Any

from artiphys.array_types import Array
from artiphys.digests import word_sum
from artiphys.errors import InputError, LesionError
from artiphys.hooks.nested import leaves
from artiphys.lesions.operations.interventions import AnyWriter
from artiphys.preparation.preparation import Preparation
from artiphys.scores import ClosedLoop, Score, closed_loop
from artiphys.stimuli import Stimuli
from artiphys.third_party import edit_count


@dataclass(frozen=True, eq=False)
class Setup:
    """Everything that the value of a coalition depends on.

    Attributes
    ----------
    prep : Preparation
    stimuli : Stimuli or None
        None where the score runs the network itself.
    score : Score or ClosedLoop
    kind : str
        What a lesion does.
    player_names : tuple
    players : tuple of tuple of Writer
        What each player's lesion writes.
    model : str
        Fingerprint of the network when the setup was made.
    shown : tuple
        What surely changes when an input tensor is edited.
    """

    prep: Preparation
    stimuli: Stimuli | None
    score: Any
    kind: str
    player_names: tuple[Hashable, ...]
    players: tuple[tuple[AnyWriter, ...], ...]
    model: str
    shown: tuple[Any, ...]

    @classmethod
    def of(
        cls,
        prep: Preparation,
        stimuli: Stimuli | None,
        score: Score | ClosedLoop,
        kind: str,
        player_names: Sequence[Hashable],
        players: Sequence[Sequence[AnyWriter]],
    ) -> Setup:
        """The setup as network and stimuli are now."""
        names, writers = tuple(player_names), tuple(tuple(parts) for parts in players)
        own = None if stimuli is None else stimuli.with_own_conditions()
        return cls(prep, own, score, kind, names, writers, prep.fingerprint(), _shown(own))

    def on(self, stimuli: Stimuli) -> Setup:
        """The same with some of its trials; the network is still held to what it was."""
        return dataclasses.replace(self, stimuli=stimuli, shown=_shown(stimuli))

    @property
    def n_players(self) -> int:
        """Number of players."""
        return len(self.players)

    @property
    def trials(self) -> Stimuli:
        """The stimuli of a setup that has some."""
        assert self.stimuli is not None
        return self.stimuli

    def require_unchanged(self) -> None:
        """Raise if the network is unwrapped or in train mode, or if its weights or the stimuli were changed."""
        self.prep.require_wrapped()
        self.prep.require_steady()
        if self.prep.fingerprint() != self.model:
            raise LesionError(
                "the model's weights have changed since this game was made, or an attribute, a hook or the code of one "
                "of its modules; make a new game"
            )
        if self.shown != _shown(self.stimuli):
            raise LesionError("the stimuli were changed in place since this game was made; make a new game")

    @property
    def context(self) -> dict[str, str]:
        """What all values depend on, beside the lesions: model, stimuli and score.

        Raises
        ------
        InputError
            If the score is a plain function, whose meaning cannot be told from its name.
        """
        if self.score.key is None:
            raise InputError(
                f"score {self.score.name!r} has no key; make a Score with key= (or closed_loop(..., key=)) to name it "
                "on disk"
            )
        self.prep.identity.require_named()
        shown = "" if self.stimuli is None else self.stimuli.digest() + self.stimuli.conditions_digest()
        return {"model": self.prep.fingerprint(), "stimuli": shown, "score": self.score.key}

    @property
    def key(self) -> str:
        """Name on disk: the same for the same model, stimuli, score, players and lesions."""
        h = hashlib.blake2b(repr(sorted(self.context.items())).encode(), digest_size=16)
        h.update(self.kind.encode())
        for name, parts in zip(self.player_names, self.players):
            h.update(f"{name!r}:{sorted(w.lesion.digest() for w in parts)}".encode())
        return h.hexdigest()

    def described(self, coalition: Array) -> str:
        """A coalition (bool ``(player,)``, True = intact) by the players it lesions, for messages."""
        cut = [str(name) for name, intact in zip(self.player_names, coalition) if not intact]
        some = ", ".join(cut[:8]) + (f" and {len(cut) - 8} more" if len(cut) > 8 else "")
        return f"with {some} lesioned" if cut else "with all players intact"


def score_of(score: Score | ClosedLoop | Callable[..., Any], stimuli: Stimuli | None) -> Score | ClosedLoop:
    """The score as a game needs it: of outputs where there are stimuli, else one that runs the network.

    Raises
    ------
    InputError
        If score and stimuli do not go together.
    """
    if stimuli is None and isinstance(score, Score):
        raise InputError(
            f"score {score.name!r} reads outputs, so the game needs stimuli; without them the score is a function "
            "of the preparation that runs the network itself (ap.scores.closed_loop)"
        )
    if stimuli is None:
        return score if isinstance(score, ClosedLoop) else closed_loop(score)  # type: ignore[arg-type]
    if isinstance(score, ClosedLoop):
        raise InputError("a closed-loop score runs the network itself; pass None for the stimuli")
    return Score.of(score)


def _shown(stimuli: Stimuli | None) -> tuple[Any, ...]:
    # Edits through .data or of memory that numpy shares are not counted, so words are summed as well.
    return () if stimuli is None else tuple((edit_count(t), word_sum(t)) for _, t in leaves(stimuli.inputs))
