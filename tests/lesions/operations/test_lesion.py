"""Lesions: kinds, times, references, donors, hashing and pickling."""

from __future__ import annotations

import math
import pickle
from typing import Any

import numpy as np
import pytest
import torch
from fixtures.games import looped, net
from fixtures.networks import X, small
from torch import Tensor, nn

import artiphys as ap
from artiphys.errors import ArtiphysError, InputError, LesionError, SiteError
from artiphys.lesions.cache.keys import lesion_words


def read(prep: ap.Preparation, lesion: ap.Lesion, stimuli: Any = X, site: str = "1") -> Tensor:
    with torch.no_grad(), ap.lesioned(prep, lesion):
        return prep.run(stimuli, read=site).activity[prep.sites[site].name]


def intact(prep: ap.Preparation, stimuli: Any = X, site: str = "1") -> Tensor:
    with torch.no_grad():
        return prep.run(stimuli, read=site).activity[prep.sites[site].name]


def test_simple_kinds_write_what_they_say_and_nothing_else() -> None:
    prep = small()
    x = intact(prep)
    expected = {
        ap.Lesion("1", units=[1, -1], kind="zero"): torch.zeros_like(x),
        ap.Lesion("1", units=[1, 3], kind="clamp", value=0.7): torch.full_like(x, 0.7),
        ap.Lesion("1", units=[1, 3], kind="gain", gain=-2.0): -2 * x,
        ap.Lesion("1", units=[1, 3], kind="mean", reference=ap.record(prep, X, "1")): x.mean(0).expand_as(x),
        ap.Lesion("1", units=[1, 3], kind="mean", reference=ap.Stimuli(X)): x.mean(0).expand_as(x),
    }
    for lesion, value in expected.items():
        got = read(prep, lesion)
        torch.testing.assert_close(got[:, [1, 3]], value[:, [1, 3]])
        assert torch.equal(got[:, [0, 2]], x[:, [0, 2]])


def test_whole_site_when_no_units_are_named() -> None:
    prep = small()
    assert not read(prep, ap.Lesion("1", kind="zero")).any()


def test_masks_select_and_do_not_multiply() -> None:
    prep = small()

    def huge(x: Tensor, at: Any) -> Tensor:
        return torch.full_like(x, torch.inf)

    with torch.no_grad(), ap.lesioned(prep, ap.Lesion("1", units=[0], kind="zero")):
        got = prep.run(X, read="1", write={"0": huge}).activity["1"]
    assert not got[:, 0].any() and not got.isnan().any()


def test_noise_belongs_to_the_trial() -> None:
    prep = small()
    stimuli = ap.Stimuli(torch.zeros(2000, 3))
    lesion = ap.Lesion("1", kind="noise", sd=0.5, seed=3)
    noise = read(prep, lesion, stimuli) - intact(prep, stimuli)
    assert float(noise.mean()) == pytest.approx(0, abs=0.03) and float(noise.std()) == pytest.approx(0.5, rel=0.03)
    assert float(torch.corrcoef(noise.T).fill_diagonal_(0).abs().max()) < 0.1
    some = stimuli[[7, 3, 1500]]
    torch.testing.assert_close(read(prep, lesion, some) - intact(prep, some), noise[[7, 3, 1500]])
    other = ap.Lesion("1", kind="noise", sd=0.5, seed=4)
    assert not torch.allclose(read(prep, other, some), read(prep, lesion, some))


def test_noise_is_the_same_step_by_step() -> None:
    """The same numbers whether a site is written at once or once per step."""
    torch.manual_seed(0)
    prep = ap.wrap(nn.Sequential(nn.GRU(2, 3, batch_first=True)), torch.zeros(2, 5, 2))
    x = torch.zeros(4, 5, 2)
    lesion = ap.Lesion("0.h0", kind="noise", sd=1.0)
    with torch.no_grad(), ap.lesioned(prep, lesion):
        a = prep.run(x, read="0.h0").activity["0.h0"]
    assert len({float(v) for v in a.flatten()}) == a.numel(), "every trial, step and unit has its own noise"


def test_resample_takes_another_trial_whatever_the_batch() -> None:
    prep = small()
    stimuli = ap.Stimuli(X, ids=np.arange(12) * 3)
    rec = ap.record(prep, stimuli, "1")
    lesion = ap.Lesion("1", kind="resample", reference=rec, seed=0)
    x, got = intact(prep, stimuli), read(prep, lesion, stimuli)
    donors = [int((x == row).all(dim=1).nonzero()[0, 0]) for row in got]
    assert all(d != i for i, d in enumerate(donors)) and len(set(donors)) > 3
    torch.testing.assert_close(read(prep, lesion, stimuli[[5, 2]]), got[[5, 2]])
    assert not torch.equal(read(prep, ap.Lesion("1", kind="resample", reference=rec, seed=1), stimuli), got)
    mean = read(prep, ap.Lesion("1", kind="resample", reference=rec, n_donors=11), stimuli)
    torch.testing.assert_close(mean, (x.sum(0) - x) / 11)
    with pytest.raises(LesionError, match="11 other trials"):
        read(prep, ap.Lesion("1", kind="resample", reference=rec, n_donors=12), stimuli)


def test_named_donors_are_activation_patching() -> None:
    prep = small()
    lesion = ap.Lesion("1", kind="resample", reference=ap.record(prep, X, "1"), donors={0: 1, 1: 0})
    assert torch.equal(read(prep, lesion, X[:2]), intact(prep)[[1, 0]])
    with pytest.raises(LesionError, match="no recorded donor for trial 2"):
        read(prep, lesion, X[:3])


def test_project_removes_a_direction_and_nothing_else() -> None:
    prep = small()
    d = torch.tensor([1.0, 2.0, 0.0, -1.0])
    got, x = read(prep, ap.Lesion("1", kind="project", direction=d)), intact(prep)
    unit = d / d.norm()
    torch.testing.assert_close(got, x - (x @ unit)[:, None] * unit)
    centred = read(prep, ap.Lesion("1", kind="project", direction=d, reference=ap.Stimuli(X)))
    torch.testing.assert_close(centred @ unit, (x.mean(0) @ unit).expand(12))
    with pytest.raises(LesionError, match="3 entries"):
        read(prep, ap.Lesion("1", kind="project", direction=[1.0, 0, 0]))


def test_projections_in_a_game_remove_their_span_in_any_order() -> None:
    prep = small()
    a, b = [1.0, 1.0, 0, 0], [1.0, 0.5, 0, 0]
    lesions = [ap.Lesion("1", kind="project", direction=d) for d in (a, b)]

    def first_unit(outputs: Tensor, trials: ap.Stimuli) -> Tensor:
        return outputs[:, 0]

    games = [ap.Game(prep, X, first_unit, order, kind="project") for order in (lesions, lesions[::-1])]
    none = np.zeros((1, 2), dtype=bool)
    assert games[0](none) == pytest.approx(games[1](none), rel=1e-6)
    gone = ap.Lesion("1", units=[0, 1], kind="zero")  # the two directions span units 0 and 1
    with torch.no_grad(), ap.lesioned(prep, gone):
        expected = float(prep.run(X).outputs[:, 0].double().mean())
    assert games[0](none)[0] == pytest.approx(expected, rel=1e-5)


def test_projections_of_one_game_need_one_reference() -> None:
    """Relative to different means the result would depend on which came first."""
    prep = small()
    some, all_of_them = ap.Stimuli(X[:3]), ap.Stimuli(X)
    for references, fits in (((some, all_of_them), False), ((some, None), False), ((some, some), True)):
        lesions = [
            ap.Lesion("1", kind="project", direction=d, reference=r)
            for d, r in zip(([1.0, 1.0, 0, 0], [1.0, 0.5, 0, 0]), references)
        ]
        if fits:
            assert ap.Game(prep, X, ap.scores.output(), lesions, kind="project").n_players == 2
            continue
        with pytest.raises(LesionError, match="reference"):
            ap.Game(prep, X, ap.scores.output(), lesions, kind="project")


def test_projections_on_different_heads_are_players_of_their_own() -> None:
    prep, site, tokens = bert(), "blocks.0.attn.hook_z", torch.tensor([[3, 4, 5], [6, 7, 8]])
    lesions = [ap.Lesion(site, units=[h], kind="project", direction=[1.0, 2.0, 0, 0]) for h in (0, 1)]

    def score(outputs: Tensor, trials: ap.Stimuli) -> Tensor:
        return outputs.flatten(1).double().pow(2).sum(dim=1)

    game = ap.Game(prep, tokens, score, lesions, kind="project")
    for cut in ([0], [1], [0, 1]):
        with torch.no_grad(), ap.lesioned(prep, *[lesions[h] for h in cut]):
            expected = float(score(prep.run(tokens).outputs, ap.Stimuli(tokens)).mean())
        assert game([[h not in cut for h in (0, 1)]])[0] == pytest.approx(expected, rel=1e-6)
    assert len(set(game([[True, True], [True, False], [False, True], [False, False]]))) == 4


def windows() -> list[tuple[Any, list[int]]]:
    return [
        (1, [1]),
        (-1, [3]),
        ([0, -2], [0, 2]),
        (slice(1, 3), [1, 2]),
        (slice(-2, None), [2, 3]),
        (range(2), [0, 1]),
    ]


@pytest.mark.parametrize(("time", "cut"), windows())
def test_time_windows(time: Any, cut: list[int]) -> None:
    torch.manual_seed(0)
    for model in (nn.GRU(2, 3, batch_first=True), nn.Linear(2, 3)):
        prep = ap.wrap(nn.Sequential(model), torch.zeros(2, 4, 2))
        x = torch.randn(5, 4, 2)
        got = read(prep, ap.Lesion("0", kind="zero", time=time), x, "0")
        zero = [t for t in range(4) if not got[:, t].any()]
        assert zero == cut


def test_time_counts_valid_tokens_and_conditions_name_positions() -> None:
    prep = bert()
    words = [[3, 4, 5, 6], [7, 8]]
    stimuli = ap.Stimuli.from_tokens(words, {"where": [2, 0]})
    site = "blocks.0.hook_resid_post"

    def cut(time: Any) -> list[list[int]]:
        got = read(prep, ap.Lesion(site, kind="zero", time=time), stimuli, site)
        return [[t for t in range(len(w)) if not got[i, t].any()] for i, w in enumerate(words)]

    assert cut(-1) == [[3], [1]] and cut(0) == [[0], [0]]
    assert cut("where") == [[2], [0]]
    assert cut(slice(1, None)) == [[1, 2, 3], [1]]
    with pytest.raises(LesionError, match="outside a trial of 2"):
        cut(3)
    with pytest.raises(LesionError, match="no column"):
        cut("nowhere")


def bert() -> ap.Preparation:
    from transformers import BertConfig, BertForMaskedLM

    torch.manual_seed(0)
    config = BertConfig(num_hidden_layers=1, num_attention_heads=2, hidden_size=8, intermediate_size=8, vocab_size=20)
    return ap.wrap(BertForMaskedLM(config).eval())


def test_mean_at_each_time_needs_equal_lengths() -> None:
    prep, site = bert(), "blocks.0.hook_resid_post"
    ragged = ap.record(prep, ap.Stimuli.from_tokens([[3, 4, 5], [6]]), site)
    with pytest.raises(LesionError, match="different lengths"):
        ap.Lesion(site, kind="mean", reference=ragged, over="trial")
    with pytest.raises(LesionError, match="different lengths"):
        read(prep, ap.Lesion(site, kind="resample", reference=ragged), ap.Stimuli.from_tokens([[3, 4, 5], [6]]), site)
    four = ap.Lesion(site, kind="mean", reference=ap.record(prep, torch.tensor([[3, 4, 5, 6], [7, 8, 9, 3]]), site))
    with pytest.raises(LesionError, match="trials of 4 times, this run has 3"):
        read(prep, four, torch.tensor([[3, 4, 5]]), site)
    pooled = ap.Lesion(
        site, kind="mean", over="trial,time", reference=ap.record(prep, torch.tensor([[3, 4, 5, 6]]), site)
    )
    got = read(prep, pooled, torch.tensor([[3, 4, 5]]), site)
    assert torch.equal(got[:, 0], got[:, 2])


def test_mean_over_trials_keeps_each_time() -> None:
    prep, site = bert(), "blocks.0.hook_resid_post"
    tokens = torch.tensor([[3, 4, 5], [6, 7, 8], [9, 10, 11]])
    rec = ap.record(prep, tokens, site)
    got = read(prep, ap.Lesion(site, kind="mean", reference=rec), tokens, site)
    np.testing.assert_allclose(got, np.broadcast_to(rec[site].mean("trial"), got.shape), atol=1e-6)


def test_heads_and_other_axes() -> None:
    prep, site = bert(), "blocks.0.attn.hook_z"
    tokens = torch.tensor([[3, 4, 5]])
    head = read(prep, ap.Lesion(site, units=[1], kind="zero"), tokens, site)
    assert not head[:, :, 1].any() and head[:, :, 0].all()
    unit = read(prep, ap.Lesion(site, units=[1], axis="unit", kind="zero"), tokens, site)
    assert not unit[..., 1].any() and unit[..., 0].all()
    with pytest.raises(InputError, match="did you mean 'head'"):
        read(prep, ap.Lesion(site, units=[1], axis="heads", kind="zero"), tokens, site)


def test_nested_lesions_act_in_order_of_entry() -> None:
    prep = small()
    clamp, gain = ap.Lesion("1", kind="clamp", value=1.0), ap.Lesion("1", kind="gain", gain=3.0)
    with ap.lesioned(prep, clamp), ap.lesioned(prep, gain):
        assert (prep.run(X, read="1").activity["1"] == 3).all()
    with ap.lesioned(prep, gain, clamp):
        assert (prep.run(X, read="1").activity["1"] == 1).all()


def test_equality_hash_and_pickle() -> None:
    prep = small()
    rec = ap.record(prep, X, "1")
    make: Any = lambda units, seed=0: ap.Lesion("1", units=units, kind="resample", reference=rec, seed=seed)
    assert make([0]) == make((0,)) and hash(make([0])) == hash(make([0])) and make([0]) != make([1])
    assert make([0]) != make([0], seed=1) and make([0]) != "lesion"
    mean = ap.Lesion("1", units=[0], kind="mean", reference=rec)
    copied = pickle.loads(pickle.dumps(mean))
    assert copied == mean and torch.equal(read(prep, copied), read(prep, mean))
    data = pickle.dumps(make([0]))
    assert len(data) < 4000, "pickling a lesion must not pickle a recording"
    assert pickle.loads(data) == make([0])
    with pytest.raises(LesionError, match="left its donors behind"):
        read(prep, pickle.loads(data))


def test_reference_of_another_model_or_site_raises() -> None:
    prep = small()
    other = ap.wrap(nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 2)), torch.zeros(2, 3))
    with pytest.raises(LesionError, match="another model"):
        read(prep, ap.Lesion("1", kind="mean", reference=ap.record(other, X, "1")))
    with pytest.raises(LesionError, match="does not hold site"):
        ap.Lesion("1", kind="mean", reference=ap.record(prep, X, "0"))
    rec = ap.record(prep, X, "1")
    with torch.no_grad():
        prep.model[0].weight[0, 0] += 1  # type: ignore[index]
    with pytest.raises(LesionError, match="before its weights changed"):
        read(prep, ap.Lesion("1", kind="mean", reference=rec))


BAD: list[tuple[dict[str, Any], str]] = [
    ({"kind": "ablate"}, "kind came as 'ablate'"),
    ({"kind": "mean"}, "needs reference="),
    ({"kind": "resample"}, "needs reference="),
    ({"kind": "mean", "reference": "rec"}, "wanted a Recording"),
    ({"kind": "noise"}, "needs sd="),
    ({"kind": "noise", "sd": -1}, "0 or more"),
    ({"kind": "gain"}, "needs gain="),
    ({"kind": "clamp"}, "needs value="),
    ({"kind": "clamp", "value": float("nan")}, "finite"),
    ({"kind": "zero", "sd": 1.0}, "means nothing"),
    ({"kind": "project"}, "needs one"),
    ({"kind": "zero", "direction": [1.0]}, "project"),
    ({"kind": "project", "direction": [0.0, 0.0]}, "not 0"),
    ({"kind": "zero", "units": ["a"]}, "whole numbers"),
    ({"kind": "zero", "time": 1.5}, "time came as"),
    ({"kind": "zero", "over": "units"}, "over came as"),
]


@pytest.mark.parametrize(("options", "message"), BAD)
def test_bad_lesions_say_what_to_do(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ArtiphysError, match=message):
        ap.Lesion("1", **options)


def test_bad_places_say_what_to_do() -> None:
    prep = small()
    for units, message in (([4], "0 to 3"), ([0, 0], "twice"), ([0, -4], "twice"), ([], "at least one")):
        with pytest.raises(InputError, match=message):
            read(prep, ap.Lesion("1", units=units, kind="zero"))
    with pytest.raises(LesionError, match="no time axis"):
        read(prep, ap.Lesion("1", kind="zero", time=0))
    with pytest.raises(SiteError, match="no site 'hidden'"):
        read(prep, ap.Lesion("hidden", kind="zero"))
    with pytest.raises(LesionError, match="no lesions"), ap.lesioned(prep):
        pass
    with pytest.raises(LesionError, match="got a str"), ap.lesioned(prep, "1"):  # type: ignore[arg-type]
        pass
    lesion: Any = ap.Lesion("1", kind="resample", reference=ap.record(prep, X, "1"))
    with pytest.raises(LesionError, match=r"prep\.run"), ap.lesioned(prep, lesion):
        prep.model(X)


MISUSE: list[tuple[Any, str]] = [
    (lambda: ap.Lesion("1", units=[1.5], kind="zero"), "whole numbers"),  # type: ignore[list-item]
    (lambda: ap.Lesion("1", units=True, kind="zero"), "whole numbers"),
    (lambda: ap.Lesion("1", kind="zero", time=[1.5]), "time came as"),  # type: ignore[list-item]
    (lambda: ap.Lesion("1", kind="zero", time=[]), "no times"),
    (lambda: ap.Lesion("1", kind="zero", time=slice(5, 5)), "empty"),
    (lambda: ap.Lesion("1", kind="resample", reference=ap.Stimuli(X), donors=[1, 2]), "mapping"),  # type: ignore[arg-type]
]


@pytest.mark.parametrize(("use", "message"), MISUSE)
def test_misuse_is_not_accepted_silently(use: Any, message: str) -> None:
    with pytest.raises(ArtiphysError, match=message):
        use()


def test_gains_of_their_own_for_each_unit() -> None:
    """Per unit, in any order; in a game equal to weight edits, and remembered by what each unit's gain is."""
    prep, stimuli = net(6)
    gains = [0.5, 2.0, -1.0]
    intact = prep.run(stimuli, "1").activity["1"]
    with ap.lesioned(prep, ap.Lesion("1", units=[4, 0, 2], kind="gain", gain=gains)):
        written = prep.run(stimuli, "1").activity["1"]
    expected = intact.clone()
    for unit, gain in zip([4, 0, 2], gains):
        expected[:, unit] *= gain
    assert torch.equal(written, expected)
    with ap.lesioned(prep, ap.Lesion("1", kind="gain", gain=np.arange(6.0))):
        assert torch.equal(prep.run(stimuli, "1").activity["1"], intact * torch.arange(6.0))

    def played(lesions: list[ap.Lesion]) -> ap.Game:
        return ap.Game(prep, stimuli, ap.scores.log_prob("label"), lesions, kind="gain")

    two = [ap.Lesion("1", units=units, kind="gain", gain=[0.5, 2.0]) for units in ([0, 1], [3, 2])]
    singles = [ap.Lesion("1", units=[u], kind="gain", gain=g) for u, g in ((0, 0.5), (1, 2.0), (3, 0.5), (2, 2.0))]
    rows = np.array([[True, False], [False, True], [False, False]])
    assert played(two)(rows) == pytest.approx(played(singles)(rows.repeat(2, axis=1)), abs=1e-6)
    assert played(two)(rows) == pytest.approx(looped(played(two), rows), abs=1e-6)
    words = [lesion_words(played(lesions).setup.players) for lesions in (two, singles)]
    assert np.array_equal(words[0][0], words[1][0] + words[1][1])
    for bad, match in (([1.0, 2.0], "2 numbers for 1 units"), ([math.nan], "finite"), ("all", "gain came as")):
        with pytest.raises(ap.errors.ArtiphysError, match=match):
            ap.Lesion("1", units=[0], kind="gain", gain=bad)  # type: ignore[arg-type]
    short = ap.Lesion("1", kind="gain", gain=[1, 2])
    with pytest.raises(LesionError, match="has 6 units"), ap.lesioned(prep, short):
        prep.run(stimuli)
