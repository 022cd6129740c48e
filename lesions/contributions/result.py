"""Attribution: what each player contributes, with its errors over coalitions and over stimuli."""

from __future__ import annotations

import re
from collections.abc import Hashable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from artiphys.array_types import Array
from artiphys.border import border
from artiphys.errors import BudgetError, InputError, StatisticsError
from artiphys.lesions.contributions.two_errors import Over, TwoErrors, checked_over, two_errors
from artiphys.stats.intervals import check_confidence

# How errors over trials become intervals, for a methods section.
HOW = "t, lengthened by Hall's transformation where skewed; of scores of few levels a score interval"


@dataclass(frozen=True)
class Attribution:
    """What each player contributes to a game's value.

    Attributes
    ----------
    values : DataArray ``(player,)``, or ``(player, output)`` where the score has several outputs
        In units of the score.
    stderr : DataArray like `values`
        Error of the estimate for these stimuli; 0 if exact.
    stderr_stimuli : DataArray like `values`
        Standard error over trials: what new trials of the same kind would change. NaN where the game
        gives no value per trial.
    per_trial : DataArray ``(player, trial)`` or ``(player, trial, output)``, or None
    intact, lesioned : float, or DataArray ``(output,)``
        Value with all players intact, and with all lesioned.
    n_evaluations : int
        Coalitions evaluated for this result (each counted once), a pilot's included.
    n_samples : float
        Independent samples behind `stderr` (inf if exact).
    exact : bool
    df : DataArray like `values`, or None
        Degrees of freedom of `stderr`; None means ``n_samples - 1``.
    order : int or None
        Of the polynomial that a regression fitted.
    confidence : float
        What was asked for, and what `to_dataframe` shows.
    method, kind, score, unit, seed, why, version
        Provenance; `why` says why the method was chosen.
    method_text : str
        How the values were estimated, as a sentence.
    refused : str
        Why intervals over coalitions are refused, with a budget that would do; empty where they hold.
    level_range : float or ndarray ``(output,)``
        Distance from the lowest to the highest score where scores take few levels (as right and wrong), else NaN.
    """

    values: xr.DataArray
    stderr: xr.DataArray
    stderr_stimuli: xr.DataArray
    per_trial: xr.DataArray | None
    intact: Any
    lesioned: Any
    n_evaluations: int
    n_samples: float
    exact: bool
    method: str
    kind: str
    score: str
    unit: str = ""
    seed: int | None = None
    why: str = ""
    version: str = ""
    seconds: float = 0.0
    n_trials: int = field(default=0)
    df: xr.DataArray | None = None
    order: int | None = None
    confidence: float = 0.95
    method_text: str = ""
    refused: str = ""
    level_range: Any = np.nan

    @property
    def gap(self) -> Any:
        """Intact minus lesioned minus the sum of the values: 0 for Shapley values. One an output."""
        gap = self.intact - self.lesioned - self.values.sum("player")
        return gap if gap.ndim else float(gap)

    @border
    def interval(self, confidence: float | None = None, over: Over = "both") -> tuple[xr.DataArray, xr.DataArray]:
        """Lower and upper ends, each like `values`; NaN where one over stimuli is refused (see `refused_stimuli`).

        Parameters
        ----------
        confidence : float, optional
            Default: what the attribution was made with.
        over : "coalitions", "stimuli" or "both"
            Error of the estimate for these stimuli; of these stimuli as a sample; or both together. Over stimuli it is
            `stats.trial_means.mean_interval`: t, lengthened where trials are skewed; of scores of few levels a score
            interval, which has width even where all trials agree.

        Raises
        ------
        StatisticsError
            If the game gives no value per trial and stimuli are asked for.
        BudgetError
            If so few samples made a difference to some player that no interval over coalitions holds.
        """
        confidence = self.confidence if confidence is None else confidence
        check_confidence(confidence)
        low, high = self._errors.interval(1 - confidence, self._known(over))
        shape = self.values.shape
        return self.values.copy(data=low.reshape(shape)), self.values.copy(data=high.reshape(shape))

    @border
    def p_values(self, over: Over = "both") -> xr.DataArray:
        """Two-sided p of each value against 0, of no correction: below alpha where `interval` at alpha leaves 0 out.

        NaN where an interval over stimuli is refused. Errors as of `interval`.
        """
        p = self._errors.p_values(self._known(over))
        return self.values.copy(data=p.reshape(self.values.shape))

    @property
    def refused_stimuli(self) -> str:
        """Why some values have no interval over stimuli, with a number of trials; empty where all have one."""
        return self._errors.refused

    def _known(self, over: Over) -> Over:
        """The errors asked for, as far as there are any."""
        checked_over(over)
        if over != "stimuli" and bool(np.isnan(self.stderr).any()):
            raise StatisticsError(
                f"{self.method} samples no coalitions, so its error over them is not known; use over='stimuli', and "
                "ap.shapley for values with intervals over coalitions"
            )
        if over != "coalitions" and bool(np.isnan(self.stderr_stimuli).any()):
            if over == "stimuli" or self.n_trials != 0:
                raise StatisticsError("an interval over stimuli needs at least two trials; use over='coalitions'")
            over = "coalitions"
        if self.refused and over != "stimuli":
            raise BudgetError(self.refused)
        return over

    @cached_property
    def _errors(self) -> TwoErrors:
        df = np.asarray(self.n_samples - 1) if self.df is None else self.df.to_numpy()
        scale = np.maximum(np.abs(np.asarray(self.intact)), np.abs(np.asarray(self.lesioned)))
        return two_errors(self.values, self.stderr, df, self.stderr_stimuli, self.per_trial, self.level_range,
                          self.n_trials, scale, bounded=True)  # fmt: skip

    def over_time(self) -> xr.DataArray:
        """Values of players in windows of time as ``(player, time, ...)``; ``time`` is where each window starts.

        NaN where a player has no such window. ``stop`` holds where the windows end.

        Raises
        ------
        InputError
            If the players are not in windows (``prep.players(..., windows=)``).
        """
        found = [re.fullmatch(r"(.+)\[(\d+):(\d+)\]", str(p)) for p in self.values["player"].values]
        if not all(found):
            raise InputError("these players are not in windows of time; make them by prep.players(..., windows=...)")
        parts = [(m[1], int(m[2]), int(m[3])) for m in found if m]
        units, spans = list(dict.fromkeys(p[0] for p in parts)), sorted({p[1:] for p in parts})
        if len({start for start, _ in spans}) != len(spans):
            raise InputError("two windows begin at the same time; give them apart")
        rest = self.values.shape[1:]
        table = np.full((len(units), len(spans), *rest), np.nan)
        for (unit, start, stop), value in zip(parts, self.values.to_numpy()):
            table[units.index(unit), spans.index((start, stop))] = value
        outputs = {"output": self.values["output"].values} if rest else {}
        coords = {"player": object_index(units), "time": [s for s, _ in spans], "stop": ("time", [e for _, e in spans])}
        return xr.DataArray(table, dims=("player", "time", *outputs), coords=coords | outputs)

    @border
    def to_dataframe(self, confidence: float | None = None) -> pd.DataFrame:
        """One row per player (and output): value, both errors, and the interval over both where there are trials.

        The interval is NaN where it is `refused`, over coalitions or (see `refused_stimuli`) over trials.
        """
        known = not bool(np.isnan(self.stderr_stimuli).any())
        sampled = not bool(np.isnan(self.stderr).any())
        if self.refused or not (known or sampled):
            low = high = self.values * np.nan
        else:
            low, high = self.interval(confidence, ("both" if sampled else "stimuli") if known else "coalitions")
        columns = {"value": self.values, "stderr": self.stderr, "stderr_stimuli": self.stderr_stimuli}
        columns |= {"low": low, "high": high}
        players = self.values["player"].values
        if self.values.ndim == 1:
            index: Any = pd.Index(players, name="player", tupleize_cols=False)
        else:
            outputs = self.values["output"].values
            pairs = [(p, o) for p in players for o in outputs]
            index = pd.MultiIndex.from_tuples(pairs, names=["player", "output"])
        return pd.DataFrame({name: c.to_numpy().ravel() for name, c in columns.items()}, index=index)

    @border
    def top(self, k: int = 10) -> pd.DataFrame:
        """The ``k`` players (and outputs) of largest absolute value."""
        if k < 1:
            raise InputError(f"top got {k}; wanted at least 1")
        table = self.to_dataframe()
        return table.iloc[np.argsort(-table["value"].abs().to_numpy(), kind="stable")[:k]]

    def estimation_text(self) -> str:
        """How the values were computed, in sentences for a methods section."""
        how = (
            f"exactly, from {self.n_evaluations} coalitions"
            if self.exact
            else f"by {self.method} from {self.n_evaluations} coalitions"
            + ("" if self.seed is None else f" (seed {self.seed})")
        )
        unit = f" [{self.unit}]" if self.unit else ""
        said = f" {self.method_text}" if self.method_text else ""
        said += f" No intervals are given: {self.refused}." if self.refused else ""
        return (
            f"The contribution of {len(self.values)} players to the mean {self.score}{unit} was computed {how}.{said}"
        )

    @property
    def _is_guess(self) -> bool:
        """Whether no error over coalitions can be told, as of gradients."""
        return bool(np.isnan(self.stderr.to_numpy()).all())

    def methods_text(self) -> str:
        """A paragraph fit for a methods section."""
        trials = (
            "; intervals give the error over coalitions" if not self.n_trials
            else f"over {self.n_trials} trials; intervals give the error over trials ({HOW})" if self._is_guess
            else f"over {self.n_trials} trials; intervals combine the error over coalitions with that over trials "
            f"({HOW})"
        )  # fmt: skip
        if self.refused_stimuli:
            trials += f"; {self.refused_stimuli.partition('. If')[0]}"
        return (
            f"{self.estimation_text()} A lesion was of kind '{self.kind}'. Values are means {trials}. The score was "
            f"{_shown(self.intact)} intact and {_shown(self.lesioned)} with all players lesioned (artiphys "
            f"{self.version}, method '{self.method}')."
        )

    def __repr__(self) -> str:
        state = "exact" if self.exact else "estimated"
        said = f"\n{self.refused_stimuli}" if self.refused_stimuli else ""
        return (
            f"Attribution({self.method}, {state}, {len(self.values)} players, kind={self.kind!r}, "
            f"{self.n_evaluations} evaluations)\n{self.top().round(4).to_string()}{said}"
        )


def _shown(value: Any) -> str:
    if isinstance(value, xr.DataArray):
        return ", ".join(f"{float(v):.4g} ({o})" for o, v in zip(value["output"].values, value.to_numpy()))
    return f"{value:.4g}"


def object_index(names: Sequence[Hashable]) -> Array:
    """Names as an object array, so that ints, strings and tuples are all kept as they are."""
    index = np.empty(len(names), dtype=object)
    index[:] = list(names)
    return index
