"""Logistic readout of many places and label sets at once."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float, Num
from torch import Tensor

from artiphys.array_types import Array
from artiphys.probes.readers.linear import Linear, onehot, standard
from artiphys.user_warnings import warn

MAX_STEPS = 5000
MAX_GRADIENT = 1e-6  # largest gradient a trial


@dataclass(frozen=True)
class Logistic:
    """Multinomial logistic regression with a ridge penalty, on features scaled within each fold.

    The predictions of scikit-learn's StandardScaler followed by LogisticRegression(C=strength).

    Attributes
    ----------
    n_classes : int
    strength : float
        Inverse of the penalty, scikit-learn's C.
    balanced : bool
        Weigh classes equally, whatever their numbers of trials.
    """

    n_classes: int
    strength: float = 1.0
    balanced: bool = False
    shares_work = False
    offers = frozenset({"evidence", "probabilities"})

    @property
    def n_columns(self) -> int:
        """Columns of numbers that each target needs."""
        return self.n_classes

    @property
    def name(self) -> str:
        """In words."""
        return f"logistic regression (C {self.strength:g})"

    def fits(
        self,
        x: Float[Tensor, "place trial feature"],
        targets: Num[Array, "target trial"],
        trains: Sequence[Array],
        tests: Sequence[Array],
    ) -> Iterator[Linear]:
        """One readout for each training part, as `Ridge.fits`."""
        for train in trains:
            yield self._one(x[:, train], onehot(targets[:, train], self.n_classes).to(x.device))

    def _one(self, x: Float[Tensor, "place trial feature"], member: Float[Tensor, "target trial class"]) -> Linear:
        shift, scale = standard(x)
        z = (x - shift[:, None]) / scale[:, None]
        z = torch.cat([z, torch.ones_like(z[..., :1])], dim=2)  # the intercept
        weights = self._converged(z, member.permute(1, 0, 2))  # (place, feature + 1, target, class)
        if self.n_classes == 2:
            weights = weights[..., 1:] - weights[..., :1]
        level, weights = weights[:, -1], weights[:, :-1] / scale[..., None, None]
        return Linear(weights, level - torch.einsum("pf,pftc->ptc", shift, weights), self.n_classes)

    def _converged(
        self, z: Float[Tensor, "place trial column"], member: Float[Tensor, "trial target class"]
    ) -> Float[Tensor, "place column target class"]:
        """Accelerated descent on a curvature that bounds the true one everywhere.

        The curvature z'z/2 + penalty needs one factorisation for all label sets and steps (Boehning 1992,
        Multinomial logistic regression algorithm).
        """
        n, targets, classes = member.shape
        # A symmetric pair of two-class weights carries half the penalty of scikit-learn's single vector each.
        penalty = z.new_full((z.shape[2],), (2.0 if classes == 2 else 1.0) / self.strength)
        penalty[-1] = 0.0
        weight = z.new_ones(n, targets)
        if self.balanced:
            weight = (member * (n / (classes * member.sum(dim=0)))).sum(dim=2)
        bound = 0.5 * float(weight.max()) * (z.mT @ z) + torch.diag(penalty + 1e-9 * n)
        factor = torch.linalg.cholesky(bound)
        shape = (targets, classes)
        w = z.new_zeros(len(z), z.shape[2], targets * classes)
        ahead, momentum = w, z.new_ones(len(z), targets)
        flat = member.flatten(1)
        scaled = weight.repeat_interleave(classes, dim=1)
        for _ in range(MAX_STEPS):
            odds = torch.unflatten(z @ ahead, 2, shape).softmax(dim=3).flatten(2)
            slope = z.mT @ (scaled * (odds - flat)) + penalty[:, None] * ahead
            if float(slope.abs().max()) < MAX_GRADIENT * n:
                break
            new = ahead - torch.cholesky_solve(slope, factor)
            # Each label set has its own momentum, which starts afresh where it points uphill.
            uphill = torch.unflatten(slope * (new - w), 2, shape).sum(dim=(1, 3)) > 0
            after = torch.where(uphill, 1.0, (1 + (1 + 4 * momentum**2).sqrt()) / 2)
            push = torch.where(uphill, 0.0, (momentum - 1) / after)
            ahead = new + push.repeat_interleave(classes, dim=1)[:, None] * (new - w)
            w, momentum = new, after
        else:
            warn("logistic readouts did not converge; scale activity or lower C")
        return torch.unflatten(ahead, 2, shape)
