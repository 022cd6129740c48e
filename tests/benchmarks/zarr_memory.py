"""Peak memory of recording a toy to zarr: one million trials against ten thousand.

Each size runs in a process of its own. Run: python tests/benchmarks/zarr_memory.py
"""

from __future__ import annotations

import argparse
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import torch

import artiphys as ap


def record(n: int) -> None:
    toy = ap.toys.load("xor_redundant")
    prep = ap.wrap(toy)
    stimuli = ap.Stimuli(torch.randint(0, 2, (n, 2)).float(), {"block": np.arange(n) // 1000})
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    start = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        rec = ap.record(prep, stimuli, "hidden", out=Path(folder) / "r.zarr", batch_size=1000, progress=False)
        assert rec["hidden"].sizes["trial"] == n
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    print(peak / 1024, (peak - before) / 1024, time.perf_counter() - start)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--trials", type=int, default=0, help=argparse.SUPPRESS)
    n = parser.parse_args().trials
    if n:
        record(n)
        return
    peaks = {}
    for n in (10_000, 1_000_000):
        done = subprocess.run(
            [sys.executable, __file__, "--trials", str(n)], capture_output=True, text=True, check=True
        )
        peak, grown, seconds = (float(v) for v in done.stdout.split())
        peaks[n] = peak
        print(f"{n:>9} trials: peak {peak:.0f} MiB, {grown:.0f} MiB above the start of recording, {seconds:.1f} s")
    print(f"ratio of peaks {peaks[1_000_000] / peaks[10_000]:.3f}")


if __name__ == "__main__":
    main()
