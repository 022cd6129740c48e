"""Specimens: the real networks do what they are known to do."""

from __future__ import annotations

import importlib.util
from typing import Any

import numpy as np
import pytest
import torch
from fixtures.games import looped, some

import artiphys as ap
from artiphys.errors import InputError, MissingExtraError
from artiphys.specimens.efficientnet import gratings


def test_missing_package_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    for name in ap.specimens.names():
        with pytest.raises(MissingExtraError, match=r"\[specimens\]"):
            ap.specimens.load(name)
    with pytest.raises(ImportError):
        ap.specimens.load("minilm")


def test_unknown_specimen() -> None:
    with pytest.raises(InputError, match="did you mean 'smollm2-135m'"):
        ap.specimens.load("smollm2")


def test_gratings_have_their_orientation_and_period() -> None:
    s = gratings(4, 2, period=16.0)
    assert isinstance(s.inputs, torch.Tensor)
    assert s.conditions["orientation"].tolist() == [0, 0, 45, 45, 90, 90, 135, 135]
    vertical = s.inputs[0, 0]
    assert torch.equal(vertical[0], vertical[100]), "orientation 0 varies along x alone"
    spectrum = torch.fft.rfft(vertical[0]).abs()
    assert int(spectrum[1:].argmax()) + 1 == 224 // 16
    assert float(s.inputs.min()) >= -1 and float(s.inputs.max()) <= 1.004


@pytest.fixture(scope="module")
def smollm2() -> Any:
    return ap.specimens.load("smollm2-135m", n_prompts=32)


@pytest.mark.specimens
@pytest.mark.slow
def test_smollm2_knows_paris_and_the_task(smollm2: Any) -> None:
    prep = ap.wrap(smollm2)
    with torch.no_grad():
        logits = prep.run(ap.Stimuli.from_texts(prep.tokenizer, ["The capital of France is"]), last_only=True).outputs
        assert prep.tokenizer.decode(int(logits.argmax())).strip() == "Paris"
        assert float(logits.softmax(-1).max()) == pytest.approx(0.77, abs=0.02)
        values = smollm2.score(prep.run(smollm2.stimuli, last_only=True).outputs, smollm2.stimuli)
    assert float(values.mean()) > 4 and float((values > 0).double().mean()) > 0.9


@pytest.mark.specimens
@pytest.mark.slow
def test_smollm2_without_its_heads_prefers_no_name(smollm2: Any) -> None:
    """Every template and pair comes with both givers: what is left without attention cancels."""
    pairs = smollm2.stimuli.conditions.groupby("pair")
    assert all(set(rows["correct"]) == set(rows["wrong"]) and rows["template"].nunique() == 1 for _, rows in pairs)
    assert all(set(rows["order"]) == {"object first", "object second"} for _, rows in pairs)
    prep, trials = ap.wrap(smollm2), smollm2.stimuli[:8]
    heads = prep.players("blocks.*.attn.hook_z", group_by="site")
    game = ap.Game(prep, trials, smollm2.score, heads, kind="mean")
    assert abs(game.lesioned) < 1e-3 < 1 < game.intact


@pytest.mark.specimens
@pytest.mark.slow
def test_smollm2_heads_of_the_indirect_object_task(smollm2: Any) -> None:
    """Independently measured on other prompts: 23.3 costs 2.19, 29.1 1.08, 29.0 gives .86."""
    prep, trials = ap.wrap(smollm2), smollm2.stimuli[:16]
    heads = {"23.3": (23, 3), "29.1": (29, 1), "29.0": (29, 0), "5.5": (5, 5)}
    players = [p for la, h in heads.values() for p in prep.players(f"blocks.{la}.attn.hook_z", units=[h])]
    game = ap.Game(prep, trials, smollm2.score, players, kind="mean")
    one = dict(zip(heads, ap.single_lesions(game).values.to_numpy()))
    assert one["23.3"] == pytest.approx(2.19, abs=0.6) and one["29.1"] == pytest.approx(1.08, abs=0.5)
    assert one["29.0"] == pytest.approx(-0.86, abs=0.5) and abs(one["5.5"]) < 0.2
    phi = ap.shapley(game)
    assert phi.gap == pytest.approx(0, abs=1e-5) and (phi.stderr_stimuli > 0).all()
    low, high = phi.interval()
    assert float(low[0]) > 0 and float(high[2]) < 0


@pytest.mark.specimens
@pytest.mark.slow
def test_smollm2_coalitions_share_prefixes_and_equal_the_loop(smollm2: Any) -> None:
    prep, trials = ap.wrap(smollm2), smollm2.stimuli[:4]
    heads = [(20, 1), (23, 3), (28, 0), (29, 1), (29, 0)]
    players = [p for la, h in heads for p in prep.players(f"blocks.{la}.attn.hook_z", units=[h])]
    game = ap.Game(prep, trials, smollm2.score, players, kind="mean")
    coalitions = some(12, len(heads))
    assert game(coalitions) == pytest.approx(looped(game, coalitions), rel=1e-5, abs=1e-5)
    plan = game.plan(np.logical_not(coalitions), measure=False)
    assert plan.sharing == "prefixes shared over 30 stages, the last at the positions wanted"
    assert plan.ceiling > 3  # everything below block 20 runs once


@pytest.mark.specimens
@pytest.mark.slow
def test_smollm2_head_lesion_is_the_weight_edit(smollm2: Any) -> None:
    prep, trials = ap.wrap(smollm2), smollm2.stimuli[:4]
    weight = dict(prep.model.named_parameters())
    (name,) = [n for n in weight if ".23." in n and "o_proj" in n]
    with torch.no_grad():
        with ap.lesioned(prep, ap.Lesion("blocks.23.attn.hook_z", units=[3], kind="zero")):
            got = prep.run(trials).outputs
        kept = weight[name][:, 192:256].clone()
        weight[name][:, 192:256] = 0
        expected = prep.run(trials).outputs
        weight[name][:, 192:256] = kept
    assert float((got - expected).abs().max() / expected.abs().max()) < 1e-5


@pytest.mark.specimens
def test_minilm_embeds_sentences() -> None:
    found = ap.specimens.load("minilm")
    prep = ap.wrap(found)
    with torch.no_grad():
        run = prep.run(found.stimuli, read="blocks.5.hook_resid_post")
    rec = ap.record(prep, found.stimuli, "blocks.5.hook_resid_post")["blocks.5.hook_resid_post"]
    pooled = rec.mean("time", skipna=True).to_numpy()  # padding is NaN and left out
    np.testing.assert_allclose(run.outputs, pooled / np.linalg.norm(pooled, axis=1, keepdims=True), atol=1e-5)
    texts = ["A man is eating food.", "A man is eating a piece of bread.", "The stock market fell sharply."]
    with torch.no_grad():
        a, b, c = prep.run(ap.Stimuli.from_texts(prep.tokenizer, texts)).outputs
    assert float(a @ b) > 0.6 > 0.3 > float(a @ c)
    values = found.score(run.outputs, found.stimuli)
    assert float((values > 0).double().mean()) > 0.9


@pytest.mark.specimens
def test_efficientnet_sees_orientation() -> None:
    found = ap.specimens.load("efficientnet-lite0", n_orientations=6, n_phases=4)
    prep = ap.wrap(found)
    assert prep.sites["_blocks.0"].axes == ("channel", "height", "width")
    rec = ap.record(prep, found.stimuli, ["_conv_stem", "_blocks.2"])
    early = rec["_conv_stem"].var(["height", "width"])
    tuning = ap.tuning_curves(early, "orientation", circular=True, period=180)
    assert tuning.kind == "circular" and float(tuning.selectivity().max()) > 0.9
    game = ap.Game(prep, found.stimuli[:6], found.score, prep.players("_blocks.0", units=range(4)), kind="mean")
    assert ap.shapley(game).gap == pytest.approx(0, abs=1e-6)
