"""Zarr directories of which no part is half-written unseen, missing unseen or changed unseen.

Arrays carry a checksum for each chunk. Groups are written aside and renamed. Only zarr's format 3 is written and read:
format 2 has filters that unpickle.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import socket
import uuid
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import google_crc32c
import psutil
import zarr
from zarr.codecs import Crc32cCodec, ZstdCodec
from zarr.storage import LocalStore

from artiphys.array_types import Array
from artiphys.errors import RecordingError

GROUP = "zarr.json"
N_CHECKSUM = 4  # bytes at the end of a chunk
ZARRS_PARTIAL = re.compile(r".+\.[0-9a-f]{32}\.partial")  # what zarr writes aside
OWN_HIDDEN = re.compile(r"\.artiphys-(?P<host>.+)-(?P<pid>\d+)-[0-9a-f]{32}")


class CheckedStore(LocalStore):  # type: ignore[misc]
    """A directory in which a chunk that is missing or damaged is an error, and not read as data."""

    async def get(self, key: str, prototype: Any = None, byte_range: Any = None) -> Any:
        """The bytes of a file.

        Raises
        ------
        RecordingError
            If it is a chunk that is not there, or whose checksum is another.
        """
        found = await super().get(key, prototype, byte_range)
        if re.search(r"(^|/)c(/\d+)*$", key) is None:
            return found
        if found is None:
            raise RecordingError(f"{self.root}: chunk {key} is missing; copy it again, or record again")
        if byte_range is None:
            whole = found.to_bytes()
            if google_crc32c.value(whole[:-N_CHECKSUM]).to_bytes(N_CHECKSUM, "little") != whole[-N_CHECKSUM:]:
                raise RecordingError(f"{self.root}: chunk {key} is damaged; copy it again, or record again")
        return found


def put_group(path: Path, attributes: Mapping[str, Any]) -> None:
    """Make a zarr group, or give one other attributes; at once, so that it has the old ones or the new."""
    path.mkdir(parents=True, exist_ok=True)
    aside = path / hidden_name()
    aside.write_text(json.dumps({"zarr_format": 3, "node_type": "group", "attributes": dict(attributes)}, indent=1))
    os.replace(aside, path / GROUP)


def attributes_of(path: Path) -> dict[str, Any] | None:
    """Attributes of a group of format 3; None where there is no such group, or none that can be read."""
    try:
        found: Any = json.loads((path / GROUP).read_text())
    except (OSError, ValueError):
        return None
    if not isinstance(found, dict) or (found.get("zarr_format"), found.get("node_type")) != (3, "group"):
        return None
    attributes: dict[str, Any] = found.get("attributes", {})
    return attributes


def make_array(
    path: Path,
    name: str,
    shape: Sequence[int],
    dtype: str,
    *,
    chunks: Sequence[int] | None = None,
    dims: Sequence[str] | None = None,
    attributes: Mapping[str, Any] | None = None,
    overwrite: bool = False,
) -> Any:
    """An array of zarr with a checksum for each chunk; all chunks are written, also those of one value."""
    return zarr.create_array(
        CheckedStore(path),
        name=name,
        shape=tuple(shape),
        chunks=tuple(max(1, n) for n in (shape if chunks is None else chunks)),
        dtype=dtype,
        compressors=[ZstdCodec(), Crc32cCodec()],
        fill_value=float("nan") if dtype.startswith("float") else 0,
        dimension_names=None if dims is None else list(dims),
        attributes=dict(attributes or {}),
        config={"write_empty_chunks": True},
        zarr_format=3,
        overwrite=overwrite,
    )


def put_array(path: Path, name: str, values: Array, **options: Any) -> None:
    """Write a whole array."""
    array = make_array(path, name, values.shape, str(values.dtype), **options)
    if values.size:
        array[...] = values


def get_array(path: Path, name: str, checked: bool = True) -> Array:
    """Read a whole array."""
    values: Array = zarr.open_array(store_at(path, checked), path=name, mode="r", zarr_format=3)[...]
    return values


def store_at(path: Path, checked: bool = True) -> Any:
    """A directory to read from; what was written without checksums is not checked."""
    return CheckedStore(path, read_only=True) if checked else LocalStore(path, read_only=True)


def is_left_over(name: str) -> bool:
    """Whether a file or directory was being written when its process was killed."""
    return OWN_HIDDEN.fullmatch(name) is not None or ZARRS_PARTIAL.fullmatch(name) is not None


def hidden_name() -> str:
    """A name for what is being written, that tells who writes it."""
    return f".artiphys-{socket.gethostname()}-{os.getpid()}-{uuid.uuid4().hex}"


def sweep(folder: Path) -> None:
    """Take away what processes left that were killed while they wrote it."""
    with contextlib.suppress(OSError):
        for path in list(folder.iterdir()):
            known = OWN_HIDDEN.fullmatch(path.name)
            if known is None or known["host"] != socket.gethostname():
                continue
            if int(known["pid"]) == os.getpid() or not psutil.pid_exists(int(known["pid"])):
                shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)


@contextlib.contextmanager
def written_aside(path: Path) -> Iterator[Path]:
    """A directory to fill, that takes the place of ``path`` when it is whole."""
    path.parent.mkdir(parents=True, exist_ok=True)
    sweep(path.parent)
    aside, away = path.parent / hidden_name(), path.parent / hidden_name()
    try:
        aside.mkdir()
        yield aside
        if path.exists():
            os.rename(path, away)
        os.rename(aside, path)
    finally:
        for left in (aside, away):
            shutil.rmtree(left, ignore_errors=True)
