"""Campaign: values on disk as they come, so that a killed run resumes and a second analysis reuses them.

A campaign is a zarr directory. Each context (model, stimuli, score) is a group; each batch of values is a
group of its own inside, written under another name and renamed when whole, so that a killed process or a
full disk leaves nothing half-written.
"""

from __future__ import annotations

import hashlib
import logging
import os
import shutil
import uuid
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import zarr

from artiphys.array_types import Array
from artiphys.errors import CampaignError
from artiphys.user_warnings import warn

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
            if self.path.exists() and any(self.path.iterdir()):
                self._check_ours()
            else:
                zarr.open_group(str(self.path), mode="a").attrs["artiphys_campaign"] = FORMAT
            if not self.folder.exists():
                zarr.open_group(str(self.folder), mode="a").attrs.update(dict(context))
            (self.folder / f".{uuid.uuid4().hex}").mkdir()
        except (OSError, NotADirectoryError) as error:
            raise self._unwritable(error) from error
        for left in self.folder.glob(".*"):
            if left.is_dir() and not any(left.iterdir()):
                left.rmdir()
        self.refresh()

    def _check_ours(self) -> None:
        try:
            known = zarr.open_group(str(self.path), mode="r").attrs.get("artiphys_campaign")
        except Exception:  # noqa: BLE001 (whatever zarr says, it is no campaign)
            known = None
        if known != FORMAT:
            raise CampaignError(
                f"{self.path} is no campaign directory (or of another format); choose another cache= or remove it"
            )

    @property
    def rows(self) -> int | None:
        """Rows per call that this campaign's batches were planned with."""
        rows = zarr.open_group(str(self.folder), mode="r").attrs.get("rows")
        return None if rows is None else int(rows)

    @rows.setter
    def rows(self, rows: int) -> None:
        try:
            zarr.open_group(str(self.folder), mode="a").attrs["rows"] = int(rows)
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
            group = zarr.open_group(str(folder), mode="r")
            keys = np.asarray(group["keys"][:])
            if group.attrs.get("checksum") != _checksum(keys, np.asarray(group["values"][:])):
                raise ValueError("checksum")
        except Exception as error:  # noqa: BLE001 (a damaged batch costs its values, not the campaign)
            warn(f"{folder} is damaged ({error}) and is left out; its values are computed again")
            return None
        return [row.tobytes() for row in keys]

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
            values = np.asarray(zarr.open_group(str(self.folder / name), mode="r")["values"][:])
            for i in members:
                rows[i] = values[self._places[keys[i]][1]]
        return np.stack(rows)

    def add(self, keys: Sequence[bytes], values: Array) -> None:
        """Put one batch on disk, whole or not at all."""
        name = uuid.uuid4().hex
        hidden = self.folder / f".{name}"
        table = np.frombuffer(b"".join(keys), dtype=np.uint8).reshape(len(keys), -1)
        try:
            group = zarr.open_group(str(hidden), mode="w")
            for label, array in (("keys", table), ("values", values)):
                group.create_array(label, shape=array.shape, dtype=str(array.dtype), chunks=array.shape)[:] = array
            group.attrs["checksum"] = _checksum(table, values)
            os.rename(hidden, self.folder / name)
        except OSError as error:
            shutil.rmtree(hidden, ignore_errors=True)
            raise self._unwritable(error) from error
        except BaseException:
            shutil.rmtree(hidden, ignore_errors=True)
            raise
        self._read.add(name)
        self._places.update({k: (name, i) for i, k in enumerate(keys)})

    def _unwritable(self, error: Exception) -> CampaignError:
        return CampaignError(
            f"the campaign directory {self.path} cannot be written ({type(error).__name__}: {error}). What it holds "
            "is whole and the values computed since are kept in this game: make room or allow writing, then call again"
        )


def _checksum(keys: Array, values: Array) -> str:
    h = hashlib.blake2b(np.ascontiguousarray(keys).tobytes(), digest_size=16)
    h.update(np.ascontiguousarray(values).tobytes())
    return h.hexdigest()
