"""correlations(): signal and noise correlation of all pairs of units, and the Fano factor of each."""

from __future__ import annotations

import numpy as np
import xarray as xr

from artiphys.array_types import ActivityLike, Array, TrialValues
from artiphys.border import border
from artiphys.errors import InputError
from artiphys.probes.covariability.fano import fano_factors
from artiphys.probes.covariability.noise_correlation import mean_correlation, noise_correlation, permuted_p
from artiphys.probes.covariability.result import Correlations
from artiphys.probes.covariability.signal_correlation import signal_correlation
from artiphys.probes.covariability.strata import Strata, warn_of_drift
from artiphys.probes.data.activity import as_activity, loaded
from artiphys.probes.data.design import groups_of
from artiphys.probes.data.trial_values import coded, per_trial
from artiphys.stats.permutations import Permutations, PermutationTest, whole_count
from artiphys.stats.seeds import Seed, whole_seed
from artiphys.user_warnings import warn
from artiphys.version import __version__

MAX_UNITS = 2000  # whose pairs' matrices and jackknife are still a matter of minutes


@border
def correlations(
    activity: ActivityLike,
    stimulus: TrialValues,
    *,
    groups: TrialValues | None = None,
    n_permutations: int = 0,
    seed: Seed = 0,
) -> Correlations:
    """Signal correlation, noise correlation and Fano factor of units that were recorded together.

    *Signal correlation* is that of two units' true tuning curves over these stimuli: the covariance that noise adds to
    estimated curves is taken out, so that few trials make it neither too small (noise of each unit) nor too large
    (noise that units share). *Noise correlation* is that of residuals within a stimulus: the mean over stimuli of the
    correlation within each, by degrees of freedom, less its bias. The *Fano factor* is variance over mean of spike
    counts within a stimulus, its mean over stimuli.

    Parameters
    ----------
    activity : DataArray ``(trial, unit)`` or array
        Of one time, or summed over a window. Fano factors are there for counts: whole numbers, 0 or more.
    stimulus : array ``(trial,)`` or str
        A value per trial, or the name of a condition: at least two values, with two trials each (signal correlations
        have intervals from three on). Noise intervals hold from about five trials on; with two or three, and spikes so
        few that counts are often equal, correlations are a little off.
    groups : array or str, optional
        Trials that share a source, such as a session or a block. Differences between groups are no noise: they are
        taken out, and noise is what is left within a stimulus and group. Required where the conditions have a column
        such as ``session``.
    n_permutations : int
        0 for no test of noise correlations and Fano factors. Noise correlations are tested by shuffling each unit's
        trials within stimuli; Fano factors against Poisson counts of the same sums, which are multinomial. Signal
        correlations have p-values without: no exchange of labels would keep units tuned but unrelated, so p is that of
        the covariance over its jackknife error, for these stimuli (whether other stimuli would show it is not asked).

    Raises
    ------
    InputError, StatisticsError

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> both = rng.normal(size=(400, 1))
    >>> found = correlations(both + rng.normal(size=(400, 2)), np.arange(400) % 4)
    >>> round(float(found.noise[0, 1]), 1)
    0.5

    References
    ----------
    Cohen & Kohn 2011, Measuring and interpreting neuronal correlations.
    """
    data = as_activity(activity)
    if data.dims != ("trial", data.dims[1]) or data.ndim != 2:
        raise InputError(
            f"activity has the axes {data.dims}; wanted (trial, unit): choose a time, or sum over a window, such as "
            "activity.sum('time')"
        )
    x = loaded(data)
    if not 2 <= x.shape[1] <= MAX_UNITS:
        raise InputError(f"activity has {x.shape[1]} units; wanted 2 to {MAX_UNITS}, of which pairs can be made")
    names, code = coded(per_trial(stimulus, data, "stimulus"))
    if len(names) < 2:
        raise InputError(f"the stimulus has the single value {names.tolist()[0]!r}; wanted at least two")
    n_permutations, seed = whole_count("n_permutations", n_permutations), whole_seed(seed)
    strata = Strata.of(x, code, groups_of(groups, data))
    noise = noise_correlation(strata)
    still = int((np.diag(noise.df) == 0).sum())
    if still:
        warn(f"{still} of {x.shape[1]} units never vary within a stimulus; their noise correlations are NaN")
    warn_of_drift(noise.z)
    signal = signal_correlation(strata)
    fano = None
    counts = bool((x >= 0).all() and (x == np.round(x)).all())
    if counts:
        fano = fano_factors(strata, x, n_permutations, seed)
    p, p_mean, test = None, float("nan"), PermutationTest(seed=seed)
    if n_permutations:
        used = strata.cell >= 0
        plan = Permutations.of(np.arange(used.sum()), strata.cell[used], exchange="within groups")
        p, p_mean, scheme = permuted_p(noise, strata.cell, n_permutations, seed)
        smallest = max(1 / (n_permutations + 1), 1 / plan.n_distinct)
        test = PermutationTest(n_permutations, seed, scheme, plan.n_distinct, smallest)
    unit = str(data.dims[1])
    labels = data[unit].to_numpy() if unit in data.coords else np.arange(x.shape[1])

    def of_pair(values: Array) -> xr.DataArray:
        off = np.where(np.eye(len(values), dtype=bool), np.nan, values)
        return xr.DataArray(off, dims=("unit", "other"), coords={"unit": labels, "other": labels})

    def of_unit(values: Array) -> xr.DataArray:
        return xr.DataArray(values, dims=("unit",), coords={"unit": labels})

    mean, mean_error = mean_correlation(noise)
    return Correlations(
        signal=of_pair(signal.r), signal_stderr=of_pair(signal.stderr), signal_p=of_pair(signal.p), signal_df=signal.df,
        reliability=of_unit(signal.reliability), noise=of_pair(noise.r), noise_stderr=of_pair(noise.stderr),
        noise_df=of_pair(noise.df), noise_p=None if p is None else of_pair(p), mean_noise=mean,
        mean_noise_stderr=mean_error, mean_noise_p=p_mean,
        fano=None if fano is None else of_unit(fano.value),
        fano_log_stderr=None if fano is None else of_unit(fano.log_stderr),
        fano_df=None if fano is None else of_unit(fano.df),
        fano_p=None if fano is None or fano.p is None else of_unit(fano.p),
        stimulus=str(stimulus) if isinstance(stimulus, str) else "stimulus", n_stimuli=len(names), n_trials=len(x),
        grouped=groups is not None, test=test, version=__version__,
    )  # fmt: skip
