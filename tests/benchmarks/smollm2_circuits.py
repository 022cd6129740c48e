"""Circuits of attention heads for indirect objects in SmolLM2-135M, from two halves of prompts, judged on 64 others.

    HF_HUB_OFFLINE=1 python tests/benchmarks/smollm2_circuits.py

128 balanced prompts: 32 (A) and 32 (B) to search on, 64 (C) to judge by; 270 heads at their mean at each position.
"""

from __future__ import annotations

import time
from typing import Any

import artiphys as ap

HALVES = {"A": range(32), "B": range(32, 64)}
OTHERS = range(64, 128)
SEARCHES = (("mean", 0.9, 250), ("trials", 0.9, 500))


def shown(circuit: ap.Circuit) -> str:
    names = " ".join(".".join((str(p).split(".")[1], str(p).split(".")[-1])) for p in circuit.players)
    low, high = circuit.interval()
    base = circuit.baseline
    assert circuit.stability is not None
    n = len(circuit.players)
    return (
        f"{n} heads ({names}); searched: r {circuit.faithfulness:.3f} q {circuit.fidelity:.3f}; "
        f"held out: r {circuit.held_out:.3f} q {circuit.held_out_fidelity:.3f} [{low:.3f}, {high:.3f}], "
        f"{circuit.verdict}; "
        f"{circuit.certificate}; overlap of redrawn {circuit.stability.mean:.2f}; as many by single lesions: r "
        f"{base.held_out:.3f} q {base.held_out_fidelity:.3f}; {circuit.n_evaluations}"
    )


def main() -> None:
    started = time.perf_counter()
    specimen = ap.specimens.load("smollm2-135m", n_prompts=128)
    prep = ap.wrap(specimen)
    heads = prep.players("blocks.*.attn.hook_z")
    game = ap.Game(prep, specimen.stimuli, specimen.score, heads, kind="mean", progress=False)
    print(f"intact {game.intact:.3f}, all heads lesioned {game.lesioned:.3g}")
    found: dict[tuple[str, float], list[set[object]]] = {}
    for half, rows in HALVES.items():
        part = game.on([*rows, *OTHERS])
        for criterion, faithfulness, budget in SEARCHES:
            began = time.perf_counter()
            try:
                how: Any = {"criterion": criterion, "faithfulness": faithfulness, "budget": budget}
                circuit = ap.minimal_circuit(part, method="beam", holdout=range(32, 96), **how)
            except ap.errors.BudgetError as error:
                print(f"{half} {criterion} {faithfulness}: {error} ({time.perf_counter() - began:.0f} s)", flush=True)
                continue
            found.setdefault((criterion, faithfulness), []).append(set(circuit.players))
            print(
                f"{half} {criterion} {faithfulness}: {shown(circuit)} ({time.perf_counter() - began:.0f} s)", flush=True
            )
    for (criterion, faithfulness), sets in found.items():
        if len(sets) == 2:
            overlap = len(sets[0] & sets[1]) / len(sets[0] | sets[1])
            print(f"{criterion} {faithfulness}: the halves' circuits overlap by {overlap:.2f} (Jaccard)")
    print(f"{time.perf_counter() - started:.0f} s in all")


if __name__ == "__main__":
    main()
