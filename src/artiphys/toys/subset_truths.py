"""Truths about sets of units from the values of all coalitions of the few units that matter."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping

from artiphys.toys.toy import Truth

Values = Mapping[tuple[int, ...], float]  # of the sets of intact units, in order
TOLERANCE = 1e-5


def set_truths(
    values: Values, faithfulness: float, margin: float = 0.0, named: Callable[[int], str] = "hidden.{}".format
) -> list[Truth] | None:
    """Shapley values, single lesions, minimal circuits and critical sets under zero lesions.

    ``named`` gives the name of a unit. None where a coalition lies within the margin of what counts as faithful,
    impaired or abolished.
    """
    every = max(values, key=len)
    whole, none = values[every], values[()]
    if whole == none:
        return None
    ratio = {frozenset(s): (v - none) / (whole - none) for s, v in values.items()}
    near = min(min(abs(abs(r - 1) - (1 - faithfulness)), abs(r - 0.05), abs(r - 0.95)) for r in ratio.values())
    if near < margin:
        return None
    minimal = _minimal({s for s, r in ratio.items() if abs(r - 1) <= 1 - faithfulness})

    def name(units: Iterable[int]) -> str:
        return "+".join(named(u) for u in sorted(units))

    lost = {frozenset(every) - s: r for s, r in ratio.items()}
    source = "enumeration of the units that reach the output; all others have readout 0"
    truths = [
        Truth("shapley", {named(u): _shapley(values, every, u) for u in every}, "zero", TOLERANCE, source),
        Truth(
            "single_lesions",
            {named(u): whole - values[tuple(w for w in every if w != u)] for u in every},
            "zero", TOLERANCE, source,
        ),
        Truth("minimal circuits", {name(s): ratio[s] for s in minimal}, "zero", TOLERANCE, source, faithfulness),
    ]  # fmt: skip
    for residual in (0.95, 0.05):
        sets = _minimal({s for s, r in lost.items() if r < residual})
        analysis = f"critical sets {residual:.2f}".replace("0.", ".")
        truths.append(Truth(analysis, {name(s): lost[s] for s in sets}, "zero", TOLERANCE, source))
    return truths


def _minimal(sets: set[frozenset[int]]) -> list[frozenset[int]]:
    """Those of which no proper subset is there, smallest first."""
    return sorted((s for s in sets if not any(t < s for t in sets)), key=lambda s: (len(s), sorted(s)))


def _shapley(values: Values, every: tuple[int, ...], unit: int) -> float:
    n, total = len(every), 0.0
    for intact, value in values.items():
        if unit not in intact:
            more = tuple(u for u in every if u == unit or u in intact)
            total += (values[more] - value) / (n * math.comb(n - 1, len(intact)))
    return total
