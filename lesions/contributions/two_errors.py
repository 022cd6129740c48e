"""Two errors: that over coalitions and that over stimuli, as intervals and p-values, apart and together."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import xarray as xr
from scipy import stats as scipy_stats

from artiphys.array_types import Array
from artiphys.errors import StatisticsError
from artiphys.stats.trial_means import TrialMeans, refusal_text, trial_means

Over = Literal["coalitions", "stimuli", "both"]
HALVINGS = 60  # of the logarithm of p, in search of the interval that just reaches 0
LEAST_LOG_P = -690.0


def checked_over(over: object) -> None:
    """`StatisticsError` unless an error was named."""
    if over not in ("coalitions", "stimuli", "both"):
        raise StatisticsError(f"over came as {over!r}; wanted 'coalitions', 'stimuli' or 'both'")


@dataclass(frozen=True)
class TwoErrors:
    """Errors of estimates ``(value,)``: a standard error with degrees of freedom over coalitions, and the trials.

    ``bound`` is the largest size a value can have, infinite where it is not known; ``means`` is None where there are
    no trials, and of ``redrawn`` trials where the score is one of the whole set.
    """

    values: Array
    stderr: Array
    df: Array
    means: TrialMeans | None
    bound: Array
    redrawn: bool

    def interval(self, alpha: float | Array, over: Over) -> tuple[Array, Array]:
        """Both ends; NaN where an interval over stimuli is refused.

        Together, the distances to either end add up as squares (Zou & Donner 2008, Construction of confidence limits
        about effect measures), so that each keeps its own shape.
        """
        self._check(over)
        apart = scipy_stats.t.isf(np.asarray(alpha) / 2, self.df) * self.stderr
        if over == "coalitions" or self.means is None:
            return self.values - apart, self.values + apart
        low, high = self.means.interval(alpha)
        if over == "both":
            low = self.values - np.hypot(self.values - low, apart)
            high = self.values + np.hypot(high - self.values, apart)
        return np.maximum(low, np.minimum(self.values, -self.bound)), np.minimum(
            high, np.maximum(self.values, self.bound)
        )

    @property
    def refused(self) -> str:
        """Why some values have no interval over stimuli, with a number of trials; empty where all have one."""
        if self.means is None:
            return ""
        said = refusal_text(self.means, "values")
        if said and self.redrawn:
            said = (
                f"{int(self.means.refused.sum())} of {len(self.values)} values have no interval over stimuli: they are "
                f"the same of every set of trials that was drawn again from the {self.means.n_trials}"
            )
        return said and f"{said}. If these trials are all there are, use over='coalitions'"

    def p_values(self, over: Over) -> Array:
        """Two-sided p against 0: below alpha where the interval at alpha leaves 0 out."""
        self._check(over)
        with np.errstate(divide="ignore", invalid="ignore"):
            t = np.where(self.values == 0, 0.0, np.abs(self.values) / self.stderr)
        alone = np.asarray(2 * scipy_stats.t.sf(t, self.df))
        if over == "coalitions" or self.means is None:
            return alone
        p = self.means.p_values()
        return p if over == "stimuli" or not (self.stderr > 0).any() else np.where(self.stderr > 0, self._reached(), p)

    def _check(self, over: Over) -> None:
        if over == "stimuli" and self.means is None:
            raise StatisticsError("an error over stimuli needs at least two trials; use over='coalitions'")

    def _reached(self) -> Array:
        """The alpha at which the interval of both errors just reaches 0."""
        least, most = np.full(self.values.shape, LEAST_LOG_P), np.zeros(self.values.shape)
        for _ in range(HALVINGS):
            middle = (least + most) / 2
            low, high = self.interval(np.exp(middle), "both")
            apart = (low > 0) | (high < 0)
            least, most = np.where(apart, least, middle), np.where(apart, middle, most)
        return np.where(np.isnan(low), np.nan, np.exp(most))


def two_errors(
    values: xr.DataArray,
    stderr: xr.DataArray,
    df: Array,
    stderr_stimuli: xr.DataArray,
    per_trial: xr.DataArray | None,
    largest: Any,
    n_trials: int,
    scale: Any,
    bounded: bool,
) -> TwoErrors:
    """`TwoErrors` of values ``(value[, output])``, one after the other.

    ``largest``, which broadcasts with the values, is what a trial's value can be at most where scores take few levels,
    else NaN, and if ``bounded`` a value too; ``scale`` is the size of the scores (one number,
    or one an output).
    """
    shape = values.shape
    reach = np.broadcast_to(np.asarray(largest, dtype=float), shape).ravel()
    means: TrialMeans | None = None
    if per_trial is not None and per_trial.shape[1] > 1:
        trials = np.moveaxis(per_trial.to_numpy(), 1, -1)
        size = np.maximum(np.abs(trials).max(axis=(0, -1)), scale)  # of each output, whose units differ
        size = np.broadcast_to(size, shape).ravel()
        means = trial_means(trials.reshape(values.size, -1), largest=reach, scale=size)
    elif n_trials > 1 and not bool(np.isnan(stderr_stimuli).any()):
        # Of a score over the whole set, whose trials were drawn again: nothing is known but their standard error.
        error, none = stderr_stimuli.to_numpy().ravel().astype(float), np.zeros(values.size)
        n_odd = np.where(error > 0, float(n_trials), 0.0)
        means = TrialMeans(values.to_numpy().ravel(), error, none, none * np.nan, n_odd, n_trials)
    return TwoErrors(
        values.to_numpy().ravel().astype(float), stderr.to_numpy().ravel().astype(float),
        np.broadcast_to(df, shape).ravel().astype(float), means,
        np.where(np.isnan(reach) | (not bounded), np.inf, reach), redrawn=per_trial is None,
    )  # fmt: skip
