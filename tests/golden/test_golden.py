"""What version 0.1.0 wrote: names on disk are what they were, and its campaign and recordings open and resume."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
import pytest
from golden import cases

import artiphys as ap
from artiphys.preparation.identity import Identity

HERE = Path(__file__).parent
OLD = HERE / "v0.1"
WRITTEN = json.loads((OLD / "names.json").read_text())


def weights_alone(identity: Identity) -> str:
    """The fingerprint up to version 0.2, which could not tell a tanh from a ReLU."""
    return FINGERPRINT(identity).partition("-")[0]


FINGERPRINT = Identity.fingerprint
with patch.object(Identity, "fingerprint", weights_alone):
    NOW = cases.names()


@pytest.mark.parametrize("what", ["lesions", "labels", "games", "players", "scores"])
def test_names_on_disk_are_what_they_were_but_for_the_networks_code(what: str) -> None:
    assert NOW[what] == WRITTEN[what]


def test_the_old_campaign_resumes_where_the_code_is_known_to_be_the_same(tmp_path: Path) -> None:
    shutil.copytree(OLD / "campaign", tmp_path / "campaign")
    with patch.object(Identity, "fingerprint", weights_alone):
        game = cases.campaign(tmp_path / "campaign")
        known = game.per_trial(cases.COALITIONS[: cases.N_KNOWN])
        assert game.n_evaluations == 0 and known.tolist() == WRITTEN["values"]  # to the last bit
        rest = game.per_trial(cases.COALITIONS)
        assert game.n_evaluations == 16 - cases.N_KNOWN and rest[: cases.N_KNOWN].tolist() == WRITTEN["values"]
        fresh = cases.campaign(tmp_path / "fresh").per_trial(cases.COALITIONS)
        assert rest == pytest.approx(fresh, rel=1e-6)


def test_the_old_campaign_is_left_alone_where_it_is_not(tmp_path: Path) -> None:
    shutil.copytree(OLD / "campaign", tmp_path / "campaign")
    game = cases.campaign(tmp_path / "campaign")
    again = game.per_trial(cases.COALITIONS[: cases.N_KNOWN])
    assert game.n_evaluations == cases.N_KNOWN and again.tolist() == WRITTEN["values"]
    assert cases.campaign(tmp_path / "campaign").per_trial(cases.COALITIONS[: cases.N_KNOWN]).tolist() == again.tolist()
    assert len([p for p in (tmp_path / "campaign").iterdir() if p.is_dir()]) == 2


def test_the_old_recording_opens() -> None:
    rec = ap.Recording.open(OLD / "recording")
    assert list(rec) == ["h0"] and rec["h0"].values.tolist() == WRITTEN["activity"]
    assert rec["h0"]["side"].values.tolist() == ["left", "right", "left", "right"]
    prep, stimuli = cases.recurrent()
    assert rec.attrs["model"] == prep.fingerprint().partition("-")[0] and rec.attrs["stimuli"] == stimuli.digest()


def counting(call: Any, calls: list[int]) -> Any:
    """`Preparation.call`, noting the rows; a hook on the network would be another network."""

    def counted(inputs: Any, **options: Any) -> Any:
        calls.append(len(inputs))
        return call(inputs, **options)

    return counted


def test_the_old_interrupted_recording_resumes(tmp_path: Path) -> None:
    shutil.copytree(OLD / "interrupted", tmp_path / "recording")
    prep, stimuli = cases.recurrent()
    calls: list[int] = []
    prep.require_steady(cases.series(stimuli), prep.fingerprint())  # runs some trials the first time
    call = prep.call
    with patch.object(prep, "call", counting(call, calls)):
        rec = ap.record(prep, cases.series(stimuli), ["h0", "output"], out=tmp_path / "recording", progress=False)
    assert sum(calls) == 1, "only the trial that was missing is run"
    assert np.array_equal(rec["h0"].values, np.array(WRITTEN["activity"], dtype=np.float32))
