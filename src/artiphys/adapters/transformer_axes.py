"""Axes of a transformer's sites, from what changes when its sequences get shorter, and from its configuration."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from torch import Tensor, nn

PATTERNS = ("hook_pattern", "hook_attn_scores")
EXPERTS = ("hook_expert_weights", "hook_router_scores")
OF_HEADS = re.compile(r"(attn|attention|mixer|ssm|recurrent)\.")


@dataclass(frozen=True)
class Axes:
    """Names of a site's axes after ``trial``, and the sequence whose positions its time counts."""

    names: tuple[str, ...]
    sequence: str = ""
    guessed: bool = False
    unit_known: bool = True


@dataclass(frozen=True)
class Sizes:
    """Numbers of heads and of experts, and widths of layers, that a configuration speaks of."""

    heads: frozenset[int]
    experts: frozenset[int]
    widths: frozenset[int]

    @classmethod
    def of(cls, config: Mapping[str, Any]) -> Sizes:
        """From a configuration as a mapping, with those inside it."""
        numbers = list(_numbers(config))
        return cls(
            frozenset(v for k, v in numbers if "head" in k and not re.search(r"dim|size|channels", k)),
            frozenset(
                v for k, v in numbers if "expert" in k and not re.search(r"dim|size|per_tok|shared|top|group", k)
            ),
            frozenset(v for k, v in numbers if re.search(r"size|dim|embd|d_model|d_ff|inner|width", k)),
        )


def _numbers(config: Mapping[str, Any]) -> Iterator[tuple[str, int]]:
    for name, value in config.items():
        if isinstance(value, Mapping):
            yield from _numbers({str(k): v for k, v in value.items()})
        elif isinstance(value, int) and not isinstance(value, bool) and value > 0:
            yield name, value


def axes_of(
    name: str,
    shape: tuple[int, ...],
    moved: Mapping[int, str] | None,
    sizes: Sizes,
    image: tuple[int, ...] | None = None,
    split: bool = False,
    lengths: Mapping[str, int] | None = None,
) -> Axes:
    """The axes of one site.

    Parameters
    ----------
    name : str
    shape : tuple
        Without the trials.
    moved : mapping of axis to sequence, or None
        Axes that got shorter with which sequence; None where no sequence could be made shorter.
    sizes : Sizes
    image : tuple or None
        Shape of an image ``(channel, height, width)``, where the network takes one.
    split : bool
        Whether the last axis was split into heads and their units.
    lengths : mapping of sequence to int, optional
        Tokens in the sequences. An axis of another length counts something else, such as blocks of tokens, and is
        called ``position``.

    >>> sizes = Sizes(frozenset({4}), frozenset(), frozenset({8}))
    >>> axes_of("blocks.0.attn.hook_q_normed", (4, 7, 8), {1: ""}, sizes).names
    ('head', 'time', 'unit')
    """
    if image is not None and shape == image:
        return Axes(("channel", "height", "width"))
    if not moved:
        return _by_rank(name, shape, sizes, split, asked=moved is not None)
    names = [""] * len(shape)
    times = sorted(moved)
    for axis, label in zip(times, ("time", "key")):
        names[axis] = label
    rest = [i for i in range(len(shape)) if not names[i]]
    known = len(times) <= 2
    if len(rest) == 1:
        names[rest[0]], known = _single(name, shape[rest[0]], len(times), sizes)
    elif len(rest) == 2 and (split or (shape[rest[0]] in sizes.heads and OF_HEADS.search(name))):
        names[rest[0]], names[rest[1]] = "head", "unit"
    elif rest:
        known = False
    for i, label in enumerate(names):
        names[i] = label or ("unit" if i == rest[-1] else f"axis{i + 1}")
    sequence = moved[times[0]]
    if lengths is not None and lengths.get(sequence, shape[times[0]]) != shape[times[0]]:
        names[times[0]], sequence = "position", ""
    return Axes(tuple(names), sequence, not known, known)


def _single(name: str, size: int, n_times: int, sizes: Sizes) -> tuple[str, bool]:
    """The only axis beside time, and whether that is known."""
    last = name.rsplit(".", 1)[-1]
    if n_times == 2:
        return "head", last in PATTERNS or size in sizes.heads
    if last in EXPERTS or name.endswith("mlp.gate.hook_out"):
        # The weights of the experts that were chosen have one entry a choice: the second is not the second expert.
        return ("expert", True) if size in sizes.experts else ("choice", False)
    return "unit", True


def _by_rank(name: str, shape: tuple[int, ...], sizes: Sizes, split: bool, asked: bool) -> Axes:
    """Axes of a site none of which was seen to get shorter, as in the image half of a language model."""
    last = name.rsplit(".", 1)[-1]
    if last in PATTERNS and len(shape) == 3:
        return Axes(("head", "time", "key"), guessed=asked)
    if len(shape) == 1:
        return Axes(("unit",))
    if split and len(shape) == 3:
        return Axes(("time", "head", "unit"), guessed=asked)
    if len(shape) == 2 and shape[1] in sizes.widths:
        return Axes(("time", "unit"), guessed=True)
    return Axes((*(f"axis{i + 1}" for i in range(len(shape) - 1)), "unit"), guessed=True, unit_known=False)


class HeadSplit:
    """Heads side by side on the last axis, split; in the form of TransformerLens's own conversions."""

    def __init__(self, n_heads: int) -> None:
        self.n_heads = n_heads

    def convert(self, raw: Tensor) -> Tensor:
        """``(..., head * unit)`` -> ``(..., head, unit)``."""
        return raw.reshape(*raw.shape[:-1], self.n_heads, -1)

    def revert(self, split: Tensor) -> Tensor:
        """The way back."""
        return split.reshape(*split.shape[:-2], -1)


def conversion_of(point: nn.Module, name: str, raw: Tensor, n_heads: int | None) -> Any:
    """The point's own conversion where it changes the shape or order, as the head split does.

    TransformerLens takes one width for all heads; where values are narrower than queries (latent attention), its split
    of the heads' results is wrong and is made here.
    """
    conversion = getattr(point, "hook_conversion", None)
    split: Tensor | None = None
    if conversion is not None:
        try:
            split = conversion.convert(raw)
        except RuntimeError:  # it does not even fit
            split = None
    if n_heads and name.endswith("attn.hook_z") and raw.ndim == 3 and raw.shape[-1] % n_heads == 0:
        wanted = (n_heads, raw.shape[-1] // n_heads)
        return conversion if split is not None and tuple(split.shape[-2:]) == wanted else HeadSplit(n_heads)
    if split is None:
        return None
    changed = tuple(split.shape) != tuple(raw.shape)
    return conversion if changed or type(conversion).__name__ == "TransposeRotaryHeads" else None
