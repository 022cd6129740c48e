"""The area under the ROC curve of many units and labellings at once, with its variance."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch
from jaxtyping import Float, Int, Integer
from torch import Tensor

from artiphys.array_types import Array

CHUNK_BYTES = 2**26


def auc(
    flat: Float[Array, "trial unit"], labels: Integer[Array, "labelling trial"], strata: list[Array]
) -> tuple[Float[Array, "labelling unit"], Float[Array, "labelling unit"]]:
    """AUC and its variance ``(labelling, unit)``.

    Parameters
    ----------
    flat : ``(trial, unit)``
    labels : ``(labelling, trial)``
        1 signal, 0 noise.
    strata : list of trial indices
        AUC is taken within each and averaged, weighed by n1 n0 / (n1 + n0).

    References
    ----------
    DeLong, DeLong & Clarke-Pearson 1988, Comparing the areas under two or more correlated receiver operating
    characteristic curves.
    """
    area, var = np.empty((len(labels), flat.shape[1])), np.empty((len(labels), flat.shape[1]))
    for place, a, v in auc_chunks(flat, labels, strata):
        area[:, place], var[:, place] = a, v
    return area, var


def auc_chunks(
    flat: Float[Array, "trial unit"], labels: Integer[Array, "labelling trial"], strata: list[Array]
) -> Iterator[tuple[slice, Array, Array]]:
    """As `auc`, chunk by chunk of units."""
    step = max(1, CHUNK_BYTES // (8 * labels.size))
    labellings = torch.as_tensor(labels)
    for start in range(0, flat.shape[1], step):
        x = torch.from_numpy(np.ascontiguousarray(flat[:, start : start + step]))
        total = torch.zeros(len(labels), 1, dtype=torch.float64)
        area, var = torch.zeros(2, len(labels), x.shape[1], dtype=torch.float64)
        for rows in strata:
            a, v, weight = _within(x[rows], labellings[:, rows])
            area += weight * a
            var += weight**2 * v
            total += weight
        yield slice(start, start + x.shape[1]), (area / total).numpy(), (var / total**2).numpy()


def _within(
    x: Float[Tensor, "trial unit"], labels: Int[Tensor, "labelling trial"]
) -> tuple[Float[Tensor, "labelling unit"], Float[Tensor, "labelling unit"], Float[Tensor, "labelling 1"]]:
    """AUC and variance ``(labelling, unit)``, and weight ``(labelling, 1)``."""
    ordered, order = x.sort(dim=0)
    n = len(x)
    # First and last place of everything tied with each trial, so that ties count half.
    new = torch.ones_like(ordered, dtype=torch.bool)
    new[1:] = ordered[1:] != ordered[:-1]
    position = torch.arange(n)[:, None].expand_as(ordered)
    first = torch.where(new, position, 0).cummax(dim=0).values
    last_new = torch.ones_like(new)
    last_new[:-1] = new[1:]
    last = torch.where(last_new, position, n).flip(0).cummin(dim=0).values.flip(0)
    signal = labels[:, order].double()  # (labelling, place, unit)
    n1 = signal[:, :, :1].sum(dim=1)  # (labelling, 1)
    n0 = n - n1
    before = torch.nn.functional.pad(signal.cumsum(dim=1), (0, 0, 1, 0))
    shape = (len(labels), n, x.shape[1])
    low = before.gather(1, first.expand(shape))
    high = before.gather(1, (last + 1).expand(shape))
    below1 = (low + high) / 2  # signal trials below, ties half
    below0 = (first + last + 1) / 2 - below1
    share0 = below0 / n0[:, None]  # of noise trials below each trial
    share1 = below1 / n1[:, None]
    area = (share0 * signal).sum(dim=1) / n1
    spread1 = ((share0 - area[:, None]).square() * signal).sum(dim=1) / (n1 - 1)
    spread0 = ((share1 - (1 - area[:, None])).square() * (1 - signal)).sum(dim=1) / (n0 - 1)
    return area, spread1 / n1 + spread0 / n0, n1 * n0 / n
