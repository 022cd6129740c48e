"""Players: bad units say what to do."""

from __future__ import annotations

from typing import Any

import pytest
from fixtures.networks import small

from artiphys.errors import ArtiphysError

MISUSE: list[tuple[Any, str]] = [
    (lambda: small().players("1", units=[1.5]), "whole numbers"),  # type: ignore[list-item]
]


@pytest.mark.parametrize(("use", "message"), MISUSE)
def test_misuse_is_not_accepted_silently(use: Any, message: str) -> None:
    with pytest.raises(ArtiphysError, match=message):
        use()
