"""Prompts of different lengths: what a transformer says of each alone is true of it in a padded batch."""

from __future__ import annotations

import itertools
import math
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from artiphys import scores
from artiphys.errors import InputError
from artiphys.stimuli import Stimuli
from artiphys.toys.toy import Toy, TransformerToy, Truth

LENGTHS = (3, 5, 9)
N_LAYERS, N_HEADS, HEAD_WIDTH = 2, 2, 8
VOCABULARY = 24
TOLERANCE = 2e-5  # single precision


def padded_prompts(n_each: int = 2, seed: int = 0) -> Toy:
    """A small Llama of random weights on prompts of 3, 5 and 9 tokens, padded on the left.

    The score is the log-probability of a target after each. Its truths are of each prompt by itself, without any
    padding, and with heads overwritten where the output projection reads them: by zero, or by their mean over the
    tokens of all prompts.

    Naive error: the mean over a padded batch counts what is no token, and prompts that attend to padding are others.

    Raises
    ------
    InputError
        If there are no prompts.
    """
    if n_each < 1:
        raise InputError(f"n_each came as {n_each}; wanted 1 or more prompts of each length")
    rng = np.random.default_rng(seed)
    prompts = [rng.integers(1, VOCABULARY, size=n).tolist() for n in LENGTHS for _ in range(n_each)]
    targets = rng.integers(1, VOCABULARY, size=len(prompts)).tolist()
    model = _llama(seed)
    players = [(layer, head) for layer in range(N_LAYERS) for head in range(N_HEADS)]
    names = [f"blocks.{layer}.attn.hook_z.{head}" for layer, head in players]
    read = [_read(model, p) for p in prompts]
    means = [torch.cat([r[layer] for r in read]).mean(dim=0) for layer in range(N_LAYERS)]
    truth = []
    for kind, fill in (("zero", [torch.zeros_like(m) for m in means]), ("mean", means)):
        values = {}
        for r in range(len(players) + 1):
            for intact in itertools.combinations(range(len(players)), r):
                lesioned = [p for i, p in enumerate(players) if i not in intact]
                values[intact] = float(
                    np.mean([_log_probability(model, p, t, lesioned, fill) for p, t in zip(prompts, targets)])
                )
        truth += _truths(values, names, kind)
    longest = max(LENGTHS)  # padded on the left, as tokenizers do for generation: there padding can be attended to
    ids = torch.tensor([[0] * (longest - len(p)) + p for p in prompts])
    shown: dict[str, Tensor] = {"input_ids": ids, "attention_mask": (ids > 0).long()}
    stimuli = Stimuli(shown, {"target": targets, "length": [len(p) for p in prompts]})
    lesson = "a mean over a padded batch counts what is no token; attention to padding makes another prompt"
    lengths = np.array([len(p) for p in prompts])
    return TransformerToy("padded_prompts", model, stimuli, lengths, scores.log_prob("target"),
                          ("blocks.*.attn.hook_z",), tuple(truth), lesson, exhaustive=False)  # fmt: skip


def _llama(seed: int) -> Any:
    from transformers import LlamaConfig, LlamaForCausalLM

    width = N_HEADS * HEAD_WIDTH
    config = LlamaConfig(
        num_hidden_layers=N_LAYERS, num_attention_heads=N_HEADS, num_key_value_heads=N_HEADS, hidden_size=width,
        intermediate_size=2 * width, vocab_size=VOCABULARY, max_position_embeddings=32, pad_token_id=0,
    )  # fmt: skip
    model: Any = LlamaForCausalLM(config).eval().requires_grad_(False)
    generator = torch.Generator().manual_seed(seed)
    for weight in model.parameters():
        if weight.ndim > 1:  # norms keep their gain of 1
            weight.copy_(torch.randn(weight.shape, generator=generator) / math.sqrt(weight.shape[1]) * 2)
    return model


def _read(model: Any, prompt: list[int]) -> list[Tensor]:
    """What each layer's output projection reads of one prompt: ``(token, head and its width)``."""
    found: list[Tensor] = []
    handles = [
        layer.self_attn.o_proj.register_forward_pre_hook(lambda module, args: found.append(args[0][0]))
        for layer in model.model.layers
    ]
    try:
        model(torch.tensor([prompt]))
    finally:
        for handle in handles:
            handle.remove()
    return found


def _log_probability(
    model: Any, prompt: list[int], target: int, lesioned: list[tuple[int, int]], fill: list[Tensor]
) -> float:
    """Of the target after one prompt alone, heads overwritten in the input of the output projection."""

    def overwrite(number: int) -> Any:
        def change(module: nn.Module, args: tuple[Tensor, ...]) -> tuple[Tensor]:
            x = args[0].clone()
            for layer, head in lesioned:
                if layer == number:
                    own = slice(head * HEAD_WIDTH, (head + 1) * HEAD_WIDTH)
                    x[..., own] = fill[layer][own]
            return (x,)

        return change

    handles = [
        layer.self_attn.o_proj.register_forward_pre_hook(overwrite(i)) for i, layer in enumerate(model.model.layers)
    ]
    try:
        logits = model(torch.tensor([prompt])).logits[0, -1]
    finally:
        for handle in handles:
            handle.remove()
    return float(logits.log_softmax(-1)[target])


def _truths(values: dict[tuple[int, ...], float], names: list[str], kind: str) -> list[Truth]:
    source = "each prompt by itself, heads overwritten by plain hooks on the output projection"
    every = tuple(range(len(names)))

    def named(intact: tuple[int, ...]) -> str:
        return "+".join(names[i] for i in intact) or "none"

    def shapley(i: int) -> float:
        others = [s for s in values if i not in s]
        weight = [1 / (len(every) * math.comb(len(every) - 1, len(s))) for s in others]
        return sum(w * (values[tuple(sorted((*s, i)))] - values[s]) for s, w in zip(others, weight))

    alone = {names[i]: values[every] - values[tuple(j for j in every if j != i)] for i in every}
    return [
        Truth("single_lesions", alone, kind, TOLERANCE, source),
        Truth("shapley", {names[i]: shapley(i) for i in every}, kind, TOLERANCE, source),
        Truth("value", {named(s): v for s, v in values.items()}, kind, TOLERANCE, source),
    ]
