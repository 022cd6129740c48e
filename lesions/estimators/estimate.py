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
    weights : ``(value, coalition)``
        Of one value per player or interaction. Dense, a scipy sparse array, or anything else that multiplies.
    stderr, df : ``(value, output)``, or None where the estimate is exact
    n_samples : float
        Independent samples behind the error (inf if exact).
    """

    coalitions: Bool[Array, "coalition player"]
    weights: Any
    stderr: Float[Array, "value output"] | None = None
    df: Float[Array, "value output"] | None = None
    n_samples: float = math.inf


def least_df(estimate: Estimate, values: Array) -> float:
    """Fewest degrees of freedom of an error that matters."""
    if estimate.stderr is None or estimate.df is None:
        return math.inf
    size = np.abs(values.reshape(estimate.stderr.shape))
    matters = estimate.stderr > NEGLIGIBLE_SHARE * size.max(axis=0, initial=0)
    return float(estimate.df[matters].min(initial=math.inf))


def refusal(estimate: Estimate, values: Array, n_evaluations: int) -> str:
    """Why intervals are refused, with a budget that should do; empty where they hold."""
    df = least_df(estimate, values)
    if df >= MIN_DF:
        return ""
    enough = min(n_evaluations * max(2.0, 2 * MIN_DF / max(df, 1.0)), 2.0 ** len(values))
    return (
        f"hardly any of the {n_evaluations} coalitions made a difference to some player, so that no interval over "
        f"coalitions would hold; a budget of {math.ceil(enough)} should do"
    )
