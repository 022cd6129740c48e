"""Peak memory of the probes on a recording of several gigabytes that lies on disk.

    python tests/benchmarks/probe_memory.py [--gigabytes 4] [--analyses tuning_curves decode]

Each probe runs in a process of its own, beside one that only opens the recording.
"""

from __future__ import annotations

import argparse
import multiprocessing
import resource
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

import artiphys as ap

N_TRIALS, N_TIMES = 1000, 20


class Wide(nn.Module):
    """Units that follow one input, at every time."""

    def __init__(self, n_units: int) -> None:
        super().__init__()
        self.hidden = nn.Linear(1, n_units)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """``(trial, time, 1)`` -> ``(trial,)``."""
        h: torch.Tensor = self.hidden(x)
        return h.mean(dim=(1, 2))


def recorded(folder: Path, gigabytes: float) -> Path:
    """A recording of about this size."""
    n_units = int(gigabytes * 1e9 / (4 * N_TRIALS * N_TIMES))
    x = torch.randn(N_TRIALS, N_TIMES, 1)
    prep = ap.wrap(Wide(n_units).eval(), x[:2])
    stimuli = ap.Stimuli(x, {"label": (np.arange(N_TRIALS) % 2).tolist()})
    ap.record(prep, stimuli, "hidden", out=folder / "wide.zarr", progress=False)
    return folder / "wide.zarr"


def analyses() -> dict[str, Callable[[Any], Any]]:
    """What is run."""
    return {
        "nothing": lambda rec: rec["hidden"].shape,
        "tuning_curves": lambda rec: ap.tuning_curves(rec["hidden"], "label", n_permutations=20, progress=False),
        "detectability": lambda rec: ap.detectability(rec["hidden"], "label", n_permutations=0, progress=False),
        "decode": lambda rec: ap.decode(rec["hidden"], "label", alphas=[1.0], n_permutations=0, progress=False),
    }


def run(path: Path, name: str, queue: Any) -> None:
    """One analysis, and its peak memory."""
    started = time.perf_counter()
    analyses()[name](ap.Recording.open(path))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
    queue.put((peak, time.perf_counter() - started))


def main() -> None:
    """Print the peak of each."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--gigabytes", type=float, default=4.0)
    parser.add_argument("--analyses", nargs="*", choices=list(analyses()), default=list(analyses()))
    chosen = parser.parse_args()
    gigabytes = chosen.gigabytes
    context = multiprocessing.get_context("spawn")
    with tempfile.TemporaryDirectory() as folder:
        path = recorded(Path(folder), gigabytes)
        for name in chosen.analyses:
            queue = context.Queue()
            process = context.Process(target=run, args=(path, name, queue))
            process.start()
            peak, seconds = queue.get()
            process.join()
            print(f"{name}: peak {peak:.2f} GB for a recording of {gigabytes:.1f} GB, {seconds:.0f} s", flush=True)


if __name__ == "__main__":
    main()
