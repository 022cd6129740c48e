"""Circuit: a smallest set of players that suffices, what is proven of it, and what held-out trials say."""

from __future__ import annotations

import math
from collections.abc import Hashable, Sequence
from dataclasses import dataclass, field
from typing import Any

import networkx as nx
import numpy as np
import pandas as pd

from artiphys.border import border
from artiphys.errors import ArtiphysError, InputError, StatisticsError
from artiphys.lesions.circuits.circuit_preparation import CircuitPreparation
from artiphys.lesions.circuits.edge_graph import are_edges, edge_graph
from artiphys.lesions.circuits.gradient_pruning import Pruning
from artiphys.lesions.circuits.graph import circuit_graph
from artiphys.lesions.circuits.question import Criterion, mask_of
from artiphys.lesions.circuits.sizes import by_size_of, faithfulness_by_size
from artiphys.lesions.circuits.stability import STABLE, Stability
from artiphys.lesions.circuits.trial_scores import TrialScores
from artiphys.lesions.contributions.result import Attribution
from artiphys.lesions.games.protocol import GameLike
from artiphys.lesions.interaction_indices.result import Interactions
from artiphys.stats.intervals import check_confidence

Names = tuple[Hashable, ...]
VERDICTS = {
    "sufficient": "sufficient (the 90 % interval lies inside the band)",
    "refuted": "refuted (the 95 % interval lies outside the band)",
    "undecided": "undecided",
}
N_NAMED = 12  # players named in a sentence


@dataclass(frozen=True)
class Baseline:
    """The players with the largest single-lesion effects, as many as the circuit has; beside it for comparison."""

    players: Names
    faithfulness: float
    fidelity: float
    held_out: float
    held_out_fidelity: float


@dataclass(frozen=True, eq=False)
class Circuit:
    """A smallest set of players that suffices when all others are lesioned.

    Attributes
    ----------
    players : tuple
        Names of the players of the circuit.
    faithfulness, fidelity : float
        On the trials of the search: share of the gap between intact and lesioned that the circuit keeps; one minus the
        squared distance to the intact score over trials, in units of that of all lesioned (NaN for scores of a set).
    held_out, held_out_fidelity : float
        The same on trials that the search did not see; NaN where there are none. These are the figures to report.
    verdict : str
        "sufficient" if the 90 % interval on held-out trials lies inside the band, "refuted" if the 95 % one lies
        outside, else "undecided". Without held-out trials "sufficient", of the trials there are.
    certificate, certificate_text : str
        Which minimality is proven on the trials of the search: "exact" (no smaller set of any players), "exact within
        the pool", "none smaller within the pool", "1-minimal" (no single player can be spared) or "none".
    minimal : tuple of tuples
        Sets that suffice while no proper subset does; all where ``complete``, else smallest ones that were met.
    alternatives : tuple of tuples
        Other sets of the same size that suffice as well.
    complete : bool
    members : DataFrame
        By player: mean drop of the score (by the criterion "trials", of the fidelity) when it is lesioned too, standard
        error, Holm's p, and whether that confirms it. Where gradients pruned, column ``tried`` says whether it was
        lesioned; else the drop is what its gradient guesses.
    stability : Stability or None
        Overlap with the circuits that redrawn trials give.
    pool : tuple
        Players that were searched among.
    baseline : Baseline
    n_evaluations : dict of str to int
        Coalitions evaluated, by phase of the search.
    intact, lesioned : float
        On the trials of the search.
    required : float
        The faithfulness that was asked for.
    criterion, one_sided, method, kind, score, unit, seed, n_trials, n_held_out, version, seconds
        Provenance; ``no_holdout`` says why nothing was held out.
    """

    players: Names
    faithfulness: float
    fidelity: float
    held_out: float
    held_out_fidelity: float
    verdict: str
    certificate: str
    certificate_text: str
    minimal: tuple[Names, ...]
    alternatives: tuple[Names, ...]
    complete: bool
    members: pd.DataFrame
    stability: Stability | None
    pool: Names
    baseline: Baseline
    n_evaluations: dict[str, int]
    intact: float
    lesioned: float
    required: float
    criterion: Criterion
    one_sided: bool
    method: str
    kind: str
    score: str
    unit: str
    seed: int
    n_trials: int
    n_held_out: int
    no_holdout: str
    every_player: Names
    version: str = ""
    seconds: float = 0.0
    trial_scores: TrialScores | None = field(default=None, repr=False)
    _pruning: Pruning | None = field(default=None, repr=False, compare=False)
    _game: GameLike | None = field(default=None, repr=False, compare=False)

    def __getstate__(self) -> dict[str, Any]:
        return self.__dict__ | {"_game": None}  # a game is not pickled; what needs it says so

    @property
    def core(self) -> Names:
        """Players that all minimal sets share."""
        shared = set(self.minimal[0]).intersection(*self.minimal[1:])
        return tuple(p for p in self.players if p in shared)

    @property
    def is_the_circuit(self) -> bool:
        """Whether some minimality is proven, no other set of its size was met, and redrawn trials mostly give it.

        Never where gradients pruned: redrawn trials choose among the sets that the search has met, and those are few.
        """
        stable = self.stability is None or self.stability.mean >= STABLE
        proven = self.certificate != "none" and self.method != "gradient"
        return proven and stable and not self.alternatives

    @border
    def interval(self, confidence: float = 0.95) -> tuple[float, float]:
        """Of the held-out faithfulness (`ratio_interval`), or fidelity where that is the criterion."""
        check_confidence(confidence)
        if self.trial_scores is None:
            raise StatisticsError(f"there is no interval: {self.no_holdout}")
        return self.trial_scores.interval(confidence, self.criterion)

    def preparation(self) -> CircuitPreparation:
        """The network in which all players outside the circuit are lesioned: to record from, probe, lesion, compare."""
        setup = getattr(self._require_game("a preparation"), "setup", None)
        if setup is None:
            raise ArtiphysError("this circuit was found in a function on coalitions, which has no network")
        inside = set(self.players)
        outside = [w for name, parts in zip(setup.player_names, setup.players) if name not in inside for w in parts]
        return CircuitPreparation(setup.prep, outside)

    def _require_game(self, what: str) -> GameLike:
        if self._game is None:
            raise ArtiphysError(
                f"this circuit was loaded from a file, without its game; {what} needs that. Search it again"
            )
        return self._game

    @border
    def by_size(self, n_random: int = 8) -> pd.DataFrame:
        """Faithfulness and fidelity against size: the circuit as it grows, beside random sets of equal size.

        Where gradients pruned: the circuit, and at other sizes what the steps of pruning left.
        On all trials of the game, held out or not. Evaluates ``n_random`` sets a size. Columns: size, which ("circuit"
        or "random"), faithfulness, fidelity; random sets with their 10 % and 90 % quantiles.
        """
        if n_random < 1:
            raise InputError(f"n_random came as {n_random}; wanted at least 1 random set of each size")
        game = self._require_game("a curve by size")
        if self._pruning is not None:
            place = {name: i for i, name in enumerate(self.every_player)}
            inside = mask_of([place[p] for p in self.players], len(place))
            return by_size_of(game, [inside, *self._pruning.sets], n_random, self.seed)
        return faithfulness_by_size(game, self.every_player, self.players, self.pool, n_random, self.seed)

    @border
    def to_networkx(
        self, contributions: Attribution | None = None, interactions: Interactions | None = None
    ) -> nx.Graph[Any]:
        """The circuit as a graph: members as nodes, interactions between them as edges, for `networkx.write_graphml`.

        A circuit of connections (`Preparation.edges`) is a directed graph: what they lead from and to as nodes, members
        as edges, with the slot of a head's input. There interactions have no place.

        Parameters
        ----------
        contributions : Attribution, optional
            Adds value, low and high to each node.
        interactions : Interactions, optional
            Adds edges with value, interval, p and reading.
        """
        if are_edges([str(p) for p in self.players]):
            if interactions is not None:
                raise InputError("interactions of connections have no place in a graph of what they connect")
            return edge_graph(self.members, contributions, self._labels())
        return circuit_graph(self.members, contributions, interactions, self._labels())

    def _labels(self) -> dict[str, Any]:
        return {"score": self.score, "kind": self.kind, "faithfulness": self.faithfulness, "verdict": self.verdict,
                "certificate": self.certificate}  # fmt: skip

    def methods_text(self) -> str:
        """A paragraph fit for a methods section."""
        what = "fidelity over trials" if self.criterion == "trials" else "faithfulness of the mean"
        sides = "one-sided" if self.one_sided else "two-sided"
        sides = "" if self.criterion == "trials" else f" ({sides})"
        n = sum(self.n_evaluations.values())
        held = (
            f" On {self.n_held_out} held-out trials faithfulness was {_shown(self.held_out)} and fidelity "
            f"{_shown(self.held_out_fidelity)} (95 % interval of the {what}: {_range(self.interval(0.95))}): "
            f"{self.verdict}."
            if self.trial_scores is not None
            else f" Nothing was held out: {self.no_holdout}."
        )
        again = (
            f" Among the {self.stability.n_sets} sets that the search had met, redrawn trials chose ones with a mean "
            f"overlap (Jaccard index) of {self.stability.mean:.2f} over {len(self.stability.jaccard)} resamples."
            if self.stability is not None else ""
        )  # fmt: skip
        return (
            f"A smallest set of players with a {what}{sides} of at least {self.required:g} on the {self.score} was "
            f"sought ({self.method}, {n} coalitions, seed {self.seed}); lesions were of kind '{self.kind}'. It has "
            f"{len(self.players)} of {len(self.every_player)} players; {self.certificate_text}.{held}{again} (artiphys "
            f"{self.version})"
        )

    def in_words(self) -> str:
        """What was found, how sure that is, and what else would do."""
        n_others = len(self.minimal) - 1
        if self.is_the_circuit and not n_others:
            article = "The circuit"
        elif self.complete and n_others:
            article = f"One of {len(self.minimal)} minimal circuits"
        else:
            article = "A circuit"
        parts = [f"{article}: {_first(self.players)} ({len(self.players)} of {len(self.every_player)} players)."]
        parts.append(f"Minimality: {self.certificate}; {self.certificate_text}.")
        if self.trial_scores is not None:
            low, high = self.interval()
            measured = self.held_out_fidelity if self.criterion == "trials" else self.held_out
            name = "fidelity" if self.criterion == "trials" else "faithfulness"
            parts.append(f"Held out: {name} {measured:.3f} [{low:.3f}, {high:.3f}], {VERDICTS[self.verdict]}.")
        else:
            parts.append(f"Nothing was held out ({self.no_holdout}).")
        if len(self.players) == len(self.every_player):
            parts.append("No set smaller than all players was found to suffice.")
        if self.alternatives:
            n, at_least = len(self.alternatives), "" if self.complete else "At least "
            do = "set of this size does" if n == 1 else "sets of this size do"
            parts.append(f"{at_least}{n} other {do} as well.")
        if self.complete and n_others:
            parts.append(f"All {len(self.minimal)} minimal sets share {', '.join(map(str, self.core)) or 'no player'}.")
        if self.stability is not None and self.stability.mean < STABLE:
            parts.append(
                f"Do not call it the circuit: redrawn trials choose sets that overlap by {self.stability.mean:.2f}."
            )
        tried = self.members if self._pruning is None else self.members[self.members["tried"]]
        unconfirmed = [str(p) for p in tried.index[~tried["confirmed"].astype(bool)]]
        if unconfirmed:
            where = "" if self.trial_scores is None else " on held-out trials"
            parts.append(f"Not confirmed{where}: {_first(unconfirmed)}.")
        if len(tried) < len(self.members):
            parts.append(f"Only the {len(tried)} members of largest gradient were lesioned in turn.")
        return " ".join(parts)

    def __repr__(self) -> str:
        return f"Circuit({self.in_words()})"


def _first(names: Sequence[Hashable]) -> str:
    n_more = len(names) - N_NAMED
    return ", ".join(map(str, names[:N_NAMED])) + (f" and {n_more} more" if n_more > 0 else "")


def _shown(value: float) -> str:
    return "not defined" if math.isnan(value) else f"{value:.3f}"


def _range(ends: tuple[float, float]) -> str:
    return f"{ends[0]:.3f} to {ends[1]:.3f}" if np.isfinite(ends).all() else "without bounds"
