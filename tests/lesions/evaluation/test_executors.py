"""Workers: threads, processes and a Dask cluster give what one process gives, also when one is lost."""

from __future__ import annotations

import os
import signal
import threading
import time
import warnings
from concurrent.futures import Future, ProcessPoolExecutor, ThreadPoolExecutor
from multiprocessing import get_context
from typing import Any

import numpy as np
import pytest
import torch
from fixtures.games import coalitions
from fixtures.networks import normal, two_layers
from torch import nn

import artiphys as ap
from artiphys.errors import InputError
from artiphys.lesions.evaluation.runner import Runner

EVERY = coalitions(6)


def play(executor: Any = None, kind: Any = "zero", score: Any = None) -> ap.Game:
    x = normal(12, 5)
    prep, stimuli = ap.wrap(two_layers(5, 6, 3), x), ap.Stimuli(x, {"label": np.arange(12) % 3})
    chosen = score or ap.scores.log_prob("label")
    return ap.Game(
        prep, stimuli, chosen, prep.players("1"), kind=kind, executor=executor, batch_size=48, progress=False
    )


@pytest.mark.parametrize("kind", ["zero", "mean", "resample"])
def test_threads_have_networks_of_their_own(kind: Any) -> None:
    with ThreadPoolExecutor(3) as pool:
        game = play(pool, kind)
        assert game(EVERY) == pytest.approx(play(None, kind)(EVERY), rel=1e-5) and game.n_evaluations == 64


def test_processes_and_transformers() -> None:
    import transformers as t

    torch.manual_seed(0)
    config = t.LlamaConfig(num_hidden_layers=2, num_attention_heads=4, num_key_value_heads=2, hidden_size=32,
                           intermediate_size=48, vocab_size=50)  # fmt: skip
    prep = ap.wrap(t.LlamaForCausalLM(config).eval())
    stimuli = ap.Stimuli(torch.arange(12).reshape(2, 6), {"target": [3, 4]})
    players = prep.players("blocks.*.attn.hook_z")
    score = ap.scores.log_prob("target")
    coalitions = np.unique(np.random.default_rng(0).random((30, 8)) < 0.5, axis=0)
    here = ap.Game(prep, stimuli, score, players, kind="mean", progress=False)
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        there = ap.Game(prep, stimuli, score, players, kind="mean", executor=pool, batch_size=8, progress=False)
        assert there(coalitions) == pytest.approx(here(coalitions), rel=1e-5)


def test_a_failing_score_is_named_from_a_worker_too() -> None:
    def broken(outputs: torch.Tensor, trials: ap.Stimuli) -> torch.Tensor:
        return outputs[:, 0] / 0

    with ThreadPoolExecutor(1) as pool, pytest.raises(InputError, match=r"coalition with all players intact: .*NaN"):
        play(pool, score=broken)(EVERY)
    with pytest.raises(InputError, match="executor came as"):
        play(3)(EVERY)
    game = play(ThreadPoolExecutor(1))
    with ap.lesioned(game.prep, ap.Lesion("0", units=[0], kind="zero")), pytest.raises(InputError, match="lesioned"):
        game(EVERY)


class Picky(nn.Module):
    """Fails, in the network itself, where its second input is silent."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.hidden, self.out = nn.Linear(5, 6), nn.Linear(6, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = self.hidden(x)
        if bool((y[:, 1] == 0).any()):
            raise ZeroDivisionError("no second input")
        return torch.as_tensor(self.out(y))


@pytest.mark.parametrize("threads", [0, 1])
def test_an_error_of_the_network_names_its_coalition_and_loses_nothing(threads: int) -> None:
    x = torch.randn(12, 5, generator=torch.Generator().manual_seed(1))
    prep = ap.wrap(Picky().eval(), x)
    pool = ThreadPoolExecutor(threads) if threads else None
    score = ap.scores.log_prob(np.arange(12) % 3)
    game = ap.Game(prep, x, score, prep.players("hidden"), kind="zero", executor=pool, batch_size=48, progress=False)
    coalitions = EVERY[EVERY[:, 0]]  # 0 is always intact
    with pytest.raises(InputError, match=r"coalition with .*hidden\.1.* lesioned: ZeroDivisionError: no second input"):
        game(coalitions)
    kept = game.n_evaluations
    assert kept > 0
    game(coalitions[coalitions[:, 1]])
    assert game.n_evaluations == 16


def test_workers_make_smaller_batches_where_memory_runs_out(monkeypatch: pytest.MonkeyPatch) -> None:
    expected = play()(EVERY)
    plain = Runner.outputs

    def short(self: Runner, coalitions: Any, trials: ap.Stimuli, n: int) -> Any:
        if len(coalitions) * len(trials) > 16:
            raise RuntimeError("DefaultCPUAllocator: can't allocate memory")
        return plain(self, coalitions, trials, n)

    with ThreadPoolExecutor(1) as pool:
        game = play(pool)
        _ = game._evaluator.layout  # type: ignore[union-attr]
        monkeypatch.setattr(Runner, "outputs", short)
        # The worker's own check of the stages runs out of memory too; it then batches without them.
        assert game(EVERY) == pytest.approx(expected, rel=1e-5)


@pytest.mark.slow
def test_a_dask_worker_killed_mid_run_changes_nothing() -> None:
    distributed = pytest.importorskip("distributed")

    def slow(outputs: torch.Tensor, trials: ap.Stimuli) -> torch.Tensor:
        time.sleep(0.01)
        return outputs.log_softmax(-1)[:, 0]

    expected = play(score=slow)(EVERY)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with (
            distributed.LocalCluster(
                n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None, silence_logs=50
            ) as cluster,
            distributed.Client(cluster) as client,
        ):
            game = play(client, score=slow)
            pids = list(client.run(os.getpid).values())
            killer = threading.Timer(0.8, os.kill, (pids[0], signal.SIGKILL))
            killer.start()
            values = game(EVERY)
            killer.join()
            phi = ap.shapley(game)
    assert values == pytest.approx(expected, rel=1e-5)
    assert phi.values.to_numpy() == pytest.approx(ap.shapley(play(score=slow)).values.to_numpy(), rel=1e-5)


class AtOnce(ThreadPoolExecutor):
    """Several blocks are always back at the same time."""

    def submit(self, fn: Any, /, *args: Any, **kwargs: Any) -> Future[Any]:
        future: Future[Any] = Future()
        future.set_result(fn(*args, **kwargs))
        return future


def test_the_same_failure_is_named_whichever_block_is_back_first() -> None:
    def broken(outputs: torch.Tensor, trials: ap.Stimuli) -> torch.Tensor:
        return outputs[:, 0] / 0

    for _ in range(12):
        with AtOnce(2) as pool, pytest.raises(InputError, match="coalition with all players intact"):
            play(pool, score=broken)(EVERY)
