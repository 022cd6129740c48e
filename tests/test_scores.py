"""Scores: bad labels say what to do."""

from __future__ import annotations

from typing import Any

import pytest
from fixtures.networks import X, small

import artiphys as ap
from artiphys.errors import ArtiphysError

MISUSE: list[tuple[Any, str]] = [
    (
        lambda: ap.Game(p := small(), X, ap.scores.accuracy([0.5] * 12), p.players("1"), kind="zero").intact,
        "class indices",
    ),
    (
        lambda: ap.Game(p := small(), X, ap.scores.log_prob(["a"] * 12), p.players("1"), kind="zero").intact,  # type: ignore[list-item]
        "class indices",
    ),
]


@pytest.mark.parametrize(("use", "message"), MISUSE)
def test_misuse_is_not_accepted_silently(use: Any, message: str) -> None:
    with pytest.raises(ArtiphysError, match=message):
        use()
