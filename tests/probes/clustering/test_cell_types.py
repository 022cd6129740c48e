"""Cell types: from tables and from tuning, and what cannot be clustered."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

import artiphys as ap
from artiphys.errors import ArtiphysError


def test_types_of_tuning_curves() -> None:
    rng = np.random.default_rng(0)
    s = np.tile(np.arange(6) * 30.0, 20)
    preferred = np.where(np.arange(60) % 2, 30.0, 120.0)
    x = np.exp(2 * (np.cos(np.deg2rad(2 * (s[:, None] - preferred))) - 1)) + 0.3 * rng.normal(size=(120, 60))
    found = ap.cell_types(ap.tuning_curves(x, s, circular=True, period=180), max_types=3, n_null=39, progress=False)
    assert found.n_types == 2 and "2 types" in found.verdict and found.p_value <= 0.05
    assert len({tuple(found.labels[np.arange(60) % 2 == k]) for k in (0, 1)}) == 2
    assert found.to_dataframe()["type"].nunique() == 2 and "Liu et al. 2008" in found.methods_text()
    assert list(found.criteria.index) == [2, 3] and (found.criteria["cluster_index_p"] <= 0.05).all()


def test_scale_matters_and_is_said() -> None:
    rng = np.random.default_rng(0)
    two = rng.normal(size=(100, 2)) + np.repeat([[-4.0, 0], [4, 0]], 50, axis=0)
    table = pd.DataFrame({"bandwidth": two[:, 0], "latency [us]": 1000 * two[:, 1]})
    with pytest.warns(UserWarning, match="pass standardise=True"):
        hidden = ap.cell_types(table, max_types=2, n_null=39, progress=False)
    shown = ap.cell_types(table, max_types=2, n_null=39, standardise=True, progress=False)
    assert hidden.n_types == 1 and shown.n_types == 2


def test_bad_input_says_what_to_do() -> None:
    x = np.random.default_rng(0).normal(size=(40, 2))
    nan = x.copy()
    nan[3, 1] = np.nan
    cases: list[tuple[Any, dict[str, Any], str]] = [
        (x[:, 0], {}, r"wanted \(unit, feature\)"),
        (nan, {}, "in 1 of 40 units"),
        (np.column_stack([x, np.ones(40)]), {}, "constant"),
        (x, {"max_types": 9}, "wanted 2 to 8"),
        (x, {"n_null": 5}, "19 or more"),
        (np.random.default_rng(0).normal(size=(40, 30)), {}, "fewer features"),
        (pd.DataFrame({"a": list("ab") * 20, "b": x[:, 0]}), {}, "numeric"),
    ]
    for features, options, message in cases:
        with pytest.raises(ArtiphysError, match=message):
            ap.cell_types(features, **options)


def test_a_flat_cloud_has_no_valley_and_the_verdict_says_so() -> None:
    flat = ap.cell_types(np.random.default_rng(0).uniform(size=(80, 2)), n_null=39, progress=False)
    two = np.random.default_rng(0).normal(size=(120, 2)) + np.repeat([[-3.0, 0], [3, 0]], 60, axis=0)
    apart = ap.cell_types(two, max_types=2, n_null=39, progress=False)
    assert flat.p_valley > 0.05 and (flat.n_types == 1 or "No valley" in flat.verdict)
    assert apart.p_valley <= 0.05 and "with a valley" in apart.verdict
    with pytest.raises(ArtiphysError, match="between 0 and 1"):
        ap.cell_types(two, alpha=5)
