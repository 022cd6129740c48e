"""What a lesion writes: the replacement of a value, and the entries it replaces."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from artiphys.errors import LesionError
from artiphys.hooks.tapping import At
from artiphys.lesions.operations.lesion import Lesion
from artiphys.players import checked_units
from artiphys.sites import Site


@dataclass(frozen=True)
class Writer:
    """A lesion at its site: a write function for `Preparation.run`, in two parts.

    `selection` and `replacement` are apart so that a game can put several lesions together without
    their order mattering.
    """

    lesion: Lesion
    site: Site

    def __call__(self, x: Tensor, at: At) -> Tensor:
        """The value with the selected entries replaced; a write function."""
        # torch.where, not a product with a mask: 0 times infinity is NaN, and the type must stay.
        return torch.where(self.selection(x, at), self.replacement(x, at), x)

    @property
    def unit_axis(self) -> str | None:
        """The axis `units` count along."""
        if self.lesion.kind == "project":
            return self.site.unit_axis if self.lesion.units is not None else None
        return self.lesion.axis or self.site.unit_axis

    @property
    def frame(self) -> tuple[Any, ...]:
        """What projections that remove one span together must share, or their order would matter."""
        mean = None if self.lesion.mean is None else self.lesion.mean.digest()
        return self.direction_axis, self.unit_axis, self.lesion.units, self.lesion.time, mean

    @property
    def family(self) -> tuple[Any, ...]:
        """Lesions of one family can be written together: they differ only in units, or in direction."""
        les = self.lesion
        if les.kind == "project":
            return ("project", *self.frame)
        kept = (id(les.mean), id(les.pool), les.donors, les.n_donors, les.seed, les.sd, les.gain, les.value)
        return (les.kind, self.unit_axis, les.time, *kept)

    def units(self) -> tuple[int, ...]:
        """Units as indices along `unit_axis`, counted from 0."""
        axis = self.unit_axis or self.site.unit_axis
        if self.lesion.units is None:
            return tuple(range(self.site.size(axis)))
        return checked_units(self.site, axis, self.lesion.units)

    def selection(self, x: Tensor, at: At) -> Tensor:
        """Bool, broadcastable to ``x``: which entries are replaced."""
        keep = self.times(x, at)
        if self.lesion.units is not None and self.unit_axis is not None:
            place = at.axes.index(self.unit_axis)
            chosen = torch.zeros(x.shape[place], dtype=torch.bool, device=x.device)
            chosen[list(self.units())] = True
            keep = keep & along(chosen[None], x.ndim, place)
        return keep

    def times(self, x: Tensor, at: At) -> Tensor:
        """Bool, broadcastable to ``x``: the times at which it writes."""
        if self.lesion.time is None:
            return torch.ones([1] * x.ndim, dtype=torch.bool, device=x.device)
        if "time" not in at.axes:
            raise LesionError(f"site {self.site.name!r} has no time axis {at.axes}; leave time= out")
        return along(_times(self.lesion.time, at).to(x.device), x.ndim, at.axes.index("time"))

    def replacement(self, x: Tensor, at: At) -> Tensor:
        """The new value of every entry, whether it is selected or not; broadcastable to ``x``."""
        lesion = self.lesion
        if lesion.kind == "zero":
            return x.new_zeros(())
        if lesion.kind == "clamp":
            return x.new_full((), float(lesion.value or 0.0))
        if lesion.kind == "gain":
            return x * float(lesion.gain or 0.0)
        if lesion.kind == "noise":
            return x + (float(lesion.sd or 0.0) * normal(lesion.seed, x, at)).to(x.dtype)
        if lesion.kind == "mean":
            return self._mean(x, at)
        if lesion.kind == "resample":
            return self._donated(x, at)
        return projected(x, at, [self])

    def directions(self, x: Tensor) -> Tensor:
        """Directions of a project lesion, ``(direction, unit)`` float64."""
        rows = torch.tensor(self.lesion.direction, dtype=torch.float64, device=x.device)
        n = self.site.size(self.direction_axis)
        if rows.shape[1] != n:
            raise LesionError(
                f"direction has {rows.shape[1]} entries; site {self.site.name!r} has {n} along {self.direction_axis!r}"
            )
        return rows

    @property
    def direction_axis(self) -> str:
        """The axis a project lesion's direction lies along."""
        if self.lesion.axis is not None:
            return self.lesion.axis
        return "channel" if "channel" in self.site.axes else self.site.axes[-1]

    def centre(self, x: Tensor, at: At) -> Tensor | float:
        """What a projection is relative to: the reference's mean, or 0."""
        return self._mean(x, at) if self.lesion.mean is not None else 0.0

    def _mean(self, x: Tensor, at: At) -> Tensor:
        table = self.lesion.mean
        if table is None:
            raise LesionError(
                "the reference of this lesion was not recorded yet; use it through ap.lesioned or ap.Game"
            )
        values = torch.as_tensor(table.values, device=x.device)
        if "time" in table.axes:
            values = values.movedim(table.axes.index("time"), 0)
            _check_length(len(values), at, self.site.name, "mean", "; over='trial,time' takes one mean for all times")
            values = values[_index(at)]
            values = values.movedim(0, at.axes.index("time") - 1)
        elif "time" in at.axes:
            values = values.unsqueeze(at.axes.index("time") - 1)
        return values.to(x.dtype)[None]

    def _donated(self, x: Tensor, at: At) -> Tensor:
        pool, lesion = self.lesion.pool, self.lesion
        if pool is None:
            raise LesionError(
                "the reference of this lesion was not recorded yet; use it through ap.lesioned or ap.Game"
            )
        if at.trial is None:
            raise LesionError("a resampling lesion needs to know the trials: run the model through prep.run or ap.Game")
        table = dict(lesion.donors) if lesion.donors is not None else None
        rows = pool.rows([int(t) for t in at.trial], lesion.seed, lesion.n_donors, table)
        values = torch.as_tensor(rows, device=x.device)
        if "time" in pool.axes:
            axis = 1 + pool.axes.index("time")
            if pool.ragged or (at.valid is not None and not bool(at.valid.all())):
                raise LesionError(
                    f"trials at {self.site.name!r} have different lengths, so a donor's times do not match; "
                    "resample among trials of one length"
                )
            _check_length(values.shape[axis], at, self.site.name, "donors", "")
            values = values.index_select(axis, _index(at).to(values.device))
        return values.to(x.dtype)


def projected(x: Tensor, at: At, writers: list[Writer]) -> Tensor:
    """``x`` without the span of all directions together, so that their order cannot matter."""
    place = at.axes.index(writers[0].direction_axis)
    stacked = torch.cat([w.directions(x) for w in writers])
    basis = _basis(stacked).to(torch.promote_types(x.dtype, torch.float32))
    centre = writers[0].centre(x, at)
    moved = (x - centre).movedim(place, -1).to(basis.dtype)
    along = (moved @ basis.T) @ basis
    return x - along.movedim(-1, place).to(x.dtype)


def _basis(rows: Tensor) -> Tensor:
    _, s, vh = torch.linalg.svd(rows, full_matrices=False)
    kept: Tensor = vh[s > s.max() * 1e-10]
    return kept


def along(values: Tensor, ndim: int, place: int) -> Tensor:
    """``(row or 1, n)`` laid along axes 0 and ``place`` of an ``ndim``-tensor."""
    shape = [1] * ndim
    shape[0], shape[place] = values.shape
    return values.reshape(shape)


def _index(at: At) -> Tensor:
    assert at.time is not None
    return at.time


def _check_length(recorded: int, at: At, site: str, what: str, hint: str) -> None:
    needed = at.n_time if at.n_time is not None else int(_index(at).max()) + 1
    if recorded != needed and not (at.n_time is None and recorded >= needed):
        raise LesionError(
            f"the {what} at {site!r} come from trials of {recorded} times, this run has {needed}; use a reference "
            f"of the same length{hint}"
        )


def _times(time: Any, at: At) -> Tensor:
    """Bool ``(row, time present)``: which entries the time window takes; positions count valid tokens."""
    absolute = _index(at)
    length: Tensor | None
    if at.valid is not None:
        valid = at.valid.cpu()
        position = (valid.long().cumsum(dim=1) - 1)[:, absolute]
        length = valid.sum(dim=1, keepdim=True)
        real = valid[:, absolute]
    else:
        position = absolute[None]
        length = torch.tensor([[at.n_time]]) if at.n_time is not None else None
        real = torch.ones_like(position, dtype=torch.bool)
    if isinstance(time, str):
        if time not in at.conditions:
            raise LesionError(f"time names no column of the conditions: {time!r}; there are {list(at.conditions)}")
        wanted = torch.as_tensor(np.asarray(at.conditions[time]).astype(np.int64))[:, None]
        return (position == _from_start(wanted, length, at)) & real
    if isinstance(time, tuple) and time and time[0] == "slice":
        return _in_slice(time, position, length, at) & real
    window = torch.zeros_like(position, dtype=torch.bool).expand(len(position), -1).clone()
    for t in time:
        window |= position == _from_start(torch.tensor([[int(t)]]), length, at)
    return window & real


def _from_start(wanted: Tensor, length: Tensor | None, at: At) -> Tensor:
    site = at.site.name
    if length is None:
        if bool((wanted < 0).any()):
            raise LesionError(f"the number of steps of {site!r} is not known in advance; count times from the start")
        _check_seen(int(wanted.max()), at)
        return wanted
    counted = torch.where(wanted < 0, wanted + length, wanted)
    if bool((counted < 0).any() | (counted >= length).any()):
        raise LesionError(
            f"time {wanted.flatten().tolist()[:3]} at {site!r} lies outside a trial of {int(length.min())} valid times"
        )
    return counted


def _check_seen(time: int, at: At) -> None:
    """A hand-written loop does not tell its length; a time it never reached would be lesioned silently never."""
    if at.site.stepped and time >= at.site.size("time"):
        raise LesionError(
            f"time {time} at {at.site.name!r}: the loop was seen to make {at.site.size('time')} steps; "
            "if it can make more, wrap it with a longer example"
        )


def _in_slice(time: tuple[Any, ...], position: Tensor, length: Tensor | None, at: At) -> Tensor:
    site = at.site.name
    _, start, stop, step = time
    if step not in (None, 1):
        raise LesionError(f"a time slice with step {step} came; list the times instead")
    low = torch.tensor([[0 if start is None else start]])
    if length is None:
        if (start or 0) < 0 or (stop or 0) < 0:
            raise LesionError(f"the number of steps of {site!r} is not known in advance; count times from the start")
        _check_seen(start or 0, at)
        return (position >= low) & ((position < stop) if stop is not None else torch.ones_like(position).bool())
    end: Tensor = length if stop is None else torch.tensor([[stop]])
    low = torch.where(low < 0, low + length, low)
    end = torch.where(end < 0, end + length, end)
    if bool((low >= torch.minimum(end, length)).any()):
        raise LesionError(
            f"the time window {start}:{stop} at {site!r} is empty in a trial of {int(length.min())} times"
        )
    return (position >= low) & (position < end)


def normal(seed: int, x: Tensor, at: At) -> Tensor:
    """Standard normal numbers that depend only on (seed, trial, place), shaped like ``x``.

    A counter-based generator: batches, steps and coalitions see the same noise on the same trial.
    """
    if at.trial is None:
        raise LesionError("a noise lesion needs to know the trials: run the model through prep.run or ap.Game")
    sizes = list(x.shape[1:])
    place = torch.zeros([1, *sizes], dtype=torch.int64)
    for axis, n in enumerate(sizes, start=1):
        steps = _index(at) if at.axes[axis] == "time" else torch.arange(n)
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
