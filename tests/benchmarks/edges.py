"""Connections as players: what a coalition of edges costs, and a sweep of single edges beside TransformerLens's flags.

    HF_HUB_OFFLINE=1 python tests/benchmarks/edges.py

Ratios are medians of alternating runs. The flags are `set_use_attn_result`, `set_use_split_qkv_input` and
`set_use_hook_mlp_in`, with one forward pass an edge, as path patching is written with them.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

import artiphys as ap
from artiphys.lesions.evaluation.runner import Runner
from artiphys.players import Link, Players

N_EDGES, N_PROMPTS, N_ROUNDS = 48, 16, 3


def seconds(run: Callable[[], object]) -> float:
    began = time.perf_counter()
    run()
    return time.perf_counter() - began


def alternating(first: Callable[[], object], second: Callable[[], object], n: int) -> tuple[float, float]:
    """Median seconds of each, run in turns after one of each that does not count."""
    first(), second()
    pairs = [(seconds(first), seconds(second)) for _ in range(n)]
    return statistics.median(a for a, _ in pairs), statistics.median(b for _, b in pairs)


def linear_layer() -> None:
    torch.manual_seed(0)
    net = nn.Sequential(nn.Linear(256, 256), nn.ReLU(), nn.Linear(256, 256)).requires_grad_(False)
    x = torch.randn(512, 256)
    prep = ap.wrap(net, x[:2])
    players = prep.edges("1", "2", group_by="sender")
    score = ap.scores.Score(lambda outputs, trials: outputs.double().mean(1), "mean", "", key="mean")
    few = [prep.edges("1", "2", group_by="receiver")[i] for i in range(8)]
    for name, some in (("every", list(players)), ("8 of 256", few)):
        runner = Runner(ap.Game(prep, x, score, some, kind="zero", progress=False).setup)  # type: ignore[arg-type]
        cut = np.zeros((1, len(some)), dtype=bool)
        with runner.running(runner.plain):
            masked, plain = alternating(lambda: runner.outputs(cut, runner.setup.trials, 1), lambda: net(x), 30)  # noqa: B023
        print(f"two layers of 256, connections into {name} receivers masked: {masked / plain:.2f} plain forward passes")


def coalitions(prep: ap.Preparation, specimen: Any) -> None:
    players = prep.edges()
    began = time.perf_counter()
    game = ap.Game(prep, specimen.stimuli, specimen.score, players, kind="mean", progress=False)
    print(f"{len(players)} edges; a game of them is made in {time.perf_counter() - began:.1f} s")
    runner = Runner(game.setup)
    rng = np.random.default_rng(0)

    def plain() -> object:
        return prep.run(specimen.stimuli, last_only=True)

    with torch.no_grad():
        for cut in (0.01, 0.1, 0.5, 0.9, 1.0):
            coalition = rng.random((1, len(players))) >= cut
            times: list[tuple[float, float]] = []
            for _ in range(N_ROUNDS + 1):
                with runner.running(runner.plain):
                    ours = seconds(lambda: runner.outputs(coalition, runner.setup.trials, 1))  # noqa: B023
                times.append((ours, seconds(plain)))
            ratio = statistics.median(a for a, _ in times[1:]) / statistics.median(b for _, b in times[1:])
            said = f"a coalition with {cut:.0%} of all edges cut"
            print(f"{said}: {ratio:.2f} plain forward passes", flush=True)


def sweep(prep: ap.Preparation, specimen: Any) -> None:
    rng = np.random.default_rng(0)
    every = prep.edges()
    drawn = sorted(rng.choice(len(every), N_EDGES, replace=False).tolist())
    some = Players([every[i] for i in drawn])  # type: ignore[misc]
    tokens = specimen.stimuli.inputs
    bridge = ap.wrap(ap.specimens.load("smollm2-135m", n_prompts=N_PROMPTS)).bridge
    bridge.set_use_attn_result(True)
    bridge.set_use_split_qkv_input(True)
    bridge.set_use_hook_mlp_in(True)

    def scored(logits: Tensor) -> Any:
        return specimen.score(logits[:, -1], specimen.stimuli).numpy()

    intact = scored(bridge(tokens))
    found: dict[str, Any] = {}

    def ours() -> None:
        game = ap.Game(prep, specimen.stimuli, specimen.score, some, kind="zero", progress=False)
        found["ours"] = ap.single_lesions(game).per_trial

    def flags() -> None:
        with torch.no_grad():
            found["flags"] = np.stack([intact - scored(patched(bridge, tokens, p.targets[0])) for p in some])

    mine, theirs = alternating(ours, flags, N_ROUNDS)
    apart = float(np.abs(found["ours"].values - found["flags"]).max())
    print(f"{N_EDGES} single edges, {N_PROMPTS} prompts: {theirs / mine:.2f} times faster than the loop with flags")
    print(f"  ({mine / N_EDGES:.2f} s against {theirs / N_EDGES:.2f} s an edge; largest difference {apart:.1e})")


def patched(bridge: Any, tokens: Tensor, link: Any) -> Tensor:
    """Logits with one edge cut to 0, by the hooks that the flags switch on."""
    assert isinstance(link, Link)
    sent: dict[str, Tensor] = {}
    head = None if link.sender_units is None else link.sender_units[0]
    source = link.sender.replace("hook_z", "hook_result")

    def keep(x: Tensor, hook: Any) -> Tensor:
        sent["x"] = x if head is None else x[:, :, head]
        return x

    def cut(x: Tensor, hook: Any) -> Tensor:
        if link.receiver_units is None:
            return x - sent["x"]
        x = x.clone()
        x[:, :, link.receiver_units[0]] -= sent["x"]
        return x

    receiver = link.receiver
    for slot in "qkv":
        receiver = receiver.replace(f"attn.hook_{slot}", f"hook_{slot}_input")
    receiver = receiver.replace("ln2.hook_in", "hook_mlp_in")
    logits: Tensor = bridge.run_with_hooks(tokens, fwd_hooks=[(source, keep), (receiver, cut)])
    return logits


def main() -> None:
    torch.set_num_threads(2)
    linear_layer()
    specimen = ap.specimens.load("smollm2-135m", n_prompts=N_PROMPTS)
    prep = ap.wrap(specimen)
    sweep(prep, specimen)
    coalitions(prep, specimen)


if __name__ == "__main__":
    main()
