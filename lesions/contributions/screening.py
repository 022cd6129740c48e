"""Screening of many players: a pass over all, then fresh samples of the largest."""

from __future__ import annotations

import math
import time as clock
from dataclasses import replace

import numpy as np
from scipy import stats as scipy_stats

from artiphys.array_types import Array
from artiphys.blas_threads import few_threads
from artiphys.errors import BudgetError, InputError
from artiphys.lesions.contributions.methods import exact
from artiphys.lesions.contributions.request import MIN_ORDERS, MIN_PAIRS, Request, budget_enumerates
from artiphys.lesions.contributions.result import Attribution
from artiphys.lesions.contributions.result_from_estimate import result_from_estimate
from artiphys.lesions.estimators.cross_fitting import shrunken_estimate
from artiphys.lesions.estimators.enumeration import MAX_EXACT
from artiphys.lesions.estimators.estimate import Estimate
from artiphys.lesions.estimators.kernel import n_pairs
from artiphys.lesions.estimators.pair_designs import Pairs
from artiphys.lesions.games.protocol import GameLike

DEFAULT_TOP_K = 10


def screening(game: GameLike, request: Request, why: str) -> Attribution:
    """A shrunken regression of all players, then fresh marginal contributions of the largest.

    The estimates of the selected players come from the second pass alone, so that having been selected does
    not bias them; those of the others come from the first. Those lie nearer to 0 than the truth where their
    players came close to being selected, as what was overestimated was followed. Tests of the selected are Holm's.
    """
    if request.index != "shapley":
        raise InputError("screening gives Shapley values; for Banzhaf values use 'regression' or 'shrunken'")
    n = game.n_players
    k = min(request.top_k or DEFAULT_TOP_K, n)
    least = 2 + 2 * MIN_PAIRS + 4 * k * MIN_ORDERS
    budget = 2 * least if request.budget is None else request.budget
    if budget_enumerates(n, replace(request, budget=budget)):
        return exact(game, request, f"{why}; all {2**n} coalitions fit the budget", "screening")
    if budget < least:
        needed = min(least, 2**n) if n <= MAX_EXACT else least
        raise BudgetError(
            f"budget {budget} is too small to screen {n} players and follow {k} of them; a budget of {needed} would do"
        )
    started = clock.perf_counter()
    # Half of the budget, but for what the followed players need.
    spare = (budget - 2 - 4 * k * MIN_ORDERS) // 2
    first_pairs = min(max(MIN_PAIRS, (budget - 2) // 4), spare, n_pairs(n) - 1)
    design = Pairs(n, "shapley", request.seed).design(first_pairs)
    values = game(design.coalitions)
    with few_threads(design.n_pairs):
        first, _ = shrunken_estimate(design, values)
    screened = np.abs(first.weights @ values.reshape(len(values), -1)).max(axis=1)
    chosen = np.sort(np.argsort(-screened, kind="stable")[:k])
    samples = (budget - len(design.coalitions)) // (4 * k)
    estimate = _followed(game, request, first, chosen, samples)
    of_coalitions = game(estimate.coalitions)
    note = _verdict(estimate, of_coalitions, chosen, request.confidence)
    text = (
        f"A ridge regression of third order on {design.n_pairs} pairs of complementary coalitions screened all "
        f"players; the {k} largest were then estimated from {samples} fresh antithetic pairs of permutations each, "
        "so that their selection does not bias them. " + note
    )
    result = result_from_estimate(
        game, estimate, of_coalitions, method="screening", why=f"{why}; {note}", method_text=text,
        seed=request.seed, order=3, confidence=request.confidence,
    )  # fmt: skip
    return replace(result, seconds=clock.perf_counter() - started)


def _followed(game: GameLike, request: Request, first: Estimate, chosen: Array, samples: int) -> Estimate:
    """The first pass with the chosen players estimated anew from marginal contributions."""
    n, k = game.n_players, len(chosen)
    rng = np.random.default_rng(np.random.SeedSequence([request.seed, 1]))
    rank = rng.random((samples, n)).argsort(axis=1)
    before = rank[:, None, :] < rank[:, chosen][:, :, None]  # (sample, chosen, player)
    after = before.copy()
    after[:, np.arange(k), chosen] = True
    sets = [part.reshape(-1, n) for part in (after, before, ~before, ~after)]
    values = game(np.concatenate(sets)).reshape(4, samples, k, -1)
    marginal = (values[0] - values[1] + values[2] - values[3]) / 2  # (sample, chosen, output)
    deviation = (marginal - marginal.mean(axis=0)) ** 2
    total = deviation.sum(axis=0)
    with np.errstate(divide="ignore", invalid="ignore"):
        df_chosen = np.minimum(2 * total**2 / (deviation**2).sum(axis=0), samples - 1)
    assert first.stderr is not None and first.df is not None
    stderr, df = first.stderr.copy(), first.df.copy()
    stderr[chosen] = np.sqrt(total / (samples - 1) / samples)
    df[chosen] = np.where(total > 0, df_chosen, math.inf)
    weights = np.array(first.weights)
    weights[chosen] = 0
    block: Array = np.zeros((n, samples, k))
    block[chosen, :, np.arange(k)] = 1 / (2 * samples)
    block = block.reshape(n, -1)
    return Estimate(
        np.concatenate([first.coalitions, *sets]),
        np.hstack([weights, block, -block, block, -block]),
        stderr, df, float(samples),
    )  # fmt: skip


def _verdict(estimate: Estimate, of_coalitions: Array, chosen: Array, confidence: float) -> str:
    """How many of the followed players differ from 0, with Holm's control of any false claim among them."""
    assert estimate.stderr is not None and estimate.df is not None
    values = estimate.weights @ of_coalitions.reshape(len(of_coalitions), -1)
    chosen_values, stderr, df = (a[chosen].ravel() for a in (values, estimate.stderr, estimate.df))
    with np.errstate(divide="ignore", invalid="ignore"):
        t = np.where(stderr > 0, np.abs(chosen_values) / stderr, np.where(chosen_values == 0, 0.0, np.inf))
    p = np.sort(2 * scipy_stats.t.sf(t, df))
    passed = p <= (1 - confidence) / (len(p) - np.arange(len(p)))
    number = int(np.argmin(passed)) if not passed.all() else len(p)
    what = "of them" if values.shape[1] == 1 else "of their values by output"
    return f"{number} {what} differ from 0 by Holm's test at {1 - confidence:.2g} over the {len(p)} followed"
