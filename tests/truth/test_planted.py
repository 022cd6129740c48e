"""Planted networks: the formula, the network, and what is drawn."""

from __future__ import annotations

import dataclasses
import re
from typing import Any

import numpy as np
import pytest
import torch

import artiphys as ap
from artiphys.errors import InputError
from artiphys.toys.families.gadgets import GADGETS, RELAYS, Gadget
from artiphys.toys.families.planted_networks import PlantedPerceptron

KINDS: Any = ("perceptron", "recurrent", "attention")


@pytest.mark.parametrize("kind", KINDS)
def test_idle_units_change_nothing_and_every_unit_decodes(kind: Any) -> None:
    toy = ap.toys.planted(10, 4, 5, kind=kind, n_trials=64)
    prep = ap.wrap(toy)
    members = {u for key in toy.truths("shapley", "zero").expected for u in [key]}
    game = ap.Game(prep, toy.stimuli, toy.score, toy.lesion_players(prep), kind="zero")
    names = [str(p) for p in game.player_names]
    rng = np.random.default_rng(0)
    for row in rng.random((8, 10)) < 0.5:
        flipped = np.array([not k if n not in members else k for n, k in zip(names, row)])
        assert game(row[None])[0] == pytest.approx(game(flipped[None])[0], abs=1e-7)
    x = ap.record(prep, toy.stimuli, toy.players)[toy.players[0]]
    x = x.mean("time") if "time" in x.dims and kind == "attention" else x.isel(time=-1) if "time" in x.dims else x
    d = ap.detectability(x, toy.labels, n_permutations=0).d_prime.to_numpy()
    if kind == "perceptron":
        assert (d > 5).all()
    planted = [i for i, n in enumerate(names) if n in members]
    assert (np.abs(d[planted]) > 5).all()
    if kind == "attention":
        assert (np.abs(np.delete(d, planted)) < 1).any(), "some heads look elsewhere"


def test_recurrent_units_that_are_not_planted_hear_the_others() -> None:
    toy = ap.toys.planted(10, 4, 5, kind="recurrent")
    weights = toy.model.cell.recurrent.weight.numpy()  # type: ignore[union-attr,operator]
    members = np.array([int(k.split(".")[1]) for k in toy.truths("shapley", "zero").expected])
    others = np.setdiff1d(np.arange(10), members)
    assert np.abs(weights[np.ix_(others, members)]).min() > 0
    assert not weights[np.ix_(members, others)].any(), "what is idle reaches no planted unit"


def test_a_network_that_differs_from_its_formula_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """The check compares all coalitions, of idle units too."""
    value = Gadget.value
    monkeypatch.setattr(Gadget, "value", lambda self, h: 1.01 * value(self, h))
    for kind in KINDS:
        with pytest.raises(RuntimeError, match="differs from its formula"):
            ap.toys.planted(8, 3, 1, kind=kind)
    monkeypatch.undo()

    class Leaky(PlantedPerceptron):
        def read(self, h: torch.Tensor, gains: torch.Tensor) -> torch.Tensor:
            return super().read(h, gains) + 0.001 * h.sum(dim=1)

    monkeypatch.setattr("artiphys.toys.families.planted_circuits.PlantedPerceptron", Leaky)
    with pytest.raises(RuntimeError, match="differs"):
        ap.toys.planted(8, 3, 1)


def test_relays_need_every_unit_and_belong_to_recurrent_networks() -> None:
    toy = ap.toys.planted(8, 3, 2, kind="recurrent", gadgets=("relay3",))
    expected = toy.truths("shapley", "zero").expected
    assert len(expected) == 3 and np.ptp(list(expected.values())) < 1e-9
    assert len(toy.truths("minimal circuits", "zero").expected) == 1
    with pytest.raises(InputError, match="need kind='recurrent'"):
        ap.toys.planted(8, 2, gadgets=("relay2",))
    with pytest.raises(InputError, match="kind came as 'mlp'"):
        ap.toys.planted(8, 2, kind="mlp")  # type: ignore[arg-type]
    with pytest.raises(InputError, match=r"faithfulness came as 1.0; wanted more than 0, at most 0.98"):
        ap.toys.planted(8, 2, faithfulness=1.0)
    with pytest.raises(InputError, match="let less leak"):
        ap.toys.planted(8, 2, leak=0.5)
    with pytest.raises(InputError, match="n came as 2; wanted 5"):
        ap.toys.mechanisms(n=2)
    with pytest.raises(InputError, match="kinds came empty"):
        ap.toys.mechanisms(kinds=())
    with pytest.raises(InputError, match="connections=True"):
        ap.toys.planted(8, 2, kind="attention", connections=True)


def test_connections_have_the_truth_of_their_units() -> None:
    units, cut = ap.toys.planted(9, 4, 7), ap.toys.planted(9, 4, 7, connections=True)
    for analysis in ("shapley", "minimal circuits"):
        by_unit = {k.replace("→stage1", ""): v for k, v in cut.truths(analysis, "zero").expected.items()}
        assert by_unit == units.truths(analysis, "zero").expected
    assert ap.verify(["shapley", "single_lesions"], cut, progress=False).passed


def test_a_leak_and_another_faithfulness_keep_their_truth() -> None:
    leaky = [dataclasses.replace(ap.toys.planted(9, 3, s, leak=0.03), name=f"leak {s}") for s in range(4)]
    low = [dataclasses.replace(ap.toys.planted(9, 3, s, faithfulness=0.7), name=f"low {s}") for s in range(4)]
    assert {t.truths("minimal circuits", "zero").faithfulness for t in low} == {0.7}
    board = ap.verify(["minimal_circuit", "critical_sets"], [*leaky, *low], progress=False)
    assert board.passed, board.in_words()


def test_one_mechanism_a_network() -> None:
    toys = ap.toys.mechanisms(4)
    names = [t.name for t in toys]
    assert len(names) == len(set(names)) == 3 * (len(GADGETS) - len(RELAYS) + 1) + len(RELAYS)
    assert all(re.fullmatch(r"\w+: \w+, seed 4", n) for n in names)
    circuits = {t.name: t.truths("minimal circuits", "zero").expected for t in toys}
    assert sorted(k.count("+") for k in circuits["attention: detour5, seed 4"]) == [1, 2]
    assert len(circuits["recurrent: majority3, seed 4"]) == 3
    other = {t.name.replace("5", "4"): t for t in ap.toys.mechanisms(5, kinds=("recurrent",))}
    assert any(circuits[n] != t.truths("minimal circuits", "zero").expected for n, t in other.items() if n in circuits)
    with pytest.raises(InputError, match="kinds came with"):
        ap.toys.mechanisms(kinds=("mlp",))  # type: ignore[arg-type]


@pytest.mark.slow
def test_fresh_networks_are_found(monkeypatch: pytest.MonkeyPatch) -> None:
    board = ap.verify(["single_lesions", "minimal_circuit"], toys=[], fresh=1, seed=20, progress=False)
    assert board.passed and len(board.scores) == 70
    values = dataclasses.asdict(board.scores[0])
    assert values["measures"]["exact"] is None
    with pytest.raises(InputError, match="fresh came as -1"):
        ap.verify(fresh=-1, progress=False)
