"""What every reader offers: fits of many places and label sets, and their predictions."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Protocol

from torch import Tensor

from artiphys.array_types import Array


class Fitted(Protocol):
    """A reader fitted at every place, for every target."""

    def predict(self, x: Tensor) -> Array:
        """Activity ``(place, trial, feature)`` -> guesses ``(place, target, trial)``."""
        ...

    def first(self) -> Fitted:
        """The same of the first target alone."""
        ...


class Reader(Protocol):
    """A way to read."""

    @property
    def name(self) -> str:
        """In words, for a methods section."""
        ...

    def fits(self, x: Tensor, targets: Array, trains: Sequence[Array], tests: Sequence[Array]) -> Iterator[Fitted]:
        """One fit for each training part; see `Ridge.fits`."""
        ...
