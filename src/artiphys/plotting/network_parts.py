"""Parts of a network as they are drawn: columns of units and boxes, what feeds what, and which modules are which."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from artiphys.array_types import Array

INPUT, OUTPUT = " input", " output"  # with a space: no module bears such a name
N_CROWDED = 56  # units of layers of one size
N_SHOWN = 12  # units; a larger layer shows six and a node for the others
# Of a forward that refuses values which its own network never gives it.
UNUSUAL = (ArithmeticError, IndexError, RuntimeError, TypeError, ValueError)
QUERY = re.compile(r"^(query|key|q_proj|k_proj|qkv_proj|q_lin|c_attn|in_proj|Wqkv)$")


@dataclass
class Part:
    """A column of units, or a box.

    Attributes
    ----------
    name : str
        Module path, parameter, "input" or "output".
    words : list of str
        What it is: class of its module, or the operations by hand.
    width : int
        Units; 0 for a box.
    shown : list of int
        Units that have a node of their own; the others share one.
    bias : ndarray ``(unit,)`` or None
    sites : list of str
        Modules whose output this is, itself the last.
    joined : list of str
        Modules that were joined with it.
    linear : bool
        Whether it has weights of its own.
    """

    name: str
    words: list[str]
    width: int = 0
    shown: list[int] = field(default_factory=list)
    bias: Array | None = None
    sites: list[str] = field(default_factory=list)
    joined: list[str] = field(default_factory=list)
    linear: bool = False

    @property
    def rest(self) -> int:
        """Units without a node of their own."""
        return self.width - len(self.shown)


@dataclass
class Feed:
    """What one part gives to another.

    Attributes
    ----------
    operations : set of str
        By hand, on the way.
    back : bool
        True if it comes from a part that is computed later, or is itself: from the step before.
    leads : ndarray ``(node of the source, node of the target)`` or None
        Whether a change of the one changes the other; the last node stands for the units without one.
    weights : ndarray, same shape, or None
        NaN where the change is not the same on all trials.
    weighted : bool
        Whether it goes through weights of a layer.
    """

    operations: set[str]
    back: bool = False
    leads: Array | None = None
    weights: Array | None = None
    weighted: bool = False


def tensors_in(value: Any) -> Iterator[Tensor]:
    """All tensors in arguments or outputs."""
    if isinstance(value, Tensor):
        yield value
    elif isinstance(value, dict):
        for v in value.values():
            yield from tensors_in(v)
    elif isinstance(value, list | tuple):
        for v in value:
            yield from tensors_in(v)


def is_one_box(name: str, module: nn.Module) -> bool:
    """True for what is not looked into: modules without parts, attention (by its parts) and MLPs (by their class)."""
    children = [n for n, _ in module.named_children()]
    heads = sum(bool(QUERY.match(n)) for n in children)
    whole = heads >= 2 or "qkv_proj" in children or type(module).__name__.endswith(("MLP", "Attention"))
    return not children or (whole and name != "")


def passes_through(module: nn.Module) -> bool:
    """True for modules that are named on the way and get no column: norms, dropout, identity."""
    return type(module).__name__.endswith(("Norm", "Identity", "Dropout", "RotaryEmbedding"))


def reads_and_writes(module: nn.Module) -> list[str]:
    """Which units of the stream attention reads and writes, by the weights of it that are not zero."""
    layers = {n: m.weight.detach().cpu().numpy() for n, m in module.named_children() if isinstance(m, nn.Linear)}
    if not {"query", "key", "value"} <= set(layers):
        return []
    words = [
        f"{name[0].upper()} reads {ranges(np.any(layers[name] != 0, axis=0))}" for name in ("query", "key", "value")
    ]
    return [*words, f"writes {ranges(np.any(layers['value'] != 0, axis=1))}"]


def ranges(chosen: Array) -> str:
    """Numbers of the chosen units, briefly.

    >>> ranges(np.array([False, True, True, True, False, True])), ranges(np.ones(3, dtype=bool))
    ('1–3, 5', 'all')
    """
    units = np.flatnonzero(chosen)
    if len(units) in (0, len(chosen)):
        return "all" if len(units) else "none"
    runs = np.split(units, np.flatnonzero(np.diff(units) > 1) + 1)
    if len(runs) > 2:
        return f"{len(units)} of {len(chosen)}"
    return ", ".join(f"{r[0]}–{r[-1]}" if len(r) > 1 else str(r[0]) for r in runs)


def acts_on_single_units(module: nn.Module, given: Any, out: Tensor) -> bool:
    """True for a module without weights of which each unit depends on the same unit of its input alone."""
    if any(True for _ in module.parameters()) or not isinstance(given, Tensor) or given.shape != out.shape:
        return False
    if not given.is_floating_point():
        return False
    draws = torch.Generator().manual_seed(0)
    for _ in range(16):
        noise = 10 * torch.randn(given.shape, generator=draws).to(given)
        kept = torch.rand(given.shape[-1], generator=draws) < 0.5
        try:
            changed = module.forward(torch.where(kept.to(given.device), given, given + noise))
        except UNUSUAL:  # then it is not taken for one
            return False
        if not torch.allclose(changed[..., kept], out[..., kept]):
            return False
    return True


def shown_units(width: int, wanted: list[int], n_parts: int = 1) -> list[int]:
    """Units with a node of their own: all of a small layer; else six, first those that are wanted, then evenly spread.

    Two, where there are many layers of that size.

    >>> shown_units(3, []), shown_units(60, []), shown_units(60, [1, 2])
    ([0, 1, 2], [0, 10, 20, 30, 40, 50], [0, 1, 2, 10, 20, 30])
    >>> shown_units(8, [], n_parts=9)
    [0, 4]
    """
    crowded = width > 3 and n_parts * width > N_CROWDED
    if width <= N_SHOWN and not crowded:
        return list(range(width))
    n = 2 if crowded and n_parts > 5 else 6
    chosen = wanted[:n]
    spread = [u for u in (width * k // n for k in range(n)) if u not in chosen]
    return sorted([*chosen, *spread[: n - len(chosen)]])
