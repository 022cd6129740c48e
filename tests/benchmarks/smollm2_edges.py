"""Connections of SmolLM2-135M for indirect objects: pruned by gradients to a circuit, judged on 64 other prompts.

    HF_HUB_OFFLINE=1 python tests/benchmarks/smollm2_edges.py

All 70,651 edges between embedding, heads, MLPs and readout, at the mean at each position of 64 prompts of other names.
Faithfulness and fidelity against size, of the strongest edges by their gradient in the intact network and of what
pruning by gradients leaves. CMD is the area between the curve of faithfulness and 1 over the share of edges kept
(Mueller et al. 2025, MIB: a mechanistic interpretability benchmark).
"""

from __future__ import annotations

import time
from typing import Any

import numpy as np
from scipy.stats import spearmanr

import artiphys as ap

N_SEARCHED, N_HELD_OUT, N_CONFIRMED, FIDELITY = 16, 64, 48, 0.9
Values = np.ndarray[Any, Any]


def curve(game: ap.Game, sets: Values) -> tuple[Values, Values]:
    """Faithfulness and fidelity of sets of edges."""
    ends = np.stack([np.ones(game.n_players, bool), np.zeros(game.n_players, bool)])
    rows = game.per_trial(np.concatenate([ends, sets]))
    (intact, cut), kept = rows[:2], rows[2:]
    faithful = (kept.mean(1) - cut.mean()) / (intact.mean() - cut.mean())
    return faithful, 1 - ((kept - intact) ** 2).mean(1) / ((cut - intact) ** 2).mean()


def area(shares: Values, faithfulness: Values) -> float:
    """Between a curve over the share of edges kept and 1, from none to all."""
    order = np.argsort(shares)
    x, y = np.r_[0.0, shares[order], 1.0], np.abs(1 - np.r_[0.0, faithfulness[order], 1.0])
    return float(np.trapezoid(y, x))


def main() -> None:
    started = time.perf_counter()
    specimen = ap.specimens.load("smollm2-135m", n_prompts=N_SEARCHED + N_HELD_OUT)
    prep = ap.wrap(specimen)
    edges: Any = prep.edges()
    reference = ap.specimens.load("smollm2-135m", n_prompts=64, seed=1).stimuli
    how: Any = {"kind": "mean", "reference": reference, "progress": False}
    game = ap.Game(prep, specimen.stimuli, specimen.score, edges, **how)
    held_out = range(N_SEARCHED, N_SEARCHED + N_HELD_OUT)
    print(f"{len(edges)} edges; intact {game.intact:.3f}, all cut {game.lesioned:.3f} "
          f"({time.perf_counter() - started:.0f} s)", flush=True)  # fmt: skip

    began = time.perf_counter()
    found = ap.minimal_circuit(
        game, method="gradient", criterion="trials", faithfulness=FIDELITY, holdout=held_out, progress=False
    )
    print(f"{found.in_words()}\n{found.n_evaluations} ({time.perf_counter() - began:.0f} s)", flush=True)
    assert found._pruning is not None
    gradient, sets = found._pruning.first, found._pruning.sets
    order = np.argsort(-np.abs(gradient), kind="stable")
    ranked = np.zeros_like(sets)
    for row, size in zip(ranked, sets.sum(1)):
        row[order[:size]] = True
    for name, rows in (("pruned", sets), ("ranked", ranked)):
        faithful, fidelity = curve(game.on(held_out), rows)
        shares = rows.sum(1) / len(edges)
        print(f"{name}, held out, edges: faithfulness, fidelity: "
              + "; ".join(f"{k}: {r:.2f}, {q:.2f}" for k, r, q in zip(rows.sum(1), faithful, fidelity))
              + f"; CMD {area(shares, faithful):.3f}", flush=True)  # fmt: skip

    began = time.perf_counter()
    strongest = [edges[int(i)] for i in order[:N_CONFIRMED]]
    few = ap.Game(prep, specimen.stimuli[:N_SEARCHED], specimen.score, strongest, **how)
    exact, guess = ap.single_lesions(few).values.to_numpy(), gradient[order[:N_CONFIRMED]]
    worst = int(np.abs(exact - guess).argmax())
    others = np.arange(N_CONFIRMED) != worst
    print(f"the {N_CONFIRMED} edges of largest gradient cut singly: r {np.corrcoef(exact, guess)[0, 1]:.3f} "
          f"({np.corrcoef(exact[others], guess[others])[0, 1]:.3f} without {strongest[worst]!r}: {guess[worst]:.2f} by "
          f"its gradient, {exact[worst]:.2f} cut), rank correlation {spearmanr(exact, guess).statistic:.3f} "
          f"({time.perf_counter() - began:.0f} s)")  # fmt: skip
    print(f"{time.perf_counter() - started:.0f} s in all")


if __name__ == "__main__":
    main()
