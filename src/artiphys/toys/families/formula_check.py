"""Drawn networks, and whether all of their coalitions do what the formula of their gadgets says."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from artiphys.toys.families.gadgets import Array, Gadget
from artiphys.toys.families.planted_networks import PlantedNet

N_TRIED = 8  # trials that coalitions are tried on
N_AT_ONCE = 4096  # coalitions


@dataclass(frozen=True)
class Drawn:
    """A network with its inputs, and the formula of its planted units' activity.

    ``activity`` gives it from a mask of intact units: ``(trial, unit)``, what is lesioned being 0.
    """

    net: PlantedNet
    x: Array
    gains: Array
    activity: Callable[[Array], Array]


def output_of(drawn: Drawn, gadgets: list[Gadget], shown: Array) -> Array:
    """The score's output on each trial by formula, from a mask of intact units."""
    h = drawn.activity(shown)
    return np.asarray(sum(g.weight * drawn.gains[:, i] * g.value(h) for i, g in enumerate(gadgets)))


def compare_with_formula(drawn: Drawn, gadgets: list[Gadget], site: str, n: int) -> None:
    """All coalitions of all units, the idle ones too, in the network itself.

    Raises
    ------
    RuntimeError
        If an output differs: the toy would be wrong.
    """
    planted_units = sorted(u for g in gadgets for u in g.units)
    numbers = np.arange(2**n)
    masks = (numbers[:, None] >> np.arange(n)) & 1
    own = masks[:, planted_units] @ (1 << np.arange(len(planted_units)))
    few = Drawn(drawn.net, drawn.x[:N_TRIED], drawn.gains[:N_TRIED], lambda shown: drawn.activity(shown)[:N_TRIED])
    shown = np.zeros((2 ** len(planted_units), n))
    shown[:, planted_units] = (np.arange(len(shown))[:, None] >> np.arange(len(planted_units))) & 1
    wanted = np.stack([output_of(few, gadgets, row) for row in shown])
    x, worst = torch.as_tensor(few.x, dtype=torch.float32), 0.0
    for start in range(0, len(masks), N_AT_ONCE):
        part = torch.as_tensor(masks[start : start + N_AT_ONCE], dtype=torch.float32)
        gates = part.repeat_interleave(len(x), dim=0)

        def gated(module: object, args: object, out: Tensor, gates: Tensor = gates) -> Tensor:
            return out * (gates if out.ndim == 2 else gates[:, None])

        handle = drawn.net.get_submodule(site).register_forward_hook(gated)
        try:
            with torch.no_grad():
                y = drawn.net(x.repeat(len(part), *[1] * (x.ndim - 1))).reshape(len(part), len(x))
        finally:
            handle.remove()
        worst = max(worst, float(np.abs(y.numpy() - wanted[own[start : start + N_AT_ONCE]]).max()))
    if worst > 1e-4:
        raise RuntimeError(f"a planted network differs from its formula by {worst:.2g}; please report its options")
