"""Connections of SmolLM2-135M for indirect objects: ranked by gradients, confirmed exactly, judged on 64 other prompts.

    HF_HUB_OFFLINE=1 python tests/benchmarks/smollm2_edges.py

All 70,651 edges between embedding, heads, MLPs and readout, at the mean at each position of 64 prompts of other names.
Faithfulness of the strongest k edges, all others cut, over sizes k; CMD is the area between that curve and 1 over the
share of edges kept (Mueller et al. 2025, MIB: a mechanistic interpretability benchmark).
"""

from __future__ import annotations

import time
from typing import Any

import numpy as np
from scipy.stats import spearmanr

import artiphys as ap

SHARES = (0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5)
N_CONFIRMED, FAITHFULNESS = 64, 0.9
Values = np.ndarray[Any, Any]


def kept(order: Values, sizes: list[int]) -> Values:
    """Coalitions of the strongest players, ``(size, player)``."""
    rows = np.zeros((len(sizes), len(order)), dtype=bool)
    for row, size in zip(rows, sizes):
        row[order[:size]] = True
    return rows


def area(shares: Values, faithfulness: Values) -> float:
    """Between a curve over the share of edges kept and 1, from none to all."""
    x, y = np.r_[0.0, shares, 1.0], np.abs(1 - np.r_[0.0, faithfulness, 1.0])
    return float(np.trapezoid(y, x))


def main() -> None:
    started = time.perf_counter()
    specimen = ap.specimens.load("smollm2-135m", n_prompts=96)
    prep = ap.wrap(specimen)
    edges = prep.edges()
    reference = ap.specimens.load("smollm2-135m", n_prompts=64, seed=1).stimuli
    game = ap.Game(prep, specimen.stimuli, specimen.score, edges, kind="mean", reference=reference, progress=False)
    searched, held_out = game.on(range(32)), game.on(range(32, 96))
    whole, none = searched.intact, searched.lesioned
    print(
        f"{len(edges)} edges; intact {whole:.3f}, all cut {none:.3f} ({time.perf_counter() - started:.0f} s)",
        flush=True,
    )

    orders: dict[str, Values] = {}
    for name, how in (("gradient", {"method": "gradient"}), ("integrated", {"steps": 4})):
        began = time.perf_counter()
        found = ap.attribution(searched, **how).values.to_numpy()
        orders[name] = np.argsort(-np.abs(found), kind="stable")
        print(f"{name}: {time.perf_counter() - began:.0f} s; strongest:", flush=True)
        for i in orders[name][:5]:
            print(f"    {edges.names[i]}: {found[i]:.2f}")
        began = time.perf_counter()
        strongest: Any = [edges[int(i)] for i in orders[name][:N_CONFIRMED]]
        few = ap.Game(prep, specimen.stimuli[:32], specimen.score, strongest, kind="mean", reference=reference,
                      progress=False)  # fmt: skip
        exact = ap.single_lesions(few).values.to_numpy()
        guess = found[orders[name][:N_CONFIRMED]]
        r, first = np.corrcoef(exact, guess)[0, 1], np.corrcoef(exact[:16], guess[:16])[0, 1]
        print(f"    the strongest {N_CONFIRMED} cut singly: r {r:.3f} (of 16 {first:.3f}), rank correlation "
              f"{spearmanr(exact, guess).statistic:.3f} ({time.perf_counter() - began:.0f} s)", flush=True)  # fmt: skip

    sizes = [round(s * len(edges)) for s in SHARES]
    shares = np.array(sizes) / len(edges)
    curves = {}
    for name, order in orders.items():
        curves[name] = (searched(kept(order, sizes)) - none) / (whole - none)
        print(f"{name}, searched: " + " ".join(f"{k}:{r:.2f}" for k, r in zip(sizes, curves[name])), flush=True)
    best = min(curves, key=lambda name: area(shares, curves[name]))
    rows = held_out.per_trial(kept(orders[best], sizes))
    intact, cut = (held_out.per_trial(np.full((1, len(edges)), which))[0] for which in (True, False))
    faithful = (rows.mean(1) - cut.mean()) / (intact.mean() - cut.mean())
    fidelity = 1 - ((rows - intact) ** 2).mean(1) / ((cut - intact) ** 2).mean()
    print(f"{best}, held out: " + " ".join(f"{k}:{r:.2f}" for k, r in zip(sizes, faithful)))
    print(f"CMD: searched {area(shares, curves[best]):.3f}, held out {area(shares, faithful):.3f}")
    near = [i for i, r in enumerate(curves[best]) if abs(r - 1) <= 1 - FAITHFULNESS]
    if near:
        i = near[0]
        print(f"the smallest of these with faithfulness {FAITHFULNESS}: {sizes[i]} edges ({shares[i]:.2%}); held out "
              f"r {faithful[i]:.3f}, fidelity {fidelity[i]:.3f}")  # fmt: skip
    print(f"{time.perf_counter() - started:.0f} s in all")


if __name__ == "__main__":
    main()
