"""Two Dask workers against one: the time to evaluate the same coalitions, one torch thread per worker in both.

    python tests/benchmarks/dask_scaling.py [--repeats 3] [--coalitions 160]

Coalitions cost 50 ms or more each (a GPT-2-like network on 48 prompts). Efficiency is the time of one worker
divided by twice that of two; both clusters are warm, and their runs alternate.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
from pathlib import Path
from typing import Any

import numpy as np
import torch

import artiphys as ap

sys.path.insert(0, str(Path(__file__).parent))
from transformer_coalitions import TOKENS, WORDS, model, paired, timed

PROMPTS = 48


def main() -> None:
    from distributed import Client, LocalCluster

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--coalitions", type=int, default=160)
    arguments = parser.parse_args()
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ[name] = "1"  # inherited by the workers
    torch.set_num_threads(1)
    prep = ap.wrap(model())
    generator = torch.Generator().manual_seed(1)
    tokens = torch.randint(0, WORDS, (PROMPTS, TOKENS), generator=generator)
    stimuli = ap.Stimuli(tokens, {"target": tokens[:, 0].numpy()})
    coalitions = paired(32, arguments.coalitions // 2, np.random.default_rng(0))
    # All positions, so that a coalition costs more than its first layers.
    score = ap.scores.Score(
        lambda outputs, trials: outputs.mean(dim=(1, 2)), "mean logit", key="mean-logit", rowwise=True
    )

    def run(executor: Any) -> np.ndarray[Any, Any]:
        players = prep.players("blocks.*.attn.hook_z")
        game = ap.Game(prep, stimuli, score, players, kind="zero", executor=executor, progress=False)
        return np.asarray(game(coalitions))

    clients = [Client(LocalCluster(n_workers=n, threads_per_worker=1, dashboard_address=":0")) for n in (1, 2)]
    seconds: dict[int, list[float]] = {1: [], 2: []}
    try:
        expected = run(None)
        for client in clients:
            run(client)  # networks are sent, and blocks checked
        for _ in range(arguments.repeats):
            for n, client in zip((1, 2), clients):
                taken, values = timed(lambda: run(client))  # noqa: B023
                seconds[n].append(taken)
                assert np.allclose(values, expected, rtol=1e-5)
    finally:
        for client in clients:
            client.shutdown()
    one, two = statistics.median(seconds[1]), statistics.median(seconds[2])
    ratios = [a / b / 2 for a, b in zip(seconds[1], seconds[2])]
    each = one / len(coalitions) * 1e3
    print(f"{len(coalitions)} coalitions: one worker {one:.2f} s ({each:.0f} ms a coalition), two "
          f"{two:.2f} s; efficiency {statistics.median(ratios):.2f} ({min(ratios):.2f}-{max(ratios):.2f})")  # fmt: skip


if __name__ == "__main__":
    main()
