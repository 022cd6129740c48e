"""Shapley values of hidden units of a digits network: artiphys beside msapy and shapiq, in one run.

MLP 64-32-10 (relu) and 64-32-32-10, value = mean log-probability of 360 test images. Errors are mean absolute
errors against exact values (16 players), or against a long run (32). msapy pins an older pandas, so install it
without its dependencies: pip install --no-deps msapy==1.7.3

    python tests/benchmarks/peers.py [--repeats 5]
"""

from __future__ import annotations

import argparse
import contextlib
import io
import statistics
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from sklearn.datasets import load_digits
from threadpoolctl import threadpool_limits
from torch import nn

import artiphys as ap

Array = np.ndarray[Any, Any]


def network(deep: bool) -> tuple[nn.Sequential, torch.Tensor, Array]:
    """A trained network, and the test images and labels."""
    torch.manual_seed(0)
    data = load_digits()
    x, y = torch.tensor(data.data / 16, dtype=torch.float32), torch.tensor(data.target)
    middle = [nn.Linear(32, 32), nn.ReLU()] if deep else []
    net = nn.Sequential(nn.Linear(64, 32), nn.ReLU(), *middle, nn.Linear(32, 10))
    optimiser = torch.optim.Adam(net.parameters(), 1e-2)
    for _ in range(150):
        optimiser.zero_grad()
        nn.functional.cross_entropy(net(x[:1437]), y[:1437]).backward()  # type: ignore[no-untyped-call]
        optimiser.step()
    return net.eval().requires_grad_(False), x[1437:], y[1437:].numpy()


def timed(fn: Callable[[], Any]) -> tuple[float, Any]:
    start = time.perf_counter()
    result = fn()
    return time.perf_counter() - start, result


def msapy_values(net: nn.Sequential, x: torch.Tensor, y: Array, n: int, seed: int, lazy: bool) -> tuple[Array, int]:
    """The same game played by msapy, 1000 permutations, and how often it called; seeds start at 1, as it ignores 0."""
    from msapy import msa

    target, calls = torch.as_tensor(y), 0

    def score(complements: tuple[int, ...]) -> float:
        nonlocal calls
        calls += 1
        hidden = net[:2](x)
        hidden[:, list(complements)] = 0
        return float(net[2:](hidden).log_softmax(-1).gather(-1, target[:, None]).mean())

    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        table: Any = msa.interface(
            elements=list(range(n)), n_permutations=1000, objective_function=score, n_parallel_games=1,
            rng=np.random.default_rng(seed + 1), lazy=lazy,
        )  # fmt: skip
    return np.asarray(table.shapley_values), calls


@dataclass
class Arm:
    """One method at one budget: what each repeat took and missed by."""

    run: Callable[[int], tuple[Array, int]]
    seconds: list[float] = field(default_factory=list)
    errors: list[float] = field(default_factory=list)
    calls: list[int] = field(default_factory=list)

    def once(self, seed: int, truth: Array) -> None:
        seconds, (values, calls) = timed(lambda: self.run(seed))
        self.seconds.append(seconds)
        self.errors.append(float(np.abs(values - truth).mean()))
        self.calls.append(calls)

    @property
    def medians(self) -> tuple[float, float, float]:
        """Seconds, error, evaluations."""
        return statistics.median(self.seconds), statistics.median(self.errors), statistics.median(self.calls)


def arms(game: Callable[[], ap.Game], net: nn.Sequential, x: torch.Tensor, y: Array, n: int) -> dict[str, Arm]:
    """artiphys at several budgets, and its peers."""

    def ours(budget: int, **options: Any) -> Callable[[int], tuple[Array, int]]:
        def run(seed: int) -> tuple[Array, int]:
            found = ap.shapley(game(), budget=budget, seed=seed, progress=False, **options)
            return found.values.to_numpy(), found.n_evaluations

        return run

    found = {}
    for budget in (600, 750, 900, 1200, 1600, 2000) if n == 16 else (2000, 4000):
        found[f"artiphys auto {budget}"] = Arm(ours(budget))
    for budget in (1000, 1400, 1800, 2400) if n == 16 else (3000, 6000, 9000, 12_000):
        found[f"artiphys regression, order 1 {budget}"] = Arm(ours(budget, method="regression", order=1))
    found["msapy (its default)"] = Arm(lambda seed: msapy_values(net, x, y, n, seed, lazy=True))
    found["msapy lazy=False"] = Arm(lambda seed: msapy_values(net, x, y, n, seed, lazy=False))
    budgets = (2000, 4000, 8000, 16_000) if n == 16 else (4000, 16_000)
    for budget in budgets:
        found[f"shapiq paired KernelSHAP {budget}"] = Arm(lambda seed, b=budget: kernel_shap(game(), n, seed, b))  # type: ignore[misc]
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=5)
    repeats = parser.parse_args().repeats
    warnings.simplefilter("ignore")
    # Two threads for the network and one for numpy's linear algebra, for all: its idle threads would slow what follows.
    torch.set_num_threads(2)
    threadpool_limits(1, user_api="blas")
    for deep in (False, True):
        net, x, y = network(deep)
        prep = ap.wrap(net, x)
        stimuli, score = ap.Stimuli(x, {"label": y}), ap.scores.log_prob("label")
        for n in (16, 32):
            players = prep.players("1", units=range(n))

            def game() -> ap.Game:
                return ap.Game(prep, stimuli, score, players, kind="zero", progress=False)  # noqa: B023

            large = game()
            whole = ap.shapley(large) if n <= 16 else ap.shapley(large, budget=40_000, progress=False)
            truth = whole.values.to_numpy()
            rate = large.n_evaluations / large.seconds
            print(f"\n{'64-32-32-10' if deep else '64-32-10'}, {n} units; reference {whole.method}, error up to "
                  f"{float(whole.stderr.max()):.5f}, {rate:.0f} coalitions/s", flush=True)  # fmt: skip
            table = arms(game, net, x, y, n)
            for seed in range(repeats):
                for arm in table.values():
                    arm.once(seed, truth)
            report(table, rate)


def report(table: dict[str, Arm], rate: float) -> None:
    """The table, and the least time and evaluations that artiphys needs for each peer's error."""
    for name, arm in table.items():
        seconds, error, calls = arm.medians
        spread = f"{min(arm.seconds) * 1e3:.0f}-{max(arm.seconds) * 1e3:.0f}"
        print(f"  {name:36s} {seconds * 1e3:8.1f} ms ({spread})   error {error:.5f}   {calls:6.0f} evaluations   "
              f"{calls / seconds:8.0f}/s", flush=True)  # fmt: skip
    ours = {k: a.medians for k, a in table.items() if k.startswith("artiphys")}
    for name, arm in table.items():
        if name in ours:
            continue
        seconds, error, calls = arm.medians
        enough = {k: m for k, m in ours.items() if m[1] <= error}
        if not enough:
            print(f"  {name}: artiphys does not reach its error in this table")
            continue
        fastest, fewest = min(enough, key=lambda k: enough[k][0]), min(enough, key=lambda k: enough[k][2])
        print(f"  its error: {name}: {seconds / enough[fastest][0]:.1f} times less wall time ({fastest}), "
              f"{calls / enough[fewest][2]:.1f} times fewer evaluations ({fewest}), "
              f"{rate / (calls / seconds):.1f} times the coalitions a second")  # fmt: skip


def kernel_shap(game: ap.Game, n: int, seed: int, budget: int) -> tuple[Array, int]:
    """Paired KernelSHAP of shapiq on the very same game."""
    from shapiq.approximator import KernelSHAP

    found = KernelSHAP(n=n, pairing_trick=True, random_state=seed).approximate(budget=budget, game=game)
    return np.array([found[(i,)] for i in range(n)]), budget


if __name__ == "__main__":
    main()
