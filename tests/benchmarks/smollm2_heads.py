"""All 270 heads of SmolLM2 on indirect objects: time to a standard error of 2 % of intact minus lesioned.

Mean lesions, 16 prompts, the ten largest heads. artiphys adds coalitions until it is there.
For antithetic permutations in a loop over plain forward hooks, the time of a coalition is measured, and the standard
deviation of one antithetic sample of each of the ten heads: the pairs of permutations that this takes follow
(each of 2 x 269 coalitions).

    HF_HUB_OFFLINE=1 python tests/benchmarks/smollm2_heads.py [--samples 16]
"""

from __future__ import annotations

import argparse
import copy
import statistics
import time
from typing import Any

import numpy as np
import torch

import artiphys as ap

Array = np.ndarray[Any, Any]
SHARE, TOP = 0.02, 10


def hook_loop(bare: Any, found: Any, trials: ap.Stimuli, means: dict[int, torch.Tensor], cut: Array) -> float:
    """Score of one coalition by plain hooks: ``cut`` is bool ``(layer, head)``."""
    size = 64
    hooks = []
    for layer in np.flatnonzero(cut.any(axis=1)):
        mask = torch.as_tensor(np.repeat(cut[layer], size))

        def hook(module: Any, args: Any, mask: torch.Tensor = mask, mean: torch.Tensor = means[int(layer)]) -> Any:
            return (torch.where(mask, mean, args[0]),)

        hooks.append(bare.model.layers[layer].self_attn.o_proj.register_forward_pre_hook(hook))
    with torch.no_grad():
        logits = bare(trials.inputs, use_cache=False, logits_to_keep=1).logits[:, -1]
    for h in hooks:
        h.remove()
    return float(found.score(logits, trials).mean())


def recorded_means(bare: Any, trials: ap.Stimuli) -> dict[int, torch.Tensor]:
    """Mean over prompts of each output projection's input ``(time, head x unit)``, by layer."""
    means: dict[int, torch.Tensor] = {}
    hooks = []
    for i, layer in enumerate(bare.model.layers):

        def hook(module: Any, args: Any, i: int = i) -> None:
            means[i] = args[0].mean(dim=0)

        hooks.append(layer.self_attn.o_proj.register_forward_pre_hook(hook))
    with torch.no_grad():
        bare(trials.inputs, use_cache=False, logits_to_keep=1)
    for h in hooks:
        h.remove()
    return means


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--samples", type=int, default=16)
    arguments = parser.parse_args()
    torch.set_num_threads(2)
    found = ap.specimens.load("smollm2-135m", n_prompts=16)
    bare = copy.deepcopy(found.model)
    prep, trials = ap.wrap(found), found.stimuli
    players = prep.players("blocks.*.attn.hook_z")
    n = len(players)

    def value(coalition: Array) -> float:
        return hook_loop(bare, found, trials, means, ~coalition.reshape(30, 9))

    means = recorded_means(bare, trials)
    game = ap.Game(prep, trials, found.score, players, kind="mean", progress=False)
    delta = game.intact - game.lesioned
    looped = value(np.ones(n, dtype=bool)), value(np.zeros(n, dtype=bool))
    print(f"{n} heads, intact {game.intact:.3f} (loop {looped[0]:.3f}), lesioned {game.lesioned:.3f} "
          f"(loop {looped[1]:.3f})", flush=True)  # fmt: skip
    target = SHARE * abs(delta)
    print(f"target: a standard error of {target:.4f} for the {TOP} largest heads", flush=True)
    curve = []
    started = time.perf_counter()
    for budget in (194, 500, 700, 800, 900, 1000, 1400, 2000, 3000):  # each contains the draws of those before it
        phi = ap.shapley(game, budget=budget, seed=0, progress=False)
        seconds = time.perf_counter() - started
        largest = np.argsort(-np.abs(phi.values.to_numpy()))[:TOP]
        worst = float(phi.stderr.to_numpy()[largest].max())
        curve.append((phi.n_evaluations, seconds, worst))
        print(f"  {phi.method}: {phi.n_evaluations} coalitions, {seconds:.0f} s, standard error {worst:.4f} "
              f"({100 * worst / abs(delta):.1f} %)", flush=True)  # fmt: skip
        if worst <= target:
            break
    print(phi.why, phi.refused)
    names = phi.values["player"].values
    print(
        "largest: " + ", ".join(f"{names[i]} {float(phi.values[i]):.2f} +- {float(phi.stderr[i]):.2f}" for i in largest)
    )

    # The loop: seconds per coalition, and the spread of one antithetic sample.
    rng = np.random.default_rng(0)
    samples: dict[int, list[float]] = {int(i): [] for i in largest}
    taken = []
    for _ in range(arguments.samples):
        order = rng.permutation(n)
        rank = np.argsort(order)
        for i, of_head in samples.items():
            gains = []
            for before in (rank < rank[i], rank > rank[i]):
                one = before.copy()
                one[i] = True
                began = time.perf_counter()
                gains.append(value(one) - value(before))
                taken.append((time.perf_counter() - began) / 2)
            of_head.append(float(np.mean(gains)))
    each = statistics.median(taken)
    spread = max(np.std(s, ddof=1) for s in samples.values())
    pairs = (spread / target) ** 2
    loop = pairs * (2 * (n - 1)) * each
    reached = curve[-1]
    z = [(np.mean(s) - float(phi.values[i])) / np.hypot(np.std(s, ddof=1) / len(s) ** 0.5, float(phi.stderr[i]))
         for i, s in samples.items()]  # fmt: skip
    print(f"means of the loop's samples differ from artiphys's values by {np.sqrt(np.mean(np.square(z))):.2f} of their "
          f"standard errors (root mean square of {TOP})")  # fmt: skip
    print(f"loop: {each:.3f} s a coalition, largest standard deviation of an antithetic sample {spread:.3f} "
          f"({arguments.samples} samples): {pairs:.1f} pairs of permutations, {loop:.0f} s", flush=True)  # fmt: skip
    at_ours = (spread / reached[2]) ** 2 * 2 * (n - 1) * each
    print(f"to the error reached ({reached[2]:.4f} in {reached[1]:.0f} s) the loop needs {at_ours:.0f} s: "
          f"{at_ours / reached[1]:.1f} times ours")  # fmt: skip


if __name__ == "__main__":
    main()
