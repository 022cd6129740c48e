"""Minimal sets of players whose joint lesion impairs or abolishes a behaviour."""

from __future__ import annotations

import math
import time as clock
from collections.abc import Callable, Sequence
from typing import Any

from artiphys.array_types import Array
from artiphys.border import border
from artiphys.errors import InputError
from artiphys.lesions.circuits.critical_result import CriticalSets
from artiphys.lesions.circuits.halves import split
from artiphys.lesions.circuits.minimal_circuit import allowed, names_of, quiet, ranked
from artiphys.lesions.circuits.question import Question, members_of
from artiphys.lesions.circuits.search import METHODS, Method, search
from artiphys.lesions.circuits.trial_scores import TrialScores, judged
from artiphys.lesions.contributions.result import Attribution
from artiphys.lesions.games.function_game import as_game
from artiphys.lesions.games.game import Game
from artiphys.version import __version__


@border
def critical_sets(
    game: Game | Callable[[Array], Any],
    *,
    n_players: int | None = None,
    residual: float = 0.95,
    holdout: Any = 0.5,
    method: Method = "auto",
    ranking: Attribution | Sequence[float] | Array | None = None,
    budget: int | None = None,
    seed: int = 0,
    progress: bool = True,
) -> CriticalSets:
    """Minimal sets of players whose joint lesion leaves less than ``residual`` of the behaviour.

    Parameters
    ----------
    residual : float
        Above 0, to 1. What the faithfulness that is left must fall below: .95 finds what impairs, .05 what abolishes.
    game, n_players, holdout, method, ranking, budget, seed
        As in `minimal_circuit`.

    Returns
    -------
    CriticalSets

    Raises
    ------
    StatisticsError, BudgetError
        As `minimal_circuit`.

    Notes
    -----
    They are searched for themselves: minimal sets that meet every circuit are not the critical sets where a lesion can
    also help.

    Examples
    --------
    >>> import artiphys as ap
    >>> either = lambda c: (c[:, 0] | c[:, 1]) * 1.0
    >>> ap.critical_sets(either, n_players=2, holdout=None).sets
    ((0, 1),)
    """
    on = as_game(game, n_players)
    started = clock.perf_counter()
    if not 0 < residual <= 1:
        raise InputError(f"residual came as {residual}; wanted more than 0, at most 1")
    if method not in METHODS:
        raise InputError(f"method came as {method!r}; wanted one of {', '.join(METHODS)}")
    halves = split(on, holdout, seed)
    halves.warn_if_few()
    quiet(halves, progress)
    question = Question(halves.search, "critical", residual, "mean", False, allowed(budget))
    halves.require_gaps("mean")
    found = search(question, method, lambda: ranked(question, ranking), seed)
    coalitions = question.coalitions(found.sets)
    left = (question.game(coalitions) - question.lesioned) / question.gap
    held: list[TrialScores] = [] if halves.held_out is None else judged(halves.held_out, coalitions)
    return CriticalSets(
        sets=tuple(names_of(on, s) for s in members_of(found.sets)),
        residuals=tuple(float(r) for r in left),
        held_out=tuple(h.faithfulness for h in held) or (math.nan,) * len(left),
        verdicts=tuple(_verdict(h, residual) for h in held) or ("critical",) * len(left),
        residual=residual, complete=found.complete, certificate=found.certificate, certificate_text=found.reason,
        pool=names_of(on, found.pool), n_evaluations=dict(question.n_evaluations), intact=question.intact,
        lesioned=question.lesioned, method=found.method, kind=str(on.kind), score=on.score.name, seed=seed,
        n_trials=len(question.game.stimuli), n_held_out=len(halves.rows), no_holdout=halves.why,
        every_player=names_of(on, range(question.n_players)), version=__version__,
        seconds=clock.perf_counter() - started,
    )  # fmt: skip


def _verdict(scores: TrialScores, residual: float) -> str:
    low, high = scores.interval(0.95, "mean")
    if high < residual:
        return "critical"
    return "refuted" if low >= residual else "undecided"
