"""Lesion: a frozen record of what is written where. It holds no model and never a whole recording."""

from __future__ import annotations

import copy
import dataclasses
import hashlib
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, get_args

import numpy as np

from artiphys.array_types import Array
from artiphys.border import border, shown
from artiphys.errors import InputError, LesionError
from artiphys.lesions.operations.reference import Donors, MeanTable
from artiphys.lesions.operations.time_window import Time, TimeWindow, whole_numbers
from artiphys.missing import plain_array
from artiphys.recording import Recording
from artiphys.stimuli import Stimuli

Kind = Literal["zero", "mean", "resample", "noise", "gain", "clamp", "project"]
Over = Literal["trial", "trial,time"]
NEEDS = {"mean": "reference", "resample": "reference", "noise": "sd", "gain": "gain", "clamp": "value"}


@dataclass(frozen=True, eq=False, init=False)
class Lesion:
    """What is written at some units of one site.

    Parameters
    ----------
    site : str
    units : sequence of int, optional
        Indices along ``axis``; None means all.
    kind : str
        ``"zero"``; ``"mean"`` of the reference; ``"resample"``: the activity of another trial of the
        reference; ``"noise"``: adds Gaussian noise of standard deviation ``sd``; ``"gain"``: times
        ``gain``; ``"clamp"``: to ``value``; ``"project"``: without its part along ``direction``.
    gain : float, or one for each unit
        Such as ``1 + 0.5 * similarity`` of a unit's preferred feature to the attended one (Treue &
        Martinez-Trujillo 1999).
    axis : str, optional
        Axis of the units (default the site's unit axis); for ``"project"`` the axis of the direction
        (default the last one, ``channel`` in convolutions).
    time : int, slice, range, list of int or str, optional
        Only these times: valid positions counted from the first (negative: from the end), or a column
        of the conditions that gives one position per trial. On a step-by-step site the state is written
        after its update.
    reference : Recording or Stimuli, optional
        For ``mean`` and ``resample`` (and ``project``, then relative to its mean). Stimuli are recorded
        when the lesion is first used, from the network without the lesions that are in force around it;
        for another reference give a recording.
    over : "trial" or "trial,time", optional
        Mean over trials at each time, or over trials and valid times. Default: the first, and the
        second where trials have different lengths.
    seed : int
        Donors and noise are a function of (seed, trial id) alone.
    n_donors : int
        Average over so many donors.
    donors : mapping of trial id to trial id, optional
        Name the donor of each trial (activation patching).

    Examples
    --------
    >>> a, b = Lesion("hidden", units=[0], kind="zero"), Lesion("hidden", units=(0,), kind="zero")
    >>> a == b, len({a, b})
    (True, 1)
    """

    site: str
    units: tuple[int, ...] | None
    axis: str | None
    time: Any
    kind: Kind
    sd: float | None
    gain: float | tuple[float, ...] | None
    value: float | None
    direction: Any
    over: Over | None
    seed: int
    n_donors: int
    donors: tuple[tuple[int, int], ...] | None
    mean: MeanTable | None
    pool: Donors | None
    pending: Stimuli | None

    @border
    def __init__(
        self,
        site: str,
        units: Sequence[int] | int | None = None,
        *,
        kind: Kind,
        axis: str | None = None,
        time: Time = None,
        reference: Recording | Stimuli | None = None,
        sd: float | None = None,
        gain: float | Sequence[float] | Array | None = None,
        value: float | None = None,
        direction: Any = None,
        over: Over | None = None,
        seed: int = 0,
        n_donors: int = 1,
        donors: Mapping[int, int] | None = None,
    ) -> None:

        def put(name: str, v: Any) -> None:
            object.__setattr__(self, name, v)  # the record is frozen for everyone else

        if not isinstance(site, str):
            raise LesionError(f"site came as {type(site).__name__}; wanted the name of one site")
        if kind not in get_args(Kind):
            raise LesionError(f"kind came as {kind!r}; wanted one of {', '.join(get_args(Kind))}")
        if over not in (None, "trial", "trial,time"):
            raise LesionError(f"over came as {over!r}; wanted 'trial' or 'trial,time'")
        put("site", site)
        put("units", _units(units))
        put("axis", axis)
        put("time", TimeWindow.of(time).times)
        put("kind", kind)
        for name, number in (("sd", sd), ("value", value)):
            put(name, _number(name, number))
        put("gain", _gain(gain, self.units))
        put("direction", _frozen_direction(direction))
        put("over", over)
        put("seed", int(seed))
        put("n_donors", int(n_donors))
        if donors is not None and not isinstance(donors, Mapping):
            raise LesionError(f"donors came as {type(donors).__name__}; wanted a mapping of trial id to donor id")
        put("donors", None if donors is None else tuple(sorted((int(k), int(v)) for k, v in donors.items())))
        put("mean", None)
        put("pool", None)
        put("pending", None)
        self._check_parameters(reference)
        self._take(reference)

    def _check_parameters(self, reference: object) -> None:
        parameters = {"reference": reference, "sd": self.sd, "gain": self.gain, "value": self.value}
        needed = NEEDS.get(self.kind)
        if needed and parameters[needed] is None:
            hint = "reference=recording or stimuli" if needed == "reference" else f"{needed}=number"
            raise LesionError(f"a {self.kind!r} lesion needs {hint}")
        for name in ("sd", "gain", "value"):
            if parameters[name] is not None and needed != name:
                raise LesionError(f"{name}= means nothing to a {self.kind!r} lesion")
        if (self.kind == "project") != (self.direction is not None):
            raise LesionError("direction= belongs to a 'project' lesion, and a 'project' lesion needs one")
        if self.sd is not None and self.sd < 0:
            raise LesionError(f"sd came as {self.sd}; wanted 0 or more")
        if self.n_donors < 1:
            raise LesionError(f"n_donors came as {self.n_donors}; wanted 1 or more")
        if self.over is not None and self.kind not in ("mean", "project"):
            raise LesionError("over= belongs to a 'mean' lesion")

    def _take(self, reference: Recording | Stimuli | None) -> None:
        """Reduce the reference: the mean keeps the vector it writes, resample where its donors lie."""
        if reference is None or self.kind not in ("mean", "resample", "project"):
            return
        if isinstance(reference, Stimuli):
            object.__setattr__(self, "pending", reference)
        elif not isinstance(reference, Recording):
            raise LesionError(
                f"reference came as {type(reference).__name__}; wanted a Recording (from ap.record) or Stimuli"
            )
        elif self.site not in reference:
            raise LesionError(
                f"the reference recording does not hold site {self.site!r} (it holds {list(reference)}); "
                "record it, or pass stimuli as reference"
            )
        elif self.kind == "resample":
            object.__setattr__(self, "pool", Donors.of(reference, self.site))
        else:
            object.__setattr__(self, "mean", MeanTable.of(reference, self.site, self.over))

    @property
    def source(self) -> Lesion:
        """The lesion that says what is written in the place of a site's activity: this one."""
        return self

    @property
    def window(self) -> TimeWindow:
        """`time` as a window."""
        return TimeWindow(self.time)

    def changed(self, **fields: Any) -> Lesion:
        """The same lesion with other fields, sharing its mean table or donors; the fields are taken as they come."""
        new = copy.copy(self)
        for name, value in fields.items():
            object.__setattr__(new, name, value)
        return new

    def resolved(self, recording: Recording) -> Lesion:
        """The same lesion with its pending reference replaced by a recording of it."""
        new = self.changed(pending=None)
        new._take(recording)
        return new

    def digest(self) -> str:
        """Digest of everything that decides what is written."""
        h = hashlib.blake2b(digest_size=16)
        for field in dataclasses.fields(self):
            value = getattr(self, field.name)
            if isinstance(value, (MeanTable, Donors, Stimuli)):
                value = value.digest()
            h.update(f"{field.name}={value!r};".encode())
        return h.hexdigest()

    def label(self) -> str:
        """Short name, as a player's: site, units and time."""
        units = "" if self.units is None else "." + "+".join(str(u) for u in self.units)
        return f"{self.site}{units}{self.window.label()}"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Lesion) and self.digest() == other.digest()

    def __hash__(self) -> int:
        return hash(self.digest())

    def __repr__(self) -> str:
        parts = [repr(self.site), f"kind={self.kind!r}"]
        for name in ("units", "axis", "time", "sd", "gain", "value", "over"):
            value = getattr(self, name)
            if value is not None:
                parts.append(f"{name}={value!r}")
        return f"Lesion({', '.join(parts)})"


def _units(units: Sequence[int] | int | None) -> tuple[int, ...] | None:
    if units is None:
        return None
    return whole_numbers("units", units, "whole numbers, or None for all")


def _number(name: str, value: float | None) -> float | None:
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, (int, float, np.number)) or not math.isfinite(value):
        raise LesionError(f"{name} came as {value!r}; wanted a finite number")
    return float(value)


def _gain(
    gain: float | Sequence[float] | Array | None, units: tuple[int, ...] | None
) -> float | tuple[float, ...] | None:
    """One gain for all units, or one for each of them."""
    if gain is None or np.ndim(gain) == 0:
        return _number("gain", gain)  # type: ignore[arg-type]
    gains = plain_array(gain)
    if gains.ndim != 1 or gains.dtype.kind not in "iuf" or not np.isfinite(gains).all():
        raise LesionError(f"gain came as {shown(gain)}; wanted one finite number, or one for each unit")
    if units is not None and len(gains) != len(units):
        raise LesionError(f"gain came with {len(gains)} numbers for {len(units)} units; wanted one for each")
    return tuple(float(g) for g in gains)


def _frozen_direction(direction: Any) -> Any:
    if direction is None:
        return None
    try:
        array = np.atleast_2d(plain_array(direction).astype(np.float64, casting="same_kind"))
    except (TypeError, ValueError) as error:
        raise InputError(
            f"direction came as {shown(direction)}; wanted one vector (unit,) or several of them"
        ) from error
    if array.ndim != 2 or not array.size or not np.isfinite(array).all() or (np.linalg.norm(array, axis=1) == 0).any():
        raise InputError("direction must be one vector (unit,) or several (direction, unit), finite and not 0")
    return tuple(tuple(float(v) for v in row) for row in array)
