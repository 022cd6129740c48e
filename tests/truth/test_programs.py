"""Programs by hand: they compute what they are named for, by heads in known roles; and what naive analyses say."""

from __future__ import annotations

import copy
import itertools
import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest
import torch
from sklearn.tree import DecisionTreeClassifier

import artiphys as ap
from artiphys.toys import Toy
from artiphys.verification import Method
from artiphys.verification.answers import shipped
from artiphys.verification.methods import Case
from artiphys.verification.result import described
from artiphys.verification.scoring import scored

HEADS = {
    "reverse": ("length", "previous", "mirror", "backup"),
    "count": ("cue", "count", "others"),
    "sort": ("smaller", "twice", "larger", "place"),
}
OTHERS: dict[str, dict[str, Any]] = {
    "reverse": {"vocabulary": 3, "lengths": (5, 9), "trials_per_length": 2, "seed": 1},
    "count": {"kinds": 2, "tokens_per_kind": 1, "length": 9, "trials_per_count": 1, "seed": 1},
    "sort": {"vocabulary": 9, "length": 9, "rounds": 1, "seed": 1},
}


def answered(toy: Toy, lesioned: tuple[str, ...] = ()) -> Any:
    """Classes ``(trial, time)`` of largest logit, without some heads: their value weights are zero."""
    return logits(toy, lesioned).argmax(-1)


def logits(toy: Toy, lesioned: tuple[str, ...] = ()) -> torch.Tensor:
    model = copy.deepcopy(toy.model)
    for head in lesioned:
        model.get_submodule(f"{head}.value").weight.data.zero_()  # type: ignore[operator]
    out: torch.Tensor = model(toy.stimuli.inputs)
    return out


@pytest.mark.parametrize("seed", [0, 7])
def test_reverse_writes_the_prompt_backwards_by_itself(seed: int) -> None:
    toy = ap.toys.load("reverse", seed=seed)
    n = 6
    bos, sep, pad = 8, 9, 10
    for word in np.random.default_rng(seed).integers(0, 8, (5, n)).tolist():
        shown = [bos, *word, sep]
        while len(shown) < 2 * n + 2:
            tokens = torch.tensor([shown + [pad] * (2 * n + 1 - len(shown))])[:, : 2 * n + 1]
            shown.append(int(toy.model(tokens)[0, len(shown) - 1].argmax()))
        assert shown[n + 2 :] == word[::-1]


@pytest.mark.parametrize("options", [{}, OTHERS["count"]])
def test_count_counts(options: dict[str, Any]) -> None:
    toy = ap.toys.load("count", **options)
    kinds, per_kind = options.get("kinds", 3), options.get("tokens_per_kind", 4)
    words = kinds * per_kind
    for row, got in zip(toy.stimuli.inputs.tolist(), answered(toy)[:, -1].tolist()):  # type: ignore[union-attr]
        wanted = row[1] - words
        assert got == sum(token // per_kind == wanted for token in row[2:-1])
    assert np.bincount(toy.labels).std() == 0, "every count is as frequent"
    assert (answered(toy, ("cue",))[:, -1] == 0).all(), "nothing is wanted: none"
    assert (answered(toy, ("count",))[:, -1] == toy.labels.max()).all(), "nothing is left for BOS: all"


@pytest.mark.parametrize("options", [{}, OTHERS["sort"]])
def test_sort_sorts(options: dict[str, Any]) -> None:
    toy = ap.toys.load("sort", **options)
    words = toy.stimuli.inputs[:, 1:].tolist()  # type: ignore[index]
    assert answered(toy)[:, 1:].tolist() == [sorted(word) for word in words]
    assert answered(toy, ("smaller",))[:, 1:].tolist() == [[min(w)] * len(w) for w in words]
    assert answered(toy, ("twice",))[:, 1:].tolist() == [[max(w)] * len(w) for w in words]


LARGEST: dict[str, dict[str, Any]] = {
    "reverse": {"lengths": (24,), "trials_per_length": 4},
    "count": {"length": 24, "trials_per_count": 1},
    "sort": {"vocabulary": 30, "length": 24, "rounds": 1},
}


@pytest.mark.parametrize("options", [OTHERS, LARGEST], ids=["other", "largest"])
@pytest.mark.parametrize("name", HEADS)
def test_truths_of_other_sizes_are_found(name: str, options: dict[str, dict[str, Any]]) -> None:
    toy = ap.toys.load(name, **options[name])
    for truth in toy.truth:
        for method in (m for m in shipped().values() if m.applies(toy, truth)):
            score = scored(method, toy, truth)
            assert score.passed, described(score)


@pytest.mark.parametrize("name", HEADS)
def test_values_of_all_coalitions_by_weight_edits(name: str) -> None:
    """Shapley values and single lesions by enumeration over permutations, without any lesion of artiphys."""
    toy, heads = ap.toys.load(name), HEADS[name]

    def value(intact: frozenset[str]) -> float:
        return float(toy.score(logits(toy, tuple(h for h in heads if h not in intact)), toy.stimuli).mean())

    values = {
        frozenset(s): value(frozenset(s)) for k in range(len(heads) + 1) for s in itertools.combinations(heads, k)
    }
    everything, phi = frozenset(heads), dict.fromkeys(heads, 0.0)
    for order in itertools.permutations(heads):
        for i, head in enumerate(order):
            phi[head] += values[frozenset(order[: i + 1])] - values[frozenset(order[:i])]
    n = math.factorial(len(heads))
    shapley, single = (toy.truths(a, "zero").expected for a in ("shapley", "single_lesions"))
    assert shapley == pytest.approx({f"{h}.z": phi[h] / n for h in heads}, abs=1e-6)
    assert single == pytest.approx({f"{h}.z": values[everything] - values[everything - {h}] for h in heads}, abs=1e-6)


def test_numbers_as_derived() -> None:
    reverse, count, sort = (ap.toys.load(name) for name in HEADS)
    assert reverse.truths("shapley", "zero").expected == pytest.approx(
        {"length.z": 7 / 12, "mirror.z": 7 / 48, "backup.z": 7 / 48, "previous.z": 0}
    )
    assert set(reverse.truths("minimal circuits", "zero").expected) == {"length.z+mirror.z", "length.z+backup.z"}
    assert set(reverse.truths("critical sets .05", "zero").expected) == {"length.z", "mirror.z+backup.z"}
    assert count.truths("shapley", "zero").expected == pytest.approx({"cue.z": 3 / 7, "count.z": 3 / 7, "others.z": 0})
    assert count.truths("attention").expected["count.pattern.8.0"] == pytest.approx(2.592857 / 7, abs=1e-6)
    assert sort.truths("single_lesions", "zero").expected == pytest.approx(
        {"smaller.z": 5 / 6, "twice.z": 5 / 6, "place.z": 11 / 12, "larger.z": 0}
    )
    # Without a counter one of six is still right, more than without the head that places: impaired, not abolished.
    assert set(sort.truths("critical sets .95", "zero").expected) == {"smaller.z", "twice.z", "place.z"}
    assert set(sort.truths("critical sets .05", "zero").expected) == {"place.z"}


def test_naive_single_lesions_call_the_mirror_and_its_backup_useless() -> None:
    toy = ap.toys.load("reverse")
    game = ap.Game(ap.wrap(toy), toy.stimuli, toy.score, toy.lesion_players(), kind="zero")
    alone = dict(zip(map(str, game.player_names), ap.single_lesions(game).values.to_numpy()))
    assert max(abs(alone[name]) for name in ("mirror.z", "backup.z", "previous.z")) < 1e-9
    assert game(np.array([[p in ("length.z", "previous.z") for p in game.player_names]])) == pytest.approx([1 / 8])


def test_naive_recording_calls_the_backup_silent() -> None:
    toy = ap.toys.load("reverse")
    prep = ap.wrap(toy)
    intact = ap.record(prep, toy.stimuli, ["backup.z", "mirror.z"], progress=False)
    with ap.lesioned(prep, ap.Lesion("mirror.z", kind="zero")):
        alone = ap.record(prep, toy.stimuli, ["backup.z"], progress=False)
    at = slice(7, 9)  # answers in all trials
    assert float(abs(intact["backup.z"][:, at]).max()) == 0
    assert np.array_equal(alone["backup.z"][:, at].to_numpy(), intact["mirror.z"][:, at].to_numpy())


def test_naive_decoding_finds_the_count_where_nobody_reads_it() -> None:
    toy = ap.toys.load("count", trials_per_count=6)
    rec = ap.record(ap.wrap(toy), toy.stimuli, ["others.z", "count.z"], progress=False)
    for site in ("others.z", "count.z"):
        decoding = ap.decode(rec[site][:, -1], "count", DecisionTreeClassifier(), n_permutations=0, progress=False)
        assert decoding.score == 1, "against 1/7 by chance"
    lost = toy.truths("single_lesions", "zero").expected
    assert lost["others.z"] == 0 and lost["count.z"] == pytest.approx(6 / 7)


def test_naive_reading_of_attention_takes_the_mark_for_a_sink() -> None:
    """Most attention of the counter lies on tokens, whose values are zero; what it writes is its attention on BOS."""
    toy = ap.toys.load("count")
    rec = ap.record(ap.wrap(toy), toy.stimuli, ["count.z", "count.pattern"], progress=False)
    z, pattern = rec["count.z"][:, -1].to_numpy(), rec["count.pattern"][:, -1].to_numpy()
    assert pattern[:, 2:-1].sum(1).mean() > 0.6
    assert z.sum(1) == pytest.approx(pattern[:, 0], abs=1e-6)
    assert (np.count_nonzero(z, axis=1) == 1).all()


def test_naive_decoding_calls_one_of_two_counters_spare() -> None:
    toy = ap.toys.load("sort")
    tokens: Any = toy.stimuli.inputs
    rank = tokens[:, 1:].argsort(1).argsort(1).numpy()
    rec = ap.record(ap.wrap(toy), toy.stimuli, ["smaller.z", "twice.z", "larger.z"], progress=False)
    for site, of_rank in {"smaller.z": 1 / (rank + 1), "twice.z": 2 / (rank + 2), "larger.z": 1 / (6 - rank)}.items():
        assert rec[site][:, 1:].sum("unit").to_numpy() == pytest.approx(of_rank, abs=1e-6), "it tells every rank"
    lost = toy.truths("single_lesions", "zero").expected
    assert lost["smaller.z"] == lost["twice.z"] == pytest.approx(5 / 6) and lost["larger.z"] == 0


@pytest.mark.parametrize("name", HEADS)
@pytest.mark.parametrize("wrong", ["transposed", "shifted", "summed"])
def test_a_wrong_reading_of_attention_does_not_pass(name: str, wrong: str) -> None:
    def answer(case: Case) -> Mapping[str, float]:
        found = {}
        for key in case.truth.expected:
            site, query, at = key.rsplit(".", 2)
            x = ap.record(case.prep, case.toy.stimuli, [site], progress=False)[site].to_numpy()
            q, k = int(query), int(at)
            found[key] = {
                "transposed": x[:, k, q].mean(),
                "shifted": x[:, q, k + 1].mean(),
                "summed": x[:, q].sum(-1).mean(),
            }[wrong]
        return found

    toy = ap.toys.load(name)
    assert not scored(Method("wrong", answer, lambda toy, truth: True), toy, toy.truths("attention")).passed


@pytest.mark.parametrize(
    ("name", "options", "said"),
    [
        ("reverse", {"vocabulary": 1}, "vocabulary came as 1"),
        ("reverse", {"lengths": (3, 6)}, "longest under twice the shortest"),
        ("reverse", {"lengths": ()}, "wanted different ones"),
        ("reverse", {"lengths": (4, 4)}, "wanted different ones"),
        ("reverse", {"trials_per_length": 0}, "trials_per_length came as 0"),
        ("reverse", {"lengths": (25,)}, "the longest came as 25; wanted at most 24"),
        ("count", {"kinds": 1}, "kinds came as 1"),
        ("count", {"length": 25}, "length came as 25; wanted at most 24"),
        ("sort", {"vocabulary": 40, "length": 25}, "length came as 25; wanted at most 24"),
        ("count", {"length": 0}, "length came as 0"),
        ("sort", {"vocabulary": 5}, "vocabulary came as 5; wanted at least 6"),
        ("sort", {"length": 1}, "length came as 1"),
        ("sort", {"sizes": 3}, "does not take these options"),
    ],
)
def test_bad_options_are_refused(name: str, options: dict[str, Any], said: str) -> None:
    with pytest.raises(ap.errors.InputError, match=said):
        ap.toys.load(name, **options)
