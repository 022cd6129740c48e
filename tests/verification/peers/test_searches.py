"""Searches by lesions, on networks where their answers can be foretold."""

from __future__ import annotations

import pytest

import artiphys as ap
from artiphys.verification.methods import Case
from artiphys.verification.peers import searches


def game_of(name: str) -> ap.Game:
    toy = ap.toys.load(name)
    return Case(toy, toy.truths("minimal circuits", "zero")).game


def test_greedy_searches_walk_into_the_trap() -> None:
    """Units 0, 1 and 2 add up to what 3 and 4 do together: the smaller set has no first step."""
    game = game_of("greedy_trap")
    names = [str(p) for p in game.player_names]
    assert sorted(searches.forward_greedy(game)) == names[:3]
    assert sorted(searches.backward_greedy(game)) == names[:3]


def test_single_lesions_and_patching_see_opposite_things() -> None:
    redundant, both = game_of("backup"), game_of("synergy")
    assert searches.by_single_lesions(redundant) == pytest.approx([0, 0], abs=1e-6)
    assert searches.by_patching(redundant) == pytest.approx([1, 1], abs=1e-6)
    assert searches.by_single_lesions(both) == pytest.approx([0.5, 0.5], abs=1e-6)
    assert searches.by_patching(both) == pytest.approx([0, 0], abs=1e-6)
    assert searches.by_shapley(redundant) == pytest.approx([0.5, 0.5], abs=1e-6)


def test_pruning_drops_what_costs_less_than_its_threshold() -> None:
    """Contributions 3, 1, 2 of 6: a sixth is above .05 and below .2."""
    game = game_of("additive")
    assert searches.pruned(game, 0.05) == [str(p) for p in game.player_names]
    assert searches.pruned(game, 0.2) == [str(game.player_names[0]), str(game.player_names[2])]
    assert len(searches.pruned(game_of("backup"), 0.05)) == 1
