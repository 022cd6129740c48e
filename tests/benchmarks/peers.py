"""Shapley values of hidden units of a digits network: artiphys beside msapy and shapiq, in one run.

MLP 64-32-10 (relu) and 64-32-32-10, value = mean log-probability of 360 test images. Errors are mean absolute
errors against exact values (16 players), or against a long run (32). msapy pins an older pandas, so install it
without its dependencies: pip install --no-deps msapy==1.7.3

    python tests/benchmarks/peers.py [--repeats 5]
"""

from __future__ import annotations

import argparse
import statistics
import time
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from sklearn.datasets import load_digits
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


def msapy_values(net: nn.Sequential, x: torch.Tensor, y: Array, n: int, seed: int, lazy: bool) -> Array:
    """The same game played by msapy, 1000 permutations; its seed 0 is ignored, so seeds start at 1."""
    from msapy import msa

    target = torch.as_tensor(y)

    def score(complements: tuple[int, ...]) -> float:
        hidden = net[:2](x)
        hidden[:, list(complements)] = 0
        return float(net[2:](hidden).log_softmax(-1).gather(-1, target[:, None]).mean())

    table, *_ = msa.interface(
        elements=list(range(n)), n_permutations=1000, objective_function=score, n_parallel_games=1,
        rng=np.random.default_rng(seed + 1), lazy=lazy,
    )  # fmt: skip
    return np.asarray(table.mean(axis=0).reindex(range(n)) if hasattr(table, "reindex") else table.shapley_values)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=5)
    repeats = parser.parse_args().repeats
    warnings.simplefilter("ignore")
    torch.set_num_threads(2)
    for deep in (False, True):
        net, x, y = network(deep)
        prep = ap.wrap(net, x)
        stimuli, score = ap.Stimuli(x, {"label": y}), ap.scores.log_prob("label")
        for n in (16, 32):
            players = prep.players("1", units=range(n))

            def game() -> ap.Game:
                return ap.Game(prep, stimuli, score, players, kind="zero", progress=False)  # noqa: B023

            whole = ap.shapley(game()) if n <= 16 else ap.shapley(game(), budget=60_000, progress=False)
            truth = whole.values.to_numpy()
            print(f"\n{'64-32-32-10' if deep else '64-32-10'}, {n} units; reference {whole.method}, "
                  f"{whole.n_evaluations / whole.seconds:.0f} coalitions/s")  # fmt: skip
            rows: dict[str, list[tuple[float, float, int]]] = {}
            for r in range(repeats):
                for budget in (400, 800, 1600, 3200):
                    seconds, phi = timed(lambda: ap.shapley(game(), budget=budget, seed=r, progress=False))  # noqa: B023
                    error = float(np.abs(phi.values.to_numpy() - truth).mean())
                    rows.setdefault(f"artiphys {phi.method} {budget}", []).append((seconds, error, phi.n_evaluations))
                for lazy in (True, False):
                    seconds, values = timed(lambda: msapy_values(net, x, y, n, r, lazy))  # noqa: B023
                    error = float(np.abs(values - truth).mean())
                    rows.setdefault(f"msapy lazy={lazy}", []).append((seconds, error, 1000 * n))
                seconds, values = timed(lambda: kernel_shap(game(), n, r))  # noqa: B023
                rows.setdefault("shapiq paired KernelSHAP on our game", []).append(
                    (seconds, float(np.abs(values - truth).mean()), 16_000)
                )
            for name, runs in rows.items():
                s, e, k = (statistics.median(column) for column in zip(*runs))
                print(f"  {name:40s} {s * 1e3:8.1f} ms   error {e:.5f}   {k:6.0f} evaluations   {k / s:8.0f}/s")


def kernel_shap(game: ap.Game, n: int, seed: int) -> Array:
    """Paired KernelSHAP of shapiq on the very same game."""
    from shapiq.approximator import KernelSHAP

    found = KernelSHAP(n=n, pairing_trick=True, random_state=seed).approximate(budget=min(16_000, 2**n), game=game)
    return np.array([found[(i,)] for i in range(n)])


if __name__ == "__main__":
    main()
