"""Toys by name."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from artiphys.border import border
from artiphys.errors import InputError, unknown
from artiphys.toys import codes, connections, decoys, dynamics, induction, logic, memories, programs, textbook
from artiphys.toys.planted_circuits import planted
from artiphys.toys.toy import Toy

_MAKERS: dict[str, Callable[..., Toy]] = {
    "and": logic.conjunction,
    "or": logic.disjunction,
    "xor": logic.xor,
    "xor_redundant": logic.xor_redundant,
    "backup": logic.backup,
    "synergy": logic.synergy,
    "parity3": logic.parity3,
    "gate": decoys.gate,
    "bias_unit": decoys.bias_unit,
    "epiphenomenal": decoys.epiphenomenal,
    "suppressor": decoys.suppressor,
    "variance_code": codes.variance_code,
    "bystander": decoys.bystander,
    "integrator": dynamics.integrator,
    "induction_head": induction.induction_head,
    "induction_edges": induction.induction_edges,
    "cancelling_paths": connections.cancelling_paths,
    "diagonal": connections.diagonal,
    "ring": connections.ring,
    "additive": textbook.additive,
    "majority3": textbook.majority3,
    "majority5": textbook.majority5,
    "dictator": textbook.dictator,
    "null_player": textbook.null_player,
    "glove": textbook.glove,
    "opposing": textbook.opposing,
    "greedy_trap": textbook.greedy_trap,
    "relay": memories.relay,
    "refresh": memories.refresh,
    "reverse": programs.reverse,
    "count": programs.count,
    "sort": programs.sort,
    "planted": planted,
}


def names() -> list[str]:
    """Names of all toys.

    >>> names()[:3]
    ['and', 'or', 'xor']
    """
    return list(_MAKERS)


@border
def load(name: str, **options: Any) -> Toy:
    """A toy by name; some take options, such as ``load("integrator", leak=0.8)``.

    Raises
    ------
    InputError
        If there is no such toy or it takes no such option.

    >>> [t.expected for t in load("xor").truth if t.analysis == "shapley" and t.kind == "zero"]
    [{'hidden.0': 0.375, 'hidden.1': 0.125}]
    """
    if name not in _MAKERS:
        raise InputError(unknown("toy", name, names()))
    try:
        return _MAKERS[name](**options)
    except TypeError as error:
        raise InputError(f"toy {name!r} does not take these options: {error}") from error
