"""Cross-fitting: values free of bias, and their errors, from a model of the game and its residuals.

The model is fitted to all pairs, and each pair's residual is taken from the model fitted without it (in closed form).
The mean over pairs of (value of the model without pair j + weighted residual of pair j) is then free of bias
whatever the model, and a good model only makes it more precise. Known pairs are not estimated: of each stratum
only the pairs that were not drawn are, so that the error goes to 0 as the strata are exhausted.

References
----------
Chernozhukov et al. 2018, Double/debiased machine learning (cross-fitting). Witter, Liu & Musco 2025,
Regression-adjusted Monte Carlo estimators for Shapley values. Covert & Lee 2021, Improving KernelSHAP (pairs).
Satterthwaite 1946 (degrees of freedom of a weighted sum of squares).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float, Integer

from artiphys.array_types import Array
from artiphys.lesions.estimators.estimate import Estimate
from artiphys.lesions.estimators.linear_smoothers import Smoother
from artiphys.lesions.estimators.odd_polynomials import Functional, sign
from artiphys.lesions.estimators.pair_designs import Design
from artiphys.lesions.estimators.smoothers import shrunken

MIN_PAIRS_PER_LIGHT_PARAMETER = 10  # pairs per parameter from which one pair more or less hardly changes the others
MIN_LEFT = 1e-6  # of an observation, below which its residual is rounding
MAX_TABLE_ENTRIES = 2_000_000  # most entries of a table of pairs by chosen pairs
MAX_SHARED_PAIRS = 1000  # most pairs whose shared influence is summed in full


def shrunken_estimate(design: Design, values: Float[Array, "coalition ..."]) -> tuple[Estimate, float]:
    """Values and errors from third order shrunken towards first, and the variance ratio it was shrunken at."""
    models, ratio = shrunken(design, centred(design, values))
    return cross_fitted(design, values, *models), ratio


def cross_fitted(design: Design, values: Float[Array, "coalition ..."], *models: Smoother) -> Estimate:
    """Values and errors from models of the same pairs; ``values`` are those of ``design.coalitions``.

    Of several models, pair j is corrected by number ``j mod len(models)``: one whose shrinkage was chosen
    without it.
    """
    functional = Functional.of(design.index, design.n_players)
    x, u = sign(design.intact), centred(design, values)
    whole = functional.weights(x) * design.share
    known, unknown = whole * design.fraction, whole * (1 - design.fraction)
    if (design.fraction >= 1).all():
        return Estimate(design.coalitions, _on_coalitions(functional, x, known))
    weights = corrected(known, unknown, models)
    stderr, df = errors(design, models, u, unknown)
    return Estimate(design.coalitions, _on_coalitions(functional, x, weights), stderr, df, float(len(x)))


def corrected(
    known: Float[Array, "value pair"], unknown: Float[Array, "value pair"], models: Sequence[Smoother]
) -> Float[Array, "value pair"]:
    """Weights of the pairs: each model's values, corrected by the residuals of its own pairs.

    ``known`` and ``unknown`` are what each pair stands for by itself: the drawn pairs, and those not drawn.
    """
    weights = known.copy()
    for i, model in enumerate(models):
        own = np.arange(known.shape[1]) % len(models) == i
        # The model's part: its values less what it says about known pairs.
        predicted = model.value_weights - known + model.from_left(known)
        correction = np.where(own, unknown - predicted / known.shape[1], 0.0)
        weights += predicted * own.mean() + model.from_left(correction / _left(model))
    return weights


def centred(design: Design, values: Float[Array, "coalition ..."]) -> Float[Array, "pair outputs"]:
    """u at the drawn pairs less the share of u at all intact that Shapley values divide equally."""
    whole, u = _odd_part(values)
    x = sign(design.intact)
    return np.asarray(u - Functional.of(design.index, design.n_players).offset(x)[:, None] * whole)


def _odd_part(values: Float[Array, "coalition ..."]) -> tuple[Float[Array, " outputs"], Float[Array, "pair outputs"]]:
    """u at all intact ``(output,)`` and at the drawn pairs ``(pair, output)``, from values of a design's coalitions."""
    table = values.reshape(len(values), -1)
    half = (len(table) - 2) // 2
    return (table[0] - table[1]) / 2, (table[2 : 2 + half] - table[2 + half :]) / 2


def _left(model: Smoother) -> Float[Array, " pair"]:
    return np.maximum(model.diagonal(), MIN_LEFT)


def _on_coalitions(
    functional: Functional, x: Float[Array, "pair player"], weights: Float[Array, "player pair"]
) -> Float[Array, "player coalition"]:
    """Weights on u as weights on the values of all intact, all lesioned, halves and complements."""
    whole = functional.base - weights @ functional.offset(x)
    return np.hstack([whole[:, None] / 2, -whole[:, None] / 2, weights / 2, -weights / 2])


def errors(
    design: Design, models: Sequence[Smoother], u: Float[Array, "pair output"], unknown: Float[Array, "player pair"]
) -> tuple[Float[Array, "player output"], Float[Array, "player output"]]:
    """Standard errors and their degrees of freedom ``(player, output)``."""
    left = np.stack([_left(m) for m in models])  # (model, pair)
    residual = np.stack([m.residuals(u) for m in models])  # (model, pair, output)
    own, df = np.empty((2, len(unknown), u.shape[1]))
    for o in range(u.shape[1]):
        squares = deviations(design, models, u[:, o], unknown) ** 2
        own[:, o] = squares.sum(axis=1)
        with np.errstate(divide="ignore", invalid="ignore"):
            df[:, o] = 2 * own[:, o] ** 2 / (squares**2).sum(axis=1)
    variance = np.maximum(own + _shared(models, residual, left, unknown), 0.5 * own)
    stderr = np.sqrt(variance)
    # Rounding is not an error of sampling.
    rounding = 1e-9 * np.abs(u).max(axis=0, initial=0)
    known = stderr <= rounding
    return np.where(known, 0.0, stderr), np.where(known, np.inf, df)


def deviations(
    design: Design, models: Sequence[Smoother], u: Float[Array, " pair"], unknown: Float[Array, "value pair"]
) -> Float[Array, "value pair"]:
    """What each pair adds to the values, about its stratum's mean; their squares add up to a variance."""
    out = np.empty(len(u))
    for i, model in enumerate(models):
        own = np.arange(len(u)) % len(models) == i
        out[own] = (model.residuals(u[:, None])[:, 0] / _left(model))[own]
    per_sample = unknown / np.sqrt(np.maximum(1 - design.fraction, 1e-12))
    return _about_stratum(per_sample * out, design.stratum)


def _about_stratum(terms: Float[Array, "player pair"], stratum: Integer[Array, " pair"]) -> Float[Array, "player pair"]:
    """Terms ``(player, pair)`` about their stratum's mean, scaled so that their squares add up to a variance."""
    drawn = np.bincount(stratum)
    present = np.flatnonzero(drawn)
    starts = np.searchsorted(stratum, present)
    means = np.add.reduceat(terms, starts, axis=1) / drawn[present]
    means[:, drawn[present] == 1] = 0
    scale = np.sqrt(drawn / np.maximum(drawn - 1, 1))
    return np.asarray((terms - np.repeat(means, drawn[present], axis=1)) * scale[stratum])


def _shared(
    models: Sequence[Smoother],
    residual: Float[Array, "model pair output"],
    left: Float[Array, "model pair"],
    unknown: Float[Array, "player pair"],
) -> Float[Array, "player output"]:
    """Covariance between the terms of two pairs, each of which was in the other's model: ``(player, output)``.

    Were the model without pair j fixed, its terms would have mean 0; two terms are related only by what pair k
    changed in the model without j, and j in the model without k.
    """
    m = left.shape[1]
    light = len(models) == 1 and models[0].rank * MIN_PAIRS_PER_LIGHT_PARAMETER <= m
    most = MAX_SHARED_PAIRS // 4 if light else MAX_SHARED_PAIRS
    chosen = (
        np.arange(m)
        if m <= most
        else np.unique(np.linspace(0, m - 1, min(most // 2, max(50, MAX_TABLE_ENTRIES // m))).astype(int))
    )
    blocks = [model.columns(chosen) for model in models]
    total = np.empty((len(unknown), residual.shape[2]))
    for o in range(residual.shape[2]):
        if light:  # the two changes are nearly those of all pairs
            out = unknown * (residual[0, :, o] / left[0] ** 2)
            total[:, o] = np.einsum("ij,ij->i", out @ blocks[0] ** 2, out[:, chosen])
        else:
            related = unknown @ _mutual(blocks, residual[:, :, o], left, chosen)
            total[:, o] = np.einsum("ij,ij->i", related, unknown[:, chosen])
    return np.asarray(total * (m / len(chosen)))


def _mutual(
    blocks: list[Array],
    residual: Float[Array, "model pair"],
    left: Float[Array, "model pair"],
    chosen: Integer[Array, " chosen"],
) -> Float[Array, "pair chosen"]:
    """What pairs owe to the chosen ones x what the chosen ones owe to them: ``(pair, chosen)``."""
    m, kinds = left.shape[1], len(blocks)
    ahead, back = np.empty((2, m, len(chosen)))
    for i, block in enumerate(blocks):
        rows, columns = np.arange(m) % kinds == i, chosen % kinds == i
        mine, d, r = chosen[columns], left[i], residual[i]
        ahead[rows] = _change(block[rows], d[rows, None], r[rows, None], d[chosen], r[chosen])
        back[:, columns] = _change(block[:, columns], d[mine], r[mine], d[:, None], r[:, None])
    return np.asarray(ahead * back)


def _change(block: Array, left: Array, residual: Array, left_out: Array, residual_out: Array) -> Array:
    """By how much leaving out a second pair changes the prediction of one left out before."""
    product = left * left_out
    both = np.maximum(product - block**2, 1e-9 * product)
    return np.asarray(block / left * (residual_out * left - block * residual) / both)
