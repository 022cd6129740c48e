"""Normal noise that is a function of seed, trial and place alone."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from artiphys.errors import LesionError
from artiphys.hooks.taps import At
from artiphys.lesions.operations.broadcast import along


def normal(seed: int, x: Tensor, at: At) -> Tensor:
    """Standard normal numbers that depend only on (seed, trial, place), shaped like ``x``.

    A counter-based generator: batches, steps and coalitions see the same noise on the same trial.
    """
    if at.trial is None:
        raise LesionError("a noise lesion needs to know the trials: run the model through prep.run or ap.Game")
    sizes = list(x.shape[1:])
    place = torch.zeros([1, *sizes], dtype=torch.int64)
    for axis, n in enumerate(sizes, start=1):
        steps = at.positions if at.axes[axis] == "time" else torch.arange(n)
        # Axis by axis mixing, so that the number at one place does not depend on the other sizes.
        place = _mixed(place * 1_000_003 + along(steps[None], x.ndim, axis) + axis)
    key = _mixed(at.trial.to(torch.int64) * 7_919 + seed).reshape([-1] + [1] * len(sizes))
    state = _mixed(place ^ key)
    u1, u2 = _uniform(_mixed(state + 1)), _uniform(_mixed(state + 2))
    return (torch.sqrt(-2 * torch.log(u1)) * torch.cos(2 * math.pi * u2)).to(x.device)


def _mixed(z: Tensor) -> Tensor:
    # splitmix64 (Steele, Lea & Flood 2014, Fast splittable pseudorandom number generators), wrapping in int64.
    z = z + -7046029254386353131
    z = (z ^ _shifted(z, 30)) * -4658895280553007687
    z = (z ^ _shifted(z, 27)) * -7723592293110705685
    return z ^ _shifted(z, 31)


def _shifted(z: Tensor, by: int) -> Tensor:
    return (z >> by) & ((1 << (64 - by)) - 1)  # a logical shift: int64 shifts keep the sign


def _uniform(z: Tensor) -> Tensor:
    return (_shifted(z, 11).to(torch.float64) + 0.5) / float(1 << 53)
