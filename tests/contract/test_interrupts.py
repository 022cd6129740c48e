"""An interrupt before any line of artiphys leaves nothing behind, and is always delivered."""

from __future__ import annotations

import contextlib
import os
import random
import signal
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from fixtures.interrupts import Line, interrupted, left_behind, lines_of, state_of
from torch import Tensor, nn

import artiphys as ap

X = torch.randn(6, 5, 3, generator=torch.Generator().manual_seed(0))
EVERY_LINE = bool(os.environ.get("EVERY_LINE"))  # minutes; else a fixed sample of them
# What is interrupted: all of artiphys but what only computes on arrays.
SKIPPED = ("stats", "estimators", "missing.py", "digests.py", "structure.py", "stimuli.py", "errors.py", "sites.py")


@dataclass
class Case:
    make: Callable[[], nn.Module]
    site: str
    x: Tensor


def plain() -> nn.Module:
    return nn.Sequential(nn.Flatten(), nn.Linear(15, 4), nn.Tanh(), nn.BatchNorm1d(4), nn.Linear(4, 2))


def in_place() -> nn.Module:
    return nn.Sequential(nn.Flatten(), nn.Linear(15, 4), nn.ReLU(inplace=True), nn.Linear(4, 2))


class Recurrent(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.gru, self.out = nn.GRU(3, 4, batch_first=True), nn.Linear(4, 2)

    def forward(self, x: Tensor) -> Tensor:
        logits: Tensor = self.out(self.gru(x)[0][:, -1])
        return logits


def transformer() -> Any:
    from transformers import GPT2Config, GPT2LMHeadModel

    return GPT2LMHeadModel(GPT2Config(n_layer=2, n_head=2, n_embd=8, vocab_size=11, n_positions=8))


TOKENS = torch.randint(0, 11, (4, 5), generator=torch.Generator().manual_seed(0))
CASES = {
    "plain": Case(plain, "1", X),
    "in place": Case(in_place, "1", X),
    "recurrent": Case(Recurrent, "gru.h0", X),
    "transformer": Case(transformer, "blocks.0.attn.hook_z", TOKENS),
}


def score(outputs: Any, trials: Any) -> Tensor:
    values: Tensor = outputs.reshape(len(outputs), -1)[:, 0]
    return values


def works(prep: Any, case: Case, folder: Path) -> dict[str, Callable[[], Any]]:
    players = prep.players(case.site)

    def lesioned() -> Any:
        with ap.lesioned(prep, ap.Lesion(case.site, units=[1], kind="zero")):
            return prep.run(case.x).outputs

    def loop(p: Any) -> float:
        outputs = p.run(case.x).outputs
        return float(score(getattr(outputs, "logits", outputs), None).mean())

    def played() -> Any:
        return ap.Game(prep, case.x, score, players, kind="mean", progress=False).lesioned

    return {
        "run": lambda: prep.run(case.x, read=case.site, write={case.site: lambda x, at: x * 2}).activity,
        "stopped run": lambda: prep.run(case.x, stop_at=case.site).activity,
        "record": lambda: ap.record(prep, case.x, case.site, batch_size=4, progress=False)[case.site].values,
        "lesion": lesioned,
        "game": played,
        "closed loop": lambda: ap.Game(prep, None, loop, players, kind="zero", progress=False).lesioned,
        "attribution": lambda: (
            ap.attribution(ap.Game(prep, case.x, score, players, kind="zero", progress=False)).values
        ),
    }


def bare(net: nn.Module, case: Case) -> list[Tensor]:
    outputs = net(case.x)
    return [getattr(outputs, "logits", outputs).clone()]


def flat(values: Any) -> list[Tensor]:
    kept = values.values() if isinstance(values, dict) else [getattr(values, "logits", values)]
    return [torch.as_tensor(np.asarray(v.detach() if isinstance(v, Tensor) else v)) for v in kept]


def chosen(work: Callable[[], Any], n: int) -> list[tuple[Line, int]]:
    """The first and the last time that each line runs; so many of these, unless all are asked for."""
    lines = {line: count for line, count in lines_of(work).items() if not any(part in line[0] for part in SKIPPED)}
    places = [(line, i) for line, count in lines.items() for i in sorted({1, count})]
    return places if EVERY_LINE else random.Random(0).sample(places, min(n, len(places)))


@pytest.mark.slow
@pytest.mark.many_runs
@pytest.mark.parametrize("name", list(CASES))
@pytest.mark.filterwarnings("ignore:Exception ignored")
def test_an_interrupt_before_any_line_leaves_nothing_behind(name: str, tmp_path: Path) -> None:
    """Before the first and the last time that lines run; afterwards the same preparation gives what it gave before."""
    case = CASES[name]
    torch.manual_seed(0)
    net = case.make().eval()
    failures: list[str] = []
    n_interrupts = 0
    with torch.no_grad():
        for work_name in works(ap.wrap(net, example=case.x[:2]), case, tmp_path):
            prep = ap.wrap(net, example=case.x[:2])
            work = works(prep, case, tmp_path)[work_name]
            expected = work()
            before, outputs = state_of(prep, net), bare(net, case)
            for line, occurrence in chosen(work, 60 if name == "transformer" else 250):
                became = interrupted(work, line, occurrence)
                if became == "not reached":
                    continue
                n_interrupts += 1
                left = left_behind(before, state_of(prep, net))
                if became != "delivered":
                    left.append(f"interrupt {became}")
                if not all(map(torch.equal, bare(net, case), outputs)):
                    left.append("outputs")
                if left:
                    failures.append(f"{work_name}: {Path(line[0]).name}:{line[1]} ({occurrence}): {left}")
                    before = state_of(prep, net)
            for a, b in zip(flat(work()), flat(expected)):
                torch.testing.assert_close(a, b)
    assert not failures, f"{len(failures)} of {n_interrupts}:\n" + "\n".join(failures[:40])
    assert n_interrupts > 300


@pytest.mark.slow
@pytest.mark.many_runs
@pytest.mark.parametrize("name", list(CASES))
def test_an_interrupt_while_a_network_is_wrapped_and_looked_at_leaves_it_as_it_was(name: str) -> None:
    case = CASES[name]
    torch.manual_seed(0)
    net = case.make().eval()

    def wrapped() -> Any:
        prep = ap.wrap(net, example=case.x[:2])
        prep.require_wired(case.site)
        prep.require_steady(ap.Stimuli(case.x))
        return prep

    prep = wrapped()
    prep.unwrap()
    attributes = {n: set(m.__dict__) for n, m in net.named_modules()}
    with torch.no_grad():
        outputs = bare(net, case)
        places = chosen(wrapped, 100 if name == "transformer" else 1000)
        ap.wrap(net, example=case.x[:2]).unwrap()
        failures = []
        for line, occurrence in places:
            became = interrupted(wrapped, line, occurrence)
            if became == "not reached":
                continue
            ap.wrap(net, example=case.x[:2]).unwrap()
            wrong = [] if became == "delivered" else [f"interrupt {became}"]
            if not all(map(torch.equal, bare(net, case), outputs)):
                wrong.append("outputs")
            if {n: set(m.__dict__) for n, m in net.named_modules()} != attributes:
                wrong.append("attributes")
            if any(m._forward_hooks or m._forward_pre_hooks for m in net.modules()):
                wrong.append("hooks")
            if wrong:
                failures.append(f"{Path(line[0]).name}:{line[1]} ({occurrence}): {wrong}")
        assert not failures, f"{len(failures)}:\n" + "\n".join(failures[:40])


# A file that was being read (the memory that is left) is closed by itself, with a warning of its own. And what an
# earlier interrupt tore is undone when it is collected; an interrupt just then is swallowed by Python, which says so.
@pytest.mark.filterwarnings("ignore:Exception ignored in. <_io:pytest.PytestUnraisableExceptionWarning")
@pytest.mark.filterwarnings("ignore:Exception ignored in. <finalize:pytest.PytestUnraisableExceptionWarning")
def test_signals_from_a_timer_leave_nothing_behind() -> None:
    """As Ctrl-C comes: at any instruction, also inside torch's own code."""
    torch.manual_seed(0)
    case = CASES["recurrent"]
    net = case.make().eval()
    prep = ap.wrap(net, example=case.x[:2])
    work = list(works(prep, case, Path()).values())
    for fn in work:
        fn()
    before = state_of(prep, net)
    with torch.no_grad():
        outputs = net(case.x)
    delivered = 0

    def interrupt(*args: object) -> None:
        raise KeyboardInterrupt

    handler = signal.signal(signal.SIGALRM, interrupt)
    rng = torch.Generator().manual_seed(1)
    try:
        for i in range(300):
            delay = float(torch.rand((), generator=rng)) * 5e-3 + 2e-5
            fn = work[i % len(work)]
            with contextlib.suppress(KeyboardInterrupt):  # one that came just after the work was done
                try:
                    signal.setitimer(signal.ITIMER_REAL, delay)
                    fn()
                    signal.setitimer(signal.ITIMER_REAL, 0)
                except KeyboardInterrupt:
                    delivered += 1
            assert not left_behind(before, state_of(prep, net)), (i, left_behind(before, state_of(prep, net)))
    finally:
        signal.signal(signal.SIGALRM, handler)
    with torch.no_grad():
        assert torch.equal(net(case.x), outputs)
    assert delivered > 30


def test_a_lesion_left_by_an_interrupted_exit_ends_at_the_next_run() -> None:
    """While the error's traceback is kept, as an interactive session keeps it, nothing is dropped by itself."""
    torch.manual_seed(0)
    net = plain().eval()
    prep = ap.wrap(net, example=X[:2])
    expected = prep.run(X, read="1").activity["1"]

    def write(x: Tensor, at: Any) -> Tensor:
        return x * 0

    def work() -> Any:
        return prep.run(X, read="4", write={"1": write})

    lines = [(f, n) for f, n in lines_of(work) if f.endswith(("tapping.py", "changes.py", "turns.py"))]
    for line in lines:

        def interrupt(frame: Any, event: str, argument: object, line: Any = line) -> Any:
            if event == "line" and (frame.f_code.co_filename, frame.f_lineno) == line:
                raise KeyboardInterrupt
            return interrupt

        kept = None
        sys.settrace(interrupt)
        try:
            work()
        except KeyboardInterrupt as error:
            kept = error  # and with it all frames
        finally:
            sys.settrace(None)
        assert torch.equal(prep.run(X, read="1").activity["1"], expected), line
        assert not any(m._forward_hooks or m._forward_pre_hooks for m in net.modules()), line
        assert kept is None or kept.__traceback__ is not None
