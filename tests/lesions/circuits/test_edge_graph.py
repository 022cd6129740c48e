"""Circuits of connections: found, and drawn as what they connect."""

from __future__ import annotations

from typing import Any

import matplotlib.pyplot as plt
import networkx as nx
import numpy as np
import pytest
import torch

import artiphys as ap
from artiphys import plotting
from artiphys.errors import InputError

plt.switch_backend("Agg")


def circuit_of(name: str, **options: Any) -> tuple[Any, ap.Game]:
    toy = ap.toys.load(name)
    prep = ap.wrap(toy)
    game = ap.Game(prep, toy.stimuli, toy.score, toy.lesion_players(prep), kind="zero", progress=False)
    return ap.minimal_circuit(game, holdout=None, **options), game


def test_a_circuit_of_connections_is_a_graph_of_what_they_connect(tmp_path: Any) -> None:
    circuit, game = circuit_of("induction_edges")
    graph: Any = circuit.to_networkx(contributions=ap.shapley(game))
    assert isinstance(graph, nx.MultiDiGraph) and graph.number_of_edges() == 7
    data = graph.edges["layer0", "layer1.key", "layer0→layer1.key"]
    assert data["effect"] == pytest.approx(1.0) and data["contribution"] > 0
    nx.write_graphml(graph, tmp_path / "circuit.graphml")
    assert nx.read_graphml(tmp_path / "circuit.graphml").number_of_edges() == 7
    with pytest.raises(InputError, match="no place"):
        circuit.to_networkx(interactions=ap.interactions(game))


@pytest.mark.parametrize("name", ["induction_edges", "cancelling_paths", "diagonal", "ring"])
def test_it_is_drawn_with_an_arrow_for_each_member(name: str) -> None:
    circuit, _ = circuit_of(name, faithfulness=0.9)
    ax = plotting.plot_circuit(circuit)
    arrows = [t for t in ax.texts if getattr(t, "arrow_patch", None) is not None]
    assert len(arrows) == len(circuit.players)
    named = {t.get_text() for t in ax.texts} - {""}
    assert named == set(circuit.to_networkx())
    plt.close("all")


def test_the_circuit_of_connections_is_a_network() -> None:
    circuit, game = circuit_of("induction_edges")
    alone = circuit.preparation()
    stimuli = game.stimuli
    score = game.score(alone.run(stimuli).outputs, stimuli).mean()
    assert float(score) == pytest.approx(game(np.array([[p in circuit.players for p in game.player_names]]))[0])
    read = ap.record(alone, stimuli, "layer0.z", progress=False)
    assert read["layer0.z"].shape[0] == len(stimuli)
    with ap.lesioned(alone, ap.Lesion("layer0.z", kind="zero")):
        assert float(game.score(alone.run(stimuli).outputs, stimuli).mean()) == pytest.approx(0.0)


def test_circuits_of_a_transformers_edges() -> None:
    import transformers

    torch.manual_seed(0)
    config = transformers.LlamaConfig(hidden_size=16, intermediate_size=24, num_hidden_layers=2, num_attention_heads=2,
                                      num_key_value_heads=1, vocab_size=20, initializer_range=0.5)  # fmt: skip
    prep = ap.wrap(transformers.LlamaForCausalLM(config).eval())
    tokens = torch.randint(0, 20, (24, 5))
    score = ap.scores.Score(lambda outputs, trials: outputs[:, -1, 3], "logit", "nat", key="a logit")
    # Grouped by site there are few enough to enumerate.
    some = [p for p in prep.edges(group_by="site") if "ln_final" in p.name or "hook_v" in p.name]
    game = ap.Game(prep, tokens, score, some, kind="mean", progress=False)
    circuit = ap.minimal_circuit(game, holdout=None, faithfulness=0.8)
    graph: Any = circuit.to_networkx()
    assert set(graph) <= {"embedding", "heads 0", "heads 1", "mlp 0", "mlp 1", "readout"}
    alone = circuit.preparation()
    kept = np.array([[p in circuit.players for p in game.player_names]])
    got = score(alone.run(game.stimuli).outputs, game.stimuli)
    np.testing.assert_allclose(np.asarray(got), game.per_trial(kept)[0], atol=1e-5)
