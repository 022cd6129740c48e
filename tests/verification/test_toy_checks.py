"""What is wrong with a toy is said of the toy, before any method is asked."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest

import artiphys as ap
from artiphys.errors import InputError
from artiphys.verification.toy_checks import check_toy

XOR = ap.toys.load("xor")


def with_truth(**changes: Any) -> ap.toys.Toy:
    truth = XOR.truths("shapley", "zero")
    return dataclasses.replace(XOR, truth=(dataclasses.replace(truth, **changes),))


@pytest.mark.parametrize(
    ("toy", "said"),
    [
        (with_truth(expected={}), "expected is empty"),
        (with_truth(expected={"hidden.0": 0.4, "ghost.0": 0.1}), "ghost.0, which are none of its players: hidden.0"),
        (with_truth(expected={"hidden.0": float("nan")}), "not finite"),
        (with_truth(tolerance=float("inf")), "tolerance came as inf"),
        (with_truth(tolerance=-1.0), "tolerance came as -1.0"),
        (with_truth(kind="zap"), "kind came as 'zap'"),
        (dataclasses.replace(XOR, labels=np.zeros(3)), "3 labels for 4 trials"),
        (dataclasses.replace(XOR, truth=()), "states no truth"),
    ],
)
def test_malformed_toys_are_refused(toy: ap.toys.Toy, said: str) -> None:
    with pytest.raises(InputError, match=said):
        ap.verify("shapley", [toy], progress=False)


def test_every_toy_of_the_catalogue_is_well_formed() -> None:
    for name in ap.toys.names():
        if not name.startswith("compiled"):
            check_toy(ap.toys.load(name))


def test_requests() -> None:
    with pytest.raises(InputError, match="methods came as int"):
        ap.verify(3, progress=False)  # type: ignore[arg-type]
    with pytest.raises(InputError, match="different toys came under one name: xor"):
        ap.verify("shapley", [XOR, ap.toys.load("xor")], progress=False)
    with pytest.raises(InputError, match="Give a mapping of names"):
        ap.verify([lambda g: [0, 0], lambda g: [1, 1]], "xor", progress=False)
