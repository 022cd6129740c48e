"""Wrapping: bad examples and patterns say what to do."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from fixtures.networks import X, small

import artiphys as ap
from artiphys.errors import ArtiphysError

MISUSE: list[tuple[Any, str]] = [
    (lambda: ap.wrap(small().model, X, steps=["cel"]).look(), "no module 'cel'"),
    (lambda: ap.wrap(small().model, torch.zeros(2, 7)).look(), "could not be run"),
]


@pytest.mark.parametrize(("use", "message"), MISUSE)
def test_misuse_is_not_accepted_silently(use: Any, message: str) -> None:
    with pytest.raises(ArtiphysError, match=message):
        use()
