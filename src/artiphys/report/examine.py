"""examine(): record, tune, decode, lesion singly and in combination, on one network."""

from __future__ import annotations

import math
import time as clock
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import combinations
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from artiphys.errors import BudgetError, StatisticsError
from artiphys.lesions import Attribution, Circuit, Game, Interactions, interactions, shapley, single_lesions
from artiphys.lesions.circuits.minimal_circuit import circuit_of
from artiphys.lesions.contributions.stimulus_error import level_range
from artiphys.lesions.contributions.two_errors import Over
from artiphys.missing import validity
from artiphys.players import Players
from artiphys.probes import Decoding, Tuning, decode, tuning_curves
from artiphys.recording import record
from artiphys.report.subjects import Subject
from artiphys.stats.trial_means import trial_means
from artiphys.stimuli import Stimuli

ALPHA = 0.05
BUDGET = 128  # coalitions: all of seven players
CIRCUIT_BUDGET = 400  # coalitions to search a circuit by, screening not counted
N_PERMUTATIONS = 200


@dataclass
class Examination:
    """Everything `examine` measured on one subject."""

    subject: Subject
    seed: int
    sites: list[str] = field(default_factory=list)
    read_sites: list[str] = field(default_factory=list)
    tunings: list[Tuning] = field(default_factory=list)
    decodings: list[Decoding] = field(default_factory=list)
    n_players: int = 0
    screening: Attribution | None = None
    single: Attribution | None = None
    shapley: Attribution | None = None
    all_lesioned: float = math.nan
    pairs: pd.DataFrame = field(default_factory=pd.DataFrame)
    interactions: Interactions | None = None
    circuit: Circuit | None = None
    no_circuit: str = ""  # why none was found
    seconds: dict[str, float] = field(default_factory=dict)
    evaluations: int = 0

    @property
    def over(self) -> Over:
        """What intervals speak of: nothing is sampled where the trials are all there are."""
        return "coalitions" if self.subject.exhaustive else "both"

    def singles(self) -> Attribution:
        """The single lesions; only of a finished examination."""
        assert self.single is not None
        return self.single

    def values(self) -> Attribution:
        """The Shapley values; only of a finished examination."""
        assert self.shapley is not None
        return self.shapley


def examine(
    subject: Subject,
    *,
    sites: Sequence[str] | None = None,
    players: Sequence[str] | None = None,
    budget: int = BUDGET,
    seed: int = 0,
    progress: bool = True,
) -> Examination:
    """Run the main job on one subject.

    Parameters
    ----------
    sites : patterns of sites to read; default the subject's layers.
    players : patterns of sites whose units are lesioned; default the subject's.
    budget : int
        Coalitions to evaluate for the Shapley values. If all coalitions of all players do not fit,
        players are screened singly on one half of the trials, the strongest that fit are kept, and
        they are measured on the other half.

    Raises
    ------
    BudgetError
        If the budget does not hold all coalitions of two players.
    """
    if budget < 4:
        raise BudgetError(f"budget came as {budget}; even two players have 4 coalitions")
    examination = Examination(subject, seed)
    _read(examination, list(sites or subject.layers), progress)
    _lesion(examination, None if players is None else list(players), budget, progress)
    return examination


def _read(examination: Examination, patterns: list[str], progress: bool) -> None:
    subject = examination.subject
    started = clock.perf_counter()
    recording = record(subject.prep, subject.reading, patterns, progress=progress)
    examination.sites = list(recording)
    examination.seconds["record"] = clock.perf_counter() - started
    started = clock.perf_counter()
    # A network starts each trial anew, and its report is about the very stimuli that it was shown.
    tested: dict[str, Any] = {"n_permutations": N_PERMUTATIONS, "seed": examination.seed}
    for i, site in enumerate(examination.sites):
        activity = _at_the_end(recording[site], subject, examination.seed + i)
        labels = activity.coords[subject.label].to_numpy()
        circular = {} if subject.circular is None else {"circular": True, "period": subject.circular}
        counts = np.unique(labels, return_counts=True)[1]
        if len(counts) < 2 or counts.min() < 4:
            continue  # nothing to tell apart, or too few trials to cross-validate: findings say so
        examination.read_sites.append(site)
        examination.tunings.append(
            tuning_curves(activity, labels, exchange="trials", **tested, **circular)  # type: ignore[arg-type]
        )
        classes = labels.astype(str) if labels.dtype.kind == "f" else labels
        folds = min(5, int(counts.min()))
        examination.decodings.append(decode(activity, classes, cv=folds, exchange="trials", progress=False, **tested))
    examination.seconds["tuning and decoding"] = clock.perf_counter() - started


def _at_the_end(activity: xr.DataArray, subject: Subject, seed: int) -> xr.DataArray:
    """Activity ``(trial, unit)``: at each trial's last valid time, averaged over space in convolutions."""
    if "time" in activity.dims:
        valid = validity(activity)
        last = activity.sizes["time"] - 1 if valid is None else valid.sum("time") - 1
        activity = activity.isel(time=last).drop_vars(["valid", "time"], errors="ignore")
    space = [d for d in ("depth", "height", "width") if d in activity.dims]
    activity = activity.mean(space) if space else activity
    if subject.noise:
        noise = np.random.default_rng(seed).normal(0, subject.noise, activity.shape)
        activity = activity + noise.astype(np.float32)
    return activity


def _lesion(examination: Examination, patterns: list[str] | None, budget: int, progress: bool) -> None:
    subject = examination.subject
    players = _players(subject, patterns)
    examination.n_players = len(players)
    started = clock.perf_counter()

    def make(who: Players, trials: Stimuli) -> Game:
        return Game(
            subject.prep,
            trials,
            subject.score,
            who,
            kind=subject.kind,
            seed=examination.seed,
            batch_size=max(64, min(len(trials), 4096)),
            progress=progress,
        )

    trials = subject.lesioning
    wide = make(players, trials)
    if 2 ** len(players) > budget:
        first = np.ones(len(trials), bool) if subject.exhaustive else subject.first_half()
        screened = wide.on(first)
        examination.screening = single_lesions(screened)
        examination.all_lesioned = screened.lesioned
        examination.evaluations += screened.n_evaluations
        if not subject.exhaustive:
            trials = trials[~first]
        strongest = np.argsort(-np.abs(examination.screening.values.to_numpy()), kind="stable")[
            : int(math.log2(budget))
        ]
        players = Players([players[int(i)] for i in sorted(strongest)])  # type: ignore[misc]
        examination.seconds["screening"] = clock.perf_counter() - started
        started = clock.perf_counter()
    game = make(players, trials) if examination.screening is not None else wide
    examination.single = single_lesions(game)
    examination.shapley = shapley(game, budget=max(budget, 2 ** len(players)), seed=examination.seed, progress=progress)
    examination.pairs = _pairs(game, examination.over)
    if len(players) > 1:
        examination.interactions = interactions(game, budget=max(budget, 2 ** len(players)), seed=examination.seed)
    examination.evaluations += game.n_evaluations
    if math.isnan(examination.all_lesioned):
        examination.all_lesioned = game.lesioned
    examination.seconds["lesions"] = clock.perf_counter() - started
    started = clock.perf_counter()
    _find_circuit(examination, wide)
    examination.seconds["circuit"] = clock.perf_counter() - started


def _players(subject: Subject, patterns: list[str] | None) -> Players:
    """The subject's own players, or the units of some sites."""
    toy = subject.toy
    if patterns is None and toy is not None:
        return toy.lesion_players(subject.prep)
    windows = toy.windows if toy is not None and toy.windows else None
    return subject.prep.players(
        patterns or list(subject.players), group_by="site" if subject.grouped else None, windows=windows
    )


def _find_circuit(examination: Examination, game: Game) -> None:
    """The smallest faithful circuit of all players, searched on the trials that players were screened on."""
    subject = examination.subject
    holdout = None if subject.exhaustive else np.flatnonzero(~subject.first_half())
    before = game.n_evaluations
    try:
        examination.circuit = circuit_of(game, holdout=holdout, ranking=examination.screening,
                                         budget=CIRCUIT_BUDGET, seed=examination.seed)  # fmt: skip
        examination.evaluations += sum(examination.circuit.n_evaluations.values())
    except (BudgetError, StatisticsError) as error:
        examination.no_circuit = str(error)
        examination.evaluations += game.n_evaluations - before


def _pairs(game: Game, over: Over) -> pd.DataFrame:
    """Joint lesions of all pairs, from coalitions that are known already: what they cost beyond the sum.

    With an interval over trials (95 % for all pairs together, by Bonferroni), which is 0 wide where the trials are all
    there are, and NaN where all trials of a sample but one at most agree.
    """
    n = game.n_players
    pairs = list(combinations(range(n), 2))
    columns = ["first", "second", "joint", "singles", "excess", "low", "high"]
    if not pairs:
        return pd.DataFrame([], columns=columns)
    cut = [(), *((i,) for i in range(n)), *pairs]
    scores = game.per_trial(np.array([[i not in without for i in range(n)] for without in cut]))
    costs = scores[0] - scores[1:]
    of_single, joint = costs[:n], costs[n:]
    singles = np.stack([of_single[i] + of_single[j] for i, j in pairs])
    excess = joint - singles
    low = high = excess.mean(axis=1)
    if over != "coalitions":
        # Four scores, two of either sign.
        means = trial_means(excess, largest=2 * level_range(scores), scale=float(np.abs(scores).max()))
        low, high = means.interval(ALPHA / len(pairs))
    names = game.player_names
    return pd.DataFrame(
        {"first": [names[i] for i, _ in pairs], "second": [names[j] for _, j in pairs], "joint": joint.mean(axis=1),
         "singles": singles.mean(axis=1), "excess": excess.mean(axis=1), "low": low, "high": high}
    )[columns]  # fmt: skip
