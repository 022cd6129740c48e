"""Transformers of other kinds than language models."""

from __future__ import annotations

import pytest
import torch

import artiphys as ap
from artiphys.errors import InputError


def test_vision_transformers_take_an_example() -> None:
    from transformers import ViTConfig, ViTForImageClassification

    torch.manual_seed(0)
    config = ViTConfig(
        num_hidden_layers=1, num_attention_heads=2, hidden_size=8, intermediate_size=8, image_size=8, patch_size=4,
        num_labels=3,
    )  # fmt: skip
    pixels = torch.randn(4, 3, 8, 8)
    model = ViTForImageClassification(config).eval()
    with torch.no_grad():
        expected = model(pixels).logits
    prep = ap.wrap(model, example=pixels)
    rec = ap.record(prep, pixels, "blocks.*.attn.hook_z")
    assert rec["blocks.0.attn.hook_z"].dims == ("trial", "time", "head", "unit")
    with torch.no_grad():
        torch.testing.assert_close(prep.run(pixels).outputs, expected, atol=1e-5, rtol=1e-5)
    g = ap.Game(prep, pixels, ap.scores.log_prob([0, 1, 2, 0]), prep.players("blocks.*.attn.hook_z"), kind="zero")
    assert ap.shapley(g).gap == pytest.approx(0, abs=1e-9) and abs(g.intact - g.lesioned) > 1e-6


def test_bert_without_a_head_is_pointed_both_ways() -> None:
    from transformers import BertConfig, BertModel

    config = BertConfig(num_hidden_layers=1, num_attention_heads=2, hidden_size=8, intermediate_size=8, vocab_size=9)
    with pytest.raises(InputError, match="as_module=True"):
        ap.wrap(BertModel(config))
