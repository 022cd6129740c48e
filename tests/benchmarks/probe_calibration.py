"""How often the probes' tests reject and their intervals cover, over thousands of data sets of known truth.

    python tests/benchmarks/probe_calibration.py [--part nulls power searchlight units intervals] [--sets 2000]

False positives must lie below the binomial 99.9 % limit, and above the lower one where scores are continuous; where
they are discrete, the p-value with ties broken at random must.
"""

from __future__ import annotations

import argparse
import time
import warnings
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import xarray as xr
from scipy.stats import binom

import artiphys as ap

Array = np.ndarray[Any, Any]
LEVELS = (0.01, 0.05, 0.2)
AT_ONCE = 20  # data sets that share labels, as times of one recording
N_PERMUTATIONS = 199
DIMS = ("trial", "time", "unit")


def designs() -> dict[str, Callable[[int], tuple[Array, Array, Array | None]]]:
    """Data without information: activity (trial, data set, unit), labels, groups."""

    def noise(rng: np.random.Generator, n: int, units: int = 8) -> Array:
        return rng.normal(size=(n, AT_ONCE, units))

    def independent(seed: int) -> tuple[Array, Array, None]:
        return noise(np.random.default_rng(seed), 60), np.arange(60) % 2, None

    def correlated(seed: int) -> tuple[Array, Array, None]:
        rng = np.random.default_rng(seed)
        return noise(rng, 60) * 0.45 + 0.89 * rng.normal(size=(60, AT_ONCE, 1)), np.arange(60) % 2, None

    def constant(seed: int) -> tuple[Array, Array, Array]:
        rng = np.random.default_rng(seed)
        group = np.arange(120) // 10
        return noise(rng, 12)[group] + noise(rng, 120), rng.permutation(np.arange(12) % 2)[group], group

    def varying(seed: int) -> tuple[Array, Array, Array]:
        rng = np.random.default_rng(seed)
        group = np.arange(120) // 10
        return 2 * noise(rng, 12)[group] + noise(rng, 120), np.arange(120) % 2, group

    def uneven(seed: int) -> tuple[Array, Array, None]:
        return noise(np.random.default_rng(seed), 80) * np.arange(1, 9), (np.arange(80) < 20).astype(int), None

    def unequal(seed: int) -> tuple[Array, Array, None]:
        y = (np.arange(80) < 20).astype(int)
        return noise(np.random.default_rng(seed), 80) * np.where(y == 1, 2.0, 1.0)[:, None, None], y, None

    return {
        "independent": independent,
        "correlated noise": correlated,
        "labels constant in groups": constant,
        "labels vary in groups": varying,
        "unequal n": uneven,
        "unequal n and variance": unequal,
    }


def randomised(observed: Array, null: Array, rng: np.random.Generator) -> Array:
    """p with ties broken at random."""
    more, ties = (null > observed + 1e-12).sum(axis=0), (np.abs(null - observed) <= 1e-12).sum(axis=0)
    return np.asarray((more + rng.uniform(size=observed.shape) * (ties + 1)) / (len(null) + 1))


def analyses() -> dict[str, Callable[..., tuple[Array, Array | None]]]:
    """p-values of each data set, and with ties broken at random."""

    def decode(x: Array, y: Array, g: Array | None, seed: int, estimator: Any) -> tuple[Array, Array]:
        options: dict[str, Any] = {"cv": 4, "groups": g, "n_permutations": N_PERMUTATIONS, "seed": seed}
        d = ap.decode(xr.DataArray(x, dims=DIMS), y, estimator, progress=False, **options)
        assert d.p_value is not None and d.null is not None
        rng = np.random.default_rng(seed)
        return d.p_value.to_numpy(), randomised(d.score.to_numpy(), d.null.to_numpy(), rng)

    def searchlight(x: Array, y: Array, g: Array | None, seed: int) -> tuple[Array, Array]:
        p, q = [], []
        for i in range(0, AT_ONCE, 2):  # two times are searched together, so half as many data sets
            s = ap.searchlight(
                xr.DataArray(x[:, i : i + 2], dims=DIMS), y, size=3, cv=4, groups=g, n_permutations=N_PERMUTATIONS,
                seed=seed, progress=False,
            )  # fmt: skip
            assert s.p_corrected is not None and s.null is not None
            every = np.concatenate([s.score.to_numpy()[None], s.null.to_numpy()])
            z = (every - every.mean(axis=0)) / np.maximum(every.std(axis=0), 1e-12)
            largest = z.max(axis=1)
            p.append(float(s.p_corrected.min()))
            q.append(float(randomised(largest[:1], largest[1:, None], np.random.default_rng(seed + i))[0]))
        return np.array(p), np.array(q)

    def tuning(x: Array, y: Array, g: Array | None, seed: int) -> tuple[Array, None]:
        t = ap.tuning_curves(x[:, :19, 0], y, groups=g, n_permutations=N_PERMUTATIONS, seed=seed, progress=False)
        assert t.p_value is not None
        return t.p_value.to_numpy(), None

    def pooled(x: Array, y: Array, g: Array | None, seed: int) -> tuple[Array, None]:
        t = ap.tuning_curves(x[:, :, 0], y, groups=g, n_permutations=N_PERMUTATIONS, seed=seed, progress=False)
        assert t.p_value is not None
        return t.p_value.to_numpy(), None

    def detection(x: Array, y: Array, g: Array | None, seed: int) -> tuple[Array, None]:
        d = ap.detectability(x[:, :19, 0], y, groups=g, n_permutations=N_PERMUTATIONS, seed=seed, progress=False)
        assert d.p_value is not None
        return d.p_value.to_numpy(), None

    return {
        "decode ridge": lambda x, y, g, s: decode(x, y, g, s, "ridge"),
        "decode lda": lambda x, y, g, s: decode(x, y, g, s, "lda"),
        "searchlight": searchlight,
        "tuning": tuning,
        "tuning, pooled null": pooled,
        "detection": detection,
    }


def limits(n: int) -> str:
    """The binomial 99.9 % window at each level."""
    return " ".join(
        f"{level}: {binom.ppf(0.001, n, level) / n:.3f}-{binom.ppf(0.999, n, level) / n:.3f}" for level in LEVELS
    )


def nulls(n_sets: int) -> Iterator[str]:
    """False positives of every analysis on every design."""
    yield f"false positives at {LEVELS}; windows for {n_sets} sets {limits(n_sets)}"
    for design, make in designs().items():
        for name, analyse in analyses().items():
            if design == "unequal n and variance" and name in ("decode ridge", "decode lda", "searchlight"):
                continue  # a threshold tells apart classes of unequal spread: that is information; see `spread`
            started, p, q = time.perf_counter(), [], []
            for seed in range(100_000):
                found, broken = analyse(*make(seed), seed)
                p.append(found)
                q.append(found if broken is None else broken)
                if sum(map(len, p)) >= n_sets:
                    break
            every, ties = np.concatenate(p)[:n_sets], np.concatenate(q)[:n_sets]
            rates = " ".join(f"{np.mean(every <= level + 1e-9):.4f}" for level in LEVELS)
            broken_rates = " ".join(f"{np.mean(ties <= level + 1e-9):.4f}" for level in LEVELS)
            seconds = time.perf_counter() - started
            yield f"{design:28s} {name:22s} n={len(every)} p: {rates}   ties broken: {broken_rates}  ({seconds:.0f} s)"


def power(n_sets: int) -> Iterator[str]:
    """Two-sample mean tuning, 2 x 50 trials, two-sided .05: .24, .70 and .96."""
    y = np.arange(100) % 2
    for d in (0.25, 0.5, 0.75):
        p: dict[str, list[float]] = {"tuning": [], "detection": []}
        for seed in range(n_sets // 19 + 1):
            x = np.random.default_rng(seed).normal(size=(100, 19)) + d * y[:, None]
            tuned = ap.tuning_curves(x, y, n_permutations=N_PERMUTATIONS, seed=seed, progress=False).p_value
            detected = ap.detectability(x, y, n_permutations=N_PERMUTATIONS, seed=seed, progress=False).p_value
            assert tuned is not None and detected is not None
            p["tuning"] += tuned.to_numpy().tolist()
            p["detection"] += detected.to_numpy().tolist()
        yield f"power at d' {d}: " + " ".join(f"{name} {np.mean(np.array(v) <= 0.05):.3f}" for name, v in p.items())


def spread(n_sets: int) -> Iterator[str]:
    """What linear readers make of classes that differ in spread only: more than chance, truly."""
    for name in ("ridge", "lda"):
        scores = []
        for seed in range(n_sets // AT_ONCE):
            x, y, _ = designs()["unequal n and variance"](seed)
            scores.append(ap.decode(xr.DataArray(x, dims=DIMS), y, name, n_permutations=0, progress=False).score)
        every = np.concatenate(scores)
        yield f"equal means, sd 2 and 1: {name} scores {every.mean():.4f} (s.e. {every.std() / len(every) ** 0.5:.4f})"


def searchlight(n_sets: int) -> Iterator[str]:
    """Family-wise error over 40 places: independent, correlated, with one informative place, with unequal nulls."""
    y = np.arange(60) % 2
    sets = [[i] for i in range(40)]
    for name in ("independent", "correlated .95", "one informative", "half with a wide null"):
        wrong, found = [], []
        for seed in range(n_sets):
            rng = np.random.default_rng(seed)
            x = rng.normal(size=(60, 40))
            if name == "correlated .95":
                x = np.sqrt(0.05) * x + np.sqrt(0.95) * rng.normal(size=(60, 1))
            if name in ("one informative", "half with a wide null"):
                x[:, 7] += 1.5 * y
            if name == "half with a wide null":
                x[:, 20:] = rng.normal(size=(6, 20))[np.arange(60) // 10] * 3 + 0.1 * x[:, 20:]
            s = ap.searchlight(x, y, sets, n_permutations=N_PERMUTATIONS, seed=seed, progress=False)
            assert s.p_corrected is not None
            p = s.p_corrected.to_numpy()
            found.append(p[7] <= 0.05)
            others = np.ones(40, dtype=bool)
            others[7] = name in ("independent", "correlated .95")
            wrong.append([(p[others] <= level + 1e-9).any() for level in LEVELS])
        rates = " ".join(f"{r:.4f}" for r in np.mean(wrong, axis=0))
        yield f"searchlight {name:24s} n={n_sets} any false: {rates}   place 7 found: {np.mean(found):.3f}"


def units(n_sets: int) -> Iterator[str]:
    """100,000 units of which 50 are tuned (d' 1.5, 2 x 50 trials), at a false-discovery rate of .05."""
    y = np.arange(100) % 2
    found, false = [], []
    for seed in range(n_sets):
        x = np.random.default_rng(seed).normal(size=(100, 100_000))
        x[:, :50] += 1.5 * y[:, None]
        t = ap.tuning_curves(x, y, n_permutations=200, seed=seed, progress=False)
        hit = t.p_fdr.to_numpy() <= 0.05
        found.append(hit[:50].sum())
        false.append(hit[50:].sum() / max(1, hit.sum()))
        if seed in (9, 49) or seed == n_sets - 1:
            error = np.std(false) / np.sqrt(len(false))
            yield (
                f"100,000 units, {len(found)} sets: found {np.min(found)} at least, {np.mean(found):.1f} on average; "
                f"realised FDR {np.mean(false):.4f} (s.e. {error:.4f})"
            )


def intervals(n_sets: int) -> Iterator[str]:
    """Coverage of 95 % intervals of cross-validated accuracy: of the expected accuracy of the procedure."""
    for d_prime in (0.5, 1.5):
        for n, n_groups in ((50, 0), (200, 0), (1000, 0), (160, 8), (300, 30)):
            for k in (5, 8) if n_groups == 8 else (5, 10):
                covered, scores = [], []
                y = np.arange(n) % 2
                for seed in range(n_sets // AT_ONCE):
                    rng = np.random.default_rng(seed)
                    x = rng.normal(size=(n, AT_ONCE, 8))
                    x[..., 0] += d_prime * y[:, None]
                    group = None
                    if n_groups:
                        group = np.arange(n) * n_groups // n
                        x += 0.5 * rng.normal(size=(n_groups, AT_ONCE, 8))[group]
                    d = ap.decode(
                        xr.DataArray(x, dims=DIMS), y, cv=k, groups=group, n_permutations=0, seed=seed, progress=False
                    )
                    scores.append(d.score.to_numpy())
                    covered.append([a.to_numpy() for a in d.interval()])
                low, high = np.concatenate(covered, axis=1)
                truth = float(np.mean(scores))
                rate = np.mean((low <= truth) & (truth <= high))
                yield f"accuracy {truth:.3f}, n={n}, {n_groups} groups, {k} folds: covered {rate:.4f} of {len(low)}"


PARTS = {
    "nulls": nulls,
    "power": power,
    "spread": spread,
    "searchlight": searchlight,
    "units": units,
    "intervals": intervals,
}


def main() -> None:
    """Print one line a result, as it comes."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--part", nargs="*", choices=list(PARTS), default=list(PARTS))
    parser.add_argument("--sets", type=int, default=2000)
    chosen = parser.parse_args()
    warnings.simplefilter("ignore", UserWarning)
    for part in chosen.part:
        for line in PARTS[part](chosen.sets):
            print(line, flush=True)


if __name__ == "__main__":
    main()
