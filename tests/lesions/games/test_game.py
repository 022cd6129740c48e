"""Game: values, memo, keys, players; single lesions against independent references."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
import torch
from fixtures.games import coalitions, game, net, output_game
from fixtures.networks import X, small
from torch import Tensor, nn

import artiphys as ap
from artiphys.errors import ArtiphysError, InputError, LesionError, SiteError, StatisticsError


def by_weights(model: Any, stimuli: ap.Stimuli, keep: np.ndarray[Any, Any]) -> float:
    """The same value by editing weights."""
    w = model[2].weight.clone()
    w[:, ~torch.as_tensor(keep)] = 0
    logits = nn.functional.linear(model[1](model[0](stimuli.inputs)), w, model[2].bias)
    rows = torch.arange(len(stimuli))
    return float(logits.double().log_softmax(-1)[rows, torch.as_tensor(np.array(stimuli.conditions["label"]))].mean())


def test_values_equal_weight_edits() -> None:
    g = game()
    all_of_them = coalitions(6)
    with torch.no_grad():
        expected = [by_weights(g.prep.model, g.stimuli, c) for c in all_of_them]
    assert g(all_of_them) == pytest.approx(expected, abs=1e-6)


def counting(call: Any, calls: list[int]) -> Any:
    """`Preparation.call`, noting the rows; a hook would be another network."""

    def counted(x: Any, **options: Any) -> Any:
        out = call(x, **options)
        calls.append(len(out))
        return out

    return counted


def test_batched_memoised_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    g = game(batch_size=60)
    g(np.ones(6, dtype=bool))  # how the network can be batched is looked at first
    calls: list[int] = []
    monkeypatch.setattr(g.prep, "call", counting(g.prep.call, calls))
    g.n_evaluations = 0
    c = coalitions(6)[:7]
    first = g(np.vstack([c, c]))
    assert g.n_evaluations == 7 and calls == [60, 60, 20]
    assert np.array_equal(g(c), first[:7]) and g.n_evaluations == 7 and len(calls) == 3
    assert g.per_trial(c).shape == (7, 20) and g.per_trial(c).mean(axis=1) == pytest.approx(first[:7])
    assert g([[1, 0, 1, 0, 1, 0]])[0] == g(np.array([True, False] * 3))[0]
    assert "coalitions evaluated" in repr(g)


def test_more_trials_than_rows_run_in_parts() -> None:
    whole, parts = game(), game(batch_size=7)
    c = coalitions(6)[::9]
    assert parts(c) == pytest.approx(whole(c), abs=1e-7)


@pytest.mark.parametrize("kind", ["zero", "mean", "resample", "noise", "gain", "clamp"])
def test_every_kind_equals_lesioned(kind: Any) -> None:
    options: dict[str, Any] = {"noise": {"sd": 0.3}, "gain": {"gain": 0.5}, "clamp": {"value": 0.2}}.get(kind, {})
    g = game(kind=kind, **options)
    reference: dict[str, Any] = {"reference": g.stimuli} if kind in ("mean", "resample") else {}
    lesion: Any = ap.Lesion("1", units=[0, 4], kind=kind, **options, **reference)
    with torch.no_grad(), ap.lesioned(g.prep, lesion):
        expected = float(g.score(g.prep.run(g.stimuli).outputs, g.stimuli).mean())
    assert g([[False, True, True, True, False, True]])[0] == pytest.approx(expected, abs=1e-6)


def test_groups_and_lists_of_lesions_are_players() -> None:
    prep, stimuli = net()
    score = ap.scores.log_prob("label")
    pairs = ap.Game(prep, stimuli, score, prep.players("1", group_by=[[0, 1], [2, 3]]), kind="zero")
    lists = [[ap.Lesion("1", units=[0], kind="zero"), ap.Lesion("1", units=[1], kind="zero")]]
    listed = ap.Game(prep, stimuli, score, lists, kind="zero")
    assert pairs.player_names == ["1.0+1", "1.2+3"] and listed.player_names == ["1.0 + 1.1"]
    assert pairs([[False, True]])[0] == pytest.approx(listed([[False]])[0])
    assert [p.name for p in prep.players(["0", "1"], group_by="layer")] == ["layer 0", "layer 1"]
    assert [p.name for p in prep.players(["0", "1"], group_by="site")] == ["0", "1"]
    assert prep.players("1", units=[2])["1.2"].targets[0].units == (2,)  # type: ignore[union-attr]
    mixed: list[Any] = [ap.Lesion("1", units=[0], kind="zero"), ap.Lesion("1", units=[1], kind="gain", gain=2.0)]
    assert ap.Game(prep, stimuli, score, mixed, kind="mixed").n_players == 2


def test_overlapping_players_raise_also_by_alias_and_axis() -> None:
    prep, stimuli = net()
    score = ap.scores.log_prob("label")
    twice: list[Any] = [ap.Lesion("1", units=[0], kind="zero"), ap.Lesion("2.in", units=[0, 1], kind="zero")]
    with pytest.raises(InputError, match=r"players overlap at '1'.*unit \[0\]"):
        ap.Game(prep, stimuli, score, twice, kind="zero")
    with pytest.raises(InputError, match="named more than once"):
        ap.Game(prep, stimuli, score, [*prep.players("1"), *prep.players("1")], kind="zero")
    conv = ap.wrap(nn.Sequential(nn.Conv1d(1, 2, 1), nn.Flatten(), nn.Linear(8, 1)), torch.zeros(2, 1, 4))
    crossed: list[Any] = [
        ap.Lesion("0", units=[0], kind="zero"),
        ap.Lesion("0", units=[0], axis="time", kind="zero"),
    ]
    with pytest.raises(InputError, match="overlap"):
        ap.Game(conv, torch.zeros(2, 1, 4), ap.scores.output(), crossed, kind="zero")
    apart: list[Any] = [ap.Lesion("0", kind="zero", time=t) for t in (slice(0, 2), range(2, 4))]
    assert ap.Game(conv, torch.zeros(2, 1, 4), ap.scores.output(), apart, kind="zero").n_players == 2
    half: list[Any] = [ap.Lesion("0", kind="zero", time=t) for t in (slice(0, 2), slice(1, 4))]
    with pytest.raises(InputError, match="overlap"):
        ap.Game(conv, torch.zeros(2, 1, 4), ap.scores.output(), half, kind="zero")


def test_key_is_the_games_meaning() -> None:
    key = game().key
    assert key == game(batch_size=3).key and key.isalnum()
    assert len({key, game(kind="mean").key, game(5).key, game(kind="clamp", value=1.0).key}) == 4
    prep, stimuli = net()
    plain = ap.Game(prep, stimuli, lambda out, trials: out[:, 0], prep.players("1"), kind="zero")
    with pytest.raises(InputError, match="key="):
        plain.key  # noqa: B018
    with torch.no_grad():
        prep.model[0].weight[0, 0] += 1  # type: ignore[index]
    changed = ap.Game(prep, stimuli, ap.scores.log_prob("label"), prep.players("1"), kind="zero")
    assert changed.key != key


def test_kind_is_always_said() -> None:
    prep, stimuli = net()
    with pytest.raises(TypeError, match="kind"):
        ap.Game(prep, stimuli, ap.scores.output(), prep.players("1"))  # type: ignore[call-arg]
    with pytest.raises(LesionError, match="kind came as"):
        game(kind="ablate")
    with pytest.raises(LesionError, match="is of kind"):
        ap.Game(prep, stimuli, ap.scores.output(), [ap.Lesion("1", kind="zero")], kind="mean")
    with pytest.raises(LesionError, match="reference= means nothing"):
        game(reference=stimuli)


@pytest.mark.parametrize(
    "bad", [np.ones((2, 5), dtype=bool), np.full((1, 6), 0.5), np.full((1, 6), "x"), np.ones((1, 1, 6))]
)
def test_bad_coalitions(bad: Any) -> None:
    with pytest.raises((InputError, TypeError), match="coalitions"):
        game()(bad)


def test_bad_players_and_scores() -> None:
    prep, stimuli = net()
    score = ap.scores.log_prob("label")
    cases: list[tuple[Any, Any, str]] = [
        ([], score, "at least one player"),
        (["1"], score, "player came as"),
        (prep.players("1"), "accuracy", "score came as str"),
        (prep.players("1"), lambda out, trials: out, "one value per trial"),
        (prep.players("1"), lambda out, trials: out[:, 0] * float("nan"), "NaN or infinite on 20 trials"),
        (prep.players("1"), ap.scores.log_prob("lable"), "no column 'lable'"),
        (prep.players("1"), ap.scores.log_prob([0, 1]), "one label per trial"),
        (prep.players("1"), ap.scores.log_prob([7] * 20), "for 3 outputs"),
    ]
    for players, s, message in cases:
        with pytest.raises(ArtiphysError, match=message):
            ap.Game(prep, stimuli, s, players, kind="zero")(coalitions(6)[:2])
    with pytest.raises(InputError, match="0 to 5"):
        prep.players("1", units=[6])
    with pytest.raises(InputError, match="group_by"):
        prep.players("1", group_by="heads")  # type: ignore[arg-type]
    with pytest.raises(InputError, match="no player"):
        prep.players("1")["1.9"]


def test_single_lesions_trial_by_trial() -> None:
    g = game()
    one = ap.single_lesions(g)
    values = g(np.vstack([np.ones((1, 6), dtype=bool), ~np.eye(6, dtype=bool)]))
    assert one.values.to_numpy() == pytest.approx(values[0] - values[1:])
    assert one.n_evaluations == 7 and one.exact and not one.stderr.any()
    spread = one.per_trial.std("trial", ddof=1) / math.sqrt(20)  # type: ignore[union-attr]
    assert one.stderr_stimuli.to_numpy() == pytest.approx(spread.to_numpy())
    assert list(one.top(2).index) == sorted(one.to_dataframe().index, key=lambda p: -abs(one.values.sel(player=p)))[:2]


def test_intervals_over_stimuli_cover_fresh_trials() -> None:
    """Single-lesion effects from 20 trials: the interval over stimuli covers the population mean."""
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(5, 3), nn.ReLU(), nn.Linear(3, 1)).eval()
    prep = ap.wrap(model, torch.zeros(2, 5))
    draw: Any = lambda n, s: torch.randn(n, 5, generator=torch.Generator().manual_seed(s))
    effect: Any = lambda x: ap.single_lesions(ap.Game(prep, x, ap.scores.output(), prep.players("1"), kind="zero"))
    truth = effect(draw(100_000, 0)).values.to_numpy()
    hits = [
        [(lo <= truth) & (truth <= hi)]
        for lo, hi in (effect(draw(20, s)).interval(over="stimuli") for s in range(1, 301))
    ]
    assert 0.91 <= np.mean(hits) <= 0.98


def test_intervals_need_trials() -> None:
    one = game()
    single = ap.Game(one.prep, one.stimuli[:1], ap.scores.log_prob("label"), one.prep.players("1"), kind="zero")
    result = ap.single_lesions(single)
    with pytest.raises(StatisticsError, match="two trials"):
        result.interval(over="stimuli")
    with pytest.raises(StatisticsError, match="over came as"):
        result.interval(over="units")  # type: ignore[arg-type]
    assert np.array_equal(result.to_dataframe()["low"], result.values)


def test_players_print() -> None:
    prep, _ = net()
    players = prep.players("1")
    assert repr(players).startswith("6 players: 1.0, 1.1") and len(players[:2]) == 2  # type: ignore[arg-type]
    outputs = Tensor([[0.0, 1.0], [2.0, 2.0]])
    tied = ap.scores.accuracy([1, 0])(outputs, ap.Stimuli(torch.zeros(2, 1)))
    assert tied.tolist() == [1.0, 0.5]


def test_a_game_inside_a_lesion_is_another_game() -> None:
    prep = small()
    g = output_game(prep)
    outside = g.intact
    with ap.lesioned(prep, ap.Lesion("0", kind="zero")):
        inside = g.intact
        assert inside == output_game(prep).intact != outside
    assert g.intact == outside


@dataclass
class Out:
    logits: Tensor
    hidden: Tensor


class Records(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.a, self.o = nn.Linear(3, 4), nn.Linear(4, 2)

    def forward(self, x: Tensor) -> Out:
        h = torch.relu(self.a(x))
        return Out(self.o(h), h)


def test_dataclass_outputs() -> None:
    prep = ap.wrap(Records().eval(), X)
    score: Any = lambda out, trials: out.logits[:, 0]
    small, large = (
        ap.Game(prep, X, score, prep.players("a"), kind="zero", batch_size=n)([[True] * 4, [False] * 4])
        for n in (1, 99)
    )
    assert small == pytest.approx(large) and prep.sites["output[logits]"].name == "output[logits]"

    class Plain:
        def __init__(self, y: Tensor) -> None:
            self.y = y

    class Opaque(Records):
        def forward(self, x: Tensor) -> Any:
            return Plain(super().forward(x).logits)

    with pytest.raises(SiteError, match="holds no tensor"):
        ap.wrap(Opaque().eval(), X).require_wired("a")


def test_scores_see_the_output_class_the_model_returns() -> None:
    from transformers import BertConfig, BertForSequenceClassification

    config = BertConfig(num_hidden_layers=1, num_attention_heads=2, hidden_size=8, intermediate_size=8, vocab_size=9)
    tokens = torch.tensor([[1, 2, 3], [4, 5, 6]])
    model = BertForSequenceClassification(config).eval()
    prep = ap.wrap(model, {"input_ids": tokens}, as_module=True)
    score: Any = lambda out, trials: out.logits[:, 0]
    g = ap.Game(prep, {"input_ids": tokens}, score, prep.players("bert.pooler.activation", units=range(3)), kind="zero")
    assert ap.shapley(g).gap == pytest.approx(0, abs=1e-9)


def test_many_players_at_one_site() -> None:
    prep = ap.wrap(nn.Sequential(nn.Linear(3, 5000), nn.ReLU(), nn.Linear(5000, 1)).eval(), X)
    g = ap.Game(prep, X, ap.scores.output(), prep.players("1"), kind="mean")
    keep = np.random.default_rng(0).random((3, 5000)) < 0.5
    got = g(keep)
    with torch.no_grad():
        h = torch.relu(prep.model[0](X))  # type: ignore[index]
        mixed = [torch.where(torch.as_tensor(k), h, h.mean(0)) for k in keep]
        expected = [float(prep.model[2](m).double().mean()) for m in mixed]  # type: ignore[index]
    assert got == pytest.approx(expected, abs=1e-5)


MISUSE: list[tuple[Any, str]] = [
    (lambda: ap.Game(small(), X, ap.scores.output(), [3], kind="zero"), "player came as"),  # type: ignore[list-item]
    (lambda: ap.Game(p := small(), X, ap.scores.output(9), p.players("1"), kind="zero").intact, "has 2 outputs"),
    (lambda: ap.Game(p := small(), X, lambda o, t: None, p.players("1"), kind="zero").intact, "NoneType"),
    (lambda: ap.Game(p := small(), X, lambda o, t: o[:, 0] / 0, p.players("1"), kind="zero").intact, "infinite"),
    (lambda: ap.Game(p := small(), X, lambda o, t: o[:, 0] + 1j, p.players("1"), kind="zero").intact, "complex"),
]


@pytest.mark.parametrize(("use", "message"), MISUSE)
def test_misuse_is_not_accepted_silently(use: Any, message: str) -> None:
    with pytest.raises(ArtiphysError, match=message):
        use()
