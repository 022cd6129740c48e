"""Reader and Fitted: what readers offer, fits of many places and label sets and their predictions."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Protocol, runtime_checkable

from jaxtyping import Float, Num
from torch import Tensor

from artiphys.array_types import Array
from artiphys.probes.readers.linear import Linear


@runtime_checkable
class Fitted(Protocol):
    """A reader fitted at every place, for every target."""

    def predict(self, x: Float[Tensor, "place trial feature"]) -> Num[Array, "place target trial"]:
        """Activity ``(place, trial, feature)`` -> guesses ``(place, target, trial)``."""
        ...

    def first(self) -> Fitted:
        """The same of the first target alone."""
        ...

    def linear(self, n_classes: int) -> Linear | None:
        """Weights and intercepts of the first target, where it has them."""
        ...

    @property
    def n_places(self) -> int:
        """Number of places it was fitted at."""
        ...


@runtime_checkable
class Telling(Protocol):
    """A fitted reader that tells more than guesses, each ``(place, target, trial, class)``."""

    def evidence(self, x: Float[Tensor, "place trial feature"]) -> Float[Array, "place target trial klass"]:
        """More is more likely; of two classes symmetric about 0."""
        ...

    def probabilities(self, x: Float[Tensor, "place trial feature"]) -> Float[Array, "place target trial klass"]:
        """Of each class."""
        ...


@runtime_checkable
class Reader(Protocol):
    """An estimator that predicts labels from activity, fitted at many places for many label sets."""

    @property
    def name(self) -> str:
        """In words, for a methods section."""
        ...

    @property
    def offers(self) -> frozenset[str]:
        """What its fits can tell of classes besides guesses: "evidence", "probabilities"."""
        ...

    @property
    def n_columns(self) -> int:
        """Columns of numbers that each label set needs."""
        ...

    @property
    def shares_work(self) -> bool:
        """Whether the fits of one call share work, so that a fit of all trials is best asked for in the same call."""
        ...

    def fits(
        self,
        x: Float[Tensor, "place trial feature"],
        targets: Num[Array, "target trial"],
        trains: Sequence[Array],
        tests: Sequence[Array],
    ) -> Iterator[Fitted]:
        """One fit for each training part; see `Ridge.fits`."""
        ...
