"""Missing is missing in every form and in every place where data come in: refused with the count, or kept."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
import xarray as xr
from torch import nn

import artiphys as ap
from artiphys.errors import ArtiphysError, InputError, LesionError
from artiphys.missing import is_missing, plain_array

N = 40
X = np.random.default_rng(0).normal(size=(N, 3)) + (np.arange(N) % 2)[:, None]
CODES = np.arange(N) % 2
GAPS = np.isin(np.arange(N), [3, 7, 12])


GAPPED = X.astype(object)
GAPPED[GAPS] = None


def text(gap: Any) -> Any:
    return np.array([gap if g else "ab"[c] for g, c in zip(GAPS, CODES)], dtype=object)


# Every form in which three of forty values can be missing.
FORMS: dict[str, Any] = {
    "None": text(None), "nan among text": text(np.nan), "pandas NA": text(pd.NA), "NaT among text": text(pd.NaT),
    "list": list(text(None)),
    "str series": pd.Series(text(None)),
    "categorical": pd.Categorical(text(None)),
    "float": np.where(GAPS, np.nan, CODES),
    "float32": np.where(GAPS, np.nan, CODES).astype(np.float32),
    "tensor": torch.tensor(np.where(GAPS, np.nan, CODES)),
    "bfloat16": torch.tensor(np.where(GAPS, np.nan, CODES)).bfloat16(),
    "Int64": pd.array([None if g else c for g, c in zip(GAPS, CODES)], dtype="Int64"),
    "boolean": pd.array([None if g else c == 1 for g, c in zip(GAPS, CODES)], dtype="boolean"),
    "dates": np.where(GAPS, np.datetime64("NaT", "D"), np.datetime64("2020-01-01") + CODES),
    "masked integers": np.ma.array(CODES, mask=GAPS),
    "masked floats": np.ma.array(CODES.astype(float), mask=GAPS),
    "masked text": np.ma.array(np.array(["a", "b"])[CODES], mask=GAPS),
    "masked booleans": np.ma.array(CODES == 1, mask=GAPS),
    "list of masked": [np.ma.masked if g else c for g, c in zip(GAPS, CODES)],
    "DataArray": xr.DataArray(text(None), dims="trial"),
}  # fmt: skip


@pytest.mark.parametrize("form", FORMS)
def test_every_form_is_seen(form: str) -> None:
    values = plain_array(FORMS[form])
    assert is_missing(values).tolist() == GAPS.tolist()
    assert values[~GAPS].astype(str).tolist() == plain_array(FORMS[form])[~GAPS].astype(str).tolist()
    assert not isinstance(values, np.ma.MaskedArray)


TAKES: dict[str, Callable[[Any], object]] = {
    "labels": lambda v: ap.decode(X, v, n_permutations=0),
    "groups": lambda v: ap.decode(X, CODES, groups=v, n_permutations=0),
    "control": lambda v: ap.decode(X, CODES, control=v, n_permutations=0),
    "across": lambda v: ap.decode(X, CODES, across=v, n_permutations=0),
    "stimulus": lambda v: ap.tuning_curves(X, v),
    "groups of tuning": lambda v: ap.tuning_curves(X, CODES, groups=v, n_permutations=10),
    "signal": lambda v: ap.detectability(X, v, n_permutations=0),
    "within": lambda v: ap.detectability(X, CODES, within=v, n_permutations=0),
    "searchlight": lambda v: ap.searchlight(X, v, size=2, n_permutations=0),
    "confounds": lambda v: ap.decode(X, CODES, confounds=v, n_permutations=0),
    "score": lambda v: ap.scores.log_prob(v)(torch.zeros(N, 2), ap.Stimuli(torch.zeros(N, 1))),
    "target": lambda v: ap.scores.correlation(v).summary(np.ones((1, N)), ap.Stimuli(torch.zeros(N, 1))),
    "column of a score": lambda v: ap.scores.log_prob("c")(
        torch.zeros(N, 2), ap.Stimuli(torch.zeros(N, 1), {"c": v})
    ),
}  # fmt: skip


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("place", TAKES)
def test_values_of_trials_are_refused_with_the_count(place: str, form: str) -> None:
    with pytest.raises(ArtiphysError, match="missing on 3 trials; leave these out"):
        TAKES[place](FORMS[form])


@pytest.mark.parametrize("form", FORMS)
def test_conditions_keep_what_is_missing_in_memory_and_on_disk(form: str, tmp_path: Path) -> None:
    prep = ap.wrap(nn.Linear(3, 2).eval(), torch.randn(N, 3))
    stimuli = ap.Stimuli(torch.randn(N, 3), {"c": FORMS[form]})
    held = ap.record(prep, stimuli, "output", progress=False)["output"]
    ap.record(prep, stimuli, "output", out=tmp_path / "r.zarr", progress=False)
    opened = ap.Recording.open(tmp_path / "r.zarr")["output"]
    for rec in (held, opened):
        assert is_missing(rec["c"].to_numpy()).tolist() == GAPS.tolist()
        with pytest.raises(ArtiphysError, match="missing on 3 trials"):
            ap.decode(rec, "c", n_permutations=0)
    assert held["c"].to_numpy()[~GAPS].tolist() == opened["c"].to_numpy()[~GAPS].tolist()


def test_conditions_of_nothing_but_missing_values_come_back(tmp_path: Path) -> None:
    prep = ap.wrap(nn.Linear(3, 2).eval(), torch.randn(5, 3))
    ap.record(prep, ap.Stimuli(torch.randn(5, 3), {"c": [None] * 5}), "output", out=tmp_path / "r.zarr", progress=False)
    assert is_missing(ap.Recording.open(tmp_path / "r.zarr")["output"]["c"].to_numpy()).all()


@pytest.mark.parametrize(
    "column",
    [
        np.array(["2020-01-02", "2021-03-04"], dtype="datetime64[ns]"),
        np.array([5, 7], dtype="timedelta64[ms]"),
        np.array([1, "1"], dtype=object),
        np.array([True, 1], dtype=object),
        np.array(["nan", "None"], dtype=object),
        np.array([2.5, "x"], dtype=object),
    ],
    ids=lambda c: str(c.tolist()),
)
def test_columns_of_any_type_come_back_from_disk_as_they_were(column: Any, tmp_path: Path) -> None:
    prep = ap.wrap(nn.Linear(3, 2).eval(), torch.randn(2, 3))
    stimuli = ap.Stimuli(torch.randn(2, 3), {"c": column})
    held = ap.record(prep, stimuli, "output", progress=False)["output"]["c"].to_numpy()
    ap.record(prep, stimuli, "output", out=tmp_path / "r.zarr", progress=False)
    opened = ap.Recording.open(tmp_path / "r.zarr")["output"]["c"].to_numpy()
    assert [(type(a), a) for a in held.tolist()] == [(type(a), a) for a in opened.tolist()]


def test_a_missing_value_is_not_its_own_text() -> None:
    x = torch.zeros(2, 1)
    a, b = (ap.Stimuli(x, {"c": ["a", v]}).conditions_digest() for v in (None, "nan"))
    assert a != b


ACTIVITY: dict[str, Any] = {
    "masked": np.ma.array(np.where(GAPS[:, None], 1e6, X), mask=np.broadcast_to(GAPS[:, None], X.shape)),
    "masked integers": np.ma.array((10 * X).astype(int), mask=np.broadcast_to(GAPS[:, None], X.shape)),
    "list of masked rows": [np.ma.array(row, mask=[g, False, False]) for row, g in zip(X, GAPS)],
    "NaN": np.where(GAPS[:, None], np.nan, X),
    "table": pd.DataFrame({"a": FORMS["Int64"], "b": X[:, 1]}),
    "objects": GAPPED,
    "DataArray of objects": xr.DataArray(GAPPED, dims=("trial", "unit")),
    "masked DataArray": xr.DataArray(np.ma.array(X, mask=np.broadcast_to(GAPS[:, None], X.shape)), dims=("trial", "u")),
    "a column of the user's called valid": xr.DataArray(
        np.where(GAPS[:, None], np.nan, X), dims=("trial", "unit"), coords={"valid": ("trial", ~GAPS)}
    ),
}  # fmt: skip


@pytest.mark.parametrize("form", ACTIVITY)
@pytest.mark.parametrize("analysis", ["decode", "tuning_curves", "detectability", "searchlight"])
def test_missing_activity_is_refused_with_the_count(analysis: str, form: str) -> None:
    with pytest.raises(InputError, match=r"on 3( of 40)? trials; leave these out first"):
        getattr(ap, analysis)(ACTIVITY[form], CODES)


def test_masked_arrays_without_a_mask_are_plain() -> None:
    plain, masked = (ap.tuning_curves(a, CODES).curves.values for a in (X, np.ma.array(X, mask=False)))
    np.testing.assert_array_equal(plain, masked)


def test_other_places_refuse_masks_too() -> None:
    masked = np.ma.array(X, mask=np.broadcast_to(GAPS[:, None], X.shape))
    with pytest.raises(InputError, match="NaN or infinite in 3 of 40 units"):
        ap.cell_types(masked)
    with pytest.raises(InputError, match="masked in 3 trials"):
        ap.Stimuli(masked)  # type: ignore[arg-type]
    with pytest.raises(InputError, match="0 or more"):
        ap.probes.signal_detection(np.ma.array([5, 5], mask=[True, False]), 5, 5, 5)
    with warnings.catch_warnings(), pytest.raises(InputError, match="MaskedTensor"):
        warnings.simplefilter("ignore")  # of torch, which calls its masks a prototype
        ap.decode(torch.masked.masked_tensor(torch.tensor(X), torch.ones(N, 3, dtype=torch.bool)), CODES)
    toy = ap.toys.load("xor")
    prep = ap.wrap(toy)
    game = ap.Game(prep, toy.stimuli, toy.score, prep.players("hidden"), kind="zero")
    with pytest.raises(InputError, match="boolean"):
        game(np.ma.array([[True, False]], mask=[[True, False]]))


@pytest.mark.parametrize("column", [[0, None, 1, 1], [0.0, 1.5, 1.0, 1.0], ["a", "b", "c", "d"]])
def test_times_in_a_column_must_be_whole_numbers(column: Any) -> None:
    rnn = nn.RNN(2, 3, batch_first=True).eval()
    x = torch.randn(4, 5, 2)
    prep = ap.wrap(rnn, x)
    with (
        pytest.raises(LesionError, match="column 'when'"),
        ap.lesioned(prep, ap.Lesion("h0", kind="zero", time="when")),
    ):
        prep.run(ap.Stimuli(x, {"when": column}))


def test_no_column_of_the_users_means_padding_or_an_axis() -> None:
    net = nn.Sequential(nn.Conv1d(2, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(24, 2)).eval()
    x = torch.randn(30, 2, 8)
    prep = ap.wrap(net, x)
    flag = np.arange(30) % 5 > 0
    columns = {"valid": flag, "time": flag, "trial": flag, "channel": flag, "condition_time": ~flag}
    rec = ap.record(prep, ap.Stimuli(x, columns), "0", progress=False)["0"]
    reference = ap.record(prep, x, "0", progress=False)["0"]
    np.testing.assert_array_equal(rec.values, reference.values)
    assert rec["condition_valid"].dims == ("trial",) and rec["condition_valid"].values.tolist() == flag.tolist()
    assert rec["condition_condition_time"].values.tolist() == (~flag).tolist()
    a, b = (
        ap.Lesion("0", units=[1], kind="mean", reference=ap.record(prep, ap.Stimuli(x, c), "0", progress=False))
        for c in (columns, {})
    )
    assert a.mean is not None and b.mean is not None
    np.testing.assert_array_equal(a.mean.values, b.mean.values)
    assert a.mean.over == "trial"
    assert ap.decode(rec.mean("time"), "valid", n_permutations=0).chance == 0.5


def test_large_whole_numbers_stay_apart_beside_missing_ones() -> None:
    large = [2**60 + i for i in range(5)]
    for given in (pd.array([*large, None], dtype="Int64"), np.ma.array([*large, 0], mask=[False] * 5 + [True])):
        assert plain_array(given)[:5].tolist() == large
