from __future__ import annotations

import copy
import pickle
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import artiphys as ap
from artiphys.errors import HookError

X = torch.randn(16, 5, 3, generator=torch.Generator().manual_seed(0))


class Recurrent(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.gru, self.out = nn.GRU(3, 4, batch_first=True), nn.Linear(4, 1)

    def forward(self, x: Tensor) -> Tensor:
        logits: Tensor = self.out(self.gru(x)[0][:, -1])
        return logits


def plain() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Flatten(), nn.Linear(15, 6), nn.ReLU(inplace=True), nn.Linear(6, 1))


def recurrent() -> nn.Module:
    torch.manual_seed(0)
    return Recurrent()


@pytest.fixture(autouse=True)
def often_switching() -> Any:
    """Threads take turns a thousand times more often than usual."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(5e-6)
    yield
    sys.setswitchinterval(before)


@pytest.mark.many_runs
@pytest.mark.parametrize(("make", "site"), [(plain, "1"), (recurrent, "gru.h0")])
def test_two_threads_on_one_network_give_what_one_gives(make: Callable[[], nn.Module], site: str) -> None:
    """Recordings, lesions and games in two threads: each result is the serial one, or is refused."""
    net = make()
    prep = ap.wrap(net, example=X[:2])
    parts = [X[:8], X[8:]]
    lesion = ap.Lesion(site, units=[0], kind="zero")
    score = lambda outputs, trials: outputs[:, 0]
    coalitions = np.array([[True, False, True, True], [False] * 4])

    def recorded(x: Tensor) -> Any:
        return ap.record(prep, x, site, batch_size=3, progress=False)[site].to_numpy()

    def lesioned(x: Tensor) -> Any:
        with ap.lesioned(prep, lesion):
            return prep.run(x).outputs.detach().numpy()

    def played(x: Tensor) -> Any:
        game = ap.Game(prep, x, score, prep.players(site, units=range(4)), kind="zero", progress=False)
        return game.per_trial(coalitions)

    work = [recorded, lesioned, played]
    serial = {(fn.__name__, i): fn(x) for fn in work for i, x in enumerate(parts)}
    refused = 0
    with ThreadPoolExecutor(2) as pool:
        for round_number in range(500):
            pairs = [(work[(round_number + i * (round_number // 3)) % 3], i) for i in range(2)]
            futures = [pool.submit(fn, parts[i]) for fn, i in pairs]
            for (fn, i), future in zip(pairs, futures):
                try:
                    got = future.result(timeout=60)
                except HookError as error:
                    assert "thread" in str(error)
                    refused += 1
                    continue
                np.testing.assert_allclose(got, serial[fn.__name__, i], rtol=1e-5, atol=1e-6)
    assert refused < 500, "most are not refused"
    assert not any(m._forward_hooks or m._forward_pre_hooks for m in net.modules())
    np.testing.assert_array_equal(recorded(X[:8]), serial["recorded", 0])


def test_a_thread_is_refused_while_another_has_lesioned_the_network() -> None:
    prep = ap.wrap(plain(), example=X[:2])
    with ap.lesioned(prep, ap.Lesion("1", units=[0], kind="zero")), ThreadPoolExecutor(1) as pool:
        with pytest.raises(HookError, match=r"copy of the network for each thread"):
            pool.submit(prep.run, X).result()
        with pytest.raises(HookError, match=r"lesion that thread 'MainThread' applied"):
            pool.submit(ap.record, prep, X, "1").result()
        prep.run(X)


def test_the_network_may_be_called_in_another_thread_while_it_is_lesioned() -> None:
    """As transformers does to stream what it generates: one thread generates, another waits for it."""
    net = plain()
    prep = ap.wrap(net, example=X[:2])
    with ap.lesioned(prep, ap.Lesion("1", units=[0], kind="zero")), ThreadPoolExecutor(1) as pool:
        here = prep.run(X).outputs
        assert torch.equal(pool.submit(net, X).result(), here)
        assert torch.equal(net(X), here)


def test_two_threads_at_once_in_a_lesioned_network_are_refused() -> None:
    inside, leave = threading.Event(), threading.Event()

    class Slow(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            if threading.current_thread() is not threading.main_thread():
                inside.set()
                leave.wait(10)
            return x

    net = nn.Sequential(nn.Linear(3, 2), Slow())
    prep = ap.wrap(net, example=X[0])
    with ap.lesioned(prep, ap.Lesion("0", units=[0], kind="zero")), ThreadPoolExecutor(1) as pool:
        future = pool.submit(net, X[0])
        inside.wait(10)
        with pytest.raises(HookError, match="two threads call this network at once"):
            net(X[0])
        leave.set()
        future.result()
        net(X[0])


def test_hooks_of_a_run_do_not_see_another_threads_call() -> None:
    """A read notes what its own run gives, not what another thread computes meanwhile with the bare network."""
    net = plain()
    prep = ap.wrap(net, example=X[:2])
    other = X + 5
    with ThreadPoolExecutor(1) as pool:

        def write(x: Tensor, at: Any) -> Tensor:
            pool.submit(net, other).result()
            return x

        run = prep.run(X, read="3", write={"1": write})
    assert torch.equal(run.activity["3"], prep.run(X, read="3").activity["3"])


@pytest.mark.parametrize("what", ["run", "record", "lesioned", "game", "call"])
def test_a_write_function_cannot_run_the_network(what: str) -> None:
    net = plain()
    prep = ap.wrap(net, example=X[:2])
    lesion = ap.Lesion("3", units=[0], kind="zero")

    def write(x: Tensor, at: Any) -> Tensor:
        if what == "run":
            prep.run(X, read="3")
        elif what == "record":
            ap.record(prep, X, "3")
        elif what == "lesioned":
            with ap.lesioned(prep, lesion):
                pass
        elif what == "game":
            ap.Game(prep, X, lambda outputs, trials: outputs[:, 0], prep.players("1"), kind="zero")
        else:
            net(X)
        return x

    before = prep.run(X).outputs
    with pytest.raises(HookError, match=r"in the middle of a run|write function called the network"):
        prep.run(X, write={"1": write})
    assert torch.equal(prep.run(X).outputs, before)
    assert not any(m._forward_hooks or m._forward_pre_hooks for m in net.modules())


def test_a_score_of_outputs_cannot_run_the_network() -> None:
    prep = ap.wrap(plain(), example=X[:2])

    def scored(outputs: Any, trials: Any) -> Any:
        inner = ap.Game(prep, X, lambda outputs, trials: outputs[:, 0], prep.players("1"), kind="zero")
        return outputs[:, 0] - inner.intact

    game = ap.Game(prep, X, scored, prep.players("1"), kind="zero", progress=False)
    with pytest.raises(ValueError, match=r"closed_loop"):
        _ = game.intact


def test_a_closed_loop_may_play_another_game() -> None:
    """Inside the loop the network is lesioned, and so is every value of the inner game."""
    prep = ap.wrap(plain(), example=X[:2])
    players = prep.players("1")

    def loop(p: Any) -> float:
        inner = ap.Game(p, X, lambda outputs, trials: outputs[:, 0], players, kind="zero", progress=False)
        return float(inner.intact) + float(p.run(X).outputs.detach().mean())

    game = ap.Game(prep, None, loop, players, kind="zero", progress=False)
    cut = np.ones((1, 6), dtype=bool)
    cut[0, 0] = False
    with ap.lesioned(prep, ap.Lesion("1", units=[0], kind="zero")):
        expected = 2 * float(prep.run(X).outputs.detach().mean())
    assert float(game(cut)[0]) == pytest.approx(expected, rel=1e-6)


def test_a_copy_of_a_network_is_free_while_the_original_is_in_use() -> None:
    net = plain()
    prep = ap.wrap(net, example=X[:2])
    with ap.lesioned(prep, ap.Lesion("1", units=[0], kind="zero")), ThreadPoolExecutor(1) as pool:
        intact = ap.wrap(plain(), example=X[:2])
        assert pool.submit(intact.run, X).result().outputs.shape == (16, 1)
    assert copy.deepcopy(prep.frame.turns).take() is not None


def test_the_same_block_cannot_be_entered_twice() -> None:
    prep = ap.wrap(plain(), example=X[:2])
    with prep.tapping() as tapping, pytest.raises(HookError, match="in force already"):
        tapping.__enter__()


@pytest.mark.parametrize("make", [plain, recurrent])
def test_a_copy_taken_while_it_is_lesioned_is_intact(make: Callable[[], nn.Module]) -> None:
    net = make()
    site = "1" if make is plain else "gru.h0"
    prep = ap.wrap(net, example=X[:2])
    expected = prep.run(X).outputs.detach()
    with ap.lesioned(prep, ap.Lesion(site, units=[0, 1], kind="zero")):
        assert not torch.allclose(prep.run(X).outputs, expected)
        copied, pickled = copy.deepcopy(net), pickle.loads(pickle.dumps(net)) if make is plain else make()
        wrapped = ap.wrap(net, example=X[:2], copy=True)
    for other in (copied, pickled, wrapped.model):
        assert torch.allclose(other(X), expected), "as it is"
        assert torch.allclose(ap.wrap(other, example=X[:2]).run(X).outputs, expected), "and wrapped"
        assert not any(m._forward_hooks or m._forward_pre_hooks for m in other.modules())


def test_several_preparations_of_one_network_take_turns_too() -> None:
    for _ in range(20):
        net = plain()
        preps = [ap.wrap(net, example=X[:2]) for _ in range(4)] * 3
        expected = net(X).detach()
        with ThreadPoolExecutor(4) as pool:
            found = list(pool.map(lambda prep: ap.record(prep, X, "3", progress=False)["3"].to_numpy(), preps))
        for values in found:
            np.testing.assert_allclose(values, expected, rtol=1e-5, atol=1e-6)


def test_lesions_are_applied_again_after_they_were_left_but_not_twice() -> None:
    prep = ap.wrap(plain(), example=X[:2])
    lesions = ap.lesioned(prep, ap.Lesion("1", units=[0], kind="zero"))
    values = []
    for _ in range(2):
        with lesions:
            values.append(prep.run(X).outputs)
            with pytest.raises(ap.errors.LesionError, match="in force already"), lesions:
                pass
            assert torch.equal(prep.run(X).outputs, values[-1])
    assert torch.equal(*values) and not torch.equal(prep.run(X).outputs, values[0])


def test_a_closed_loop_may_play_a_game_of_many_coalitions() -> None:
    prep = ap.wrap(plain(), example=X[:2])

    def loop(p: Any) -> float:
        inner = ap.Game(p, X, lambda outputs, trials: outputs[:, 0], p.players("1"), kind="zero", progress=False)
        return float(ap.single_lesions(inner).values[2])

    game = ap.Game(prep, None, loop, prep.players("1", units=[0, 1]), kind="zero", progress=False)
    for cut in ([True, True], [False, True], [False, False]):
        lesions = [ap.Lesion("1", units=[u], kind="zero") for u, intact in enumerate(cut) if not intact]
        if lesions:
            with ap.lesioned(prep, *lesions):
                expected = loop(prep)
        else:
            expected = loop(prep)
        assert float(game(np.array([cut]))[0]) == pytest.approx(expected, abs=1e-6)


def test_preparations_and_games_are_not_copied() -> None:
    prep = ap.wrap(plain(), example=X[:2])
    game = ap.Game(prep, X, lambda outputs, trials: outputs[:, 0], prep.players("1"), kind="zero", progress=False)
    for thing in (prep, game):
        for use in (copy.deepcopy, pickle.dumps):
            with pytest.raises(ap.errors.ArtiphysError, match="not copied or pickled"):
                use(thing)
