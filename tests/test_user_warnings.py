"""Warnings point at the line of the user that led to them."""

from __future__ import annotations

import inspect
import warnings

import numpy as np
import torch
from torch import nn

import artiphys as ap
from artiphys.deprecation import deprecated


def here() -> int:
    frame = inspect.currentframe()
    assert frame is not None and frame.f_back is not None
    return frame.f_back.f_lineno


def test_however_deep_they_arise() -> None:
    x = np.random.default_rng(0).normal(size=(60, 2))
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        line = here() + 1
        ap.decode(x, np.arange(60) % 2, confounds=np.ones(60), n_permutations=0)  # inside the folds of a reader
    assert {(w.filename, w.lineno) for w in caught} == {(__file__, line)} and "confounds" in str(caught[0].message)


def test_through_context_managers() -> None:
    class Mixing(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return x - x.mean(dim=0)

    torch.manual_seed(0)
    x = torch.randn(20, 3)
    prep = ap.wrap(nn.Sequential(nn.Linear(3, 4), nn.Tanh(), Mixing(), nn.Linear(4, 1)).eval(), x)
    game = ap.Game(prep, x, ap.scores.output(), prep.players("1"), kind="zero")
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        line = here() + 1
        game(np.eye(4, dtype=bool))
    mixing = next(w for w in caught if "mixes the trials" in str(w.message))
    assert (mixing.filename, mixing.lineno) == (__file__, line)


def test_deprecated_names_say_what_to_use_and_until_when() -> None:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        line = here() + 1
        deprecated("ap.old(x)", "ap.new(x)", "0.4.0")
    (warning,) = caught
    assert warning.category is FutureWarning and warning.lineno == line
    assert str(warning.message) == "ap.old(x) is deprecated and will be removed in artiphys 0.4.0; use ap.new(x)"
