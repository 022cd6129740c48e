"""Projection: activity without the span of some directions."""

from __future__ import annotations

import torch
from torch import Tensor


def without_span(x: Tensor, directions: Tensor, axis: int, centre: Tensor | float) -> Tensor:
    """``x`` without the span of all directions together, so that their order cannot matter.

    Parameters
    ----------
    x : Tensor
    directions : float64 ``(direction, unit)``
        Along ``axis`` of ``x``; they may depend on each other.
    centre : Tensor or float
        What the projection is relative to, such as the mean activity.
    """
    basis = _orthonormal(directions).to(torch.promote_types(x.dtype, torch.float32))
    moved = (x - centre).movedim(axis, -1).to(basis.dtype)
    spanned = (moved @ basis.T) @ basis
    return x - spanned.movedim(-1, axis).to(x.dtype)


def _orthonormal(rows: Tensor) -> Tensor:
    _, s, vh = torch.linalg.svd(rows, full_matrices=False)
    kept: Tensor = vh[s > s.max() * 1e-10]
    return kept
