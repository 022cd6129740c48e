"""What a game stands on may not change under it, and networks that mix trials are played one coalition per pass."""

from __future__ import annotations

import warnings
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest
import torch
from fixtures.games import coalitions, looped, some
from fixtures.networks import normal, transformer, two_layers
from torch import Tensor, nn

import artiphys as ap
from artiphys.errors import ArtiphysError, BudgetError, InputError, LesionError, MemoryLimitError
from artiphys.plotting import plot_contributions, plot_convergence, plot_head_map

X = normal(20, 4, seed=0)
EVERY = coalitions(6)


def play(net: nn.Module, x: Tensor = X, **options: Any) -> ap.Game:
    prep = ap.wrap(net, x)
    return ap.Game(prep, x, ap.scores.output(), prep.players("1"), kind="zero", progress=False, **options)


def net(*middle: nn.Module) -> nn.Sequential:
    model: nn.Sequential = two_layers(4, 6, 1, act=nn.ReLU(), middle=middle)
    return model


class Centred(nn.Module):
    """Takes the mean over the trials of the batch off."""

    def forward(self, x: Tensor) -> Tensor:
        return x - x.mean(dim=0)


@pytest.mark.parametrize("mixer", [nn.BatchNorm1d(6, track_running_stats=False), Centred()], ids=["norm", "mean"])
@pytest.mark.parametrize("batch_size", [None, 7, 200])
def test_a_network_that_mixes_trials_is_run_a_coalition_at_a_time(mixer: nn.Module, batch_size: int | None) -> None:
    game = play(net(mixer), batch_size=batch_size)
    with pytest.warns(UserWarning, match="mixes the trials of a batch"):
        values = game(EVERY)
    assert values == pytest.approx(looped(game, EVERY), rel=1e-5, abs=1e-7)
    assert "one coalition per forward pass" in game.plan(EVERY, measure=False).sharing
    with ThreadPoolExecutor(1) as pool, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        there = play(net(mixer), batch_size=batch_size, executor=pool)
        assert there(EVERY) == pytest.approx(values, rel=1e-5, abs=1e-7)


def test_memory_that_holds_no_whole_batch_of_mixed_trials(monkeypatch: pytest.MonkeyPatch) -> None:
    game = play(net(Centred()))
    evaluator: Any = game._evaluator
    with pytest.warns(UserWarning, match="mixes"):
        assert evaluator.mixes
    plain = evaluator.runner.outputs

    def short(coalitions: Any, trials: ap.Stimuli, n: int) -> Any:
        if len(trials) > 10:
            raise RuntimeError("DefaultCPUAllocator: can't allocate memory")
        return plain(coalitions, trials, n)

    monkeypatch.setattr(evaluator.runner, "outputs", short)
    with pytest.raises(MemoryLimitError, match="needs them in one batch"):
        game(EVERY)  # half the trials would fit, and give other values


def test_copies_of_one_trial_may_not_mix_either() -> None:
    game = play(net(Centred()), X[:1])
    with pytest.warns(UserWarning, match="mixes"):
        values = game(EVERY)
    assert values == pytest.approx(looped(game, EVERY), rel=1e-5, abs=1e-7)


def test_an_unwrapped_preparation_plays_no_more() -> None:
    prep = ap.wrap(transformer("llama"))
    tokens = ap.Stimuli(torch.arange(12).reshape(2, 6), {"target": [3, 4]})
    players, score = prep.players("blocks.*.attn.hook_z"), ap.scores.log_prob("target")
    game = ap.Game(prep, tokens, score, players, kind="zero")
    prep.unwrap()
    with pytest.raises(ArtiphysError, match="was unwrapped"):
        game(some(4, 12))
    with pytest.raises(ArtiphysError, match="was unwrapped"):
        ap.Game(prep, tokens, score, players, kind="zero")


def test_train_mode_and_stimuli_edited_after_a_game_was_made() -> None:
    game = play(net(nn.Dropout(0.5)))
    assert np.isfinite(game.intact)
    game.prep.model.train()
    with pytest.raises(InputError, match="train mode"):
        game(EVERY)
    game.prep.model.eval()
    x = X.clone()
    edited = play(net(), x)
    assert np.isfinite(edited.intact)
    x.mul_(3)
    with pytest.raises(LesionError, match="stimuli were changed"):
        edited(EVERY)


def test_pictures_pair_players_by_name() -> None:
    prep = ap.wrap(net(), X)
    players = list(prep.players("1"))

    def of(some_players: Any) -> ap.Game:
        return ap.Game(prep, X, ap.scores.output(), some_players, kind="zero", progress=False)

    single, phi = ap.single_lesions(of(players[::-1])), ap.shapley(of(players))
    ax = plot_contributions(single, phi)
    drawn: Any = ax.containers[0]
    shown = [float(v) for v in drawn.lines[0].get_xdata()]
    names = [t.get_text() for t in ax.get_yticklabels()]
    assert shown == pytest.approx([float(single.values.sel(player=n)) for n in names])
    with pytest.raises(InputError, match="other players"):
        plot_contributions(ap.single_lesions(of(players[:3])), phi)
    assert plot_contributions(single, ap.attribution(of(players)))  # no intervals over coalitions: points alone
    both = ap.scores.several(a=ap.scores.output(), b=ap.scores.output())
    wide = ap.shapley(ap.Game(prep, X, both, players, kind="zero", progress=False))
    with pytest.raises(InputError, match="several outputs"):
        plot_contributions(wide, wide)
    with pytest.raises(InputError, match="wanted a list"):
        plot_convergence(phi)  # type: ignore[arg-type]
    with pytest.raises(InputError, match="at least 1"):
        phi.top(0)


def test_a_head_map_marks_only_players() -> None:
    prep = ap.wrap(transformer("gpt2"))
    tokens = ap.Stimuli(torch.arange(12).reshape(2, 6), {"target": [3, 4]})
    players = prep.players("blocks.*.attn.hook_z")
    phi = ap.single_lesions(ap.Game(prep, tokens, ap.scores.log_prob("target"), players, kind="zero"))
    ax = plot_head_map(phi, mark=["blocks.1.attn.hook_z.2"])
    assert ax.patches and all(float(tick).is_integer() for tick in ax.get_xticks())
    with pytest.raises(InputError, match="no player"):
        plot_head_map(phi, mark=["zz"])


def test_heads_whose_interval_holds_0_are_pale() -> None:
    prep = ap.wrap(transformer("gpt2"))
    tokens = ap.Stimuli(torch.randint(0, 50, (20, 6), generator=torch.manual_seed(0)), {"target": [3, 4] * 10})
    players = prep.players("blocks.*.attn.hook_z")
    phi = ap.single_lesions(ap.Game(prep, tokens, ap.scores.log_prob("target"), players, kind="zero"))
    low, high = phi.interval()
    names = low["player"].to_numpy()[((low <= 0) & (high >= 0)).to_numpy()]
    unsure = {(int(n.split(".")[1]), int(n.split(".")[-1])) for n in map(str, names)}
    alpha = np.asarray(plot_head_map(phi).images[0].get_alpha())
    pale = {(int(layer), int(head)) for head, layer in zip(*np.nonzero(alpha < 1))}
    assert pale == unsure and 0 < len(unsure) < len(players)


def linear(c: np.ndarray[Any, Any]) -> Any:
    return c.sum(axis=1)


@pytest.mark.parametrize(
    ("options", "message"),
    [({"seed": -1}, "seed came"), ({"seed": 1.5}, "whole number"), ({"budget": "a"}, "whole number"),
     ({"budget": 1500.5}, "whole number"), ({"tolerance": "x"}, "finite number"), ({"top_k": 1.5}, "whole number")],
)  # fmt: skip
def test_requests_of_the_wrong_type(options: Any, message: str) -> None:
    with pytest.raises(InputError, match=message):
        ap.shapley(linear, n_players=20, **options)


def test_games_of_the_wrong_kind() -> None:
    with pytest.raises(BudgetError, match=r"2\^2000 evaluations"):
        ap.shapley(linear, n_players=2000, method="exact")
    with pytest.raises(BudgetError, match="4096 evaluations; the budget is 4000"):
        ap.shapley(linear, n_players=12, method="exact", budget=4000)
    with pytest.raises(InputError, match="wanted real numbers"):
        ap.shapley(lambda c: np.full(len(c), 1j), n_players=4)
    with pytest.raises(InputError, match="wanted real numbers"):
        ap.shapley(lambda c: np.full(len(c), "a"), n_players=4)
    learnt = ap.shapley(lambda c: torch.as_tensor(c.sum(axis=1)).float().requires_grad_(), n_players=3)
    assert learnt.values.to_numpy() == pytest.approx([1, 1, 1])
    prep = ap.wrap(net(), X)
    with pytest.raises(InputError, match="needs stimuli"):
        ap.Game(prep, None, ap.scores.output(), prep.players("1"), kind="zero")
    with pytest.raises(InputError, match="whole number"):
        play(net(), batch_size=1.5)
    episodes = iter([2, 3, 4])
    varying = ap.Game(prep, None, lambda p: np.ones(next(episodes)), prep.players("1"), kind="zero")
    with pytest.raises(InputError, match="3 episodes, and 2 before"):
        varying(EVERY[:3])
    pool = ThreadPoolExecutor(1)
    pool.shutdown()
    with pytest.raises(InputError, match="takes no work"):
        play(net(), executor=pool)(EVERY)
