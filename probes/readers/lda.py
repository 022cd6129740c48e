"""Linear discriminant analysis of many places and label sets at once."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float, Num
from torch import Tensor

from artiphys.array_types import Array
from artiphys.probes.readers.linear import Linear, onehot, standard
from artiphys.user_warnings import warn


@dataclass(frozen=True)
class Discriminant:
    """Gaussian classes of one covariance: the predictions of scikit-learn's LinearDiscriminantAnalysis.

    Attributes
    ----------
    n_classes : int
    equal_priors : bool
        Treat classes as equally likely, whatever their numbers of trials.
    """

    n_classes: int
    equal_priors: bool = False
    name: str = "linear discriminant analysis"
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
            fitted = [self._one(x[:, train], row[None, train]) for row in targets]
            yield Linear(
                torch.cat([f.weights for f in fitted], dim=2),
                torch.cat([f.intercept for f in fitted], dim=1),
                self.n_classes,
            )

    def _one(self, x: Float[Tensor, "place trial feature"], targets: Num[Array, "1 trial"]) -> Linear:
        shift, scale = standard(x)
        z = (x - shift[:, None]) / scale[:, None]
        member = onehot(targets, self.n_classes)[0].to(x.device)  # (trial, class)
        count = member.sum(dim=0)
        means = (member.mT @ z) / count[:, None]  # (place, class, feature)
        within = z - member @ means
        cov = within.mT @ within / len(member)
        values, vectors = torch.linalg.eigh(cov)
        good = values > 1e-10 * values.amax(dim=1, keepdim=True).clamp_min(1e-300)
        varied = (z.std(dim=1, correction=0) > 0).sum(dim=1)
        if bool((good.sum(dim=1) < varied).any()):
            warn(
                f"the covariance within classes has rank {int(good.sum(dim=1).min())} for {int(varied.max())} units, "
                "so the discriminant is not determined; the smallest one is used. Use the default ridge readout, or "
                "LinearDiscriminantAnalysis(solver='lsqr', shrinkage='auto') as estimator"
            )
        inverse = torch.where(good, 1 / values.clamp_min(1e-300), 0.0)
        weights = vectors @ (inverse[..., None] * (vectors.mT @ means.mT))  # (place, feature, class)
        prior = torch.full_like(count, 1 / self.n_classes) if self.equal_priors else count / count.sum()
        level = -0.5 * (means.mT * weights).sum(dim=1) + prior.log()
        if self.n_classes == 2:
            weights, level = weights[..., 1:] - weights[..., :1], level[..., 1:] - level[..., :1]
        weights = weights / scale[..., None]
        level = level - (shift[:, None] @ weights)[:, 0]
        return Linear(weights[:, :, None], level[:, None], self.n_classes)
