"""The smallest set of players that suffices for a behaviour when all others are lesioned."""

from __future__ import annotations

import math
import time as clock
from collections.abc import Callable, Hashable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from jaxtyping import Bool

from artiphys.array_types import Array
from artiphys.border import border, shown
from artiphys.errors import InputError
from artiphys.lesions.circuits.gradient_pruning import Pruning
from artiphys.lesions.circuits.halves import Halves, split
from artiphys.lesions.circuits.question import Criterion, Question, members_of
from artiphys.lesions.circuits.result import Baseline, Circuit
from artiphys.lesions.circuits.search import MANY, MAX_DELETED, METHODS, Found, Method, search
from artiphys.lesions.circuits.stability import stability
from artiphys.lesions.circuits.trial_scores import (
    TrialScores,
    distances,
    judged,
    member_table,
    redrawn_members,
    with_guesses,
)
from artiphys.lesions.contributions.gradients import attribution
from artiphys.lesions.contributions.result import Attribution
from artiphys.lesions.contributions.shapley import shapley
from artiphys.lesions.contributions.single_lesions import single_lesions
from artiphys.lesions.games.function_game import as_game
from artiphys.lesions.games.game import Game
from artiphys.lesions.games.protocol import GameLike
from artiphys.version import __version__

DEFAULT_BUDGET = 5000
MAX_GROUP_TESTED = 64  # players that a report looks for the relevant ones among; of more it takes those that rank first
N_RANKING, N_RANKING_PER_PLAYER = 256, 8  # coalitions from which players are ranked without a gradient


@border
def minimal_circuit(
    game: Game | Callable[[Array], Any],
    *,
    n_players: int | None = None,
    faithfulness: float = 0.95,
    criterion: Criterion = "mean",
    one_sided: bool = False,
    holdout: Any = 0.5,
    method: Method = "auto",
    ranking: Attribution | Sequence[float] | Array | None = None,
    budget: int | None = None,
    seed: int = 0,
    progress: bool = True,
) -> Circuit:
    """The smallest set of players that suffices when all others are lesioned, and how sure that is.

    Parameters
    ----------
    game : Game or callable
        With one output. A callable takes a bool matrix ``(n, player)``, True = intact; it needs ``n_players``.
    faithfulness : float
        Above 0, to 1. A set suffices if its faithfulness, the share it keeps of the score's gap between all intact and
        all lesioned, lies within ``1 - faithfulness`` of 1, on either side.
    criterion : "mean" or "trials"
        "trials": the fidelity must reach ``faithfulness`` instead: one minus the squared distance to the intact score
        over trials, in units of that of all lesioned. A few players may carry the mean and miss every trial.
    one_sided : bool
        More than the intact score is as good.
    holdout : float, rows or None
        Share of trials (or their numbers) that the search does not see, to judge what it found by. None where the
        trials are all the inputs there are.
    method : "auto", "exact", "pool", "beam" or "gradient"
        "exact" tries all sets (to 16 players). "pool" finds the players that matter by group testing, and tries all
        their sets. "beam" searches among the 24 that rank first, by growing, pruning and swapping. "gradient", for
        thousands of players, leaves out a quarter at each step: those whose small effects, by gradients in what is
        left, cancel on each trial. "auto" takes the first that fits game and budget; from 1,024 players, "gradient"
        instead of "beam" where there is one.
    ranking : Attribution or one number per player, optional
        For "beam"; by absolute value. Default: integrated gradients, or Shapley values where the score has none.
    budget : int, optional
        Most coalitions to evaluate in the search (default 5,000).
    seed : int

    Returns
    -------
    Circuit

    Raises
    ------
    StatisticsError
        If intact and fully lesioned do not differ, on the trials of the search or on those held out.
    BudgetError
        If no sufficient set was found; its ``best`` names the nearest.

    Notes
    -----
    A network has as many circuits as it has ways to do the same: see ``minimal``, ``alternatives`` and ``stability``
    before speaking of the circuit.

    References
    ----------
    Wang et al. 2023, Interpretability in the wild (faithfulness, completeness, minimality). Dorfman 1943, The detection
    of defective members of large populations (group testing). Fieller 1954, Some problems in interval estimation.

    Examples
    --------
    >>> import artiphys as ap
    >>> two_of_three = lambda c: (c.sum(axis=1) >= 2) * 1.0
    >>> circuit = ap.minimal_circuit(two_of_three, n_players=3, holdout=None)
    >>> circuit.minimal, circuit.certificate
    (((0, 1), (0, 2), (1, 2)), 'exact')
    """
    on = as_game(game, n_players)
    halves = _checked(on, faithfulness, criterion, method, holdout, seed)
    halves.warn_if_few()
    quiet(halves, progress)
    if one_sided and criterion == "trials":
        raise InputError("one_sided= means nothing to criterion='trials': a trial's distance has no sign")
    how: Any = {"faithfulness": faithfulness, "criterion": criterion, "one_sided": one_sided, "method": method}
    return _found(on, halves, ranking=ranking, budget=budget, seed=seed, **how)


def circuit_of(
    game: Game, *, holdout: Any, ranking: Attribution | None, budget: int, seed: int, faithfulness: float = 0.9
) -> Circuit:
    """`minimal_circuit` by the mean, for a report: without a warning where trials are few, which the report gives."""
    halves = _checked(game, faithfulness, "mean", "auto", holdout, seed)
    how: Any = {"faithfulness": faithfulness, "criterion": "mean", "one_sided": False}
    method: Method = "auto" if ranking is None or game.n_players <= MAX_GROUP_TESTED else "beam"
    return _found(game, halves, ranking=ranking, budget=budget, seed=seed, method=method, **how)


def _found(
    on: GameLike, halves: Halves, *, faithfulness: float, criterion: Criterion, one_sided: bool, method: Method,
    ranking: Attribution | Sequence[float] | Array | None, budget: int | None, seed: int,
) -> Circuit:  # fmt: skip
    started = clock.perf_counter()
    question = Question(halves.search, "sufficient", faithfulness, criterion, one_sided, allowed(budget))
    halves.require_gaps(criterion)
    if ranking is not None and method == "gradient":
        raise InputError("ranking= is for 'beam'; method='gradient' takes its own gradients at each step")
    found = search(question, method, lambda: ranked(question, ranking), seed)
    circuit = _result(on, question, halves, found, seed)
    return replace(circuit, seconds=clock.perf_counter() - started)


def _checked(game: GameLike, border_: float, criterion: str, method: str, holdout: Any, seed: int) -> Halves:
    if not 0 < border_ <= 1:
        raise InputError(f"faithfulness came as {border_}; wanted more than 0, at most 1")
    if criterion not in ("mean", "trials"):
        raise InputError(f"criterion came as {criterion!r}; wanted 'mean' or 'trials'")
    if method not in METHODS:
        raise InputError(f"method came as {method!r}; wanted one of {', '.join(METHODS)}")
    if criterion == "trials" and (game.score.reduce is not None or not isinstance(game, Game)):
        raise InputError("criterion='trials' needs a game that gives a score for each trial; use 'mean'")
    return split(game, holdout, seed)


def quiet(halves: Halves, progress: bool) -> None:
    """A search asks for a few coalitions at a time; a bar for each would only flicker."""
    for part in (halves.search, halves.held_out):
        if isinstance(part, Game):
            part.progress = part.progress and progress


def allowed(budget: int | None) -> int:
    """The budget of a search."""
    if budget is not None and (isinstance(budget, bool) or not isinstance(budget, (int, np.integer))):
        raise InputError(f"budget came as {budget!r}; wanted a whole number")
    if budget is not None and budget < 2:
        raise InputError(f"budget came as {budget}; even intact and fully lesioned are 2 evaluations")
    return DEFAULT_BUDGET if budget is None else budget


def ranked(question: Question, ranking: Attribution | Sequence[float] | Array | None) -> Sequence[int]:
    """Players by how much they seem to matter."""
    game = question.game
    if ranking is None:
        try:
            if not isinstance(game, Game):
                raise InputError("a function has no gradient")
            given = attribution(game)
            question.n_evaluations["ranking (backward passes)"] = given.n_evaluations
        except InputError:
            before = game.n_evaluations
            usual = max(N_RANKING, N_RANKING_PER_PLAYER * game.n_players)
            given = shapley(game, budget=max(2, min(2**game.n_players, usual, question.left)), progress=False)
            question.n_elsewhere = question.n_evaluations["ranking"] = game.n_evaluations - before
        values = given.values.to_numpy()
    elif isinstance(ranking, Attribution):
        if list(ranking.values["player"].values) != list(game.player_names) or ranking.values.ndim > 1:
            raise InputError("ranking= has other players than the game, or several outputs")
        values = ranking.values.to_numpy()
    else:
        values = np.asarray(ranking, dtype=float)
        if values.shape != (game.n_players,) or not np.isfinite(values).all():
            raise InputError(
                f"ranking came as {shown(ranking)}; wanted {game.n_players} finite numbers, one per player"
            )
    return [int(p) for p in np.argsort(-np.abs(values), kind="stable")]


def names_of(game: GameLike, members: Sequence[int]) -> tuple[Hashable, ...]:
    """Names of some players."""
    return tuple(game.player_names[p] for p in members)


def _baseline(question: Question, size: int, pruning: Pruning | None) -> Bool[Array, " player"]:
    """The players whose single lesions cost most, in the direction of the gap; of very many, by their gradients."""
    before = question.game.n_evaluations
    guessed = pruning is not None and question.n_players >= MANY
    effects = pruning.first if pruning is not None and guessed else single_lesions(question.game).values.to_numpy()
    effects = effects * (np.sign(question.gap) or 1.0)
    question.n_evaluations["baseline"] = question.game.n_evaluations - before
    row = np.zeros(question.n_players, dtype=bool)
    row[np.argsort(-effects, kind="stable")[:size]] = True
    return row


def _result(game: GameLike, question: Question, halves: Halves, found: Found, seed: int) -> Circuit:
    circuit, n = found.sets[0], question.n_players
    chosen = members_of(circuit[None])[0]
    again = None if halves.held_out is None else stability(question, circuit, seed)
    baseline = _baseline(question, len(chosen), found.pruning)
    guesses = _guesses(question, chosen, found.pruning)
    tried = _tried(chosen, guesses)
    without = np.repeat(circuit[None], len(tried), axis=0)
    without[np.arange(len(tried)), tried] = False
    judge = halves.search if halves.held_out is None else halves.held_out
    both = np.stack([circuit, baseline])
    on_search = question.game(both)
    faithful = np.full(2, np.nan) if question.is_flat else (on_search - question.lesioned) / question.gap
    fidelities = _fidelities(question.game, both)
    held: list[TrialScores] | None = None if halves.held_out is None else judged(halves.held_out, both)
    names, named = names_of(game, chosen), names_of(game, tried)
    sets = np.concatenate([circuit[None], without])
    if halves.held_out is not None and judge.score.reduce is not None:
        members = redrawn_members(halves.held_out, sets, named)
    else:
        per_trial = judge.per_trial(sets) if judge.score.reduce is None else judge(sets)[:, None]
        scores, scale = (per_trial[0], per_trial[1:]), question.noise
        if question.criterion == "trials":
            scores, scale = distances(judge, *scores)
        members = member_table(named, *scores, certain=halves.held_out is None, noise=scale)
        if question.criterion == "trials":
            members["confirmed"] &= members["effect"] > 0
    if guesses is not None:
        members = with_guesses(members, names, guesses)
    same_size = [s for s in members_of(found.sets) if len(s) == len(chosen) and s != chosen]
    verdict = held[0].verdict(question.border, question.criterion, question.one_sided) if held else "sufficient"
    return Circuit(
        players=names, faithfulness=float(faithful[0]), fidelity=fidelities[0],
        held_out=held[0].faithfulness if held else math.nan, held_out_fidelity=held[0].fidelity if held else math.nan,
        verdict=verdict, certificate=found.certificate, certificate_text=found.reason,
        minimal=tuple(names_of(game, s) for s in members_of(found.sets)),
        alternatives=tuple(names_of(game, s) for s in same_size), complete=found.complete, members=members,
        stability=again, pool=names_of(game, found.pool),
        baseline=Baseline(
            names_of(game, members_of(baseline[None])[0]), float(faithful[1]), fidelities[1],
            held[1].faithfulness if held else math.nan, held[1].fidelity if held else math.nan,
        ),
        n_evaluations=dict(question.n_evaluations), intact=question.intact, lesioned=question.lesioned,
        required=question.border, criterion=question.criterion, one_sided=question.one_sided, method=found.method,
        kind=str(game.kind), score=game.score.name, unit=game.score.unit, seed=seed,
        n_trials=len(question.game.stimuli), n_held_out=len(halves.rows), no_holdout=halves.why,
        every_player=names_of(game, range(n)), version=__version__, trial_scores=held[0] if held else None, _game=game,
        _pruning=found.pruning,
    )  # fmt: skip


def _guesses(question: Question, chosen: Sequence[int], pruning: Pruning | None) -> Array | None:
    """What gradients guess of each member's effect, in the units of the criterion; None where none were taken."""
    if pruning is None:
        return None
    if question.criterion == "mean":
        return pruning.drop[list(chosen)]
    return np.asarray(pruning.harm[list(chosen)] / question.farthest)


def _tried(chosen: Sequence[int], guesses: Array | None) -> list[int]:
    """Members that are left out in turn: of a large pruned set those that seem to do most."""
    if guesses is None or len(chosen) <= MAX_DELETED:
        return list(chosen)
    strongest = np.argsort(-np.abs(guesses), kind="stable")[:MAX_DELETED]
    return [int(p) for p in np.array(chosen)[strongest]]


def _fidelities(game: GameLike, sets: Bool[Array, "set player"]) -> list[float]:
    if not isinstance(game, Game) or game.score.reduce is not None:
        return [math.nan] * len(sets)
    ends = np.stack([np.ones(game.n_players, bool), np.zeros(game.n_players, bool)])
    intact, lesioned = game.per_trial(ends)
    far = ((lesioned - intact) ** 2).mean()
    return [float(1 - ((s - intact) ** 2).mean() / far) for s in game.per_trial(sets)]
