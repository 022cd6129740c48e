"""How often tests reject, warn and cover on the designs people have, over data sets without information.

    python tests/benchmarks/design_calibration.py [--part blocks items drift confounds power edges map] [--sets 1000]

Blocks: 6 runs x 6 blocks x 6 volumes, autoregressive within runs (.8), offsets of runs. Nested: the same blocks of days
in 8 animals. Items: 20 images x 6. Drift: labels and activity autoregressive (.9), 100 trials. A design without its
argument must warn or be refused.
"""

from __future__ import annotations

import argparse
import time
import warnings
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import xarray as xr

import artiphys as ap

Array = np.ndarray[Any, Any]
AT_ONCE = 20  # data sets that share labels, as times of one recording
N_PERMUTATIONS = 199
DIMS = ("trial", "time", "unit")


def drifting(n: int, shape: tuple[int, ...], keep: float, rng: np.random.Generator) -> Array:
    """Autoregressive noise ``(trial, ...)`` of unit variance."""
    x = rng.normal(size=(n, *shape))
    for i in range(1, n):
        x[i] = keep * x[i - 1] + np.sqrt(1 - keep**2) * x[i]
    return x


def in_blocks(rng: np.random.Generator) -> tuple[Array, Array, dict[str, Array]]:
    """Runs, and blocks of them with one label each."""
    shape = (AT_ONCE, 4)
    x = np.concatenate([drifting(36, shape, 0.8, rng) + rng.normal(size=shape) for _ in range(6)])
    y = rng.permuted(np.tile([0, 0, 0, 1, 1, 1], (6, 1)), axis=1).ravel().repeat(6)
    return x, y, {"groups": np.arange(216) // 36, "blocks": np.arange(216) // 6 % 6}


def nested(rng: np.random.Generator) -> tuple[Array, Array, dict[str, Array]]:
    """Animals, days of them and blocks of these; labels are balanced within days."""
    shape = (AT_ONCE, 4)
    days = [drifting(24, shape, 0.8, rng) + rng.normal(size=shape) for _ in range(24)]
    x = np.concatenate(days) + rng.normal(size=(8, *shape)).repeat(72, axis=0)
    y = rng.permuted(np.tile([0, 0, 1, 1], (24, 1)), axis=1).ravel().repeat(6)
    trial = np.arange(576)
    return x, y, {"groups": trial // 72, "blocks": np.column_stack([trial // 24 % 3, trial // 6 % 4])}


def items(rng: np.random.Generator) -> tuple[Array, Array, dict[str, Array]]:
    """Images, each with a label and an activity of its own."""
    image = rng.permutation(np.arange(120) % 20)
    label = rng.permutation(np.arange(20) % 2)
    x = rng.normal(size=(20, AT_ONCE, 4))[image] + rng.normal(size=(120, AT_ONCE, 4))
    return x, label[image], {"groups": image}


def drift(rng: np.random.Generator) -> tuple[Array, Array, dict[str, Any]]:
    """Labels and activity in their order in time."""
    y = (drifting(100, (), 0.9, rng) > 0).astype(int)
    while min(y.sum(), 100 - y.sum()) < 20:
        y = (drifting(100, (), 0.9, rng) > 0).astype(int)
    return drifting(100, (AT_ONCE, 4), 0.9, rng), y, {"exchange": "shift"}


def p_values(analysis: str, x: Array, y: Array, options: dict[str, Any], seed: int) -> Array:
    """p of each data set (of the first unit where units are tested)."""
    data = xr.DataArray(x, dims=DIMS)
    common: dict[str, Any] = {"n_permutations": N_PERMUTATIONS, "seed": seed, "progress": False, **options}
    if analysis == "decode":
        cv = 5 if "groups" not in options else min(6, len(np.unique(options["groups"])))
        return flat(ap.decode(data, y, alphas=[1.0], cv=cv, **common).p_value)
    if analysis == "tuning":
        return flat(ap.tuning_curves(data[..., :1], y, **common).p_value)
    return flat(ap.detectability(data[..., :1], y, **common).p_value)


def flat(p: xr.DataArray | None) -> Array:
    """p-values of a test that was made."""
    assert p is not None
    return np.asarray(p.to_numpy().ravel())


def rejected(make: Callable[..., Any], arms: dict[str, Callable[..., Any]], n_sets: int, name: str) -> Iterator[str]:
    """Share of p at most .05 with each set of arguments, and of data sets that were warned of or refused."""
    for analysis in ("decode", "tuning", "detection"):
        for arm, choose in arms.items():
            rng, p, warned = np.random.default_rng(0), [], []
            for seed in range(max(1, n_sets // AT_ONCE)):
                x, y, design = make(rng)
                options, columns = choose(design)
                with warnings.catch_warnings(record=True) as said:
                    warnings.simplefilter("always")
                    p.append(p_values(analysis, x, y, options, seed))
                    for one in range(2):  # alone, as a user would have them
                        said.clear()
                        alone = xr.DataArray(x[:, one], dims=("trial", "unit"), coords=columns)
                        warned.append(_spoken(ap.decode, alone, y, options, said))
            rate = np.mean(np.concatenate(p) <= 0.05)
            yield f"{name:10s} {analysis:10s} {arm:34s} p <= .05: {rate:.3f}   warned or refused: {np.mean(warned):.2f}"


def _spoken(analysis: Any, x: Any, y: Array, options: dict[str, Any], said: list[Any]) -> bool:
    try:
        analysis(x, y, alphas=[1.0], n_permutations=19, cv=3, progress=False, **options)
    except ap.errors.ArtiphysError:
        return True
    return any("exchangeable" in str(w.message) for w in said)


def blocks(n_sets: int) -> Iterator[str]:
    """Block designs, flat and nested."""
    arms: dict[str, Callable[..., Any]] = {
        "groups and blocks": lambda d: (d, {}),
        "groups only": lambda d: ({"groups": d["groups"]}, {}),
        "nothing": lambda d: ({}, {}),
        "groups, exchange='shift'": lambda d: ({"groups": d["groups"], "exchange": "shift"}, {}),
        "nothing, exchange='trials'": lambda d: ({"exchange": "trials"}, {}),
    }
    yield from rejected(in_blocks, arms, n_sets, "blocks")
    yield from rejected(nested, {"groups and blocks": arms["groups and blocks"], **{}}, n_sets, "nested")


def recurring(n_sets: int) -> Iterator[str]:
    """Recurring items."""
    arms: dict[str, Callable[..., Any]] = {
        "groups=image": lambda d: (d, {}),
        "waved through, exchange='trials'": lambda d: ({"exchange": "trials"}, {}),
        "nothing, a column image": lambda d: ({}, {"image": ("trial", d["groups"])}),
    }
    yield from rejected(items, {k: arms[k] for k in list(arms)[:2]}, n_sets, "items")
    rng, refused = np.random.default_rng(0), []
    for _ in range(min(100, n_sets)):
        x, y, design = items(rng)
        options, columns = arms["nothing, a column image"](design)
        for analysis in (ap.decode, ap.tuning_curves, ap.detectability):
            alone = xr.DataArray(x[:, 0], dims=("trial", "unit"), coords=columns)
            try:
                analysis(alone, y, n_permutations=19, progress=False, **options)
            except ap.errors.StatisticsError:
                refused.append(True)
            else:
                refused.append(False)
    yield f"items      with a column 'image' and no groups: refused {np.mean(refused):.2f}"


def slow(n_sets: int) -> Iterator[str]:
    """Autocorrelated trials."""
    arms: dict[str, Callable[..., Any]] = {
        "exchange='shift'": lambda d: (d, {}),
        "nothing": lambda d: ({}, {}),
    }
    yield from rejected(drift, arms, n_sets, "drift")


def confounds(n_sets: int) -> Iterator[str]:
    """Traces of a confound that are no line."""
    for trace in ("quadratic", "exponential", "linear"):
        for form in ("linear", "spline", "matched"):
            hits, warned = [], []
            for seed in range(n_sets):
                rng = np.random.default_rng(seed)
                c = rng.normal(size=120)
                size = np.abs(c) - 0.67 if trace == "quadratic" else c
                y = (size + 0.5 * rng.normal(size=120) > 0).astype(int)
                mark = c**2 if trace == "quadratic" else np.exp(1.5 * c) if trace == "exponential" else c
                x = rng.normal(size=(120, 3)) + mark[:, None] * np.array([1.0, 0.5, 0.0])
                with warnings.catch_warnings(record=True) as said:
                    warnings.simplefilter("always")
                    d = ap.decode(
                        x,
                        y,
                        confounds=c,
                        confound_form=form,
                        alphas=[1.0],
                        n_permutations=19,
                        seed=seed,
                        progress=False,
                    )
                hits.append(flat(d.p_value)[0] <= 0.05)
                warned.append(any("confound_form" in str(w.message) for w in said))
            yield f"confounds  {trace:12s} {form:7s} p <= .05: {np.mean(hits):.3f}   warned: {np.mean(warned):.2f}"


def power(n_sets: int) -> Iterator[str]:
    """40 trials, 5 units, one of them .6 apart."""
    y = np.arange(40) % 2
    for scoring in ("accuracy", "auc", "d_prime", "mcc"):
        found = []
        for seed in range(max(1, n_sets // AT_ONCE)):
            x = np.random.default_rng(seed).normal(size=(40, AT_ONCE, 5))
            x[..., 0] += 0.6 * y[:, None]
            d = ap.decode(
                xr.DataArray(x, dims=DIMS), y, alphas=[1.0], scoring=scoring, n_permutations=N_PERMUTATIONS, seed=seed,
                progress=False,
            )  # fmt: skip
            found.append(flat(d.p_value) <= 0.05)
        yield f"power      n=40 p=5 {scoring:10s} {np.mean(found):.3f}"


def edges(n_sets: int) -> Iterator[str]:
    """Coverage of 95 % intervals of accuracy, of new data sets' mean score."""
    for n, p in ((12, 2), (24, 5), (60, 5), (60, 50), (200, 5)):
        for apart in (0.8, 2.0, 3.5, 5.3):
            y, kept = np.arange(n) % 2, []
            for seed in range(max(1, n_sets // 100)):
                x = np.random.default_rng(seed).normal(size=(n, 100, p))
                x[..., 0] += apart * y[:, None]
                d = ap.decode(
                    xr.DataArray(x, dims=DIMS), y, cv=min(5, n // 4), alphas=[1.0], n_permutations=0, seed=seed,
                    progress=False,
                )  # fmt: skip
                kept.append([values.to_numpy() for values in (d.score, *d.interval())])
            score, low, high = np.concatenate(kept, axis=1)
            truth, width = score.mean(), np.mean(high - low)
            covered = np.mean((low <= truth) & (truth <= high))
            yield f"edges      n={n:3d} p={p:2d} true {truth:.3f} covered {covered:.3f} width {width:.3f}"


def maps(n_sets: int) -> Iterator[str]:
    """A searchlight in smooth voxels (6 runs x 16 trials, 8 x 8 x 8): agreement of significant places over seeds."""
    grid = np.stack(np.meshgrid(*[np.arange(8)] * 3, indexing="ij"), axis=-1).reshape(-1, 3)
    near = np.exp(-0.5 * ((grid[:, None] - grid) ** 2).sum(axis=-1))
    for scoring in ("accuracy", "auc"):
        jaccard, counts, drawn = [], [], []
        for brain in range(max(1, n_sets // 200)):
            rng = np.random.default_rng(brain)
            y, run = np.arange(96) % 2, np.arange(96) // 16
            noise = rng.normal(size=(96, 512)) @ near / np.sqrt((near**2).sum(axis=0))
            x = noise + rng.normal(size=6)[run][:, None] + 0.45 * y[:, None] * (((grid - 2) ** 2).sum(axis=1) <= 4)
            found = []
            for seed in range(3):
                light = ap.searchlight(
                    x, y, "sphere", coordinates=grid, radius=1.5, groups=run, cv=6, scoring=scoring, seed=seed,
                    progress=False,
                )  # fmt: skip
                found.append(flat(light.p_corrected) <= 0.05)
                counts.append(int(found[-1].sum()))
                drawn.append(light.n_permutations)
            pairs = [(found[a], found[b]) for a in range(3) for b in range(a)]
            jaccard += [(a & b).sum() / max(1, (a | b).sum()) for a, b in pairs]
        yield (
            f"map        {scoring:9s} Jaccard over seeds: least {min(jaccard):.2f}, median {np.median(jaccard):.2f}; "
            f"places {min(counts)} to {max(counts)}; permutations {min(drawn)} to {max(drawn)}"
        )


PARTS = {
    "blocks": blocks, "items": recurring, "drift": slow, "confounds": confounds, "power": power, "edges": edges,
    "map": maps,
}  # fmt: skip


def main() -> None:
    """Run the parts asked for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--part", nargs="+", choices=PARTS, default=list(PARTS))
    parser.add_argument("--sets", type=int, default=1000)
    given = parser.parse_args()
    for part in given.part:
        start = time.perf_counter()
        for line in PARTS[part](given.sets):
            print(line, flush=True)
        print(f"{part}: {time.perf_counter() - start:.0f} s", flush=True)


if __name__ == "__main__":
    main()
