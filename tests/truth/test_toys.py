"""Every truth of every toy, found by the library's own analysis."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

import artiphys as ap
from artiphys.toys import Truth
from artiphys.verification.answers import INDICES, shipped
from artiphys.verification.result import described
from artiphys.verification.scoring import scored

TOYS = {name: ap.toys.load(name) for name in ap.toys.names()}
TOYS["integrator leak .8"] = ap.toys.load("integrator", leak=0.8)
TOYS["integrator leak 0"] = ap.toys.load("integrator", leak=0.0)
TOYS["induction without BOS"] = ap.toys.load("induction_head", bos=False)
# Analyses that lesion begin with one of these words, or say "lesion" or "without"; all others only read.
OF_LESIONS = (*INDICES, "value", "single_lesions", "shapley", "minimal circuits", "critical sets")
CLAIMS = [(n, t) for n, toy in TOYS.items() for t in toy.truth]


@pytest.mark.parametrize(("name", "truth"), CLAIMS, ids=[f"{n}-{t.analysis}-{t.kind}" for n, t in CLAIMS])
def test_truth_is_found(name: str, truth: Truth) -> None:
    mine = [m for m in shipped().values() if m.applies(TOYS[name], truth)]
    assert len(mine) == 1, "every truth is claimed by one analysis"
    score = scored(mine[0], TOYS[name], truth)
    assert score.passed, described(score)


@pytest.mark.parametrize("name", ap.toys.names())
def test_every_toy_states_truths_with_their_kind(name: str) -> None:
    toy = TOYS[name]
    assert {t.analysis for t in toy.truth} >= {"single_lesions", "shapley"}
    for t in toy.truth:
        told = any(word in t.analysis for word in ("lesion", "without"))
        lesioned = told or (t.analysis.startswith(OF_LESIONS) and t.analysis != "value after rewards")
        assert (t.kind is not None) == lesioned, f"{t.analysis}: a kind is stated exactly where something is lesioned"
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
