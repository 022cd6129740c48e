"""Linear readouts: coding of classes, scaling, and the fitted weights of many places and label sets."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import torch
from jaxtyping import Float, Num
from torch import Tensor

from artiphys.array_types import Array


@dataclass(frozen=True)
class Linear:
    """Fitted linear readouts of every place and target.

    Attributes
    ----------
    weights : ``(place, feature, target, column)``
        For activity in its own units. One column for two classes or a number, else one per class.
    intercept : ``(place, target, column)``
    n_classes : int
        0 for numbers.
    period : float
        Of angles, whose columns are their cosine and sine; else 0.
    """

    weights: Float[Tensor, "place feature target column"]
    intercept: Float[Tensor, "place target column"]
    n_classes: int
    period: float = 0.0

    def decide(self, x: Float[Tensor, "any_place trial feature"]) -> Float[Tensor, "places trial target column"]:
        """Decision values ``(place, trial, target, column)`` of activity ``(place, trial, feature)``."""
        decisions: Tensor = (
            torch.unflatten(x @ self.weights.flatten(2), 2, self.weights.shape[2:]) + self.intercept[:, None]
        )
        return decisions

    def predict(self, x: Float[Tensor, "any_place trial feature"]) -> Num[Array, "places target trial"]:
        """Classes or numbers ``(place, target, trial)``."""
        values = self.decide(x)
        if self.period:
            guess = torch.atan2(values[..., 1], values[..., 0]) * (self.period / (2 * torch.pi)) % self.period
        elif self.n_classes == 0:
            guess = values[..., 0]
        elif self.n_classes == 2:
            guess = (values[..., 0] > 0).long()
        else:
            guess = values.argmax(dim=-1)
        return np.asarray(guess.mT.cpu().numpy())

    def evidence(self, x: Float[Tensor, "any_place trial feature"]) -> Float[Array, "places target trial klass"]:
        """Evidence for each class, of two classes half of the decision value for and against."""
        values = self.decide(x).transpose(1, 2)
        if self.n_classes == 2:
            values = torch.cat([-values / 2, values / 2], dim=-1)
        return np.asarray(values.cpu().numpy())

    def probabilities(self, x: Float[Tensor, "any_place trial feature"]) -> Float[Array, "places target trial klass"]:
        """Of each class, where evidence is a log likelihood."""
        return np.asarray(torch.from_numpy(self.evidence(x)).softmax(dim=-1).numpy())

    def linear(self, n_classes: int) -> Linear:
        """Itself."""
        return self

    @property
    def n_places(self) -> int:
        """Number of places it was fitted at."""
        return len(self.weights)

    def first(self) -> Linear:
        """Of the first target alone."""
        return replace(self, weights=self.weights[:, :, :1], intercept=self.intercept[:, :1])

    def midway(self, x: Float[Tensor, "place trial feature"], y: Float[Tensor, "trial target"]) -> Linear:
        """The same with the threshold midway between the means of the two classes, coded +-1 in ``y``."""
        values = self.decide(x)[..., 0]  # (place, trial, target)
        high, low = (y > 0).to(x.dtype), (y < 0).to(x.dtype)
        middle = ((values * high).sum(dim=1) / high.sum(dim=0) + (values * low).sum(dim=1) / low.sum(dim=0)) / 2
        return replace(self, intercept=self.intercept - middle[..., None])


def standard(
    x: Float[Tensor, "place trial feature"],
) -> tuple[Float[Tensor, "place feature"], Float[Tensor, "place feature"]]:
    """Mean and standard deviation over trials of ``(place, trial, feature)``; infinite for constant features.

    Divided by it, what rounding leaves of a constant feature is 0, and so is its weight.
    """
    mean = x.mean(dim=1)
    sd = x.std(dim=1, correction=0)
    # A feature that only rounding makes vary is constant; dividing by its sd would blow rounding up.
    tiny = 10 * torch.finfo(x.dtype).eps * x.shape[1] ** 0.5 * mean.abs()
    return mean, torch.where((sd <= tiny) | (sd == 0), torch.inf, sd)


def coded(
    targets: Num[Array, "target trial"], n_classes: int, period: float = 0.0
) -> Float[Tensor, "trial target column"]:
    """Numbers as they are, angles as cosine and sine, two classes as +-1, more as +-1 a class."""
    y = torch.as_tensor(np.ascontiguousarray(targets.T))
    if period:
        angle = y.double() * (2 * torch.pi / period)
        return torch.stack([angle.cos(), angle.sin()], dim=-1)
    if n_classes == 0:
        return y.double()[..., None]
    if n_classes == 2:
        return (2.0 * y - 1.0).double()[..., None]
    return 2.0 * (y[..., None] == torch.arange(n_classes)).double() - 1.0


def onehot(targets: Num[Array, "target trial"], n_classes: int) -> Float[Tensor, "target trial class"]:
    """``(target, trial, class)``, 1 at each trial's class."""
    return (torch.as_tensor(targets)[..., None] == torch.arange(n_classes)).double()
