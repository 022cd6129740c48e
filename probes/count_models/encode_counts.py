"""encode_counts(): spike counts explained by several named predictors, with what each explains by itself."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import xarray as xr
from threadpoolctl import threadpool_limits

from artiphys.array_types import ActivityLike, Array, TrialValues
from artiphys.border import border
from artiphys.errors import InputError
from artiphys.probes.count_models.poisson_fits import deviances, fitted, folds_of, trainings
from artiphys.probes.count_models.predictors import Predictor, predictors_of
from artiphys.probes.count_models.result import CountEncoding
from artiphys.probes.data.design import Design
from artiphys.probes.data.recurring_items import recurring_item
from artiphys.probes.data.units import Units
from artiphys.progress import progress_bar
from artiphys.stats.p_values import p_value
from artiphys.stats.permutations import Permutations, PermutationTest, whole_count
from artiphys.stats.seeds import Seed, whole_seed
from artiphys.user_warnings import warn
from artiphys.version import __version__

MIN_SPIKES = 10  # over all trials, for a unit to be modelled


@border
def encode_counts(
    counts: ActivityLike,
    predictors: Any,
    *,
    kinds: Mapping[str, str] | None = None,
    circular: Mapping[str, float] | None = None,
    cv: int = 5,
    groups: TrialValues | None = None,
    penalty: float = 1e-3,
    n_permutations: int = 0,
    seed: Seed = 0,
    progress: bool = True,
) -> CountEncoding:
    """A Poisson model of each unit's counts: how much it explains of trials left out, and each predictor by itself.

    The logarithm of the expected count is a sum over predictors. *Deviance explained* (D squared) is 1 less the
    deviance of trials left out over that by the mean of the others; below 0 where the model does worse than the mean.
    What a predictor explains *uniquely* is what is lost without it: little for two that say the same, though either
    would do.

    Parameters
    ----------
    counts : Recording, DataArray ``(trial, ..., unit)`` or array
        Whole numbers, 0 or more.
    predictors : mapping of names to arrays ``(trial,)``, DataFrame, name or list of names of conditions
        Text and whole numbers are categories (at most 20 values), floats go by cubic splines with 5 knots at quantiles.
    kinds : mapping of names to "categorical", "linear" or "spline", optional
        Where that is not what is meant.
    circular : mapping of names to periods, optional
        Angles, which go by periodic splines.
    cv : int
        Folds.
    groups : array or str, optional
        Trials that share a source stay in one fold, and are exchanged as a whole where a predictor is constant within
        them, else within. Required where the conditions have such a column.
    penalty : float
        Of squared coefficients, ``alpha`` of scikit-learn's PoissonRegressor.
    n_permutations : int
        0 for no test. Else the values of a predictor are exchanged between trials of a fold (or by groups), the others
        staying as they are, and unique deviance is held against that of exchanged ones, one-sided.

    Raises
    ------
    InputError, StatisticsError

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> cue, speed = np.arange(200) % 2, rng.uniform(0, 1, 200)
    >>> model = encode_counts(rng.poisson(2 + 6 * cue)[:, None], {"cue": cue, "speed": speed}, progress=False)
    >>> float(model.unique.sel(predictor="cue")[0]) > 0.3 > 0.02 > float(model.unique.sel(predictor="speed")[0])
    True

    References
    ----------
    Cameron & Windmeijer 1997, An R-squared measure of goodness of fit for some common nonlinear regression models;
    Musall et al. 2019, Single-trial neural dynamics are dominated by richly varied movements (for unique variance).
    """
    units = Units.of(counts)
    data = units.first
    x = np.concatenate([block for _, block in units.blocks()], axis=1)
    wrong = ~((x >= 0) & (x == np.round(x)))
    if wrong.any():
        raise InputError(
            f"counts hold {x[wrong][0]:g}; wanted whole numbers of spikes, 0 or more (rates times the width of their "
            "window; other activity is no matter for a Poisson model)"
        )
    if penalty <= 0:
        raise InputError(f"penalty came as {penalty:g}; wanted a number above 0, such as 1e-3")
    n_permutations, seed = whole_count("n_permutations", n_permutations), whole_seed(seed)
    read = predictors_of(predictors, data, kinds or {}, circular or {})
    trials = Design.of(data, groups, known=list(predictors))
    group = trials.groups
    for q in read:
        found = recurring_item(q.code, data, np.arange(len(x)), group, [*trials.said, *map(str, predictors)])
        if found:
            warn(found.partition(". Pass groups=")[0] + f": p of {q.name!r} may be too small")
    fold = folds_of(len(x), cv, group, seed)
    _warn_of_unseen(read, fold)
    good = (x.sum(axis=0) >= MIN_SPIKES) & np.array([(x[t] > 0).any(axis=0) for t in trainings(fold)]).all(axis=0)
    if not good.all():
        warn(f"{int((~good).sum())} of {len(good)} units have fewer than {MIN_SPIKES} spikes; their results are NaN")
    names = ["all", *(p.name for p in read)]
    plans = _plans(read, group, fold) if n_permutations else []
    scores = np.full((x.shape[1], len(names), cv), np.nan)
    p = np.full((x.shape[1], len(names)), np.nan)
    bar_of = progress_bar("encoding", total=int(good.sum()), unit="unit", show=progress)
    with bar_of as bar, threadpool_limits(1):  # fits are so small that a second thread costs more than it gains
        for u in np.flatnonzero(good):
            model = _Unit(read, x[:, u], fold, penalty)
            scores[u] = model.scores()
            for i, plan in enumerate(plans):
                null = np.array([model.permuted(i, code) for code in plan.draw(n_permutations, seed + i)])
                p[u, i] = p_value(float(scores[u, i].mean()), null)
            bar.update(1)
    test = PermutationTest(seed=seed)
    if plans:
        rarest = min(plans, key=lambda plan: plan.n_distinct)
        test = rarest.test(n_permutations, seed)
        if test.smallest_p > 0.05:
            warn(f"{n_permutations} permutations: p cannot fall below {test.smallest_p:.2g}")
    folds = units.label(scores, predictor=np.array(names), fold=np.arange(cv))
    return CountEncoding(
        fold_scores=folds, p_value=units.label(p, predictor=np.array(names)) if plans else None,
        curves=_curves(read, x, good, penalty, units), kinds={q.name: q.kind for q in read}, n_trials=len(x),
        train_share=(cv - 1) / cv, grouped=group is not None, penalty=penalty, test=test, version=__version__,
    )  # fmt: skip


class _Unit:
    """Cross-validated deviance explained of one unit by all predictors, and lost without each."""

    def __init__(self, read: list[Predictor], counts: Array, fold: Array, penalty: float) -> None:
        self.read, self.counts, self.fold, self.penalty = read, counts, fold, penalty
        nothing = np.empty((len(counts), 0))
        self.of_mean = deviances(nothing, counts, fold, penalty)
        self.without = [self.of_mean]
        for left_out in range(len(read)):
            rest = [q.design for i, q in enumerate(read) if i != left_out]
            self.without.append(deviances(np.column_stack([nothing, *rest]), counts, fold, penalty))

    def scores(self) -> Array:
        """``(predictor, fold)``, "all" first; over the mean null deviance, so that the mean over folds is D squared."""
        full = deviances(np.column_stack([q.design for q in self.read]), self.counts, self.fold, self.penalty)
        return np.asarray((np.array(self.without) - full) / self.of_mean.mean())

    def permuted(self, i: int, code: Array) -> float:
        """What predictor ``i`` (0 for all) explains with its values exchanged."""
        if i == 0:
            columns = [q.columns[q.code[code]] for q in self.read]
        else:
            columns = [q.columns[code] if k == i - 1 else q.design for k, q in enumerate(self.read)]
        full = deviances(np.column_stack(columns), self.counts, self.fold, self.penalty)
        return float((self.without[i] - full).mean() / self.of_mean.mean())


def _plans(read: list[Predictor], group: Array | None, fold: Array) -> list[Permutations]:
    """How values may be exchanged, of all predictors together (by trial) and of each."""
    together = np.unique(np.column_stack([q.code for q in read]), axis=0, return_inverse=True)[1].ravel()
    whole = Permutations.of(together, group, fold)
    # The numbers of trials that bear them, so that all predictors of a trial move together.
    first = np.unique(together, return_index=True)[1]
    moved = whole.of_others(first[together])
    return [moved, *(Permutations.of(q.code, group, fold) for q in read)]


def _warn_of_unseen(read: list[Predictor], fold: Array) -> None:
    for q in read:
        if q.kind == "categorical":
            unseen = [n for n, v in enumerate(q.shown) if any(not (q.code[t] == n).any() for t in trainings(fold))]
            if unseen:
                warn(
                    f"the value {str(q.shown[unseen[0]])!r} of {q.name!r} is in no training trial of some fold, and is "
                    "predicted there as the most common value is; merge rare values, or use other folds"
                )


def _curves(read: list[Predictor], x: Array, good: Array, penalty: float, units: Units) -> dict[str, xr.DataArray]:
    """Factor by which each value of a predictor changes the count, with the mean logarithm over trials as 1."""
    design = np.column_stack([q.design for q in read])
    edges = np.cumsum([0, *(q.columns.shape[1] for q in read)])
    found = {q.name: np.full((x.shape[1], len(q.shown)), np.nan) for q in read}
    for u in np.flatnonzero(good):
        weights = fitted(design, x[:, u], penalty).coef_
        for q, a, b in zip(read, edges, edges[1:]):
            found[q.name][u] = np.exp((q.shown_columns - q.design.mean(axis=0)) @ weights[a:b])
    return {q.name: units.label(found[q.name], **{q.name: q.shown}) for q in read}
