"""Interactions: what players do together, with errors, p-values and a reading in words."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import networkx as nx
import numpy as np
import pandas as pd
import xarray as xr

from artiphys.array_types import Array
from artiphys.border import border, shown
from artiphys.errors import InputError, StatisticsError
from artiphys.lesions.contributions.result import object_index
from artiphys.lesions.contributions.two_errors import Over, TwoErrors, checked_over, two_errors
from artiphys.lesions.estimators.estimate import MIN_DF
from artiphys.lesions.interaction_indices.reading import ROUNDING, corrected, words
from artiphys.stats.intervals import check_confidence


@dataclass(frozen=True, eq=False)
class Interactions:
    """What players do together beyond what they do apart.

    Attributes
    ----------
    values : DataArray ``(interaction,)``, or ``(interaction, output)``
        In units of the score; interactions are tuples of players, single players first.
    stderr, stderr_stimuli, df : DataArray like `values`
        As in `Attribution`: the error of the estimate for these stimuli (0 if exact), and over trials.
    contributions : DataArray ``(player,)``, or ``(player, output)``
        Shapley (or Banzhaf) values of the players, from the same coalitions.
    intact, lesioned : float or DataArray
    index : str
        "k-SII", "SII", "STII" or "Banzhaf".
    order : int
        Players in the largest interactions.
    exact : bool
    n_evaluations : int
    n_samples : float
        Independent pairs of coalitions behind `stderr` (inf if exact).
    n_trials : int
    confidence : float
    method, kind, score, unit, seed, why, version, seconds
        Provenance.
    per_trial : DataArray ``(interaction, trial)`` or ``(interaction, trial, output)``, or None
    level_range : float or ndarray ``(output,)``
        As in `Attribution`.
    """

    values: xr.DataArray
    stderr: xr.DataArray
    stderr_stimuli: xr.DataArray
    df: xr.DataArray
    contributions: xr.DataArray
    intact: Any
    lesioned: Any
    index: str
    order: int
    exact: bool
    n_evaluations: int
    n_samples: float
    n_trials: int
    confidence: float
    method: str
    kind: str
    score: str
    unit: str = ""
    seed: int | None = None
    why: str = ""
    version: str = ""
    seconds: float = 0.0
    per_trial: xr.DataArray | None = None
    level_range: Any = np.nan

    @property
    def players(self) -> list[Hashable]:
        """Names of the players."""
        return list(self.contributions["player"].values)

    @cached_property
    def _members(self) -> list[tuple[int, ...]]:
        place = {name: i for i, name in enumerate(self.players)}
        return [tuple(place[name] for name in names) for names in self.values["interaction"].values]

    @property
    def refused(self) -> xr.DataArray:
        """Which interactions rest on so few coalitions that no interval would hold; theirs are NaN."""
        return (self.df < MIN_DF) & (self.stderr > 0)

    @property
    def refused_stimuli(self) -> str:
        """Why some interactions have no interval over stimuli, with a number of trials; empty where all have one."""
        return self._errors.refused

    def of(self, *players: Hashable) -> Any:
        """Value of one interaction, whatever the order of its players: a float, or one value an output.

        Raises
        ------
        InputError
            If there is no such interaction.
        """
        wanted = set(players)
        for i, names in enumerate(self.values["interaction"].values):
            if set(names) == wanted and len(names) == len(players):
                value = self.values[i]
                return value if value.ndim else float(value)
        raise InputError(f"there is no interaction of {players}; there are sets of 1 to {self.order} players")

    @border
    def interval(
        self, confidence: float | None = None, over: Over = "both", *, simultaneous: bool = False
    ) -> tuple[xr.DataArray, xr.DataArray]:
        """Lower and upper ends, each like `values`; NaN where one is refused (see `refused` and `refused_stimuli`).

        Parameters
        ----------
        confidence : float, optional
            Default: what was asked for.
        over : "coalitions", "stimuli" or "both"
            As in `Attribution.interval`.
        simultaneous : bool
            All intervals hold together with this confidence (Bonferroni).
        """
        confidence = self.confidence if confidence is None else confidence
        check_confidence(confidence)
        alpha = (1 - confidence) / self.values.size if simultaneous else 1 - confidence
        over = self._known(over)
        shape = self.values.shape
        low, high = (end.reshape(shape) for end in self._errors.interval(alpha, over))
        refused = self.refused.to_numpy() & (over != "stimuli")
        return self.values.copy(data=np.where(refused, np.nan, low)), self.values.copy(
            data=np.where(refused, np.nan, high)
        )

    def _known(self, over: Over) -> Over:
        """The errors asked for, as far as there are any."""
        checked_over(over)
        if over != "coalitions" and bool(np.isnan(self.stderr_stimuli).any()):
            if over == "stimuli" or self.n_trials > 1:
                raise StatisticsError("an error over stimuli needs at least two trials; use over='coalitions'")
            over = "coalitions"
        return over

    @cached_property
    def _errors(self) -> TwoErrors:
        # What a set of k players does together is a sum of 2^k scores with signs, half of them positive.
        folds = 2.0 ** np.array([len(m) - 1 for m in self._members])
        largest = (folds if self.values.ndim == 1 else folds[:, None]) * self.level_range
        scale = np.maximum(np.abs(np.asarray(self.intact)), np.abs(np.asarray(self.lesioned)))
        return two_errors(self.values, self.stderr, self.df.to_numpy(), self.stderr_stimuli, self.per_trial, largest,
                          self.n_trials, scale, bounded=False)  # fmt: skip

    @border
    def p_values(self, over: Over = "both") -> xr.DataArray:
        """Two-sided p of each interaction of several players, corrected by Holm; NaN for single and refused ones."""
        over = self._known(over)
        p = self._errors.p_values(over).reshape(self.values.shape)
        together = np.array([len(m) > 1 for m in self._members])
        if over != "stimuli":
            p = np.where(self.refused.to_numpy(), np.nan, p)
        found = [corrected(q, together, z) for q, z in zip(_columns(p), _columns(self._zero()))]
        return self.values.copy(data=np.stack(found, axis=-1).reshape(self.values.shape))

    @border
    def readings(self, over: Over = "both") -> xr.DataArray:
        """One word per interaction: what is significant by Holm at one minus `confidence`, and of which sign.

        "synergy" and "redundancy" of players that all work in the behaviour's direction; "superadditive" and
        "subadditive" where one of them works against it; "undecided"; "additive" where it is exactly 0.
        """
        p, zero = self.p_values(over), self._zero()
        gaps = np.atleast_1d(np.asarray(self.intact) - np.asarray(self.lesioned))
        columns = zip(_columns(self.values), _columns(p), _columns(zero), _columns(self.contributions), gaps)
        found = [words(self._members, v, q, z, c, g, 1 - self.confidence) for v, q, z, c, g in columns]
        return self.values.copy(data=np.array(found, dtype=object).T.reshape(self.values.shape))

    @property
    def p_value(self) -> xr.DataArray:
        """`p_values` with both errors."""
        return self.p_values()

    @property
    def reading(self) -> xr.DataArray:
        """`readings` with both errors."""
        return self.readings()

    def _zero(self) -> Array:
        """Which are 0 but for rounding: exact ones, or estimates in which no coalition left anything over."""
        size = float(np.abs(self.values).max()) + float(np.abs(np.asarray(self.intact)).max())
        small = np.abs(self.values.to_numpy()) <= ROUNDING * size
        return np.asarray((self.stderr.to_numpy() == 0) & small)

    @border
    def matrix(self, output: Any = None) -> pd.DataFrame:
        """Interactions of two as a symmetric table, player by player; NaN on its diagonal."""
        values = self._one_output(self.values, output)
        table = np.full((len(self.players), len(self.players)), np.nan)
        for members, value in zip(self._members, values.to_numpy()):
            if len(members) == 2:
                table[members] = table[members[::-1]] = value
        index = pd.Index(self.players, name="player", tupleize_cols=False)
        return pd.DataFrame(table, index=index, columns=index.rename("with"))

    def _one_output(self, array: xr.DataArray, output: Any) -> xr.DataArray:
        if array.ndim == 1:
            if output is not None:
                raise InputError(f"output came as {shown(output)}, but the score has one output; leave it out")
            return array
        names = list(array["output"].values)
        if output not in names:
            raise InputError(f"output came as {shown(output)}; wanted one of {names}")
        return array[:, names.index(output)]

    @border
    def to_dataframe(self, over: Over = "both") -> pd.DataFrame:
        """One row per interaction (and output): order, value, both errors, interval, Holm's p and the reading."""
        low, high = self.interval(over=over)
        columns = {"value": self.values, "stderr": self.stderr, "stderr_stimuli": self.stderr_stimuli, "low": low,
                   "high": high, "p": self.p_values(over), "reading": self.readings(over)}  # fmt: skip
        names = self.values["interaction"].values
        if self.values.ndim == 1:
            index: Any = pd.Index(names, name="interaction", tupleize_cols=False)
            sizes = [len(n) for n in names]
        else:
            outputs = self.values["output"].values
            place = np.repeat(np.arange(len(names)), len(outputs))
            index = pd.MultiIndex.from_arrays(
                [object_index([names[i] for i in place]), np.tile(outputs, len(names))],
                names=["interaction", "output"],
            )
            sizes = [len(names[i]) for i in place]
        return pd.DataFrame({"order": sizes} | {k: c.to_numpy().ravel() for k, c in columns.items()}, index=index)

    @border
    def top(self, k: int = 10, over: Over = "both") -> pd.DataFrame:
        """The ``k`` interactions of several players (and outputs) of largest absolute value."""
        table = self.to_dataframe(over)
        table = table[table["order"] > 1]
        return table.iloc[np.argsort(-table["value"].abs().to_numpy(), kind="stable")[:k]]

    @border
    def to_networkx(self, output: Any = None) -> nx.Graph[Any]:
        """Players as nodes with their contribution, pairs as edges with value, interval, p and reading."""
        low, high = self.interval()
        graph: nx.Graph[Any] = nx.Graph(index=self.index, score=self.score, kind=self.kind)
        shapley = self._one_output(self.contributions, output).to_numpy()
        for name, value in zip(self.players, shapley):
            graph.add_node(str(name), contribution=float(value))
        arrays = [self.values, self.stderr, low, high, self.p_values(), self.readings()]
        arrays = [self._one_output(a, output).to_numpy() for a in arrays]  # type: ignore[misc]
        for i, members in enumerate(self._members):
            if len(members) == 2:
                a, b = (str(self.players[m]) for m in members)
                value, stderr, below, above, p, reading = (column[i] for column in arrays)
                graph.add_edge(a, b, value=float(value), stderr=float(stderr), low=float(below), high=float(above),
                               p=float(p), reading=str(reading))  # fmt: skip
        return graph

    def methods_text(self) -> str:
        """A paragraph fit for a methods section."""
        names = {"k-SII": "k-Shapley interaction values", "SII": "Shapley interaction indices",
                 "STII": "Shapley-Taylor interactions", "Banzhaf": "Banzhaf interactions"}  # fmt: skip
        how = (
            f"exactly, from {self.n_evaluations} coalitions"
            if self.exact
            else f"from {self.n_evaluations} coalitions in complementary pairs (seed {self.seed}), by regressions of "
            "the even and the odd part of the game that were corrected by cross-fitted residuals"
        )
        unit = f" [{self.unit}]" if self.unit else ""
        trials = f" over {self.n_trials} trials" if self.n_trials else ""
        n_refused = int(self.refused.sum())
        refused = f" {n_refused} of them rest on too few coalitions and have no interval." if n_refused else ""
        refused += f" {self.refused_stimuli.partition('. If')[0]}." if self.refused_stimuli else ""
        return (
            f"{names[self.index]} up to order {self.order} of {len(self.players)} players on the mean {self.score}"
            f"{unit}{trials} were computed {how}.{refused} p-values are corrected by Holm. A lesion was of kind "
            f"'{self.kind}' (artiphys {self.version})."
        )

    def __repr__(self) -> str:
        state = "exact" if self.exact else "estimated"
        over: Over = "coalitions" if bool(np.isnan(self.stderr_stimuli).any()) else "both"
        return (
            f"Interactions({self.index}, order {self.order}, {state}, {len(self.players)} players, kind={self.kind!r}, "
            f"{self.n_evaluations} evaluations)\n{self.top(over=over).round(4).to_string()}"
            + (f"\n{self.refused_stimuli}" if self.refused_stimuli else "")
        )


def _columns(array: Any) -> list[Array]:
    """Columns by output of an array ``(row,)`` or ``(row, output)``."""
    table = np.asarray(array)
    return [table] if table.ndim == 1 else list(table.T)
