"""Stimuli: bad inputs, conditions and selections say what to do."""

from __future__ import annotations

from typing import Any

import pytest
from fixtures.networks import X

import artiphys as ap
from artiphys.errors import ArtiphysError

MISUSE: list[tuple[Any, str]] = [
    (lambda: ap.Stimuli.from_tokens([[1.9, 2.2]]), "whole numbers"),  # type: ignore[list-item]
    (lambda: ap.Stimuli(X, [1] * 12), "mapping of columns"),  # type: ignore[arg-type]
    (lambda: ap.Stimuli(X, {"label": 3}), "one value per trial|rows for"),
    (lambda: ap.Stimuli(X, ids=["a"] * 12), "different integers"),  # type: ignore[list-item]
    (lambda: ap.Stimuli(X)[100], "does not select among 12"),
    (lambda: ap.Stimuli(X)[5:5], "no trials are left"),
]


@pytest.mark.parametrize(("use", "message"), MISUSE)
def test_misuse_is_not_accepted_silently(use: Any, message: str) -> None:
    with pytest.raises(ArtiphysError, match=message):
        use()
