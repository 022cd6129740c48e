"""Interactions of two or three players: exact from all coalitions, or estimated from pairs of them."""

from __future__ import annotations

import math
import time as clock
from collections.abc import Callable
from dataclasses import replace
from typing import Any, Literal

import numpy as np

from artiphys.array_types import Array
from artiphys.blas_threads import few_threads
from artiphys.border import border
from artiphys.errors import BudgetError, InputError
from artiphys.lesions.contributions.request import MIN_PAIRS, Request
from artiphys.lesions.contributions.result_from_estimate import labelled, outputs_of
from artiphys.lesions.contributions.stimulus_error import over_stimuli, trials
from artiphys.lesions.contributions.stopping import until
from artiphys.lesions.estimators.enumeration import MAX_EXACT, every_coalition
from artiphys.lesions.estimators.estimate import Estimate
from artiphys.lesions.estimators.interaction_estimate import coalitions_of as coalitions_for
from artiphys.lesions.estimators.interaction_estimate import sampled
from artiphys.lesions.estimators.interaction_weights import EveryCoalition, Interaction, InteractionIndex
from artiphys.lesions.estimators.kernel import n_pairs
from artiphys.lesions.estimators.pair_designs import Pairs
from artiphys.lesions.games.function_game import as_game
from artiphys.lesions.games.game import Game
from artiphys.lesions.games.protocol import GameLike, distinct
from artiphys.lesions.interaction_indices.result import Interactions
from artiphys.version import __version__

INDICES = ("k-SII", "SII", "STII", "Banzhaf")
MIN_PAIRS_PER_PARAMETER = 2.0  # of second degree, below which intervals covered too little
MAX_ENUMERATED_UNASKED = 12  # players up to which all coalitions are evaluated without a budget
MAX_PLAYERS = 40
DEFAULT_PAIRS, DEFAULT_PAIRS_PER_INTERACTION = 512, 4


@border
def interactions(
    game: Game | Callable[[Array], Any],
    *,
    order: int = 2,
    index: InteractionIndex = "k-SII",
    n_players: int | None = None,
    budget: int | None = None,
    tolerance: float | None = None,
    confidence: float = 0.95,
    method: Literal["auto", "exact", "sampled"] = "auto",
    seed: int = 0,
    progress: bool = True,
) -> Interactions:
    """Interactions of all sets of up to ``order`` of at most 40 players: what they do beyond what they do apart.

    Parameters
    ----------
    game : Game or callable
        A callable takes a bool matrix ``(n, player)``, True = intact, and gives ``(n,)`` values or
        ``(n, output)`` of them; it needs ``n_players``.
    order : 2 or 3
        Players in the largest interactions.
    index : "k-SII", "SII", "STII" or "Banzhaf"
        "SII": the mean joint effect, as the Shapley value is the mean effect of one. "k-SII": the same with what
        larger sets hold taken off the smaller ones, so that all values add up to intact minus lesioned. "STII"
        (Shapley-Taylor): the smaller sets at "all others lesioned", the rest shared among the largest. "Banzhaf":
        every coalition of the others equally likely.
    budget : int, optional
        Most coalitions to evaluate. Default: all of up to 12 players, else 4 pairs for each interaction of two
        and 2 for each of three (512 pairs at least).
    tolerance : float, optional
        Stop sampling once every interval's half-width over coalitions is below this, in units of the score.
    method : "auto", "exact" or "sampled"
        "exact" enumerates all coalitions (to 16 players); "sampled" draws pairs of complements, the same that
        `shapley` draws; "auto" enumerates where the budget allows it.

    Returns
    -------
    Interactions

    Raises
    ------
    BudgetError
        If the budget is too small for intervals that hold; the error says what would do.

    Notes
    -----
    An average over all contexts is not a mechanism: a majority of three has SII 0 for each pair, although any two
    suffice. `minimal_circuit` tells which sets suffice.

    References
    ----------
    Grabisch & Roubens 1999, An axiomatic approach to the concept of interaction. Sundararajan, Dhamdhere & Agarwal
    2020, The Shapley Taylor interaction index. Bord & von Luxburg 2023, From Shapley values to generalized additive
    models and back. Fumagalli, Muschalik, Kolpaczki, Huellermeier & Hammer 2024, KernelSHAP-IQ.

    Examples
    --------
    >>> import artiphys as ap
    >>> both = ap.interactions(lambda c: (c[:, 0] & c[:, 1]) * 1.0, n_players=2)
    >>> both.of(0, 1), str(both.reading.values[-1])
    (1.0, 'synergy')
    """
    on = as_game(game, n_players)
    if isinstance(order, bool) or order not in (2, 3):
        raise InputError(f"order came as {order!r}; wanted 2 or 3 (contributions of single players: ap.shapley)")
    if index not in INDICES:
        raise InputError(f"index came as {index!r}; wanted one of {', '.join(INDICES)}")
    if method not in ("auto", "exact", "sampled"):
        raise InputError(f"method came as {method!r}; wanted 'auto', 'exact' or 'sampled'")
    if on.n_players < order:
        raise InputError(f"{on.n_players} players have no interaction of {order}; use a smaller order or more players")
    interaction = Interaction(index, on.n_players, order)
    request = Request(interaction.kernel, budget, tolerance, confidence, seed, None, None, progress)
    request.checked(on.n_players)
    started = clock.perf_counter()
    if _enumerates(on.n_players, request, method):
        found = _exact(on, interaction, request)
    else:
        found = _sampled(on, interaction, request)
    return replace(found, seconds=clock.perf_counter() - started)


def _enumerates(n: int, request: Request, method: str) -> bool:
    fits = n <= MAX_EXACT and (request.budget is None or request.budget >= 2**n)
    if method == "exact" and not fits:
        reason = f"the budget is {request.budget}" if n <= MAX_EXACT else f"at most {MAX_EXACT} players are enumerated"
        raise BudgetError(
            f"exact interactions of {n} players take {2**n if n <= 64 else f'2^{n}'} evaluations; {reason}"
        )
    if method != "auto":
        return method == "exact"
    unasked = request.budget is None and (n > MAX_ENUMERATED_UNASKED or request.tolerance is not None)
    return fits and not unasked


def _exact(game: GameLike, interaction: Interaction, request: Request) -> Interactions:
    estimate = Estimate(every_coalition(interaction.n), EveryCoalition(interaction))
    shapley = Estimate(estimate.coalitions, EveryCoalition(_single(interaction)))
    why = f"all {len(estimate.coalitions)} coalitions of {interaction.n} players"
    return _result(game, interaction, request, estimate, shapley, "exact", why)


def _single(interaction: Interaction) -> Interaction:
    """The index of single players that goes with it: Shapley or Banzhaf values."""
    return Interaction("Banzhaf" if interaction.index == "Banzhaf" else "SII", interaction.n, 1)


def _sampled(game: GameLike, interaction: Interaction, request: Request) -> Interactions:
    n = interaction.n
    if n > MAX_PLAYERS:
        raise InputError(
            f"{n} players have {math.comb(n, 2)} interactions of two; at most {MAX_PLAYERS} players are estimated. "
            "Make a game of those that matter (ap.shapley or ap.attribution tells which) and leave the others intact"
        )
    pairs_of_players, most = math.comb(n, 2), n_pairs(n)
    least = max(MIN_PAIRS, math.ceil(MIN_PAIRS_PER_PARAMETER * pairs_of_players))
    usual = max(DEFAULT_PAIRS, DEFAULT_PAIRS_PER_INTERACTION * pairs_of_players)
    usual = max(usual, 2 * math.comb(n, 3)) if interaction.order == 3 else usual
    pairs = Pairs(n, interaction.kernel, request.seed)
    extra = len(coalitions_for(interaction, pairs.design(0))) - 2
    asked = request if request.budget is None else replace(request, budget=request.budget - extra)
    if asked.budget is not None and (asked.budget - 2) // 2 < min(least, most):
        raise BudgetError(
            f"budget {request.budget} allows {max((asked.budget - 2) // 2, 0)} pairs of coalitions; intervals of the "
            f"interactions of {n} players need {min(least, most)}: a budget of {2 + extra + 2 * min(least, most)}"
        )
    allowed = asked.samples(least, 2, most, "pairs of coalitions", usual)

    def sample(m: int) -> tuple[Estimate, Array]:
        design = pairs.design(m)
        values = game(coalitions_for(interaction, design))
        with few_threads(design.n_pairs):
            estimate = sampled(interaction, design, values.reshape(len(values), -1))
        return estimate, np.asarray(estimate.weights @ values.reshape(len(values), -1))

    how = request.tolerance, request.confidence, None, request.progress
    estimate, note = until(sample, min(least, most), allowed, *how)
    design = pairs.design(int(estimate.n_samples))
    values = game(design.coalitions)
    with few_threads(design.n_pairs):
        shapley = sampled(_single(interaction), design, values.reshape(len(values), -1))
    why = f"{design.n_pairs} pairs of coalitions of {n} players{note}"
    return _result(game, interaction, request, estimate, shapley, "sampled", why)


def _result(
    game: GameLike, interaction: Interaction, request: Request, estimate: Estimate, shapley: Estimate, method: str,
    why: str,
) -> Interactions:  # fmt: skip
    of_coalitions = game(estimate.coalitions)
    same = shapley.coalitions is estimate.coalitions  # as where both are exact
    of_singles = of_coalitions if same else game(shapley.coalitions)
    # Weights add up to 0: a constant game is exactly 0.
    columns = (of_coalitions - of_coalitions[1]).reshape(len(of_coalitions), -1)
    singles = (of_singles - of_singles[1]).reshape(len(of_singles), -1)
    with few_threads():
        shape = (len(interaction.members), *of_coalitions.shape[1:])
        values = np.asarray(estimate.weights @ columns).reshape(shape)
        contributions = np.asarray(shapley.weights @ singles).reshape(interaction.n, *of_coalitions.shape[1:])
        found = over_stimuli(game, estimate.coalitions, estimate.weights, shape)
    outputs = outputs_of(game, of_coalitions)
    names = [tuple(game.player_names[p] for p in members) for members in interaction.members]
    make, make_single = labelled(names, outputs, "interaction"), labelled(game.player_names, outputs)
    exact = estimate.stderr is None
    intact, lesioned = of_coalitions[:2]
    return Interactions(
        values=make(values),
        stderr=make(np.zeros(shape) if estimate.stderr is None else estimate.stderr.reshape(shape)),
        stderr_stimuli=make(found.stderr),
        df=make(np.full(shape, np.inf) if estimate.df is None else estimate.df.reshape(shape)),
        contributions=make_single(contributions),
        intact=make_single(intact) if outputs is not None else float(intact),
        lesioned=make_single(lesioned) if outputs is not None else float(lesioned),
        index=interaction.index, order=interaction.order, exact=exact,
        n_evaluations=len(estimate.coalitions) if exact else distinct(estimate.coalitions),
        n_samples=estimate.n_samples, n_trials=_n_trials(game), confidence=request.confidence, method=method,
        kind=str(game.kind), score=game.score.name, unit=game.score.unit, seed=None if exact else request.seed,
        why=why, version=__version__, level_range=found.level_range,
        per_trial=None if found.per_trial is None else make(found.per_trial, trials(game, found.per_trial.shape[1])),
    )  # fmt: skip


def _n_trials(game: GameLike) -> int:
    """Trials, or episodes of a closed loop; 0 where the game gives no value per trial."""
    if len(game.stimuli):
        return len(game.stimuli)
    n = int(game.per_trial(np.ones((1, game.n_players), dtype=bool)).shape[1])
    return n if n > 1 else 0
