"""Scores of a circuit on held-out trials: faithfulness and fidelity with intervals, and a verdict."""

from __future__ import annotations

import math
from collections.abc import Hashable, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from jaxtyping import Bool, Float

from artiphys.array_types import Array
from artiphys.errors import ArtiphysError, StatisticsError
from artiphys.lesions.circuits.question import Criterion, fidelity
from artiphys.lesions.contributions.stimulus_error import level_range
from artiphys.lesions.games.game import Game
from artiphys.lesions.games.protocol import GameLike
from artiphys.stats.p_values import holm
from artiphys.stats.ratio_intervals import paired_p, ratio_interval

N_RESAMPLES = 2000
ALPHA = 0.05
ROUNDING = 1e-6  # of a fidelity, or of the largest score, in single precision


@dataclass(frozen=True)
class TrialScores:
    """Scores per trial of a circuit, of the intact network and with all players lesioned.

    ``redrawn`` holds faithfulness over redrawn trials where the score is over the whole set; the scores per trial are
    then None. ``level_range`` is the distance from the lowest to the highest score where scores take few levels.
    """

    circuit: Float[Array, " trial"] | None
    intact: Float[Array, " trial"] | None
    lesioned: Float[Array, " trial"] | None
    faithfulness: float
    redrawn: Float[Array, " draw"] | None
    n_trials: int
    level_range: float = math.nan

    @property
    def fidelity(self) -> float:
        """One minus the squared distance to the intact score, trial by trial; NaN for scores of a whole set."""
        if self.circuit is None or self.intact is None or self.lesioned is None:
            return math.nan
        return float(fidelity(self.circuit[None], self.intact, self.lesioned)[0])

    def interval(self, confidence: float, criterion: Criterion) -> tuple[float, float]:
        """Of faithfulness, or of fidelity (`ratio_interval`; redrawn trials for a score of the whole set)."""
        if self.redrawn is not None:
            low, high = np.quantile(self.redrawn, [0.5 - confidence / 2, 0.5 + confidence / 2])
            return float(low), float(high)
        assert self.circuit is not None and self.intact is not None and self.lesioned is not None
        scale = float(max(np.abs(s).max() for s in (self.circuit, self.intact, self.lesioned)))
        if criterion == "mean":
            gaps = self.circuit - self.lesioned, self.intact - self.lesioned
            return ratio_interval(*gaps, confidence, level_range=self.level_range, scale=scale)
        far, near = (self.lesioned - self.intact) ** 2, (self.circuit - self.intact) ** 2
        # Of a ratio of two means again, and of squares.
        low, high = ratio_interval(near, far, confidence, level_range=self.level_range**2, scale=scale**2)
        return 1 - high, min(1 - low, 1.0)

    def verdict(self, faithfulness: float, criterion: Criterion, one_sided: bool) -> str:
        """ "sufficient" if the 90 % interval lies inside the band, "refuted" if the 95 % one lies outside of it."""
        top = math.inf if one_sided or criterion == "trials" else 2 - faithfulness
        low, high = self.interval(1 - 2 * ALPHA, criterion)
        if low >= faithfulness and high <= top:
            return "sufficient"
        low, high = self.interval(1 - ALPHA, criterion)
        return "refuted" if high < faithfulness or low > top else "undecided"


def require_gap(game: Game, which: str) -> None:
    """`StatisticsError` if trials do not tell intact from lesioned; ``which`` they are, for the message."""
    ends = _ends(game.n_players)
    per_trial, values = game.per_trial(ends), game(ends)
    if game.score.reduce is None:
        p = float(paired_p(per_trial[0] - per_trial[1], largest=level_range(per_trial), scale=_largest(per_trial)))
    else:
        drawn = _summaries(game, per_trial)
        p = float(_two_sided(drawn[:, 0] - drawn[:, 1]))
    intact, lesioned = values
    if p > ALPHA:
        raise StatisticsError(
            f"on the {len(game.stimuli)} {which} trials the score is {intact:.4g} intact and {lesioned:.4g} "
            f"with all players lesioned, which does not differ (p = {p:.2g}): no share of it can be told. Give more "
            "trials, other players or another kind of lesion"
        )


def require_distance(game: Game, which: str) -> None:
    """`StatisticsError` if no trial's score tells intact from lesioned."""
    per_trial = game.per_trial(_ends(game.n_players))
    if not np.abs(per_trial[0] - per_trial[1]).max() > ROUNDING * np.abs(per_trial).max():
        raise StatisticsError(
            f"no score of the {len(game.stimuli)} {which} trials differs between intact and all players lesioned, so "
            "there is nothing to explain: give other trials, other players or another kind of lesion"
        )


def judged(game: Game, coalitions: Bool[Array, "coalition player"]) -> list[TrialScores]:
    """Scores of coalitions on the game's trials."""
    every = np.concatenate([_ends(game.n_players), coalitions])
    values, per_trial = game(every), game.per_trial(every)
    gap = values[0] - values[1]
    flat = not abs(gap) > ROUNDING * np.abs(per_trial if game.score.reduce is None else values).max()
    ratios = np.full(len(coalitions), np.nan) if flat else (values[2:] - values[1]) / gap
    n = len(game.stimuli)
    if game.score.reduce is None:
        apart = float(level_range(per_trial))
        intact, lesioned, *each = per_trial
        return [TrialScores(s, intact, lesioned, float(r), None, n, apart) for s, r in zip(each, ratios)]
    redrawn = _redrawn(game, per_trial)
    return [TrialScores(None, None, None, float(r), d, n) for r, d in zip(ratios, redrawn.T)]


def _redrawn(game: Game, per_trial: Array) -> Float[Array, "draw coalition"]:
    """Faithfulness over trials drawn again with replacement."""
    drawn = _summaries(game, per_trial)
    gap = drawn[:, :1] - drawn[:, 1:2]
    with np.errstate(divide="ignore", invalid="ignore"):
        ratios = (drawn[:, 2:] - drawn[:, 1:2]) / gap
    return np.asarray(ratios[(gap != 0)[:, 0]])


def _two_sided(drawn: Float[Array, " draw"]) -> float:
    """Two-sided p of a redrawn difference against 0."""
    tail = min(int((drawn <= 0).sum()), int((drawn >= 0).sum()))
    return min(1.0, 2 * (tail + 1) / (len(drawn) + 1))


def _summaries(game: Game, per_trial: Array) -> Float[Array, "draw coalition"]:
    """A score of the whole set over trials drawn again with replacement."""
    n, rng, found = len(game.stimuli), np.random.default_rng(0), []
    for _ in range(10 * N_RESAMPLES):
        rows = rng.integers(n, size=n)
        try:
            found.append(game.score.summary(per_trial[:, rows], game.stimuli[rows]))
        except ArtiphysError:
            continue  # the score is not defined on this draw, such as one without one of two classes
        if len(found) == N_RESAMPLES:
            return np.stack(found)
    raise StatisticsError(f"score {game.score.name!r} is undefined on most redrawn sets of {n} trials")


def _largest(per_trial: Array) -> float:
    return float(np.abs(per_trial).max())


def _ends(n_players: int) -> Bool[Array, "coalition player"]:
    return np.stack([np.ones(n_players, bool), np.zeros(n_players, bool)])


def redrawn_members(game: Game, sets: Bool[Array, "set player"], names: Sequence[Hashable]) -> pd.DataFrame:
    """`member_table` of a score of the whole set: the circuit first, then without each member; by redrawn trials."""
    values, drawn = game(sets), _summaries(game, game.per_trial(sets))
    drop = drawn[:, :1] - drawn[:, 1:]
    p = holm(np.array([_two_sided(column) for column in drop.T]))
    columns = {"effect": values[0] - values[1:], "stderr": drop.std(axis=0, ddof=1), "p_holm": p,
               "confirmed": p <= ALPHA}  # fmt: skip
    return pd.DataFrame(columns, index=pd.Index(list(names), name="player", tupleize_cols=False))


def with_guesses(tried: pd.DataFrame, names: Sequence[Hashable], guesses: Float[Array, " member"]) -> pd.DataFrame:
    """A row for each name in their order; of those that were not tried, what a gradient guesses, not confirmed."""
    index = pd.Index(list(names), name="player", tupleize_cols=False)
    table = tried.reindex(index)
    table["tried"] = index.isin(tried.index)
    table["effect"] = table["effect"].fillna(pd.Series(guesses, index=index))
    table["confirmed"] = table["tried"] & (table["confirmed"] == True)  # noqa: E712  # NaN where it was not tried
    return table


def distances(
    game: GameLike, circuit: Float[Array, " trial"], without: Float[Array, "member trial"]
) -> tuple[tuple[Float[Array, " trial"], Float[Array, "member trial"]], float]:
    """Fidelity of each trial, of a circuit and without each member (their means are fidelities); and rounding."""
    intact, lesioned = game.per_trial(_ends(game.n_players))
    far = float(((lesioned - intact) ** 2).mean())
    near = [1 - (scores - intact) ** 2 / far for scores in (circuit, without)]
    return (near[0], near[1]), ROUNDING


def member_table(
    names: Sequence[Hashable], circuit: Float[Array, " trial"], without: Float[Array, "member trial"], certain: bool,
    noise: float,
) -> pd.DataFrame:  # fmt: skip
    """What each member adds to the circuit: mean drop when it is lesioned too, its error, Holm's p, confirmed or not.

    ``certain``: the trials are all there are, so that a drop of more than ``noise`` needs no test.
    """
    drop = circuit - without
    effect = drop.mean(axis=1)
    if certain or drop.shape[1] < 2:
        nothing = np.full(len(effect), np.nan)
        confirmed = np.abs(effect) > noise
        columns = {"effect": effect, "stderr": nothing, "p_holm": nothing, "confirmed": confirmed}
    else:
        scores = np.concatenate([circuit[None], without])
        p = holm(paired_p(drop, largest=level_range(scores), scale=_largest(scores)))
        stderr = drop.std(axis=1, ddof=1) / math.sqrt(drop.shape[1])
        columns = {"effect": effect, "stderr": stderr, "p_holm": p, "confirmed": p <= ALPHA}
    return pd.DataFrame(columns, index=pd.Index(list(names), name="player", tupleize_cols=False))
