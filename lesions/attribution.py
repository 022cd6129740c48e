"""Attribution: what each player contributes, with both its uncertainties; and single lesions."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
import pandas as pd
import xarray as xr

from artiphys.errors import StatisticsError
from artiphys.lesions.game import Game
from artiphys.stats import check_confidence, standard_error, t_interval
from artiphys.version import __version__

Array = np.ndarray[Any, Any]
Over = Literal["coalitions", "stimuli", "both"]


@dataclass(frozen=True)
class Attribution:
    """What each player contributes to a game's value.

    Attributes
    ----------
    values : DataArray ``(player,)``
        In units of the score.
    stderr : DataArray ``(player,)``
        Error of the estimate for these stimuli; 0 if exact.
    stderr_stimuli : DataArray ``(player,)``
        Standard error over trials: what new trials of the same kind would change. NaN where the game
        gives no value a trial.
    per_trial : DataArray ``(player, trial)`` or None
    intact, lesioned : float
        Value with all players intact, and with all lesioned.
    n_evaluations : int
        Coalitions evaluated for this result (each counted once).
    n_samples : float
        Independent samples behind `stderr` (inf if exact).
    exact : bool
    method, kind, score, unit, seed, why, version
        Provenance; `why` says why the method was chosen.
    """

    values: xr.DataArray
    stderr: xr.DataArray
    stderr_stimuli: xr.DataArray
    per_trial: xr.DataArray | None
    intact: float
    lesioned: float
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

    @property
    def gap(self) -> float:
        """Intact minus lesioned minus the sum of the values: 0 for Shapley values."""
        return self.intact - self.lesioned - float(self.values.sum())

    def interval(self, confidence: float = 0.95, over: Over = "both") -> tuple[xr.DataArray, xr.DataArray]:
        """Lower and upper ends ``(player,)``.

        Parameters
        ----------
        confidence : float
        over : "coalitions", "stimuli" or "both"
            Error of the estimate for these stimuli; of these stimuli as a sample; or both together.

        Raises
        ------
        StatisticsError
            If the game gives no value a trial and stimuli are asked for.
        """
        check_confidence(confidence)
        if over not in ("coalitions", "stimuli", "both"):
            raise StatisticsError(f"over came as {over!r}; wanted 'coalitions', 'stimuli' or 'both'")
        if over != "coalitions" and bool(np.isnan(self.stderr_stimuli).any()):
            if over == "stimuli" or self.n_trials != 0:
                raise StatisticsError("an interval over stimuli needs at least two trials; use over='coalitions'")
            over = "coalitions"
        a, b = self.stderr.to_numpy(), self.stderr_stimuli.to_numpy()
        if over == "coalitions":
            error, df = a, self.n_samples - 1
        elif over == "stimuli":
            error, df = b, self.n_trials - 1
        else:
            error = np.sqrt(np.nan_to_num(a) ** 2 + b**2)
            df = min(self.n_samples - 1, self.n_trials - 1)
        low, high = t_interval(self.values.to_numpy(), error, df, confidence)
        return self.values.copy(data=low), self.values.copy(data=high)

    def to_dataframe(self, confidence: float = 0.95) -> pd.DataFrame:
        """One row a player: value, both errors, and the interval over both (over coalitions with one trial)."""
        known = not bool(np.isnan(self.stderr_stimuli).any())
        low, high = self.interval(confidence, "both" if known else "coalitions")
        return pd.DataFrame(
            {
                "value": self.values.to_numpy(),
                "stderr": self.stderr.to_numpy(),
                "stderr_stimuli": self.stderr_stimuli.to_numpy(),
                "low": low.to_numpy(),
                "high": high.to_numpy(),
            },
            index=pd.Index(self.values["player"].values, name="player"),
        )

    def top(self, k: int = 10) -> pd.DataFrame:
        """The ``k`` players of largest absolute value."""
        table = self.to_dataframe()
        return table.reindex(table["value"].abs().sort_values(ascending=False, kind="stable").index[:k])

    def methods_text(self) -> str:
        """A paragraph fit for a methods section."""
        n = len(self.values)
        how = (
            f"exactly, from {self.n_evaluations} coalitions"
            if self.exact
            else f"by {self.method} from {self.n_evaluations} coalitions (seed {self.seed})"
        )
        unit = f" [{self.unit}]" if self.unit else ""
        trials = (
            f"over {self.n_trials} trials; intervals combine the error over coalitions with the standard error over "
            "trials" if self.n_trials else "; intervals give the error over coalitions"
        )  # fmt: skip
        return (
            f"The contribution of {n} players to the mean {self.score}{unit} was computed {how}. A lesion was of "
            f"kind '{self.kind}'. Values are means {trials}. The score was {self.intact:.4g} intact and "
            f"{self.lesioned:.4g} with all players lesioned (artiphys {self.version}, method '{self.method}')."
        )

    def __repr__(self) -> str:
        state = "exact" if self.exact else "estimated"
        return (
            f"Attribution({self.method}, {state}, {len(self.values)} players, kind={self.kind!r}, "
            f"{self.n_evaluations} evaluations)\n{self.top().round(4).to_string()}"
        )


def attribution(
    game: Game,
    samples: Array,
    *,
    method: str,
    n_evaluations: int,
    stderr: Array | None = None,
    n_samples: float = math.inf,
    seed: int | None = None,
    why: str = "",
    seconds: float = 0.0,
) -> Attribution:
    """An `Attribution` from values a player and trial ``(player, trial)``."""
    names = object_index(game.player_names)

    def make(data: Array) -> xr.DataArray:
        return xr.DataArray(data, dims=("player",), coords={"player": names})

    exact = stderr is None
    full = np.vstack([np.ones(game.n_players, dtype=bool), np.zeros(game.n_players, dtype=bool)])
    intact, cut = game(full)
    per_trial = bool(len(game.stimuli))
    return Attribution(
        values=make(samples.mean(axis=1)),
        stderr=make(np.zeros(len(samples)) if stderr is None else stderr),
        stderr_stimuli=make(standard_error(samples)),
        per_trial=xr.DataArray(
            samples, dims=("player", "trial"), coords={"player": names, "trial": game.stimuli.ids}
        ) if per_trial else None,
        intact=float(intact), lesioned=float(cut), n_evaluations=n_evaluations, n_samples=n_samples,
        exact=exact, method=method, kind=game.kind, score=game.score.name, unit=game.score.unit, seed=seed,
        why=why, version=__version__, seconds=seconds, n_trials=samples.shape[1] if per_trial else 0,
    )  # fmt: skip


def object_index(names: list[Any]) -> Array:
    """Player names as an object array, so that ints, strings and tuples are all kept as they are."""
    index = np.empty(len(names), dtype=object)
    index[:] = names
    return index


def single_lesions(game: Game) -> Attribution:
    """What each player's lesion alone costs: intact minus lesioned, trial by trial.

    Returns
    -------
    Attribution
        Exact for these stimuli; positive where the player helps.

    Examples
    --------
    >>> import artiphys as ap
    >>> toy = ap.toys.load("xor_redundant")
    >>> prep = ap.wrap(toy)
    >>> game = ap.Game(prep, toy.stimuli, toy.score, prep.players("hidden"), kind="zero")
    >>> ap.single_lesions(game).values.values.tolist()
    [0.0, 0.0, 0.25]
    """
    n = game.n_players
    before = game.seconds
    coalitions = np.vstack([np.ones((1, n), dtype=bool), ~np.eye(n, dtype=bool)])
    values = game.per_trial(coalitions)
    return attribution(
        game,
        values[:1] - values[1:],
        method="single lesions",
        n_evaluations=n + 1,
        seconds=game.seconds - before,
    )
