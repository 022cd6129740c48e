"""Reliability of demixed components over trials, and their p-values by permuted conditions."""

from __future__ import annotations

import numpy as np

from artiphys.array_types import Array
from artiphys.probes.factors.wald import fitted
from artiphys.probes.projections.demixing import demixed
from artiphys.probes.projections.design import Design
from artiphys.probes.projections.margins import cell_projections, margins
from artiphys.stats.p_values import p_value
from artiphys.stats.permutations import Permutations


def reliability(
    x: Array, design: Design, halves: list[Array], ridge: float, n: int, only: int | None = None
) -> list[Array]:
    """Of each margin (or ``only`` one), the correlation ``(component,)`` of a component's margin between halves.

    Decoders come from one half, so that what is noise in it is nothing in the other; the mean over both directions
    and all halvings.
    """
    n_factors = len(design.shape)
    total: list[Array] = []
    for half in halves:
        means = [design.means(x, half), design.means(x, ~half)]
        parts = [margins(m, n_factors) for m in means]
        if only is not None:
            parts = [[p[only]] for p in parts]
        for own, other in ((0, 1), (1, 0)):
            found = demixed(means[own], n_factors, ridge, n, only)
            each = [_correlation(parts[own][i] @ d, parts[other][i] @ d) for i, (d, _) in enumerate(found)]
            total = [t + e for t, e in zip(total, each)] if total else each
    return [t / (2 * len(halves)) for t in total]


def _correlation(a: Array, b: Array) -> Array:
    a, b = a.reshape(-1, a.shape[-1]), b.reshape(-1, b.shape[-1])
    size = np.sqrt((a**2).sum(axis=0) * (b**2).sum(axis=0))
    return np.where(size > 0, (a * b).sum(axis=0) / np.where(size > 0, size, 1.0), 0.0)


def permuted_p_values(
    observed: list[Array],
    design: Design,
    halves: list[Array],
    ridge: float,
    n: int,
    plan: Permutations,
    m: int,
    seed: int,
) -> list[Array]:
    """One-sided p of each component of each condition's margin, in the order of the margins after time.

    What the other margins say is fitted and taken out, and whole trials of what is left are exchanged (Freedman & Lane
    1983), the rest of the analysis being done again: a margin is held against itself without its conditions, with all
    that the other conditions do.
    """
    flat = design.x.reshape(len(design.x), -1)
    numbered = plan.of_others(np.arange(len(flat)))
    found = []
    for i, projection in enumerate(cell_projections(design.shape)):
        fit = fitted(flat, design.member, np.eye(len(projection)) - projection)[design.cell]
        left = flat - fit
        place = len(observed) - len(cell_projections(design.shape)) + i
        null = []
        for order in numbered.draw(m, seed):
            again = (fit + left[order]).reshape(design.x.shape)
            drawn = reliability(again, design, halves, ridge, n, place)[0]
            padded = np.zeros(len(observed[place]))
            padded[: len(drawn)] = drawn[: len(padded)]
            null.append(padded)
        found.append(p_value(observed[place], np.array(null)))
    return found
