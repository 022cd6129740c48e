"""How often 95 % intervals over stimuli cover what all trials there could be would show, and their width beside t's.

    python tests/benchmarks/trial_intervals.py [--sets 1000]

Scores per trial are drawn straight from distributions whose mean is known, and go through `ap.single_lesions` (one
player a data set) or `ap.shapley`. Each line: the share of data sets with an interval, coverage of these, coverage of
mean +- t x standard error on all data sets, and the median width of the one over that of the other.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import Any

import numpy as np
from scipy import stats as scipy_stats

import artiphys as ap
from artiphys.scores.score import Score

Array = np.ndarray[Any, Any]
SIZES = (6, 8, 12, 24, 60, 200)
AT_ONCE = 50  # players of one game
Draw = Callable[[np.random.Generator, tuple[int, int]], Array]


class Trials:
    """A game of known scores on each trial: ``scores(coalitions) -> (coalition, trial)``."""

    kind = "drawn"

    def __init__(self, n_players: int, n_trials: int, scores: Callable[[Array], Array]) -> None:
        self.n_players, self.player_names = n_players, list(range(n_players))
        self.score: Score = Score(lambda outputs, trials: outputs, "score")
        self.stimuli: range = range(n_trials)
        self.seconds, self.n_evaluations, self._scores = 0.0, 0, scores

    def __call__(self, coalitions: Array) -> Array:
        return np.asarray(self._scores(coalitions).mean(axis=1))

    def per_trial(self, coalitions: Array) -> Array:
        return np.asarray(self._scores(coalitions))


def alone(intact: Array, effects: Array) -> Trials:
    """Players whose single lesions take ``effects (player, trial)`` off the intact scores ``(trial,)``."""

    def scores(coalitions: Array) -> Array:
        found = np.broadcast_to(intact, (len(coalitions), len(intact))).copy()
        gone = np.flatnonzero((~coalitions).sum(axis=1) == 1)
        found[gone] -= effects[np.argmin(coalitions[gone], axis=1)]
        return found

    return Trials(len(effects), len(intact), scores)


def right_or_wrong(p: float) -> Draw:
    """A lesion that makes each trial wrong with this probability, and none right."""
    return lambda rng, shape: (rng.random(shape) < p).astype(float)


def rare(size: Draw) -> Draw:
    """Nothing on nine trials of ten."""
    return lambda rng, shape: (rng.random(shape) < 0.1) * size(rng, shape)


def lognormal(rng: np.random.Generator, shape: tuple[int, int]) -> Array:
    return rng.lognormal(0, 1, shape)


CONTINUOUS: dict[str, tuple[Draw, float]] = {
    "normal": (lambda rng, shape: rng.normal(1, 1, shape), 1.0),
    "t of 3 df": (lambda rng, shape: rng.standard_t(3, shape), 0.0),
    "exponential": (lambda rng, shape: rng.exponential(1, shape), 1.0),
    "log-normal": (lognormal, float(np.exp(0.5))),
    "90 % zeros, N(1, 1)": (rare(lambda rng, shape: rng.normal(1, 1, shape)), 0.1),
    "90 % zeros, N(2, .2)": (rare(lambda rng, shape: rng.normal(2, 0.2, shape)), 0.2),
    "90 % zeros, log-normal": (rare(lognormal), 0.1 * float(np.exp(0.5))),
}
ACCURACY = (0.5, 0.9, 0.962, 0.996, 0.1, 0.038)


def measured(name: str, n: int, ends: Array, values: Array, stderr: Array, truth: float) -> str:
    """One line of the table, from ends ``(2, data set)``."""
    q = scipy_stats.t.isf(0.025, n - 1)
    known = ~np.isnan(ends[0])
    covered = ((ends[0] <= truth + 1e-9) & (truth - 1e-9 <= ends[1]))[known]
    plain = np.abs(values - truth) <= q * stderr + 1e-9
    with np.errstate(divide="ignore"):
        wider = (ends[1] - ends[0])[known] / (2 * q * stderr[known])
    return (
        f"{name:32s} {n:5d}   {known.mean():8.3f}   {covered.mean() if len(covered) else np.nan:8.3f}   "
        f"{plain.mean():6.3f}   {np.median(wider) if len(wider) else np.nan:6.2f}"
    )


def singles(name: str, n: int, draw: Draw, truth: float, n_sets: int, accuracy: bool, rng: np.random.Generator) -> str:
    """Coverage of `ap.single_lesions`."""
    ends, values, stderr = [], [], []
    for _ in range(n_sets // AT_ONCE):
        intact = np.ones(n) if accuracy else rng.normal(0, 3, n)
        found = ap.single_lesions(alone(intact, draw(rng, (AT_ONCE, n))))
        ends.append([end.to_numpy() for end in found.interval(0.95, "stimuli")])
        values.append(found.values.to_numpy())
        stderr.append(found.stderr_stimuli.to_numpy())
    return measured(name, n, np.concatenate(ends, axis=1), np.concatenate(values), np.concatenate(stderr), truth)


def either_sign(helps: float, harms: float) -> Callable[[np.random.Generator, int], Trials]:
    """Lesions that make trials wrong, and others right; half of all trials are right intact."""

    def game(rng: np.random.Generator, n: int) -> Trials:
        intact = (rng.random(n) < 0.5).astype(float)
        turned = rng.random((AT_ONCE, n)) < np.where(intact == 1, 2 * helps, 2 * harms)
        return alone(intact, np.where(turned, 2 * intact - 1, 0.0))

    return game


def both_signs(name: str, n: int, helps: float, harms: float, n_sets: int, rng: np.random.Generator) -> str:
    """Coverage where lesions turn trials both ways. One player a game: they share its intact scores."""
    ends, values, stderr = [], [], []
    for _ in range(n_sets // 2):
        found = ap.single_lesions(either_sign(helps, harms)(rng, n))
        ends.append([end.to_numpy()[:2] for end in found.interval(0.95, "stimuli")])
        values.append(found.values.to_numpy()[:2])
        stderr.append(found.stderr_stimuli.to_numpy()[:2])
    stacked = np.concatenate(ends, axis=1), np.concatenate(values), np.concatenate(stderr)
    return measured(name, n, *stacked, helps - harms)


def shapley(name: str, n: int, threshold: float, n_sets: int, rng: np.random.Generator) -> list[str]:
    """Coverage of Shapley values of right and wrong: four players whose strength differs from trial to trial."""

    def game(strength: Array) -> Trials:
        return Trials(4, strength.shape[1], lambda c: (c @ strength > threshold).astype(float))

    def drawn(n_trials: int) -> Array:
        return np.asarray(rng.normal(size=(4, n_trials)) * 0.6 + np.array([[0.1], [0.4], [0.8], [1.2]]))

    truth = ap.shapley(game(drawn(100_000)), progress=False).values.to_numpy()
    ends, values, stderr = [], [], []
    for _ in range(n_sets):
        found = ap.shapley(game(drawn(n)), progress=False)
        ends.append([end.to_numpy() for end in found.interval(0.95, "stimuli")])
        values.append(found.values.to_numpy())
        stderr.append(found.stderr_stimuli.to_numpy())
    stacked = np.stack(ends, axis=-1), np.stack(values, axis=-1), np.stack(stderr, axis=-1)
    return [
        measured(f"{name}, value {truth[p]:.3f}", n, stacked[0][:, p], stacked[1][p], stacked[2][p], truth[p])
        for p in range(4)
    ]


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sets", type=int, default=1000)
    n_sets = parser.parse_args().sets
    print(f"{'scores':32s} {'n':>5s}   has one   coverage   with t   wider", flush=True)
    for n in SIZES:
        rng = np.random.default_rng(n)
        for name, (draw, truth) in CONTINUOUS.items():
            print(singles(name, n, draw, truth, n_sets, False, rng), flush=True)
        for p in ACCURACY:
            print(singles(f"right or wrong, {p}", n, right_or_wrong(p), p, n_sets, True, rng), flush=True)
        for helps, harms in ((0.1, 0.1), (0.02, 0.02), (0.3, 0.1)):
            print(both_signs(f"right or wrong, {helps} - {harms}", n, helps, harms, n_sets, rng), flush=True)
        for name, threshold in (("Shapley, hard", 1.2), ("Shapley, easy", -0.6)):
            print(*shapley(name, n, threshold, n_sets, rng), sep="\n", flush=True)


if __name__ == "__main__":
    main()
