"""Permutations follow the design of the trials."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
import xarray as xr
from fixtures.activity import noisy

import artiphys as ap
from artiphys.array_types import Array
from artiphys.errors import StatisticsError
from artiphys.stats.permutations import Permutations


def test_permutation_schemes_keep_the_design() -> None:
    y = np.array([0, 0, 1, 1] * 6)
    groups = np.arange(24) // 2
    for new in Permutations.of(y, groups).draw(20, 0):
        assert all(len(set(new[groups == g])) == 1 for g in range(12)) and new.sum() == y.sum()
    mixed = np.array([0, 1] * 12)
    for new in Permutations.of(mixed, groups).draw(20, 0):
        assert all(set(new[groups == g]) == {0, 1} for g in range(12))


def test_designs_of_permutations() -> None:
    y = np.array([0, 1] * 18 + [0] * 8)
    groups = np.arange(44) // 4
    with pytest.raises(StatisticsError, match="exchange='within groups'"):
        Permutations.of(y, groups)
    for new in Permutations.of(y, groups, exchange="within groups").draw(20, 0):
        assert new[-8:].sum() == 0 and all(new[groups == g].sum() == 2 for g in range(9))
    shifts = Permutations.of(y, exchange="shift")
    drawn = list(shifts.draw(43, 0))
    assert shifts.n_distinct == 44 and len({tuple(d) for d in drawn}) == 43 and shifts.test(99, 0).smallest_p == 1 / 44
    assert not any(np.array_equal(d, y) for d in drawn)
    for wrong, message in (("circular", "wanted one of"), ("within groups", "needs groups")):
        with pytest.raises(StatisticsError, match=message):
            Permutations.of(y, exchange=wrong)
    x = xr.DataArray(np.zeros((44, 2)), dims=("trial", "unit"), coords={"session": ("trial", groups)})
    with pytest.raises(StatisticsError, match="groups='session'"):
        ap.tuning_curves(x, y, n_permutations=20)
    assert ap.tuning_curves(x, y).p_value is None
    t = ap.tuning_curves(np.random.default_rng(0).normal(size=(44, 30)), y, n_permutations=20, seed=0)
    assert t.smallest_p == 1 / (20 * 30 + 1)
    assert t.n_distinct == Permutations.of(y).n_distinct > 1e6


def test_shifts_that_repeat_are_counted_once() -> None:
    x, y = noisy(60, (4,), 0, 3.0)
    with pytest.raises(StatisticsError, match="only 2 distinct"):
        ap.decode(x, y, exchange="shift")


def test_one_group_of_a_single_label_does_not_refuse_the_rest() -> None:
    y = np.array([0, 1] * 20 + [0] * 4)
    groups = np.arange(44) // 4
    with pytest.warns(UserWarning, match="1 of 11 groups hold a single label"):
        plan = Permutations.of(y, groups)
    assert plan.scheme == "within groups"
    assert all(new[-4:].sum() == 0 and new.sum() == 20 for new in plan.draw(20, 0))


def runs_of_blocks() -> tuple[Array, Array, Array]:
    """Labels, runs and numbers of blocks that start anew in each run: 4 runs x 6 blocks x 5 volumes."""
    run, block = np.arange(120) // 30, np.arange(120) // 5 % 6
    return np.random.default_rng(0).permuted(np.tile([0, 0, 0, 1, 1, 1], (4, 1)), axis=1).ravel().repeat(5), run, block


def test_blocks_are_exchanged_whole_within_groups() -> None:
    y, run, block = runs_of_blocks()
    plan = Permutations.of(y, run, blocks=[block])
    assert plan.scheme == "whole blocks within groups" and plan.n_distinct == 20**4
    for new in plan.draw(30, 0):
        of_block = new.reshape(24, 5)
        assert (of_block == of_block[:, :1]).all() and (of_block[:, 0].reshape(4, 6).sum(axis=1) == 3).all()
    # Labels that are constant in runs move with the runs, whatever blocks these hold.
    plan = Permutations.of(np.repeat(np.arange(8) % 2, 15), np.arange(120) // 15, blocks=[block])
    assert plan.scheme == "whole groups" and plan.n_distinct == 70
    # Three levels: blocks in days in animals. Labels vary within days, so that blocks move within their day.
    animal, day = np.arange(120) // 60, np.arange(120) // 20 % 3
    label = np.tile([0, 0, 1, 1], 30).repeat(1)[np.arange(120) // 5]
    plan = Permutations.of(label, animal, blocks=[day, block])
    assert plan.scheme == "whole blocks within blocks" and plan.n_distinct == 6.0**6
    assert all(new.reshape(6, 4, 5)[..., 0].sum(axis=1).tolist() == [2] * 6 for new in plan.draw(20, 0))
    with pytest.raises(StatisticsError, match="give one of them"):
        Permutations.of(y, run, exchange="shift", blocks=[block])
    plan = Permutations.of(y, run, exchange="within groups", blocks=[block])
    assert plan.scheme == "whole blocks within groups"
    mixed = np.where(block < 3, y, np.arange(120) % 2)
    with pytest.raises(StatisticsError, match="labels are constant in 12 blocks and vary in 12"):
        Permutations.of(mixed, run, blocks=[block])


def test_shifts_stay_inside_a_group() -> None:
    y = np.random.default_rng(0).integers(2, size=60)
    group = np.arange(60) // 20
    plan = Permutations.of(y, group, exchange="shift")
    assert plan.scheme == "circular shifts within groups" and plan.n_distinct == 20**3
    for new in plan.draw(20, 0):
        for g in range(3):
            turns = [np.roll(y[group == g], k).tolist() for k in range(20)]
            assert new[group == g].tolist() in turns
    with pytest.raises(StatisticsError, match="labels change 0 times"):
        Permutations.of(np.repeat([0, 1, 0], 20), group, exchange="shift")


def test_labels_that_drift_itself_could_make_are_not_turned() -> None:
    for labels in (np.repeat([0, 1], 60), np.repeat([0, 1, 0], 40)):
        with pytest.raises(StatisticsError, match="nothing tells them from a drift"):
            Permutations.of(labels, exchange="shift")
    with pytest.raises(StatisticsError, match="only rise or only fall"):
        Permutations.of(np.arange(50) * 1.0, exchange="shift")
    assert Permutations.of(np.repeat([0, 1, 0, 1], 30), exchange="shift").n_distinct == 60


def test_few_relabellings_are_all_taken_once() -> None:
    y = np.repeat([0, 1], 5)
    plan = Permutations.of(y)
    every = {tuple(new) for new in plan.draw(1000, 0)}
    assert plan.n_distinct == 252 and len(every) == 251 and tuple(y) not in every
    assert len(list(plan.draw(1000, 0))) == 251
    test = plan.test(1000, 0)
    assert test.n_permutations == 251 and test.smallest_p == 1 / 252
    assert plan.test(1000, 0, symmetric=True).smallest_p == 2 / 252  # zeros and ones can swap their names
    assert len(list(plan.draw(100, 0))) == 100
    nested = Permutations.of(np.array([0, 1, 2] * 3), np.arange(9) // 3)
    assert nested.n_distinct == 216 and len({tuple(d) for d in nested.draw(500, 0)}) == 215
    assert nested.test(500, 0, symmetric=True).smallest_p == 6 / 216


def test_exact_p_is_that_of_all_relabellings() -> None:
    rng = np.random.default_rng(1)
    x, y = rng.normal(size=(10, 3)), np.repeat([0, 1], 5)
    found = ap.detectability(x, y, n_permutations=5000)

    def studentised(rows: tuple[int, ...]) -> Array:
        label = np.isin(np.arange(10), rows).astype(int)
        one = ap.detectability(x, label, signal=1, n_permutations=0)
        return np.asarray(np.abs(one.auc.to_numpy() - 0.5) / one.stderr["auc"].to_numpy())

    with np.errstate(divide="ignore", invalid="ignore"):
        every = np.nan_to_num(np.stack([studentised(c) for c in combinations(range(10), 5)]), nan=np.inf)
        observed = np.nan_to_num(studentised((5, 6, 7, 8, 9)), nan=np.inf)
    assert np.allclose(found.p_value.to_numpy(), (every >= observed - 1e-9).mean(axis=0))  # type: ignore[union-attr]
    assert found.n_permutations == 251 and found.smallest_p == 2 / 252
