"""Checks of toys that are handed in: what is wrong with one is no fault of the methods."""

from __future__ import annotations

import math
from typing import get_args

from artiphys.errors import InputError
from artiphys.lesions.operations.lesion import Kind
from artiphys.toys.toy import Toy, Truth
from artiphys.verification.methods import Case

OF_PLAYERS = ("shapley", "single_lesions")
OF_SETS = ("minimal circuits", "critical sets")


def check_toy(toy: Toy) -> None:
    """Raise an error that names the field.

    Raises
    ------
    InputError
        If labels are of other trials, or a truth is empty, not finite, under an unknown kind of lesion, or of players
        that the toy does not have.
    """
    if len(toy.labels) != len(toy.stimuli):
        raise InputError(f"toy {toy.name!r} has {len(toy.labels)} labels for {len(toy.stimuli)} trials")
    if not toy.truth:
        raise InputError(f"toy {toy.name!r} states no truth")
    for truth in toy.truth:
        _check_truth(toy, truth)
    stated = [t for t in toy.truth if t.analysis in OF_PLAYERS or t.analysis.startswith(OF_SETS)]
    if stated:
        known = {str(p.name) for p in toy.lesion_players(Case(toy, stated[0]).prep)}  # a copy: nothing is taken over
        for truth in stated:
            named = {part for key in truth.expected for part in key.split("+")}
            if ghosts := named - known:
                raise InputError(
                    f"toy {toy.name!r} states {truth.analysis!r} of {', '.join(sorted(ghosts))}, which are none of its "
                    f"players: {', '.join(sorted(known))}"
                )


def _check_truth(toy: Toy, truth: Truth) -> None:
    where = f"toy {toy.name!r}, truth {truth.analysis!r}"
    if not truth.expected:
        raise InputError(f"{where}: expected is empty")
    if not all(math.isfinite(v) for v in truth.expected.values()):
        raise InputError(f"{where}: expected holds values that are not finite")
    if not (math.isfinite(truth.tolerance) and truth.tolerance >= 0):
        raise InputError(f"{where}: tolerance came as {truth.tolerance}; wanted a finite number of 0 or more")
    if truth.kind is not None and truth.kind not in get_args(Kind):
        raise InputError(f"{where}: kind came as {truth.kind!r}; wanted one of {', '.join(get_args(Kind))}, or None")
