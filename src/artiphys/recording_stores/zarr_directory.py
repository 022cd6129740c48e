"""A recording in a zarr directory: one group a site, conditions and trial ids, and how many trials are done.

The directory appears whole, with no trials done; how many are is written after their chunks. So a recording can be
finished from wherever it was stopped, and what is damaged or missing is an error.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote

import numpy as np
import xarray as xr
import zarr

from artiphys.array_types import Array
from artiphys.digests import same_network
from artiphys.errors import RecordingError
from artiphys.recording_stores.columns import get_table, put_table
from artiphys.recording_stores.store import Described, check_shape
from artiphys.stimuli import Stimuli
from artiphys.zarr_files import (
    GROUP,
    CheckedStore,
    attributes_of,
    get_array,
    is_left_over,
    make_array,
    put_array,
    put_group,
    sweep,
    written_aside,
)

# Not the version: what is recorded depends on the adapter's own version, which is in the fingerprint of the model.
IDENTITY = ("model", "stimuli", "conditions", "lesions", "n_trials", "sites")
FORMAT = 2  # 1 had no checksums
CHUNK_BYTES = 2**24  # of all sites together, of one chunk each: few files, and little that is written twice
FLUSH_SECONDS = 5.0


VALID = ("valid", "valid_decoder", "valid_frames")  # masks, by sequence


class ZarrStore(Described):
    """A recording on disk, finished or not.

    Attributes
    ----------
    attributes : dict
        Of the directory: what was recorded, the format, how many trials are done.
    n_done : int
        Trials on disk.
    """

    def __init__(self, path: Path, attributes: dict[str, Any]) -> None:
        self.path, self.attributes = path, attributes
        self.attrs: dict[str, Any] = dict(attributes["recording"])
        self.n_done = int(attributes["n_done"])
        self._chunk = int(attributes["chunk"]) if "chunk" in attributes else 0  # trials; set by the first batch
        self._buffers: dict[str, Array] = {}  # (trial, ...) of the chunk that is being filled
        self._n_taken, self._flushed = self.n_done, time.monotonic()
        self._valid: dict[str, Array] = {}
        self.is_checked = "format" in attributes

    @classmethod
    def open(cls, path: Path) -> ZarrStore:
        """An existing recording, finished or not.

        Raises
        ------
        RecordingError
            If there is none, or what describes it is damaged.
        """
        attributes = attributes_of(path)
        if attributes is None or not {"recording", "n_done"} <= set(attributes):
            raise RecordingError(f"{path} holds no artiphys recording")
        if attributes.get("format", 1) > FORMAT:
            raise RecordingError(f"{path} was recorded by a later version of artiphys; install that to read it")
        store = cls(path, attributes)
        if store.is_checked and store.n_done and attributes.get("checksum") != store.checksum():
            raise RecordingError(f"what describes the recording at {path} is damaged or incomplete; record again")
        return store

    @classmethod
    def start(cls, path: Path, attrs: dict[str, Any], stimuli: Stimuli, overwrite: bool) -> ZarrStore:
        """A new recording, or the unfinished one that is there if it is of the same thing."""
        with _writing(path, 0, int(attrs["n_trials"])):
            if path.is_symlink():
                raise RecordingError(f"{path} is a link; give the directory itself")
        for part in (path, *path.parents):
            if part.is_file():
                raise RecordingError(f"{part} is a file; out= names a directory to make")
        before: ZarrStore | None = None
        if path.is_dir():
            sweep(path)
        if path.is_dir() and any(path.iterdir()):
            if not overwrite:
                store = cls._resumed(path, attrs)
                if store.n_done and store.is_checked:
                    return store
                before = store if store.n_done else None
            _check_ours(path)
        with _writing(path, 0, int(attrs["n_trials"])), written_aside(path) as aside:
            put_array(aside, "trial", np.asarray(stimuli.ids), dims=("trial",))
            put_table(aside / "conditions", stimuli.conditions)
            store = cls(aside, {"recording": attrs, "format": FORMAT, "n_done": 0})
            store.save()
            if before is not None:
                store.copy(before)
        store.path = path
        return store

    @classmethod
    def _resumed(cls, path: Path, attrs: dict[str, Any]) -> ZarrStore:
        store = cls.open(path)
        if store.n_done >= store.n_trials:
            raise RecordingError(
                f"{path} holds a finished recording; read it with Recording.open, or pass overwrite=True"
            )
        other = [key for key in IDENTITY if store.attrs.get(key) != attrs[key]]
        if "model" in other and same_network(str(store.attrs.get("model")), attrs["model"]):
            other.remove("model")
        if other:
            raise RecordingError(
                f"{path} holds an interrupted recording with other {', '.join(other)}; it cannot be finished "
                "with these. Choose another out=, or pass overwrite=True"
            )
        if store.is_checked:
            store.take_up()
        return store

    def take_up(self) -> None:
        """Go on in the middle of a chunk, or from its beginning if it was torn."""
        begin: int = self.n_done - self.n_done % self._chunk if self._chunk else 0
        if begin < self.n_done:
            try:
                for name in self.sites:
                    array = zarr.open_array(CheckedStore(self.path), path=_key(name), mode="r", zarr_format=3)
                    self._buffer(name, array.shape)[: self.n_done - begin] = array[begin : self.n_done]
            except RecordingError:
                self.n_done = begin
        self._n_taken = self.n_done

    def copy(self, other: ZarrStore) -> None:
        """Take over what another holds, such as one of an older format."""
        for sequence in ("", "decoder", "frames"):
            if (valid := other.valid(sequence)) is not None:
                self.keep_valid(sequence, valid)
        n = max(1, int(other.attributes.get("batch_size", 1)))
        for start in range(0, other.n_done, n):
            trials = slice(start, min(start + n, other.n_done))
            self.write(start, {name: other.array(name, ())[trials].to_numpy() for name in other.sites})
        self.flush()

    def write(self, start: int, activity: Mapping[str, Array]) -> None:
        """Take one batch; on disk once a chunk is full or seconds have passed, and counted once all sites are there."""
        if not self._chunk:
            self._chunk = self._chunk_of(activity)
        n = len(next(iter(activity.values())))
        begin = 0
        while begin < n:
            at = (start + begin) % self._chunk
            end = min(n, begin + self._chunk - at)
            for name, x in activity.items():
                buffer = self._buffer(name, (self.n_trials, *x.shape[1:]))
                check_shape(name, buffer.shape, x.shape)
                buffer[at : at + end - begin] = x[begin:end]
            self._n_taken = start + end
            begin = end
            if self._n_taken % self._chunk == 0 or time.monotonic() - self._flushed > FLUSH_SECONDS:
                self.flush()

    def _chunk_of(self, activity: Mapping[str, Array]) -> int:
        """Trials in a chunk: whole batches of them."""
        n: int = len(next(iter(activity.values())))
        per_trial = int(sum(4 * x[0].size for x in activity.values()))
        return max(1, min(self.n_trials, n * max(1, CHUNK_BYTES // (max(1, per_trial) * n))))

    def _buffer(self, name: str, shape: tuple[int, ...]) -> Array:
        if name not in self._buffers:
            self._buffers[name] = np.full((self._chunk, *shape[1:]), np.nan, dtype=np.float32)
        return self._buffers[name]

    def flush(self) -> None:
        """Put on disk what was taken."""
        if self._n_taken == self.n_done:
            return
        begin = (self._n_taken - 1) // self._chunk * self._chunk
        with _writing(self.path, self.n_done, self.n_trials):
            for name, buffer in self._buffers.items():
                if self.n_done == 0:
                    make_array(
                        self.path,
                        _key(name),
                        (self.n_trials, *buffer.shape[1:]),
                        "float32",
                        chunks=(self._chunk, *buffer.shape[1:]),
                        dims=("trial", *self.sites[name]["axes"]),
                        overwrite=True,
                    )
                # The whole chunk, so that what a killed process left of it need not be read.
                end = min(begin + self._chunk, self.n_trials)
                array = zarr.open_array(CheckedStore(self.path), path=_key(name), mode="r+", zarr_format=3)
                array[begin:end] = buffer[: end - begin]
            self.n_done = self._n_taken
            self.attributes |= {"n_done": self.n_done, "chunk": self._chunk}
            self.save()
        if self.n_done % self._chunk == 0:
            self._buffers.clear()
        self._flushed = time.monotonic()

    def save(self) -> None:
        """Put on disk what describes the recording."""
        put_group(self.path, {**self.attributes, "checksum": self.checksum()})

    def checksum(self) -> str:
        """Digest of all that describes the recording; each chunk has a checksum of its own."""
        described = {k: v for k, v in self.attributes.items() if k != "checksum"}
        h = hashlib.blake2b(json.dumps(described, sort_keys=True).encode(), digest_size=16)
        table = self.path / "conditions"
        sites = [self.path / _key(site) for site in sorted(self.sites)]
        folders = [table, *sorted(table.iterdir()), *(folder for site in sites for folder in (site.parent, site))]
        for folder in [self.path / "trial", *folders, *(self.path / name for name in VALID)]:
            with contextlib.suppress(FileNotFoundError, NotADirectoryError):
                h.update(folder.relative_to(self.path).as_posix().encode() + (folder / GROUP).read_bytes())
        return h.hexdigest()

    def array(self, site: str, dims: tuple[str, ...]) -> xr.DataArray:
        """Activity of one site, read from disk when used."""
        group = _key(site).rsplit("/", 1)[0]
        if not self.is_checked:
            return xr.open_dataset(
                str(self.path), engine="zarr", group=group, consolidated=False, backend_kwargs={"zarr_format": 3}
            )["activity"]
        store = CheckedStore(self.path / group, read_only=True)
        return xr.open_dataset(store, engine="zarr", consolidated=False, backend_kwargs={"zarr_format": 3})["activity"]

    def ids(self) -> Array:
        """Trial ids."""
        return np.asarray(get_array(self.path, "trial", self.is_checked))

    def conditions(self) -> dict[str, Array]:
        """Columns of the conditions table."""
        path = self.path / "conditions"
        return get_table(path, (attributes_of(path) or {}).get("order"), self.is_checked)

    def valid(self, sequence: str) -> Array | None:
        """Which positions of a sequence are no padding, or None."""
        name = _valid_name(sequence)
        if sequence not in self._valid and (self.path / name).exists():
            self._valid[sequence] = np.asarray(get_array(self.path, name, self.is_checked))
        return self._valid.get(sequence)

    def keep_valid(self, sequence: str, valid: Array) -> None:
        """Put it on disk."""
        with _writing(self.path, self.n_done, self.n_trials):
            put_array(self.path, _valid_name(sequence), valid, dims=("trial", "time"))


def _check_ours(path: Path) -> None:
    """Only what artiphys wrote as a recording, and nothing that was put beside it, may be replaced."""
    attributes = attributes_of(path) or {}
    recording = attributes.get("recording")
    if not isinstance(recording, dict) or not set(recording) >= set(IDENTITY):
        raise RecordingError(f"{path} is a directory of something else; overwrite=True replaces recordings only")
    known = {GROUP, "trial", "conditions", *VALID}
    known |= {_key(site).split("/")[0] for site in recording["sites"]}
    strange = sorted(p.name for p in path.iterdir() if p.name not in known and not is_left_over(p.name))
    if strange:
        raise RecordingError(
            f"beside the recording, {path} holds {', '.join(strange[:3])}; overwrite=True replaces recordings "
            "only. Move it, or choose another out="
        )


@contextlib.contextmanager
def _writing(path: Path, n_done: int, n_trials: int) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise RecordingError(
            f"{path} cannot be written ({type(error).__name__}: {error}); {n_done} of {n_trials} trials are on disk "
            "and stay. Make room or allow writing, then call ap.record again with the same arguments to go on"
        ) from error


def _valid_name(sequence: str) -> str:
    return f"valid_{sequence}" if sequence else "valid"


def _key(site: str) -> str:
    # One group per site: sites differ in size, and one group holds one size per axis.
    return quote(site, safe="#[].") + "/activity"
