"""Shapley values from antithetic permutations: an order of lesioning and its reverse share a sample."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from jaxtyping import Bool, Float, Integer
from scipy import sparse

from artiphys.array_types import Array
from artiphys.lesions.estimators.estimate import Estimate

MAX_DENSE_WEIGHTS = 15_000_000  # most numbers in the weights; beyond it positions are not adjusted for


class Orders:
    """An endless draw of permutations: more orders begin with the same ones."""

    def __init__(self, n: int, seed: int) -> None:
        self.n = n
        self._rng = np.random.default_rng(np.random.SeedSequence(seed))
        self._orders = np.empty((0, n), dtype=int)

    def first(self, pairs: int) -> Integer[Array, "pair position"]:
        """The first ``pairs`` orders ``(pair, position)``."""
        if len(self._orders) < pairs:
            new = self._rng.random((pairs - len(self._orders), self.n)).argsort(axis=1)
            self._orders = np.concatenate([self._orders, new])
        return self._orders[:pairs]


def paths(orders: Integer[Array, "pair player"]) -> Bool[Array, "coalition player"]:
    """All intact, all lesioned, the first 1 to n - 1 players of each order intact, and their complements.

    The complements are the coalitions of the reversed order.
    """
    n = orders.shape[1]
    rank = orders.argsort(axis=1)
    ahead = (rank[:, None, :] < np.arange(1, n)[:, None]).reshape(-1, n)
    ends = np.repeat([[True], [False]], n, axis=1)
    return np.concatenate([ends, ahead, ~ahead])


def antithetic(orders: Integer[Array, "pair player"], values: Float[Array, "coalition ..."]) -> Estimate:
    """Values and errors from the values of ``paths(orders)``, each pair of orders one independent sample.

    A player's marginal contribution depends on its position in the order. By how much contributions at its
    position differed from their players' means, over the other pairs, is taken off (a control variate; free of
    bias, as no pair corrects itself and the corrections of all positions add up to 0).
    """
    pairs, n = orders.shape
    steps = _steps(values, pairs, n)  # (pair, position, output)
    rank = orders.argsort(axis=1)
    by_player = np.take_along_axis(steps, rank[:, :, None], axis=1)  # (pair, player, output)
    adjusted = n * n * pairs <= MAX_DENSE_WEIGHTS
    usual = _usual(orders, steps, by_player) if adjusted else np.zeros_like(steps)
    samples = by_player - np.take_along_axis(usual, rank[:, :, None], axis=1)
    deviation = (samples - samples.mean(axis=0)) ** 2
    total = deviation.sum(axis=0)
    with np.errstate(divide="ignore", invalid="ignore"):
        df = np.minimum(2 * total**2 / (deviation**2).sum(axis=0), pairs - 1)
    variance = total / (pairs - 1) / pairs
    if adjusted:
        variance = np.maximum(variance + _shared(orders, steps, by_player), variance / 2)
    stderr = np.sqrt(variance)
    rounding = 1e-13 * np.abs(values).max(initial=0)
    known = stderr <= rounding
    stderr, df = np.where(known, 0.0, stderr), np.where(known, math.inf, df)
    weights = _adjusted_weights(orders) if adjusted else _plain_weights(orders)
    return Estimate(paths(orders), weights, stderr, df, float(pairs))


def _steps(values: Float[Array, "coalition ..."], pairs: int, n: int) -> Float[Array, "pair position outputs"]:
    """Mean of the marginal contributions at each position of an order and at its mirror in the reverse."""
    table = values.reshape(len(values), -1)
    ahead, behind = table[2:].reshape(2, pairs, n - 1, -1)
    half = np.empty((pairs, n + 1, table.shape[1]))
    half[:, 1:n] = (ahead - behind) / 2
    half[:, n] = (table[0] - table[1]) / 2
    half[:, 0] = -half[:, n]
    return np.asarray(np.diff(half, axis=1))


def _mirrored(table: Float[Array, "*pair position output"]) -> Float[Array, "*pair position output"]:
    """Mean of each position and its mirror (in the reversed order), on axis 1."""
    return np.asarray((table + table[:, ::-1]) / 2)


def _usual(
    orders: Integer[Array, "pair player"],
    steps: Float[Array, "pair player output"],
    by_player: Float[Array, "pair player output"],
) -> Float[Array, "pair player output"]:
    """What a contribution at each position differs by from its player's mean, over the other pairs.

    ``(pair, position, output)``
    """
    pairs, n = orders.shape
    others = (by_player.sum(axis=0) - by_player) / (pairs - 1)  # each player's mean without the pair
    at = np.zeros((n, n))  # how often each player had each position
    np.add.at(at, (np.arange(n), orders), 1.0)
    expected = np.einsum("kp,jpo->jko", at, others) - np.take_along_axis(others, orders[:, :, None], axis=1)
    return np.asarray(_mirrored(steps.sum(axis=0) - steps - expected) / (pairs - 1))


def _shared(
    orders: Integer[Array, "pair player"],
    steps: Float[Array, "pair player output"],
    by_player: Float[Array, "pair player output"],
) -> Float[Array, "player output"]:
    """Covariance between pairs of orders that corrected each other: ``(player, output)``.

    Pair k changed what pair j is compared with by its deviation at j's position, and j likewise at k's.
    """
    pairs, n = orders.shape
    own_part = np.take_along_axis((by_player - by_player.mean(axis=0)), orders[:, :, None], axis=1)
    deviation = _mirrored(own_part)
    deviation = (deviation - deviation.mean(axis=0)) * (pairs / (pairs - 1))
    place = (orders * n + np.arange(n)).ravel()
    entries = (np.ones(len(place)), (place, np.repeat(np.arange(pairs), n)))
    of_place = sparse.csr_array(entries, shape=(n * n, pairs))
    rank, result = orders.argsort(axis=1), np.empty((n, steps.shape[2]))
    for o in range(steps.shape[2]):
        summed = (of_place @ deviation[:, :, o]).reshape(n, n, n)  # (player, its position, position)
        own = np.take_along_axis(deviation[:, :, o], rank, axis=1)
        result[:, o] = np.einsum("ipq,iqp->i", summed, summed) - (own**2).sum(axis=0)
    return np.asarray(result / (pairs * (pairs - 1)) ** 2)


def _adjusted_weights(orders: Integer[Array, "pair player"]) -> Float[Array, "player coalition"]:
    """The weights of `antithetic`: plain means, less what `_usual` takes off, each linear in the steps."""
    pairs, n = orders.shape
    own = np.zeros((n, pairs, n))  # (player, pair, position)
    own[orders, np.arange(pairs)[:, None], np.arange(n)] = 1.0
    mirrored = (own + own[:, :, ::-1]) / 2
    compared = mirrored.sum(axis=1, keepdims=True) - mirrored
    # How often the means of other players enter, by pair: (player, pair, other player).
    counts = own.sum(axis=1)
    means = np.einsum("ijk,pk->ijp", mirrored, counts) - np.einsum("ijk,pjk->ijp", mirrored, own)
    means = (means.sum(axis=1, keepdims=True) - means) / (pairs - 1)
    compared -= np.take_along_axis(means, np.broadcast_to(orders, means.shape), axis=2)
    on_steps = own / pairs - compared / (pairs * (pairs - 1))
    inner = (on_steps[:, :, :-1] - on_steps[:, :, 1:]).reshape(n, -1) / 2
    ends = (on_steps[:, :, 0] + on_steps[:, :, -1]).sum(axis=1, keepdims=True) / 2
    return np.hstack([ends, -ends, inner, -inner])


def _plain_weights(orders: Integer[Array, "pair player"]) -> Any:
    pairs, n = orders.shape
    player, position = orders.ravel(), np.tile(np.arange(n), pairs)
    pair = np.repeat(np.arange(pairs), n)
    half = pairs * (n - 1)
    rows, columns, entries = [], [], []
    for shift, by in ((0, 1.0), (-1, -1.0)):  # intact after the step, and before it
        k = position + shift
        inside = (k >= 0) & (k < n - 1)
        at = 2 + pair[inside] * (n - 1) + k[inside]
        for column, factor in ((at, 0.5), (at + half, -0.5)):
            rows.append(player[inside])
            columns.append(column)
            entries.append(np.full(len(column), by * factor / pairs))
        edge = player[~inside]  # u of all is plus, of none minus the same
        for column, factor in ((0, 0.5), (1, -0.5)):
            rows.append(edge)
            columns.append(np.full(len(edge), column))
            entries.append(np.full(len(edge), factor / pairs))
    data = (np.concatenate(entries), (np.concatenate(rows), np.concatenate(columns)))
    return sparse.csr_array(data, shape=(n, 2 + 2 * half))
