"""Permutations follow the design of the trials."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr
from fixtures.activity import noisy

import artiphys as ap
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
    y = np.array([0, 1] * 20 + [0] * 4)
    groups = np.arange(44) // 4
    with pytest.raises(StatisticsError, match="exchange='within groups'"):
        Permutations.of(y, groups)
    for new in Permutations.of(y, groups, exchange="within groups").draw(20, 0):
        assert new[-4:].sum() == 0 and all(new[groups == g].sum() == 2 for g in range(10))
    shifts = Permutations.of(y, exchange="shift")
    drawn = list(shifts.draw(43, 0))
    assert shifts.n_distinct == 43 and len({tuple(d) for d in drawn}) > 20 and shifts.test(99, 0).smallest_p == 1 / 43
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
