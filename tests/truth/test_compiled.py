"""Programs compiled into a Phi-3: they compute what they are named for, and lesions find what heads do."""

from __future__ import annotations

import copy
import importlib.util
import itertools
import math
from typing import Any

import numpy as np
import pytest
import torch

import artiphys as ap
from artiphys.toys import Toy
from artiphys.toys.compilation import compiler
from artiphys.verification.answers import shipped
from artiphys.verification.result import described
from artiphys.verification.scoring import scored

NAMES = ("compiled_adder", "compiled_reversal", "compiled_counting", "compiled_induction")
needs_torchwright = pytest.mark.skipif(
    not compiler.installed(),
    reason="the compiled extra is not installed (torchwright): pip install 'artiphys[compiled]'",
)


def logits(toy: Toy, lesioned: tuple[str, ...] = ()) -> torch.Tensor:
    """Of the transformers model alone, without some players: what their outputs are multiplied with is zero."""
    model: Any = copy.deepcopy(toy.model)
    for player in toy.lesion_players():
        if player.name in lesioned:
            target: Any = player.targets[0]
            block = model.model.layers[int(target.site.split(".")[1])]
            if target.axis == "head":
                width = compiler.HEAD_WIDTH
                block.self_attn.o_proj.weight[:, target.units[0] * width : (target.units[0] + 1) * width] = 0
            else:
                block.mlp.down_proj.weight.zero_()
    inputs: Any = toy.stimuli.inputs
    out: torch.Tensor = model(inputs).logits
    return out


def test_without_torchwright_the_others_stay(monkeypatch: pytest.MonkeyPatch) -> None:
    there = importlib.util.find_spec

    def hidden(name: str, package: str | None = None) -> Any:
        return None if name == "torchwright" else there(name, package)

    monkeypatch.setattr(importlib.util, "find_spec", hidden)
    assert not set(NAMES) & set(ap.toys.names()) and "xor" in ap.toys.names()
    for name in NAMES:
        with pytest.raises(ap.errors.InputError, match=r"pip install 'artiphys\[compiled\]'"):
            ap.toys.load(name)


@pytest.fixture(scope="module")
def toys() -> dict[str, Toy]:
    return {name: ap.toys.load(name) for name in NAMES}


@needs_torchwright
class TestCompiled:
    def test_they_are_listed(self) -> None:
        assert set(NAMES) <= set(ap.toys.names())

    def test_the_models_alone_give_the_answers(self, toys: dict[str, Toy]) -> None:
        for name in NAMES:
            shown: Any = toys[name].stimuli.inputs
            told = logits(toys[name]).argmax(-1)
            conditions = toys[name].stimuli.conditions
            if name == "compiled_adder":  # tokens: <bos>, 0, 1, ...
                assert (told[:, -1] - 1 == torch.tensor(conditions["sum"].tolist())).all()
            elif name == "compiled_counting":  # <bos>, x, y, z, ?, 0, 1, ...
                assert told[:, -1].tolist() == [5 + row.count(1) for row in shown.tolist()]
            elif name == "compiled_reversal":
                assert told[:, 5:].tolist() == [row[4:0:-1] for row in shown.tolist()]
            else:
                assert told[:, 7:-1].tolist() == shown[:, 8:].tolist()

    def test_values_of_all_coalitions_by_weight_edits(self, toys: dict[str, Toy]) -> None:
        """Shapley values and single lesions of the toys, without any lesion of artiphys."""
        for name in NAMES:
            toy, players = toys[name], toys[name].lesion_players().names
            subsets = [frozenset(s) for k in range(len(players) + 1) for s in itertools.combinations(players, k)]
            values = {
                s: float(toy.score(logits(toy, tuple(set(players) - s)), toy.stimuli).mean()) for s in subsets
            }  # fmt: skip
            every, n = frozenset(players), len(players)
            weight = [1 / (n * math.comb(n - 1, k)) for k in range(n)]
            phi = {
                p: sum(weight[len(s)] * (values[s | {p}] - values[s]) for s in subsets if p not in s) for p in players
            }
            assert toy.truths("shapley", "zero").expected == pytest.approx(phi, abs=1e-6), name
            alone = {p: values[every] - values[every - {p}] for p in players}
            assert toy.truths("single_lesions", "zero").expected == pytest.approx(alone, abs=1e-6), name

    def test_numbers_as_derived(self, toys: dict[str, Toy]) -> None:
        adder, reversal, counting, induction = (dict(toys[n].truths("single_lesions", "zero").expected) for n in NAMES)
        assert adder["first"] == adder["second"] == adder["sum"] == pytest.approx(6 / 7)
        assert adder["erase 1"] == 1
        # b = 0 and 1 are right, 2 ties with the answer 0 unless that is the sum, which it never is.
        assert adder["erase 3"] == pytest.approx(1 - (2 + 0.5) / 7)
        assert reversal.pop("empty 0.0") == 0 and len(reversal) == 7
        assert list(reversal.values()) == pytest.approx([10 / 44] * 7)
        shapley = toys["compiled_reversal"].truths("shapley", "zero").expected
        assert shapley["read 0"] == pytest.approx(10 / 44)
        assert shapley["read 1"] == shapley["step 1"] == pytest.approx(5 / 44)
        assert counting == pytest.approx(
            {"share": 6 / 7, "invert": 12 / 13, "choose": 6 / 7, "erase 1": 1, "empty 3.0": 0}
        )
        assert induction == pytest.approx(
            {"previous": 1, "match": 13 / 14, "erase 2": 0.5, "erase 1": 0, "empty 0.0": 0}
        )

    def test_other_trials_have_the_same_truths(self) -> None:
        options: dict[str, dict[str, int]] = {
            "compiled_reversal": {"n_trials": 3, "seed": 5},
            "compiled_counting": {"trials_per_count": 3, "seed": 5},
            "compiled_induction": {"n_trials": 3, "seed": 5},
        }
        for name, given in options.items():
            toy = ap.toys.load(name, **given)
            for truth in (
                t for t in toy.truth if t.analysis in ("accuracy", "single_lesions", "attention", "variables")
            ):
                (method,) = [m for m in shipped().values() if m.applies(toy, truth)]
                score = scored(method, toy, truth)
                assert score.passed, described(score)

    def test_compiling_again_gives_the_same_weights(self, toys: dict[str, Toy]) -> None:
        for name in reversed(NAMES):
            again = ap.toys.load(name).model.state_dict()
            assert all(torch.equal(again[key], tensor) for key, tensor in toys[name].model.state_dict().items())

    def test_a_wrapped_toy_is_examined_as_one_that_was_not(self, toys: dict[str, Toy]) -> None:
        toy = toys["compiled_induction"]
        assert ap.wrap(toy) is ap.wrap(toy)
        assert ap.verify(["score", "single_lesions"], toys=toy, progress=False).passed

    def test_attention_alone_does_not_name_a_head(self, toys: dict[str, Toy]) -> None:
        """Naive: "read 0" and "step 1" both look one back; one carries the token, the other whether it is the bar."""
        toy = toys["compiled_reversal"]
        sites = ["blocks.1.attn.hook_pattern", "blocks.1.attn.hook_z"]
        rec = ap.record(ap.wrap(toy), toy.stimuli, sites, progress=False)
        look, carry = (rec[site].to_numpy() for site in sites)
        targets: Any = {p.name: p.targets[0] for p in toy.lesion_players()}
        heads = {name: t.units[0] for name, t in targets.items() if t.site == sites[1]}
        answer = slice(5, 9)
        places = {name: look[:, head, answer].mean(0).argmax(-1).tolist() for name, head in heads.items()}
        assert places == {
            "read 0": [4, 5, 6, 7], "step 1": [4, 5, 6, 7], "step 2": [3, 4, 5, 6], "step 3": [2, 3, 4, 5],
        }  # fmt: skip
        # At the first answer the head that reads carries the last token, which is not the same in all trials.
        assert carry[:, 5, heads["read 0"]].std(0).max() > 0.1
        assert np.abs(carry[:, 5, heads["step 1"]]).max() == pytest.approx(0, abs=1e-6)

    def test_a_lesion_takes_one_answer_whole(self, toys: dict[str, Toy]) -> None:
        """The naive mean over positions says that all answers get a little worse."""
        toy = toys["compiled_reversal"]
        inputs: Any = toy.stimuli.inputs
        out = logits(toy, ("read 2",))[:, 5:]
        right = out.argmax(-1) == inputs[:, [4, 3, 2, 1]]
        assert right[:, [0, 1, 3]].all() and (out[:, 2] == 0).all()

    def test_an_eraser_takes_more_than_a_reader_and_holds_no_number(self, toys: dict[str, Toy]) -> None:
        """What the eraser of the adder adds at the answer is the same in all trials; lesions alone call it vital."""
        toy = toys["compiled_adder"]
        targets: Any = {p.name: p.targets[0] for p in toy.lesion_players()}
        site = targets["erase 1"].site
        z = ap.record(ap.wrap(toy), toy.stimuli, site, progress=False)[site][:, -1].to_numpy()
        spread = {name: np.ptp(z[:, targets[name].units[0]], axis=0).max() for name in ("first", "second", "erase 1")}
        assert spread["erase 1"] == pytest.approx(0, abs=1e-5) and spread["first"] > 1 and spread["second"] > 1
        lost = toy.truths("single_lesions", "zero").expected
        assert lost["erase 1"] > max(lost["first"], lost["second"])

    def test_another_plan_is_refused(self) -> None:
        made = compiler.Compiled(torch.nn.Identity(), ["a"], {"x": (1, 0)}, {}, {"x": (1, (3, 4, 7))})
        made.check_placed("toy", {"x": (1, 0, "3-4 7")})
        for other in ((1, 1, "3-4 7"), (1, 0, "3-5 7"), (2, 0, "3-4 7")):
            with pytest.raises(ap.errors.InputError, match=r"torchwright==0\.2\.0"):
                made.check_placed("toy", {"x": other})

    @pytest.mark.parametrize(
        ("name", "option"),
        [
            ("compiled_reversal", "n_trials"),
            ("compiled_counting", "trials_per_count"),
            ("compiled_induction", "n_trials"),
        ],
    )
    def test_no_trials_are_refused(self, name: str, option: str) -> None:
        with pytest.raises(ap.errors.InputError, match=f"{option} came as 0"):
            ap.toys.load(name, **{option: 0})
