"""A transformers model computes, once wrapped, what it computed before, padded or not; else wrapping says so."""

from __future__ import annotations

import logging
from typing import Any

import pytest
import torch
import transformers as t
from fixtures.families import FAMILIES
from torch import nn

import artiphys as ap
from artiphys.errors import InputError

IDS = torch.tensor([[5, 6, 7, 8, 9, 10, 11], [12, 13, 14, 15, 16, 17, 18]])


def logits(model: Any, **inputs: Any) -> torch.Tensor:
    with torch.no_grad():
        return torch.as_tensor(model(**inputs).logits)


@pytest.mark.parametrize(
    ("family", "where"),
    [
        ("GPT2LMHeadModel-unscaled", "two trials of the example"),
        ("FalconForCausalLM-alibi", "two trials of the example"),
        ("OpenAIGPTLMHeadModel", "padded on the right"),
    ],
)
def test_a_model_that_wrapping_changes_is_refused_and_left_as_it_was(
    family: str, where: str, caplog: pytest.LogCaptureFixture
) -> None:
    model = FAMILIES[family].make()
    before = logits(model, input_ids=IDS)
    attributes = {n: set(m.__dict__) for n, m in model.named_modules()}
    with (
        caplog.at_level(logging.WARNING),
        pytest.raises(InputError, match=f"(?s)changes what.*{where}.*as_module=True"),
    ):
        ap.wrap(model)
    assert not [r for r in caplog.records if "takes this" in r.message], "it is not taken over"
    assert torch.equal(logits(model, input_ids=IDS), before)
    assert {n: set(m.__dict__) for n, m in model.named_modules()} == attributes
    module = ap.wrap(model, {"input_ids": IDS}, as_module=True)
    with torch.no_grad():
        assert torch.equal(module.run({"input_ids": IDS}).outputs.logits, before)


def test_the_check_can_be_left_out() -> None:
    prep = ap.wrap(FAMILIES["GPT2LMHeadModel-unscaled"].make(), check=False)
    assert "blocks.0.attn.hook_z" in prep.sites


@pytest.mark.parametrize("family", ["RobertaForMaskedLM", "GPT2LMHeadModel", "OPTForCausalLM", "BloomForCausalLM"])
@pytest.mark.parametrize("side", ["left", "right"])
@pytest.mark.parametrize("filler", [0, 1, 30])
def test_a_padded_row_is_the_prompt_alone_whatever_fills_it(family: str, side: str, filler: int) -> None:
    model = FAMILIES[family].make()
    place = slice(-3, None) if side == "left" else slice(0, 3)
    alone = logits(FAMILIES[family].make(), input_ids=IDS[:1, place])
    ids, mask = IDS.clone(), torch.ones_like(IDS)
    ids[0], mask[0] = filler, 0
    ids[0, place], mask[0, place] = IDS[0, place], 1
    with torch.no_grad():
        got = ap.wrap(model).run({"input_ids": ids, "attention_mask": mask}).outputs
    torch.testing.assert_close(got[:1, place], alone, rtol=1e-4, atol=1e-4)


def test_padding_that_the_model_itself_gets_wrong_is_refused_when_it_comes() -> None:
    family = FAMILIES["BartForConditionalGeneration"]
    prep, inputs = ap.wrap(family.make()), family.inputs()
    mask = torch.ones_like(inputs["input_ids"])
    mask[0, :3] = 0
    with pytest.raises(InputError, match=r"padded on the left.*pad on the right"):
        prep.run({**inputs, "attention_mask": mask})
    prep.run({**inputs, "attention_mask": mask.flip(1)})
    mask[0] = 0
    with pytest.raises(InputError, match="no real position"):
        prep.run({**inputs, "attention_mask": mask})


def test_a_model_in_train_mode_is_compared_in_evaluation_mode_and_left_in_train_mode() -> None:
    model = FAMILIES["GPT2LMHeadModel"].make().train()
    for m in model.modules():
        if isinstance(m, nn.Dropout):
            m.p = 0.5
    model.transformer.h[0].eval()  # type: ignore[union-attr, index]
    random = torch.random.get_rng_state()
    ap.wrap(model).unwrap()
    assert model.training and not model.transformer.h[0].training  # type: ignore[union-attr, index]
    assert torch.equal(torch.random.get_rng_state(), random)


@pytest.mark.parametrize("family", ["LlamaForCausalLM", "T5ForConditionalGeneration", "BartForConditionalGeneration"])
def test_unwrapping_gives_the_model_back(family: str) -> None:
    model, inputs = FAMILIES[family].make(), FAMILIES[family].inputs()
    before = logits(model, **inputs)
    prep = ap.wrap(model)
    assert prep.unwrap() is model and torch.equal(logits(model, **inputs), before)


def test_a_workers_copy_has_the_buffers_that_wrapping_zeroes() -> None:
    family = FAMILIES["BartForConditionalGeneration"]
    prep = ap.wrap(family.make())
    model, _, _ = prep.adapter.portable()
    torch.testing.assert_close(logits(model, **family.inputs()), logits(family.make(), **family.inputs()))


def test_looking_leaves_numbers_of_modules_as_they_were() -> None:
    model = FAMILIES["LlamaForCausalLM-scaled-rotary"].make()
    numbers = [{k: v for k, v in m.__dict__.items() if isinstance(v, (int, float))} for m in model.modules()]
    ap.wrap(model).unwrap()
    assert [{k: v for k, v in m.__dict__.items() if isinstance(v, (int, float))} for m in model.modules()] == numbers


def test_a_decoder_padded_on_the_left_is_refused_where_that_changes_real_tokens() -> None:
    for family, refused in (("BartForConditionalGeneration", True), ("T5ForConditionalGeneration", False)):
        prep, inputs = ap.wrap(FAMILIES[family].make()), FAMILIES[family].inputs()
        mask = torch.ones_like(inputs["decoder_input_ids"])
        mask[0, :2] = 0
        if refused:
            with pytest.raises(InputError, match="left of the decoder"):
                prep.run({**inputs, "decoder_attention_mask": mask})
        else:
            prep.run({**inputs, "decoder_attention_mask": mask})


def test_a_family_without_an_adapter_for_this_head_is_told_which_there_are() -> None:
    config = t.BertConfig(
        hidden_size=32, num_hidden_layers=1, num_attention_heads=4, intermediate_size=48, vocab_size=50
    )
    with pytest.raises(InputError, match=r"BertForMaskedLM, BertLMHeadModel.*as_module=True"):
        ap.wrap(t.BertForSequenceClassification(config).eval())
    vision = ap.wrap(FAMILIES["ViTForImageClassification"].make())
    vision.run(FAMILIES["ViTForImageClassification"].inputs())
    assert vision.sites["blocks.0.attn.hook_z"].axes == ("time", "head", "unit")
    sizes = vision.sites["embed.hook_in"]
    assert sizes.axes == ("channel", "height", "width") and vision.sites["unembed.hook_in"].axes == ("unit",)


def test_a_model_that_only_its_user_can_run_is_compared_on_the_first_inputs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("artiphys.preparation.wrap_checks.default_example", lambda model: None)
    monkeypatch.setattr("artiphys.preparation.wrap_checks._padded_prompts", lambda model: {})
    prep = ap.wrap(FAMILIES["GPT2LMHeadModel-unscaled"].make())
    for _ in range(2):  # not only the first time
        with pytest.raises(InputError, match=r"changes what.*as_module=True"):
            prep.run({"input_ids": IDS}, read="blocks.0.hook_resid_post")
    assert "blocks.0.hook_resid_post" in ap.wrap(FAMILIES["GPT2LMHeadModel"].make()).sites
