"""record(): padding, conditions, zarr, interruption."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
import pytest
import torch
import xarray as xr
from fixtures.networks import X, small
from torch import Tensor, nn

import artiphys as ap
from artiphys.errors import ArtiphysError, InputError, RecordingError
from artiphys.recording_stores.zarr_directory import ZarrStore


def stimuli(n: int = 10) -> ap.Stimuli:
    x = torch.randn(n, 3, generator=torch.Generator().manual_seed(1))
    return ap.Stimuli(x, {"side": ["left", "right"] * (n // 2), "level": np.arange(n) / 2}, ids=np.arange(n) + 100)


def language_model() -> ap.Preparation:
    from transformers import BertConfig, BertForMaskedLM

    torch.manual_seed(0)
    config = BertConfig(num_hidden_layers=1, num_attention_heads=2, hidden_size=8, intermediate_size=8, vocab_size=20)
    return ap.wrap(BertForMaskedLM(config).eval())


WORDS = [[3, 4, 5, 6], [7, 8], [9, 10, 11], [12]]


def counting(call: Any, calls: list[int]) -> Any:
    """`Preparation.call`, noting the rows; a hook on the network would be another network."""

    def counted(inputs: Any, **options: Any) -> Any:
        calls.append(len(inputs))
        return call(inputs, **options)

    return counted


def test_many_sites_in_one_pass_equal_one_at_a_time() -> None:
    prep, s = small(), stimuli()
    calls: list[int] = []
    ap.record(prep, s, ["0", "1"])  # looking at a network for the first time runs it too
    call = prep.call
    with patch.object(prep, "call", counting(call, calls)):
        both = ap.record(prep, s, ["0", "1"], batch_size=10)
    assert len(calls) == 1
    for site in ("0", "1"):
        one = ap.record(prep, s, site, batch_size=3)[site]
        np.testing.assert_allclose(both[site], one, rtol=1e-6, atol=1e-7)
        with torch.no_grad():
            expected = prep.run(s, read=site).activity[site]
        np.testing.assert_array_equal(both[site], expected)
    with pytest.raises(InputError, match="no site"):
        both["2"]


def test_conditions_are_coordinates() -> None:
    rec = ap.record(small(), stimuli(), "1")
    data = rec["1"]
    assert data.dims == ("trial", "unit") and data["trial"].values.tolist() == list(range(100, 110))
    assert data["side"].values.tolist() == ["left", "right"] * 5 and float(data["level"][3]) == 1.5
    assert ap.record(small(), stimuli(), "output")["output"].name == "2", "an alias reads its canonical site"
    assert set(rec.to_datatree().children) == {"1"}


def test_padding_enters_no_statistic() -> None:
    prep, s = language_model(), ap.Stimuli.from_tokens(WORDS, {"n": [4, 2, 3, 1]})
    rec = ap.record(prep, s, "blocks.0.hook_resid_post", batch_size=2)
    data = rec["blocks.0.hook_resid_post"]
    assert data.sizes["time"] == 4
    np.testing.assert_array_equal(data["valid"].sum("time"), [4, 2, 3, 1])
    assert data.where(~data["valid"]).isnull().all() and not data.where(data["valid"]).isel(time=0).isnull().any()
    alone = ap.record(prep, torch.tensor([WORDS[1]]), "blocks.0.hook_resid_post")["blocks.0.hook_resid_post"]
    np.testing.assert_allclose(data[1, :2], alone[0], atol=1e-6)
    over = ap.Lesion("blocks.0.hook_resid_post", kind="mean", reference=rec)
    expected = np.concatenate([data.values[i, :n] for i, n in enumerate((4, 2, 3, 1))]).mean(axis=0)
    assert over.mean is not None and over.mean.over == "trial,time"
    np.testing.assert_allclose(over.mean.values, expected, atol=1e-6)


def test_zarr_equals_memory_and_opens_again(tmp_path: Path) -> None:
    prep, s = small(), stimuli()
    memory = ap.record(prep, s, ["0", "1"])
    disk = ap.record(prep, s, ["0", "1"], out=tmp_path / "rec.zarr", batch_size=4)
    again = ap.Recording.open(tmp_path / "rec.zarr")
    for site in ("0", "1"):
        np.testing.assert_allclose(disk[site], memory[site], rtol=1e-6)
        np.testing.assert_array_equal(again[site], disk[site])
        assert again[site].attrs == memory[site].attrs
        for name in ("side", "level", "trial"):
            assert again[site][name].values.tolist() == memory[site][name].values.tolist()
    assert again.attrs == memory.attrs
    assert not list((tmp_path / "rec.zarr").rglob("*.pkl"))


def test_ragged_recordings_keep_their_mask_on_disk(tmp_path: Path) -> None:
    prep, s = language_model(), ap.Stimuli.from_tokens(WORDS)
    disk = ap.record(prep, s, "blocks.*.hook_resid_post", out=tmp_path / "r.zarr", batch_size=3)
    again = ap.Recording.open(tmp_path / "r.zarr")["blocks.0.hook_resid_post"]
    np.testing.assert_array_equal(again["valid"].sum("time"), [4, 2, 3, 1])
    np.testing.assert_array_equal(again, disk["blocks.0.hook_resid_post"])


def interrupt(prep: ap.Preparation, s: ap.Stimuli, path: Path, after: int, **options: Any) -> None:
    write, written = ZarrStore.write, 0

    def stop(store: ZarrStore, start: int, activity: Any) -> None:
        nonlocal written
        written += 1
        if written > after:
            raise KeyboardInterrupt
        write(store, start, activity)

    with patch.object(ZarrStore, "write", stop), pytest.raises(KeyboardInterrupt):
        ap.record(prep, s, options.pop("sites", "1"), out=path, batch_size=3, **options)


def test_interrupted_recording_is_refused_then_finished(tmp_path: Path) -> None:
    prep, s, path = small(), stimuli(), tmp_path / "rec.zarr"
    interrupt(prep, s, path, after=2)
    with pytest.raises(RecordingError, match="6 of 10 trials"):
        ap.Recording.open(path)
    calls: list[int] = []
    call = prep.call
    with patch.object(prep, "call", counting(call, calls)):
        finished = ap.record(prep, s, "1", out=path, batch_size=3)
    assert calls == [3, 1], "only what was missing is run"
    np.testing.assert_allclose(finished["1"], ap.record(prep, s, "1")["1"], rtol=1e-6)
    with pytest.raises(RecordingError, match="finished recording"):
        ap.record(prep, s, "1", out=path)
    assert ap.record(prep, s[:4], "1", out=path, overwrite=True).n_trials == 4


@pytest.mark.parametrize("what", ["model", "stimuli", "sites"])
def test_an_interrupted_recording_of_something_else_is_not_finished(tmp_path: Path, what: str) -> None:
    prep, s, path = small(), stimuli(), tmp_path / "rec.zarr"
    interrupt(prep, s, path, after=1)
    other = {"model": (small(1), s, "1"), "stimuli": (prep, stimuli(8), "1"), "sites": (prep, s, "0")}[what]
    with pytest.raises(RecordingError, match=what):
        ap.record(*other, out=path)


def test_other_peoples_folders_are_left_alone(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    for overwrite in (False, True):
        with pytest.raises(RecordingError):
            ap.record(small(), stimuli(), "1", out=tmp_path, overwrite=overwrite)
    assert (tmp_path / "notes.txt").read_text() == "mine"


def test_trials_of_other_shape_are_refused() -> None:
    class Shrinks(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.a = nn.Identity()

        def forward(self, x: Tensor) -> Tensor:
            n = 2 if bool((x > 5).any()) else 3
            return torch.as_tensor(self.a(x[:, :n]))

    x = torch.zeros(4, 3)
    x[3] = 9
    with pytest.raises(RecordingError, match="equal shapes"):
        ap.record(ap.wrap(Shrinks(), x[:2]), x, "a", batch_size=2)


@pytest.mark.parametrize(
    ("inputs", "message"),
    [
        ("text", "text"),
        (["one", "two"], "text"),
        ([1, 2], "list"),
        (torch.tensor(1.0), "single number"),
        (torch.tensor([[1.0, float("nan")]]), "NaN"),
        ({}, "empty mapping"),
        ({"a": torch.zeros(2), "b": torch.zeros(3)}, "2 and 3 trials"),
        (torch.zeros(0, 3), "at least one trial"),
    ],
)
def test_bad_stimuli_say_what_to_do(inputs: Any, message: str) -> None:
    with pytest.raises(InputError, match=message):
        ap.record(small(), inputs, "1")


def test_bad_conditions_and_ids() -> None:
    x = torch.zeros(3, 3)
    with pytest.raises(InputError, match="2 rows for 3 trials"):
        ap.Stimuli(x, {"a": [1, 2]})
    with pytest.raises(InputError, match="different integers"):
        ap.Stimuli(x, ids=[1, 1, 2])
    with pytest.raises(InputError, match="batch_size"):
        ap.record(small(), x, "1", batch_size=0)
    with pytest.raises(InputError, match="no sites"):
        ap.record(small(), x, [])
    with pytest.raises(InputError, match="from_texts"):
        ap.Stimuli.from_tokens(["hello"])  # type: ignore[list-item]
    with pytest.raises(InputError, match="no tokenizer"):
        ap.Stimuli.from_texts(None, ["hello"])


def test_record_sees_a_lesion_that_is_in_force() -> None:
    prep, s = small(), stimuli()
    with ap.lesioned(prep, ap.Lesion("1", units=[2], kind="clamp", value=0.5)):
        assert (ap.record(prep, s, "1")["1"][:, 2] == 0.5).all()


def test_resuming_under_other_conditions_is_refused(tmp_path: Path) -> None:
    prep, path = small(), tmp_path / "r.zarr"
    s = ap.Stimuli(X, {"side": np.arange(12)})
    interrupt(prep, s, path, after=2)
    with pytest.raises(RecordingError, match="other lesions"), ap.lesioned(prep, ap.Lesion("0", kind="zero")):
        ap.record(prep, s, "1", out=path)
    with pytest.raises(RecordingError, match="other conditions"):
        ap.record(prep, ap.Stimuli(X, {"side": np.arange(12) + 1}), "1", out=path)
    assert ap.record(prep, s, "1", out=path).n_trials == 12


MISUSE: list[tuple[Any, str]] = [
    (lambda: ap.record(small(), X, 3), "sites came as 3"),  # type: ignore[arg-type]
]


@pytest.mark.parametrize(("use", "message"), MISUSE)
def test_misuse_is_not_accepted_silently(use: Any, message: str) -> None:
    with pytest.raises(ArtiphysError, match=message):
        use()


@pytest.mark.parametrize("foreign", ["xarray", "a campaign", "beside a recording", "nothing of zarr"])
def test_overwriting_replaces_recordings_only(foreign: str, tmp_path: Path) -> None:
    path, x = tmp_path / "mine.zarr", torch.randn(5, 3)
    prep = ap.wrap(nn.Linear(3, 2).eval(), x)
    if foreign == "xarray":
        xr.Dataset({"spikes": (("trial", "unit"), np.ones((4, 3)))}).to_zarr(path, consolidated=False)
    elif foreign == "a campaign":
        y = ap.Stimuli(x, {"y": np.arange(5) % 2})
        ap.Game(prep, y, ap.scores.log_prob("y"), prep.players("output"), kind="zero", cache=path).intact  # noqa: B018
    elif foreign == "beside a recording":
        ap.record(prep, x, "output", out=path, progress=False)
        (path / "notes.txt").write_text("x")
    else:
        path.mkdir()
        (path / "notes.txt").write_text("x")
    before = {p: p.read_bytes() for p in path.rglob("*") if p.is_file()}
    with pytest.raises(RecordingError, match="overwrite=True replaces recordings only"):
        ap.record(prep, x, "output", out=path, overwrite=True, progress=False)
    assert {p: p.read_bytes() for p in path.rglob("*") if p.is_file()} == before


def test_overwriting_a_recording_finished_or_not_and_an_empty_folder(tmp_path: Path) -> None:
    x = torch.randn(5, 3)
    prep = ap.wrap(nn.Linear(3, 2).eval(), x)
    (tmp_path / "r.zarr").mkdir()
    for _ in range(2):
        ap.record(prep, x, "output", out=tmp_path / "r.zarr", overwrite=True, progress=False)
    assert ap.Recording.open(tmp_path / "r.zarr").n_trials == 5


def test_a_path_below_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    prep = ap.wrap(nn.Linear(3, 2).eval(), torch.randn(5, 3))
    with pytest.raises(RecordingError, match="file is a file"):
        ap.record(prep, torch.randn(5, 3), "output", out=tmp_path / "file" / "r.zarr", progress=False)
