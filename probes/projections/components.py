"""components(): principal components of population activity, or demixed ones by condition and time."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import xarray as xr
from sklearn.decomposition import PCA

from artiphys.array_types import ActivityLike, Array, TrialValues
from artiphys.border import border
from artiphys.errors import InputError, StatisticsError
from artiphys.probes.data.activity import as_activity, loaded, times_of
from artiphys.probes.data.design import groups_of
from artiphys.probes.data.trial_values import coded, per_trial
from artiphys.probes.projections.component_tests import permuted_p_values, reliability
from artiphys.probes.projections.demixing import RIDGES, demixed, loss
from artiphys.probes.projections.design import Design
from artiphys.probes.projections.margins import margin_names, margins
from artiphys.probes.projections.result import Components
from artiphys.stats.permutations import Permutations, PermutationTest, whole_count
from artiphys.stats.seeds import Seed, whole_seed
from artiphys.user_warnings import warn
from artiphys.version import __version__


@border
def components(
    activity: ActivityLike,
    by: TrialValues | Sequence[TrialValues] | None = None,
    *,
    n: int = 3,
    ridge: float | None = None,
    groups: TrialValues | None = None,
    n_permutations: int = 0,
    n_splits: int = 5,
    seed: Seed = 0,
) -> Components:
    """Components of population activity, projections on them, and mean trajectories.

    Without ``by``, principal components over trials and times. With it, demixed principal components: mean activity of
    each combination of conditions is parted into margins (what depends on time alone, on one condition, on the
    combination of two, the latter each at every time), and each margin gets components of its own that rebuild it best
    from the whole.

    Parameters
    ----------
    activity : DataArray ``(trial, time, unit)`` or ``(trial, unit)``, or array ``(trial, unit)``
    by : array ``(trial,)`` or str, or a list of two names, optional
        One or two conditions, as categories. Every combination needs two trials or more.
    n : int
        Components, of each margin where there are margins (or as many as it can have).
    ridge : float, optional
        Of demixed components, in units of the mean sum of squares of a unit; chosen by default so that the means of
        other trials are rebuilt best from single ones, over ``n_splits`` random choices.
    groups : array or str, optional
        Trials that share a source; conditions that vary within them are exchanged within them. Required for a test
        where the conditions have a column such as ``session``.
    n_permutations : int
        0 for no test. Else each component of a condition's margin is tested: its reliability between halves of the
        trials is held against that with the condition permuted. A second component is held against second ones of a
        margin without any effect.
    n_splits : int
        Random halvings of the trials for reliabilities.

    Raises
    ------
    InputError, StatisticsError

    Examples
    --------
    >>> cue = np.arange(60) % 3
    >>> noise = np.random.default_rng(0).normal(size=(60, 8))
    >>> found = components(noise + 4 * np.eye(8)[cue], cue, n=2)
    >>> found.axes.dims, found.trajectories.sizes["condition"], found.projections.shape
    (('unit', 'component'), 3, (60, 2))

    References
    ----------
    Kobak et al. 2016, Demixed principal component analysis of neural population data.
    """
    data = as_activity(activity)
    data, times, x = _timed(data)
    n_permutations, n_splits, seed = whole_count("n_permutations", n_permutations), int(n_splits), whole_seed(seed)
    if n < 1 or n_splits < 1:
        raise InputError(f"n={n} and n_splits={n_splits} came; wanted 1 or more of each")
    if not np.ptp(x.reshape(-1, x.shape[-1]), axis=0).any():
        raise StatisticsError("activity never varies, so it has no components")
    names, codes, levels = _conditions(by, data)
    coords = {"trial": data["trial"]} if "trial" in data.coords else {}
    labels = {"unit": data["unit"].to_numpy() if "unit" in data.coords else np.arange(x.shape[2])}
    timed = times is not None
    ridge_used, test = float("nan"), PermutationTest(seed=seed)
    stable: Array | None = None
    p: Array | None = None
    if not names:
        if n_permutations:
            raise InputError("principal components have no test; give by= for components of conditions")
        decoder, encoder, centre, explained = _principal(x, n)
        margin = np.full(decoder.shape[1], "all")
        every, variance, shares = ["all"], np.array([1.0]), explained[:, None]
        means = x.mean(axis=0)[None]
    else:
        design = Design.of(x, codes, names)
        means = design.means()
        centre = means.mean(axis=tuple(range(len(names) + 1)))
        rng = np.random.default_rng(seed)
        ridge_used = _chosen(design, n, n_splits, rng) if ridge is None else float(ridge)
        if ridge_used < 0:
            raise InputError(f"ridge came as {ridge_used:g}; wanted 0 or more")
        found = demixed(means, len(names), ridge_used, n)
        every = margin_names(names, timed and x.shape[1] > 1)
        decoder, encoder = (np.concatenate([pair[i] for pair in found], axis=1) for i in (0, 1))
        margin = np.repeat(every, [d.shape[1] for d, _ in found])
        variance = _margin_variance(design, means)
        shares = _explained(means, len(names), decoder, encoder)
        halves = [design.half(rng) for _ in range(n_splits)]
        reliabilities = _fitting(reliability(x, design, halves, ridge_used, n), [d.shape[1] for d, _ in found])
        stable = np.concatenate(reliabilities)
        if n_permutations:
            plan = Permutations.of(design.cell, groups_of(groups, data))
            if plan.scheme == "whole groups":
                raise StatisticsError(
                    "each group saw one condition, so only whole groups could be exchanged; average each group into "
                    "one trial first, and leave groups out"
                )
            tested = permuted_p_values(reliabilities, design, halves, ridge_used, n, plan, n_permutations, seed)
            lead = [np.full(len(r), np.nan) for r in reliabilities[: len(reliabilities) - len(tested)]]
            p = np.concatenate([*lead, *tested])
            test = plan.test(n_permutations, seed)
            if test.smallest_p > 0.05:
                warn(f"{n_permutations} permutations: p cannot fall below {test.smallest_p:.2g}")
    rank = np.concatenate([np.arange(1, (margin == m).sum() + 1) for m in every if (margin == m).any()])
    bear = {"component": [f"{m} {r}" for m, r in zip(margin, rank)], "margin": ("component", margin)}

    def of_component(values: Array, *dims: str, **axes: Array) -> xr.DataArray:
        return xr.DataArray(values, dims=(*dims, "component"), coords={**axes, **bear})

    at_time: dict[str, Array] = {} if times is None else {"time": times}
    projections, trajectories = (x - centre) @ decoder, (means - centre) @ decoder
    if not timed:
        projections, trajectories = projections[:, 0], trajectories[..., 0, :]
    dims = names or ("mean",)
    steps = {**dict(zip(names, levels)), **at_time}
    share = xr.DataArray(shares, dims=("component", "of_margin"), coords={**bear, "of_margin": every})
    return Components(
        axes=of_component(decoder, "unit", **labels), encoders=of_component(encoder, "unit", **labels),
        centre=xr.DataArray(centre, dims="unit", coords=labels),
        projections=of_component(projections, "trial", *at_time, **at_time).assign_coords(coords),
        trajectories=of_component(trajectories, *dims, *at_time, **steps),
        explained=share.sum("of_margin"), explained_by_margin=share,
        margin_variance=xr.DataArray(variance, dims="margin", coords={"margin": every}),
        reliability=None if stable is None else of_component(stable), p_value=None if p is None else of_component(p),
        by=names, ridge=ridge_used, n_trials=len(x), n_splits=n_splits, test=test, version=__version__,
    )  # fmt: skip


def _timed(data: xr.DataArray) -> tuple[xr.DataArray, Array | None, Array]:
    """Activity as ``(trial, time, unit)``, and its times."""
    if data.ndim == 2 and data.dims[1] != "time":
        data = data.rename({data.dims[1]: "unit"}) if data.dims[1] != "unit" else data
        return data, None, loaded(data)[:, None]
    if set(data.dims) != {"trial", "time", "unit"}:
        raise InputError(
            f"activity has the axes {data.dims}; wanted ('trial', 'time', 'unit') or (trial, unit); name them: "
            "xarray.DataArray(x, dims=('trial', 'time', 'unit'))"
        )
    data = data.transpose("trial", "time", "unit")
    return data, times_of(data), loaded(data)


def _conditions(by: object, data: xr.DataArray) -> tuple[tuple[str, ...], list[Array], list[Array]]:
    if by is None:
        return (), [], []
    several = isinstance(by, (list, tuple)) and len(by) in (1, 2) and data.sizes["trial"] > 2
    given = list(by) if several else [by]  # type: ignore[call-overload]
    names = tuple(b if isinstance(b, str) else "condition" if len(given) == 1 else "ab"[i] for i, b in enumerate(given))
    if len(set(names)) < len(names) or set(names) & {"time", "unit", "trial", "component"}:
        raise InputError(f"the conditions are named {names}; wanted different names, and none of an axis")
    read = [coded(per_trial(b, data, name)) for b, name in zip(given, names)]
    return names, [code for _, code in read], [labels for labels, _ in read]


def _principal(x: Array, n: int) -> tuple[Array, Array, Array, Array]:
    flat = x.reshape(-1, x.shape[-1])
    fit = PCA(n_components=min(n, *flat.shape)).fit(flat)
    axes = np.asarray(fit.components_.T)
    return axes, axes, np.asarray(fit.mean_), np.asarray(fit.explained_variance_ratio_)


def _chosen(design: Design, n: int, n_splits: int, rng: np.random.Generator) -> float:
    """The ridge with the least loss of means of other trials, rebuilt from single ones."""
    splits = []
    for _ in range(n_splits):
        one = design.one_each(rng)
        splits.append((design.means(chosen=~one), design.means(chosen=one)))
    losses = [np.mean([loss(a, b, len(design.shape), ridge, n) for a, b in splits]) for ridge in RIDGES]
    return float(RIDGES[int(np.argmin(losses))])


def _margin_variance(design: Design, means: Array) -> Array:
    """Share of each margin in the variance of true means: less what noise adds to that of estimated ones."""
    k, t = len(design.counts), means.shape[-2]
    noise = [np.zeros(()) for _ in margins(means, len(design.shape))]
    timed = t > 1
    for c, size in enumerate(design.counts):
        rows = design.x[design.cell == c]
        away = (rows - rows.mean(axis=0)).transpose(1, 0, 2).reshape(t, -1)
        over_time = away @ away.T / (size - 1) / size  # of the mean, summed over units
        whole = np.trace(over_time)
        ranks = _shares_of_cells(design.shape)
        for i, rank in enumerate(ranks):
            noise[i + timed] = noise[i + timed] + rank / k * whole
        if timed:
            noise[0] = noise[0] + (whole - over_time.sum() / t) / k
    raw = np.array([(part**2).sum() for part in margins(means, len(design.shape))])
    signal = raw - np.array(noise)
    return np.asarray(signal / signal.sum() if signal.sum() > 0 else np.full(len(signal), np.nan))


def _shares_of_cells(shape: tuple[int, ...]) -> list[int]:
    """Degrees of freedom of each condition's margin."""
    return [shape[0] - 1] if len(shape) == 1 else [shape[0] - 1, shape[1] - 1, (shape[0] - 1) * (shape[1] - 1)]


def _explained(means: Array, n_factors: int, decoder: Array, encoder: Array) -> Array:
    """Share of the variance of means that each component rebuilds, by margin ``(component, margin)``."""
    parts = [p.reshape(-1, means.shape[-1]) for p in margins(means, n_factors)]
    whole = sum((p**2).sum() for p in parts)
    lost = np.array([[((p - np.outer(p @ d, e)) ** 2).sum() for p in parts] for d, e in zip(decoder.T, encoder.T)])
    return np.asarray((np.array([(p**2).sum() for p in parts]) - lost) / whole)


def _fitting(values: list[Array], sizes: list[int]) -> list[Array]:
    """As many values as the components of all trials; 0 where halves have fewer."""
    return [np.concatenate([v[:s], np.zeros(max(0, s - len(v)))]) for v, s in zip(values, sizes)]
