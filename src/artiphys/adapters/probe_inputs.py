"""Inputs to look at a transformers model with: an example of its own, and the same with shorter sequences."""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Mapping
from typing import Any

import torch
from torch import Tensor, nn

Kwargs = dict[str, Tensor]
DECODER = "decoder"
FRAMES = "frames"
N_SAMPLES = 4000  # of a sound wave, more than the receptive field of the usual first layers


def main_input(model: nn.Module) -> str:
    """Name of the input that a bare tensor is."""
    return str(getattr(model, "main_input_name", "input_ids"))


def default_example(model: Any) -> Kwargs | None:
    """Two trials that a model surely takes, or None if only its user knows.

    Five tokens (and four for a decoder), pixels or a sound of the size that the configuration names.
    """
    config, main = model.config, main_input(model)
    if main == "input_ids":
        ids = plain_tokens(config, 18)
        if ids is None:
            return None
        tokens = torch.tensor(ids[:10]).reshape(2, 5)
        if not getattr(config, "is_encoder_decoder", False):
            return {main: tokens}
        return {main: tokens, "decoder_input_ids": torch.tensor(ids[10:]).reshape(2, 4)}
    noise = torch.Generator().manual_seed(0)
    size = getattr(config, "image_size", None)
    if main == "pixel_values" and size is not None:
        height, width = (size, size) if isinstance(size, int) else tuple(size)
        return {main: torch.randn(2, int(getattr(config, "num_channels", 3)), height, width, generator=noise)}
    if main == "input_values":
        if hasattr(config, "num_mel_bins") and hasattr(config, "max_length"):
            return {main: torch.randn(2, config.max_length, config.num_mel_bins, generator=noise)}
        return {main: torch.randn(2, N_SAMPLES, generator=noise)}
    return None


def plain_tokens(config: Any, n: int) -> list[int] | None:
    """Token ids without a special meaning, different ones where the vocabulary has so many; None without one."""
    text = getattr(config, "text_config", None) or config
    size = int(getattr(text, "vocab_size", 0) or 0)
    if not size:
        return None
    special = set(_special(config.to_dict()))
    plain = [i for i in range(size) if i not in special] or list(range(size))
    return [plain[i % len(plain)] for i in range(3, 3 + n)]


def _special(config: Mapping[str, Any]) -> Iterator[int]:
    for name, value in config.items():
        if isinstance(value, Mapping):
            yield from _special({str(k): v for k, v in value.items()})
        elif name.endswith(("token_id", "token_index", "token_ids")):
            yield from (v for v in (value if isinstance(value, (list, tuple)) else [value]) if isinstance(v, int))


def shorter(model: nn.Module, inputs: Kwargs) -> Iterator[tuple[str, list[Kwargs]]]:
    """The same inputs with one of their sequences shorter, in several ways, and which sequence that is.

    ``""`` counts tokens or image patches, ``"decoder"`` what a decoder is given, ``"frames"`` the frames of a sound.
    A network may fill up its sequences (so that one token less changes nothing) or need some of them (so that half is
    too few).
    """
    name = main_input(model)
    main = inputs.get(name)
    if main is None or main.ndim < 2:
        return
    if main.ndim == 4:
        patch = getattr(getattr(model, "config", None), "patch_size", None)
        step = patch if isinstance(patch, int) else patch[0] if patch else 1
        accepted = inspect.signature(model.forward).parameters
        if "interpolate_pos_encoding" in accepted and main.shape[2] > step:
            more: Any = {"interpolate_pos_encoding": True}
            yield "", [{**inputs, name: main[:, :, :-step], **more}]
        return
    is_wave = main.is_floating_point()
    first = [k for k in inputs if not k.startswith(DECODER)]
    yield FRAMES if is_wave else "", _cut(inputs, first, main.shape[1], (0.75,) if is_wave else (0.5,))
    answer = inputs.get("decoder_input_ids")
    if answer is not None:
        yield DECODER, _cut(inputs, [k for k in inputs if k.startswith(DECODER)], answer.shape[1], (0.5,))


def _cut(inputs: Kwargs, names: list[str], n: int, shares: tuple[float, ...]) -> list[Kwargs]:
    lengths = dict.fromkeys([*(int(n * share) for share in shares), n - 1])
    return [
        {k: t[:, :m] if k in names and t.ndim > 1 and t.shape[1] == n else t for k, t in inputs.items()}
        for m in lengths
        if m > 0
    ]
