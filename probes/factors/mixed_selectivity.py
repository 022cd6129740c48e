"""mixed_selectivity(): main effects of two task variables and their interaction, of every unit."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import xarray as xr

from artiphys.array_types import ActivityLike, Array, TrialValues
from artiphys.border import border
from artiphys.errors import InputError
from artiphys.probes.data.design import Design
from artiphys.probes.data.trial_values import coded, per_trial
from artiphys.probes.data.units import Units
from artiphys.probes.factors.crossed import Crossed
from artiphys.probes.factors.result import MixedSelectivity
from artiphys.probes.factors.wald import cell_moments, permuted, wald
from artiphys.stats.p_values import p_value, pooled_p_value
from artiphys.stats.permutations import PermutationTest, whole_count
from artiphys.stats.seeds import Seed, whole_seed
from artiphys.user_warnings import warn
from artiphys.version import __version__

MIN_POOLED_UNITS = 20  # units; with fewer, each is held against its own permutations only
MAX_NULL_VALUES = 5_000_000


@border
def mixed_selectivity(
    activity: ActivityLike,
    a: TrialValues,
    b: TrialValues,
    *,
    groups: TrialValues | None = None,
    n_permutations: int = 500,
    seed: Seed = 0,
) -> MixedSelectivity:
    """Whether each unit follows one of two task variables, both, or their combination.

    Of the mean activity of each combination of ``a`` and ``b``, main effects and interaction are tested. A unit is
    *pure* with one main effect alone, *linear mixed* with both and no interaction, and *nonlinear mixed* with an
    interaction, each after FDR over units. What is not significant may still be there: with few trials, interactions
    are missed more often than main effects, and nonlinear units pass for linear or pure ones. Tests keep their level
    with Poisson counts and combinations of unequal size; where the rarest combination (8 trials) has three times the
    standard deviation of the others, 8 % instead of 5 % are false.

    Parameters
    ----------
    activity : Recording, DataArray ``(trial, ..., unit)`` or array
    a, b : array ``(trial,)`` or str
        Values per trial, or names of conditions; both as categories, 2 to 20 each. Every combination needs two trials
        or more. Main effects are of unweighted means, so that unequal numbers of trials do not mix them up.
    groups : array or str, optional
        Trials that share a source, such as a session. Groups that saw several combinations: their differences are
        taken out, and trials are exchanged within them. Groups of one combination each: their means count as trials.
        Required where the conditions have such a column.
    n_permutations : int
        0 for no test.

    Raises
    ------
    InputError, StatisticsError

    Examples
    --------
    >>> rule, cue = np.arange(80) % 2, np.arange(80) // 2 % 2
    >>> noise = np.random.default_rng(1).normal(size=(80, 3))
    >>> effects = np.column_stack([rule, rule + cue, rule ^ cue])
    >>> found = mixed_selectivity(noise + 3 * effects, rule, cue)
    >>> found.kind.values.tolist()
    ['pure a', 'linear mixed', 'nonlinear mixed']

    References
    ----------
    Rigotti et al. 2013, The importance of mixed selectivity in complex cognitive tasks.
    """
    units = Units.of(activity)
    data = units.first
    names = tuple(n if isinstance(n, str) else default for n, default in ((a, "a"), (b, "b")))
    codes = tuple(coded(per_trial(v, data, n))[1] for v, n in ((a, names[0]), (b, names[1])))
    n_permutations, seed = whole_count("n_permutations", n_permutations), whole_seed(seed)
    x = np.concatenate([block for _, block in units.blocks()], axis=1)
    if np.isnan(x).any():
        raise InputError("activity is padded; choose times that all trials have")
    # Around each unit's mean, so that no digits are lost where it is large.
    centre = x.mean(axis=0)
    trials = Design.of(data, groups, known=(a, b))
    group = trials.groups
    design = Crossed.of(x - centre, (codes[0], codes[1]), (names[0], names[1]), group, n_permutations > 0)
    for code in codes:
        trials.warn(code, data, None, order=False)
    if len(design.cell) == units.n_trials:
        trials.warn(design.cell, data, design.plan)
    member = (design.cell == np.arange(len(design.counts))[:, None]).astype(float)
    mean, variance = cell_moments(design.x, member)
    variance = np.where(variance < 1e-24 * (centre**2 + (mean**2).max(axis=0)), 0.0, variance)
    terms = [names[0], names[1], f"{names[0]} x {names[1]}"]
    statistic = np.array([wald(mean, variance, design.counts, c) for c in design.contrasts()])
    effect, bias, noise = _variances(design, mean, variance)
    p, test = None, PermutationTest(seed=seed)
    if design.plan is not None:
        p, test = _tested(statistic, design, member, n_permutations, seed)

    def of_unit(values: Array) -> xr.DataArray:
        return units.label(values.T, term=np.array(terms))

    return MixedSelectivity(
        p_value=None if p is None else of_unit(p), statistic=of_unit(statistic), variance=of_unit(effect),
        variance_bias=of_unit(bias), noise_variance=units.label(noise), a=names[0], b=names[1], shape=design.shape,
        n_trials=len(design.x), grouped=group is not None, test=test, version=__version__,
    )  # fmt: skip


def _tested(statistic: Array, design: Crossed, member: Array, n: int, seed: int) -> tuple[Array, PermutationTest]:
    plan = design.plan
    assert plan is not None
    n_units = statistic.shape[1]
    pooled = n_units >= MIN_POOLED_UNITS
    most = max(MIN_POOLED_UNITS, MAX_NULL_VALUES // n)
    kept = np.arange(n_units)
    if pooled and n_units > most:
        kept = np.sort(np.random.default_rng(seed).choice(n_units, most, replace=False))
    part = replace(design, x=design.x[:, kept])
    null = np.array(list(permuted(part, member, plan, n, seed))).transpose(1, 0, 2)  # (term, permutation, unit)
    held = pooled_p_value if pooled else p_value
    p = np.array([held(o, m) for o, m in zip(statistic, null)])
    test = plan.test(n, seed)
    scheme = f"residuals of the other terms, {plan.scheme}"
    if pooled:
        varying = null[0].size + 1
        return p, replace(test, scheme=f"{scheme}; null pooled over {len(kept)} units", smallest_p=1 / varying)
    if test.smallest_p > 0.05:
        warn(f"{n} permutations: p cannot fall below {test.smallest_p:.2g}")
    return p, replace(test, scheme=scheme)


def _variances(design: Crossed, mean: Array, variance: Array) -> tuple[Array, Array, Array]:
    """Variance over combinations that each term makes ``(term, unit)``, and that of noise ``(unit,)``.

    Less what noise in the means adds on average (the second), so that of no effect is around 0.
    """
    of_mean = variance / design.counts[:, None]
    cells = len(mean)
    effect, bias = [], []
    for projection in design.projections():
        part = projection @ mean
        bias.append(np.diag(projection) @ of_mean / cells)
        effect.append((part**2).sum(axis=0) / cells - bias[-1])
    return np.array(effect), np.array(bias), variance.mean(axis=0)
