"""Writer: the entries that a lesion replaces at its site, and their new values."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from artiphys.errors import LesionError
from artiphys.hooks.taps import At
from artiphys.lesions.operations.broadcast import along
from artiphys.lesions.operations.lesion import Lesion
from artiphys.lesions.operations.noise import normal
from artiphys.lesions.operations.projection import without_span
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
    def place(self) -> str:
        """Lesions of one place are put together."""
        return self.site.name

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
        parameters: tuple[Any, ...] = (
            id(les.mean),
            id(les.pool),
            les.donors,
            les.n_donors,
            les.seed,
            les.sd,
            les.gain,
            les.value,
        )
        if isinstance(les.gain, tuple):
            parameters += (les.units,)  # whose gains they are
        return (les.kind, self.unit_axis, les.time, *parameters)

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
            chosen[torch.tensor(self.units())] = True
            keep = keep & along(chosen[None], x.ndim, place)
        return keep

    def times(self, x: Tensor, at: At) -> Tensor:
        """Bool, broadcastable to ``x``: the times at which it writes."""
        if self.lesion.time is None:
            return torch.ones([1] * x.ndim, dtype=torch.bool, device=x.device)
        if "time" not in at.axes:
            raise LesionError(f"site {self.site.name!r} has no time axis {at.axes}; leave time= out")
        return along(self.lesion.window.mask(at).to(x.device), x.ndim, at.axes.index("time"))

    def replacement(self, x: Tensor, at: At) -> Tensor:
        """The new value of every entry, whether it is selected or not; broadcastable to ``x``."""
        lesion = self.lesion
        if lesion.kind == "zero":
            return x.new_zeros(())
        if lesion.kind == "clamp":
            value = float(lesion.value or 0.0)
            if abs(value) > torch.finfo(x.dtype).max:
                raise LesionError(f"value came as {value:g}, which {str(x.dtype).removeprefix('torch.')} cannot hold")
            return x.new_full((), value)
        if lesion.kind == "gain":
            return x * self._gains(x, at)
        if lesion.kind == "noise":
            return x + (float(lesion.sd or 0.0) * normal(lesion.seed, x, at)).to(x.dtype)
        if lesion.kind == "mean":
            return self._mean(x, at)
        if lesion.kind == "resample":
            return self._donated(x, at)
        return projected(x, at, [self])

    def gains(self) -> dict[int, float]:
        """Gain of each unit of a gain lesion.

        Raises
        ------
        LesionError
            If there is not one number for each.
        """
        given, units = self.lesion.gain, self.units()
        if not isinstance(given, tuple):
            return dict.fromkeys(units, float(given or 0.0))
        if len(given) != len(units):
            raise LesionError(
                f"gain came with {len(given)} numbers; site {self.site.name!r} has {len(units)} units: one for each"
            )
        return dict(zip(units, given))

    def _gains(self, x: Tensor, at: At) -> Tensor | float:
        if not isinstance(self.lesion.gain, tuple):
            return float(self.lesion.gain or 0.0)
        place = at.axes.index(self.unit_axis or self.site.unit_axis)
        row = torch.ones(1, x.shape[place], dtype=x.dtype, device=x.device)
        for unit, gain in self.gains().items():
            row[0, unit] = gain
        return along(row, x.ndim, place)

    def directions(self, x: Tensor) -> Tensor:
        """Directions of a project lesion, ``(direction, unit)`` float64."""
        rows = torch.tensor(self.lesion.direction, dtype=torch.float64).to(x.device)
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
        values = torch.as_tensor(table.values).to(x.device)
        if "time" in table.axes:
            values = values.movedim(table.axes.index("time"), 0)
            _check_length(len(values), at, self.site.name, "mean", "; over='trial,time' takes one mean for all times")
            values = values[at.positions]
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
        values = torch.as_tensor(rows).to(x.device)
        if "time" in pool.axes:
            axis = 1 + pool.axes.index("time")
            if pool.ragged or (at.valid is not None and not bool(at.valid.all())):
                raise LesionError(
                    f"trials at {self.site.name!r} have different lengths, so a donor's times do not match; "
                    "resample among trials of one length"
                )
            _check_length(values.shape[axis], at, self.site.name, "donors", "")
            values = values.index_select(axis, at.positions.to(values.device))
        return values.to(x.dtype)


def _check_length(recorded: int, at: At, site: str, what: str, hint: str) -> None:
    needed = at.n_time if at.n_time is not None else int(at.positions.max()) + 1
    if recorded != needed and not (at.n_time is None and recorded >= needed):
        raise LesionError(
            f"the {what} at {site!r} come from trials of {recorded} times, this run has {needed}; use a reference "
            f"of the same length{hint}"
        )


def projected(x: Tensor, at: At, writers: Sequence[Writer]) -> Tensor:
    """``x`` without the span of the directions of several project lesions of one frame."""
    first = writers[0]
    directions = torch.cat([w.directions(x) for w in writers])
    return without_span(x, directions, at.axes.index(first.direction_axis), first.centre(x, at))
