"""The map of interactions shows each pair once on either side, in an order that keeps groups together."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from fixtures.games import game

import artiphys as ap
from artiphys.errors import InputError
from artiphys.plotting import plot_interactions


def names(ax: object) -> list[str]:
    return [t.get_text() for t in ax.get_xticklabels()]  # type: ignore[attr-defined]


def test_cells_are_the_matrix_in_the_order_of_the_labels() -> None:
    found = ap.interactions(game(5))
    ax = plot_interactions(found)
    order = [found.players.index(n) for n in names(ax)]
    shown = np.asarray(ax.collections[0].get_array()).reshape(5, 5)
    expected = found.matrix().to_numpy()[np.ix_(order, order)]
    off = ~np.eye(5, dtype=bool)
    assert shown[off] == pytest.approx(expected[off])


def test_players_that_work_together_stand_together() -> None:
    def v(c: Any) -> Any:
        return 2.0 * c[:, [0, 3]].all(axis=1) + 1.5 * c[:, [1, 4]].all(axis=1) + 1.0 * c[:, [2, 5]].all(axis=1)

    order = [int(n) for n in names(plot_interactions(ap.interactions(v, n_players=6), over="coalitions"))]
    for a, b in ((0, 3), (1, 4), (2, 5)):
        assert abs(order.index(a) - order.index(b)) == 1


def test_significant_pairs_get_a_dot() -> None:
    found = ap.interactions(lambda c: c[:, [0, 1]].all(axis=1) * 1.0 + c[:, 2], n_players=3)
    assert len(plot_interactions(found).get_lines()) == 1
    assert len(names(plot_interactions(found, top=2))) == 2
    with pytest.raises(InputError, match="at least 2"):
        plot_interactions(found, top=1)
