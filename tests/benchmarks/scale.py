"""How much time and memory many players and many coalitions take.

``python tests/benchmarks/scale.py [neurons]``: single lesions of 20,000 neurons of a toy network on 16 trials, a
campaign of 100,000 coalitions of 300 players, and Shapley values of 5,000 players from 12,000 evaluations. Each runs in
a process of its own, with 2 threads; memory is what the process took beyond its imports.
"""

from __future__ import annotations

import resource
import subprocess
import sys
import tempfile
import time
from typing import Any

import numpy as np
import torch
from torch import nn

import artiphys as ap


def peak_mb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def network(n: int) -> tuple[Any, torch.Tensor]:
    torch.manual_seed(0)
    net = nn.Sequential(nn.Linear(8, n), nn.ReLU(), nn.Linear(n, 2)).eval()
    x = torch.randn(16, 8)
    return ap.wrap(net, example=x[:2]), x


def single(n: int) -> str:
    prep, x = network(n)
    game = ap.Game(prep, x, lambda outputs, trials: outputs[:, 0], prep.players("1"), kind="zero", progress=False)
    result = ap.single_lesions(game)
    weight = prep.model[2].weight[0].detach()
    expected = (prep.run(x, read="1").activity["1"].detach() * weight).mean(0).numpy()
    error = float(np.abs(result.values.to_numpy() - expected).max())
    return f"single lesions of {n} neurons, 16 trials (largest error {error:.1e})"


def campaign(n: int) -> str:
    prep, x = network(300)
    score = ap.scores.output()
    rng = np.random.default_rng(0)
    with tempfile.TemporaryDirectory() as folder:
        game = ap.Game(prep, x, score, prep.players("1"), kind="zero", cache=f"{folder}/c", progress=False)
        coalitions = rng.random((n, 300)) < 0.5
        game.per_trial(coalitions)
        again = ap.Game(prep, x, score, prep.players("1"), kind="zero", cache=f"{folder}/c", progress=False)
        assert again.per_trial(coalitions[:10]).shape == (10, 16) and again.n_evaluations == 0
    return f"a campaign of {n} coalitions of 300 players, 16 trials"


def shapley(n: int) -> str:
    prep, x = network(n)
    game = ap.Game(prep, x, lambda outputs, trials: outputs[:, 0], prep.players("1"), kind="zero", progress=False)
    ap.shapley(game, budget=12_000, progress=False)
    return f"Shapley values of {n} players from 12,000 evaluations"


WORK = {"single": (single, 20_000), "campaign": (campaign, 100_000), "shapley": (shapley, 5_000)}


def main() -> None:
    if len(sys.argv) > 2:
        torch.set_num_threads(2)
        fn, n = WORK[sys.argv[1]][0], int(sys.argv[2])
        before, began = peak_mb(), time.perf_counter()
        what = fn(n)
        print(f"{what}: {time.perf_counter() - began:.1f} s, {peak_mb() - before:.0f} MB beyond {before:.0f} MB")
        return
    for name, (_, n) in WORK.items():
        n = int(sys.argv[1]) if name == "single" and len(sys.argv) > 1 else n
        subprocess.run([sys.executable, __file__, name, str(n)], check=True)


if __name__ == "__main__":
    main()
