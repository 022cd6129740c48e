"""What a drawing of a network is made from: its model, inputs to observe it on, and the names of its players."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from artiphys.border import shown
from artiphys.errors import InputError
from artiphys.players import Link, Target
from artiphys.toys.toy import Toy

N_TRIALS = 24  # on which the network is observed


def typical_units(names: dict[int, str]) -> list[int]:
    """Units of each player, where there are few players."""
    of: dict[str, list[int]] = {}
    for unit in sorted(names):
        of.setdefault(names[unit], []).append(unit)
    if not 2 <= len(of) <= 6:
        return []
    each = 6 // len(of)
    return [units[len(units) * k // each] for units in of.values() for k in range(min(each, len(units)))]


@dataclass(frozen=True)
class Subject:
    """What is drawn.

    Attributes
    ----------
    model : Module
    inputs : tensor or mapping
    title : str
    players : dict of str to dict of int to str
        Names by site and unit.
    note : str
        Players that are connections.
    senders : tuple of str
        Sites that these lead from.
    """

    model: nn.Module
    inputs: Any
    title: str
    players: dict[str, dict[int, str]]
    note: str = ""
    senders: tuple[str, ...] = ()


def taken_apart(given: Any, example: Any) -> Subject:
    """A toy or a module as what is drawn."""
    if isinstance(given, Toy):
        rows = np.unique(np.linspace(0, len(given.stimuli) - 1, N_TRIALS).astype(int))
        players: dict[str, dict[int, str]] = {}
        links, senders = [], []
        for player in given.lesion_players():
            for target in player.targets:
                if isinstance(target, Target):
                    names = players.setdefault(target.site, {})
                    name = player.name if target.times is None else player.name.split("[")[0]
                    names.update({u: names.get(u, name) for u in target.units})
                elif isinstance(target, Link):
                    links.append(player.name)
                    senders.append(target.sender)
        links = list(dict.fromkeys(links))
        more = f", … {len(links)} connections" if len(links) > 6 else ""
        note = "players: " + ", ".join(links[:6]) + more if links else ""
        if given.windows:
            note = f"players: each in each of {len(given.windows)} windows of time"
        return Subject(given.model, given.stimuli[rows].inputs, given.name, players, note, tuple(senders))
    if not isinstance(given, nn.Module):
        raise InputError(f"toy_or_model came as {shown(given)}; wanted a toy of toys.load, or a module of torch")
    if given.training:
        raise InputError("the module came in training mode, in which dropout acts; wanted eval() mode")
    if example is None:
        first = next((m for m in given.modules() if isinstance(m, nn.Linear)), None)
        if first is None:
            raise InputError("a module without a linear layer came without an example; wanted example=, its inputs")
        example = torch.randn(N_TRIALS, first.in_features, generator=torch.Generator().manual_seed(0))
        example = example.to(first.weight)
        try:
            with torch.no_grad():
                given(example)
        except Exception as error:
            raise InputError(f"the module does not take noise for its first linear layer ({error}); wanted example=, "
                             "its inputs") from error  # fmt: skip
    if not isinstance(example, Tensor | dict):
        raise InputError(f"example came as {shown(example)}; wanted a tensor, or a mapping of tensors")
    return Subject(given, example, type(given).__name__, {})
