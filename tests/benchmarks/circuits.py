"""Circuits found on networks whose circuits are known, beside the usual searches; and certificates held to the truth.

    python tests/benchmarks/circuits.py [--networks 100] [--certificates 1000]

Networks: fresh planted ones of 16 to 64 units with 2 to 6 that matter; noisy ones (gains that vary over trials, leaks
of all other units) whose circuits are searched on half of the trials; large ones (64 to 256 units, 6 to 10 that matter,
some only four together). Dense games: sums of random unanimity games and trained digit networks, all sets enumerated.
"""

from __future__ import annotations

import argparse
import sys
import time
import warnings
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

import artiphys as ap
from artiphys.lesions.circuits.subset_lattice import every_subset

sys.path.insert(0, str(Path(__file__).parent))
from peers import network

Array = np.ndarray[Any, Any]
SIZES = (16, 24, 32, 48, 64)
EVERY_GADGET = ("single", "redundant2", "redundant3", "synergy2", "synergy3", "synergy4", "majority3", "opposition",
                "detour3", "detour5")  # fmt: skip
F = 0.95


class Counted:
    """Faithfulness of coalitions of a game, and how many it took."""

    def __init__(self, game: ap.Game) -> None:
        self.game, self.n = game, game.n_players
        self.none, self.all = game.lesioned, game.intact
        self.before = game.n_evaluations

    def r(self, rows: Array) -> Array:
        return np.asarray((self.game(rows) - self.none) / (self.all - self.none))

    def ok(self, rows: Array) -> Array:
        return np.asarray(np.abs(self.r(rows) - 1) <= 1 - F + 1e-9)


def without(row: Array) -> Array:
    members = np.flatnonzero(row)
    rows = np.repeat(row[None], len(members), axis=0)
    rows[np.arange(len(members)), members] = False
    return np.asarray(rows)


def prefix(game: Counted, absolute: bool) -> Array:
    """Players by single-lesion effect, as many as suffice."""
    effect = 1 - game.r(~np.eye(game.n, dtype=bool))
    order = np.argsort(-(np.abs(effect) if absolute else effect), kind="stable")
    row = np.zeros(game.n, dtype=bool)
    for player in order:
        row[player] = True
        if game.ok(row[None])[0]:
            break
    return row


def pruning(game: Counted, threshold: float) -> Array:
    """Each player in turn from the last: left out where that changes the score by less than a threshold."""
    row, last = np.ones(game.n, dtype=bool), 1.0
    for player in range(game.n)[::-1]:
        less = row.copy()
        less[player] = False
        if abs((now := float(game.r(less[None])[0])) - last) < threshold:
            row, last = less, now
    return row


def greedy(game: Counted, backward: bool) -> Array:
    """One player at a time, each time the one after which the score is nearest to intact."""
    row = np.full(game.n, backward)
    while True:
        rows = without(row) if backward else ~without(~row)
        if not len(rows) or (not backward and game.ok(row[None])[0]):
            return row
        distance = np.abs(game.r(rows) - 1)
        if backward and distance.min() > 1 - F:
            return row
        row = rows[distance.argmin()]


def deletion(game: Counted, seed: int) -> Array:
    """Players in random order, left out where the rest suffices."""
    row = np.ones(game.n, dtype=bool)
    for player in np.random.default_rng(seed).permutation(game.n):
        less = row.copy()
        less[player] = False
        row = less if game.ok(less[None])[0] else row
    return row


PEERS: dict[str, Callable[[Counted], Array]] = {
    "single-lesion prefix, signed": lambda g: prefix(g, False),
    "single-lesion prefix, absolute": lambda g: prefix(g, True),
    "pruning as ACDC, threshold .05": lambda g: pruning(g, 0.05),
    "pruning as ACDC, threshold .01": lambda g: pruning(g, 0.01),
    "forward greedy": lambda g: greedy(g, False),
    "backward greedy": lambda g: greedy(g, True),
    "deletion, one order": lambda g: deletion(g, 0),
}


def usual(seed: int, **options: Any) -> Any:
    rng = np.random.default_rng(10_000 + seed)
    return ap.toys.planted(int(rng.choice(SIZES)), int(rng.integers(2, 7)), seed, **options)


def large(seed: int) -> Any:
    rng = np.random.default_rng(5_000 + seed)
    return ap.toys.planted(int(rng.choice((64, 128, 256))), int(rng.integers(6, 11)), seed, gadgets=EVERY_GADGET)


def game_of(toy: Any) -> ap.Game:
    prep = ap.wrap(toy)
    return ap.Game(prep, toy.stimuli, toy.score, toy.lesion_players(prep), kind="zero", progress=False)


def planted(label: str, n: int, make: Callable[[int], Any], peers: bool, **options: Any) -> None:
    """How often the smallest set is found, all minimal sets are, and a member is false."""
    hits: dict[str, list[tuple[bool, bool, bool, int]]] = {}
    started = time.perf_counter()
    for seed in range(n):
        toy = make(seed)
        true = {frozenset(s.split("+")) for s in toy.truths("minimal circuits", "zero").expected}
        planted_units, size = frozenset().union(*true), min(map(len, true))

        def note(name: str, found: frozenset[Any], every: bool, cost: int, true: Any = true, size: int = size,
                 inside: Any = planted_units) -> None:  # fmt: skip
            hits.setdefault(name, []).append((found in true and len(found) == size, every, bool(found - inside), cost))

        circuit = ap.minimal_circuit(game_of(toy), seed=seed, progress=False, **options)
        cost = sum(v for phase, v in circuit.n_evaluations.items() if phase != "baseline")
        note("ap.minimal_circuit", frozenset(circuit.players), {frozenset(s) for s in circuit.minimal} == true, cost)
        for name, search in PEERS.items() if peers else ():
            game = game_of(toy)
            row = search(Counted(game))
            note(name, frozenset(np.array(game.player_names)[row]), False, game.n_evaluations)
    print(f"\n{label} ({n} networks, {(time.perf_counter() - started) / n:.2f} s each)")
    print(f"{'':34s}{'smallest':>9s}{'all sets':>9s}{'false':>7s}{'evaluations mean (max)':>25s}")
    for name, rows in hits.items():
        good, every, false, cost = np.array(rows, dtype=float).T
        shown = f"{every.mean():9.2f}" if name.startswith("ap.") else f"{'':9s}"
        print(f"{name:34s}{good.mean():9.2f}{shown}{false.mean():7.2f}{cost.mean():17.0f} ({cost.max():.0f})")


def unanimity(n: int, seed: int) -> Callable[[Array], Array]:
    """A sum of random unanimity games over a slope, so that all players matter."""
    rng = np.random.default_rng(seed)
    terms = [
        (rng.choice(n, int(rng.integers(1, 5)), replace=False), float(rng.normal(0.25, 0.5))) for _ in range(3 * n)
    ]
    slope = rng.uniform(0.2, 1.0, n)
    return lambda c: np.asarray(c @ slope + sum(w * c[:, t].all(axis=1) for t, w in terms))


def dense(certificates: int) -> None:
    """Beams on games in which every player matters, and certificates of every method, against enumeration."""
    net, x, y = network(deep=False)
    score = ap.scores.log_prob("y")
    prep = ap.wrap(net, x[:2])
    stimuli = ap.Stimuli(x, {"y": y})
    found, excess, cost = 0, [], []
    games: list[Any] = [(unanimity(n, s), n) for n in (10, 12, 14) for s in range(4)]
    players = list(prep.players("1"))
    for start in (0, 8, 16):
        some = [players[i] for i in range(start, start + 12)]
        game: Any = ap.Game(prep, stimuli, score, some, kind="zero", progress=False)
        games.append((game, 12))
    n_cases = 0
    for game, n in games:
        for f in (0.9, 0.95):
            n_cases += 1
            options: dict[str, Any] = {} if isinstance(game, ap.Game) else {"n_players": n}
            true = ap.minimal_circuit(game, faithfulness=f, holdout=None, method="exact", budget=2**n, **options)
            beam = ap.minimal_circuit(game, faithfulness=f, holdout=None, method="beam", **options)
            found += len(beam.players) == len(true.players)
            excess.append(len(beam.players) - len(true.players))
            cost.append(sum(v for phase, v in beam.n_evaluations.items() if phase != "baseline"))
    print(f"\ndense games: smallest size found in {found} of {n_cases}, mean excess {np.mean(excess):.2f} players, "
          f"{np.mean(cost):.0f} evaluations")  # fmt: skip
    wrong, said = 0, dict[str, int]()
    for seed in range(certificates):
        n = int(np.random.default_rng(seed).integers(6, 13))
        game = unanimity(n, 10_000 + seed)
        method: Any = ("auto", "pool", "beam", "beam")[seed % 4]
        budget = (2**n, 400, 5000, 150)[seed % 4]
        try:
            circuit = ap.minimal_circuit(game, n_players=n, method=method, budget=budget, seed=seed, holdout=None)
        except ap.errors.BudgetError:
            continue
        said[circuit.certificate] = said.get(circuit.certificate, 0) + 1
        wrong += not _true(circuit, game, n)
    print(f"certificates: {wrong} of {sum(said.values())} false ({', '.join(f'{k}: {v}' for k, v in said.items())})")


def _true(circuit: ap.Circuit, game: Callable[[Array], Array], n: int) -> bool:
    """Whether a certificate holds, by enumeration."""
    sets = every_subset(np.arange(n), n)
    values = game(sets)
    ok = np.abs((values - values[0]) / (values[-1] - values[0]) - 1) <= 1 - F + 1e-9
    own = np.isin(np.arange(n), np.array(circuit.players))
    size, sizes = len(circuit.players), sets.sum(axis=1)
    if not ok[(sets == own).all(axis=1)][0]:
        return False
    if circuit.certificate == "1-minimal":
        return not any(ok[(sets == less).all(axis=1)][0] for less in without(own))
    if circuit.certificate == "none":
        return True
    outside = ~np.isin(np.arange(n), np.array(circuit.pool))
    inside = ~(sets & outside).any(axis=1)
    allowed = np.ones(len(sets), bool) if circuit.certificate == "exact" else inside
    return not ok[allowed & (sizes < size)].any()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--networks", type=int, default=100)
    parser.add_argument("--certificates", type=int, default=1000)
    asked = parser.parse_args()
    warnings.simplefilter("ignore")
    planted("planted, 16 to 64 units", asked.networks, usual, True, holdout=None)
    few = max(1, asked.networks * 2 // 5)
    for sd, leak, trials in ((0.5, 0.02, 128), (1.0, 0.04, 512)):
        noisy = f"noisy: gains of sd {sd}, leaks of {leak:.0%}, {trials // 2} trials a half"
        planted(noisy, asked.networks, partial(usual, gain_sd=sd, leak=leak, n_trials=trials), False)
    planted("large: 64 to 256 units, some four together", few, large, False, holdout=None)
    dense(asked.certificates)
