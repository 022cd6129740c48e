"""Campaigns: values on disk survive kills, are reused where lesions are the same, and never where they are not."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import zarr
from fixtures.games import coalitions
from fixtures.networks import normal, two_layers
from torch import nn

import artiphys as ap
from artiphys.errors import CampaignError, InputError

EVERY = coalitions(4)


def setting(seed: int = 0) -> tuple[ap.Preparation, ap.Stimuli]:
    x = normal(12, 5)
    return ap.wrap(two_layers(5, 4, 3, seed=seed), x), ap.Stimuli(x, {"label": np.arange(12) % 3})


def play(path: Any, seed: int = 0, **options: Any) -> ap.Game:
    prep, stimuli = setting(seed)
    players = options.pop("players", None) or prep.players("1")
    options = {"kind": "zero"} | options
    return ap.Game(prep, stimuli, options.pop("score", ap.scores.log_prob("label")), players, cache=path, **options)


def test_a_second_game_reuses_values_also_with_other_players(tmp_path: Path) -> None:
    path = tmp_path / "campaign.zarr"
    first = play(path)
    values = first(EVERY)
    again = play(path)
    assert np.array_equal(again(EVERY), values) and first.n_evaluations == 16 and again.n_evaluations == 0
    pairs = play(path, players=setting()[0].players("1", group_by=[[0, 1], [2, 3]]))
    assert pairs([[False, True]])[0] == values[0b1100] and pairs.n_evaluations == 0
    some = play(path, players=setting()[0].players("1", units=[2]))
    assert some([[False]])[0] == values[0b1011] and some.n_evaluations == 0
    assert zarr.open_group(str(path), mode="r").attrs["artiphys_campaign"] == 1


def test_changed_models_scores_kinds_and_stimuli_share_nothing(tmp_path: Path) -> None:
    play(tmp_path)(EVERY)
    for options in ({"seed": 1}, {"score": ap.scores.accuracy("label")}, {"kind": "mean"}):
        game = play(tmp_path, **options)
        game(EVERY[:5])
        assert game.n_evaluations == 5, options
    prep, stimuli = setting()
    other = ap.Stimuli(stimuli.inputs, {"label": np.arange(12)[::-1] % 3})  # the score reads a column
    relabelled = ap.Game(prep, other, ap.scores.log_prob("label"), prep.players("1"), kind="zero", cache=tmp_path)
    relabelled(EVERY[:5])
    assert relabelled.n_evaluations == 5
    with pytest.raises(InputError, match="key="):
        play(tmp_path, score=lambda outputs, trials: outputs[:, 0])


def test_lesions_in_force_around_a_game_are_part_of_the_key(tmp_path: Path) -> None:
    game = play(tmp_path)
    plain = game(EVERY[15:])
    with ap.lesioned(game.prep, ap.Lesion("0", units=[0], kind="clamp", value=2.0)):
        assert game(EVERY[15:])[0] != plain[0]
    fresh = play(tmp_path)
    assert fresh(EVERY[15:])[0] == plain[0] and fresh.n_evaluations == 0


def test_other_directories_and_unwritable_ones_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "mine.txt").write_text("mine")
    with pytest.raises(CampaignError, match="no campaign"):
        play(tmp_path)
    assert (tmp_path / "mine.txt").read_text() == "mine"
    with pytest.raises(CampaignError, match="cannot be written"):
        play(tmp_path / "mine.txt")
    game = play(tmp_path / "good")

    def full(*_: Any, **__: Any) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "rename", full)
        with pytest.raises(CampaignError, match="No space left"):
            game(EVERY)
    spent = game.n_evaluations
    assert spent > 0
    game(EVERY)  # there is room again: what waited is written too
    assert game.n_evaluations == 16
    after = play(tmp_path / "good")
    after(EVERY)
    assert after.n_evaluations == 0


def test_a_read_only_directory_is_refused_and_left_as_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    play(tmp_path)(EVERY[:4])
    before = sorted((p, p.stat().st_size) for p in tmp_path.rglob("*"))

    def refused(*_: Any, **__: Any) -> None:
        raise OSError(30, "Read-only file system")

    with monkeypatch.context() as patch:  # root may write anywhere, so permissions would not do
        for name in ("mkdir", "makedirs", "rename", "replace"):
            patch.setattr(os, name, refused)
        with pytest.raises(CampaignError, match="Read-only"):
            play(tmp_path)(EVERY)
    kept = [(p, s) for p, s in sorted((p, p.stat().st_size) for p in tmp_path.rglob("*")) if (p, s) in before]
    assert kept == before
    assert play(tmp_path)(EVERY) == pytest.approx(play(None)(EVERY), abs=1e-12)


def test_screening_is_resumed_from_a_campaign(tmp_path: Path) -> None:
    _, stimuli = setting()
    wide = ap.wrap(nn.Sequential(nn.Linear(5, 40), nn.Tanh(), nn.Linear(40, 3)).eval(), stimuli.inputs)

    def screened() -> tuple[ap.Game, ap.Attribution]:
        game = ap.Game(wide, stimuli, ap.scores.log_prob("label"), wide.players("1"), kind="zero", cache=tmp_path)
        return game, ap.shapley(game, method="screening", top_k=2, budget=900, progress=False)

    first, found = screened()
    again, same = screened()
    assert first.n_evaluations == found.n_evaluations <= 900 and again.n_evaluations == 0
    assert np.array_equal(found.values, same.values) and found.why == same.why
    assert np.array_equal(found.stderr, same.stderr)


def test_a_damaged_batch_costs_its_values_and_nothing_else(tmp_path: Path) -> None:
    values = play(tmp_path)(EVERY)
    batch = next(p for c in tmp_path.iterdir() if c.is_dir() for p in c.iterdir() if p.is_dir())
    for file in (batch / "values").rglob("*"):
        if file.is_file() and file.name != "zarr.json":
            file.write_bytes(b"\0" * file.stat().st_size)
    with pytest.warns(UserWarning, match="damaged"):
        game = play(tmp_path)
    assert np.array_equal(game(EVERY), values) and game.n_evaluations > 0


SCRIPT = textwrap.dedent("""
    import sys, time
    import numpy as np, torch
    from torch import nn
    import artiphys as ap
    torch.set_num_threads(1)
    torch.manual_seed(0)
    net = nn.Sequential(nn.Linear(5, 10), nn.Tanh(), nn.Linear(10, 3)).eval()
    x = torch.randn(12, 5, generator=torch.Generator().manual_seed(1))
    prep = ap.wrap(net, x)

    def slow(outputs, trials):
        with open(sys.argv[2], "a") as log:
            log.write(f"{outputs.sum():.9f}\\n")
        time.sleep(0.004)
        return outputs.log_softmax(-1)[:, 0]

    score = ap.scores.Score(slow, "slow", key="slow")
    game = ap.Game(prep, ap.Stimuli(x), score, prep.players("1"), kind="zero", cache=sys.argv[1], batch_size=96,
                   progress=False)
    phi = ap.shapley(game, budget=1024)
    print("DONE", phi.values.to_numpy().tobytes().hex())
""")


def run(script: Path, folder: Path, log: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, str(script), str(folder), str(log)], stdout=subprocess.PIPE, text=True, env=os.environ
    )


@pytest.mark.slow
def test_killed_at_random_moments_it_resumes_to_the_identical_result(tmp_path: Path) -> None:
    """SIGKILL at 20 moments of one campaign; at most one block of 8 coalitions is repeated each time."""
    script = tmp_path / "campaign.py"
    script.write_text(SCRIPT)
    whole = run(script, tmp_path / "whole", tmp_path / "whole.log")
    expected = whole.communicate()[0]
    n_calls = len((tmp_path / "whole.log").read_text().split())
    rng = random.Random(0)
    log = tmp_path / "killed.log"
    kills = 0
    while kills < 20:
        process = run(script, tmp_path / "killed", log)
        started = len(log.read_text().split()) if log.exists() else 0
        while process.poll() is None and (len(log.read_text().split()) if log.exists() else 0) <= started:
            time.sleep(0.01)  # until it computes
        time.sleep(rng.random() * 0.08)
        assert process.poll() is None, "it ended before it could be killed 20 times"
        process.send_signal(signal.SIGKILL)
        process.communicate()  # waits, and closes its output
        kills += 1
    output = run(script, tmp_path / "killed", log).communicate()[0]
    assert output == expected and output.startswith("DONE")
    # Nothing is repeated but the block in progress (8) and what waits for the disk (50 ms of blocks, another 16).
    assert len(log.read_text().split()) <= n_calls + kills * (8 + 16)
