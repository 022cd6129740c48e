"""Pooled null: permutation p-values of many units, held against a null that they share."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace

import numpy as np

from artiphys.array_types import Array
from artiphys.probes.data.activity import BLOCK_BYTES
from artiphys.probes.data.units import Units
from artiphys.stats.p_values import p_value, pooled_p_value
from artiphys.stats.permutations import Permutations, PermutationTest
from artiphys.user_warnings import warn

Statistic = Callable[[Array, Array], Iterator[Array]]

MIN_POOLED_UNITS = 20  # units; with fewer, each is held against its own permutations only
MAX_NULL_VALUES = 5_000_000  # values of a pooled null: p as small as 2e-7; more units than this needs are drawn from


def pool_of(units: Units, n_permutations: int) -> Array:
    """All units, or as many at random as the size of a null and memory allow: boolean ``(unit,)``."""
    chosen = np.ones(units.n_units, dtype=bool)
    most = max(MIN_POOLED_UNITS, min(MAX_NULL_VALUES // n_permutations, BLOCK_BYTES // (8 * units.n_trials)))
    if units.n_units > most:
        chosen[:] = False
        chosen[np.random.default_rng(0).choice(units.n_units, most, replace=False)] = True
    return chosen


def permuted_p_values(
    observed: Array, blocks: Iterable[Array], statistic: Statistic, plan: Permutations, n: int, seed: int
) -> tuple[Array, PermutationTest]:
    """Permutation p of every unit, and what the test reports.

    With fewer than 20 units each is held against its own permutations; from there on against the permutations of all
    chosen units together, so that p can be small enough for many tests. That needs a studentised statistic, whose
    null is the same for all units.

    Parameters
    ----------
    observed : ``(unit,)``
    blocks : iterable of ``(trial, unit)``
        Activity of the units that make up the null (`pool_of`).
    statistic : callable
        Gives the statistic of a block under labellings ``(permutation, trial)``, in parts ``(permutation, unit)``.
    plan : Permutations
    n, seed : int
        Number of permutations and their seed.
    """
    labelled = np.stack(list(plan.draw(n, seed)))
    null = np.concatenate([part for block in blocks for part in statistic(block, labelled)], axis=1)
    test = plan.test(n, seed, symmetric=True)
    if len(observed) < MIN_POOLED_UNITS:
        if test.smallest_p > 0.05:
            warn(f"{n} permutations: p cannot fall below {test.smallest_p:.2g}")
        return p_value(observed, null), test
    scheme = f"{plan.scheme}; null pooled over {null.shape[1]} units"
    return pooled_p_value(observed, null), replace(test, scheme=scheme, smallest_p=1 / (null.size + 1))
