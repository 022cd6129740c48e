"""What recording costs over the bare forward: six residual sites of SmolLM2, batch 8 x 64 tokens.

CPU time of one thread, median of paired runs. Run: python tests/benchmarks/record_overhead.py
"""

from __future__ import annotations

import argparse
import os
import statistics
import time
from collections.abc import Callable

import torch

os.environ.setdefault("HF_HUB_OFFLINE", "1")
torch.set_num_threads(1)

import artiphys as ap  # noqa: E402


def cpu(work: Callable[[], object]) -> float:
    start = time.process_time()
    work()
    return time.process_time() - start


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--pairs", type=int, default=9)
    pairs = parser.parse_args().pairs
    prep = ap.wrap(ap.specimens.load("smollm2-135m", n_prompts=2))
    tokens = torch.randint(0, 40_000, (8, 64), generator=torch.Generator().manual_seed(0))
    sites = [f"blocks.{i}.hook_resid_post" for i in range(4, 30, 5)]

    def bare() -> object:
        with torch.no_grad():
            return prep.bridge(tokens)

    def record() -> object:
        return ap.record(prep, tokens, sites, batch_size=8, progress=False)

    def run() -> object:
        with torch.no_grad():
            return prep.run(tokens, read=sites)

    for work in (bare, record, run):
        work()  # warm up
    times = [(cpu(bare), cpu(record), cpu(run)) for _ in range(pairs)]
    base = statistics.median(t[0] for t in times)
    for i, name in ((1, "ap.record"), (2, "prep.run with all logits")):
        ratios = [t[i] / t[0] for t in times]
        print(
            f"{name}: {statistics.median(ratios):.3f} of the bare bridge forward "
            f"(range {min(ratios):.3f} to {max(ratios):.3f}, {pairs} pairs, bare {base:.2f} s CPU)"
        )


if __name__ == "__main__":
    main()
