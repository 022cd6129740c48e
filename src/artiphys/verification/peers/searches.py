"""Circuits by effects of lesions: rankings, greedy searches and pruning.

References: Conmy et al. 2023, Towards automated circuit discovery for mechanistic interpretability (pruning from the
output backwards with a threshold); Meng et al. 2022, Locating and editing factual associations in GPT (restoring single
states).
"""

from __future__ import annotations

import numpy as np

from artiphys.array_types import Array
from artiphys.lesions import Game, shapley, single_lesions
from artiphys.verification.methods import ROUNDING

MAX_EXACT = 12  # players whose coalitions are all evaluated for Shapley values
BUDGET = 1000
FAITHFULNESS = 0.95


def by_single_lesions(game: Game) -> Array:
    """What the score loses without each player."""
    return np.asarray(single_lesions(game).values)


def by_patching(game: Game) -> Array:
    """Activation patching, the restoring way: what each player alone brings back where all are lesioned."""
    alone: Array = game(np.eye(game.n_players, dtype=bool))
    return np.asarray(alone - game.lesioned)


def by_shapley(game: Game) -> Array:
    """Shapley values as a ranking."""
    exact = game.n_players <= MAX_EXACT
    found = shapley(game, method="exact", progress=False) if exact else shapley(game, budget=BUDGET, progress=False)
    return np.asarray(found.values)


def at_random(game: Game) -> Array:
    """A random order."""
    return np.random.default_rng(0).permutation(game.n_players).astype(float) + 1


def pruned(game: Game, threshold: float) -> list[str]:
    """From the last player to the first, drop each whose lesion costs less than a share of the whole."""
    kept = np.ones(game.n_players, dtype=bool)
    gap, now = game.intact - game.lesioned, game.intact
    for player in reversed(range(game.n_players)):
        kept[player] = False
        without = game(kept[None])[0]
        if abs(now - without) < threshold * abs(gap):
            now = without
        else:
            kept[player] = True
    return _named(game, kept)


def forward_greedy(game: Game) -> list[str]:
    """Add what brings the score nearest to the intact one, until it keeps 95 % of it."""
    kept = np.zeros(game.n_players, dtype=bool)
    while not kept.all() and not _faithful(game, kept):
        options = np.flatnonzero(~kept)
        rows = np.repeat(kept[None], len(options), axis=0)
        rows[np.arange(len(options)), options] = True
        kept[options[np.argmin(np.abs(game(rows) - game.intact))]] = True
    return _named(game, kept)


def backward_greedy(game: Game) -> list[str]:
    """Lesion what leaves the score nearest to the intact one, while it keeps 95 % of it."""
    kept = np.ones(game.n_players, dtype=bool)
    while kept.any():
        options = np.flatnonzero(kept)
        rows = np.repeat(kept[None], len(options), axis=0)
        rows[np.arange(len(options)), options] = False
        best = rows[np.argmin(np.abs(game(rows) - game.intact))]
        if not _faithful(game, best):
            break
        kept = best
    return _named(game, kept)


def _faithful(game: Game, kept: Array) -> bool:
    ratio = (game(kept[None])[0] - game.lesioned) / (game.intact - game.lesioned)
    return bool(abs(ratio - 1) <= 1 - FAITHFULNESS + ROUNDING)


def _named(game: Game, kept: Array) -> list[str]:
    return [str(p) for p, k in zip(game.player_names, kept) if k]
