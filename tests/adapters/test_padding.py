"""Times count real positions of the sequence that a site belongs to; a last position is the decoder's."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from fixtures.families import FAMILIES
from torch import Tensor

import artiphys as ap
from artiphys.errors import InputError, LesionError

T5 = FAMILIES["T5ForConditionalGeneration"]
LLAMA = FAMILIES["LlamaForCausalLM"]
QUIET: dict[str, Any] = {"progress": False}


def ragged_encoder_decoder() -> tuple[Any, dict[str, Tensor], ap.Stimuli]:
    inputs = {k: torch.cat([v, v.flip(0)]) for k, v in T5.inputs().items()}
    inputs["attention_mask"] = torch.ones_like(inputs["input_ids"])
    inputs["attention_mask"][:3, 4:] = 0
    inputs["decoder_attention_mask"] = torch.ones_like(inputs["decoder_input_ids"])
    inputs["decoder_attention_mask"][2:4, 3:] = 0
    return T5.make(), inputs, ap.Stimuli(inputs, {"target": np.arange(6)})


def last_log_probs(model: Any, inputs: dict[str, Tensor]) -> Tensor:
    with torch.no_grad():
        logits = model(**inputs).logits
    last = inputs["decoder_attention_mask"].sum(1) - 1
    return torch.as_tensor(logits[torch.arange(6), last].log_softmax(-1)[torch.arange(6), torch.arange(6)])


def test_scores_of_the_last_position_are_the_decoders() -> None:
    model, inputs, stimuli = ragged_encoder_decoder()
    expected = last_log_probs(model, inputs)
    prep = ap.wrap(model, inputs)
    site = "decoder_blocks.1.hook_resid_pre"
    game = ap.Game(prep, stimuli, ap.scores.log_prob("target"), prep.players(site, units=[0]), kind="zero", **QUIET)
    np.testing.assert_allclose(game.per_trial([[True]])[0], expected, atol=1e-5)


def test_each_sequence_has_its_own_padding(tmp_path: Any) -> None:
    model, inputs, stimuli = ragged_encoder_decoder()
    prep = ap.wrap(model, inputs)
    sites = ["encoder_blocks.1.hook_resid_post", "decoder_blocks.1.hook_resid_post"]
    held = ap.record(prep, stimuli, sites, **QUIET)
    ap.record(prep, stimuli, sites, out=tmp_path / "r.zarr", **QUIET)
    for rec in (held, ap.Recording.open(tmp_path / "r.zarr")):
        for site, mask in zip(sites, ("attention_mask", "decoder_attention_mask")):
            np.testing.assert_array_equal(rec[site]["valid"], inputs[mask].bool())
            np.testing.assert_array_equal(rec[site].isnull().all("unit"), ~inputs[mask].bool())
    keys = prep.sites["decoder_blocks.1.cross_attn.hook_k"]
    assert keys.sequence == "" and prep.sites[sites[1]].sequence == "decoder"


def test_times_at_a_decoder_site_count_the_decoders_tokens() -> None:
    model, inputs, stimuli = ragged_encoder_decoder()
    prep = ap.wrap(model, inputs)
    site = "decoder_blocks.0.hook_resid_post"
    seen: list[Tensor] = []

    def hand(x: Tensor, at: Any) -> Tensor:
        last = inputs["decoder_attention_mask"].sum(1) - 1
        cut = torch.arange(x.shape[1])[None] == last[:, None]
        seen.append(torch.where(cut[..., None], 0.0, x))
        return seen[-1]

    with torch.no_grad():
        expected = prep.run(stimuli, write={site: hand}).outputs
        with ap.lesioned(prep, ap.Lesion(site, kind="zero", time=-1)):
            assert torch.equal(prep.run(stimuli).outputs, expected)


def test_a_decoder_that_is_left_to_the_model_is_refused_where_trials_differ_in_length() -> None:
    bart = FAMILIES["BartForConditionalGeneration"]
    prep, ids = ap.wrap(bart.make()), bart.inputs()["input_ids"]
    mask = torch.ones_like(ids)
    mask[0, 3:] = 0
    prep.run({"input_ids": ids})
    with pytest.raises(InputError, match="give decoder_input_ids"):
        prep.run({"input_ids": ids, "attention_mask": mask})


def test_sounds_have_a_mask_of_samples_and_times_of_frames() -> None:
    family = FAMILIES["HubertForCTC"]
    model, inputs = family.make(), family.inputs()
    inputs["attention_mask"] = torch.ones_like(inputs["input_values"]).long()
    inputs["attention_mask"][0, inputs["input_values"].shape[1] // 2 :] = 0
    prep = ap.wrap(model, inputs)
    rec = ap.record(prep, inputs, "blocks.1.hook_resid_post", **QUIET)["blocks.1.hook_resid_post"]
    n = rec.sizes["time"]
    frames = rec["valid"].sum("time").values
    assert prep.sites[str(rec.name)].sequence == "frames" and 0.3 * n < frames[0] < 0.7 * n and (frames[1:] == n).all()


@pytest.mark.parametrize("site", ["unembed.hook_in", "ln_final.hook_out", "blocks.1.hook_resid_post"])
def test_sites_after_the_choice_of_the_last_position_have_all_their_times(site: str) -> None:
    prep = ap.wrap(LLAMA.make())
    x = torch.randint(5, 60, (4, 6), generator=torch.Generator().manual_seed(0))
    full = prep.run(x, read=site).activity[prep.sites[site].name]
    rec = ap.record(prep, x, site, **QUIET)[site]
    np.testing.assert_allclose(rec.values, full.detach(), atol=1e-6)
    ragged = ap.record(prep, ap.Stimuli.from_tokens([[5, 6, 7, 8, 9], [10, 11], [12, 13, 14]]), site, **QUIET)[site]
    assert ragged["valid"].sum("time").values.tolist() == [5, 2, 3] and ragged.isnull().any()
    y, players = ap.scores.log_prob([1, 2, 3, 4]), prep.players(site, units=[0, 1])
    for time, same in (([0], site != "blocks.1.hook_resid_post"), ([-1], False)):
        game = ap.Game(prep, x, y, players, kind="zero", time=time, **QUIET)
        with torch.no_grad(), ap.lesioned(prep, ap.Lesion(site, units=[0, 1], kind="zero", time=time)):
            logits = prep.run(x).outputs[:, -1].log_softmax(-1)
        assert float(game.lesioned) == pytest.approx(float(logits[torch.arange(4), torch.tensor([1, 2, 3, 4])].mean()))
        assert (game.lesioned == pytest.approx(game.intact)) == (same or (site.startswith("blocks") and time == [0]))


PROMPTS = [[5, 6, 7, 8, 9], [10, 11, 12]]


def left_padded() -> dict[str, Tensor]:
    return {
        "input_ids": torch.tensor([[5, 6, 7, 8, 9], [0, 0, 10, 11, 12]]),
        "attention_mask": torch.tensor([[1, 1, 1, 1, 1], [0, 0, 1, 1, 1]]),
    }


@pytest.mark.parametrize("use_cache", [True, False])
@pytest.mark.parametrize("time", [1, [0, 5], slice(1, 3), slice(4, None)])
def test_generation_counts_real_tokens_with_and_without_a_cache(time: Any, use_cache: bool) -> None:
    prep = ap.wrap(LLAMA.make())
    lesion = ap.Lesion("blocks.0.hook_resid_post", kind="zero", time=time)
    options: dict[str, Any] = {"max_new_tokens": 4, "do_sample": False, "pad_token_id": 0, "eos_token_id": None}

    def generated(**inputs: Tensor) -> list[list[int]]:
        with torch.no_grad(), ap.lesioned(prep, lesion):
            return [row[-4:].tolist() for row in prep.model.generate(**inputs, use_cache=use_cache, **options)]  # type: ignore[operator]

    together = generated(**left_padded())
    assert together == [generated(input_ids=torch.tensor([p]))[0] for p in PROMPTS]


@pytest.mark.parametrize("use_cache", [True, False])
def test_a_time_that_is_never_reached_is_said(use_cache: bool) -> None:
    prep = ap.wrap(LLAMA.make())
    options: dict[str, Any] = {"max_new_tokens": 2, "do_sample": False, "pad_token_id": 0, "use_cache": use_cache}
    with (
        pytest.raises(LesionError, match=r"@\(20,\) never acted"),
        ap.lesioned(prep, ap.Lesion("blocks.0.hook_resid_post", kind="zero", time=20)),
    ):
        prep.model.generate(**left_padded(), **options)  # type: ignore[operator]
    with (
        pytest.raises(LesionError, match="not known in advance"),
        ap.lesioned(prep, ap.Lesion("blocks.0.hook_resid_post", kind="zero", time=-1)),
    ):
        prep.model.generate(**left_padded(), **options)  # type: ignore[operator]


def test_a_direct_call_counts_real_tokens_too() -> None:
    prep, x = ap.wrap(LLAMA.make()), left_padded()
    with torch.no_grad(), ap.lesioned(prep, ap.Lesion("blocks.0.hook_resid_post", kind="zero", time=1)):
        through_run = prep.run(x).outputs
        positions = (x["attention_mask"].cumsum(-1) - 1).clamp(min=0)
        direct = prep.model(**x, position_ids=positions).logits
    real = x["attention_mask"].bool()
    torch.testing.assert_close(direct[real], through_run[real])


def test_players_along_time_are_those_of_the_stimuli() -> None:
    prep = ap.wrap(LLAMA.make())
    site = "blocks.0.hook_resid_post"
    with pytest.raises(InputError, match="stimuli="):
        prep.players(site, axis="time")
    even = torch.randint(5, 60, (4, 9), generator=torch.Generator().manual_seed(0))
    ragged = ap.Stimuli.from_tokens(PROMPTS)
    assert len(prep.players(site, axis="time", stimuli=even)) == 9
    players = prep.players(site, axis="time", stimuli=ragged)
    assert players.names == [f"{site}.{i}" for i in range(3)]
    score = ap.scores.log_prob([1, 2])
    values = []
    for stimuli in (ragged, ap.Stimuli(left_padded())):
        game = ap.Game(prep, stimuli, score, players, kind="zero", **QUIET)
        values.append(ap.single_lesions(game).values.values)
        with torch.no_grad(), ap.lesioned(prep, ap.Lesion(site, kind="zero", time=[1])):
            want = ap.Game(prep, stimuli, score, prep.players(site, units=[0]), kind="zero", **QUIET).intact
        assert game([[True, False, True]])[0] == pytest.approx(want, abs=1e-6)
    np.testing.assert_allclose(values[0], values[1], atol=1e-5)


def test_a_reference_of_stimuli_is_of_the_network_without_outer_lesions() -> None:
    prep = ap.wrap(LLAMA.make())
    x = torch.randint(5, 60, (4, 6), generator=torch.Generator().manual_seed(0))
    site, noise = "blocks.1.hook_resid_post", ap.Lesion("blocks.0.hook_resid_pre", kind="noise", sd=3.0)
    donors = {i: i for i in range(4)}
    with torch.no_grad():
        clean = prep.run(x).outputs
        restore = ap.Lesion(site, kind="resample", reference=ap.Stimuli(x), donors=donors)
        with ap.lesioned(prep, noise):
            corrupted = prep.run(x).outputs
            recorded = ap.record(prep, x, site, **QUIET)
            with ap.lesioned(prep, restore):
                assert torch.allclose(prep.run(x).outputs, clean, atol=1e-5), "restored from the clean run"
            with ap.lesioned(prep, ap.Lesion(site, kind="resample", reference=recorded, donors=donors)):
                assert torch.allclose(prep.run(x).outputs, corrupted, atol=1e-5), "a recording is what it is of"
            score, players = ap.scores.log_prob([1, 2, 3, 4]), prep.players(site, units=[0])
            means = ap.Game(prep, x, score, players, kind="mean", **QUIET)
            assert torch.equal(prep.run(x).outputs, corrupted)
        mean = means.setup.players[0][0].lesion.mean
    assert mean is not None
    np.testing.assert_allclose(mean.values, ap.record(prep, x, site, **QUIET)[site].mean("trial"), atol=1e-5)
