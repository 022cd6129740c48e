"""Shapley values from antithetic permutations: an order of lesioning and its reverse share a sample."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from scipy import sparse

from artiphys.lesions.result import Estimate

Array = np.ndarray[Any, Any]
DENSE = 15_000_000  # most numbers in the weights; beyond it positions are not adjusted for


class Orders:
    """An endless draw of permutations: more orders begin with the same ones."""

    def __init__(self, n: int, seed: int) -> None:
        self.n = n
        self._rng = np.random.default_rng(np.random.SeedSequence(seed))
        self._orders = np.empty((0, n), dtype=int)

    def first(self, pairs: int) -> Array:
        """The first ``pairs`` orders ``(pair, position)``."""
        if len(self._orders) < pairs:
            new = self._rng.random((pairs - len(self._orders), self.n)).argsort(axis=1)
            self._orders = np.concatenate([self._orders, new])
        return self._orders[:pairs]


def paths(orders: Array) -> Array:
    """All intact, all lesioned, the first 1 to n - 1 players of each order intact, and their complements.

    The complements are the coalitions of the reversed order.
    """
    n = orders.shape[1]
    rank = orders.argsort(axis=1)
    ahead = (rank[:, None, :] < np.arange(1, n)[:, None]).reshape(-1, n)
    ends = np.repeat([[True], [False]], n, axis=1)
    return np.concatenate([ends, ahead, ~ahead])


def antithetic(orders: Array, values: Array) -> Estimate:
    """Values and errors from the values of ``paths(orders)``, each pair of orders one independent sample.

    A player's marginal contribution depends on its position in the order: from each sample is taken off by how
    much, in the other pairs, players exceeded their own means at that position (a control variate, free of bias
    as no pair corrects itself and these excesses add up to 0). Without the players' own means, games that are
    nearly additive would gain noise.
    """
    pairs, n = orders.shape
    steps = _steps(values, pairs, n)  # (pair, position, output)
    rank = orders.argsort(axis=1)
    adjusted = n * n * pairs <= DENSE
    excess = _excess(orders, rank, steps) if adjusted else np.zeros_like(steps)
    samples = np.take_along_axis(steps - excess, rank[:, :, None], axis=1)  # (pair, player, output)
    deviation = (samples - samples.mean(axis=0)) ** 2
    total = deviation.sum(axis=0)
    with np.errstate(divide="ignore", invalid="ignore"):
        df = np.minimum(2 * total**2 / (deviation**2).sum(axis=0), pairs - 1)
    stderr = np.sqrt(total / (pairs - 1) / pairs)
    rounding = 1e-13 * np.abs(values).max(initial=0)
    stderr = np.where(stderr <= rounding, 0.0, stderr)
    weights = _adjusted_weights(orders) if adjusted else _plain_weights(orders)
    return Estimate(paths(orders), weights, stderr, np.where(total > 0, df, math.inf), float(pairs))


def _steps(values: Array, pairs: int, n: int) -> Array:
    """Mean of the marginal contributions at each position of an order and at its mirror in the reverse."""
    table = values.reshape(len(values), -1)
    ahead, behind = table[2:].reshape(2, pairs, n - 1, -1)
    half = np.empty((pairs, n + 1, table.shape[1]))
    half[:, 1:n] = (ahead - behind) / 2
    half[:, n] = (table[0] - table[1]) / 2
    half[:, 0] = -half[:, n]
    return np.asarray(np.diff(half, axis=1))


def _excess(orders: Array, rank: Array, steps: Array) -> Array:
    """Mean over the other pairs of steps less their players' means ``(pair, position, output)``."""
    others = len(orders) - 1
    of_player = np.take_along_axis(steps, rank[:, :, None], axis=1)
    means = (of_player.sum(axis=0) - of_player) / others  # (pair left out, player, output)
    at_own = np.take_along_axis(means, orders[:, :, None], axis=1)
    total = steps.sum(axis=0) - steps - np.einsum("jlo,lq->jqo", means, _counts(orders)) + at_own
    return np.asarray((total + total[:, ::-1]) / (2 * others))


def _counts(orders: Array) -> Array:
    """How often each player stands at each position ``(player, position)``."""
    n = orders.shape[1]
    return np.stack([np.bincount(column, minlength=n) for column in orders.T], axis=1).astype(float)


def _adjusted_weights(orders: Array) -> Array:
    pairs, n = orders.shape
    own = np.zeros((n, pairs, n))
    own[orders, np.arange(pairs)[:, None], np.arange(n)] = 1 / pairs
    others = (own.sum(axis=1, keepdims=True) - own) / (pairs - 1)
    on_steps = own - (others + others[:, :, ::-1]) / 2 + _through_means(orders)
    inner = (on_steps[:, :, :-1] - on_steps[:, :, 1:]).reshape(n, -1) / 2
    ends = (on_steps[:, :, 0] + on_steps[:, :, -1]).sum(axis=1, keepdims=True) / 2
    return np.hstack([ends, -ends, inner, -inner])


def _through_means(orders: Array) -> Array:
    """Weights that steps have through the means of their players ``(player, pair, position)``."""
    pairs, n = orders.shape
    rank, counts = orders.argsort(axis=1), _counts(orders)
    counts = counts + counts[:, ::-1]
    at = counts.T[rank]  # (pair, player i, player l): how often l stood where i stands in this pair, or at its mirror
    own: Array = np.eye(n)[None] + (rank[:, :, None] == n - 1 - rank[:, None, :])
    at = at - own  # without the pair itself
    others = at.sum(axis=0) - at
    through = np.take_along_axis(others, orders[:, None, :], axis=2)  # (pair, player i, position)
    return np.asarray(through.transpose(1, 0, 2) / (2 * pairs * (pairs - 1) ** 2))


def _plain_weights(orders: Array) -> Any:
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
