"""Campaign: values on disk as they come, so that a killed run resumes and a second analysis reuses them.

A campaign is a zarr directory. Each context (model, stimuli, score) is a group; each batch of values is a
group of its own inside, written under another name and renamed when whole, so that a killed process or a
full disk leaves nothing half-written.
"""

from __future__ import annotations

import hashlib
import logging
import os
import uuid
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from artiphys.array_types import Array
from artiphys.errors import CampaignError
from artiphys.user_warnings import warn
from artiphys.zarr_files import (
    GROUP,
    attributes_of,
    get_array,
    hidden_name,
    put_array,
    put_group,
    sweep,
    written_aside,
)

logger = logging.getLogger("artiphys")
FORMAT = 1


class Campaign:
    """Values of one context in a campaign's directory.

    Parameters
    ----------
    path : path
        Made if it is not there.
    context : mapping of str to str
        What all values depend on: model, stimuli, score.

    Raises
    ------
    CampaignError
        If the directory is something else, or cannot be written.
    """

    def __init__(self, path: str | os.PathLike[str], context: Mapping[str, str]) -> None:
        self.path = Path(path)
        digest = hashlib.blake2b(repr(sorted(context.items())).encode(), digest_size=16).hexdigest()
        self.folder = self.path / digest
        self._places: dict[bytes, tuple[str, int]] = {}
        self._read: set[str] = set()
        try:
            if self.path.is_dir():
                sweep(self.path)
            held = {p.name for p in self.path.iterdir()} if self.path.exists() else set()
            if not held or (held == {GROUP} and attributes_of(self.path) == {}):  # the latter killed at its first step
                put_group(self.path, {"artiphys_campaign": FORMAT})
            elif (attributes_of(self.path) or {}).get("artiphys_campaign") != FORMAT:
                raise CampaignError(
                    f"{self.path} is no campaign directory (or of another format); choose another cache= or remove it"
                )
            if self.folder.is_dir():
                sweep(self.folder)
            if attributes_of(self.folder) is None:
                put_group(self.folder, context)
            (probe := self.folder / hidden_name()).mkdir()
            probe.rmdir()
        except OSError as error:
            raise self._unwritable(error) from error
        self.refresh()

    @property
    def rows(self) -> int | None:
        """Rows per call that this campaign's batches were planned with."""
        rows = (attributes_of(self.folder) or {}).get("rows")
        return None if rows is None else int(rows)

    @rows.setter
    def rows(self, rows: int) -> None:
        try:
            put_group(self.folder, {**(attributes_of(self.folder) or {}), "rows": int(rows)})
        except OSError as error:
            raise self._unwritable(error) from error

    def refresh(self) -> None:
        """Look for batches that came since, from this or another process."""
        for folder in sorted(self.folder.iterdir()):
            if folder.name in self._read or folder.name.startswith(".") or not folder.is_dir():
                continue
            keys = self._checked(folder)
            self._read.add(folder.name)
            if keys is not None:
                self._places.update({k: (folder.name, i) for i, k in enumerate(keys)})

    def _checked(self, folder: Path) -> list[bytes] | None:
        try:
            return [row.tobytes() for row in _batch_at(folder)[0]]
        except Exception as error:  # noqa: BLE001 (a damaged batch costs its values, not the campaign)
            warn(f"{folder} is damaged ({error}) and is left out; its values are computed again")
            return None

    def __contains__(self, key: bytes) -> bool:
        return key in self._places

    def __len__(self) -> int:
        return len(self._places)

    def take(self, keys: Sequence[bytes]) -> Array:
        """Values of known keys ``(n, trial[, number])``."""
        by_folder: dict[str, list[int]] = {}
        for i, key in enumerate(keys):
            by_folder.setdefault(self._places[key][0], []).append(i)
        rows: list[Any] = [None] * len(keys)
        for name, members in by_folder.items():
            try:
                values = _batch_at(self.folder / name)[1]
            except Exception as error:
                self._places = {k: place for k, place in self._places.items() if place[0] != name}
                raise CampaignError(
                    f"{self.folder / name} was damaged or removed since it was looked at ({error}); call again: its "
                    "values are then computed again"
                ) from error
            for i in members:
                rows[i] = values[self._places[keys[i]][1]]
        return np.stack(rows)

    def add(self, keys: Sequence[bytes], values: Array) -> None:
        """Put one batch on disk, whole or not at all."""
        name = uuid.uuid4().hex
        table = np.frombuffer(b"".join(keys), dtype=np.uint8).reshape(len(keys), -1)
        try:
            with written_aside(self.folder / name) as aside:
                put_group(aside, {"checksum": _checksum(table, values)})
                put_array(aside, "keys", table)
                put_array(aside, "values", values)
        except OSError as error:
            raise self._unwritable(error) from error
        self._read.add(name)
        self._places.update({k: (name, i) for i, k in enumerate(keys)})

    def _unwritable(self, error: Exception) -> CampaignError:
        return CampaignError(
            f"the campaign directory {self.path} cannot be written ({type(error).__name__}: {error}). What it holds "
            "is whole and the values computed since are kept in this game: make room or allow writing, then call again"
        )


def _batch_at(folder: Path) -> tuple[Array, Array]:
    """Keys and values of a batch; raises if they are not as they were written."""
    checked = "keys" in (attributes_of(folder) or {}).get("checked", ())
    keys, values = (np.asarray(get_array(folder, name, checked)) for name in ("keys", "values"))
    if (attributes_of(folder) or {}).get("checksum") != _checksum(keys, values):
        raise ValueError("its checksum is another")
    return keys, values


def _checksum(keys: Array, values: Array) -> str:
    h = hashlib.blake2b(np.ascontiguousarray(keys).tobytes(), digest_size=16)
    h.update(np.ascontiguousarray(values).tobytes())
    return h.hexdigest()
