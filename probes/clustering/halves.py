"""Two types in a cloud of units: found in one half of the units, judged in the other, and the other way round."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import logsumexp
from scipy.stats import norm

from artiphys.array_types import Array
from artiphys.probes.clustering.curves import Curve, best_curve
from artiphys.probes.clustering.cuts import Cut, all_cuts, best_cut
from artiphys.probes.clustering.mixtures import best_mixture, log_sum, one_gaussian
from artiphys.probes.clustering.valley import valley_p

N_SPLITS = 9  # random halves; the median over them does not hang on one draw
SAME = 0.3  # halves agree on a cut where they differ about less than this share of the smaller side
HOLLOW = 0.3  # thickness of a curve, below which the middle is empty
ENOUGH = 0.6  # of the best cut's promise, for another to be taken that is like the other half's
LEAST_SPREAD = 0.8  # of the mean z score of the splits, beside 1 for each of them
LEAST_UNITS = 20  # in a cloud that may be cut in two
DEPTH_ON_CURVE = 1 / 3  # a ring may be uneven; only where it falls below this share of both peaks does it end


@dataclass(frozen=True)
class Split:
    """A cloud in two parts, and the evidence for them.

    Attributes
    ----------
    labels : ``(unit,)``
        0 or 1.
    line : ``(feature,)``
        Fisher's line between the parts; of a curve only its direction ``(1,)``.
    edges : ``(4,)``
        Of peak, valley and peak along the line, or the curve.
    p_valley : float
        Of one peak.
    p_mixture : float
        Of one Gaussian, by the likelihood of units left out (Wasserman, Ramdas & Balakrishnan 2020, Universal
        inference).
    curve : Curve or None
        Where a ring or an arc tells more of units left out than a mixture does.
    """

    labels: Array
    line: Array
    edges: Array
    p_valley: float
    p_mixture: float
    curve: Curve | None


def split_in_two(x: Array, rng: np.random.Generator) -> Split:
    """The best cut of the units ``(unit, feature)``, and whether there is a valley at it."""
    n = len(x)
    halves: list[tuple[Array, Array]] = []
    for _ in range(N_SPLITS):
        order = rng.permutation(n)
        one, other = x[order[: n // 2]], x[order[n // 2 :]]
        halves += [(one, other), (other, one)]
    mixtures = [best_mixture(train) for train, _ in halves]
    likelihood = np.array([m.log_density(test).sum() for m, (_, test) in zip(mixtures, halves)])
    single = np.array([one_gaussian(test).log_density(test).sum() for _, test in halves])
    evidence = logsumexp(likelihood - single) - np.log(len(halves))
    cuts = []
    for first, second in zip(mixtures[::2], mixtures[1::2]):
        cuts += _alike(all_cuts(first, n // 2), all_cuts(second, n // 2), x)
    p_valley = _pooled_p([(x @ c.line, test @ c.line, c.edges) for c, (_, test) in zip(cuts, halves)])
    curves = [best_curve(train) for train, _ in halves]
    better = sum(c.log_density(test).sum() for c, (_, test) in zip(curves, halves) if c) > likelihood.sum()
    curve = best_curve(x) if better else None
    curve = curve if curve is not None and curve.thickness < HOLLOW else None
    if curve is not None:
        along = []
        for c, (train, test) in zip(curves, halves):
            if c is not None:
                cut = best_cut(best_mixture(c.along(train)[:, None]), n // 2, DEPTH_ON_CURVE)
                along.append((c.along(x) * cut.line[0], c.along(test) * cut.line[0], cut.edges))
        p_valley = max(p_valley, _pooled_p(along, DEPTH_ON_CURVE))
    mixture = best_mixture(x)
    cut = best_cut(mixture, n)
    parts = mixture.parts(x)
    labels = (log_sum(parts[:, cut.upper]) > log_sum(parts[:, ~cut.upper])).astype(int)
    if curve is not None:
        cut = best_cut(best_mixture(curve.along(x)[:, None]), n, DEPTH_ON_CURVE)
    return Split(labels, cut.line, cut.edges, p_valley, float(np.exp(-max(evidence, 0.0))), curve)


def _alike(first: list[Cut], second: list[Cut], x: Array) -> list[Cut]:
    """The best cut of one half, and the one like it of the other half's that promise nearly as much as its best."""
    one = max(first, key=lambda cut: cut.promise)
    enough = ENOUGH * max(cut.promise for cut in second)
    sides = _above(x @ one.line, one.edges)
    among = [cut for cut in second if cut.promise >= enough] or second
    return [one, max(among, key=lambda cut: abs(float(np.mean(_above(x @ cut.line, cut.edges) == sides)) - 0.5))]


def _above(along: Array, edges: Array) -> Array:
    """Units above the middle of the valley."""
    return np.asarray(along > edges[1:3].mean())


def _pooled_p(halves: list[tuple[Array, Array, Array]], depth: float = 1.0) -> float:
    """From pairs of halves, which follow each other: positions of all and of new units, and edges ``(4,)``.

    The z scores of the splits are averaged. Their mean varies less than one of them does, by what they vary between
    splits of the same units.
    """
    z = []
    for first, second in zip(halves[::2], halves[1::2]):
        counts = np.array([np.histogram(new, edges)[0] for _, new, edges in (first, second)])
        widths = np.array([np.diff(edges) for _, _, edges in (first, second)])
        above = [_above(every, edges) for every, _, edges in (first, second)]
        agreement = 2 * float(np.mean(above[0] == above[1])) - 1
        if agreement < 0:
            counts[1], widths[1] = counts[1, ::-1].copy(), widths[1, ::-1].copy()
        smaller = min(min(a.mean(), 1 - a.mean()) for a in above)
        differ = (1 - abs(agreement)) / 2
        z.append(norm.isf(valley_p(counts, widths, differ < SAME * smaller, depth)))
    spread = np.sqrt(np.clip(1 - np.var(z), LEAST_SPREAD**2, 1))
    return float(norm.sf(np.mean(z) / spread))
