"""TimeWindow: at which times of a trial a lesion acts."""

from __future__ import annotations

import operator
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from artiphys.array_types import Array
from artiphys.errors import LesionError
from artiphys.hooks.taps import At
from artiphys.missing import is_missing
from artiphys.stimuli import Stimuli

Time = int | str | slice | range | Sequence[int] | None


@dataclass(frozen=True)
class TimeWindow:
    """Some times of every trial; positions count valid entries from the first.

    Attributes
    ----------
    times : None, str, range, tuple of int, or tuple ``("slice", start, stop, step)``
        All times; a column of the conditions that gives one position per trial; positions (negative: from the
        end); or a slice of positions.
    """

    times: Any

    @classmethod
    def of(cls, time: Time) -> TimeWindow:
        """From a user's ``time=``.

        Raises
        ------
        LesionError
            If it is empty or names no times.

        >>> TimeWindow.of([3, 1]).times, TimeWindow.of(slice(10, 15)).times
        ((3, 1), ('slice', 10, 15, None))
        """
        if isinstance(time, slice):
            start, stop = time.start or 0, time.stop
            if stop is not None and start * stop >= 0 and start >= stop and not (start >= 0 > stop):
                raise LesionError(f"the time window {time.start}:{time.stop} is empty")
            return cls(("slice", time.start, time.stop, time.step))
        if time is None or isinstance(time, (str, range)):
            return cls(time)
        times = whole_numbers("time", time, "an int, slice, range, ints or a condition's name")
        if not times:
            raise LesionError("time names no times; leave it out for all")
        return cls(times)

    @property
    def is_slice(self) -> bool:
        """Whether it is a slice of positions."""
        return isinstance(self.times, tuple) and self.times[:1] == ("slice",)

    def label(self) -> str:
        """Short name, as in a player's; empty for all times."""
        if self.times is None:
            return ""
        shown = self.times
        if self.is_slice:
            shown = ":".join("" if t is None else str(t) for t in self.times[1:3])
        elif isinstance(self.times, range):
            whole = self.times.step == 1
            shown = f"{self.times.start}:{self.times.stop}" if whole else tuple(self.times)
        return f" @{shown}"

    def steps(self, n_steps: int, stimuli: Stimuli) -> list[int]:
        """The steps, of ``n_steps``, that it may reach on some trial."""
        every = list(range(n_steps))
        if self.is_slice:
            return every if stimuli.ragged else every[slice(*self.times[1:])]
        if isinstance(self.times, str):
            column = stimuli.conditions.get(self.times)
            wanted = [] if column is None else np.unique(_positions_in(np.asarray(column), self.times)).tolist()
        else:
            wanted = every if self.times is None else [int(t) for t in self.times]
        if stimuli.ragged or (isinstance(self.times, str) and not wanted):
            return every
        return [t + n_steps if t < 0 else t for t in wanted]

    def is_apart_from(self, other: TimeWindow) -> bool:
        """Whether two windows surely share no time; windows counted from different ends may share one."""
        first, second = self.positions(), other.positions()
        return first is not None and second is not None and first.isdisjoint(second)

    def positions(self) -> frozenset[int] | None:
        """Positions counted from the start; None where they depend on the trial."""
        window = self.times
        if self.is_slice:
            _, start, stop, _ = self.times
            window = None if stop is None else range(start or 0, stop)
        if window is None or isinstance(window, str) or any(t < 0 for t in window):
            return None
        return frozenset(window)

    def mask(self, at: At) -> Tensor:
        """Bool ``(row, time present)``: which entries it takes.

        Raises
        ------
        LesionError
            If a position lies outside a trial, the window is empty on one, or a column is unknown.
        """
        absolute = at.positions
        length: Tensor | None
        valid = at.valid
        if valid is not None and valid.shape[1] > int(absolute.max()):
            valid = valid.cpu()
            position = (valid.long().cumsum(dim=1) - 1)[:, absolute]
            # While a model generates more is to come, so that only positions from the start are known.
            length = valid.sum(dim=1, keepdim=True) if at.n_time is not None or at.rows is not None else None
            real = valid[:, absolute]
        else:
            position = absolute[None]
            length = torch.tensor([[at.n_time]]) if at.n_time is not None else None
            real = torch.ones_like(position, dtype=torch.bool)
        if isinstance(self.times, str):
            if self.times not in at.conditions:
                known = list(at.conditions)
                raise LesionError(f"time names no column of the conditions: {self.times!r}; there are {known}")
            wanted = torch.as_tensor(_positions_in(np.asarray(at.conditions[self.times]), self.times))[:, None]
            return (position == _from_start(wanted, length, at)) & real
        if self.is_slice:
            return self._in_slice(position, length, at) & real
        window = torch.zeros_like(position, dtype=torch.bool).expand(len(position), -1).clone()
        for t in self.times:
            window |= position == _from_start(torch.tensor([[int(t)]]), length, at)
        return window & real

    def _in_slice(self, position: Tensor, length: Tensor | None, at: At) -> Tensor:
        site = at.site.name
        _, start, stop, step = self.times
        if step not in (None, 1):
            raise LesionError(f"a time slice with step {step} came; list the times instead")
        low = torch.tensor([[0 if start is None else start]])
        if length is None:
            if (start or 0) < 0 or (stop or 0) < 0:
                raise LesionError(
                    f"the number of steps of {site!r} is not known in advance; count times from the start"
                )
            _check_reached(start or 0, at)
            return (position >= low) & ((position < stop) if stop is not None else torch.ones_like(position).bool())
        end: Tensor = length if stop is None else torch.tensor([[stop]])
        low = torch.where(low < 0, low + length, low)
        end = torch.where(end < 0, end + length, end)
        if bool((low >= torch.minimum(end, length)).any()):
            raise LesionError(
                f"the time window {start}:{stop} at {site!r} is empty in a trial of {int(length.min())} times"
            )
        return (position >= low) & (position < end)


def _positions_in(column: Array, name: str) -> Array:
    """Whole numbers of a column of the conditions."""
    missing = is_missing(column)
    if missing.any():
        raise LesionError(f"the time in column {name!r} is missing on {int(missing.sum())} trials; leave these out")
    if column.dtype.kind not in "iuf" or (column != np.round(column)).any():
        raise LesionError(
            f"column {name!r} holds {column.dtype} such as {column[0]!r}; wanted positions, whole numbers"
        )
    return column.astype(np.int64)


def _from_start(wanted: Tensor, length: Tensor | None, at: At) -> Tensor:
    """Positions counted from the first valid entry."""
    site = at.site.name
    if length is None:
        if bool((wanted < 0).any()):
            raise LesionError(f"the number of steps of {site!r} is not known in advance; count times from the start")
        _check_reached(int(wanted.max()), at)
        return wanted
    counted = torch.where(wanted < 0, wanted + length, wanted)
    if bool((counted < 0).any() | (counted >= length).any()):
        raise LesionError(
            f"time {wanted.flatten().tolist()[:3]} at {site!r} lies outside a trial of {int(length.min())} valid times"
        )
    return counted


def _check_reached(time: int, at: At) -> None:
    """A hand-written loop does not tell its length; a time it never reached would be lesioned silently never."""
    if at.site.stepped and time >= at.site.size("time"):
        raise LesionError(
            f"time {time} at {at.site.name!r}: the loop was seen to make {at.site.size('time')} steps; "
            "if it can make more, wrap it with a longer example"
        )


def whole_numbers(name: str, given: Any, wanted: str) -> tuple[int, ...]:
    """One or several whole numbers as a tuple; `LesionError` for anything else, booleans included."""
    try:
        values = tuple(given) if np.iterable(given) else (given,)
        if isinstance(given, str) or any(isinstance(v, (bool, np.bool_)) for v in values):
            raise TypeError
        return tuple(operator.index(v) for v in values)
    except TypeError as error:
        raise LesionError(f"{name} came as {given!r}; wanted {wanted}") from error
