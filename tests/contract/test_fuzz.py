"""Hostile arguments in 5,000 calls: each gives a result without NaN, or an error that artiphys raises on purpose."""

from __future__ import annotations

import os
import resource
import time
import traceback
import warnings
from collections import Counter
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pytest
from fixtures.fuzz import calls

import artiphys as ap
from artiphys.errors import ArtiphysError

MAX_SECONDS, MAX_GROWTH = 5.0, 2 * 1024**3


@pytest.mark.slow
@pytest.mark.many_runs
@pytest.mark.filterwarnings("default")
def test_no_raw_error_no_nan_and_nothing_that_hangs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)  # where relative paths among the arguments lead
    raw: list[str] = []
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    warnings.simplefilter("ignore")
    for told, call in calls(tmp_path, 5000):
        started = time.perf_counter()
        try:
            result = call()
        except ArtiphysError:
            pass
        except Exception as error:  # noqa: BLE001
            if is_from_the_depths(error):
                raw.append(f"{told}: {type(error).__name__}: {str(error)[:100]} [{innermost(error)}]")
        else:
            if holds_nan(result):
                raw.append(f"{told}: NaN")
        if time.perf_counter() - started > MAX_SECONDS:
            raw.append(f"{told}: {time.perf_counter() - started:.1f} s")
        plt.close("all")
    grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * 1024
    kinds = Counter(line.rpartition("[")[2] for line in raw)
    if "FUZZ_LOG" in os.environ:  # all of them, to look at
        Path(os.environ["FUZZ_LOG"]).write_text("\n".join(raw))
    assert not raw, f"{len(raw)}:\n" + "\n".join(raw[:150]) + f"\n{kinds.most_common(60)}"
    assert grown < MAX_GROWTH


def is_from_the_depths(error: BaseException) -> bool:
    """Whether it comes from artiphys: not what Python says of a missing argument, nor what a user's function raised."""
    frames = traceback.extract_tb(error.__traceback__)
    if isinstance(error, TypeError) and "artiphys" not in frames[-1].filename and "fuzz" in frames[-1].filename:
        return False
    return not (isinstance(error, ZeroDivisionError) and "fuzz" in frames[-1].filename)


def innermost(error: BaseException) -> str:
    ours = [f for f in traceback.extract_tb(error.__traceback__) if "/artiphys" in f.filename or "/main" in f.filename]
    return " < ".join(f"{Path(f.filename).name}:{f.lineno}" for f in reversed(ours[-3:]))


def holds_nan(result: Any) -> bool:
    """Whether the main numbers of a result are not."""
    for name in ("values", "score", "d_prime"):
        kept = getattr(result, name, None)
        if isinstance(result, (ap.Attribution, ap.Decoding, ap.Searchlight, ap.Detection)) and kept is not None:
            return bool(np.isnan(np.asarray(kept, dtype=float)).any())
    return isinstance(result, float) and bool(np.isnan(result))
