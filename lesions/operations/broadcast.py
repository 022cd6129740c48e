"""Masks and values laid along axes of a tensor, and selected without a mask as large as it; whose rows are lesioned."""

from __future__ import annotations

import torch
from torch import Tensor

from artiphys.hooks.taps import At


def along(values: Tensor, ndim: int, place: int) -> Tensor:
    """``(row or 1, n)`` laid along axes 0 and ``place`` of an ``ndim``-tensor."""
    shape = [1] * ndim
    shape[0], shape[place] = values.shape
    return values.reshape(shape)


INTEGERS = {1: torch.int8, 2: torch.int16, 4: torch.int32, 8: torch.int64}


def selected(chosen: Tensor, value: Tensor, x: Tensor) -> Tensor:
    """``torch.where(chosen, value, x)``, broadcast to the shape of ``x``; several times faster on a CPU.

    Masks that broadcast keep torch.where from running on vectors; the bits of numbers do not. (A product with a
    mask would not do: 0 times infinity is NaN.)
    """
    bits = INTEGERS.get(x.element_size())
    if x.device.type != "cpu" or bits is None or not x.is_floating_point() or x.requires_grad or value.requires_grad:
        return torch.where(chosen, value, x)
    cut = -chosen.to(bits)  # all bits where chosen
    new = x.view(bits) & ~cut
    if value.ndim or value != 0:
        new |= value.to(x.dtype).contiguous().view(bits) & cut
    return new.view(x.dtype)


def rows_cut(cut: Tensor, at: At) -> Tensor:
    """The coalitions that the batch holds right now, in the order of its rows."""
    nodes = None if at.rows is None else at.rows.nodes
    # Around a function that runs the network itself there is one coalition, whatever it plays inside.
    return cut[:1] if nodes is None or len(cut) == 1 else cut[nodes]
