"""Do 95 % intervals over coalitions cover the exact value 95 times in 100, and are they no wider than they must be?

    python tests/benchmarks/calibration.py [runs]

Each line gives, for one game, estimator and budget, the coverage of the worst and best covered player and the
median width of the intervals divided by 2 x 1.96 x the true standard deviation of the estimate (mean and
largest over players), and the part of the runs whose intervals were refused. Players whose estimate never varies
must be covered exactly.
"""

from __future__ import annotations

import math
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from sklearn.datasets import load_digits
from torch import nn

import artiphys as ap
from artiphys.lesions.contributions.request import MIN_ORDERS, MIN_PAIRS, least_pairs
from artiphys.scores.score import Score

Array = np.ndarray[Any, Any]
Value = Callable[[Array], Array]


class Table:
    """A game whose values are all known."""

    kind = "table"

    def __init__(self, name: str, n_players: int, value: Value) -> None:
        self.name, self.n_players, self.player_names = name, n_players, list(range(n_players))
        self.score: Score = Score(lambda outputs, trials: outputs, name)
        self.stimuli: tuple[Any, ...] = ()
        self.seconds, self.n_evaluations = 0.0, 2**n_players
        self._bit = 1 << np.arange(n_players)
        coalitions = (np.arange(2**n_players)[:, None] >> np.arange(n_players)) & 1 == 1
        self._values = np.concatenate([value(c) for c in np.array_split(coalitions, max(1, 2**n_players // 1024))])

    def __call__(self, coalitions: Array) -> Array:
        return np.asarray(self._values[coalitions @ self._bit])

    def per_trial(self, coalitions: Array) -> Array:
        return self(coalitions)[:, None]


def digits(n: int = 12) -> Table:
    """Mean log-probability of a small net on digits; players are hidden units."""
    torch.manual_seed(0)
    data = load_digits()
    x, y = torch.tensor(data.data / 16, dtype=torch.float32), torch.tensor(data.target)
    first, last = nn.Linear(64, 32), nn.Linear(32, 10)
    net = nn.Sequential(first, nn.ReLU(), last)
    optimiser = torch.optim.Adam(net.parameters(), 1e-2)
    for _ in range(150):
        optimiser.zero_grad()
        loss: Any = nn.functional.cross_entropy(net(x[:1400]), y[:1400])
        loss.backward()
        optimiser.step()
    hidden, labels = first(x[1437:]).relu().detach(), y[1437:]
    weight, bias = last.weight.detach(), last.bias.detach()

    def value(coalitions: Array) -> Array:
        keep = torch.ones(len(coalitions), 32)
        keep[:, :n] = torch.as_tensor(coalitions).float()
        logits = (keep[:, None] * hidden) @ weight.T + bias
        rows = torch.arange(len(labels))
        return np.asarray(logits.log_softmax(-1)[:, rows, labels].mean(dim=1).double())

    return Table("digits units", n, value)


def planted(n: int = 12) -> Table:
    """Redundancy, synergy of two and of three, and opposition between players of different weight."""

    def value(coalitions: Array) -> Array:
        x = coalitions.astype(float)
        pairs = 2 * np.maximum(x[:, 0], x[:, 1]) + 1.5 * x[:, 2] * x[:, 3] + x[:, 7] * (1 - x[:, 8])
        return np.asarray(x @ np.linspace(-0.3, 0.3, n) + pairs - 1.2 * x[:, 4] * x[:, 5] * x[:, 6])

    return Table("planted", n, value)


def xor_redundant(n: int = 10) -> Table:
    """XOR from three copies of an OR unit and an AND gated by either of two; the other players do nothing."""

    def value(coalitions: Array) -> Array:
        x = coalitions.astype(float)
        either, gate = x[:, :3].max(axis=1), x[:, 3] * x[:, 4:6].max(axis=1)
        right = [((either * (a | b) - 2 * gate * (a & b)) > 0.5) == (a ^ b) for a in (0, 1) for b in (0, 1)]
        return np.asarray(np.mean(right, axis=0))

    return Table("xor redundant", n, value)


def majority(n: int = 11) -> Table:
    """Weighted majority: a player matters rarely, and then for everything."""
    weights = np.array([3, 2, 2] + [1] * (n - 3))
    return Table("majority", n, lambda coalitions: (coalitions @ weights > weights.sum() / 2 + 0.1).astype(float))


def transformer() -> Table:
    """The 12 heads of a random transformer of GPT-2's kind, through `ap.Game`."""
    from transformers import GPT2Config, GPT2LMHeadModel

    torch.manual_seed(0)
    config = GPT2Config(n_layer=3, n_head=4, n_embd=64, vocab_size=50, n_positions=16, initializer_range=0.3)
    prep = ap.wrap(GPT2LMHeadModel(config).eval())
    tokens = torch.randint(0, 50, (12, 8))
    stimuli = ap.Stimuli.from_tokens(tokens.tolist(), {"target": (np.arange(12) % 50).tolist()})
    players = prep.players("blocks.*.attn.hook_z")
    game = ap.Game(prep, stimuli, ap.scores.log_prob("target"), players, kind="zero", batch_size=768, progress=False)
    return Table("random GPT-2 heads", 12, game)


@dataclass(frozen=True)
class Line:
    """Coverage and width of one estimator on one game at one budget."""

    game: str
    estimator: str
    budget: int
    coverage: Array
    width: Array
    refused: float

    def __str__(self) -> str:
        c, w = self.coverage, self.width
        return (
            f"{self.game:19s} {self.estimator:22s} {self.budget:6d}   {c.min():.3f} {c.mean():.3f} {c.max():.3f}   "
            f"{np.nanmean(w) if len(w) else 0:.2f} {w.max(initial=0):.2f}   {self.refused:.3f}"
        )


HEADER = f"{'game':19s} {'estimator':22s} {'budget':>6s}   coverage: min, mean, max   width: mean, max   refused"


def calibrated(table: Table, index: str, method: Any, budget: int, runs: int, **options: Any) -> Line:
    """Run one estimator many times."""
    estimate: Any = {"shapley": ap.shapley, "banzhaf": ap.banzhaf}[index]
    exact = estimate(table, method="exact").values.to_numpy()
    values, low, high = (np.full((runs, table.n_players), np.nan) for _ in range(3))
    for seed in range(runs):
        found = estimate(table, method=method, budget=budget, seed=seed, progress=False, **options)
        values[seed] = found.values
        if not found.refused:
            low[seed], high[seed] = found.interval(over="coalitions")
    given = ~np.isnan(low).any(axis=1)
    low, high = low[given], high[given]
    slack = 1e-9 * np.abs(exact).max()
    spread = values.std(axis=0, ddof=1)
    varies = spread > slack
    width = np.median(high - low, axis=0)[varies] / (2 * 1.96 * spread[varies])
    coverage = ((low <= exact + slack) & (exact - slack <= high)).mean(axis=0)
    assert (coverage[~varies] == 1).all()
    name = "".join([method, *(f" {k} {v:g}" for k, v in options.items()), "" if index == "shapley" else " (Banzhaf)"])
    return Line(table.name, name, budget, coverage[varies] if varies.any() else coverage, width, 1 - given.mean())


def plan(table: Table) -> Iterator[tuple[str, str, int, dict[str, Any]]]:
    """Each estimator at its smallest accepted, a middle and a large budget below all coalitions."""
    n = table.n_players
    most = 2**n - 2
    for pairs in (MIN_ORDERS, 2 * MIN_ORDERS, 3 * MIN_ORDERS):
        yield "shapley", "permutation", 2 + 2 * (n - 1) * pairs, {}
    for pairs in (least_pairs(n, 1), 2 * least_pairs(n, 1), 4 * least_pairs(n, 1)):
        yield "shapley", "regression", min(2 + 2 * pairs, most), {"order": 1}
    for pairs in (MIN_PAIRS, math.ceil(1.5 * MIN_PAIRS), 2 * MIN_PAIRS):
        yield "shapley", "shrunken", 2 + 2 * pairs, {}
    if n == 10:
        for factor in (1.0, 1.5, 2.0):
            yield "shapley", "regression", 2 + 2 * math.ceil(factor * least_pairs(n, 3)), {"order": 3}
        least = 2 + 2 * MIN_PAIRS + 4 * 2 * MIN_ORDERS
        for budget in (least, 800, 900):
            yield "shapley", "screening", budget, {"top_k": 2}
    if n == 11:
        for pairs in (MIN_PAIRS, 2 * MIN_PAIRS, 4 * MIN_PAIRS):
            yield "banzhaf", "regression", 2 + 2 * pairs, {"order": 1}


def main(runs: int = 2000) -> None:
    """Print the table."""
    started = time.perf_counter()
    torch.set_num_threads(1)
    print(f"{runs} runs each, intervals of 95 % over coalitions\n{HEADER}")
    for make in (digits, planted, xor_redundant, majority, transformer):
        table = make()
        for index, method, budget, options in plan(table):
            print(calibrated(table, index, method, budget, runs, **options), flush=True)
    print(f"{time.perf_counter() - started:.0f} s")


if __name__ == "__main__":
    main(*(int(a) for a in sys.argv[1:]))
