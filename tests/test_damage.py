"""Killed and damaged recordings and campaigns: gone on with, or refused; never read as data."""

from __future__ import annotations

import json
import pickle
import random
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import zarr
from fixtures.killing import flip_a_bit
from torch import nn

import artiphys as ap
from artiphys.errors import CampaignError, RecordingError

ROOT = Path(__file__).parents[1]
X = torch.randn(9, 4, generator=torch.Generator().manual_seed(0))
TRIALS = ap.Stimuli(X, {"side": ["left", "right", None] * 3, "level": np.arange(9)})


def net() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(4, 3), nn.ReLU(), nn.Linear(3, 2)).eval()


@pytest.mark.slow
@pytest.mark.parametrize("what", ["recording", "overwriting", "campaign"])
def test_killed_before_any_operation_on_files_it_goes_on_to_the_same_result(what: str, tmp_path: Path) -> None:
    program = ROOT / "tests/fixtures/kill_everywhere.py"
    done = subprocess.run([sys.executable, program, what, tmp_path], capture_output=True, text=True, timeout=500)
    assert done.returncode == 0, done.stdout + done.stderr[-3000:]
    assert int(done.stdout.split()[0]) > 80


def recorded(path: Path) -> ap.Recording:
    return ap.record(ap.wrap(net(), example=X[:2]), TRIALS, ["0", "2"], out=path, batch_size=2, progress=False)


def contents(rec: Any) -> list[Any]:
    kept = [rec[name].to_numpy() for name in ("0", "2")]
    return [*kept, *(rec["0"][c].to_numpy().tolist() for c in ("trial", "level", "side")), repr(rec.attrs["sites"])]


def test_flipped_and_deleted_files_are_never_read_as_data(tmp_path: Path) -> None:
    """200 trials over all files of a recording, whatever they are: an error, or the same as before."""
    expected = contents(recorded(tmp_path / "whole"))
    rng, refused = random.Random(0), 0
    for trial in range(200):
        path = tmp_path / "damaged"
        shutil.copytree(tmp_path / "whole", path)
        chunks = [p for p in sorted(path.rglob("*")) if p.is_file()]
        file = rng.choice(chunks)
        file.unlink() if trial % 2 else flip_a_bit(file, rng)
        try:
            found = contents(ap.Recording.open(path))
        except RecordingError:
            refused += 1
        else:
            for a, b in zip(found, expected):
                np.testing.assert_array_equal(a, b, err_msg=str(file))
        shutil.rmtree(path)
    assert refused > 190


def test_a_chunk_removed_after_opening_is_an_error(tmp_path: Path) -> None:
    rec = recorded(tmp_path / "r.zarr")
    lazy = rec["0"]
    for chunk in (tmp_path / "r.zarr/0/activity/c").rglob("*"):
        if chunk.is_file():
            chunk.unlink()
    with pytest.raises(RecordingError, match="is missing"):
        lazy.to_numpy()


def test_a_recording_of_many_small_batches_is_few_files(tmp_path: Path) -> None:
    x = torch.randn(300, 4)
    ap.record(ap.wrap(net(), example=X[:2]), x, ["0", "2"], out=tmp_path / "r", batch_size=1, progress=False)
    assert sum(p.is_file() for p in (tmp_path / "r").rglob("*")) < 15


def test_a_full_disk_says_what_is_there_and_is_gone_on_from(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from artiphys import zarr_files
    from artiphys.recording_stores import zarr_directory

    monkeypatch.setattr(zarr_directory, "CHUNK_BYTES", 40)
    put, n_put = zarr_files.put_group, 0

    def full(*args: Any) -> None:
        nonlocal n_put
        n_put += 1
        if n_put > 2:
            raise OSError(28, "No space left on device")
        put(*args)

    monkeypatch.setattr(zarr_directory, "put_group", full)
    with pytest.raises(RecordingError, match=r"No space left.*2 of 9 trials are on disk and stay"):
        recorded(tmp_path / "r")
    monkeypatch.setattr(zarr_directory, "put_group", put)
    whole = ap.record(ap.wrap(net(), example=X[:2]), TRIALS, ["0", "2"], progress=False)
    np.testing.assert_allclose(recorded(tmp_path / "r")["2"], whole["2"], rtol=1e-6)


def played(path: Path) -> Any:
    prep = ap.wrap(net(), example=X[:2])
    trials = ap.Stimuli(X, {"y": np.arange(9) % 2})
    game = ap.Game(prep, trials, ap.scores.log_prob("y"), prep.players("0"), kind="zero", cache=path, progress=False)
    return game, game(np.array([[1, 1, 1], [0, 1, 0]], dtype=bool))


@pytest.mark.filterwarnings("ignore:.*is damaged")
def test_flipped_and_deleted_files_of_a_campaign_cost_their_values_only(tmp_path: Path) -> None:
    expected = played(tmp_path / "whole")[1]
    rng = random.Random(0)
    for trial in range(60):
        path = tmp_path / "damaged"
        shutil.copytree(tmp_path / "whole", path)
        file = rng.choice([p for p in sorted(path.rglob("*")) if p.is_file()])
        file.unlink() if trial % 2 else flip_a_bit(file, rng)
        try:
            found = played(path)[1]
        except CampaignError:
            assert file == path / "zarr.json"
        else:
            np.testing.assert_allclose(found, expected, rtol=1e-6)
        shutil.rmtree(path)


def test_a_batch_damaged_while_a_game_is_open_is_noticed(tmp_path: Path) -> None:
    played(tmp_path / "c")
    prep = ap.wrap(net(), example=X[:2])
    trials = ap.Stimuli(X, {"y": np.arange(9) % 2})
    score = ap.scores.log_prob("y")
    game = ap.Game(prep, trials, score, prep.players("0"), kind="zero", cache=tmp_path / "c", progress=False)
    for file in (tmp_path / "c").rglob("values/c/*/*"):
        flip_a_bit(file, random.Random(0))
    with pytest.raises(CampaignError, match="call again"):
        _ = game.intact
    assert np.isfinite(game.intact)


def test_nothing_on_disk_runs_code_when_it_is_opened(tmp_path: Path) -> None:
    """Stores of zarr's format 2, with filters that unpickle, and pickles among the files."""
    path = tmp_path / "evil"
    mark = tmp_path / "ran"
    evil = pickle.dumps(_Touch(str(mark)))
    path.mkdir()
    group = {".zgroup": {"zarr_format": 2}, ".zattrs": {"recording": {}, "n_done": 1, "artiphys_campaign": 1}}
    array = {"zarr_format": 2, "shape": [1], "chunks": [1], "dtype": "|O", "compressor": None, "fill_value": None,
             "order": "C", "filters": [{"id": "pickle"}]}  # fmt: skip
    for name, content in group.items():
        (path / name).write_text(json.dumps(content))
    for name in ("trial", "keys", "values", "activity", "0"):
        (path / name).mkdir()
        (path / name / ".zarray").write_text(json.dumps(array))
        (path / name / "0").write_bytes(evil)
    pickle.loads(evil)
    assert mark.exists(), "the trap works"
    mark.unlink()
    with pytest.raises(RecordingError):
        ap.Recording.open(path)
    with pytest.raises(CampaignError):
        played(path)
    # Such arrays inside of a recording that is otherwise ours.
    recorded(tmp_path / "ours")
    for name in ("trial", "0/activity", "conditions/level"):
        shutil.rmtree(tmp_path / "ours" / name)
        shutil.copytree(path / "trial", tmp_path / "ours" / name)
    with pytest.raises((RecordingError, FileNotFoundError)):
        contents(ap.Recording.open(tmp_path / "ours"))
    assert not mark.exists()


class _Touch:
    def __init__(self, path: str) -> None:
        self.path = path

    def __reduce__(self) -> Any:
        return (Path(self.path).touch, ())


def test_stores_are_of_format_3(tmp_path: Path) -> None:
    recorded(tmp_path / "r")
    played(tmp_path / "c")
    for path in (tmp_path / "r", tmp_path / "c"):
        assert zarr.open_group(str(path), mode="r").metadata.zarr_format == 3
        assert not list(path.rglob(".z*"))
