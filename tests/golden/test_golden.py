"""What version 0.1.0 wrote: names on disk are what they were, and its campaign and recordings open and resume."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from golden import cases

import artiphys as ap

HERE = Path(__file__).parent
OLD = HERE / "v0.1"
WRITTEN = json.loads((OLD / "names.json").read_text())


NOW = cases.names()


@pytest.mark.parametrize("what", ["lesions", "labels", "games", "players", "scores"])
def test_names_on_disk_are_what_they_were(what: str) -> None:
    assert NOW[what] == WRITTEN[what]


def test_the_old_campaign_resumes(tmp_path: Path) -> None:
    shutil.copytree(OLD / "campaign", tmp_path / "campaign")
    game = cases.campaign(tmp_path / "campaign")
    known = game.per_trial(cases.COALITIONS[: cases.N_KNOWN])
    assert game.n_evaluations == 0 and known.tolist() == WRITTEN["values"]  # to the last bit
    rest = game.per_trial(cases.COALITIONS)
    assert game.n_evaluations == 16 - cases.N_KNOWN and rest[: cases.N_KNOWN].tolist() == WRITTEN["values"]
    fresh = cases.campaign(tmp_path / "fresh").per_trial(cases.COALITIONS)
    assert rest == pytest.approx(fresh, rel=1e-6)


def test_the_old_recording_opens() -> None:
    rec = ap.Recording.open(OLD / "recording")
    assert list(rec) == ["h0"] and rec["h0"].values.tolist() == WRITTEN["activity"]
    assert rec["h0"]["side"].values.tolist() == ["left", "right", "left", "right"]
    prep, stimuli = cases.recurrent()
    assert rec.attrs["model"] == prep.fingerprint() and rec.attrs["stimuli"] == stimuli.digest()


def test_the_old_interrupted_recording_resumes(tmp_path: Path) -> None:
    shutil.copytree(OLD / "interrupted", tmp_path / "recording")
    prep, stimuli = cases.recurrent()
    calls: list[int] = []
    handle = prep.model.register_forward_pre_hook(lambda module, args: calls.append(len(args[0])))
    prep.look()
    calls.clear()
    rec = ap.record(prep, cases.series(stimuli), ["h0", "output"], out=tmp_path / "recording", progress=False)
    handle.remove()
    assert sum(calls) == 1, "only the trial that was missing is run"
    assert np.array_equal(rec["h0"].values, np.array(WRITTEN["activity"], dtype=np.float32))
