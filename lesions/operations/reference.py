"""Reference of a lesion: a table of means, or the donors of resampling."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

import numpy as np
import xarray as xr

from artiphys.array_types import Array
from artiphys.errors import LesionError
from artiphys.missing import validity
from artiphys.recording import Recording

N_TRIALS_PER_READ = 4096  # trials read at a time from a recording larger than memory


@dataclass(frozen=True, eq=False)
class MeanTable:
    """Mean activity, ``(time, *rest)`` or without time, float32; ``axes`` names its axes."""

    values: Array
    axes: tuple[str, ...]
    over: str
    model: str

    @classmethod
    def of(cls, recording: Recording, site: str, over: Literal["trial", "trial,time"] | None) -> MeanTable:
        """Mean over trials (at each time), or over trials and valid times.

        Raises
        ------
        LesionError
            If a mean at each time is asked for but trials have different lengths.
        """
        data = recording[site]
        axes = tuple(str(d) for d in data.dims[1:])
        ragged = validity(data) is not None
        timed = "time" in axes
        if over == "trial" and ragged:
            raise LesionError(
                f"trials of the reference at {site!r} have different lengths, so there is no mean at each time; "
                "use over='trial,time'"
            )
        pooled = timed and (over == "trial,time" or (over is None and ragged))
        axis = (0, 1 + axes.index("time")) if pooled else (0,)
        total: Any = 0.0
        count: Any = 0
        for start in range(0, data.sizes["trial"], N_TRIALS_PER_READ):
            part = data.isel(trial=slice(start, start + N_TRIALS_PER_READ)).to_numpy().astype(np.float64)
            total = total + np.nansum(part, axis=axis)
            count = count + np.sum(~np.isnan(part), axis=axis)
        with np.errstate(invalid="ignore"):
            mean = (total / count).astype(np.float32)
        axes_left = tuple(a for a in axes if not (pooled and a == "time"))
        return cls(mean, axes_left, "trial,time" if pooled else "trial", recording.attrs["model"])

    def digest(self) -> str:
        """Digest of the values."""
        return self._digest

    @cached_property
    def _digest(self) -> str:  # once: many players share one table
        return hashlib.blake2b(self.values.tobytes() + repr(self.axes).encode(), digest_size=16).hexdigest()


@dataclass(frozen=True, eq=False)
class Donors:
    """The recording donors are taken from. Pickling keeps its digest and leaves the activity behind."""

    site: str
    model: str
    stimuli: str
    axes: tuple[str, ...]
    ids: tuple[int, ...]
    ragged: bool
    activity: xr.DataArray | None

    @classmethod
    def of(cls, recording: Recording, site: str) -> Donors:
        """Where the activity of a site lies in a recording."""
        data = recording[site]
        ids = tuple(int(i) for i in data["trial"].values)
        axes = tuple(str(d) for d in data.dims[1:])
        attrs = recording.attrs
        return cls(site, attrs["model"], attrs["stimuli"], axes, ids, validity(data) is not None, data)

    def digest(self) -> str:
        """Digest of which activity it is: model, stimuli and site."""
        return hashlib.blake2b(f"{self.model}{self.stimuli}{self.site}".encode(), digest_size=16).hexdigest()

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "activity": None}

    def rows(self, trials: Sequence[int], seed: int, n: int, table: Mapping[int, int] | None) -> Array:
        """Activity of each trial's donors, averaged over ``n``: ``(trial, *axes)``.

        Raises
        ------
        LesionError
            If the activity was left behind by pickling, or there are too few donors.
        """
        if self.activity is None:
            raise LesionError(
                f"this resampling lesion of {self.site!r} was unpickled and left its donors behind; "
                "make it again with reference=recording"
            )
        place = {t: i for i, t in enumerate(self.ids)}
        picks = np.array([self._pick(t, seed, n, table, place) for t in trials])  # (trial, donor)
        needed, inverse = np.unique(picks, return_inverse=True)
        values = self.activity.isel(trial=needed).to_numpy()
        return np.asarray(values[inverse.reshape(picks.shape)].mean(axis=1))

    def _pick(
        self, trial: int, seed: int, n: int, table: Mapping[int, int] | None, place: Mapping[int, int]
    ) -> list[int]:
        if table is not None:
            if trial not in table or table[trial] not in place:
                raise LesionError(f"donors= names no recorded donor for trial {trial}")
            return [place[table[trial]]]
        own = place.get(trial, len(place))
        n_others = len(place) - (own < len(place))
        if n_others < n:
            raise LesionError(f"{n_others} other trials in the reference; {n} donors were asked for")
        # A function of seed and trial alone: the same for all players, coalitions and batches.
        chosen = np.random.default_rng([seed, trial]).choice(n_others, size=n, replace=False)
        return [int(i) + (int(i) >= own) for i in chosen]
