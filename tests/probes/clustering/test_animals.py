"""Offsets between animals are no types, and a type of one animal alone does not recur."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import adjusted_rand_score

import artiphys as ap
from artiphys.errors import ArtiphysError
from artiphys.probes.clustering.animals import recurrence, without_offsets

QUICK: dict[str, Any] = {"max_types": 3, "n_null": 19, "progress": False}
ANIMAL = np.repeat(["a", "b", "c", "d"], 30)


def test_offsets_between_animals_are_no_types() -> None:
    rng = np.random.default_rng(0)
    far = np.repeat([[0, 0], [8, 0], [0, 8], [8, 8]], 30, axis=0)
    scale = np.repeat([1.0, 1, 3, 3], 30)[:, None]
    x = rng.normal(size=(120, 2)) * scale + far
    assert ap.cell_types(x, **QUICK).n_types > 1, "without groups they look like types"
    found = ap.cell_types(x, groups=ANIMAL, **QUICK)
    assert found.n_types == 1 and found.shape == "one Gaussian cloud"


def test_types_within_animals_are_found_through_offsets() -> None:
    rng = np.random.default_rng(0)
    kind = np.arange(120) % 2
    x = rng.normal(size=(120, 2)) + 6 * kind[:, None] * [0, 1] + np.repeat([[0, 0], [9, 3], [2, 8], [5, 5]], 30, axis=0)
    found = ap.cell_types(x, groups=pd.Series(ANIMAL), **QUICK)
    assert found.n_types == 2 and adjusted_rand_score(kind, found.labels) > 0.9
    assert found.recurrence is not None and (found.recurrence > 10).all(axis=None)
    assert "group" in found.to_dataframe() and "within groups" in found.methods_text()


def test_a_type_of_one_animal_does_not_recur() -> None:
    rng = np.random.default_rng(0)
    odd = (ANIMAL == "a") & (np.arange(120) % 2 == 0)
    x = rng.normal(size=(120, 2)) + 9 * odd[:, None] * [1, 0]
    found = ap.cell_types(x, groups=ANIMAL, **QUICK)
    assert found.n_types == 1
    table, alone = recurrence(odd.astype(int), ANIMAL)
    assert alone == "type 1 is found in 1 of 4 groups" and table.loc["a", 1] == 15
    assert recurrence(np.arange(120) % 2, ANIMAL)[1] == ""


def test_features_within_animals_have_one_mean_and_one_spread() -> None:
    rng = np.random.default_rng(0)
    table = pd.DataFrame(rng.normal(size=(120, 2)) * [[1, 2]] + 5, columns=["a", "b"])
    within = without_offsets(table, ANIMAL).groupby(ANIMAL)
    np.testing.assert_allclose(within.mean(), 0, atol=1e-12)
    spread = table.groupby(ANIMAL).std()
    np.testing.assert_allclose(within.std(), np.tile(np.sqrt((spread**2).mean()), (4, 1)))


def test_groups_that_cannot_be_used_are_refused() -> None:
    x = np.random.default_rng(0).normal(size=(120, 2))
    constant = x.copy()
    constant[ANIMAL == "b", 1] = 1.0
    cases: list[tuple[Any, Any, str]] = [
        (x, ANIMAL[:50], "wanted one name for each of 120 units"),
        (x, ["a"] * 120, "one name"),
        (x, np.where(np.arange(120) < 3, "a", "b"), "has 3 units; wanted 5"),
        (x, [None, *ANIMAL[1:]], "missing for 1 units"),
        (constant, ANIMAL, "in group 'b' a feature is constant"),
    ]
    for features, groups, message in cases:
        with pytest.raises(ArtiphysError, match=message):
            ap.cell_types(features, groups=groups, **QUICK)
