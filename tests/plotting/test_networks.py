"""Drawings of networks show the structure as it is (weights, biases, recurrence, players) and leave it alone."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from matplotlib.patches import Circle
from matplotlib.text import Annotation
from torch import Tensor, nn

import artiphys as ap
from artiphys.errors import InputError
from artiphys.plotting import plot_network
from artiphys.plotting.columns import joined, with_streams
from artiphys.plotting.network_parts import INPUT, OUTPUT, Feed, Part
from artiphys.plotting.style import BLUE, ORANGE
from artiphys.plotting.wiring import Wiring
from artiphys.toys.toy import linear

# One of each form: hand-made sums, loops, cells, boxes, streams, groups, large layers, refused values, tables, players
# that are connections.
DRAWN = ["xor", "backup", "cancelling_paths", "ring", "bandit", "rotating_code", "multisensory", "relay", "reverse",
         "planted", "planted_recurrent", "planted_attention", "ring_attractor", "sparse_code", "random_expansion",
         "modular_addition", "superposition", "deep_linear", "induction_edges", "greedy_trap",
         "modular_addition_trained"]  # fmt: skip


def observed(model: nn.Module, inputs: Any, kept: set[str] | None = None) -> tuple[dict[str, Part], dict[Any, Feed]]:
    wiring = Wiring(model, inputs, {site: [] for site in kept or ()})
    return joined(*with_streams(wiring.parts, wiring.feeds), kept or set())


def lines(ax: Any) -> list[Any]:
    return [a.arrow_patch for a in ax.texts if isinstance(a, Annotation) and a.arrow_patch is not None]


def labels(ax: Any) -> list[str]:
    return [t.get_text() for t in ax.texts if t.get_text()]


@pytest.mark.parametrize("name", DRAWN)
def test_a_toy_is_drawn_inside_its_figure_with_every_player_named_or_counted(name: str) -> None:
    toy = ap.toys.load(name)
    ax = plot_network(toy)
    ax.figure.canvas.draw()
    width, height = ax.figure.canvas.get_width_height()
    for text in [*ax.texts, ax.title]:
        if text.get_text():
            box = text.get_window_extent()
            assert box.x0 > -2 and box.x1 < width + 2 and box.y0 > -2 and box.y1 < height + 2, text.get_text()
    assert ax.get_title().startswith(name)
    written = " ".join([*labels(ax), ax.get_title()]).replace("\n", " ").replace(" ", "")
    for player in list(toy.lesion_players())[:3]:
        assert player.name.split("[")[0].replace(" ", "") in written or "units" in written


@pytest.mark.parametrize("name", ["backup", "cancelling_paths", "xor", "planted", "modular_addition", "tiny_rnn"])
def test_headings_and_names_of_nodes_lie_over_no_unit(name: str) -> None:
    ax = plot_network(ap.toys.load(name))
    ax.figure.canvas.draw()
    centres = [ax.transData.transform(c.center) for c in ax.patches if isinstance(c, Circle)]
    radius = ax.transData.transform((0.19, 0))[0] - ax.transData.transform((0, 0))[0]
    for text in ax.texts:
        box = text.get_window_extent()
        if text.get_text() and text.get_verticalalignment() in ("bottom", "top") and text.get_zorder() != 5:
            for x, y in centres:
                dx, dy = max(box.x0 - x, x - box.x1, 0.0), max(box.y0 - y, y - box.y1, 0.0)
                assert np.hypot(dx, dy) > 0.8 * radius, text.get_text()


def test_weights_and_biases_of_a_perceptron_are_its_own() -> None:
    torch.manual_seed(0)
    into, out = nn.Linear(3, 5), nn.Linear(5, 2)
    net = nn.Sequential(into, nn.ReLU(), out).eval()
    parts, feeds = observed(net, torch.randn(20, 3))
    assert list(parts) == [INPUT, "1", "2"] and parts["1"].joined == ["0"]
    first, last = feeds[INPUT, "1"].weights, feeds["1", "2"].weights
    assert first is not None and last is not None
    assert np.asarray(first) == pytest.approx(into.weight.detach().numpy().T, abs=1e-4)
    assert np.asarray(last) == pytest.approx(out.weight.detach().numpy().T, abs=1e-4)
    assert parts["1"].bias == pytest.approx(into.bias.detach().numpy())


def test_zero_weights_have_no_line_and_signs_their_colours() -> None:
    net = nn.Sequential(linear([[1.0, 0.0], [0.0, -3.0]], [0.0, 0.5])).eval()
    ax = plot_network(net)
    assert [a.get_edgecolor()[:3] for a in lines(ax)] == [pytest.approx(rgb(c)) for c in (BLUE, ORANGE)]
    narrow, wide = (a.get_linewidth() for a in lines(ax))
    assert wide > 2 * narrow
    assert {"1", "−3", "0.5"} <= set(labels(ax))


def rgb(colour: str) -> tuple[float, ...]:
    return tuple(int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5))


def test_layers_combined_by_hand_are_traced_to_their_units() -> None:
    """The `backup` net: y = a + relu(x - 10 a), of which b is silent on all trials."""
    toy = ap.toys.load("backup")
    assert isinstance(toy.stimuli.inputs, Tensor)
    parts, feeds = observed(toy.model, toy.stimuli.inputs, {"a", "b"})
    assert list(parts) == [INPUT, "a", "b", OUTPUT]
    weights = {pair: float(f.weights[0, 0]) for pair, f in feeds.items() if f.weights is not None}
    assert weights == pytest.approx(
        {(INPUT, "a"): 1, (INPUT, "b"): 1, ("a", "b"): -10, ("a", OUTPUT): 1, ("b", OUTPUT): 1}
    )


def test_loops_and_arcs_lead_to_the_next_step() -> None:
    for name, leads in {"diagonal": np.eye(2), "ring": 1 - np.eye(2)}.items():
        toy = ap.toys.load(name)
        _, feeds = observed(toy.model, toy.stimuli[:20].inputs, {"cell"})
        assert feeds["cell", "cell"].back and not feeds[INPUT, "cell"].back
        assert np.array_equal(np.asarray(feeds["cell", "cell"].leads), leads)
    legend = plot_network(ap.toys.load("ring")).get_legend()
    assert legend is not None and any("next step" in t.get_text() for t in legend.get_texts())


def test_attention_says_what_it_reads_and_writes() -> None:
    toy = ap.toys.load("induction_head")
    box = next(t for t in labels(plot_network(toy)) if t.startswith("layer1\n"))
    layer = toy.model.get_submodule("layer1")
    for letter, name in (("K", "key"), ("V", "value")):
        weight = layer.get_submodule(name).weight
        assert isinstance(weight, Tensor)
        read = np.flatnonzero(weight.detach().numpy().any(axis=0))
        assert f"{letter} reads {read[0]}–{read[-1]}" in box
    assert "layer1.z" in box, "the player"


def test_large_layers_are_elided() -> None:
    ax = plot_network(nn.Sequential(nn.Linear(3, 40), nn.Tanh(), nn.Linear(40, 1)).eval())
    assert "… 34 units" in labels(ax)
    assert sum(isinstance(p, Circle) for p in ax.patches) == 3 + 6 + 1


class Unseen(nn.Module):
    """What reaches its layer is always nothing."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.last = nn.Linear(2, 2), nn.Linear(2, 1)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.last(self.first(x) * 0)
        return out


def test_what_is_used_but_shows_no_effect_is_dashed_and_said_so() -> None:
    ax = plot_network(Unseen().eval())
    dashed = [a for a in lines(ax) if a.get_linestyle() not in ("-", "solid")]
    legend = ax.get_legend()
    assert len(dashed) == 1 and legend is not None
    assert "used there; units not known" in [t.get_text() for t in legend.get_texts()]


def test_structure_not_the_answer() -> None:
    """The unit that contributes nothing looks like the one that does."""
    ax = plot_network(ap.toys.load("epiphenomenal"))
    players = [p for p in ax.patches if isinstance(p, Circle)]
    hidden = [p for p in players if tuple(p.get_facecolor()[:3]) != (1.0, 1.0, 1.0)]
    assert len(hidden) == 2 and len({p.get_facecolor() for p in hidden}) == 1


def test_the_network_is_left_alone() -> None:
    toy = ap.toys.load("planted_recurrent")
    before = toy.model(toy.stimuli[:8].inputs).clone()
    plot_network(toy)
    assert torch.equal(toy.model(toy.stimuli[:8].inputs), before)
    hooked = [m for m in toy.model.modules() if m._forward_hooks or m._forward_pre_hooks]
    assert not hooked


def test_a_module_of_another_form_comes_with_an_example() -> None:
    net = nn.Sequential(nn.Embedding(5, 3), nn.Flatten(), nn.Linear(6, 2)).eval()
    with pytest.raises(InputError, match="example"):
        plot_network(net)
    ax = plot_network(net, example=torch.tensor([[0, 1], [2, 3]]))
    assert any("Embedding" in t for t in labels(ax))
    recurrent = plot_network(nn.GRU(2, 3, batch_first=True).eval(), example=torch.randn(4, 5, 2))
    assert any("GRU" in t for t in labels(recurrent))


def test_what_cannot_be_drawn_is_refused() -> None:
    with pytest.raises(InputError, match="wanted a toy"):
        plot_network("xor")
    with pytest.raises(InputError, match="eval"):
        plot_network(nn.Linear(1, 1).train())
    with pytest.raises(InputError, match="linear layer"):
        plot_network(nn.Sequential(nn.ReLU()).eval())
    with pytest.raises(InputError, match="mapping of tensors"):
        plot_network(nn.Linear(1, 1).eval(), example=[1.0])
