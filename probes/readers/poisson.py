"""Poisson decoder: reads counts by Bayes' rule with independent Poisson units."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Num
from torch import Tensor

from artiphys.array_types import Array
from artiphys.errors import InputError
from artiphys.probes.readers.linear import Linear, onehot
from artiphys.user_warnings import warn

N_PLACES = 72  # of a label's range, where its posterior is known: 5 degrees of a turn
SMOOTHING = 1 / 30  # of the range: the standard deviation of the kernel, 12 degrees of a turn
PRIOR_TRIALS = 1.0  # that a unit fired at its mean rate everywhere
MIN_OCCUPANCY = 1.0  # trials within the kernel, below which a place was not visited


@dataclass(frozen=True)
class Posterior:
    """Log likelihoods of places along a number or an angle, fitted at every place of activity and target.

    Attributes
    ----------
    likelihood : Linear
        A column for each place of the label.
    labels : ``(target, label place)``
        Their numbers or angles.
    period : float
    """

    likelihood: Linear
    labels: Float[Tensor, "target label"]
    period: float

    def predict(self, x: Float[Tensor, "any_place trial feature"]) -> Num[Array, "place target trial"]:
        """Posterior means, of angles circular ones."""
        chance = self.likelihood.decide(x).softmax(dim=-1)  # (place, trial, target, label place)
        if not self.period:
            return np.asarray((chance * self.labels).sum(dim=-1).mT.numpy())
        angle = self.labels * (2 * torch.pi / self.period)
        sine, cosine = (chance * angle.sin()).sum(dim=-1), (chance * angle.cos()).sum(dim=-1)
        guess = torch.atan2(sine, cosine) * (self.period / (2 * torch.pi)) % self.period
        return np.asarray(guess.mT.numpy())

    def linear(self, n_classes: int) -> Linear | None:
        """None: a place of the label has a weight, the label has none."""
        return None

    @property
    def n_places(self) -> int:
        """Number of places it was fitted at."""
        return self.likelihood.n_places

    def first(self) -> Posterior:
        """Of the first target alone."""
        return Posterior(self.likelihood.first(), self.labels[:1], self.period)


@dataclass(frozen=True)
class Poisson:
    """Independent Poisson units whose mean counts depend on the label; all labels are equally likely beforehand.

    Zhang, Ginzburg, McNaughton & Sejnowski 1998, Interpreting neuronal population activity by reconstruction.

    Attributes
    ----------
    n_classes : int
        0 for numbers, whose mean counts are smoothed by a Gaussian kernel of a thirtieth of their range, and angles
        (von Mises, the same width).
    period : float
        Of angles; else 0.
    """

    n_classes: int
    period: float = 0.0
    name: str = "a Poisson decoder"
    shares_work = False
    offers = frozenset({"evidence", "probabilities"})

    @property
    def n_columns(self) -> int:
        """Columns of numbers that each target needs."""
        return self.n_classes or N_PLACES

    def fits(
        self,
        x: Float[Tensor, "place trial feature"],
        targets: Num[Array, "target trial"],
        trains: Sequence[Array],
        tests: Sequence[Array],
    ) -> Iterator[Linear | Posterior]:
        """One readout for each training part, as `Ridge.fits`."""
        if float(x.min()) < 0:
            raise InputError(
                f"the Poisson decoder reads counts, and activity is as low as {float(x.min()):.3g}; use 'ridge', or "
                "leave confounds out"
            )
        if bool((x != x.round()).any()):
            warn("the Poisson decoder reads counts, and activity holds fractions: rates times seconds would be counts")
        for train in trains:
            given = targets[:, train]
            if self.n_classes:
                member = onehot(given, self.n_classes)  # (target, trial, class)
                weights, level = _rates(x[:, train], member)
                if self.n_classes == 2:
                    weights, level = weights[..., 1:] - weights[..., :1], level[..., 1:] - level[..., :1]
                yield Linear(weights, level, self.n_classes)
                continue
            labels, member = self._places(torch.as_tensor(given).double())
            weights, level = _rates(x[:, train], member)
            level = torch.where(member.sum(dim=1) >= MIN_OCCUPANCY, level, -torch.inf)
            yield Posterior(Linear(weights, level, N_PLACES), labels, self.period)

    def _places(
        self, given: Float[Tensor, "target trial"]
    ) -> tuple[Float[Tensor, "target label"], Float[Tensor, "target trial label"]]:
        """Places along the label, and how much each trial tells of each."""
        if self.period:
            labels = (torch.arange(N_PLACES).double() * (self.period / N_PLACES)).expand(len(given), -1)
            angle = (given[..., None] - labels[:, None]) * (2 * torch.pi / self.period)
            return labels, ((angle.cos() - 1) / (2 * torch.pi * SMOOTHING) ** 2).exp()
        low, high = given.amin(dim=1, keepdim=True), given.amax(dim=1, keepdim=True)
        labels = low + (high - low) * torch.linspace(0, 1, N_PLACES).double()
        away = (given[..., None] - labels[:, None]) / (high - low)[..., None]
        return labels, (-0.5 * (away / SMOOTHING) ** 2).exp()


def _rates(
    x: Float[Tensor, "place trial feature"], member: Float[Tensor, "target trial column"]
) -> tuple[Float[Tensor, "place feature target column"], Float[Tensor, "place target column"]]:
    """Logarithms of mean counts by column, and minus their sum over features, so that both give log likelihoods."""
    mean = x.mean(dim=1)  # (place, feature)
    total = torch.einsum("pnf,tnc->pftc", x, member)
    rate = (total + PRIOR_TRIALS * mean[..., None, None]) / (member.sum(dim=1) + PRIOR_TRIALS)
    heard = mean[..., None, None] > 0  # a unit that never fired says nothing
    return torch.where(heard, rate.clamp_min(1e-300).log(), 0.0), -rate.sum(dim=1)
