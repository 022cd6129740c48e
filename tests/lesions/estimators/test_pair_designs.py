"""Designs of pairs: nested, without replacement, and weighted by the kernel."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from artiphys.lesions.estimators.kernel import n_pairs, strata
from artiphys.lesions.estimators.pair_designs import Pairs


@pytest.mark.parametrize("n", [2, 3, 6, 9, 12])
@pytest.mark.parametrize("index", ["shapley", "banzhaf"])
def test_all_pairs_are_all_coalitions(n: int, index: Any) -> None:
    design = Pairs(n, index, 3).design(n_pairs(n))
    assert len(np.unique(design.coalitions, axis=0)) == 2**n == len(design.coalitions)
    assert design.share.sum() == pytest.approx(1) and (design.fraction == 1).all()


@pytest.mark.parametrize("n", [7, 12, 40, 270])
@pytest.mark.parametrize("index", ["shapley", "banzhaf"])
def test_designs_are_nested_and_follow_the_kernel(n: int, index: Any) -> None:
    small, large = (Pairs(n, index, 0).design(m) for m in (40, 63 if n == 7 else 600))
    rows = {row.tobytes() for row in large.intact}
    assert {row.tobytes() for row in small.intact} <= rows
    assert small.n_pairs <= 40 and large.n_pairs <= 600
    assert math.fsum(s.share for s in strata(n, index)) == pytest.approx(1)
    if n < 40:  # no pair twice, in either half
        both = np.concatenate([large.intact, ~large.intact])
        assert len(np.unique(both, axis=0)) == len(both)


def test_every_pair_of_a_stratum_is_equally_likely() -> None:
    counts: dict[bytes, int] = {}
    for seed in range(2000):
        design = Pairs(6, "shapley", seed).design(20)
        for row in design.intact[design.stratum == 2]:  # halves of equal size
            counts[row.tobytes()] = counts.get(row.tobytes(), 0) + 1
    drawn = np.array(list(counts.values()))
    assert len(drawn) == 20 and drawn.max() / drawn.min() < 1.35
