"""Interactions of two: artiphys beside shapiq's approximators at equal budgets, its exact computer, and coverage.

    python tests/benchmarks/interactions.py [--seeds 3] [--coverage 30]

Games: hidden units of a trained digits network (12 and 16), the heads of a random GPT-2 (12), and a sum of 50 random
unanimity games (14); all coalitions are known, errors are root mean squares over pairs, relative to the exact ones.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import sys
import time
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import shapiq
import torch
from shapiq.game_theory.exact import ExactComputer
from threadpoolctl import threadpool_limits

import artiphys as ap

sys.path.insert(0, str(Path(__file__).parent))
from peers import network

Array = np.ndarray[Any, Any]
BUDGETS = {"digits 12": (500, 1000), "GPT-2 12": (500, 1000), "SOUM 14": (1000,), "digits 16": (1000, 3000)}


class Table:
    """A game whose every value is known."""

    def __init__(self, values: Array) -> None:
        self.n, self.values = int(np.log2(len(values))), values
        self.bits = 1 << np.arange(self.n)

    def __call__(self, rows: Array) -> Array:
        return np.asarray(self.values[np.asarray(rows, dtype=int) @ self.bits])


class ForShapiq(shapiq.Game):  # type: ignore[misc]
    """The same for shapiq."""

    def __init__(self, table: Table) -> None:
        self.table = table
        super().__init__(n_players=table.n, normalize=False)

    def value_function(self, coalitions: Array) -> Array:
        return self.table(coalitions)


def every(n: int) -> Array:
    return np.asarray((np.arange(2**n)[:, None] >> np.arange(n)) & 1 == 1)


def digits(n: int, start: int) -> Table:
    net, x, y = network(deep=False)
    prep = ap.wrap(net, x[:2])
    players = list(prep.players("1"))[start : start + n]
    stimuli = ap.Stimuli(x[:128], {"y": y[:128]})
    return Table(ap.Game(prep, stimuli, ap.scores.log_prob("y"), players, kind="zero", progress=False)(every(n)))


def gpt2() -> Table:
    from transformers import GPT2Config, GPT2LMHeadModel

    torch.manual_seed(0)
    config = GPT2Config(vocab_size=60, n_embd=48, n_layer=3, n_head=4, n_positions=16, initializer_range=0.15)
    prep = ap.wrap(GPT2LMHeadModel(config).eval())
    tokens = torch.randint(0, 60, (24, 10))
    stimuli = ap.Stimuli({"input_ids": tokens}, {"target": torch.randint(0, 60, (24,)).numpy()})
    players = prep.players("blocks.*.attn.hook_z")
    return Table(ap.Game(prep, stimuli, ap.scores.log_prob("target"), players, kind="zero", progress=False)(every(12)))


def unanimity(n: int) -> Table:
    rng = np.random.default_rng(0)
    rows, values = every(n), np.zeros(2**n)
    for _ in range(50):
        some = rng.choice(n, int(rng.integers(1, n + 1)), replace=False)
        values += rng.uniform() * rows[:, some].all(axis=1)
    return Table(values)


def peers(table: Table, budget: int, seed: int, order: int) -> dict[str, Any]:
    n, game = table.n, ForShapiq(table)
    found = {}
    for paired in (True, False):
        approximator = shapiq.KernelSHAPIQ(n, max_order=order, index="SII", pairing_trick=paired, random_state=seed)
        found[f"KernelSHAP-IQ {'paired' if paired else 'plain'}"] = approximator.approximate(budget, game)
    found["SVARM-IQ"] = shapiq.SVARMIQ(n, max_order=order, index="SII", random_state=seed).approximate(budget, game)
    sampling = shapiq.PermutationSamplingSII(n, max_order=order, index="SII", random_state=seed)
    found["permutation"] = sampling.approximate(budget, game)
    return found


def errors(games: dict[str, Table], seeds: int, order: int) -> None:
    ratios = []
    for name, table in games.items():
        exact: Any = ap.interactions(table, n_players=table.n, index="SII", order=order, budget=2**table.n)
        top = [k for k in exact.values["interaction"].values if len(k) == order]
        true = np.array([exact.of(*k) for k in top])
        for budget in BUDGETS[name]:
            found: dict[str, list[float]] = {}
            for seed in range(seeds):
                options: Any = {"n_players": table.n, "order": order, "budget": budget, "seed": seed}
                ours: Any = ap.interactions(table, index="SII", method="sampled", **options)
                estimates = {"artiphys": np.array([ours.of(*k) for k in top])}
                for peer, result in peers(table, budget, seed, order).items():
                    estimates[peer] = np.array([result[k] for k in top])
                for who, values in estimates.items():
                    error = float(np.sqrt(((values - true) ** 2).mean() / (true**2).mean()))
                    found.setdefault(who, []).append(error)
            means = {who: float(np.mean(e)) for who, e in found.items()}
            best = min(v for who, v in means.items() if who != "artiphys")
            ratios.append(means["artiphys"] / best)
            print(f"order {order} {name} {budget:5d}: " + "  ".join(f"{w} {v:.3f}" for w, v in means.items())
                  + f"  ratio to the best peer {ratios[-1]:.2f}", flush=True)  # fmt: skip
    print(f"order {order}: geometric mean of the ratios {np.exp(np.mean(np.log(ratios))):.2f}")


def coverage(games: dict[str, Table], seeds: int) -> None:
    for index in ("SII", "k-SII", "STII", "Banzhaf"):
        for name, table in games.items():
            every_one: Any = {"n_players": table.n, "index": index, "budget": 2**table.n}
            exact = ap.interactions(table, **every_one)
            least = 2 + 2 * max(96, int(np.ceil(2 * table.n * (table.n - 1) / 2)))
            for budget in (least + 2 * table.n, 1000):
                held, asked, refused = 0, 0, 0
                for seed in range(seeds):
                    options: Any = {"n_players": table.n, "index": index, "budget": budget, "seed": seed}
                    got = ap.interactions(table, method="sampled", **options)
                    low, high = got.interval(over="coalitions")
                    pairs = np.array([len(k) == 2 for k in got.values["interaction"].values])
                    known = pairs & ~np.isnan(low.to_numpy())
                    inside = (low <= exact.values + 1e-12) & (exact.values <= high + 1e-12)
                    held, asked = held + int(inside.to_numpy()[known].sum()), asked + int(known.sum())
                    refused += int((pairs & np.isnan(low.to_numpy())).sum())
                print(
                    f"coverage {index} {name} {budget}: {held / asked:.3f} of {asked} ({refused} refused)", flush=True
                )


def speed() -> None:
    rng = np.random.default_rng(0)
    for n, order, repeats in ((12, 2, 15), (12, 3, 5), (14, 2, 3)):
        table = Table(rng.normal(size=2**n))
        table(every(n))
        ours, theirs = [], []
        ap.interactions(table, n_players=n, index="SII", order=order, budget=2**n)
        ExactComputer(ForShapiq(table), n)("SII", order)
        for _ in range(repeats):
            start = time.perf_counter()
            mine: Any = ap.interactions(table, n_players=n, index="SII", order=order, budget=2**n)
            ours.append(time.perf_counter() - start)
            start = time.perf_counter()
            reference = ExactComputer(ForShapiq(table), n)("SII", order)
            theirs.append(time.perf_counter() - start)
        apart = max(abs(reference[k] - mine.of(*k)) for k in mine.values["interaction"].values)
        print(f"exact, {n} players, order {order}: {np.median(ours):.4f} s against {np.median(theirs):.3f} s "
              f"({np.median(theirs) / np.median(ours):.0f} times faster, result and evaluation included); differ by "
              f"{apart:.1e}", flush=True)  # fmt: skip


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--coverage", type=int, default=30)
    asked = parser.parse_args()
    warnings.simplefilter("ignore")
    print("shapiq", importlib.metadata.version("shapiq"))
    with threadpool_limits(2):
        speed()
        tables = {"digits 12": digits(12, 0), "GPT-2 12": gpt2(), "SOUM 14": unanimity(14), "digits 16": digits(16, 0)}
        errors(tables, asked.seeds, 2)
        errors({k: v for k, v in tables.items() if v.n < 16}, asked.seeds, 3)
        coverage(tables, asked.coverage)
