"""Reading: p-values of interactions with Holm's correction, and what they say in words."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from jaxtyping import Bool, Float

from artiphys.array_types import Array
from artiphys.stats.p_values import holm

SYNERGY, REDUNDANCY, UNDECIDED, ADDITIVE = "synergy", "redundancy", "undecided", "additive"
SUPERADDITIVE, SUBADDITIVE = "superadditive", "subadditive"
ROUNDING = 1e-6  # of the largest value of a game, below which an exact interaction is 0: single precision


def corrected(
    p: Float[Array, " interaction"], together: Bool[Array, " interaction"], zero: Bool[Array, " interaction"]
) -> Float[Array, " interaction"]:
    """p of each interaction of several players, corrected by Holm for their number; NaN where refused.

    ``together`` marks interactions of at least two players, ``zero`` those that are 0 but for rounding.
    """
    found = np.full(len(p), np.nan)
    found[together] = holm(np.where(zero, 1.0, p)[together])
    return found


def words(
    members: Sequence[tuple[int, ...]],
    values: Float[Array, " interaction"],
    p: Float[Array, " interaction"],
    zero: Bool[Array, " interaction"],
    contributions: Float[Array, " player"],
    gap: float,
    alpha: float,
) -> list[str]:
    """One word per interaction; empty for single players.

    Synergy and redundancy are said only of players that all work in the behaviour's direction: where one works against
    it, more than the sum of the parts is not "more of the behaviour".
    """
    found = []
    for i, players in enumerate(members):
        if len(players) < 2:
            found.append("")
        elif zero[i]:
            found.append(ADDITIVE)
        elif not p[i] <= alpha:
            found.append(UNDECIDED)
        elif gap and (np.sign(contributions[list(players)]) == np.sign(gap)).all():
            found.append(SYNERGY if np.sign(values[i]) == np.sign(gap) else REDUNDANCY)
        else:
            found.append(SUPERADDITIVE if values[i] > 0 else SUBADDITIVE)
    return found
