"""Trained toys: the published numbers, and what a naive analysis says instead."""

from __future__ import annotations

import dataclasses
import itertools
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from scipy.stats import norm

import artiphys as ap
from artiphys import plotting
from artiphys.array_types import Array
from artiphys.errors import InputError
from artiphys.toys import Toy
from artiphys.toys.trained import deep_linear, modular_addition, superposition, tiny_tasks
from artiphys.toys.trained.stored_weights import FOLDER, parts, read_recipe, read_weights, write_weights
from artiphys.toys.trained.tiny_recurrent import SHORT_OF_THE_OPTIMUM, decision_variable
from artiphys.verification import trained_answers
from artiphys.verification.answers import shipped
from artiphys.verification.scoring import scored

OTHERS: list[tuple[str, dict[str, Any]]] = [
    ("superposition", {"n": 3, "m": 2}),
    ("superposition", {"n": 4, "m": 3}),
    *[("polytope", {"shape": shape}) for shape in superposition.SHAPES],
    ("feature_pair", {"layout": "dedicated"}),
    ("feature_pair", {"p": 0.6, "importance": 0.5}),
    ("modular_addition", {"measured": "accuracy"}),
    ("modular_addition", {"frequencies": (17,)}),
    ("modular_addition", {"p": 11, "frequencies": (1, 4)}),
    ("deep_linear", {"epoch": 0}),
    ("deep_linear", {"epoch": 35_000}),
    ("tiny_rnn", {"task": "detection", "units": 1, "recurrence": "diagonal"}),
    ("tiny_rnn", {"task": "two_lever", "units": 4, "recurrence": "diagonal"}),
    ("tiny_rnn", {"task": "multisensory", "units": 2, "recurrence": "diagonal"}),
]
NETWORKS = [*itertools.product(tiny_tasks.TASKS, (1, 2, 3, 4), ("full", "diagonal"))]


@pytest.mark.parametrize(("name", "options"), OTHERS, ids=[f"{n} {o}" for n, o in OTHERS])
def test_options_have_their_truths_too(name: str, options: dict[str, Any]) -> None:
    check(ap.toys.load(name, **options))


@pytest.mark.slow
def test_all_32_tiny_networks_have_their_truths() -> None:
    for task, units, recurrence in NETWORKS:
        check(ap.toys.load("tiny_rnn", task=task, units=units, recurrence=recurrence))


def check(toy: Toy) -> None:
    for truth in toy.truth:
        (mine,) = [m for m in shipped().values() if m.applies(toy, truth)]
        score = scored(mine, toy, truth)
        assert score.passed, (truth.analysis, score.key, score.expected, score.got, score.note)


@pytest.mark.parametrize(
    ("name", "options", "said"),
    [
        ("superposition", {"n": 6}, "n=5 m=2 p=0.05"),
        ("polytope", {"shape": "cube"}, "cube"),
        ("polytope", {"p": 0.0}, "p came as 0"),
        ("feature_pair", {"layout": "both"}, "superposed"),
        ("feature_pair", {"importance": -1.0}, "importance"),
        ("tiny_rnn", {"task": "detections"}, "detection"),
        ("tiny_rnn", {"units": 5}, "1, 2, 3 or 4"),
        ("tiny_rnn", {"recurrence": "fully"}, "full"),
        ("modular_addition", {"p": 15}, "prime"),
        ("modular_addition", {"frequencies": (57,)}, "1 to 56"),
        ("modular_addition", {"frequencies": (3, 3)}, "different"),
        ("modular_addition", {"measured": "loss"}, "margin"),
        ("deep_linear", {"epoch": 1}, "2500"),
    ],
)
def test_bad_options_are_refused(name: str, options: dict[str, Any], said: str) -> None:
    with pytest.raises(InputError, match=said):
        ap.toys.load(name, **options)


def activity(toy: Toy, site: str) -> Any:
    return ap.record(toy.preparation(), toy.stimuli, [site], progress=False)[site]


def curves(toy: Toy, site: str, stimulus: Any) -> Array:
    tuning = ap.tuning_curves(activity(toy, site), stimulus, progress=False)
    return np.asarray(tuning.curves.transpose("unit", "stimulus").to_numpy())


def test_five_features_in_two_units_are_a_pentagon() -> None:
    toy = ap.toys.load("superposition")
    shares = toy.truths("dimensionality").expected
    assert len(shares) == 5 and all(0.396 <= d <= 0.405 for d in shares.values())
    shown = curves(toy, "hidden", "shown")[:, :5]
    assert ((np.linalg.norm(shown, axis=0) > 1.126) & (np.linalg.norm(shown, axis=0) < 1.141)).all()
    angle = np.sort(np.degrees(np.arctan2(*shown)))
    assert np.diff([*angle, angle[0] + 360]) == pytest.approx(np.full(5, 72.0), abs=0.5)
    # Naive: as many features as the activity has dimensions; one feature per unit.
    assert np.linalg.matrix_rank(activity(toy, "hidden").to_numpy(), tol=1e-3) == 2
    assert ((np.abs(shown) > 0.1).sum(axis=1) > 3).all(), "every unit is tuned to nearly every feature"
    with torch.no_grad():
        restored = toy.model(torch.eye(5))
    assert (restored.argmax(dim=1) == torch.arange(5)).all(), "and yet each of the five is told from the others"


def test_shapes_have_the_published_share_of_a_dimension() -> None:
    published = {"antipodal": 1 / 2, "triangle": 2 / 3, "tetrahedron": 3 / 4, "pentagon": 2 / 5, "antiprism": 3 / 8}
    for shape, share in published.items():
        found = ap.toys.load("polytope", shape=shape).truths("dimensionality").expected
        assert list(found.values()) == pytest.approx([share] * len(found))
    flat = superposition.SHAPES["antiprism"][0]() * [1.0, 1.0, 1.5]
    flat /= np.linalg.norm(flat, axis=1, keepdims=True)
    assert abs(superposition.dimensionality(flat)[0] - 3 / 8) > 0.01, "an antiprism of another height is no tight frame"


def test_the_trained_pair_shares_one_unit_and_the_trained_triangle_is_none() -> None:
    pair = ap.toys.load("antipodal_pair")
    assert list(pair.truths("dimensionality").expected.values()) == pytest.approx([0.5, 0.5], abs=0.005)
    up, down = curves(pair, "hidden", "shown")[0, :2]
    assert up * down < 0 and abs(up + down) < 0.02
    three = ap.toys.load("superposition", n=3, m=2).truths("dimensionality").expected
    assert sorted(three.values()) == pytest.approx([0.5, 0.5, 1.0], abs=0.005)


def test_superposition_of_a_pair_pays_below_its_threshold() -> None:
    for importance in (1.0, 0.5):
        threshold = 4 * importance / (2 + 5 * importance)
        for p in (threshold - 0.1, threshold + 0.1):
            both, one = (
                ap.toys.load("feature_pair", layout=layout, p=p, importance=importance).truths("value", "zero").expected
                for layout in ("superposed", "dedicated")
            )
            assert (both["hidden.0"] > one["hidden.0"]) == (p < threshold)
    assert pytest.approx(4 * 1.0 / (2 + 5 * 1.0)) == 4 / 7


def test_more_features_share_a_unit_the_sparser_they_are() -> None:
    sweep = ap.toys.superposition_sweep()
    per_unit = sweep["squared_length"]
    assert per_unit.sel(probability=1.0).to_numpy() == pytest.approx(np.ones(7), abs=0.08)
    sparse, dense = per_unit.sel(probability=0.02).to_numpy(), per_unit.sel(probability=0.5).to_numpy()
    assert (sparse[:-1] > 2 * dense[:-1]).all() and (sparse > 1.9).all()
    assert int(sweep["represented"].sel(unit=10, probability=0.02)) == 80, "naive: ten units, ten features"
    assert int(sweep["unit"].min()) == 2 and int(sweep["unit"].max()) == 40


def test_tiny_networks_reach_the_ideal_observer_or_are_known_not_to() -> None:
    """On trials that neither the training nor the toys have seen."""
    stored = read_weights("tiny_recurrent")
    assert len({key.rpartition(".")[0] for key in stored}) == 32
    trials = {name: task.draw(40_000, np.random.default_rng(12345)) for name, task in tiny_tasks.TASKS.items()}
    for name, units, recurrence in NETWORKS:
        weights = parts(stored, f"{name} {units} {recurrence}")
        if recurrence == "diagonal":
            recurrent = weights["recurrent"].numpy()
            assert (recurrent == np.diag(np.diag(recurrent))).all()
        x, labels = trials[name]
        right = ((decision_variable(weights, x, tuple(range(units))) >= 0) == (labels == 1)).mean()
        short = tiny_tasks.TASKS[name].optimum - right
        if (name, units, recurrence) in SHORT_OF_THE_OPTIMUM:
            assert short > 0.09, "units that never meet cannot fuse"
        else:
            assert abs(short) < 4 * math.sqrt(0.25 / len(x))


def test_optima_of_the_tasks() -> None:
    assert tiny_tasks.TASKS["accumulation"].optimum == pytest.approx(float(norm.cdf(0.8)))
    assert tiny_tasks.TASKS["multisensory"].optimum == pytest.approx(0.7334, abs=5e-5)
    x, labels = tiny_tasks.multisensory_trials(40_000, np.random.default_rng(0))
    error = 4 * math.sqrt(0.25 / len(x))
    fused = (np.prod(x, axis=2).sum(axis=1) > 0) == labels
    product = (np.prod(x.sum(axis=1), axis=1) > 0) == labels
    assert fused.mean() == pytest.approx(0.7334, abs=error)
    assert product.mean() == pytest.approx(0.5678, abs=error), "accumulate, then multiply"
    for naive in (x.sum(axis=(1, 2)), x[..., 0].sum(axis=1), x[..., 1].sum(axis=1)):
        assert ((naive > 0) == labels).mean() == pytest.approx(0.5, abs=error), "each sense, and their sum, say nothing"
    # Two levers: the forward filter on sampled trials is as good as the enumeration says; counting is worse.
    x, labels = tiny_tasks.two_lever_trials(40_000, np.random.default_rng(0))
    outcome = x[..., 1] - x[..., 0]  # above 0 speaks for lever 1
    odds, (keep, move) = np.zeros(len(x)), (1 - tiny_tasks.HAZARD, tiny_tasks.HAZARD)
    step = math.log(tiny_tasks.REWARD / (1 - tiny_tasks.REWARD))
    for t in range(x.shape[1]):
        prior = np.log((keep * np.exp(odds) + move) / (move * np.exp(odds) + keep)) if t else 0.0
        odds = prior + step * outcome[:, t]
    best, counted = ((odds > 0) == labels).mean(), ((outcome.sum(axis=1) > 0) == labels).mean()
    assert best == pytest.approx(tiny_tasks.TASKS["two_lever"].optimum, abs=error)
    assert counted < best - 0.04


def test_units_that_share_a_memory_look_dispensable() -> None:
    toy = ap.toys.load("tiny_accumulator")
    alone = toy.truths("single_lesions", "zero").expected
    whole = toy.truths("accuracy").expected["intact"] - toy.truths("value", "zero").expected["none"]
    assert sum(alone.values()) < 0.8 * whole
    assert sum(toy.truths("shapley", "zero").expected.values()) == pytest.approx(whole, abs=0.01)


def test_margins_of_modular_addition() -> None:
    toy = ap.toys.load("modular_addition")
    values = toy.truths("value", "zero").expected
    assert values["rotations.k17.sum"] == pytest.approx(0.00155, abs=5e-6)
    assert max(values.values()) == pytest.approx(1.17246, abs=5e-6)
    assert modular_addition.margin_of((1,)) == pytest.approx(1 - math.cos(2 * math.pi / 113))
    # Naive: by accuracy every frequency is useless when it alone is lesioned; tuning to one number is flat.
    by_accuracy = ap.toys.load("modular_addition", measured="accuracy")
    assert set(by_accuracy.truths("single_lesions", "zero").expected.values()) == {0.0}
    small = ap.toys.load("modular_addition", p=11, frequencies=(3,))
    every = torch.cartesian_prod(torch.arange(11), torch.arange(11))
    stimuli = ap.Stimuli(every, {"a": [f"{v:02d}" for v in every[:, 0].tolist()]})
    rec = ap.record(small.preparation(), stimuli, ["rotations.k3.sum"], progress=False)
    tuning = ap.tuning_curves(rec["rotations.k3.sum"], "a", progress=False)
    assert np.abs(tuning.curves.to_numpy()).max() < 1e-6 and rec["rotations.k3.sum"].std() > 0.5


def test_key_frequencies_of_the_trained_network() -> None:
    toy = ap.toys.load("modular_addition_trained")
    alone = toy.truths("single_lesions", "zero").expected
    others = alone["frequencies.others"]
    keys = {name: loss for name, loss in alone.items() if name != "frequencies.others"}
    assert len(keys) == 5 and others < 0.01 and min(keys.values()) > 0.03
    values = toy.truths("value", "zero").expected
    assert values["+".join(keys)] > 0.98 and values["frequencies.others"] < 0.06
    held_out = toy.stimuli.conditions["held_out"].to_numpy()
    with torch.no_grad():
        right = toy.model(toy.stimuli.inputs).argmax(dim=1).numpy() == toy.stimuli.conditions["sum"].to_numpy()
    assert right[held_out].mean() > 0.97 and 0.19 < held_out.mean() < 0.21
    # Naive: a unit's tuning to one number has twice the frequency that the unit computes with.
    first = curves(toy, "hidden", [f"{v:02d}" for v in toy.stimuli.conditions["a"]])
    read = np.abs(np.fft.rfft(first, axis=1))[:, 1:].argmax(axis=1) + 1
    stated = toy.truths("waves").expected.items()
    true = {int(name.split()[0].rpartition(".")[2]): int(k) for name, k in stated if name.endswith("frequency")}
    assert len(true) > 100 and np.mean([read[u] == k for u, k in true.items()]) < 0.2
    assert np.mean([read[u] in (2 * k, 59 - 2 * k) for u, k in true.items()]) > 0.7


SABOTAGES: dict[str, Callable[..., Any]] = {
    "the sign": lambda f, *a, **k: changed(f(*a, **k), lambda c: -c),
    "the next unit": lambda f, *a, **k: changed(f(*a, **k), lambda c: c.roll(unit=1)),
    "the next stimulus": lambda f, *a, **k: changed(f(*a, **k), lambda c: c.roll(stimulus=1)),
    "stimuli shuffled": lambda f, x, s, **k: f(x.roll(trial=5), s, **k),
}
READ = ("superposition", "modular_addition", "modular_addition_trained", "deep_linear")


def changed(tuning: Any, change: Callable[[Any], Any]) -> Any:
    return dataclasses.replace(tuning, curves=change(tuning.curves))


@pytest.mark.parametrize(("name", "sabotage"), [*itertools.product(READ, SABOTAGES)])
def test_a_wrong_reading_turns_red(name: str, sabotage: str, monkeypatch: pytest.MonkeyPatch) -> None:
    toy, original = ap.toys.load(name), ap.tuning_curves
    read = [t for t in toy.truth if t.analysis in ("tuning", "waves")]
    monkeypatch.setattr(trained_answers, "tuning_curves", lambda *a, **k: SABOTAGES[sabotage](original, *a, **k))
    assert read
    for truth in read:
        (mine,) = [m for m in shipped().values() if m.applies(toy, truth)]
        assert not scored(mine, toy, truth).passed


def test_the_deep_linear_network_learns_in_stages() -> None:
    u, s, v = deep_linear.modes()
    assert u * s @ v.T == pytest.approx(deep_linear.items_to_properties())
    assert u.T @ u == pytest.approx(np.eye(4), abs=1e-12)
    assert deep_linear.half_time(3.0) == pytest.approx(1.334, abs=5e-4)
    assert float(deep_linear.strength_at(deep_linear.half_time(3.0), 3.0)) == pytest.approx(1.5)
    epochs = range(0, deep_linear.EPOCHS + 1, deep_linear.EVERY)
    strengths = []
    for epoch in epochs:
        toy = ap.toys.load("deep_linear", epoch=epoch)
        responses = curves(toy, "readout", "mode")  # modes by name
        order = [sorted(deep_linear.MODES).index(mode) for mode in deep_linear.MODES]
        strengths.append(np.einsum("jk,jk->k", u, responses[:, order]))
    halved = [np.interp(0.5, np.array(strengths)[:, k] / s[k], np.array(epochs) * deep_linear.RATE) for k in range(4)]
    assert halved == pytest.approx([deep_linear.half_time(x) for x in s], abs=0.02)
    assert halved[0] < halved[1] < halved[2], "living, then animal or plant, then which one"
    # Naive: a linear map learns like one, where every mode is at half strength after ln 2 / s.
    assert halved[0] > 5 * math.log(2) / s[0]


def test_the_sweep_is_drawn() -> None:
    ax = plotting.plot_superposition()
    assert len(ax.get_legend_handles_labels()[1]) == 7 and ax.get_xlim()[0] > ax.get_xlim()[1]
    assert "per unit" in ax.get_ylabel() and "10 units" in ax.get_legend_handles_labels()[1]
    drawn = next(line for line in ax.lines if line.get_label() == "10 units")
    assert np.asarray(drawn.get_ydata()) == pytest.approx(
        ap.toys.superposition_sweep()["squared_length"].sel(unit=10).to_numpy()
    )
    with pytest.raises(InputError, match="per_unit"):
        plotting.plot_superposition(value="features")


def test_weights_say_how_they_were_made(tmp_path: Path) -> None:
    files = sorted(FOLDER.glob("*.safetensors"))
    assert len(files) == 5 and all(f.stat().st_size < 1_000_000 for f in files)
    for file in files:
        assert read_recipe(file.stem)["module"].startswith("artiphys.toys.trained.training.")
    write_weights("one", {"x.y": torch.arange(3.0)}, {"seed": 4}, tmp_path)
    assert read_weights("one", tmp_path)["x.y"].tolist() == [0.0, 1.0, 2.0] and read_recipe("one", tmp_path) == {
        "seed": "4"
    }
    with pytest.raises(InputError, match="train them"):
        read_weights("two", tmp_path)
