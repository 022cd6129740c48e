"""Padded prompts: sabotages that only prompts of different lengths can show, and the naive errors."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from transformers import LlamaForCausalLM

import artiphys as ap
from artiphys.lesions.operations.reference import MeanTable
from artiphys.toys.by_hand import padded

TOY = ap.toys.load("padded_prompts")
SHARE = np.mean(padded.LENGTHS) / max(padded.LENGTHS)  # of tokens in the padded batch


def unmasked(monkeypatch: pytest.MonkeyPatch) -> None:
    forward = LlamaForCausalLM.forward

    def blind(self: Any, *args: Any, attention_mask: Any = None, **kwargs: Any) -> Any:
        return forward(self, *args, **kwargs)

    monkeypatch.setattr(LlamaForCausalLM, "forward", blind)


def padding_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    of = MeanTable.of.__func__  # type: ignore[attr-defined]

    def counted(cls: Any, *args: Any) -> Any:
        table = of(cls, *args)
        return replace(table, values=table.values * np.float32(SHARE))

    monkeypatch.setattr(MeanTable, "of", classmethod(counted))


def others_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    raw = type(TOY.score).raw
    monkeypatch.setattr(type(TOY.score), "raw", lambda self, outputs, trials, n: raw(self, outputs.flip(-1), trials, n))


def one_layer_up(monkeypatch: pytest.MonkeyPatch) -> None:
    call = ap.Game.__call__
    monkeypatch.setattr(ap.Game, "__call__", lambda self, rows: call(self, np.roll(rows, 2, axis=1)))


SABOTAGES: dict[str, Callable[[pytest.MonkeyPatch], None]] = {
    "padding is attended to": unmasked,
    "padding counts in means": padding_counts,
    "another token is scored": others_answer,
    "the other layer is lesioned": one_layer_up,
}


@pytest.mark.parametrize("name", SABOTAGES)
def test_the_board_turns_red(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    assert ap.verify(toys="padded_prompts", progress=False).passed
    SABOTAGES[name](monkeypatch)
    board = ap.verify(toys="padded_prompts", progress=False)
    assert board.scores and not board.passed, "survived"


def test_a_toy_that_is_handed_in_stays_as_it_was() -> None:
    """Its transformer is wrapped as a copy, to check it and by each method."""
    assert ap.verify(toys=[TOY], progress=False).passed
    TOY.preparation()
    assert ap.verify(toys=[TOY], progress=False).passed


def test_naive_padding_makes_other_prompts() -> None:
    """Without a mask, and read at the last column, shorter prompts score otherwise."""
    assert isinstance(TOY.stimuli.inputs, dict)
    ids = TOY.stimuli.inputs["input_ids"]
    target = torch.tensor(TOY.stimuli.conditions["target"].to_numpy())
    with torch.no_grad():
        logits = TOY.model(ids).logits[:, -1].log_softmax(-1)
    naive = float(logits.gather(-1, target[:, None]).mean())
    true = TOY.truths("value", "zero").expected
    assert abs(naive - max(true.items(), key=lambda item: item[0].count("+"))[1]) > 0.1


def test_options() -> None:
    assert ap.verify(toys=[ap.toys.load("padded_prompts", n_each=1, seed=3)], progress=False).passed
    with pytest.raises(ap.errors.InputError, match="n_each came as 0"):
        ap.toys.load("padded_prompts", n_each=0)
