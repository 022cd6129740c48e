"""Dynamics and behaviour: the published numbers, by other ways than the toys go, and what naive analyses say."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from contextlib import nullcontext
from typing import Any

import numpy as np
import pytest
import torch
from scipy.stats import binom

import artiphys as ap
from artiphys.errors import InputError
from artiphys.toys import Toy
from artiphys.toys.in_time.attractors import fixed_point, shape
from artiphys.toys.in_time.bounds import decisions
from artiphys.verification import Method, dynamics_answers
from artiphys.verification.scoring import scored


def answer(toy: Toy, analysis: str, kind: str | None = None) -> Mapping[str, float]:
    return toy.truths(analysis, kind).expected


def refuted(toy: Toy, analysis: str, wrong: Mapping[str, float], kind: str | None = None) -> bool:
    """Whether the board turns a wrong answer down."""
    truth = toy.truths(analysis, kind)
    assert scored(_saying(truth.expected), toy, truth).passed
    return not scored(_saying(wrong), toy, truth).passed


def _saying(values: Mapping[str, float]) -> Method:
    return Method("says", lambda case: values, lambda toy, truth: True)


# Leak and noise.


def test_accuracy_cannot_tell_leak_from_noise_and_the_kernel_can() -> None:
    leaky, noisy = ap.toys.load("leaky_integrator"), ap.toys.load("noisy_integrator")
    accuracy = [answer(toy, "accuracy")["intact"] for toy in (leaky, noisy)]
    assert accuracy == pytest.approx([0.6175, 0.6175], abs=5e-5)
    measured = [float(t.score(ap.wrap(t).run(t.stimuli).outputs, t.stimuli).mean()) for t in (leaky, noisy)]
    assert measured[0] == pytest.approx(measured[1], abs=0.015)  # the naive analysis: the same network
    kernels = [np.array(list(answer(toy, "psychophysical kernel").values())) for toy in (leaky, noisy)]
    np.testing.assert_allclose(kernels[0][1:] / kernels[0][:-1], 1 / 0.8)
    np.testing.assert_allclose(kernels[1][1:] / kernels[1][:-1], 1)
    for toy, other in ((leaky, noisy), (noisy, leaky)):
        for analysis in ("psychophysical kernel", "kernel decay"):
            assert refuted(toy, analysis, answer(other, analysis))


def test_a_kernel_read_backwards_a_step_late_or_over_both_stimuli_is_refuted() -> None:
    toy = ap.toys.load("leaky_integrator")
    kernel = list(answer(toy, "psychophysical kernel").values())
    steps = list(answer(toy, "psychophysical kernel"))
    for wrong in (kernel[::-1], [0.0, *kernel[:-1]], [-k for k in kernel], [2 * k for k in kernel]):
        assert refuted(toy, "psychophysical kernel", dict(zip(steps, wrong)))
    assert isinstance(toy.stimuli.inputs, torch.Tensor)
    x = toy.stimuli.inputs[..., 0].numpy()
    choice = (ap.wrap(toy).run(toy.stimuli).outputs >= 0).int().numpy()
    # One step at a time over both stimuli: the stimulus moves every step and the choice, so that all seem to count.
    one_by_one = (x - x.mean(axis=0)).T @ (choice - choice.mean()) / len(x)
    assert float(one_by_one[:10].mean()) > 3 * float(np.mean(kernel[:10]))
    assert refuted(toy, "psychophysical kernel", dict(zip(steps, one_by_one.tolist())))


def test_the_weight_of_evidence_by_simulation() -> None:
    """Steps' differences of means by choice within one stimulus, and the closed form beside them."""
    rng = np.random.default_rng(11)
    for name, leak, noise in (("leaky_integrator", 0.8, 0.0), ("noisy_integrator", 1.0, 1.34121)):
        s = rng.normal(size=(200_000, 25)) + 0.1
        d = (s + noise * rng.normal(size=s.shape)) @ leak ** np.arange(25)[::-1]
        slope = ((d >= 0) - (d >= 0).mean()) @ (s - 0.1) / len(s)
        kernel = list(answer(ap.toys.load(name), "psychophysical kernel").values())
        np.testing.assert_allclose(slope, kernel, atol=4 * 0.5 / math.sqrt(len(s)))


# A bound.


def test_bound_as_published_and_without_the_leap_over_it() -> None:
    toy = ap.toys.load("bounded_integrator")
    hit, steps = answer(toy, "accuracy")["intact"], answer(toy, "decision time")["intact"]
    reach = 10 + 0.583
    assert hit == pytest.approx(1 / (1 + math.exp(-0.2 * reach)), abs=1e-4) == pytest.approx(0.8925, abs=1e-4)
    assert steps == pytest.approx(reach / 0.1 * math.tanh(reach * 0.1), abs=0.3)  # published: 83.1
    naive = 10 / 0.1 * math.tanh(10 * 0.1)
    assert naive / steps == pytest.approx(0.91, abs=0.005)
    assert refuted(toy, "decision time", {"intact": naive})
    assert refuted(toy, "accuracy", {"intact": 1 / (1 + math.exp(-2))})


def test_the_integral_equation_by_simulation() -> None:
    rng = np.random.default_rng(5)
    hit, mean, spread = decisions(6.0, 0.2)
    walks = (rng.normal(size=(40_000, 400)) + 0.2).cumsum(axis=1)
    out = np.abs(walks) >= 6
    assert out.any(axis=1).all()
    first = out.argmax(axis=1)
    assert np.mean(walks[np.arange(len(walks)), first] > 0) == pytest.approx(hit, abs=4 * math.sqrt(0.25 / 40_000))
    assert np.mean(first + 1) == pytest.approx(mean, abs=4 * spread / 200)
    assert np.std(first + 1) == pytest.approx(spread, rel=0.03)


# A bandit.


def test_bandit_as_published() -> None:
    toy = ap.toys.load("bandit")
    assert answer(toy, "variance of the learned value")["variance"] == pytest.approx(0.01105, abs=5e-6)
    assert answer(toy, "learned value")["mean"] == pytest.approx(0.7, abs=0.002)
    assert answer(toy, "value after rewards") == pytest.approx({"1": 0.1, "5": 1 - 0.9**5, "20": 1 - 0.9**20})
    assert refuted(toy, "variance of the learned value", {"variance": 0.1 / 2 * 0.21})  # a / 2 for a / (2 - a)
    # Lesioned throughout, both are worth the same. For five rewards the one misses five, the other loses fifteen.
    alone = answer(toy, "single_lesions", "zero")
    assert alone["cell.0"] == alone["cell.error.0"]
    window = answer(toy, "value after lesion at steps 10-14", "zero")
    assert 1 - window["cell"] == pytest.approx((1 - window["cell.error"]) / 0.9**10)


# Rings.


@pytest.mark.parametrize("n_units", [48, 72, 360])
def test_bump_as_published(n_units: int) -> None:
    u, v = fixed_point(n_units, 4.0, 0.0)
    found = shape(u, v)
    assert (found["width"], found["support"]) == pytest.approx((120, 180), abs=1e-6)
    assert found["amplitude"] == pytest.approx(n_units * math.tan(math.pi / n_units) / 2)
    assert found["amplitude"] == pytest.approx(math.pi / 2, abs=1.1e-3 * (72 / n_units) ** 2)


@pytest.mark.parametrize("excitation", [3.0, 3.5, 4.0, 4.5, 5.0])
def test_half_width_solves_its_equation(excitation: float) -> None:
    half = math.radians(shape(*fixed_point(3600, excitation, 0.0))["support"] / 2)
    assert excitation * (half - math.sin(2 * half) / 2) == pytest.approx(2 * math.pi, rel=1e-3)


def curves_of(toy: Toy, delay: str) -> Any:
    rates = ap.record(ap.wrap(toy), toy.stimuli, "cell", batch_size=200)["cell"].isel(time=-1)
    rates = rates[rates["delay"].to_numpy() == delay]
    return ap.tuning_curves(rates, "angle", circular=True, period=360.0, bins=48)


def test_bump_is_a_rectified_cosine_and_no_von_mises() -> None:
    tuning = curves_of(ap.toys.load("ring_attractor"), "long")
    curve = tuning.curves[0].to_numpy()
    distance = np.arange(48) * 7.5
    np.testing.assert_allclose(curve, np.maximum(curve.max() * np.cos(np.radians(distance)), 0), atol=1e-4)
    assert curve[8] == pytest.approx(curve.max() / 2, abs=1e-4)  # 60 degrees away, without any fit
    fit = tuning.fit()
    assert float(fit["r_squared"][0]) < 0.998 and float(fit["baseline"][0]) < -0.01


def test_tuning_cannot_tell_the_rings_and_a_delay_or_a_lesion_can() -> None:
    ring, decoy = ap.toys.load("ring_attractor"), ap.toys.load("feedforward_ring")
    np.testing.assert_allclose(curves_of(ring, "none").curves, curves_of(decoy, "none").curves, atol=2e-5)
    assert curves_of(decoy, "long").curves.max() < 1e-6 < 1.5 < curves_of(ring, "long").curves.max()
    for analysis, kind in (
        ("accuracy by delay", None),
        ("tuned amplitude by delay", None),
        ("tuned amplitude by delay without recurrence", "zero"),
        ("shapley", "zero"),
    ):
        assert refuted(ring, analysis, answer(decoy, analysis, kind), kind), analysis
    assert answer(ring, "accuracy by delay") == {"none": 1.0, "long": 1.0}
    cut = answer(ring, "accuracy by delay without recurrence", "zero")
    assert cut == answer(decoy, "accuracy by delay") == {"none": 1.0, "long": 1 / 48}


# Two senses.


def test_two_senses_as_published() -> None:
    toys = {order: ap.toys.load("multisensory", order=order) for order in ("fuse first", "add last", "multiply last")}
    hits = {order: answer(toy, "accuracy")["intact"] for order, toy in toys.items()}
    assert hits["fuse first"] == pytest.approx(float(binom.sf(4, 9, 0.6))) == pytest.approx(0.7334, abs=5e-5)
    assert hits["add last"] == pytest.approx(0.5)
    assert hits["multiply last"] == pytest.approx(0.5678, abs=5e-5)
    for toy in toys.values():
        values = answer(toy, "value", "zero")
        assert [values[k] for k in values if "+" not in k] == [0.5] * 3  # naive: neither sense matters
    wrong = answer(toys["add last"], "SII", "zero")
    assert all(refuted(toys[order], "SII", wrong, "zero") for order in ("fuse first", "multiply last"))


def test_no_reader_of_the_sums_does_better_than_their_product_and_none_of_their_sum_gets_that_far() -> None:
    """Over all sums that nine steps can give; a tie that counts as 1 would put the sum below chance."""
    agree = np.arange(10)
    one, two = np.meshgrid(agree, agree, indexing="ij")  # agreements where the first sense is 1, and where it is -1
    chance = {}
    for label, p in ((1, 0.6), (0, 0.4)):
        table: dict[tuple[int, int], float] = {}
        for n in range(10):  # steps at which the first sense is 1
            ways = binom.pmf(n, 9, 0.5) * binom.pmf(one, n, p) * binom.pmf(two, 9 - n, p)
            for a, b in zip(*np.nonzero(ways)):
                key = (2 * n - 9, int(2 * a - n - (2 * b - (9 - n))))
                table[key] = table.get(key, 0.0) + float(ways[a, b])
        chance[label] = table
    sums = set(chance[0]) | set(chance[1])
    best = sum(max(chance[1].get(s, 0), chance[0].get(s, 0)) for s in sums) / 2
    product = sum(chance[1].get(s, 0) * (s[0] * s[1] > 0) + chance[0].get(s, 0) * (s[0] * s[1] < 0) for s in sums) / 2
    assert best == pytest.approx(product) == pytest.approx(0.5678, abs=5e-5)
    added = {c: [sum(v for s, v in chance[c].items() if sum(s) == total) for total in range(-18, 19)] for c in (0, 1)}
    assert sum(map(max, added[0], added[1])) / 2 == pytest.approx(0.5501, abs=5e-5)
    assert (sum(added[1][18:]) + sum(added[0][:18])) / 2 == pytest.approx(0.4899, abs=5e-5)


@pytest.mark.parametrize(
    ("name", "options", "said"),
    [
        ("leaky_integrator", {"leak": 1.5}, "leak came as 1.5"),
        ("noisy_integrator", {"as_leak": -0.1}, "as_leak came as -0.1"),
        ("integrator", {"n_steps": 2}, "at least 3"),
        ("bounded_integrator", {"bound": 1.0}, "bound came as 1.0"),
        ("bounded_integrator", {"mu": 0.0}, "mu came as 0.0"),
        ("bandit", {"rate": 0.0}, "rate came as 0.0"),
        ("bandit", {"p": 1.0}, "p came as 1.0"),
        ("ring_attractor", {"excitation": 2.0}, "excitation came as 2.0"),
        ("ring_attractor", {"n_units": 30}, "n_units came as 30"),
        ("feedforward_ring", {"excitation": 1.0}, "excitation came as 1.0"),
        ("multisensory", {"order": "add"}, "order"),
        ("multisensory", {"n_steps": 4}, "odd"),
    ],
)
def test_options_that_have_no_answer_are_refused(name: str, options: dict[str, Any], said: str) -> None:
    with pytest.raises(InputError, match=said):
        ap.toys.load(name, **options)


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("noisy_integrator", {"seed": 3}),
        ("leaky_integrator", {"leak": 0.9, "seed": 4}),
        ("bounded_integrator", {"bound": 6.0, "mu": 0.2, "seed": 2}),
        ("bandit", {"rate": 0.3, "p": 0.4, "seed": 1}),
        ("ring_attractor", {"excitation": 1.0, "n_units": 24}),
        ("ring_attractor", {"excitation": 3.0, "n_units": 36}),
        ("ring_attractor", {"excitation": 5.0, "n_units": 48}),
        ("feedforward_ring", {"excitation": 3.0, "n_units": 36}),
        ("multisensory", {"n_steps": 5, "seed": 1}),
    ],
)
def test_answers_hold_with_other_options(name: str, options: dict[str, Any]) -> None:
    toy = ap.toys.load(name, **options)
    board = ap.verify(toys=[toy], progress=False)
    assert {s.analysis for s in board.scores} == {t.analysis for t in toy.truth}
    assert board.passed, board.in_words()


def rolled(along: str) -> Callable[..., Any]:
    def other(prep: Any, stimuli: Any, site: str, **options: Any) -> Any:
        return {site: ap.record(prep, stimuli, site, **options)[site].roll({along: 1})}

    return other


def without_bins(*args: Any, bins: int, **options: Any) -> Any:
    return ap.tuning_curves(*args, **options)


def one_early(site: str, *, kind: Any, time: Any = None) -> ap.Lesion:
    return ap.Lesion(site, kind=kind, time=None if time is None else range(time.start - 1, time.stop - 1))


SABOTAGES: list[tuple[str, str, Any, set[str]]] = [
    ("leaky_integrator", "record", rolled("time"), {"psychophysical kernel"}),
    ("leaky_integrator", "record", rolled("trial"), {"psychophysical kernel"}),
    ("noisy_integrator", "record", rolled("unit"), {"psychophysical kernel"}),  # the noise for the evidence
    ("bounded_integrator", "output", lambda index: ap.scores.output(0), {"decision time"}),
    ("bandit", "record", rolled("time"), {"value after rewards"}),
    ("bandit", "lesioned", nullcontext, {"value after rewards without its error"}),
    ("bandit", "Lesion", one_early, {"value after lesion at steps 10-14"}),
    ("ring_attractor", "record", rolled("trial"), {"tuned amplitude by delay", "tuned width by delay"}),
    ("ring_attractor", "lesioned", nullcontext, {"accuracy by delay without recurrence"}),
    ("ring_attractor", "tuning_curves", without_bins, {"tuned amplitude by delay"}),
    ("multisensory", "record", rolled("trial"), {"d_prime at the last step"}),
]


@pytest.mark.parametrize(
    ("name", "part", "other", "analyses"), SABOTAGES, ids=lambda v: v if isinstance(v, str) else ""
)
def test_a_wrong_part_of_an_answer_turns_the_board_red(
    name: str, part: str, other: Any, analyses: set[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    toy = ap.toys.load(name)
    mine = [m for m in dynamics_answers.METHODS if any(m.applies(toy, t) for t in toy.truth)]
    assert ap.verify(mine, toys=[toy], progress=False).passed
    monkeypatch.setattr(dynamics_answers, part, other)
    assert {s.analysis for s in ap.verify(mine, toys=[toy], progress=False).failures} >= analyses
