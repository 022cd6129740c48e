"""The probes against scikit-learn and numpy in loops: seconds side by side, results equal.

    python tests/benchmarks/probe_speed.py [--part decode permutations tuning searchlight] [--repeats 3]

The loops are run on a part of the places or units and their time is scaled up; ours does all the work. All arms have
the threads that suit them best: scikit-learn's one BLAS thread (more makes it slower here), ours two.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import xarray as xr
from scipy.stats import f_oneway
from sklearn.linear_model import RidgeClassifier, RidgeClassifierCV
from sklearn.model_selection import GridSearchCV, PredefinedSplit, StratifiedKFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from threadpoolctl import threadpool_limits

import artiphys as ap
from artiphys.probes.readers.ridge import ALPHAS

Array = np.ndarray[Any, Any]
FOLDS = StratifiedKFold(5, shuffle=True, random_state=0)


def seconds(work: Callable[[], Any]) -> tuple[float, Any]:
    """Time of one call, and what it gave."""
    started = time.perf_counter()
    made = work()
    return time.perf_counter() - started, made


def brier(estimator: Any, x: Array, y: Array) -> float:
    """The criterion of the ridge readout: squared error of decision values."""
    return -float(np.mean((estimator.decision_function(x) - (2.0 * y - 1)) ** 2))


def decode(repeats: int) -> Iterator[str]:
    """30 sites x 20 steps, 500 trials, 256 units, 5-fold ridge classifier, penalty chosen inside."""
    rng = np.random.default_rng(0)
    y = np.arange(500) % 2
    names = [f"site {i}" for i in range(30)]
    base = rng.normal(size=(500, 20, 256)).astype(np.float32)
    data = {n: xr.DataArray(np.roll(base, i, axis=2) + 0.05 * y[:, None, None], dims=("trial", "time", "unit"))
            for i, n in enumerate(names)}  # fmt: skip
    places = [(n, t) for n in names for t in range(20)][::60]
    folds = list(FOLDS.split(base[:, 0], y))
    index = np.empty(500, dtype=int)
    for f, (_, test) in enumerate(folds):
        index[test] = f

    def grid(train: Array) -> Any:
        search = GridSearchCV(
            make_pipeline(StandardScaler(), RidgeClassifier()), {"ridgeclassifier__alpha": ALPHAS},
            cv=PredefinedSplit(index[train]), scoring=brier,
        )  # fmt: skip
        return search

    def loo(train: Array) -> Any:
        return make_pipeline(StandardScaler(), RidgeClassifierCV(ALPHAS))

    def loop(make: Callable[[Array], Any]) -> Array:
        guess = np.empty((len(places), 500))
        with threadpool_limits(1):
            for i, (n, t) in enumerate(places):
                x = data[n][:, t].to_numpy().astype(float)
                for train, test in folds:
                    guess[i, test] = make(train).fit(x[train], y[train]).predict(x[test])
        return guess

    rows = []
    for _ in range(repeats):
        ours, made = seconds(lambda: ap.decode(data, y, n_permutations=0, progress=False))
        theirs, guess = seconds(lambda: loop(grid))
        closed, _ = seconds(lambda: loop(loo))
        assert made.predictions is not None
        got = np.stack([made.predictions.sel(site=n).isel(time=t).to_numpy() for n, t in places])
        scale = 600 / len(places)
        rows.append((ours, theirs * scale, closed * scale, float(np.mean(got == guess))))
    yield summary("decode, 600 places: grid search in a loop", [(r[1], r[0]) for r in rows])
    yield f"    predictions equal: {min(r[3] for r in rows):.4%}"
    yield summary("decode, 600 places: RidgeClassifierCV (leave-one-out) in a loop", [(r[2], r[0]) for r in rows])


def permutations(repeats: int) -> Iterator[str]:
    """The same with 200 permutations, at 2 sites x 20 steps."""
    rng = np.random.default_rng(0)
    y = np.arange(500) % 2
    x = rng.normal(size=(500, 40, 256))
    data = xr.DataArray(x, dims=("trial", "time", "unit"))

    def loop() -> None:
        with threadpool_limits(1):
            for train, test in FOLDS.split(x[:, 0], y):
                model = make_pipeline(StandardScaler(), RidgeClassifierCV(ALPHAS))
                model.fit(x[train, 0], y[train]).predict(x[test, 0])

    rows = []
    for _ in range(repeats):
        ours, _ = seconds(lambda: ap.decode(data, y, n_permutations=200, progress=False))
        theirs, _ = seconds(loop)
        rows.append((theirs * 40 * 201, ours))
    yield summary("decode, 40 places x 201 label sets: RidgeClassifierCV in a loop", rows)


def tuning(repeats: int) -> Iterator[str]:
    """Curves, selectivity and p of 100,000 units, 8 stimuli x 20 trials, 200 permutations."""
    rng = np.random.default_rng(0)
    s = np.tile(np.arange(8), 20)
    x = rng.normal(size=(160, 100_000))
    x[:, :500] += np.cos(s * np.pi / 4)[:, None]
    shuffled = np.stack([rng.permutation(s) for _ in range(200)])

    def welch(one: Array, labels: Array) -> float:
        groups = [one[labels == v] for v in range(8)]
        n = np.array([len(g) for g in groups])
        mean, var = np.array([g.mean() for g in groups]), np.array([g.var(ddof=1) for g in groups])
        w = n / var
        centre = (w * mean).sum() / w.sum()
        tail = ((1 - w / w.sum()) ** 2 / (n - 1)).sum()
        return float((w * (mean - centre) ** 2).sum() / 7 / (1 + 2 * 6 / 63 * tail))

    def unit_by_unit() -> list[Any]:
        made = []
        for u in range(20):
            one = x[:, u]
            curve = [one[s == v].mean() for v in range(8)]
            f = welch(one, s)
            null = np.array([welch(one, labels) for labels in shuffled])
            made.append((curve, f_oneway(*[one[s == v] for v in range(8)]).statistic, (np.sum(null >= f) + 1) / 201))
        return made

    member = (shuffled[:, None] == np.arange(8)[:, None]).astype(float)  # (labelling, level, trial)

    def vectorised() -> None:
        for u in range(200):
            one = x[:, u] - x[:, u].mean()
            mean = member @ one / 20
            var = (member @ one**2 - 20 * mean**2) / 19
            w = 20 / var
            total = w.sum(axis=1, keepdims=True)
            centre = (w * mean).sum(axis=1, keepdims=True) / total
            tail = ((1 - w / total) ** 2 / 19).sum(axis=1)
            null = (w * (mean - centre) ** 2).sum(axis=1) / 7 / (1 + 2 * 6 / 63 * tail)
            (np.sum(null >= welch(x[:, u], s)) + 1) / 201
            [x[s == v, u].mean() for v in range(8)]

    rows = []
    for _ in range(repeats):
        ours, made = seconds(lambda: ap.tuning_curves(x, s, n_permutations=200, seed=0, progress=False))
        naive, check = seconds(unit_by_unit)
        batched, _ = seconds(vectorised)
        np.testing.assert_allclose(made.curves[:20], [c[0] for c in check])
        rows.append((ours, naive * 5000, batched * 500))
    yield summary("tuning, 100,000 units: numpy, unit by unit", [(r[1], r[0]) for r in rows])
    yield summary("tuning, 100,000 units: numpy, permutations of a unit in one product", [(r[2], r[0]) for r in rows])


def searchlight(repeats: int) -> Iterator[str]:
    """100 permutations over 10 sites x 50 neighbourhoods of 10 units, 200 trials."""
    rng = np.random.default_rng(0)
    y = np.arange(200) % 2
    data = {f"site {i}": xr.DataArray(rng.normal(size=(200, 500)), dims=("trial", "unit")) for i in range(10)}

    def loop() -> Array:
        x = data["site 0"].to_numpy()[:, :10]
        guess = np.empty(200)
        with threadpool_limits(1):
            for _ in range(10):
                for train, test in FOLDS.split(x, y):
                    model = make_pipeline(StandardScaler(), RidgeClassifier(alpha=1.0))
                    guess[test] = model.fit(x[train], y[train]).predict(x[test])
        return guess

    rows = []
    for _ in range(repeats):
        ours, made = seconds(lambda: ap.searchlight(data, y, size=10, step=10, n_permutations=100, progress=False))
        theirs, guess = seconds(loop)
        assert abs(float(made.score[0]) - np.mean(guess == y)) < 1e-12
        rows.append((theirs / 10 * 500 * 101, ours))
    yield summary("searchlight, 500 places x 101 label sets: scikit-learn in a loop", rows)


def summary(what: str, rows: list[tuple[float, float]]) -> str:
    """Median ratio with its range."""
    ratios = sorted(theirs / ours for theirs, ours in rows)
    theirs, ours = (statistics.median(r[i] for r in rows) for i in (0, 1))
    spread = f"{statistics.median(ratios):.1f} x ({ratios[0]:.1f}-{ratios[-1]:.1f})"
    return f"{what}: {theirs:.1f} s against {ours:.2f} s, {spread}"


PARTS = {"decode": decode, "permutations": permutations, "tuning": tuning, "searchlight": searchlight}


def main() -> None:
    """Print one line a comparison."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--part", nargs="*", choices=list(PARTS), default=list(PARTS))
    parser.add_argument("--repeats", type=int, default=3)
    chosen = parser.parse_args()
    for part in chosen.part:
        for line in PARTS[part](chosen.repeats):
            print(line, flush=True)


if __name__ == "__main__":
    main()
