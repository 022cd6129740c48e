"""A method leaves torch and numpy as they were."""

from __future__ import annotations

import random
import sys
from typing import Any

import numpy as np
import torch

import artiphys as ap
from artiphys.verification import method


def vandal(game: ap.Game) -> Any:
    torch.set_grad_enabled(False)
    torch.set_default_dtype(torch.float64)
    torch.manual_seed(5)
    np.random.seed(5)
    random.seed(5)
    np.seterr(all="raise")
    raise ValueError("and fails")


def test_state_is_set_back_after_errors_too() -> None:
    toy = ap.toys.load("xor")  # layers draw weights when they are made
    torch.manual_seed(1)
    np.random.seed(1)
    random.seed(1)
    before = torch.is_grad_enabled(), torch.get_default_dtype(), torch.get_num_threads(), np.geterr()
    expected = torch.rand(2), np.random.rand(), random.random()
    torch.manual_seed(1)
    np.random.seed(1)
    random.seed(1)
    assert not ap.verify(vandal, toy, progress=False)
    assert (torch.is_grad_enabled(), torch.get_default_dtype(), torch.get_num_threads(), np.geterr()) == before
    assert torch.equal(torch.rand(2), expected[0])
    assert (np.random.rand(), random.random()) == expected[1:]


def test_a_method_that_exits_has_failed() -> None:
    board = ap.verify(method(lambda game: sys.exit(0), name="leaves"), "xor", progress=False)
    assert not board and "SystemExit" in board.failures[0].note
