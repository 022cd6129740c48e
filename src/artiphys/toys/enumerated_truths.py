"""Lesion truths of small networks from an independent computation: every coalition, in double precision."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Sequence

from artiphys.toys.toy import Truth


def enumerated_truths(
    names: Sequence[str], value: Callable[[tuple[int, ...]], float], tolerance: float, source: str, kind: str = "zero"
) -> tuple[Truth, ...]:
    """Value of every coalition, single lesions and Shapley values.

    Parameters
    ----------
    names : sequence of str
        Of the players.
    value : callable
        From the numbers of the intact players to the mean score; of at most twelve players.
    tolerance : float
        Of a mean score. Differences of two, and Shapley values, which are means of such, get twice that.

    >>> glove = enumerated_truths("abc", lambda s: float(0 in s and len(s) > 1), 1e-6, "a left and two right gloves")
    >>> {key: round(share, 3) for key, share in glove[2].expected.items()}
    {'a': 0.667, 'b': 0.167, 'c': 0.167}
    """
    n = len(names)
    every = tuple(range(n))
    values = {s: value(s) for size in range(n + 1) for s in itertools.combinations(every, size)}

    def gain(player: int, others: tuple[int, ...]) -> float:
        return values[tuple(sorted((*others, player)))] - values[others]

    def share(player: int) -> float:
        return sum(
            gain(player, s) / (n * math.comb(n - 1, len(s))) for s in values if player not in s
        )  # fmt: skip

    alone = {names[i]: gain(i, tuple(j for j in every if j != i)) for i in every}
    return (
        Truth(
            "value", {"+".join(names[i] for i in s) or "none": v for s, v in values.items()}, kind, tolerance, source
        ),
        Truth("single_lesions", alone, kind, 2 * tolerance, source),
        Truth("shapley", {names[i]: share(i) for i in every}, kind, 2 * tolerance, source),
    )
