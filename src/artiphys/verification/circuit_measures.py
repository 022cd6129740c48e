"""What the field measures of circuits: members against others, and faithfulness along the sizes of a ranking."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from sklearn.metrics import roc_auc_score

from artiphys.array_types import Array
from artiphys.verification.answer_forms import tied_ranks
from artiphys.verification.methods import Case, Found

SMALLEST, LARGEST = 0.001, 0.5  # shares of all players between which curves are averaged
N_GRID = 2001


@dataclass(frozen=True)
class CircuitMeasures:
    """Of a found set or ranking against all minimal circuits.

    Attributes
    ----------
    exact : bool or None
        Whether the set is a smallest minimal circuit.
    false_members, missed_members : float
        Players too many and too few, beside the minimal circuit that is nearest.
    roc_auc : float
        Area under the receiver operating characteristic of the ranking: players of any minimal circuit against the
        others. NaN where all or none are in one.
    cpr, cmd : float
        Circuit performance ratio: the mean of the faithfulness f of the first players of the ranking over sizes of
        .001 to .5 of all players (1 is best, but overshoot raises it). Circuit-model distance: the mean of |1 - f|
        (0 is best; two-sided, so that overshoot counts against). Mueller et al. 2025, MIB: a mechanistic
        interpretability benchmark.
    """

    exact: bool | None = None
    false_members: float = math.nan
    missed_members: float = math.nan
    roc_auc: float = math.nan
    cpr: float = math.nan
    cmd: float = math.nan


NOTHING_MEASURED = CircuitMeasures()


def measured(found: Found, case: Case) -> CircuitMeasures:
    """The measures of what was found, by the truth of the case."""
    true = [frozenset(key.split("+")) for key in case.truth.expected]
    smallest = min(map(len, true))
    exact = any(found.members == t and len(t) == smallest for t in true)
    nearest = min(true, key=lambda t: (len(t ^ found.members), len(t)))
    wrong, missed = float(len(found.members - nearest)), float(len(nearest - found.members))
    if found.values is None:
        return CircuitMeasures(exact, wrong, missed)
    in_one = np.array([any(str(p) in t for t in true) for p in case.game.player_names])
    area = float(roc_auc_score(in_one, np.abs(found.values))) if 0 < in_one.sum() < len(in_one) else math.nan
    cpr, cmd = _along_sizes(found.values, case)
    return CircuitMeasures(exact, wrong, missed, area, cpr, cmd)


def _along_sizes(values: Array, case: Case) -> tuple[float, float]:
    """Faithfulness between sizes goes straight from one to the next, and over players that are tied."""
    game, n = case.game, len(values)
    sizes, rows, kept = [0], [np.zeros(n, dtype=bool)], np.zeros(n, dtype=bool)
    for tied in tied_ranks(values):
        kept[tied] = True
        sizes.append(int(kept.sum()))
        rows.append(kept.copy())
        if sizes[-1] >= LARGEST * n:
            break
    f = (game(np.stack(rows)) - game.lesioned) / (game.intact - game.lesioned)
    along = np.interp(np.linspace(SMALLEST, LARGEST, N_GRID), np.array(sizes) / n, f)
    return float(along.mean()), float(np.abs(1 - along).mean())
