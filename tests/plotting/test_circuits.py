"""Plots of circuits show members, layers, sizes and what is confirmed."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pandas as pd
import pytest

import artiphys as ap
from artiphys.errors import InputError
from artiphys.plotting import plot_circuit, plot_circuit_sizes


@pytest.fixture(scope="module")
def circuit() -> ap.Circuit:
    toy = ap.toys.planted(32, 6, 34, gain_sd=0.5, leak=0.02, n_trials=128)
    prep = ap.wrap(toy)
    return ap.minimal_circuit(ap.Game(prep, toy.stimuli, toy.score, prep.players("hidden"), kind="zero"))


def texts(ax: Any) -> list[str]:
    return [t.get_text() for t in ax.texts if t.get_text()]


def test_every_member_is_drawn_once_by_its_layer(circuit: ap.Circuit) -> None:
    ax = plot_circuit(circuit)
    assert sorted(texts(ax)) == sorted(map(str, circuit.players))
    assert [t.get_text() for t in ax.get_xticklabels()] == ["hidden"]
    assert circuit.verdict in ax.get_title() and circuit.certificate in ax.get_title()


def test_fifty_heads_stand_in_their_layers_without_touching(circuit: ap.Circuit) -> None:
    rng = np.random.default_rng(0)
    names = [f"blocks.{la}.attn.hook_z.{h}" for la in range(30) for h in range(9)]
    members = pd.DataFrame(
        {
            "effect": rng.normal(0.3, 0.3, 50),
            "stderr": 0.1,
            "p_holm": rng.random(50),
            "confirmed": rng.random(50) < 0.7,
        },
        index=[names[i] for i in np.sort(rng.choice(270, 50, replace=False))],
    )
    many = dataclasses.replace(circuit, members=members, players=tuple(members.index), every_player=tuple(names))
    ax = plot_circuit(many)
    assert len(texts(ax)) == 50
    x = [float(np.asarray(c.get_offsets())[0, 0]) for c in ax.collections]
    layers = [int(str(name).split(".")[1]) for name in members.index]
    assert all((a < b) == (la < lb) for a, la in zip(x, layers) for b, lb in zip(x, layers) if la != lb)
    ax.figure.canvas.draw()
    boxes = [t.get_window_extent() for t in ax.texts if t.get_text()]
    assert not any(a.overlaps(b) for i, a in enumerate(boxes) for b in boxes[:i])
    labels = [t.get_text() for t in ax.get_legend().get_texts()]  # type: ignore[union-attr]
    assert labels == ["not confirmed", "works against"]


def test_significant_interactions_are_lines() -> None:
    def v(c: Any) -> Any:
        return 1.0 * c[:, [0, 1]].all(axis=1) + 1.0 * c[:, [2, 3]].any(axis=1) + c[:, 4]

    found = ap.minimal_circuit(v, n_players=5, faithfulness=1.0)
    ax = plot_circuit(found, contributions=ap.shapley(v, n_players=5), interactions=ap.interactions(v, n_players=5))
    assert len(found.players) == 4, "one of the two that back each other up"
    assert len([t for t in ax.texts if not t.get_text()]) == 1
    assert [t.get_text() for t in ax.get_legend().get_texts()] == ["synergy"]  # type: ignore[union-attr]


def test_sizes_stand_beside_random_sets(circuit: ap.Circuit) -> None:
    table = circuit.by_size(4)
    ax = plot_circuit_sizes(circuit, table)
    own = table[table["which"] == "circuit"]
    assert np.asarray(ax.get_lines()[0].get_ydata()) == pytest.approx(own["faithfulness"].to_numpy())
    assert str(len(circuit.players)) in ax.get_xlabel()
    with pytest.raises(InputError, match="by_size"):
        plot_circuit_sizes(circuit, pd.DataFrame({"size": [1]}))
