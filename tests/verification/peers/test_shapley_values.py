"""Other packages' estimates against exact values, and which packages' faults would show."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import artiphys as ap
from artiphys.verification import peer_methods
from artiphys.verification.peers import shapley_values

BY: dict[str, tuple[str, Callable[..., Any]]] = {
    "msapy": ("msapy", shapley_values.by_msapy),
    "kernel": ("shapiq", shapley_values.by_kernel_shap),
    "permutations": ("shapiq", shapley_values.by_permutations),
    "svarm": ("shapiq", shapley_values.by_svarm),
    "captum": ("captum", shapley_values.by_captum),
}


@pytest.mark.parametrize("name", BY)
def test_estimates_are_near_exact_values(name: str) -> None:
    package, fn = BY[name]
    pytest.importorskip(package)
    toy = ap.toys.planted(8, 4, 3, n_trials=64)
    prep = ap.wrap(toy)
    game = ap.Game(prep, toy.stimuli, toy.score, toy.lesion_players(prep), kind="zero")
    exact = ap.shapley(game, method="exact", progress=False).values.to_numpy()
    assert np.asarray(fn(game)) == pytest.approx(exact, abs=0.06)
    assert np.abs(exact).max() > 0.1


def test_an_error_within_what_is_granted_is_forgiven_and_a_wrong_sign_is_not() -> None:
    pytest.importorskip("shapiq")
    board = ap.verify("shapiq KernelSHAP", toys=["majority3", "glove", "planted_recurrent"], progress=False)
    assert all(s.passed for s in board.scores) and len(board.scores) == 3
    peer = peer_methods()["shapiq KernelSHAP"]

    def negated(game: ap.Game) -> Any:
        return -shapley_values.by_kernel_shap(game)

    wrong = dataclasses.replace(ap.verification.method(negated), granted=peer.granted)
    assert not any(s.passed for s in ap.verify(wrong, toys=["majority3", "glove"], progress=False).scores)
