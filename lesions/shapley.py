"""Shapley values: exact, or by antithetic permutation sampling with standard errors."""

from __future__ import annotations

import math
import time as clock
from collections.abc import Callable
from typing import Any, Literal

import numpy as np
from tqdm.auto import tqdm

from artiphys.errors import BudgetError, InputError
from artiphys.lesions.attribution import Attribution, attribution
from artiphys.lesions.callable_game import CallableGame
from artiphys.lesions.game import Game
from artiphys.stats import check_confidence, t_interval

Array = np.ndarray[Any, Any]
MAX_EXACT = 16
MIN_PAIRS = 16  # with 8, 95 % intervals of a player with skewed marginals covered .82; with 16, .92 to .94
CHUNK = 4  # pairs between looks at the tolerance
Method = Literal["auto", "exact", "permutation"]


def shapley(
    game: Game | Callable[[Array], Any],
    *,
    n_players: int | None = None,
    budget: int | None = None,
    tolerance: float | None = None,
    confidence: float = 0.95,
    method: Method = "auto",
    seed: int = 0,
    progress: bool = True,
) -> Attribution:
    """Shapley value of every player: its mean marginal contribution over all orders of lesioning.

    Parameters
    ----------
    game : Game or callable
        A callable takes a bool matrix ``(n, player)``, True = intact, and gives ``(n,)`` values; it
        needs ``n_players``.
    budget : int, optional
        Most coalitions to evaluate. Default: all where exact, else 64 pairs of permutations.
    tolerance : float, optional
        Stop sampling once every interval's half-width over coalitions is below this, in units of the
        score.
    confidence : float
        Of those intervals.
    method : "auto", "exact" or "permutation"
        "auto" is exact where there are at most 16 players and the budget allows all coalitions, and
        samples permutations otherwise; the result says which and why.
    seed : int

    Returns
    -------
    Attribution
        Values add up to intact minus fully lesioned.

    Raises
    ------
    BudgetError
        If the budget is too small for the method; the error says what would do.

    References
    ----------
    Shapley 1953, A value for n-person games. Mitchell, Cooper, Frank & Holmes 2022, Sampling
    permutations for Shapley value estimation (antithetic pairs).

    Examples
    --------
    >>> import artiphys as ap
    >>> ap.shapley(lambda c: c.sum(axis=1) ** 2.0, n_players=2).values.values.tolist()
    [2.0, 2.0]
    """
    played = game if isinstance(game, Game) else CallableGame.of(game, n_players)
    check_confidence(confidence)
    if method not in ("auto", "exact", "permutation"):
        raise InputError(f"method came as {method!r}; wanted 'auto', 'exact' or 'permutation'")
    if budget is not None and budget < 2:
        raise BudgetError(f"budget came as {budget}; even intact and fully lesioned are 2 evaluations")
    if tolerance is not None and not tolerance > 0:
        raise InputError(f"tolerance came as {tolerance!r}; wanted a positive number in units of the score")
    n = played.n_players
    fits = n <= MAX_EXACT and (budget is None or budget >= 2**n)
    if method == "exact" and not fits:
        raise BudgetError(
            f"exact values of {n} players take {2.0**n:.3g} evaluations"
            + (f"; the budget is {budget}" if n <= MAX_EXACT else f"; at most {MAX_EXACT} players are enumerated")
        )
    if method == "exact" or (method == "auto" and fits):
        return _exact(played, f"all {2**n} coalitions of {n} players fit the budget")
    why = (
        "asked for"
        if method == "permutation"
        else (
            f"{n} players are more than {MAX_EXACT}"
            if n > MAX_EXACT
            else f"2^{n} coalitions exceed the budget {budget}"
        )
    )
    return _permutation(played, budget, tolerance, confidence, seed, progress, why)


def _exact(game: Any, why: str) -> Attribution:
    n = game.n_players
    started = clock.perf_counter()
    coalitions = (np.arange(2**n)[:, None] >> np.arange(n)) & 1 == 1
    values = game.per_trial(coalitions)  # (coalition, trial)
    sizes = coalitions.sum(axis=1)
    weight = np.array([1 / (n * math.comb(n - 1, s)) for s in range(n)])
    phi = np.empty((n, values.shape[1]))
    for i in range(n):
        out = np.flatnonzero(~coalitions[:, i])
        gain = values[out | (1 << i)] - values[out]
        phi[i] = weight[sizes[out]] @ gain
    seconds = clock.perf_counter() - started
    return attribution(game, phi, method="exact", n_evaluations=2**n, why=why, seconds=seconds)


def _permutation(
    game: Any,
    budget: int | None,
    tolerance: float | None,
    confidence: float,
    seed: int,
    progress: bool,
    why: str,
) -> Attribution:
    """Antithetic pairs: an order and its reverse share a sample, whose errors partly cancel."""
    n = game.n_players
    pair_cost = 2 * max(n - 1, 1)
    if n == 1:
        return _exact(game, "one player has one order")
    pairs = 64 if budget is None else (budget - 2) // pair_cost
    if budget is not None and pairs < MIN_PAIRS:
        raise BudgetError(
            f"budget {budget} allows {max(pairs, 0)} pairs of permutations of {n} players; an honest standard error "
            f"needs {MIN_PAIRS}: a budget of {2 + MIN_PAIRS * pair_cost}"
        )
    started, spent = clock.perf_counter(), game.n_evaluations
    samples: list[Array] = []  # one (player, trial) a pair
    bar = tqdm(total=pairs, desc="permutation pairs", delay=2, disable=not progress, leave=False)
    rng = np.random.default_rng(seed)
    mean = stderr = np.empty(0)
    with bar:
        while len(samples) < pairs:
            chunk = [rng.permutation(n) for _ in range(min(CHUNK, pairs - len(samples)))]
            samples += _marginals(game, chunk)
            bar.update(len(chunk))
            stack = np.stack([s.mean(axis=1) for s in samples])
            mean, stderr = (
                stack.mean(axis=0),
                stack.std(axis=0, ddof=1) / math.sqrt(len(stack)) if len(stack) > 1 else mean,
            )
            if tolerance is not None and len(samples) >= MIN_PAIRS:
                low, high = t_interval(mean, stderr, len(samples) - 1, confidence)
                if float(np.max(high - low)) / 2 <= tolerance:
                    why += f"; stopped at {len(samples)} pairs, every half-width below {tolerance:g}"
                    break
    return attribution(
        game,
        np.mean(samples, axis=0),
        method="permutation",
        n_evaluations=game.n_evaluations - spent,
        stderr=stderr,
        n_samples=len(samples),
        seed=seed,
        why=why,
        seconds=clock.perf_counter() - started,
    )


def _marginals(game: Any, orders: list[Array]) -> list[Array]:
    """Marginal contributions ``(player, trial)``, averaged over each order and its reverse."""
    n = game.n_players
    paths = []
    for order in orders:
        for path in (order, order[::-1]):
            rank = np.empty(n, dtype=int)
            rank[path] = np.arange(n)
            paths.append(np.arange(n + 1)[:, None] > rank)  # row k: the first k players of the path intact
    values = game.per_trial(np.concatenate(paths)).reshape(len(paths), n + 1, -1)
    steps = np.diff(values, axis=1)  # (path, position, trial)
    result = []
    for i, order in enumerate(orders):
        forward, backward = np.empty_like(steps[0]), np.empty_like(steps[0])
        forward[order] = steps[2 * i]
        backward[order[::-1]] = steps[2 * i + 1]
        result.append((forward + backward) / 2)
    return result
