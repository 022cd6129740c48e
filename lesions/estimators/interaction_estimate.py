"""Interactions and their errors from drawn pairs of complementary coalitions.

The pairs are those that Shapley and Banzhaf values are drawn from; their even half, which those values do not use,
holds all interactions of two players. Each half gets a model of its own and is corrected by cross-fitted residuals.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from jaxtyping import Bool, Float

from artiphys.array_types import Array
from artiphys.lesions.estimators.cross_fitting import corrected, deviations, errors
from artiphys.lesions.estimators.estimate import Estimate
from artiphys.lesions.estimators.interaction_models import Part, fitted
from artiphys.lesions.estimators.interaction_weights import Interaction, sets_of
from artiphys.lesions.estimators.pair_designs import Design

MIN_SHARE_APART = 0.25  # of the variance of both parts, below which their covariance is not trusted


def coalitions_of(interaction: Interaction, design: Design) -> Bool[Array, "coalition player"]:
    """All that the estimate needs: those of the design, then the small ones that lower Shapley-Taylor orders are of."""
    return np.concatenate([design.coalitions, *(_only(interaction.n, s) for s in _known_sizes(interaction))])


def _known_sizes(interaction: Interaction) -> list[int]:
    """Sizes whose terms are discrete derivatives at "none intact", known from a few coalitions."""
    return [s for s in interaction.sizes if interaction.index == "STII" and s < interaction.order]


def _only(n: int, size: int) -> Bool[Array, "coalition player"]:
    sets = sets_of(n, size)
    rows = np.zeros((len(sets), n), dtype=bool)
    rows[np.arange(len(sets))[:, None], sets] = True
    return rows


def sampled(interaction: Interaction, design: Design, values: Float[Array, "coalition output"]) -> Estimate:
    """The estimate from the values of `coalitions_of`."""
    known_sizes = _known_sizes(interaction)
    sizes = tuple(s for s in interaction.sizes if s not in known_sizes)
    n_known = sum(len(sets_of(interaction.n, s)) for s in known_sizes)
    mix = interaction.mix[n_known:, n_known:]
    m = design.n_pairs
    halves, complements = values[2 : 2 + m], values[2 + m : 2 + 2 * m]
    on_halves, on_complements = np.zeros((2, mix.shape[0], m))
    ends, shares = np.zeros((mix.shape[0], 2)), []
    for parity in (1, -1):
        part = Part(interaction, design, parity, sizes)
        weights, error = _estimated(part, mix, (halves + parity * complements) / 2)
        at_ends = mix @ part.weight_of_ends
        on_halves, on_complements = on_halves + weights / 2, on_complements + parity * weights / 2
        ends += np.stack([at_ends, parity * at_ends], axis=1) / 2
        shares.append(error)
    top = np.hstack([ends, on_halves, on_complements])
    weights = _with_known(interaction, known_sizes, top)
    stderr, df = _together(*shares)
    exact = np.zeros((n_known, values.shape[1]))
    return Estimate(
        coalitions_of(interaction, design), weights,
        np.concatenate([exact, stderr]), np.concatenate([exact + np.inf, df]), float(m),
    )  # fmt: skip


@dataclass(frozen=True)
class _Error:
    """Error of one part of the game: standard error, degrees of freedom, and what each pair adds."""

    stderr: Float[Array, "value output"]
    df: Float[Array, "value output"]
    deviations: Sequence[Float[Array, "value pair"]]  # one an output; empty where nothing is uncertain


def _estimated(part: Part, mix: Any, observed: Float[Array, "pair output"]) -> tuple[Array, _Error]:
    """Weights of the pairs, and their error, from one part of the game."""
    whole = np.asarray(mix @ part.weights)
    if not np.abs(whole).max(initial=0) or (part.design.fraction >= 1).all():
        nothing = np.zeros((len(whole), observed.shape[1]))
        return whole, _Error(nothing, nothing + np.inf, ())
    known, unknown = whole * part.design.fraction, whole * (1 - part.design.fraction)
    models = [replace(m, value_weights=np.asarray(mix @ m.value_weights)) for m in fitted(part, observed)]
    each = [deviations(part.design, models, column, unknown) for column in observed.T]
    return corrected(known, unknown, models), _Error(*errors(part.design, models, observed, unknown), each)


def _together(even: _Error, odd: _Error) -> tuple[Array, Array]:
    """Errors of the sum of both parts, which one pair of coalitions may move together; and degrees of freedom."""
    apart = even.stderr**2 + odd.stderr**2
    shared = np.zeros_like(apart)
    for o, (a, b) in enumerate(zip(even.deviations, odd.deviations)):
        shared[:, o] = 2 * (a * b).sum(axis=1)
    total = np.where(apart > 0, np.maximum(apart + shared, MIN_SHARE_APART * apart), 0.0)
    with np.errstate(divide="ignore", invalid="ignore"):  # Welch and Satterthwaite
        df = apart**2 / (even.stderr**4 / even.df + odd.stderr**4 / odd.df)
    return np.sqrt(total), np.where(total > 0, df, np.inf)


def _with_known(interaction: Interaction, known_sizes: Sequence[int], top: Array) -> Array:
    """Weights with rows and columns for the terms that are known from small coalitions."""
    if not known_sizes:
        return top
    n = interaction.n
    small = np.concatenate([np.zeros((1, n), bool), *(_only(n, s) for s in known_sizes)])
    of_known = np.concatenate([interaction.coalition_weights(sets_of(n, s), small) for s in known_sizes])
    rows = np.zeros((len(of_known), top.shape[1] + len(small) - 1))
    rows[:, 1], rows[:, top.shape[1] :] = of_known[:, 0], of_known[:, 1:]
    return np.concatenate([rows, np.hstack([top, np.zeros((len(top), len(small) - 1))])])
