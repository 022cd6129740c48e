"""Peers on the board: what they claim, what they cannot, and that a board passes whatever they say."""

from __future__ import annotations

import importlib.util
from typing import Any

import pytest

import artiphys as ap
from artiphys.errors import InputError
from artiphys.verification import InapplicableError, method, missing_packages, peer_methods
from artiphys.verification.peers import listed


def test_peers_are_compared_and_do_not_count() -> None:
    board = ap.verify("shapley", toys=["null_player", "glove"], peers=True, progress=False)
    assert board.passed and not board.failures
    missed = [s for s in board.scores if not s.passed]
    assert missed and all(s.peer for s in missed)
    assert "peers compared" in board.in_words() and "1 method on 2 toys: 2 of 2" in board.in_words()
    assert len({s.method for s in board.scores}) >= 12
    crashed = [s.note for s in board.scores if "Error" in s.note]
    assert not crashed


def test_at_least_fifteen_are_shipped() -> None:
    assert len(peer_methods()) >= 15
    assert all(m.peer for m in peer_methods().values())


def test_a_package_that_is_missing_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    find = importlib.util.find_spec
    monkeypatch.setattr(listed, "find_spec", lambda name: None if name == "captum" else find(name))
    assert "captum" in missing_packages()
    assert not any("captum" in name for name in peer_methods())
    with pytest.raises(ap.errors.InputError, match="captum"):
        ap.verify("integrated gradients (captum)", toys="xor", progress=False)


def test_a_method_may_say_that_it_is_not_made_for_a_network() -> None:
    def picky(game: ap.Game) -> Any:
        if game.n_players != 3:
            raise InapplicableError("three players only")
        return ap.shapley(game, method="exact", progress=False)

    board = ap.verify(method(picky), toys=["xor", "majority3"], progress=False)
    assert board.passed and {s.toy for s in board.scores} == {"majority3"}
    with pytest.raises(InputError, match=r"nothing was examined: picky is made for none .*three players only"):
        ap.verify(method(picky), toys=["xor"], progress=False)
    with pytest.warns(UserWarning, match="picky is made for none of these networks: three players only"):
        assert ap.verify([method(picky), "shapley"], toys=["xor"], progress=False).passed


def test_peers_alone_are_no_pass() -> None:
    board = ap.verify("Shapley values, ranked", ["dictator"], progress=False)
    assert all(s.passed for s in board.scores) and not board.passed and not board
    assert "1 peer compared: 1 of 1 truth found" in board.in_words()
