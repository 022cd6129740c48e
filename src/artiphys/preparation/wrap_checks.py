"""Whether a wrapped transformer computes what it computed before, on whole prompts and on padded ones.

TransformerLens computes attention anew, and does not know every option of every model. So the outputs before and after
wrapping are compared, and the rows of a padded batch with the same prompts by themselves. What the model itself makes
of padding is found out as well: positions that it does not count over real tokens are given to it, and a side on which
padding changes real tokens, whatever one does, is refused when such trials come.
"""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from artiphys.adapters.adapter import device_of, inputs_to, rows_of, without_trace
from artiphys.adapters.padding import MASK, POSITIONS, Padding, positions_of
from artiphys.adapters.probe_inputs import DECODER, default_example, main_input, plain_tokens
from artiphys.adapters.transformer import TransformerAdapter, accepted_by
from artiphys.errors import InputError
from artiphys.hooks.changes import Changes
from artiphys.hooks.nested import leaves

logger = logging.getLogger("artiphys")
N_ANSWER = 3  # tokens of a decoder
N_LONG, N_SHORT = 6, 4  # tokens of the two prompts of the padded batch
# Relative to the spread of the outputs: how much two ways of computing the same may differ by rounding.
MAX_DIFFERENCE = 2e-4
OF_PROMPTS = {"input_ids", MASK, "decoder_input_ids", f"decoder_{MASK}", POSITIONS}
EXAMPLE, ALONE = "two trials of the example", "a prompt by itself"
RIGHT, LEFT = "prompts padded on the right", "prompts padded on the left"
ANSWER, DECODER_LEFT = "a short answer", "an answer padded on the left"
Kwargs = dict[str, Any]


@dataclass
class Before:
    """What a model gave before it was wrapped: inputs and outputs, by what they are called in messages."""

    outputs: dict[str, list[Tensor]]
    inputs: dict[str, Kwargs]
    exact: float

    @classmethod
    def of(cls, model: nn.Module, example: Any) -> Before:
        """Run the model on its example, or one of its own, and where it takes tokens on padded prompts."""
        accepts = accepted_by(model)
        inputs: dict[str, Kwargs] = {}
        shown = example if example is not None else default_example(model)
        if shown is not None:
            pair = rows_of(shown, (0, 1))
            inputs[EXAMPLE] = dict(pair) if isinstance(pair, Mapping) else {main_input(model): pair}
        if main_input(model) == "input_ids" and MASK in accepts and set(inputs.get(EXAMPLE, {})) <= OF_PROMPTS:
            inputs |= _padded_prompts(model)
        outputs: dict[str, list[Tensor]] = {}
        with _evaluating(model):
            for name, kwargs in inputs.items():
                try:
                    outputs[name] = _run(model, kwargs, accepts)
                except Exception as error:  # noqa: BLE001 (what a model does not take, it does not take wrapped either)
                    logger.info("%s does not run on %s: %s", type(model).__name__, name, error)
        types = [p.dtype for p in model.parameters() if p.is_floating_point()]
        eps = max((torch.finfo(t).eps for t in types), default=0.0)
        return cls(outputs, inputs, max(MAX_DIFFERENCE, 16 * eps))


def _padded_prompts(model: Any) -> dict[str, Kwargs]:
    """A short prompt alone, and with a longer one, padded on either side."""
    ids = plain_tokens(model.config, N_LONG + N_SHORT + 6)
    if ids is None:
        return {}
    long, short = torch.tensor(ids[:N_LONG]), torch.tensor(ids[N_LONG : N_LONG + N_SHORT])
    # The filler is an ordinary token: only the mask says what is real.
    filler = torch.full((N_LONG - N_SHORT,), ids[N_LONG + N_SHORT])
    off, on = torch.zeros(len(filler)).long(), torch.ones(N_SHORT).long()
    whole = torch.ones(N_LONG).long()
    prompts: dict[str, Kwargs] = {
        ALONE: {"input_ids": short[None]},
        RIGHT: {"input_ids": torch.stack([torch.cat([short, filler]), long]),
                MASK: torch.stack([torch.cat([on, off]), whole])},
        LEFT: {"input_ids": torch.stack([torch.cat([filler, short]), long]),
               MASK: torch.stack([torch.cat([off, on]), whole])},
    }  # fmt: skip
    if getattr(model.config, "is_encoder_decoder", False):
        answer = torch.tensor(ids[-4:])
        for kwargs in prompts.values():
            kwargs["decoder_input_ids"] = answer.repeat(len(kwargs["input_ids"]), 1)
        beginning = {"input_ids": short[None], "decoder_input_ids": answer[-N_ANSWER:][None]}
        padded = torch.cat([filler, answer[-N_ANSWER:]])[None]
        mask = torch.cat([off, torch.ones(N_ANSWER).long()])[None]
        prompts[ANSWER] = beginning
        prompts[DECODER_LEFT] = {**beginning, "decoder_input_ids": padded, f"decoder_{MASK}": mask}
    return prompts


def check_wrapping(adapter: TransformerAdapter, before: Before) -> None:
    """Raise unless the wrapped model gives what it gave before; set how it is given padded rows.

    Raises
    ------
    InputError
        That says on which inputs outputs differ, by how much, and whether ``as_module=True`` is right.
    """
    model = adapter.root
    with _evaluating(model):
        for name in before.outputs:
            if name == LEFT:
                continue
            after = _attempt(lambda name=name: _run(model, before.inputs[name], adapter.accepts), name, model)
            decoding = f"{DECODER}_input_ids" in before.inputs[name]
            rows = before.inputs[name].get(f"{DECODER}_{MASK}" if decoding else MASK)
            difference = _difference(before.outputs[name], after, rows)
            if difference > before.exact:
                raise InputError(_changed(model, name, difference))
        if ALONE in before.outputs:
            adapter.padding = _padding(adapter, before)


def _padding(adapter: TransformerAdapter, before: Before) -> Padding:
    model, accepts = adapter.root, adapter.accepts
    alone = before.outputs[ALONE]
    refused: dict[str, str] = {}
    if RIGHT in before.outputs:
        apart = _apart(alone, before.outputs[RIGHT], slice(0, N_SHORT), model)
        if apart > before.exact:
            refused["right"] = _own(model, "right", apart)
    if DECODER_LEFT in before.outputs:
        apart = _difference([t[:1, -N_ANSWER:] for t in before.outputs[ANSWER][:1]],
                            [t[:1, -N_ANSWER:] for t in before.outputs[DECODER_LEFT][:1]], None)  # fmt: skip
        if apart > before.exact:
            refused[f"left of the {DECODER}"] = _own(model, f"left of the {DECODER}", apart)
    found = _left_by_first_position(model, accepts, before)
    for first, apart in found.items():
        if apart <= before.exact:
            return Padding(first, refused)
    apart = min(found.values(), default=float("inf"))
    if min(_left_by_first_position(adapter.twin(), accepts, before).values(), default=float("inf")) <= before.exact:
        raise InputError(_changed(model, LEFT, apart))
    refused["left"] = _own(model, "left", apart)
    return Padding(None, refused)


def _left_by_first_position(model: nn.Module, accepts: set[str], before: Before) -> dict[int | None, float]:
    """How far a prompt padded on the left is from itself alone, by how its positions are given (None: not at all)."""
    tables = [m for n, m in model.named_modules() if isinstance(m, nn.Embedding) and "position" in n]
    counted = [int(m.padding_idx) + 1 for m in tables if m.padding_idx is not None]
    found: dict[int | None, float] = {}
    for first in (*([0, *counted[:1]] if POSITIONS in accepts else []), None):
        kwargs = dict(before.inputs[LEFT])
        if first is not None:
            kwargs[POSITIONS] = positions_of(kwargs[MASK], first)
        try:
            after = _run(model, kwargs, accepts)
        except Exception:  # noqa: BLE001 (such positions are none this model takes)
            continue
        found[first] = _apart(before.outputs[ALONE], after, slice(-N_SHORT, None), model)
        if found[first] <= before.exact:
            break
    return found


def _apart(alone: list[Tensor], padded: list[Tensor], real: slice, model: Any) -> float:
    """How far the first row of a padded batch is from the same prompt by itself, at real positions."""
    decoding = getattr(model.config, "is_encoder_decoder", False)
    row = [t[:1] if decoding or t.ndim < 3 else t[:1, real] for t in padded[:1]]
    return _difference(alone[:1], row, None)


def _difference(a: list[Tensor], b: list[Tensor], mask: Tensor | None) -> float:
    """Largest root mean square difference of two lists of outputs, relative to the spread of the first."""
    if [t.shape for t in a] != [t.shape for t in b]:
        return float("inf")
    largest = 0.0
    for one, other in zip(a, b):
        if mask is not None and one.shape[:2] == mask.shape:
            one, other = one[mask.bool()], other[mask.bool()]
        if not torch.equal(torch.isfinite(one), torch.isfinite(other)):
            return float("inf")
        one, other = one[torch.isfinite(one)], other[torch.isfinite(other)]
        if one.numel() < 2:
            continue
        error, spread = float((one - other).square().mean().sqrt()), float(one.std())
        largest = max(largest, error / spread if spread else float("inf") if error else 0.0)
    return largest


def _run(model: nn.Module, kwargs: Kwargs, accepts: set[str]) -> list[Tensor]:
    given: Kwargs = dict(inputs_to(kwargs, device_of(model)))
    if "use_cache" in accepts:
        given["use_cache"] = False
    outputs = model(**given)
    logits = getattr(outputs, "logits", None)
    found = [logits] if isinstance(logits, Tensor) else [t for _, t in leaves(outputs)]
    return [t.detach().double().cpu() for t in found if t.is_floating_point()]


def _attempt(run: Any, name: str, model: nn.Module) -> list[Tensor]:
    try:
        outputs: list[Tensor] = run()
        return outputs
    except Exception as error:
        raise InputError(
            f"TransformerLens's form of this {type(model).__name__} does not run on {name}, as the model itself does "
            f"({type(error).__name__}: {error}). as_module=True is right: it leaves the model as it is, with module "
            "paths as sites"
        ) from error


def _changed(model: nn.Module, name: str, difference: float) -> str:
    return (
        f"wrapping changes what this {type(model).__name__} computes: on {name} its outputs differ by "
        f"{difference:.2g} of their spread, since TransformerLens computes parts of it anew and does not know an "
        "option of its configuration. as_module=True is right: it leaves the model as it is, with module paths as "
        "sites. (check=False wraps it all the same)"
    )


def _own(model: nn.Module, side: str, difference: float) -> str:
    return (
        f"padding on the {side} changes what {type(model).__name__} computes for real tokens (by {difference:.2g} of "
        "the spread of its outputs), wrapped or not"
    )


@contextlib.contextmanager
def _evaluating(model: nn.Module) -> Iterator[None]:
    """In evaluation mode, without a trace."""
    with Changes() as changes:
        for module in model.modules():
            changes.set(module.__dict__, "training", False)
        with without_trace(model):
            yield
