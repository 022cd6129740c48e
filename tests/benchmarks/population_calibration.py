"""How often tests and intervals of correlations, dimensionality, mixed selectivity, components and count models hold.

    python tests/benchmarks/population_calibration.py [--part correlations mixed ...] [--sets 1000]

One line a design: rates at .05 of what is null, and coverage of 95 % intervals of what is known.
"""

from __future__ import annotations

import argparse
import warnings
from collections.abc import Iterator
from typing import Any

import numpy as np
import xarray as xr

import artiphys as ap

Array = np.ndarray[Any, Any]
PHASES = np.arange(4) / 4 * np.pi


def within(ends: tuple[xr.DataArray, xr.DataArray], truth: Array, of: Any = ...) -> Array:
    """Whether intervals hold the truth; NaN where there is none."""
    low, high = (e.to_numpy()[of] for e in ends)
    return np.where(np.isnan(low), np.nan, (low <= truth) & (truth <= high))


def tuned(rng: np.random.Generator, n: int, noise: str, shared: float) -> tuple[Array, Array]:
    """Activity of four units over ``n`` trials of each of eight angles."""
    s = np.tile(np.arange(8), n)
    tuning = np.cos(s[:, None] / 8 * 2 * np.pi - PHASES)
    both = rng.normal(size=(len(s), 1))
    if noise == "normal":
        return tuning + np.sqrt(shared) * both + np.sqrt(1 - shared) * rng.normal(size=tuning.shape), s
    return rng.poisson((4 + 3 * tuning) * np.exp(shared * both - shared**2 / 2)).astype(float), s


def correlations(n_sets: int) -> Iterator[str]:
    """Four units whose signal correlations are cosines; Gaussian noise, or Poisson counts with a shared gain."""
    off = np.triu_indices(4, 1)
    signal = np.cos(PHASES[:, None] - PHASES)[off]
    for name, shared in (("normal", 0.0), ("normal", 0.3), ("poisson", 0.0), ("poisson", 0.3)):
        for n in (3, 5, 10, 40):
            x, s = tuned(np.random.default_rng(10**6), 20_000, name, shared)
            noise = np.mean([np.corrcoef(x[s == k].T) for k in range(8)], axis=0)[off]
            fano = np.mean([x[s == k].var(axis=0) / x[s == k].mean(axis=0) for k in range(8)], axis=0)
            held: dict[str, list[Any]] = {k: [] for k in ("noise", "mean", "signal", "fano", "p", "p0", "p_fano", "r")}
            for seed in range(n_sets):
                x, s = tuned(np.random.default_rng(seed), n, name, shared)
                found = ap.correlations(x, s, n_permutations=99 if shared == 0 else 0, seed=seed)
                held["r"].append(found.noise.to_numpy()[off])
                held["noise"].append(within(found.interval("noise"), noise, off))
                held["signal"].append(within(found.interval("signal"), signal, off))
                ends = found.mean_interval()
                held["mean"].append(ends[0] <= noise.mean() <= ends[1])
                held["p0"].append(found.signal_p.to_numpy()[off][np.abs(signal) < 1e-9] <= 0.05)
                if found.noise_p is not None:
                    held["p"].append(found.noise_p.to_numpy()[off] <= 0.05)
                if found.fano is not None:
                    held["fano"].append(within(found.interval("fano"), fano))
                if found.fano_p is not None and shared == 0:
                    held["p_fano"].append(found.fano_p.to_numpy() <= 0.05)
            rates = " ".join(f"{k} {np.nanmean(v):.3f}" for k, v in held.items() if v and k != "r")
            bias = float(np.mean(np.mean(held["r"], axis=0) - noise))
            yield f"correlations {name} {shared} shared, {n} trials a stimulus: {rates}; bias of noise {bias:+.3f}"


def dimensionality(n_sets: int) -> Iterator[str]:
    """Isotropic noise, and eigenvalues falling as 1 / rank, with fewer and more trials than units."""
    for name, sd in (("isotropic", np.ones(60)), ("1 / rank", np.arange(1, 61) ** -0.5)):
        truth = (sd**2).sum() ** 2 / (sd**4).sum()
        for n in (20, 40, 200):
            values, covered = [], []
            for seed in range(n_sets):
                x = np.random.default_rng(seed).normal(size=(n, 60)) * sd
                found = ap.dimensionality(x, n_bootstrap=0)
                low, high = found.interval()
                values.append((found.participation_ratio, found.naive_participation_ratio))
                covered.append(low <= truth <= high if low == low else np.nan)
            middle, naive = np.nanmedian(values, axis=0)
            yield (
                f"participation ratio {name}, {n} trials of 60 units: truth {truth:.1f}, median {middle:.1f} (naive "
                f"{naive:.1f}), covered {np.nanmean(covered):.3f}"
            )


def mixed(n_sets: int) -> Iterator[str]:
    """Terms without an effect, alone and beside true main effects."""
    uneven = np.repeat([0, 0, 1, 1], [30, 8, 8, 14]), np.repeat([0, 1, 0, 1], [30, 8, 8, 14])
    designs = {
        "2 x 2": (np.arange(64) % 2, np.arange(64) // 2 % 2),
        "3 x 4": (np.arange(96) % 3, np.arange(96) // 3 % 4),
        "uneven 2 x 2": uneven,
    }
    for design, (a, b) in designs.items():
        for noise in ("normal", "poisson", "unequal variance"):
            for effect in (0.0, 1.0):
                for units in (4, 24):
                    p = []
                    for seed in range(n_sets // units):
                        rng = np.random.default_rng(seed)
                        m = (2 + effect * (2.0 * a + 1.5 * b))[:, None] * np.ones(units)
                        x = rng.poisson(m) if noise == "poisson" else m + rng.normal(size=m.shape)
                        if noise == "unequal variance":
                            x = m + (x - m) * np.where(a == 1, 2.0, 1.0)[:, None]
                        found = ap.mixed_selectivity(x, a, b, n_permutations=199, seed=seed)
                        assert found.p_value is not None
                        p.append(found.p_value.to_numpy())
                    rates = " ".join(f"{r:.3f}" for r in (np.concatenate(p) <= 0.05).mean(axis=0))
                    yield f"mixed {design}, {noise}, {'true' if effect else 'no'} main effects, {units} units: {rates}"


def components(n_sets: int) -> Iterator[str]:
    """First components of rule (no effect), cue (strong) and their interaction (none), uneven numbers of trials."""
    axis = np.random.default_rng(0).normal(size=8) / 2
    for name, strength in (("no effects", 0.0), ("cue alone", 1.0)):
        p = []
        for seed in range(n_sets):
            rng = np.random.default_rng(seed)
            rule, cue = np.arange(33) % 6 % 2, np.arange(33) % 6 // 2
            x = rng.normal(size=(33, 3, 8)) + strength * ((cue - 1.0)[:, None, None] * axis)
            data = xr.DataArray(x, dims=("trial", "time", "unit"))
            found = ap.components(data, [rule, cue], n=1, ridge=0.1, n_permutations=39, n_splits=2, seed=seed)
            assert found.p_value is not None
            p.append(found.p_value.to_numpy()[1:])
        rates = " ".join(f"{r:.3f}" for r in (np.array(p) <= 0.05 + 1e-9).mean(axis=0))
        yield f"components, {name}: rule, cue, interaction {rates}"


def counts(n_sets: int) -> Iterator[str]:
    """A predictor without an effect beside true ones: independent, correlated, or constant within groups."""
    for name in ("independent", "correlated .8", "groups, constant within", "groups, varying within"):
        p = []
        for seed in range(n_sets):
            rng = np.random.default_rng(seed)
            speed, other, group = rng.normal(size=120), rng.normal(size=120), None
            if name == "correlated .8":
                other = 0.8 * speed + 0.6 * other
            rate = np.exp(1 + 0.5 * speed + 0.3 * (np.arange(120) % 3 == 1))
            if name.startswith("groups"):
                group = np.arange(120) // 5
                rate = rate * np.exp(0.4 * rng.normal(size=24)[group])
                if name == "groups, constant within":
                    other = rng.normal(size=24)[group]
            model = ap.encode_counts(
                rng.poisson(rate)[:, None], {"speed": speed, "other": other, "cue": np.arange(120) % 3}, groups=group,
                n_permutations=39, seed=seed, progress=False, kinds={"other": "linear"},
            )  # fmt: skip
            assert model.p_value is not None
            p.append(model.p_value.to_numpy()[0])
        rates = " ".join(f"{r:.3f}" for r in (np.array(p) <= 0.05 + 1e-9).mean(axis=0))
        yield f"counts, {name}: all, speed, other (null), cue {rates}"


PARTS = {
    "correlations": correlations,
    "dimensionality": dimensionality,
    "mixed": mixed,
    "components": components,
    "counts": counts,
}


def main() -> None:
    """Print one line a result, as it comes."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--part", nargs="*", choices=list(PARTS), default=list(PARTS))
    parser.add_argument("--sets", type=int, default=1000)
    chosen = parser.parse_args()
    warnings.simplefilter("ignore", UserWarning)
    for part in chosen.part:
        for line in PARTS[part](chosen.sets):
            print(line, flush=True)


if __name__ == "__main__":
    main()
