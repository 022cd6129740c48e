"""Every truth of every toy, found by the library's own analysis."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch

import artiphys as ap
from artiphys.toys import Toy, Truth

TOYS = {name: ap.toys.load(name) for name in ap.toys.names()}
TOYS["integrator leak .8"] = ap.toys.load("integrator", leak=0.8)
TOYS["integrator leak 0"] = ap.toys.load("integrator", leak=0.0)
TOYS["induction without BOS"] = ap.toys.load("induction_head", bos=False)
CLAIMS = [(n, t) for n, toy in TOYS.items() for t in toy.truth]


def game_of(toy: Toy, kind: Any) -> ap.Game:
    prep = ap.wrap(toy)
    return ap.Game(prep, toy.stimuli, toy.score, toy.lesion_players(prep), kind=kind, batch_size=20_000)


def mean_score(toy: Toy) -> float:
    return float(toy.score(ap.wrap(toy).run(toy.stimuli).outputs, toy.stimuli).mean())


def found(toy: Toy, truth: Truth) -> dict[str, float]:
    """What the library says, in the truth's own keys."""
    prep = ap.wrap(toy)
    if truth.analysis == "accuracy":
        return {"intact": mean_score(toy)}
    if truth.analysis == "accuracy after lesion at steps 10-14":
        got = {}
        for site in truth.expected:
            with ap.lesioned(prep, ap.Lesion(site, kind="zero", time=range(10, 15))):
                got[site] = mean_score(toy)
        return got
    if truth.analysis == "accuracy without the self-connection":
        got = {}
        for when in truth.expected:
            time = None if when == "always" else range(10, 15)
            with ap.lesioned(prep, ap.Edge("cell.recurrent.in", "cell.recurrent", kind="zero", time=time)):
                got[when] = mean_score(toy)
        return got
    if truth.kind is not None:
        game = game_of(toy, truth.kind)
        if truth.analysis == "value":
            names = [[] if key == "none" else key.split("+") for key in truth.expected]
            return dict(zip(truth.expected, game(np.array([[p in n for p in game.player_names] for n in names]))))
        if truth.analysis.startswith(("minimal circuits", "critical sets")):
            return found_sets(game, truth)
        if truth.analysis in ("SII", "STII", "Banzhaf", "k-SII"):
            order = max(len(key.split("+")) for key in truth.expected)
            index: Any = truth.analysis
            interactions = ap.interactions(game, order=order, index=index)
            return {key: interactions.of(*key.split("+")) for key in truth.expected}
        result = {"single_lesions": ap.single_lesions, "shapley": ap.shapley}[truth.analysis](game)
        return {str(p): float(v) for p, v in zip(result.values["player"].values, result.values)}
    return read(toy, truth)


def found_sets(game: ap.Game, truth: Truth) -> dict[str, float]:
    """All minimal sets, with their faithfulness; of critical ones with what is left without them."""
    if truth.analysis == "minimal circuits":
        circuit = ap.minimal_circuit(game, holdout=None)
        assert circuit.complete and circuit.certificate.startswith("exact") and circuit.players == circuit.minimal[0]
        sets = [set(s) for s in circuit.minimal]
        values = game(np.array([[p in s for p in game.player_names] for s in sets]))
        kept = (values - game.lesioned) / (game.intact - game.lesioned)
        got = {"+".join(map(str, s)): float(r) for s, r in zip(circuit.minimal, kept)}
    else:
        critical = ap.critical_sets(game, residual=float(truth.analysis.split()[-1]), holdout=None)
        assert critical.complete and critical.certificate.startswith("exact")
        got = {"+".join(map(str, s)): r for s, r in zip(critical.sets, critical.residuals)}
    order = {frozenset(key.split("+")): key for key in truth.expected}
    assert {frozenset(key.split("+")) for key in got} == set(order), "other sets than the toy's"
    return {order[frozenset(key.split("+"))]: value for key, value in got.items()}


def read(toy: Toy, truth: Truth) -> dict[str, float]:
    rec = ap.record(ap.wrap(toy), toy.stimuli, toy.players)
    got = {}
    for name in truth.expected:
        site, unit = name.rsplit(".", 1)
        x = rec[site].isel(unit=int(unit)).to_numpy()
        if truth.analysis == "activity":
            got[name] = float(x.mean())
        elif truth.analysis == "d_prime":
            a, b = x[toy.labels == 1], x[toy.labels == 0]
            got[name] = float((a.mean() - b.mean()) / math.sqrt((a.var() + b.var()) / 2))
        elif truth.analysis == "auc":
            got[name] = float(ap.detectability(x[:, None], toy.labels, n_permutations=0).auc[0])
        elif truth.analysis == "information":
            got[name] = information(x, toy.labels)
        else:
            tuning = ap.tuning_curves(rec[site], toy.labels)
            got[name] = float(tuning.selectivity().isel(unit=int(unit)))
    return got


def information(x: Any, y: Any) -> float:
    """Mutual information of two discrete variables whose listed values are all there are [bits]."""
    joint = np.array([[np.mean((x == a) & (y == b)) for b in np.unique(y)] for a in np.unique(x)])
    apart = joint.sum(1, keepdims=True) * joint.sum(0, keepdims=True)
    return float((joint[joint > 0] * np.log2(joint[joint > 0] / apart[joint > 0])).sum())


@pytest.mark.parametrize(("name", "truth"), CLAIMS, ids=[f"{n}-{t.analysis}-{t.kind}" for n, t in CLAIMS])
def test_truth_is_found(name: str, truth: Truth) -> None:
    got = found(TOYS[name], truth)
    assert set(truth.expected) <= set(got)
    for key, expected in truth.expected.items():
        assert got[key] == pytest.approx(expected, abs=truth.tolerance + 1e-9), key


@pytest.mark.parametrize("name", ap.toys.names())
def test_every_toy_states_truths_with_their_kind(name: str) -> None:
    toy = TOYS[name]
    assert {t.analysis for t in toy.truth} >= {"single_lesions", "shapley"}
    for t in toy.truth:
        assert (t.kind is None) == (
            t.analysis in ("accuracy", "information", "d_prime", "selectivity", "activity", "auc")
        )
    assert toy.lesson


def test_closed_forms_that_zoo_states() -> None:
    """The numbers as published, not as the toys compute them."""
    windows = TOYS["integrator"].truths("accuracy after lesion at steps 10-14", "zero").expected
    assert windows["cell"] == pytest.approx(0.6241, abs=5e-5)
    assert windows["cell.drive"] == pytest.approx(0.6726, abs=5e-5)
    for name, value in {"integrator": 0.6915, "integrator leak .8": 0.6175, "integrator leak 0": 0.5398}.items():
        assert TOYS[name].truths("accuracy").expected["intact"] == pytest.approx(value, abs=5e-5)
    cut = TOYS["integrator"].truths("accuracy without the self-connection", "zero").expected
    assert cut["always"] == pytest.approx(0.5398, abs=5e-5)
    assert TOYS["diagonal"].truths("value", "zero").expected["none"] == pytest.approx(0.5398, abs=5e-5)
    assert TOYS["ring"].truths("accuracy").expected["intact"] == pytest.approx(0.6915, abs=5e-5)
    assert len(TOYS["induction_edges"].truths("single_lesions", "zero").expected) == 12
    assert [k.count("+") for k in TOYS["induction_edges"].truths("minimal circuits", "zero").expected] == [6]
    assert TOYS["induction without BOS"].truths("accuracy").expected["intact"] == pytest.approx(14.5 / 15)
    assert TOYS["epiphenomenal"].truths("accuracy").expected["intact"] == pytest.approx(0.6915, abs=5e-5)
    assert TOYS["suppressor"].truths("value", "zero").expected["hidden.0"] == pytest.approx(0.691, abs=5e-4)


def test_epochs_of_the_integrators_input_share_equally() -> None:
    """Five symmetric epochs of evidence: each is worth a fifth of Phi(.5) - .5."""
    toy = TOYS["integrator"]
    epochs: list[Any] = [ap.Lesion("cell.drive", kind="zero", time=range(5 * k, 5 * k + 5)) for k in range(5)]
    game = ap.Game(ap.wrap(toy), toy.stimuli, toy.score, epochs, kind="zero", batch_size=20_000)
    phi = ap.shapley(game)
    assert phi.values.to_numpy() == pytest.approx(np.full(5, (0.6915 - 0.5) / 5), abs=0.01)
    assert phi.gap == pytest.approx(0, abs=1e-12)


def test_xor_needs_more_than_one_linear_unit() -> None:
    """The best of a fine grid of linear threshold units gets 3 of 4."""
    x = torch.tensor([[0.0, 0], [0, 1], [1, 0], [1, 1]])
    w = torch.cartesian_prod(*[torch.linspace(-2, 2, 21)] * 3)
    answers = (x @ w[:, :2].T + w[:, 2] >= 0).int()
    labels = torch.tensor([0, 1, 1, 0])[:, None]
    assert float((answers == labels).float().mean(dim=0).max()) == 0.75


def test_a_truth_is_not_used_for_another_kind() -> None:
    with pytest.raises(KeyError, match="resample"):
        TOYS["xor"].truths("shapley", "resample")
