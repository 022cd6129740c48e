"""Gadgets: how a few units compute an answer together, as rectified stages and as formulas."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import nn

from artiphys.errors import InputError

Array = np.ndarray[Any, Any]
Stage = tuple[float, float, float]  # output weight, slope and bias of one rectified unit
Summand = tuple[tuple[int, ...], list[Stage], float]  # units read, rectified units of their sum, constant

# Gadget -> (players, chance of being drawn).
GADGETS: dict[str, tuple[int, float]] = {
    "single": (1, 0.15), "redundant2": (2, 0.2), "redundant3": (3, 0.1), "synergy2": (2, 0.15), "synergy3": (3, 0.1),
    "synergy4": (4, 0.0), "majority3": (3, 0.05), "opposition": (2, 0.1), "detour3": (3, 0.1), "detour5": (5, 0.15),
    "relay2": (2, 0.0), "relay3": (3, 0.0),
}  # fmt: skip
RELAYS = ("relay2", "relay3")  # the first unit hears the stimulus, each other one the unit before it


def clip() -> list[Stage]:
    """min(max(z, -1), 1) of rectified units; the constant -1 is added by who uses it."""
    return [(1.0, 1.0, 1.0), (-1.0, 1.0, -1.0)]


def conjunction(m: int) -> list[Stage]:
    """1 where all of ``m`` inputs are 1, -1 where all are -1, 0 where one is missing."""
    return [(1.0, 1.0, 1.0 - m), (-1.0, 1.0, -float(m)), (-1.0, -1.0, 1.0 - m), (1.0, -1.0, -float(m))]


def majority() -> list[Stage]:
    """1 where two or three of three inputs are 1, -1 likewise."""
    return [(1.0, 1.0, -1.0), (-1.0, 1.0, -2.0), (-1.0, -1.0, -1.0), (1.0, -1.0, -2.0)]


@dataclass(frozen=True)
class Gadget:
    """One gadget: which units it reads, and its weight in the output."""

    kind: str
    units: tuple[int, ...]
    weight: float
    against: float  # strength of the opposing unit

    def parts(self) -> list[Summand]:
        """What is summed before the second stage: units read, rectified units, constant."""
        u = self.units
        if self.kind in RELAYS:
            return [(u[-1:], clip(), -1.0)]
        if self.kind == "single" or self.kind.startswith("redundant"):
            return [(u, clip(), -1.0)]
        if self.kind.startswith("synergy"):
            return [(u, conjunction(len(u)), 0.0)]
        if self.kind == "majority3":
            return [(u, majority(), 0.0)]
        if self.kind == "detour3":
            return [(u[:1], clip(), -1.0), (u[1:], conjunction(2), 0.0)]
        return [(u[:2], conjunction(2), 0.0), (u[2:], conjunction(3), 0.0)]  # detour5

    def value(self, h: Array) -> Array:
        """The gadget's output from activity ``(..., unit)``, by formula."""
        if self.kind == "opposition":
            a, b = (np.clip(h[..., u], -1, 1) for u in self.units)
            return np.asarray((1 + self.against) * a - self.against * b)
        total = np.zeros(h.shape[:-1])
        for units, stages, constant in self.parts():
            z = h[..., list(units)].sum(axis=-1)
            total = total + constant + sum(w * np.maximum(slope * z + bias, 0) for w, slope, bias in stages)
        return np.asarray(np.clip(total, -1, 1))


def draw_gadgets(rng: np.random.Generator, n: int, k: int, only: tuple[str, ...] | None) -> list[Gadget]:
    """Gadgets of ``k`` units of ``n`` in all: of some kinds alike often, or of most with set chances.

    Raises
    ------
    InputError
        If these kinds do not add up to ``k`` units.
    """
    kinds: list[str] = []
    left = k
    while left:
        open_ = [q for q, (size, chance) in GADGETS.items() if size <= left and (q in only if only else chance > 0)]
        if not open_:
            raise InputError(f"the gadgets {only} do not add up to {k} planted units")
        chances = np.array([1.0 if only else GADGETS[q][1] for q in open_])
        kinds.append(str(rng.choice(open_, p=chances / chances.sum())))
        left -= GADGETS[kinds[-1]][0]
    who = [int(u) for u in rng.permutation(n)[:k]]
    weights = rng.uniform(0.8, 1.25, len(kinds))
    found = []
    for kind, weight in zip(kinds, weights / weights.sum()):
        units, who = tuple(who[: GADGETS[kind][0]]), who[GADGETS[kind][0] :]
        found.append(Gadget(kind, units, float(weight), float(rng.uniform(0.9, 1.2))))
    return found


def gadget_layers(n: int, gadgets: list[Gadget]) -> tuple[nn.Linear, nn.Linear, nn.Linear]:
    """Two rectified stages and a readout that compute the gadgets from ``n`` units."""
    rows: list[tuple[tuple[int, ...], float, float]] = []  # of the first stage: units, slope, bias
    clips: list[tuple[dict[int, float], float]] = []  # of the second: weights on the first, constant
    outputs: list[dict[int, float]] = []  # a gadget's weights on the clips
    for gadget in gadgets:
        if gadget.kind == "opposition":
            signed = zip(gadget.units, (1 + gadget.against, -gadget.against))
            pieces: list[tuple[list[Summand], float]] = [([((u,), clip(), -1.0)], w) for u, w in signed]
        else:
            pieces = [(gadget.parts(), 1.0)]
        own = {}
        for parts, weight in pieces:
            total, bias = {}, 0.0
            for units, stages, constant in parts:
                bias += constant
                for out, slope, shift in stages:
                    total[len(rows)] = out
                    rows.append((units, slope, shift))
            own[len(clips)] = weight * gadget.weight
            clips.append((total, bias))
        outputs.append(own)
    first, second = nn.Linear(n, len(rows)), nn.Linear(len(rows), 2 * len(clips))
    readout = nn.Linear(2 * len(clips), len(gadgets))
    with torch.no_grad():
        for layer in (first, second, readout):
            layer.weight.zero_()
            layer.bias.zero_()
        for i, (units, slope, shift) in enumerate(rows):
            first.weight[i, list(units)], first.bias[i] = slope, shift
        for i, (total, bias) in enumerate(clips):  # relu(z + 1) - relu(z - 1) - 1
            for k, shift in enumerate((1.0, -1.0)):
                second.weight[2 * i + k, list(total)] = torch.tensor(list(total.values()))
                second.bias[2 * i + k] = bias + shift
        for g, own in enumerate(outputs):
            for i, weight in own.items():
                readout.weight[g, 2 * i], readout.weight[g, 2 * i + 1] = weight, -weight
                readout.bias[g] -= weight
    return first, second, readout
