"""Prefix sharing: a batch that grows between stages gives what one forward pass per coalition gives."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from fixtures.games import looped, some
from fixtures.networks import transformer
from torch import Tensor, nn

import artiphys as ap
from artiphys.array_types import Array
from artiphys.errors import InputError
from artiphys.lesions.evaluation.batch_size import BatchSizes
from artiphys.lesions.evaluation.prefix_tree import Tree, in_order


def last_logit(outputs: Any, trials: ap.Stimuli) -> Tensor:
    logits = getattr(outputs, "logits", outputs)
    return torch.as_tensor(logits[:, -1, 3])


@pytest.mark.parametrize("name", ["gpt2", "llama", "mixtral", "bert"])
@pytest.mark.parametrize("kind", ["zero", "mean", "resample"])
def test_transformers_share_prefixes_and_equal_the_loop(name: str, kind: Any) -> None:
    prep = ap.wrap(transformer(name))
    tokens = torch.randint(0, 50, (3, 6), generator=torch.Generator().manual_seed(0))
    game = ap.Game(prep, tokens, last_logit, prep.players("blocks.*.attn.hook_z"), kind=kind, batch_size=6)
    coalitions = some(24, 12)
    values = game(coalitions)
    assert game.plan(coalitions[:1], measure=False).sharing == "prefixes shared over 3 stages"
    assert values == pytest.approx(looped(game, coalitions), rel=1e-5, abs=1e-6)


def test_ragged_prompts_are_read_at_their_own_last_position() -> None:
    prep = ap.wrap(transformer("gpt2"))
    stimuli = ap.Stimuli.from_tokens([[5, 6, 7, 8], [9, 10], [3, 4, 5]], {"target": [3, 4, 5]})
    game = ap.Game(prep, stimuli, ap.scores.log_prob("target"), prep.players("blocks.*.attn.hook_z"), kind="zero")
    coalitions = some(16, 12)
    assert game(coalitions) == pytest.approx(looped(game, coalitions), rel=1e-5)


class Residual(nn.Module):
    """A skip over what looks like two layers in series."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second, self.out = nn.Linear(4, 4), nn.Linear(4, 4), nn.Linear(4, 2)

    def forward(self, x: Tensor) -> Tensor:
        y = self.first(x)
        return torch.as_tensor(self.out(y + torch.relu(self.second(y))))


def test_a_network_with_skips_falls_back_to_batching_and_says_so() -> None:
    torch.manual_seed(0)
    x = torch.randn(5, 4)
    prep = ap.wrap(Residual().eval(), x)
    game = ap.Game(prep, x, ap.scores.output(), prep.players(["first", "second"]), kind="zero")
    coalitions = some(30, 8)
    assert game(coalitions) == pytest.approx(looped(game, coalitions), abs=1e-6)
    assert "batching only" in game.plan(coalitions, measure=False).sharing


def test_windows_of_a_recurrent_net_share_the_steps_before_them() -> None:
    torch.manual_seed(0)

    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.gru = nn.GRU(2, 5, num_layers=2, batch_first=True, bidirectional=True)
            self.out = nn.Linear(10, 1)

        def forward(self, x: Tensor) -> Tensor:
            return torch.as_tensor(self.out(self.gru(x)[0][:, -1]))

    x = torch.randn(4, 8, 2)
    prep = ap.wrap(Net().eval(), x)
    windows: list[Any] = [ap.Lesion("gru.h0", kind="zero", time=slice(t, t + 2)) for t in (0, 2, 4, 6)]
    windows += [ap.Lesion("gru.h1_reverse", kind="zero", time=slice(t, t + 4)) for t in (0, 4)]
    game = ap.Game(prep, x, ap.scores.output(), windows, kind="zero")
    coalitions = some(60, 6)
    assert game(coalitions) == pytest.approx(looped(game, coalitions), abs=1e-6)
    plan = ap.Game(prep, x, ap.scores.output(), windows, kind="zero").plan(coalitions, measure=False)
    assert "stages" in plan.sharing and plan.ceiling > 1.5


def test_in_place_operations_do_not_reach_the_shared_prefix() -> None:
    torch.manual_seed(0)
    net = nn.Sequential(nn.Linear(4, 6), nn.ELU(inplace=True), nn.Linear(6, 5), nn.ReLU(inplace=True), nn.Linear(5, 2))
    x = torch.randn(7, 4)
    prep = ap.wrap(net.eval(), x)
    game = ap.Game(prep, x, ap.scores.output(), prep.players("2"), kind="zero", batch_size=14)
    coalitions = some(20, 5)
    assert game(coalitions) == pytest.approx(looped(game, coalitions), abs=1e-6)


def test_tree_counts_every_prefix_once() -> None:
    rng = np.random.default_rng(0)
    first_stage = np.array([0, 2, 1, 2, 0])
    cut = np.unique(rng.random((40, 5)) < 0.5, axis=0)
    cut = cut[in_order(cut, first_stage)]
    tree = Tree.of(cut, first_stage, 4)
    for stage in range(4):
        prefixes = {tuple(row[first_stage <= stage]) for row in cut}
        assert tree.n_nodes(stage) == len(prefixes)
    assert tree.cost([1] * 4) == sum(tree.n_nodes(s) for s in range(4))
    assert tree.ancestors(4, 0).tolist() == sorted(tree.ancestors(4, 0).tolist())


def test_plan_tells_before_anything_is_spent() -> None:
    prep = ap.wrap(transformer("gpt2"))
    tokens = torch.randint(0, 50, (3, 6), generator=torch.Generator().manual_seed(0))
    game = ap.Game(prep, tokens, last_logit, prep.players("blocks.*.attn.hook_z"), kind="zero")
    every = np.asarray((np.arange(2**12)[:, None] >> np.arange(12)) & 1 == 1)
    plan = game.plan(every, measure=False)
    assert plan.n_coalitions == 4096 and plan.layer_units == 2**4 + 2**8 + 2**12 and plan.loop_units == 3 * 4096
    assert plan.n_bytes == 4096 * 3 * 8 and np.isnan(plan.seconds) and game.n_evaluations == 0
    few = game.plan(every[:100])
    assert few.seconds > 0 and few.n_coalitions == 100 and game.n_evaluations == 1  # the intact network
    assert game.plan(every[:100]).n_coalitions == 100
    fresh = ap.Game(prep, tokens, last_logit, prep.players("blocks.*.attn.hook_z"), kind="zero")
    rest = fresh.plan(every)  # a small network: some of the coalitions are timed, and kept
    assert rest.seconds > 0 and rest.n_coalitions == 4096 - 256 and fresh.n_evaluations == 257
    values = fresh(every[:256])
    assert fresh.n_evaluations == 257 and values == pytest.approx(game(every[:256]), rel=1e-5)
    assert game.cost(every) == pytest.approx(plan.layer_units / 3)
    some_values = game(every[:40])
    spent = game.n_evaluations
    game._seconds_per_unit = None
    assert game.plan(every).seconds > 0  # what is known is not measured again, nor forgotten
    assert np.array_equal(game(every[:40]), some_values) and game.n_evaluations == spent


@pytest.mark.parametrize("bad", ["nan", "raises"])
def test_a_failing_score_names_its_coalition_and_loses_nothing(bad: str) -> None:
    torch.manual_seed(0)
    x = torch.randn(6, 4)
    prep = ap.wrap(nn.Sequential(nn.Linear(4, 3), nn.Identity(), nn.Linear(3, 1)).eval(), x)
    clean = ap.Game(prep, x, ap.scores.output(), prep.players("1"), kind="zero")
    coalitions = np.asarray((np.arange(8)[:, None] >> np.arange(3)) & 1 == 1)
    worst = float(clean(coalitions[2:3])[0])

    def score(outputs: Tensor, trials: ap.Stimuli) -> Tensor:
        if abs(float(outputs.mean()) - worst) < 1e-6:
            if bad == "raises":
                raise RuntimeError("no such thing")
            return outputs[:, 0] * float("nan")
        return outputs[:, 0]

    game = ap.Game(prep, x, score, prep.players("1"), kind="zero")
    with pytest.raises(InputError, match=r"coalition with 0\.0, 0\.2 lesioned: .*(NaN|no such thing)"):
        game(coalitions)
    good = [0, 1, 3, 4, 5, 6, 7]
    kept = game.n_evaluations
    assert kept >= 1 and game(coalitions[good]) == pytest.approx(clean(coalitions[good]), abs=1e-6)
    assert game.n_evaluations == 7


def test_running_out_of_memory_halves_the_batch(monkeypatch: pytest.MonkeyPatch) -> None:
    torch.manual_seed(0)
    x = torch.randn(10, 4)
    prep = ap.wrap(nn.Sequential(nn.Linear(4, 3), nn.Identity(), nn.Linear(3, 1)).eval(), x)
    expected = ap.Game(prep, x, ap.scores.output(), prep.players("1"), kind="zero")(some(8, 3))
    game = ap.Game(prep, x, ap.scores.output(), prep.players("1"), kind="zero", batch_size=64)
    evaluator: Any = game._evaluator
    plain = evaluator.runner.outputs
    assert evaluator.layout is not None

    def short(coalitions: Array, trials: ap.Stimuli, n: int) -> Any:
        if len(coalitions) * len(trials) > 5:
            raise RuntimeError("DefaultCPUAllocator: can't allocate memory")
        return plain(coalitions, trials, n)

    monkeypatch.setattr(evaluator.runner, "outputs", short)
    assert game(some(8, 3)) == pytest.approx(expected, abs=1e-6)


def test_a_batch_that_would_fill_the_memory_is_not_tried() -> None:
    """Ten times the memory left would be needed for four times the rows: the sweep goes no further up."""
    sizes = BatchSizes(ap.Stimuli(torch.zeros(10, 4)), None)
    rows = sizes.rows
    for _ in range(4):
        sizes.note(sizes.rows, 1.0 * sizes.rows, 1.0, (0, 10 * sizes.rows), room=10 * rows)
    assert sizes.settled and sizes.rows <= rows
    free = BatchSizes(ap.Stimuli(torch.zeros(10, 4)), None)
    for _ in range(12):
        free.note(free.rows, float(free.rows), 1.0, (0, 0), room=10 * rows)
    assert free.rows > rows


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_half_precision_is_as_exact_as_batching_is(dtype: torch.dtype) -> None:
    prep = ap.wrap(transformer("llama").to(dtype))
    tokens = torch.randint(0, 50, (3, 6), generator=torch.Generator().manual_seed(0))
    stimuli = ap.Stimuli(tokens, {"target": [3, 4, 5]})
    game = ap.Game(prep, stimuli, ap.scores.log_prob("target"), prep.players("blocks.*.attn.hook_z"), kind="mean")
    coalitions = some(24, 12)
    unit = float(torch.finfo(dtype).eps)
    assert game(coalitions) == pytest.approx(looped(game, coalitions), rel=8 * unit)
    assert game.plan(coalitions, measure=False).sharing.startswith("prefixes shared")


def test_an_approximator_of_shapiq_plays_on_a_transformer() -> None:
    from shapiq.approximator import KernelSHAP

    prep = ap.wrap(transformer("gpt2"))
    tokens = torch.randint(0, 50, (3, 6), generator=torch.Generator().manual_seed(0))
    stimuli = ap.Stimuli(tokens, {"target": [3, 4, 5]})
    players = list(prep.players("blocks.*.attn.hook_z"))[:6]
    game = ap.Game(prep, stimuli, ap.scores.log_prob("target"), players, kind="zero")
    found = KernelSHAP(n=6, random_state=0).approximate(budget=64, game=game)
    exact = ap.shapley(game).values.to_numpy()
    assert [found[(i,)] for i in range(6)] == pytest.approx(exact, abs=1e-5)


def test_closed_loops_play_too() -> None:
    torch.manual_seed(0)
    x = torch.randn(6, 4)
    prep = ap.wrap(nn.Sequential(nn.Linear(4, 3), nn.Identity(), nn.Linear(3, 1)).eval(), x)
    once = ap.Game(prep, None, lambda p: float(p.run(x).outputs.mean()), prep.players("1"), kind="zero")
    plain = ap.Game(prep, x, ap.scores.output(), prep.players("1"), kind="zero")
    coalitions = np.asarray((np.arange(8)[:, None] >> np.arange(3)) & 1 == 1)
    assert once(coalitions) == pytest.approx(plain(coalitions), abs=1e-6)
    assert ap.shapley(once).values.to_numpy() == pytest.approx(ap.shapley(plain).values.to_numpy(), abs=1e-6)
    episodes = ap.Game(prep, None, ap.scores.closed_loop(lambda p: p.model(x)[:, 0]), prep.players("1"), kind="zero")
    assert episodes.per_trial(coalitions).shape == (8, 6)
    assert ap.shapley(episodes).stderr_stimuli.to_numpy() == pytest.approx(ap.shapley(plain).stderr_stimuli.to_numpy())
    with pytest.raises(InputError, match="leave executor= out"):
        ap.Game(prep, None, lambda p: 1.0, prep.players("1"), kind="zero", executor=object())
    with pytest.raises(InputError, match="wanted a finite number"):
        ap.Game(prep, None, lambda p: float("nan"), prep.players("1"), kind="zero")(coalitions)


def test_scores_over_the_whole_set_and_several_at_once() -> None:
    from sklearn.metrics import roc_auc_score

    torch.manual_seed(0)
    x, labels = torch.randn(30, 4), np.arange(30) % 2
    stimuli = ap.Stimuli(x, {"label": labels, "target": x[:, 0].numpy()})
    prep = ap.wrap(nn.Sequential(nn.Linear(4, 3), nn.Identity(), nn.Linear(3, 1)).eval(), x)
    coalitions = np.asarray((np.arange(8)[:, None] >> np.arange(3)) & 1 == 1)
    play: Any = lambda score: ap.Game(prep, stimuli, score, prep.players("1"), kind="zero")
    kept = play(ap.scores.output()).per_trial(coalitions)
    assert play(ap.scores.auc("label"))(coalitions) == pytest.approx([roc_auc_score(labels, k) for k in kept])
    expected = [np.corrcoef(k, x[:, 0])[0, 1] if k.std() > 1e-6 else 0.0 for k in kept]
    assert play(ap.scores.correlation("target"))(coalitions) == pytest.approx(expected, abs=1e-6)
    phi = ap.shapley(play(ap.scores.auc("label")))
    assert phi.exact and (phi.stderr_stimuli > 0).all() and abs(phi.gap) < 1e-9
    both = ap.shapley(play(ap.scores.several(a=ap.scores.output(), b=ap.scores.accuracy("label"))))
    alone = ap.shapley(play(ap.scores.accuracy("label")))
    assert both.values.dims == ("player", "output")
    assert both.values.sel(output="b").to_numpy() == pytest.approx(alone.values.to_numpy())


def test_gradients_are_exact_for_additive_networks_and_refuse_what_they_cannot_say() -> None:
    torch.manual_seed(0)
    x = torch.randn(9, 4)
    prep = ap.wrap(nn.Sequential(nn.Linear(4, 5), nn.Identity(), nn.Linear(5, 1)).eval(), x)
    game = ap.Game(prep, x, ap.scores.output(), prep.players("1"), kind="mean")
    phi = ap.shapley(game)
    for method in ("gradient", "integrated"):
        guess: Any = ap.attribution(game, method=method)
        assert guess.values.to_numpy() == pytest.approx(phi.values.to_numpy(), abs=1e-5)
        assert guess.stderr_stimuli.to_numpy() == pytest.approx(phi.stderr_stimuli.to_numpy(), abs=1e-5)
    with pytest.raises(ap.errors.StatisticsError, match="samples no coalitions"):
        guess.interval()
    bent = ap.wrap(nn.Sequential(nn.Linear(4, 5), nn.Tanh(), nn.Linear(5, 3)).eval(), x)
    curved = ap.Game(bent, x, ap.scores.log_prob([0] * 9), bent.players("1"), kind="zero")
    assert abs(ap.attribution(curved, steps=16).gap) < 1e-4 < abs(ap.attribution(curved, method="gradient").gap)
    flat = ap.Game(bent, x, ap.scores.accuracy([0] * 9), bent.players("1"), kind="zero")
    with pytest.raises(InputError, match="has no gradient"):
        ap.attribution(flat)
