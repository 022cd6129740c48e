"""Welch's F between levels of a stimulus, for many units and many relabellings at once."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch
from jaxtyping import Float, Integer

from artiphys.array_types import Array
from artiphys.probes.tuning.level_moments import centred

CHUNK_BYTES = 2**24  # of sums held at once: small enough for a processor's cache to help


def welch(
    mean: Float[Array, "level unit"], var: Float[Array, "level unit"], count: Float[Array, "level unit"]
) -> Float[Array, " unit"]:
    """Welch's F ``(unit,)``: studentised, so that unequal n and variance do not make false positives.

    Variances are moderated by one trial's worth of their pool, so that a level without variance stays finite.

    Reference: Welch 1951, On the comparison of several mean values.
    """
    f = _welch(*(torch.from_numpy(np.ascontiguousarray(a))[None] for a in (mean, var, count)))
    return np.asarray(f[0].numpy())


def permuted_welch(
    flat: Float[Array, "trial unit"], levels: Integer[Array, "labelling trial"], n: int
) -> Iterator[tuple[slice, Array]]:
    """Welch's F for many labellings, chunk by chunk of units: ``(labelling, unit)``.

    Parameters
    ----------
    flat : ``(trial, unit)``
    levels : ``(labelling, trial)``
    n : int
        Number of levels.
    """
    member = torch.nn.functional.one_hot(torch.as_tensor(levels), n).double()  # (labelling, trial, level)
    member = member.transpose(1, 2).reshape(-1, levels.shape[1]).contiguous()
    step = max(1, CHUNK_BYTES // (8 * len(member)))
    x_centred = centred(flat)
    moved, known = x_centred.moved, x_centred.known
    scale = np.sqrt(np.mean(moved**2, axis=0))  # F has no unit; so that tiny activity is not taken for constant
    moved = moved / np.where(scale > 0, scale, 1.0)
    for start in range(0, flat.shape[1], step):
        x = torch.from_numpy(moved[:, start : start + step])
        place = slice(start, start + x.shape[1])
        shape = (len(levels), n, x.shape[1])
        if known is None:
            count = member.sum(dim=1).reshape(len(levels), n, 1)
        else:
            count = (member @ torch.from_numpy(known[:, place])).reshape(shape)
        mean = (member @ x).reshape(shape) / count
        var = ((member @ x.square()).reshape(shape) - count * mean.square()).clamp_min(0.0) / (count - 1)
        var = torch.where(var < 1e-13, 0.0, var)
        yield place, _welch(mean, var, count).numpy()


def _welch(
    mean: Float[torch.Tensor, "labelling level unit"],
    var: Float[torch.Tensor, "labelling level unit"],
    count: torch.Tensor,
) -> Float[torch.Tensor, "labelling unit"]:
    """Of ``(labelling, level, unit)``."""
    k = mean.shape[1]
    within = ((count - 1) * var).sum(dim=1, keepdim=True)
    # One trial's worth of the variance within all levels is lent to each: a level without any, common in sparse units,
    # would else have infinite weight, in the data or under some relabelling.
    var = ((count - 1) * var + within / (count - 1).sum(dim=1, keepdim=True)) / count
    weight = count / var
    total = weight.sum(dim=1, keepdim=True)
    centre = (weight * mean).sum(dim=1, keepdim=True) / total
    spread = (weight * (mean - centre).square()).sum(dim=1) / (k - 1)
    f = spread
    if k > 2:
        tail = ((1 - weight / total).square() / (count - 1)).sum(dim=1)
        f = spread / (1 + 2 * (k - 2) / (k**2 - 1) * tail)
    silent = within[:, 0] == 0  # noiseless: any difference is infinite, none is 0
    if not bool(silent.any()):
        return f
    differs = mean.amax(dim=1) - mean.amin(dim=1) > 1e-12 * mean.abs().amax(dim=1)
    return torch.where(silent, torch.where(differs, torch.inf, 0.0), f)
