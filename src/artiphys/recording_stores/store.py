"""Store: what a recording needs of the place its arrays lie."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

import xarray as xr

from artiphys.array_types import Array
from artiphys.errors import RecordingError


class Store(Protocol):
    """What `Recording` needs of the place its arrays lie."""

    attrs: dict[str, Any]
    n_done: int

    @property
    def n_trials(self) -> int: ...  # noqa: D102
    @property
    def sites(self) -> dict[str, dict[str, Any]]: ...  # noqa: D102
    def write(self, start: int, activity: Mapping[str, Array]) -> None: ...  # noqa: D102
    def flush(self) -> None: ...  # noqa: D102
    def array(self, site: str, dims: tuple[str, ...]) -> xr.DataArray: ...  # noqa: D102
    def ids(self) -> Array: ...  # noqa: D102
    def conditions(self) -> dict[str, Array]: ...  # noqa: D102
    def valid(self, sequence: str) -> Array | None: ...  # noqa: D102
    def keep_valid(self, sequence: str, valid: Array) -> None: ...  # noqa: D102


class Described:
    """What a recording's attributes tell."""

    attrs: dict[str, Any]

    @property
    def n_trials(self) -> int:
        """Number of trials."""
        return int(self.attrs["n_trials"])

    @property
    def sites(self) -> dict[str, dict[str, Any]]:
        """Axes and types by site."""
        sites: dict[str, dict[str, Any]] = self.attrs["sites"]
        return sites


def check_shape(name: str, whole: tuple[int, ...], batch: tuple[int, ...]) -> None:
    """Raise where the trials of a site differ in shape."""
    if whole[1:] != batch[1:]:
        raise RecordingError(
            f"site {name!r} gave {tuple(batch[1:])} entries per trial after {tuple(whole[1:])} before; trials of one "
            "recording need equal shapes: pad them (Stimuli.from_tokens does)"
        )
