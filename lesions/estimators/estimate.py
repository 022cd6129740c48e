"""Estimate: weights of coalitions, errors, and whether the errors can be trusted."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Bool, Float

from artiphys.array_types import Array

MIN_DF = 5.0  # below it hardly any sample made a difference, and intervals of very skewed games covered too little
NEGLIGIBLE_SHARE = 0.02  # errors below this part of the largest value are no reason to refuse


@dataclass(frozen=True)
class Estimate:
    """What an estimator found: the values are ``weights @ game(coalitions)``.

    Attributes
    ----------
    coalitions : bool ``(coalition, player)``
        The first is all intact, the second all lesioned.
    weights : ``(player, coalition)``
        Dense, or a scipy sparse array.
    stderr, df : ``(player, output)``, or None where the estimate is exact
    n_samples : float
        Independent samples behind the error (inf if exact).
    """

    coalitions: Bool[Array, "coalition player"]
    weights: Any
    stderr: Float[Array, "player output"] | None = None
    df: Float[Array, "player output"] | None = None
    n_samples: float = math.inf


def least_df(found: Estimate, estimate: Array) -> float:
    """Fewest degrees of freedom of an error that matters."""
    if found.stderr is None or found.df is None:
        return math.inf
    values = np.abs(estimate.reshape(found.stderr.shape))
    matters = found.stderr > NEGLIGIBLE_SHARE * values.max(axis=0, initial=0)
    return float(found.df[matters].min(initial=math.inf))


def refusal(found: Estimate, estimate: Array, n_evaluations: int) -> str:
    """Why intervals are refused, with a budget that should do; empty where they hold."""
    df = least_df(found, estimate)
    if df >= MIN_DF:
        return ""
    enough = min(n_evaluations * max(2.0, 2 * MIN_DF / max(df, 1.0)), 2.0 ** len(estimate))
    return (
        f"hardly any of the {n_evaluations} coalitions made a difference to some player, so that no interval over "
        f"coalitions would hold; a budget of {math.ceil(enough)} should do"
    )
