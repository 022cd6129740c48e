"""Coalitions of a GPT-2-like network: artiphys against a loop over plain forward hooks, side by side.

4 layers x 8 heads, width 256, 16 prompts x 32 tokens, zero lesions of heads. The loop runs the bare model,
one coalition per forward pass, with a hook on the input of each attention output projection. Values are
compared on the coalitions the loop ran. Everything is timed in alternation, medians of several.

    python tests/benchmarks/transformer_coalitions.py [--repeats 5]
"""

from __future__ import annotations

import argparse
import copy
import statistics
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from transformers import GPT2Config, GPT2LMHeadModel

import artiphys as ap

LAYERS, HEADS, WIDTH, PROMPTS, TOKENS, WORDS = 4, 8, 256, 16, 32, 256
Array = np.ndarray[Any, Any]


def model() -> GPT2LMHeadModel:
    torch.manual_seed(0)
    config = GPT2Config(n_layer=LAYERS, n_head=HEADS, n_embd=WIDTH, vocab_size=WORDS, n_positions=64,
                        bos_token_id=None, eos_token_id=None)  # fmt: skip
    return GPT2LMHeadModel(config).eval()


def rig() -> tuple[Any, ap.Preparation, torch.Tensor, torch.Tensor, ap.Stimuli]:
    """The bare network, the same on the rig, tokens, targets, and stimuli whose column is the last target."""
    net = model()
    bare = copy.deepcopy(net)
    generator = torch.Generator().manual_seed(1)
    tokens = torch.randint(0, WORDS, (PROMPTS, TOKENS), generator=generator)
    targets = torch.randint(0, WORDS, (PROMPTS, TOKENS), generator=generator)
    return bare, ap.wrap(net), tokens, targets, ap.Stimuli(tokens, {"target": targets[:, -1].numpy()})


class Loop:
    """One forward pass a coalition, by plain hooks on the bare model."""

    def __init__(self, bare: Any, tokens: torch.Tensor, targets: torch.Tensor, heads: list[tuple[int, int]],
                 last: bool) -> None:  # fmt: skip
        self.bare, self.tokens, self.targets, self.heads, self.last = bare, tokens, targets, heads, last

    def __call__(self, coalitions: Array) -> Array:
        values = []
        size = WIDTH // HEADS
        for row in coalitions:
            cut: dict[int, list[int]] = {}
            for (layer, head), intact in zip(self.heads, row):
                if not intact:
                    cut.setdefault(layer, []).append(head)
            hooks = []
            for layer, heads in cut.items():

                def hook(module: Any, args: Any, heads: list[int] = heads) -> Any:
                    x = args[0].clone()
                    for h in heads:
                        x[..., h * size : (h + 1) * size] = 0
                    return (x,)

                hooks.append(self.bare.transformer.h[layer].attn.c_proj.register_forward_pre_hook(hook))
            with torch.no_grad():
                logits = self.bare(self.tokens, use_cache=False, logits_to_keep=1 if self.last else 0).logits
            for h in hooks:
                h.remove()
            values.append(score(logits, self.targets, self.last).mean().item())
        return np.array(values)


def score(logits: torch.Tensor, targets: torch.Tensor, last: bool) -> torch.Tensor:
    """Log-probability of the last target, or of all of them."""
    if last:
        return logits[:, -1].log_softmax(-1).gather(-1, targets[:, -1:])[:, 0]
    return logits.log_softmax(-1).gather(-1, targets[..., None])[..., 0].mean(dim=1)


def all_positions(targets: torch.Tensor) -> ap.scores.Score:
    """A user's score over all positions."""

    def fn(outputs: Any, trials: ap.Stimuli) -> torch.Tensor:
        return score(outputs, targets.repeat(len(outputs) // len(targets), 1), False)

    return ap.scores.Score(fn, "log-probability", "nats", rowwise=True)


def permutation(n: int, rng: np.random.Generator) -> Array:
    order = rng.permutation(n)
    rank = np.argsort(order)
    forward = np.arange(n + 1)[:, None] > rank
    return np.unique(np.vstack([forward, ~forward]), axis=0)


def paired(n: int, n_pairs: int, rng: np.random.Generator) -> Array:
    sizes = np.arange(1, n)
    p = 1 / (sizes * (n - sizes))
    rows = np.zeros((n_pairs, n), dtype=bool)
    for row, s in zip(rows, rng.choice(sizes, size=n_pairs, p=p / p.sum())):
        row[rng.choice(n, size=s, replace=False)] = True
    return np.unique(np.vstack([rows, ~rows]), axis=0)


def everything(n: int) -> Array:
    return np.asarray((np.arange(2**n)[:, None] >> np.arange(n)) & 1 == 1)


def timed(fn: Callable[[], Any]) -> tuple[float, Any]:
    start = time.perf_counter()
    result = fn()
    return time.perf_counter() - start, result


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=5)
    repeats = parser.parse_args().repeats
    torch.set_num_threads(2)
    bare, prep, tokens, targets, stimuli = rig()
    rng = np.random.default_rng(0)
    every = [(layer, h) for layer in range(LAYERS) for h in range(HEADS)]
    twelve = [(layer, h) for layer in range(LAYERS) for h in (0, 3, 5)]
    designs = {
        "antithetic permutations, 32 heads": (
            every,
            np.unique(np.vstack([permutation(32, rng) for _ in range(4)]), axis=0),
        ),
        "paired regression, 32 heads": (every, paired(32, 128, rng)),
        "all 4096 coalitions of 12 heads": (twelve, everything(12)),
    }
    print("design | score | coalitions | ceiling | speed-up (median, min-max) | share of ceiling | max rel. difference")
    for name, (heads, coalitions) in designs.items():
        for last in (False, True):
            loop = Loop(bare, tokens, targets, heads, last)
            kind = ap.scores.log_prob("target") if last else all_positions(targets)
            players = prep.players("blocks.*.attn.hook_z")
            chosen: Any = [players[f"blocks.{layer}.attn.hook_z.{h}"] for layer, h in heads]
            some = rng.choice(len(coalitions), size=min(48, len(coalitions)), replace=False)
            ratios, worst = [], 0.0
            ap.Game(prep, stimuli, kind, chosen, kind="zero", progress=False)(coalitions[:256])  # settle the pace
            for _ in range(repeats):
                slow, expected = timed(lambda: loop(coalitions[some]))  # noqa: B023
                game = ap.Game(prep, stimuli, kind, chosen, kind="zero", progress=False)
                fast, values = timed(lambda: game(coalitions))  # noqa: B023
                ratios.append(slow / len(some) * len(coalitions) / fast)
                worst = max(worst, float(np.abs((values[some] - expected) / expected).max()))
            ceiling = ap.Game(prep, stimuli, kind, chosen, kind="zero").plan(coalitions, measure=False).ceiling
            m = statistics.median(ratios)
            where = "last position" if last else "all positions"
            spread = f"{m:.2f} ({min(ratios):.2f}-{max(ratios):.2f})"
            print(f"{name} | {where} | {len(coalitions)} | {ceiling:.2f} | {spread} | "
                  f"{m / ceiling:.2f} | {worst:.1e}", flush=True)  # fmt: skip
    rate(bare, prep, stimuli, tokens, designs, repeats)


def rate(bare: Any, prep: Any, stimuli: ap.Stimuli, tokens: torch.Tensor, designs: Any, repeats: int) -> None:
    """Coalition-layers a second against the bare model's best rate over batch sizes."""
    _heads, coalitions = designs["paired regression, 32 heads"]
    players = prep.players("blocks.*.attn.hook_z")
    ours, best = [], []
    for _ in range(repeats):
        rates = {}
        for rows in (16, 32, 64, 128, 256):
            batch = tokens.repeat(rows // PROMPTS, 1)
            with torch.no_grad():
                seconds = min(timed(lambda: bare(batch, use_cache=False, logits_to_keep=1))[0] for _ in range(3))  # noqa: B023
            rates[rows] = rows / PROMPTS * LAYERS / seconds
        best.append(max(rates.values()))
        game = ap.Game(prep, stimuli, ap.scores.log_prob("target"), players, kind="zero", progress=False)
        units = game.plan(coalitions, measure=False).layer_units
        seconds, _ = timed(lambda: game(coalitions))  # noqa: B023
        ours.append(units / seconds)
    ratio = statistics.median(o / b for o, b in zip(ours, best))
    ours_best = statistics.median(ours), statistics.median(best)
    print(f"coalition-layers a second: {ours_best[0]:.0f}, bare model at its best {ours_best[1]:.0f}, "
          f"ratio {ratio:.2f}")  # fmt: skip


if __name__ == "__main__":
    main()
