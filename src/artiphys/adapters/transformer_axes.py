"""Axes of a transformer's sites, from what changes when its sequences get shorter, and from its configuration."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from torch import Tensor, nn

PATTERNS = ("hook_pattern", "hook_attn_scores")
EXPERTS = ("hook_expert_weights", "hook_router_scores")
OF_HEADS = re.compile(r"attn|attention|mixer|ssm|recurrent|linear_attn")


@dataclass(frozen=True)
class Axes:
    """Names of a site's axes after ``trial``, and the sequence whose positions its time counts."""

    names: tuple[str, ...]
    sequence: str = ""
    guessed: bool = False


def heads_of(config: Mapping[str, Any]) -> set[int]:
    """Numbers of heads that a configuration speaks of."""
    found: set[int] = set()
    for name, value in config.items():
        if isinstance(value, Mapping):
            found |= heads_of({str(k): v for k, v in value.items()})
        elif re.search(r"head", name) and not re.search(r"dim|size|channels", name) and isinstance(value, int):
            found.add(value)
    return {n for n in found if n > 0 and not isinstance(n, bool)}


def axes_of(
    name: str, shape: tuple[int, ...], moved: Mapping[int, str] | None, heads: set[int], image: tuple[int, ...] | None
) -> Axes:
    """The axes of one site.

    Parameters
    ----------
    name : str
    shape : tuple
        Without the trials.
    moved : mapping of axis to sequence, or None
        Axes that got shorter with which sequence; None where no sequence could be made shorter.
    heads : set of int
        Numbers of heads in this network.
    image : tuple or None
        Shape of an image ``(channel, height, width)``, where the network takes one.
    """
    last = name.rsplit(".", 1)[-1]
    experts = last in EXPERTS or name.endswith("mlp.gate.hook_out")
    if image is not None and len(shape) == 3 and shape == image:
        return Axes(("channel", "height", "width"))
    if moved is None:
        return _by_rank(last, shape, heads, experts, image is not None)
    names = [""] * len(shape)
    times = sorted(moved)
    for axis, label in zip(times, ("time", "key")):
        names[axis] = label
    rest = [i for i in range(len(shape)) if not names[i]]
    known = len(times) <= 2
    if len(rest) == 1:
        is_head = len(times) == 2 and last in PATTERNS
        names[rest[0]] = "head" if is_head else "expert" if experts and times else "unit"
    elif len(rest) == 2 and shape[rest[0]] in heads and OF_HEADS.search(name):
        names[rest[0]], names[rest[1]] = "head", "unit"
    elif rest:
        known = False
    for i, label in enumerate(names):
        names[i] = label or ("unit" if i == rest[-1] else f"axis{i + 1}")
    return Axes(tuple(names), moved[times[0]] if times else "", not known)


def _by_rank(last: str, shape: tuple[int, ...], heads: set[int], experts: bool, of_image: bool) -> Axes:
    if last in PATTERNS:
        return Axes(("head", "time", "key"))
    if experts and len(shape) == 2:
        return Axes(("time", "expert"))
    if len(shape) == 1:
        return Axes(("unit",) if of_image else ("time",))
    if len(shape) == 2:
        return Axes(("time", "unit"))
    if len(shape) == 3 and shape[1] in heads and shape[0] not in heads:
        return Axes(("time", "head", "unit"))
    return Axes((*(f"axis{i + 1}" for i in range(len(shape) - 1)), "unit"), guessed=True)


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
