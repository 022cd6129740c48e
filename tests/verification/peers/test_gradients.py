"""Gradient rankings: captum against artiphys' own gates, masks, and networks without a gradient."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import artiphys as ap
from artiphys.verification.circuit_measures import measured
from artiphys.verification.methods import Case, InapplicableError
from artiphys.verification.peers import gradients


def case_of(toy: ap.toys.Toy) -> Case:
    return Case(toy, toy.truths("minimal circuits", "zero"))


@pytest.mark.parametrize("method", ["gradient", "integrated"])
def test_captum_says_what_gates_say(method: str) -> None:
    pytest.importorskip("captum")
    case = case_of(ap.toys.planted(8, 4, 3, n_trials=64))
    fn = gradients.gradient_by_activation if method == "gradient" else gradients.integrated_gradients
    values = fn(case).values
    own = ap.attribution(case.game, method=method, steps=50)  # type: ignore[arg-type]
    assert values == pytest.approx(own.values.to_numpy(), abs=2e-3)
    assert values is not None and np.abs(values).max() > 0.1


def test_edges_of_paths_that_cancel() -> None:
    """At all intact the gradient of h→m is -1, that of h→y 1, and of x→h 0: both paths go through it."""
    case = case_of(ap.toys.load("cancelling_paths"))
    found = gradients.edge_attribution(case, "gradient")
    assert found.values == pytest.approx([0, -1, -1, 1, 1], abs=1e-6)
    assert not measured(found, case).exact


def test_masks_find_units_that_are_needed_together() -> None:
    for gadget in ("single", "synergy2", "redundant2"):
        case = case_of(ap.toys.planted(8, 1 if gadget == "single" else 2, 9, gadgets=(gadget,), n_trials=64))
        found = measured(gradients.learned_masks(case), case)
        assert found.missed_members == 0, gadget
        if gadget != "redundant2":
            assert found.exact, gadget


@pytest.mark.parametrize("name", ["xor", "relay", "cancelling_paths", "planted_recurrent"])
def test_networks_without_a_gradient_or_layers_called_often_are_no_case(name: str) -> None:
    pytest.importorskip("captum")
    case = case_of(ap.toys.load(name))
    for fn in (gradients.gradient_by_activation, gradients.integrated_gradients, gradients.learned_masks):
        with pytest.raises(InapplicableError):
            fn(case)
    model: Any = case.toy.model
    assert not any(m._forward_hooks for m in model.modules())
