"""Decoding: scores of every site and time, their null, and what else was read out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace

import numpy as np
import pandas as pd
import xarray as xr

from artiphys.array_types import ActivityLike, Array, TrialValues
from artiphys.border import border
from artiphys.errors import InputError, StatisticsError, unknown
from artiphys.probes.decoding.hit_rates import hit_interval
from artiphys.probes.decoding.metrics import BOUNDS
from artiphys.probes.decoding.readout import Readout
from artiphys.probes.decoding.transfer import Transfer, transferred
from artiphys.probes.mutual_information.tables import Information, information
from artiphys.probes.readers.linear import Linear
from artiphys.stats.intervals import check_confidence, t_interval
from artiphys.stats.permutations import PermutationTest, Tested, whole_count
from artiphys.stats.seeds import Seed, whole_seed
from artiphys.stats.text import brief, span


@dataclass(frozen=True, repr=False)
class Decoding(Tested):
    """Cross-validated decoding, at each site and time where there are several.

    Attributes
    ----------
    score : DataArray ``([site,] [time])``
        Mean over folds of ``metric``. With ``across`` it has two axes more: ``train_time, time``, or
        ``train_condition, condition``.
    stderr : DataArray
        Nadeau-Bengio corrected; it speaks of the procedure over new data sets.
    chance : float
        Theoretical chance level.
    null : DataArray ``(permutation, ...)`` or None
        Scores with permuted labels, and their mean.
    p_value : DataArray or None
        (b + 1) / (m + 1), one-sided.
    p_corrected : DataArray or None
        The same, corrected for all sites and times by the largest statistic of each permutation.
    folds : DataArray ``(fold, ...)``
    confusion : DataArray ``(..., true, predicted)`` or None
        Counts over folds, for classes.
    predictions : DataArray ``(trial, ...)`` or None
        Held-out predictions, where every trial is tested once.
    control : DataArray ``(control, ...)`` or None
        Scores of the control tasks.
    n_effective : DataArray ``([site,] [time])`` or None
        Of hits, the number of independent trials that tell as much: fewer than there are, since folds share training
        trials and trials of a group are hit together.
    median_error : DataArray ``([site,] [time])`` or None
        Of numbers and angles, the median absolute error of held-out predictions, in the units of the labels (of
        angles the shorter way round).
    n_distinct, smallest_p : float
        Number of distinct permutations, and the smallest p that can be attained.
    """

    score: xr.DataArray
    stderr: xr.DataArray
    chance: float
    null_mean: xr.DataArray | None
    p_value: xr.DataArray | None
    folds: xr.DataArray
    metric: str
    estimator: str
    n_trials: int
    test: PermutationTest
    version: str
    null: xr.DataArray | None = None
    p_corrected: xr.DataArray | None = None
    confusion: xr.DataArray | None = None
    predictions: xr.DataArray | None = None
    control: xr.DataArray | None = None
    confounded: bool = False
    classes: Array | None = None
    n_effective: xr.DataArray | None = None
    median_error: xr.DataArray | None = None
    scoring: str | None = None
    period: float = 0.0
    readouts: Mapping[str | None, Readout] = field(default_factory=dict, repr=False, compare=False)

    def __repr__(self) -> str:
        at = " x ".join(f"{size} {dim}{'s' * (size != 1)}" for dim, size in self.score.sizes.items())
        p = "" if self.p_value is None else f", p {brief(self.p_value)}"
        where = f" at {at}" if at else ""
        found = f"{self.metric} {brief(self.score)} (chance {self.chance:.3g}{p})"
        return f"Decoding of {self.n_trials} trials{where}: {found}"

    @border
    def interval(self, confidence: float = 0.95) -> tuple[xr.DataArray, xr.DataArray]:
        """Lower and upper ends.

        Of hits those of a proportion of ``n_effective`` trials, which hold where all or none are hit; else t with
        (folds - 1) degrees of freedom, and NaN where the interval is `refused`.
        """
        check_confidence(confidence)
        score, stderr = self.score.to_numpy(), self.stderr.to_numpy()
        if self.n_effective is not None:
            low, high = hit_interval(score, self.n_effective.to_numpy(), confidence)
        else:
            low, high = t_interval(score, np.where(stderr > 0, stderr, np.nan), len(self.folds) - 1, confidence)
            low, high = (np.clip(end, *BOUNDS.get(self.metric, (-np.inf, np.inf))) for end in (low, high))
        return self.score.copy(data=low), self.score.copy(data=high)

    @property
    def refused(self) -> str:
        """Why no interval is given somewhere; empty where all hold."""
        alike = int((self.stderr.to_numpy() == 0).sum()) if self.n_effective is None else 0
        if not alike:
            return ""
        where = f" at {alike} of {self.score.size} places" if self.score.size > 1 else ""
        return f"all folds have the same {self.metric}{where}, so they do not say how much it varies; use more trials"

    @property
    def fold_scores(self) -> xr.DataArray:
        """As `folds`."""
        return self.folds

    def selectivity(self) -> xr.DataArray:
        """Score minus the mean score of the control tasks.

        Raises
        ------
        StatisticsError
            If no control tasks were asked for.
        """
        if self.control is None:
            raise StatisticsError("no control tasks were run; call decode with control=<stimulus types>")
        return self.score - self.control.mean("control")

    @border
    def information(self, method: str = "jackknife") -> Information:
        """Information that the decoded classes carry about the true ones [bits], a lower bound.

        See `artiphys.probes.information`.
        """
        if self.confusion is None:
            raise StatisticsError("information needs a confusion matrix: classes, and no across=")
        return information(self.confusion, method)

    @property
    def weights(self) -> xr.DataArray:
        """Weights of the reader fitted on all trials, for activity in its own units: ``([time,] *site axes[, class])``.

        Of one site; of several choose one by `at`.
        """
        readout, linear = self._linear()
        return readout.labelled(np.concatenate([m.weights[:, :, 0].cpu().numpy() for m in linear]), self.classes)

    @property
    def patterns(self) -> xr.DataArray:
        """Haufe patterns: where the signal is, rather than how it is read out; axes as of `weights`."""
        readout, _ = self._linear()
        return readout.labelled(
            np.concatenate([p.cpu().numpy() for p in readout.patterns if p is not None]), self.classes
        )

    def _linear(self) -> tuple[Readout, list[Linear]]:
        if len(self.readouts) > 1:
            raise InputError(f"weights are of one site; choose one, such as decoded.at({next(iter(self.readouts))!r})")
        readout = next(iter(self.readouts.values()))
        linear = readout.linear(0 if self.classes is None else len(self.classes))
        if not linear:
            raise StatisticsError(f"{self.estimator} has no weights, one per unit; use a linear reader")
        return readout, linear

    @border
    def at(self, site: str) -> Decoding:
        """The same of one site. p corrected stays corrected for all of them."""
        if site not in self.readouts:
            raise InputError(unknown("site", site, [str(s) for s in self.readouts if s is not None]))
        chosen = {
            f.name: getattr(self, f.name).sel(site=site, drop=True)
            for f in fields(self)
            if isinstance(getattr(self, f.name), xr.DataArray)
        }
        return replace(self, **chosen, readouts={None: self.readouts[site]})

    @border
    def transfer(
        self,
        activity: ActivityLike,
        labels: TrialValues,
        groups: TrialValues | None = None,
        n_permutations: int = 200,
        *,
        seed: Seed = 0,
    ) -> Transfer:
        """Read another recording with the reader fitted on this one (diagnostic readout); nothing is fitted anew.

        Parameters
        ----------
        activity : as for `decode`, of the same sites, times and units
        labels : array ``(trial,)`` or str
            Of the same classes.
        groups : array or str, optional
            Trials of one group share a source; errors and permutations follow it.
        """
        if self.confounded:
            raise StatisticsError(
                "the reader was fitted on activity without its confounds, which the new activity still has; decode "
                "both after removing them alike, or without confounds"
            )
        return transferred(
            self.readouts, self.classes, self.score, activity, labels, groups,
            whole_count("n_permutations", n_permutations), whole_seed(seed), scoring=self.scoring, period=self.period,
        )  # fmt: skip

    def to_dataframe(self) -> pd.DataFrame:
        """One row per site and time: score, error, chance, p."""
        low, high = self.interval()
        table = pd.DataFrame(
            {"score": self.score.to_numpy().ravel(), "stderr": self.stderr.to_numpy().ravel(),
             "low": low.to_numpy().ravel(), "high": high.to_numpy().ravel(), "chance": self.chance}
        )  # fmt: skip
        if self.p_value is not None:
            table["p"] = self.p_value.to_numpy().ravel()
        if self.score.size > 1:
            places = self.score.to_series().index.to_frame(index=False)
            table = pd.concat([places, table], axis=1)
            if self.p_corrected is not None:
                table["p_corrected"] = self.p_corrected.to_numpy().ravel()
        if self.median_error is not None:
            table["median_error"] = self.median_error.to_numpy().ravel()
        if self.control is not None:
            table["selectivity"] = self.selectivity().to_numpy().ravel()
        return table

    def _errors(self) -> str:
        if self.n_effective is None:
            return "with Nadeau-Bengio standard errors"
        return (
            "with Nadeau-Bengio standard errors and intervals of a proportion (Jeffreys) of "
            f"{span(self.n_effective.min(), self.n_effective.max())} independent trials"
        )

    def methods_text(self) -> str:
        """A paragraph fit for a methods section."""
        null = (
            f" The null distribution came from {self.n_permutations} permutations of the labels ({self.scheme}; "
            f"smallest attainable p {self.smallest_p:.2g}); folds were fixed."
            if self.n_permutations
            else ""
        )
        control = ""
        if self.control is not None:
            control = f" Selectivity is the score minus the mean of {len(self.control)} control tasks."
        return (
            f"{self.n_trials} trials were decoded with {self.estimator}, scaled and fitted within each of "
            f"{len(self.folds)} folds; scores are {self.metric}, {self._errors()}.{null}{control} "
            f"(artiphys {self.version})"
        )
