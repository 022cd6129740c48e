"""The picture of methods against mechanisms."""

from __future__ import annotations

import pytest

import artiphys as ap
from artiphys import plotting
from artiphys.errors import InputError
from artiphys.verification import InapplicableError, method


@method(estimates="ranking")
def by_restoring(game: ap.Game) -> object:
    import numpy as np

    return game(np.eye(game.n_players, dtype=bool)) - game.lesioned


@method(estimates="minimal circuits", name="never")
def never(game: ap.Game) -> object:
    raise InapplicableError("for no network")


def test_cells_margins_and_their_order() -> None:
    toys = ap.toys.mechanisms(3, kinds=("attention",), n=8)[:4]
    with pytest.warns(UserWarning, match="never is made for none"):
        board = ap.verify([by_restoring, "minimal_circuit", never], toys, progress=False)
    ax = plotting.plot_scoreboard(board)
    rows = [t.get_text() for t in ax.get_yticklabels()]
    assert rows == ["minimal_circuit", "by_restoring"], "what finds most comes first; never is not there"
    assert [t.get_text() for t in ax.get_xticklabels()] == ["single", "redundant2", "redundant3", "synergy2"]
    assert ax.get_xlabel() == "mechanism (1 network each)"
    values = [t.get_text() for t in ax.texts]
    assert values[:8] == ["1"] * 7 + ["0"], "restoring single heads sees no synergy"
    assert "1.00" in values and "0.75" in values and any("false" in v for v in values)


def test_toys_are_drawn_where_nothing_is_fresh_and_a_board_without_circuits_is_refused() -> None:
    board = ap.verify([by_restoring, "minimal_circuit"], ["dictator", "glove"], progress=False)
    assert [t.get_text() for t in plotting.plot_scoreboard(board).get_xticklabels()] == ["dictator", "glove"]
    with pytest.raises(InputError, match="no method on this board gave circuits"):
        plotting.plot_scoreboard(ap.verify("shapley", "xor", progress=False))
