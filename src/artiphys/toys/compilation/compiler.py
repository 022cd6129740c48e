"""Programs compiled into the weights of a stock Phi-3 by torchwright, and where the compiler placed what."""

from __future__ import annotations

import importlib.util
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from artiphys.errors import InputError
from artiphys.players import Player, Target
from artiphys.stimuli import Stimuli

WIDTH, HEAD_WIDTH, MAX_LENGTH = 128, 32, 64  # of the stream, of a head, of a prompt


@dataclass(frozen=True)
class Compiled:
    """A compiled program.

    Attributes
    ----------
    model : Module
        A ``Phi3ForCausalLM``.
    vocabulary : sequence of str
        Tokens by their number.
    heads : mapping of str to (layer, head)
        By the name that the program gives to what they compute, and "erase" with the layer for heads that clear
        parts of the stream which are used again; "empty" with layer and head for those that do nothing.
    mlps : mapping of str to int
        Layers whose MLP computes what the program gives that name.
    columns : mapping of str to (layer, units)
        After which layer, and in which units of the stream, what has that name stands.
    """

    model: nn.Module
    vocabulary: Sequence[str]
    heads: Mapping[str, tuple[int, int]]
    mlps: Mapping[str, int]
    columns: Mapping[str, tuple[int, tuple[int, ...]]]

    def players(self, names: Sequence[str]) -> tuple[Player, ...]:
        """Heads, and MLPs, as players under their names."""
        return tuple(Player(name, (self._target(name),)) for name in names)

    def _target(self, name: str) -> Target:
        if name in self.mlps:
            return Target(f"blocks.{self.mlps[name]}.hook_mlp_out", tuple(range(WIDTH)), "unit")
        layer, head = self.heads[name]
        return Target(f"blocks.{layer}.attn.hook_z", (head,), "head")

    def looks(self, name: str, query: int, key: int) -> str:
        """Key of a truth about attention."""
        layer, head = self.heads[name]
        return f"blocks.{layer}.attn.hook_pattern.{head}.{query}.{key}"

    def variable(self, name: str, time: int, entry: int = 0) -> str:
        """Key of a truth about what a unit of the stream holds."""
        layer, units = self.columns[name]
        return f"blocks.{layer}.hook_resid_post.{time}.{units[entry]}"

    def stimuli(self, prompts: Sequence[Sequence[str]], conditions: Mapping[str, Any]) -> Stimuli:
        """Prompts of equal length, given by the names of their tokens."""
        number = {token: i for i, token in enumerate(self.vocabulary)}
        return Stimuli(torch.tensor([[number[token] for token in prompt] for prompt in prompts]), dict(conditions))

    def check_placed(self, toy: str, placed: Mapping[str, tuple[int, int, str]]) -> None:
        """An error where the compiler placed heads elsewhere than the truths of a toy were derived for.

        ``placed`` gives layer, head and the units of the stream that it writes, as in "1-3 7".
        """
        for name, (layer, head, written) in placed.items():
            spans = [list(map(int, part.split("-"))) for part in written.split()]
            units = tuple(unit for span in spans for unit in range(span[0], span[-1] + 1))
            if self.heads.get(name) != (layer, head) or self.columns[name] != (layer, units):
                raise InputError(
                    f"toy {toy!r}: the torchwright that is installed places {name!r} elsewhere than version 0.2.0, for "
                    "which the truths are derived: pip install 'torchwright==0.2.0'"
                )


def installed() -> bool:
    """Whether torchwright is there; asked without running it."""
    return importlib.util.find_spec("torchwright") is not None


def check_installed(toy: str) -> None:
    """An error that says what to install, where torchwright is missing."""
    if not installed():
        raise InputError(
            f"toy {toy!r} is compiled by torchwright, which is not installed: pip install 'artiphys[compiled]'"
        )


def rotary() -> Any:
    """What torchwright's attention needs to know of positions."""
    from torchwright.ops.inout_nodes import create_rope_config

    return create_rope_config(d_head=HEAD_WIDTH, max_positions=MAX_LENGTH)


def per_token(tokens: Any, values: Mapping[str, float], offset: float = 0.0) -> Any:
    """One number per token, those without a value have the offset alone; ``tokens`` is a one-hot embedding."""
    from torchwright.graph import Linear

    weights = torch.zeros(len(tokens), 1)
    for token, value in values.items():
        weights[:, 0] += value * tokens.get_embedding(token)
    return Linear(tokens, weights, torch.full((1,), offset))


def as_tokens(tokens: Any, number: Any, names: Sequence[str]) -> Any:
    """The one-hot of the token that a whole number from 0 names; nothing where the number names none."""
    from torchwright.graph import Linear
    from torchwright.ops.linear import add_const, bool_to_01
    from torchwright.ops.swiglu.map_select import in_range

    chosen = bool_to_01(in_range(number, add_const(number, 1.0), len(names)))
    return Linear(chosen, torch.stack([tokens.get_embedding(name) for name in names]), torch.zeros(len(tokens)))


def build(output: Any, tokens: Any) -> Compiled:
    """Compile a graph, whose nodes bear names by ``annotate``, and read the compiler's own plan."""
    from torchwright.compiler import compile_hf_bundle
    from torchwright.schematic import load_schematic
    from transformers import Phi3ForCausalLM

    with tempfile.TemporaryDirectory() as folder, without_progress_bars():
        compile_hf_bundle(
            output, tokens, folder, d=WIDTH, d_head=HEAD_WIDTH, max_seq_len=MAX_LENGTH, write_tokenizer=False,
            eos_token=None, optimize=0,
        )  # fmt: skip
        model = Phi3ForCausalLM.from_pretrained(folder, attn_implementation="eager").eval().requires_grad_(False)
        plan = load_schematic(folder)
    # The files are gone with the folder: a model that names them could not be saved.
    del model.config.torchwright_schematic
    heads: dict[str, tuple[int, int]] = {}
    mlps: dict[str, int] = {}
    columns: dict[str, tuple[int, tuple[int, ...]]] = {}
    for node in plan.payload["graphs"]["source"]["nodes"]:
        name, lowered = node.get("annotation"), plan.realization(node["id"]).lowered
        for step in plan.operations_for(lowered) if name and lowered else ():
            if step.type == "compute_attn" or (step.type == "add_into" and step.heads):
                heads[name] = (step.layer, step.heads.start)
            elif step.type == "compute_ffn":
                mlps[name] = step.layer
            else:
                continue
            columns[name] = (step.layer, step.target_columns)
    n_heads = model.config.num_attention_heads
    for layer in plan.payload["schedule"]["layers"]:
        busy = set()
        for step in layer["attention_operations"]:
            start, n = step["heads"]
            busy |= set(range(start, start + n))
            if step["type"] == "cancel":
                name = f"erase {layer['index']}"
                heads[name] = (layer["index"], start)
                columns[name] = (
                    layer["index"],
                    tuple(c for first, m in step["target_columns"] for c in range(first, first + m)),
                )
        heads |= {f"empty {layer['index']}.{h}": (layer["index"], h) for h in range(n_heads) if h not in busy}
    return Compiled(model, tokens.tokenizer.vocab, heads, mlps, columns)


@contextmanager
def without_progress_bars() -> Iterator[None]:
    """Transformers shows one while it reads four tiny files; as it was afterwards."""
    from transformers.utils import logging

    shown = logging.is_progress_bar_enabled()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        if shown:
            logging.enable_progress_bar()
