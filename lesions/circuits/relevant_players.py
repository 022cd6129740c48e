"""Relevant players: which ones change the behaviour in some context, by group testing between random coalitions."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from artiphys.array_types import Array
from artiphys.lesions.circuits.question import Question

DENSITIES = (0.25, 0.5, 0.75)  # of intact players in a context
N_AT_ONCE = 8  # pairs of contexts
N_BARREN = 4  # rounds in a row whose differences are spread over players that each change too little
N_SILENT = 64  # contexts in a row without a difference, after which the search ends


@dataclass(frozen=True)
class Pool:
    """Players that were seen to matter.

    Attributes
    ----------
    players : tuple of int
    tolerance : float
        Least change that counts, in units of the gap.
    n_silent : int
        Pairs of random contexts at the end that differed in unknown players and made no difference.
    complete : bool
        Whether the search ended by itself, and not because more players matter than were asked for.
    """

    players: tuple[int, ...]
    tolerance: float
    n_silent: int
    complete: bool


def relevant_players(question: Question, tolerance: float, most: int, rng: np.random.Generator) -> Pool:
    """Players whose lesion changes the level by more than a tolerance in some context that was drawn.

    Pairs of random coalitions agree on the players known so far; where the game differs between them, the players in
    which they differ are halved until one is left. A player that matters in a share p of contexts is missed with
    probability (1 - p) to the power of the silent contexts.
    """
    n, known, silent, barren = question.n_players, set[int](), 0, 0
    while silent < N_SILENT and len(known) <= most and barren < N_BARREN:
        a = rng.random((N_AT_ONCE, n)) < rng.choice(DENSITIES, N_AT_ONCE)[:, None]
        b = rng.random((N_AT_ONCE, n)) < rng.choice(DENSITIES, N_AT_ONCE)[:, None]
        b[:, list(known)] = a[:, list(known)]
        of_a, of_b = question.levels(a), question.levels(b)
        differ = np.abs(of_a - of_b) > tolerance
        if not differ.any():
            silent += N_AT_ONCE
            continue
        silent = 0
        found = _halved(question, tolerance, a[differ], b[differ], of_a[differ], of_b[differ], rng)
        barren = 0 if found - known else barren + 1
        known |= found
    return Pool(tuple(sorted(known)), tolerance, silent, silent >= N_SILENT and len(known) <= most)


def _halved(
    question: Question, tolerance: float, a: Array, b: Array, of_a: Array, of_b: Array, rng: np.random.Generator
) -> set[int]:
    """For each pair of coalitions, one player in which they differ and which makes a difference."""
    found: set[int] = set()
    active = np.arange(len(a))
    while len(active):
        middle = a[active].copy()
        for row, j in zip(middle, active):
            apart = np.flatnonzero(a[j] != b[j])
            half = rng.permutation(apart)[: max(1, len(apart) // 2)]
            row[half] = b[j][half]
        levels = question.levels(middle)
        going = []
        for row, j, level in zip(middle, active, levels):
            if abs(level - of_a[j]) >= abs(level - of_b[j]):
                b[j], of_b[j] = row, level
            else:
                a[j], of_a[j] = row, level
            apart = np.flatnonzero(a[j] != b[j])
            if len(apart) > 1:
                going.append(j)
            elif abs(of_a[j] - of_b[j]) > tolerance:
                found.add(int(apart[0]))
        active = np.array(going, dtype=int)
    return found
