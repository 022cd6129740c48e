"""dimensionality(): participation ratio and eigenspectra, of all variance and of what repeats of stimuli share."""

from __future__ import annotations

import numpy as np
import xarray as xr

from artiphys.array_types import ActivityLike, Array, TrialValues
from artiphys.border import border
from artiphys.errors import InputError, StatisticsError
from artiphys.probes.data.activity import as_activity, loaded
from artiphys.probes.data.design import groups_of
from artiphys.probes.data.trial_values import coded, per_trial
from artiphys.probes.dimensions.participation import participation_ratio
from artiphys.probes.dimensions.result import Dimensionality
from artiphys.probes.dimensions.shared_variance import shared_spectrum, spectrum, split_means
from artiphys.stats.permutations import whole_count
from artiphys.stats.seeds import Seed, whole_seed
from artiphys.user_warnings import warn
from artiphys.version import __version__

MIN_TRIALS = 6  # so that four are left to the jackknife, with one to spare


@border
def dimensionality(
    activity: ActivityLike,
    stimulus: TrialValues | None = None,
    *,
    groups: TrialValues | None = None,
    n_splits: int = 10,
    n_bootstrap: int = 100,
    seed: Seed = 0,
) -> Dimensionality:
    """How many dimensions activity fills.

    The *participation ratio* ``(sum of eigenvalues)^2 / sum of squared eigenvalues`` of the covariance over trials: 1
    where all variance lies along one axis, the number of units where it is the same along all. It is an estimate of the
    ratio that infinitely many such trials of *these units* would have (more units may fill more dimensions), nearly
    unbiased where the naive ratio of n trials cannot exceed n - 1. With noise that is independent between units it
    counts the dimensions of the noise. What the *stimuli* fill needs their repeats: with ``stimulus``, cross-validated
    PCA gives the variance along each principal axis that repeats share.

    Parameters
    ----------
    activity : DataArray ``(trial, unit)`` or array
        Independent trials. Times of one trial are not; choose a time, or average over a window.
    stimulus : array ``(trial,)`` or str, optional
        A value per trial, or the name of a condition: at least three stimuli, each in two trials or more. Its repeats
        are halved at random.
    groups : array or str, optional
        Trials that share a source; they are left out, or drawn, together for errors. Required where the conditions
        have a column such as ``session``.
    n_splits : int
        Random halvings of the repeats, over which shared variance is averaged.
    n_bootstrap : int
        Draws of trials, and of stimuli, for the errors of the spectra; 0 for none.

    Raises
    ------
    InputError, StatisticsError

    Examples
    --------
    >>> x = np.random.default_rng(0).normal(size=(50, 100))
    >>> found = dimensionality(x, n_bootstrap=0)
    >>> round(found.naive_participation_ratio), 90 < found.participation_ratio < 110
    (33, True)
    """
    data = as_activity(activity)
    if data.ndim != 2:
        raise InputError(
            f"activity has the axes {data.dims}; wanted (trial, unit): choose a time, or average over a window, such "
            "as activity.mean('time')"
        )
    x = loaded(data)
    n_splits, n_bootstrap = whole_count("n_splits", n_splits), whole_count("n_bootstrap", n_bootstrap)
    seed = whole_seed(seed)
    if len(x) < MIN_TRIALS or x.shape[1] < 2:
        raise StatisticsError(
            f"activity has {len(x)} trials of {x.shape[1]} units; wanted at least {MIN_TRIALS} trials of two units"
        )
    size = np.abs(x).max()
    if not (x - x.mean(axis=0)).any() or np.ptp(x, axis=0).max() <= 1e-12 * size:
        raise StatisticsError("activity is the same on all trials, so it has no dimensions; nothing to measure")
    group = groups_of(groups, data)
    if group is not None and len(np.unique(group)) < 3:
        raise StatisticsError(f"{len(np.unique(group))} groups came; wanted at least three, for errors over groups")
    scale = float(np.sqrt(((x - x.mean(axis=0)) ** 2).mean()))
    ratio = participation_ratio((x - x.mean(axis=0)) / scale, group)
    if not np.isfinite(ratio.log_stderr):
        warn(
            f"{len(x)} trials of {x.shape[1]} units are too few to tell the participation ratio or its error from the "
            "data; use more trials"
        )
    rng = np.random.default_rng(seed)
    drawn = [spectrum(x[_draw(group, len(x), rng)]) for _ in range(n_bootstrap)]
    all_variance, all_error = spectrum(x), _spread(drawn)
    shared = shared_error = total = None
    n_stimuli = 0
    if stimulus is not None:
        names, code = coded(per_trial(stimulus, data, "stimulus"))
        repeats = np.bincount(code)
        if len(names) < 3 or repeats.min() < 2:
            raise StatisticsError(
                f"the stimulus has {len(names)} values, and the rarest {int(repeats.min())} trials; wanted three "
                "values or more, each in two trials or more, whose halves can be compared"
            )
        if n_splits < 1:
            raise InputError("n_splits came as 0; wanted at least 1 halving of the repeats")
        n_stimuli = len(names)
        halves = [split_means(x, code, rng) for _ in range(n_splits)]
        shared = np.mean([shared_spectrum(a, b) for a, b in halves], axis=0)
        total = float(shared.sum())
        again = []
        for i in range(n_bootstrap):
            a, b = halves[i % n_splits]
            picked = rng.integers(n_stimuli, size=n_stimuli)
            again.append(shared_spectrum(a[picked], b[picked]))
        shared_error = _spread(again)
    component = np.arange(1, len(all_variance) + 1)

    def of_component(values: Array | None) -> xr.DataArray | None:
        if values is None:
            return None
        return xr.DataArray(values, dims="component", coords={"component": component[: len(values)]})

    variance = of_component(all_variance)
    assert variance is not None
    return Dimensionality(
        participation_ratio=ratio.corrected, naive_participation_ratio=ratio.naive, log_stderr=ratio.log_stderr,
        n_jackknife=ratio.n_jackknife, variance=variance, variance_stderr=of_component(all_error),
        shared=of_component(shared), shared_stderr=of_component(shared_error), shared_total=total,
        n_trials=len(x), n_units=x.shape[1], n_stimuli=n_stimuli, n_splits=n_splits if n_stimuli else 0,
        n_bootstrap=n_bootstrap, seed=seed, grouped=group is not None, version=__version__,
    )  # fmt: skip


def _draw(group: Array | None, n: int, rng: np.random.Generator) -> Array:
    """Trials of a bootstrap sample."""
    if group is None:
        return rng.integers(n, size=n)
    names = np.unique(group)
    return np.concatenate([np.flatnonzero(group == g) for g in rng.choice(names, len(names))])


def _spread(drawn: list[Array]) -> Array | None:
    if len(drawn) < 2:
        return None
    shortest = min(map(len, drawn))
    return np.asarray(np.std([d[:shortest] for d in drawn], axis=0, ddof=1))
