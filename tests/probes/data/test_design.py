"""Designs that people have: blocks in runs, recurring items, drift. What is wrong is refused or warned of."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest
import xarray as xr

import artiphys as ap
from artiphys.array_types import Array
from artiphys.errors import InputError, StatisticsError

ANALYSES: list[Callable[..., Any]] = [ap.decode, ap.searchlight, ap.tuning_curves, ap.detectability]


def drifting(n: int, p: int, keep: float, rng: np.random.Generator) -> Array:
    """Autoregressive activity ``(trial, unit)`` of unit variance."""
    x = rng.normal(size=(n, p))
    for i in range(1, n):
        x[i] = keep * x[i - 1] + np.sqrt(1 - keep**2) * x[i]
    return x


def labelled(x: Array, **columns: Array) -> xr.DataArray:
    return xr.DataArray(x, dims=("trial", "unit"), coords={name: ("trial", c) for name, c in columns.items()})


def runs_and_blocks(seed: int) -> tuple[Array, Array, Array, Array]:
    """6 runs x 6 blocks x 6 volumes without information: each run drifts by itself; labels are constant in blocks."""
    rng = np.random.default_rng(seed)
    x = np.concatenate([drifting(36, 4, 0.8, rng) + rng.normal(size=4) for _ in range(6)])
    y = rng.permuted(np.tile([0, 0, 0, 1, 1, 1], (6, 1)), axis=1).ravel().repeat(6)
    return x, y, np.arange(216) // 36, np.arange(216) // 6 % 6


@pytest.mark.parametrize("analysis", ANALYSES)
def test_columns_that_mark_blocks_and_items_are_named(analysis: Callable[..., Any]) -> None:
    x, y, run, block = runs_and_blocks(0)
    options: dict[str, Any] = {"n_permutations": 20, "progress": False}
    with pytest.raises(StatisticsError, match=r"groups='run' .and blocks="):
        analysis(labelled(x, run=run, block=block), y, **options)
    with pytest.raises(StatisticsError, match="blocks='miniblock'"):
        analysis(labelled(x, run=run, miniblock=block), y, groups="run", **options)
    found = analysis(labelled(x, run=run, block=block), y, groups="run", blocks="block", **options)
    assert found.exchange_scheme.startswith("whole blocks within groups")
    rng = np.random.default_rng(1)
    image = rng.permutation(np.arange(120) % 20)
    label, x = (image < 10).astype(int), rng.normal(size=(120, 4))
    with pytest.raises(StatisticsError, match=r"groups='image'.*exchange='trials'"):
        analysis(labelled(x, image=image), label, **options)
    with pytest.raises(StatisticsError, match="groups='image'"):  # in sessions, each of which shows all
        analysis(labelled(x, image=image, session=np.arange(120) // 20), label, groups="session", **options)
    assert analysis(labelled(x, image=image), label, groups="image", **options).scheme.startswith("whole groups")
    assert analysis(labelled(x, image=image), label, exchange="trials", **options).scheme.startswith("trials")
    # A column as coarse as the label, one that varies within labels and one that never recurs say nothing.
    harmless = labelled(x, what=label.astype(str), rt=rng.uniform(size=120), response=rng.integers(2, size=120))
    assert analysis(harmless, label, **options).scheme.startswith("trials")


@pytest.mark.parametrize("analysis", ANALYSES)
def test_slow_labels_and_slow_activity_warn(analysis: Callable[..., Any]) -> None:
    rng = np.random.default_rng(0)
    x, y = drifting(120, 4, 0.9, rng), np.arange(120) // 12 % 2
    options: dict[str, Any] = {"n_permutations": 20, "progress": False}
    with pytest.warns(UserWarning, match="both change slowly.*exchange='shift'"):
        analysis(x, y, **options)
    order = rng.permutation(120)
    analysis(x[order], y[order], **options)  # no order, no warning
    analysis(x, rng.integers(2, size=120), **options)  # labels drawn at random may be exchanged whatever the activity
    analysis(rng.normal(size=(120, 4)), y, **options)
    signal = rng.normal(size=(120, 4)) + 3 * y[:, None]  # what labels themselves do is no drift
    analysis(signal, y, **options)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        analysis(x, y, exchange="trials", **options)


def test_numbers_that_drift_warn_too() -> None:
    rng = np.random.default_rng(0)
    slow = drifting(150, 1, 0.95, rng)[:, 0]
    with pytest.warns(UserWarning, match="both change slowly"):
        ap.decode(drifting(150, 4, 0.9, rng), slow, n_permutations=20)


def test_the_right_design_keeps_the_rate_and_the_wrong_one_warns() -> None:
    """1,000 data sets are run by tests/benchmarks/design_calibration.py; here enough to see what is broken."""
    right, wrong, warned = [], [], []
    for seed in range(80):
        x, y, run, block = runs_and_blocks(seed)
        options: dict[str, Any] = {"cv": 6, "n_permutations": 19, "seed": seed, "alphas": [1.0]}
        right.append(ap.decode(x, y, groups=run, blocks=block, **options).p_value.item() <= 0.05)  # type: ignore[union-attr]
        with warnings.catch_warnings(record=True) as said:
            warnings.simplefilter("always")
            wrong.append(ap.decode(x, y, groups=run, **options).p_value.item() <= 0.05)  # type: ignore[union-attr]
        warned.append(any("both change slowly" in str(w.message) for w in said))
    assert np.mean(right) <= 0.05 + 3 * np.sqrt(0.05 * 0.95 / 80)
    assert np.mean(wrong) >= 0.15 and np.mean(warned) >= 0.95


def test_groups_of_several_columns_are_those_that_share_all() -> None:
    rng = np.random.default_rng(0)
    animal, day = np.arange(160) // 80, np.arange(160) // 10 % 8
    x, y = rng.normal(size=(160, 3)), rng.permutation(np.arange(16) % 2).repeat(10)
    data = labelled(x, animal=animal, day=day)
    by_name = ap.decode(data, y, groups=["animal", "day"], n_permutations=20)
    by_array = ap.decode(x, y, groups=np.column_stack([animal, day]), n_permutations=20)
    assert by_name.p_value == by_array.p_value and by_name.scheme == "whole groups" and by_name.n_distinct == 12870
    blocks = ap.decode(data, y, groups="animal", blocks=["day"], cv=2, alphas=[1.0], n_permutations=20)
    assert blocks.scheme == "whole blocks within groups" and blocks.n_distinct < 12870
    alone = ap.decode(x, y, blocks=np.arange(160) // 10, n_permutations=20)
    assert alone.scheme == "whole blocks"
    with pytest.raises(InputError, match="groups came with shape"):
        ap.decode(x, y, groups=np.zeros((3, 2)))
    with pytest.raises(InputError, match="no condition 'dya'"):
        ap.decode(data, y, groups="animal", blocks=["dya"])


def test_groups_by_session_and_image_leak_images() -> None:
    """Naming both columns would let an image lie on both sides of a fold, in two sessions."""
    rng = np.random.default_rng(0)
    session = np.repeat(np.arange(6), 40)
    image = np.concatenate([rng.permutation(np.tile(np.arange(20), 2)) for _ in range(6)])
    label = (image < 10).astype(int)
    x = rng.normal(size=(20, 4))[image] + rng.normal(size=(240, 4))
    data = labelled(x, session=session, image=image)
    cases: list[tuple[Any, dict[str, Any]]] = [
        (x, {"groups": np.column_stack([session, image])}),
        (data, {"groups": ["session", "image"]}),
        (data, {"groups": "session", "blocks": "image"}),
    ]
    for activity, options in cases:
        with pytest.raises(StatisticsError, match="this column alone as groups="):
            ap.decode(activity, label, n_permutations=20, **options)
    assert ap.decode(data, label, groups="image", n_permutations=20).scheme == "whole groups"


def test_tuned_cells_and_random_labels_are_no_drift() -> None:
    rng = np.random.default_rng(0)
    for seed in range(10):
        direction = np.cumsum(np.random.default_rng(seed).normal(size=300) * 20) % 360
        rate = 2 + 8 * np.exp(np.cos(np.deg2rad(direction[:, None] - np.arange(0, 360, 30))) - 1)
        ap.decode(rng.poisson(rate), direction, circular=True, period=360, n_permutations=20, alphas=[1.0])


def test_scores_without_permutations_are_warned_of_too() -> None:
    rng = np.random.default_rng(0)
    with pytest.warns(UserWarning, match="both change slowly"):
        ap.decode(drifting(120, 4, 0.9, rng), np.arange(120) // 12 % 2, n_permutations=0)


def test_a_session_column_may_be_waved_through_and_few_groups_are_left_out_once() -> None:
    x, y = np.random.default_rng(0).normal(size=(80, 4)), np.arange(80) % 2
    session = np.arange(80) // 20
    assert ap.decode(labelled(x, session=session), y, exchange="trials", n_permutations=20).scheme == "trials"
    with pytest.raises(StatisticsError, match="groups='session'"):
        ap.decode(labelled(x, session=session), y, exchange="shift", n_permutations=20)
    assert len(ap.decode(x, y, groups=session, n_permutations=0).folds) == 4


def test_an_index_in_another_order_is_refused() -> None:
    x, y = pd.DataFrame(np.random.default_rng(0).normal(size=(60, 3))), pd.Series(np.arange(60) % 2)
    with pytest.raises(InputError, match="in another order"):
        ap.decode(x, y.sample(frac=1, random_state=0))
    data = xr.DataArray(x.to_numpy(), dims=("trial", "unit"), coords={"trial": np.arange(60)[::-1]})
    with pytest.raises(InputError, match="in another order"):
        ap.decode(data, xr.DataArray(y, dims="trial", coords={"trial": np.arange(60)}))
    assert ap.decode(x, y.set_axis(np.arange(60) + 7), n_permutations=0).n_trials == 60
