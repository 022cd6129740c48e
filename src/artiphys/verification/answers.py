"""What artiphys' own analyses say of a toy, in the keys of its truths."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from artiphys.lesions import (
    Edge,
    Lesion,
    critical_sets,
    interactions,
    lesioned,
    minimal_circuit,
    shapley,
    single_lesions,
)
from artiphys.probes import detectability, tuning_curves
from artiphys.probes.mutual_information.tables import plugin_bits
from artiphys.recording import record
from artiphys.toys.toy import Toy, Truth
from artiphys.verification import compiled_answers, reading_answers
from artiphys.verification.answer_forms import as_set, by_name
from artiphys.verification.dynamics_answers import METHODS as OF_DYNAMICS
from artiphys.verification.methods import Answer, Case, InapplicableError, Method
from artiphys.verification.trained_answers import METHODS as OF_TRAINED_TOYS

MAX_ENUMERATED = 16  # players all of whose coalitions are evaluated
INDICES = ("SII", "STII", "Banzhaf", "k-SII")


def shipped() -> dict[str, Method]:
    """All methods of artiphys that toys state truths for, by name."""
    return {m.name: m for m in _METHODS}


def _intact(case: Case) -> Mapping[str, float]:
    return {"intact": _mean_score(case)}


def _mean_score(case: Case) -> float:
    toy = case.toy
    return float(toy.score(case.prep.run(toy.stimuli).outputs, toy.stimuli).mean())


def _in_a_window(case: Case) -> Mapping[str, float]:
    values = {}
    for site in case.truth.expected:
        with lesioned(case.prep, Lesion(site, kind="zero", time=range(10, 15))):
            values[site] = _mean_score(case)
    return values


def _without_itself(case: Case) -> Mapping[str, float]:
    values = {}
    for when in case.truth.expected:
        time = None if when == "always" else range(10, 15)
        with lesioned(case.prep, Edge("cell.recurrent.in", "cell.recurrent", kind="zero", time=time)):
            values[when] = _mean_score(case)
    return values


def _coalitions(case: Case) -> Mapping[str, float]:
    names = [[] if key == "none" else key.split("+") for key in case.truth.expected]
    rows = np.array([[str(p) in n for p in case.game.player_names] for n in names])
    return dict(zip(case.truth.expected, case.game(rows).tolist()))


def _single_lesions(case: Case) -> Mapping[str, float]:
    return by_name(single_lesions(case.game), case.game.player_names, "player")


def _shapley(case: Case) -> Mapping[str, float]:
    if case.game.n_players > MAX_ENUMERATED:
        raise InapplicableError(f"{case.game.n_players} players have too many coalitions to evaluate them all")
    return by_name(shapley(case.game, method="exact", progress=False), case.game.player_names, "player")


def _interactions(case: Case) -> Mapping[str, float]:
    order, index = max(len(key.split("+")) for key in case.truth.expected), case.truth.analysis
    found = interactions(case.game, order=order, index=index, progress=False)  # type: ignore[arg-type]
    return {key: found.of(*key.split("+")) for key in case.truth.expected}


def _all_minimal_circuits(case: Case) -> Answer:
    """All minimal sets, with their faithfulness."""
    game = case.game
    circuit = minimal_circuit(game, faithfulness=case.truth.faithfulness, holdout=None, progress=False)
    if not circuit.complete or not circuit.certificate.startswith("exact"):
        return as_set(circuit, case)
    rows = np.array([[p in s for p in game.player_names] for s in circuit.minimal])
    kept = (game(rows) - game.lesioned) / (game.intact - game.lesioned)
    return _in_truths_keys(case.truth, circuit.minimal, kept)


def _all_critical_sets(case: Case) -> Mapping[str, float]:
    """All critical sets, with what is left without them."""
    critical = critical_sets(case.game, residual=float(case.truth.analysis.split()[-1]), holdout=None, progress=False)
    return _in_truths_keys(case.truth, critical.sets, critical.residuals)


def _in_truths_keys(truth: Truth, sets: Any, values: Any) -> Mapping[str, float]:
    order = {frozenset(key.split("+")): key for key in truth.expected}
    named = [frozenset(map(str, members)) for members in sets]
    return {order.get(s, "+".join(sorted(s))): float(v) for s, v in zip(named, values)}


def _of_units(read: Callable[[Any, Case], Any]) -> Callable[[Case], Mapping[str, float]]:
    def answer(case: Case) -> Mapping[str, float]:
        activity = record(case.prep, case.toy.stimuli, case.toy.players, progress=False)
        values = {}
        for key in case.truth.expected:
            site, unit = key.rsplit(".", 1)
            values[key] = float(read(activity[site].isel(unit=[int(unit)]), case))
        return values

    return answer


def _mean(x: Any, case: Case) -> Any:
    return x.mean()


def _selectivity(x: Any, case: Case) -> Any:
    return tuning_curves(x, case.toy.labels).selectivity()[0]


def _d_prime(x: Any, case: Case) -> Any:
    return detectability(x, case.toy.labels, n_permutations=0).d_prime[0]


def _auc(x: Any, case: Case) -> Any:
    return detectability(x, case.toy.labels, n_permutations=0).auc[0]


def _information(x: Any, case: Case) -> Any:
    """Of all inputs there are: without a correction for few trials."""
    _, level = np.unique(x.to_numpy()[:, 0], return_inverse=True)
    _, label = np.unique(case.toy.labels, return_inverse=True)
    counts = np.zeros((level.max() + 1, label.max() + 1))
    np.add.at(counts, (level, label), 1)
    return plugin_bits(counts)


def _of(*analyses: str) -> Callable[[Toy, Truth], bool]:
    return lambda toy, truth: truth.analysis in analyses


_METHODS = (
    Method("score", _intact, _of("accuracy")),
    Method("coalitions", _coalitions, _of("value")),
    Method("lesioned", _in_a_window, _of("accuracy after lesion at steps 10-14")),
    Method("edge", _without_itself, _of("accuracy without the self-connection")),
    Method("single_lesions", _single_lesions, _of("single_lesions")),
    Method("shapley", _shapley, _of("shapley")),
    Method("interactions", _interactions, _of(*INDICES)),
    Method("minimal_circuit", _all_minimal_circuits, _of("minimal circuits")),
    Method("critical_sets", _all_critical_sets, lambda toy, truth: truth.analysis.startswith("critical sets")),
    Method("record", _of_units(_mean), _of("activity")),
    Method("tuning_curves", _of_units(_selectivity), _of("selectivity")),
    Method("detectability d'", _of_units(_d_prime), _of("d_prime")),
    Method("detectability auc", _of_units(_auc), _of("auc")),
    Method("information", _of_units(_information), _of("information")),
    *OF_DYNAMICS,
    *OF_TRAINED_TOYS,
    *reading_answers.METHODS,
    *compiled_answers.METHODS,
)
