"""Faithfulness and fidelity against size: nested parts of a circuit and its pool, beside random sets of equal size."""

from __future__ import annotations

from collections.abc import Hashable, Sequence

import numpy as np
import pandas as pd
from jaxtyping import Bool

from artiphys.array_types import Array
from artiphys.lesions.circuits.question import FLAT_IN_A_NETWORK, fidelity, mask_of
from artiphys.lesions.games.protocol import GameLike

MAX_SIZES = 16


def faithfulness_by_size(
    game: GameLike, every: Sequence[Hashable], circuit: Sequence[Hashable], pool: Sequence[Hashable], n_random: int,
    seed: int,
) -> pd.DataFrame:  # fmt: skip
    """One row per size and kind of set: the circuit grown by whatever then serves it best, and random sets.

    Players are added to nothing one by one: first those of the circuit, then those of the pool, each time the one after
    which the score lies nearest to the intact one.
    """
    n = len(every)
    place = {name: i for i, name in enumerate(every)}
    inside, others = ([place[p] for p in circuit], [place[p] for p in pool if p not in set(circuit)])
    grown = _grown(game, inside, n) + (_grown(game, others, n, inside) if others else [])
    sizes = {len(g) for g in grown[:MAX_SIZES]} | {len(inside), n}
    return by_size_of(game, [mask_of(g, n) for g in [inside, *grown] if len(g) in sizes], n_random, seed)


def by_size_of(game: GameLike, sets: Sequence[Bool[Array, " player"]], n_random: int, seed: int) -> pd.DataFrame:
    """One row per size of the sets (of several of one size the first), and of all players; and for random sets.

    Sets may be those that a search left at each step, which are not all parts of each other.
    """
    n = game.n_players
    first = {int(row.sum()): row for row in [np.ones(n, dtype=bool), *reversed(sets)]}
    rng = np.random.default_rng([seed, n_random])
    rows = []
    for size, row in sorted(first.items()):
        random = [mask_of(rng.permutation(n)[:size].tolist(), n) for _ in range(n_random)]
        for which, masks in (("circuit", [row]), ("random", random)):
            rows.append({"size": size, "which": which} | _levels(game, masks))
    return pd.DataFrame(rows)


def _levels(game: GameLike, masks: Sequence[Array]) -> dict[str, float]:
    n = game.n_players
    every = np.concatenate([np.ones((1, n), bool), np.zeros((1, n), bool), np.stack(masks)])
    values, per_trial = game(every), game.per_trial(every)
    gap = values[0] - values[1]
    flat = not abs(gap) > FLAT_IN_A_NETWORK * np.abs(per_trial).max()  # as where only single trials differ
    faithful = np.full(len(masks), np.nan) if flat else (values[2:] - values[1]) / gap
    found = {}
    columns = {"faithfulness": faithful}
    if len(game.stimuli) > 1 and game.score.reduce is None and per_trial.ndim == 2:
        columns["fidelity"] = fidelity(per_trial[2:], per_trial[0], per_trial[1])
    for name, column in columns.items():
        found[name] = float(column.mean())
        found[f"{name}_low"], found[f"{name}_high"] = (float(q) for q in np.quantile(column, [0.1, 0.9]))
    return found


def _grown(game: GameLike, players: Sequence[int], n: int, start: Sequence[int] = ()) -> list[list[int]]:
    """Nested sets: from a start, each player in turn that brings the score nearest to the intact one."""
    have, left = list(start), list(players)
    found: list[list[int]] = []
    intact = float(game(np.ones((1, n), bool))[0])
    while left and len(found) < MAX_SIZES:
        candidates = np.stack([mask_of([*have, p], n) for p in left])
        best = int(np.argmin(np.abs(game(candidates) - intact)))
        have.append(left.pop(best))
        found.append(list(have))
    return found
