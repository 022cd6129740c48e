"""Measures of circuits, worked out by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest

import artiphys as ap
from artiphys.verification import CircuitMeasures, InapplicableError, method
from artiphys.verification.answer_forms import ranked
from artiphys.verification.circuit_measures import measured
from artiphys.verification.methods import Case, Found


def of(toy_name: str, values: list[float]) -> CircuitMeasures:
    toy = ap.toys.load(toy_name)
    case = Case(toy, toy.truths("minimal circuits", "zero"))
    return measured(ranked(values, case), case)


def test_a_perfect_ranking() -> None:
    """Faithfulness rises straight to 1 at a third of the players: the mean of min(3 x, 1) from .001 to .5."""
    found = of("dictator", [1.0, 0.0, 0.0])
    assert found.exact and found.false_members == 0 and found.missed_members == 0 and found.roc_auc == 1
    area = (1.5 * (1 / 9 - 1e-6) + 1 / 6) / 0.499
    assert found.cpr == pytest.approx(area, abs=1e-4) and found.cmd == pytest.approx(1 - area, abs=1e-4)


def test_a_ranking_from_behind() -> None:
    """The two idle players come first, so all are taken; nothing is kept up to two thirds."""
    found = of("dictator", [0.1, 0.5, 0.4])
    assert found.exact is False and found.false_members == 2 and found.roc_auc == 0
    assert found.cpr == pytest.approx(0, abs=1e-9) and found.cmd == pytest.approx(1, abs=1e-9)


def test_ties_come_together_and_the_sign_does_not_matter() -> None:
    found = of("dictator", [-1.0, -1.0, 0.0])
    assert found.exact is False and found.false_members == 1 and found.roc_auc == 0.75
    assert of("dictator", [-1.0, 0.5, 0.0]).exact
    assert of("dictator", [0.0, 0.0, 0.0]).false_members == 2
    # Half way through a tie of two of three players half of what both do: 1.5 x up to .5
    assert found.cpr == pytest.approx(0.75 * (0.25 - 1e-6) / 0.499, abs=1e-3)


def test_overshoot_counts_against_the_distance_but_raises_the_ratio() -> None:
    """Contributions 3, 1, -2 add up to 2: the first alone is 1.5 times as good as all, and no circuit."""
    toy = ap.toys.load("opposing")
    case = Case(toy, toy.truths("minimal circuits", "zero"))
    found = measured(Found(frozenset(f"hidden.{i}" for i in range(3)), np.array([3.0, 1.0, -2.0])), case)
    assert found.exact and math.isnan(found.roc_auc), "all three are needed: there are no others"
    grid = np.linspace(0.001, 0.5, 100_001)
    f = np.interp(grid, [0, 1 / 3, 2 / 3], [0, 1.5, 0.5])
    assert found.cpr == pytest.approx(f.mean(), abs=1e-3)
    assert found.cmd == pytest.approx(np.abs(1 - f).mean(), abs=1e-3)
    assert found.cmd > 1 - found.cpr


def test_where_all_are_members_there_is_nothing_to_rank() -> None:
    """A ranking that ties three equal units would be held against it, where an arbitrary order is right by luck."""
    with pytest.raises(InapplicableError, match="every player is in a minimal circuit"):
        of("majority3", [1.0, 1.0, 1.0])


def test_the_nearest_circuit_counts() -> None:
    toy = ap.toys.load("xor_redundant")  # either of two units, with a third
    case = Case(toy, toy.truths("minimal circuits", "zero"))
    for members, exact, wrong, missed in (
        ("02", True, 0, 0), ("12", True, 0, 0), ("012", False, 1, 0), ("2", False, 0, 1), ("01", False, 1, 1),
        ("", False, 0, 2),
    ):  # fmt: skip
        found = measured(Found(frozenset(f"hidden.{u}" for u in members)), case)
        assert (found.exact, found.false_members, found.missed_members) == (exact, wrong, missed), members


def test_on_the_board() -> None:
    sets = method(lambda game: ["hidden.0"], estimates="minimal circuits", name="first")
    ranks = method(lambda game: [1.0, 0, 0], estimates="ranking", name="ranks")
    board = ap.verify([sets, ranks, "shapley"], "dictator", progress=False)
    summary = board.summary()
    assert summary.loc["ranks", "ROC AUC"] == 1 and summary.loc["first", "exact"] == 1
    assert np.isnan(summary["CMD"]["first"]) and np.isnan(summary["exact"]["shapley"])
    assert "ROC AUC" not in ap.verify("shapley", "dictator", progress=False).summary()
