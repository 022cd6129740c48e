"""Linear discriminant analysis of many places and label sets at once, its covariance shrunken inside each fold."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float, Num
from torch import Tensor

from artiphys.array_types import Array
from artiphys.probes.readers.linear import Linear, onehot, standard

ROUNDING = 1e-12  # of the largest variance: a direction of less is none
FLOOR = 1e-9  # of the mean variance, added to the covariance: classes without any noise have one, too


@dataclass(frozen=True)
class Discriminant:
    """Gaussian classes of one covariance within classes, drawn towards a multiple of the identity.

    How far is the optimum of Ledoit & Wolf 2004, A well-conditioned estimator for large-dimensional covariance
    matrices, for the training part and each label set by itself; features have unit variance before.

    Attributes
    ----------
    n_classes : int
    equal_priors : bool
        Treat classes as equally likely, whatever their numbers of trials.
    """

    n_classes: int
    equal_priors: bool = False
    name: str = "linear discriminant analysis (shrunken after Ledoit and Wolf)"
    shares_work = False
    offers = frozenset({"evidence", "probabilities"})

    @property
    def n_columns(self) -> int:
        """Columns of numbers that each target needs."""
        return self.n_classes

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

    def _one(self, x: Float[Tensor, "place trial feature"], member: Float[Tensor, "target trial klass"]) -> Linear:
        shift, scale = standard(x)
        z = (x - shift[:, None]) / scale[:, None]
        axes, variance = _principal(z)
        u = z @ axes  # (place, trial, axis), of diagonal covariance
        count = member.sum(dim=1)  # (target, class)
        share = count / len(member[0])
        means = torch.einsum("pna,tnk->ptka", u, member) / count.clamp_min(1.0)[..., None]
        n_features = (scale < torch.inf).sum(dim=1).clamp_min(1).to(x)
        shrinkage, level = _ledoit_wolf(u, member, means, share, variance, n_features)
        # The covariance within classes is that of all trials less that of the means, of low rank.
        kept = (1 - shrinkage)[..., None]
        diagonal = kept * variance[:, None] + (shrinkage * level)[..., None]
        diagonal = diagonal + FLOOR * variance.sum(dim=1).clamp_min(1e-300)[:, None, None] / n_features[:, None, None]
        low = (kept[..., None] * share[..., None]).sqrt() * means  # (place, target, class, axis)
        solved = means / diagonal[:, :, None]
        inner = torch.eye(self.n_classes).to(x) - low @ (low / diagonal[:, :, None]).mT
        weights = solved + torch.linalg.solve(inner, low @ solved.mT).mT @ (low / diagonal[:, :, None])
        prior = torch.full_like(share, 1 / self.n_classes) if self.equal_priors else share
        offset = torch.where(count > 0, prior, 0.0).log() - 0.5 * (means * weights).sum(
            dim=-1
        )  # (place, target, class)
        columns = torch.einsum("pfa,ptka->pftk", axes, weights)
        if self.n_classes == 2:
            columns, offset = columns[..., 1:] - columns[..., :1], offset[..., 1:] - offset[..., :1]
        columns = columns / scale[..., None, None]
        return Linear(columns, offset - torch.einsum("pf,pftk->ptk", shift, columns), self.n_classes)


def _principal(
    z: Float[Tensor, "place trial feature"],
) -> tuple[Float[Tensor, "place feature axis"], Float[Tensor, "place axis"]]:
    """Principal axes of centred activity and its variances along them; axes without variance are 0."""
    n, features = z.shape[1:]
    gram = z.mT @ z / n if features <= n else z @ z.mT / n
    values, vectors = torch.linalg.eigh(gram)
    some = values > ROUNDING * values.amax(dim=1, keepdim=True).clamp_min(1e-300)
    variance = torch.where(some, values, 0.0)
    if features > n:
        vectors = z.mT @ vectors / (variance * n).sqrt().clamp_min(1e-150)[:, None]
    return torch.where(some[:, None], vectors, 0.0), variance


def _ledoit_wolf(
    u: Float[Tensor, "place trial axis"],
    member: Float[Tensor, "target trial klass"],
    means: Float[Tensor, "place target klass axis"],
    share: Float[Tensor, "target klass"],
    variance: Float[Tensor, "place axis"],
    n_features: Float[Tensor, " place"],
) -> tuple[Float[Tensor, "place target"], Float[Tensor, "place target"]]:
    """How far to shrink the covariance within classes, and the mean variance that it is shrunken to."""
    n = u.shape[1]
    weighted = share[..., None] * means
    trace = variance.sum(dim=1)[:, None] - (weighted * means).sum(dim=(2, 3))
    between = (means @ weighted.mT).square() * (share[..., :, None] / share[..., None, :].clamp_min(1e-300))
    square = (
        variance.square().sum(dim=1)[:, None]
        - 2 * (weighted * variance[:, None, None] * means).sum(dim=(2, 3))
        + between.sum(dim=(2, 3))
    )
    own = torch.einsum("pna,ptka->ptnk", u, means)  # of each trial along the mean of each class
    own = (own * member).sum(dim=-1)
    size = torch.einsum("ptk,tnk->ptn", means.square().sum(dim=-1), member)
    left = u.square().sum(dim=2)[:, None] - 2 * own + size  # squared distance from its class's mean
    spread = square - trace.square() / n_features[:, None]
    error = (left.square().mean(dim=-1) - square) / n
    shrinkage = torch.where(spread > 0, error.clamp_min(0.0) / spread.clamp_min(1e-300), 1.0).clamp(0.0, 1.0)
    return shrinkage, (trace / n_features[:, None]).clamp_min(0.0)
