"""Effects of two stimuli and their interaction: F by least squares, rates of false positives, groups."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import artiphys as ap
from artiphys.errors import ArtiphysError, InputError, StatisticsError
from artiphys.probes.tuning.two_way import TwoWay

Draw = Callable[[np.random.Generator, np.ndarray, np.ndarray], np.ndarray]


def design(rng: np.random.Generator, n: int = 120) -> tuple[np.ndarray, np.ndarray]:
    """Unequal numbers of trials, some combinations with one or none."""
    return rng.choice(3, n, p=(0.5, 0.3, 0.2)), rng.choice(4, n, p=(0.4, 0.3, 0.2, 0.1))


def left_over(y: np.ndarray, *columns: np.ndarray) -> float:
    x = np.hstack([np.eye(int(c.max()) + 1)[c] for c in columns])
    return float(((y - x @ np.linalg.lstsq(x, y, rcond=None)[0]) ** 2).sum())


def test_f_is_that_of_nested_least_squares_with_empty_combinations() -> None:
    rng = np.random.default_rng(0)
    a, b = design(rng)
    keep = ~((a == 2) & (b == 1))
    a, b = a[keep], b[keep]
    y = rng.normal(size=(len(a), 3)) + 0.5 * a[:, None] + 0.3 * (a * b)[:, None] * np.arange(3)
    effects = ap.tuning_curves(y, {"a": a, "b": b}).effects(n_permutations=19)
    cells = np.unique(a * 10 + b, return_inverse=True)[1]
    n_cells = int(cells.max()) + 1
    df = [2, 3, n_cells - 6]
    assert effects.df.values.tolist() == df and effects.df_residual == len(a) - n_cells
    for u in range(3):
        full, both = left_over(y[:, u], cells), left_over(y[:, u], a, b)
        squares = [left_over(y[:, u], b) - both, left_over(y[:, u], a) - both, both - full]
        np.testing.assert_allclose(effects.f[:, u], np.array(squares) / df / (full / (len(a) - n_cells)), rtol=1e-9)
        np.testing.assert_allclose(effects.eta_squared[:, u], squares / ((y[:, u] - y[:, u].mean()) ** 2).sum())


NULLS: dict[str, tuple[Draw, list[int]]] = {
    "nothing": (lambda rng, a, b: rng.normal(size=len(a)), [0, 1, 2]),
    "one main effect": (lambda rng, a, b: rng.normal(size=len(a)) + 2 * a, [1, 2]),
    "two main effects": (lambda rng, a, b: rng.normal(size=len(a)) + 2 * a + b, [2]),
    "counts with a main effect": (lambda rng, a, b: rng.poisson(np.array([1, 4, 12])[a]), [1, 2]),
    "unequal variances": (lambda rng, a, b: rng.normal(size=len(a)) * np.array([1, 2, 4])[a], [0, 1, 2]),
}


@pytest.mark.many_runs
@pytest.mark.parametrize("kind", NULLS)
def test_false_positives_are_held(kind: str) -> None:
    """Permuted residuals found an interaction in .23 of data sets of counts with one main effect."""
    draw, effects = NULLS[kind]
    found = []
    for seed in range(150):
        rng = np.random.default_rng(seed)
        a, b = design(rng)
        t = ap.tuning_curves(draw(rng, a, b)[:, None], {"a": a, "b": b}, progress=False)
        found.append(t.effects(n_permutations=59, seed=seed).p_value.to_numpy()[effects, 0] <= 0.05)
    rate = np.mean(found, axis=0)
    assert (rate >= 0.005).all() and (rate <= 0.11).all()


def test_what_is_there_is_found_and_told() -> None:
    rng = np.random.default_rng(1)
    a, b = design(rng, 300)
    y = rng.normal(size=(300, 3))
    y[:, 0] += 1.0 * a
    y[:, 1] += 2.0 * ((a == 1) & (b == 1))
    effects = ap.tuning_curves(y, {"place": a, "speed": b}).effects(n_permutations=199, seed=3)
    assert isinstance(effects, TwoWay) and "\n" not in repr(effects)
    assert effects.p_value.sel(effect="place")[0] <= 0.005 and effects.p_value.sel(effect="interaction")[1] <= 0.005
    table = effects.to_dataframe()
    assert len(table) == 9 and {"effect", "unit", "f", "p", "p_fdr", "df", "df_residual"} <= set(table)
    assert "wild bootstrap" in effects.methods_text() and effects.smallest_p == 1 / 200


def test_groups_are_kept_together() -> None:
    """Stimuli that are constant within sessions with a source of their own: trials alone would find effects."""
    found: dict[bool, list[float]] = {True: [], False: []}
    warned: list[bool] = []
    for seed in range(60):
        rng = np.random.default_rng(seed)
        session = np.arange(160) // 8
        a, b = rng.permutation(np.arange(20) % 2)[session], rng.integers(0, 2, 160)
        y = rng.normal(size=(160, 1)) + 1.5 * rng.normal(size=(20, 1))[session]
        for grouped, rejected in found.items():
            t = ap.tuning_curves(y, {"a": a, "b": b}, groups=session if grouped else None, progress=False)
            with warnings.catch_warnings(record=True) as said:
                warnings.simplefilter("always")
                rejected.append(float(t.effects(n_permutations=59, seed=seed).p_value[0, 0]) <= 0.05)
            warned.append(bool(said) != grouped)
    assert np.mean(found[False]) > 0.4 and np.mean(found[True]) < 0.15
    assert np.mean(warned) > 0.9, "drift is told of where no groups are given, and only there"


def test_misuse_is_told() -> None:
    rng = np.random.default_rng(2)
    a, b, y = np.tile([0, 1], 30), np.repeat([0, 1, 2], 20), rng.normal(size=(60, 2))
    t = ap.tuning_curves(y, {"a": a, "b": b})
    cases: list[tuple[Callable[[], Any], type[ArtiphysError], str]] = [
        (lambda: ap.tuning_curves(y, a).effects(), InputError, "of two stimuli"),
        (lambda: t.effects(n_permutations=0), StatisticsError, "n_permutations"),
        (lambda: t.effects(groups=np.arange(60) // 20), StatisticsError, "more groups"),
        (lambda: t.effects(activity=y + 1), InputError, "other values"),
        (lambda: ap.tuning_curves(y, {"a": a, "b": b + 5 * a}).effects(), StatisticsError, "fall into parts"),
        (lambda: t.marginal("a").effects(), InputError, "of two stimuli"),
    ]
    for call, kind, message in cases:
        with pytest.raises(kind, match=message):
            call()
    still = ap.tuning_curves(np.hstack([np.full((60, 1), 0.1), y]), {"a": a, "b": b}).effects(n_permutations=19)
    assert (still.p_value[:, 0] == 1).all() and (still.f[:, 0] == 0).all()
