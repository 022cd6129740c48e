"""Twelve heads to the same true error: artiphys beside antithetic permutations in a loop over plain hooks.

The network and prompts of transformer_coalitions.py. Exact values come from all 4096 coalitions. The error a
budget buys is the mean absolute error over many seeds, read off those known values; times are measured by
running both, one after the other, medians of several.

    python tests/benchmarks/equal_error.py [--repeats 5]
"""

from __future__ import annotations

import argparse
import statistics
import sys
from pathlib import Path
from typing import Any

import numpy as np
import torch

import artiphys as ap

sys.path.insert(0, str(Path(__file__).parent))
from transformer_coalitions import Loop, all_positions, everything, rig, timed

Array = np.ndarray[Any, Any]
LEVELS = (16, 64)  # antithetic pairs whose error is to be reached
SEEDS = 40
BUDGETS = (194, 226, 258, 322, 386, 514, 770, 1026, 1538, 2050, 3074)


def antithetic_orders(n: int, pairs: int, seed: int) -> Array:
    """Coalitions on the way of ``pairs`` orders and their reverses ``(order, step, player)``."""
    rng = np.random.default_rng(seed)
    orders = [rng.permutation(n) for _ in range(pairs)]
    both = np.array([o for order in orders for o in (order, order[::-1])])
    return np.asarray(np.arange(n + 1)[None, :, None] > np.argsort(both, axis=1)[:, None, :])


def by_permutations(n: int, pairs: int, seed: int, value: Any) -> Array:
    """Shapley values by mean marginal contributions; each different coalition is evaluated once."""
    walked = antithetic_orders(n, pairs, seed)
    different, where = np.unique(walked.reshape(-1, n), axis=0, return_inverse=True)
    values = value(different)[where.ravel()].reshape(walked.shape[:2])
    gained = walked[:, 1:] & ~walked[:, :-1]
    return np.asarray(np.einsum("ks,ksp->p", np.diff(values, axis=1), gained.astype(float)) / len(walked))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=5)
    repeats = parser.parse_args().repeats
    torch.set_num_threads(2)
    bare, prep, tokens, targets, stimuli = rig()
    twelve = [(layer, h) for layer in range(4) for h in (0, 3, 5)]
    players = prep.players("blocks.*.attn.hook_z")
    chosen: Any = [players[f"blocks.{layer}.attn.hook_z.{h}"] for layer, h in twelve]
    print("score | error in % of the largest value | antithetic loop | artiphys | times less wall time (min-max)")
    for last in (False, True):
        loop = Loop(bare, tokens, targets, twelve, last)
        kind = ap.scores.log_prob("target") if last else all_positions(targets)

        def game() -> ap.Game:
            return ap.Game(prep, stimuli, kind, chosen, kind="zero", progress=False)  # noqa: B023

        known = game()(everything(12))
        place = 1 << np.arange(12)
        table = lambda c: known[c @ place]  # noqa: B023
        truth = ap.shapley(table, n_players=12, method="exact").values.to_numpy()

        def error(values: Array) -> float:
            return float(np.abs(values - truth).mean())  # noqa: B023

        def our_error(budget: int) -> float:
            runs = [ap.shapley(table, n_players=12, budget=budget, seed=s, progress=False) for s in range(SEEDS)]  # noqa: B023
            return float(np.mean([error(r.values.to_numpy()) for r in runs]))

        ours = {b: our_error(b) for b in BUDGETS}
        ours[4096] = 0.0
        for pairs in LEVELS:
            level = np.mean([error(by_permutations(12, pairs, s, table)) for s in range(SEEDS)])
            enough = next(b for b in (*BUDGETS, 4096) if ours[b] <= level)
            ratios, times = [], []
            for seed in range(repeats):
                fast, _ = timed(lambda: ap.shapley(game(), budget=enough, seed=seed, progress=False))  # noqa: B023
                slow, _ = timed(lambda: by_permutations(12, pairs, seed, loop))  # noqa: B023
                ratios.append(slow / fast)
                times.append((slow, fast))
            slow, fast = (statistics.median(column) for column in zip(*times))
            name = "last position" if last else "all positions"
            part = ours[enough] / level
            theirs = f"{100 * level / np.abs(truth).max():.2f} | {pairs} pairs, {slow:.2f} s"
            took = f"{enough} evaluations, {part:.2f} of that error, {fast:.2f} s"
            spread = f"{statistics.median(ratios):.1f} ({min(ratios):.1f}-{max(ratios):.1f})"
            print(f"{name} | {theirs} | {took} | {spread}", flush=True)


if __name__ == "__main__":
    main()
