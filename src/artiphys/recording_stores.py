"""Where a recording is kept while it is made: in memory, or in a zarr directory that survives an interrupt."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, Protocol
from urllib.parse import quote

import numpy as np
import pandas as pd
import xarray as xr
import zarr

from artiphys.array_types import Array
from artiphys.digests import same_network
from artiphys.errors import RecordingError
from artiphys.missing import is_missing
from artiphys.stimuli import Stimuli

# Not the version: what is recorded depends on the adapter's own version, which is in the fingerprint of the model.
IDENTITY = ("model", "stimuli", "conditions", "lesions", "n_trials", "sites")


class Store(Protocol):
    """What `Recording` needs of the place its arrays lie."""

    attrs: dict[str, Any]
    n_done: int

    @property
    def n_trials(self) -> int: ...  # noqa: D102
    @property
    def sites(self) -> dict[str, dict[str, Any]]: ...  # noqa: D102
    def write(self, start: int, activity: Mapping[str, Array]) -> None: ...  # noqa: D102
    def array(self, site: str, dims: tuple[str, ...]) -> xr.DataArray: ...  # noqa: D102
    def ids(self) -> Array: ...  # noqa: D102
    def conditions(self) -> dict[str, Array]: ...  # noqa: D102
    def valid(self, sequence: str) -> Array | None: ...  # noqa: D102
    def keep_valid(self, sequence: str, valid: Array) -> None: ...  # noqa: D102


class _Described:
    attrs: dict[str, Any]

    @property
    def n_trials(self) -> int:
        return int(self.attrs["n_trials"])

    @property
    def sites(self) -> dict[str, dict[str, Any]]:
        sites: dict[str, dict[str, Any]] = self.attrs["sites"]
        return sites


class MemoryStore(_Described):
    """Arrays in memory, filled batch by batch."""

    def __init__(self, attrs: dict[str, Any], stimuli: Stimuli) -> None:
        self.attrs, self.n_done = attrs, 0
        self._stimuli = stimuli
        self._arrays: dict[str, Array] = {}
        self._valid: dict[str, Array] = {}

    def write(self, start: int, activity: Mapping[str, Array]) -> None:
        """Put one batch in its place."""
        for name, x in activity.items():
            if name not in self._arrays:
                self._arrays[name] = np.empty((self.n_trials, *x.shape[1:]), dtype=np.float32)
            _check_shape(name, self._arrays[name].shape, x.shape)
            self._arrays[name][start : start + len(x)] = x
            self.n_done = start + len(x)

    def array(self, site: str, dims: tuple[str, ...]) -> xr.DataArray:
        """Activity of one site."""
        return xr.DataArray(self._arrays[site], dims=dims)

    def ids(self) -> Array:
        """Trial ids."""
        return self._stimuli.ids

    def conditions(self) -> dict[str, Array]:
        """Columns of the conditions table."""
        return {str(c): self._stimuli.conditions[c].to_numpy() for c in self._stimuli.conditions.columns}

    def valid(self, sequence: str) -> Array | None:
        """Which positions of a sequence are no padding, or None."""
        return self._valid.get(sequence)

    def keep_valid(self, sequence: str, valid: Array) -> None:
        """Keep it."""
        self._valid[sequence] = valid


class ZarrStore(_Described):
    """A zarr directory: one group per site, conditions and trial ids, and how many trials are done."""

    def __init__(self, path: Path, root: Any) -> None:
        self.path, self._root = path, root
        self.attrs = dict(root.attrs["recording"])
        self.n_done = int(root.attrs["n_done"])
        self._batch = int(root.attrs["batch_size"])
        self._valid: dict[str, Array] = {}

    @classmethod
    def open(cls, path: Path, mode: Literal["r", "r+"] = "r") -> ZarrStore:
        """An existing recording, finished or not."""
        try:
            root = zarr.open_group(str(path), mode=mode)
            return cls(path, root)
        except (FileNotFoundError, KeyError, zarr.errors.GroupNotFoundError) as error:
            raise RecordingError(f"{path} holds no artiphys recording") from error

    @classmethod
    def start(cls, path: Path, attrs: dict[str, Any], stimuli: Stimuli, batch_size: int, overwrite: bool) -> ZarrStore:
        """A new recording, or the unfinished one that is there if it is of the same thing."""
        if path.is_symlink():
            raise RecordingError(f"{path} is a link; give the directory itself")
        for part in (path, *path.parents):
            if part.is_file():
                raise RecordingError(f"{part} is a file; out= names a directory to make")
        if path.exists() and not overwrite and any(path.iterdir() if path.is_dir() else [path]):
            return cls._resumed(path, attrs)
        if path.is_dir():
            cls._check_ours(path)
            shutil.rmtree(path)
        root = zarr.open_group(str(path), mode="w")
        _save(root, "trial", stimuli.ids)
        table = root.create_group("conditions")
        for column in stimuli.conditions.columns:
            _save_column(table, str(column), stimuli.conditions[column])
        root.attrs.update({"recording": attrs, "batch_size": batch_size, "n_done": 0})
        return cls(path, root)

    @staticmethod
    def _check_ours(path: Path) -> None:
        """Only what artiphys wrote as a recording, and nothing that was put beside it, may be replaced."""
        if not any(path.iterdir()):
            return
        try:
            root = zarr.open_group(str(path), mode="r")
            ours = set(root.attrs.get("recording", {})) >= set(IDENTITY)
        except Exception:  # noqa: BLE001 (whatever zarr says, it is no recording)
            ours = False
        if not ours:
            raise RecordingError(f"{path} is a directory of something else; overwrite=True replaces recordings only")
        known = {"zarr.json", "trial", "conditions", *(_valid_name(s) for s in ("", "decoder", "frames"))}
        known |= {_key(site).split("/")[0] for site in root.attrs["recording"]["sites"]}
        strange = sorted(p.name for p in path.iterdir() if p.name not in known)
        if strange:
            raise RecordingError(
                f"beside the recording, {path} holds {', '.join(strange[:3])}; overwrite=True replaces recordings "
                "only. Move it, or choose another out="
            )

    @classmethod
    def _resumed(cls, path: Path, attrs: dict[str, Any]) -> ZarrStore:
        store = cls.open(path, "r+")
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
        return store

    def write(self, start: int, activity: Mapping[str, Array]) -> None:
        """Put one batch on disk; it counts only once all its sites are there."""
        for name, x in activity.items():
            key = _key(name)
            if key not in self._root:
                self._root.create_array(
                    key,
                    shape=(self.n_trials, *x.shape[1:]),
                    chunks=(min(self._batch, self.n_trials), *x.shape[1:]),
                    dtype="float32",
                    fill_value=float("nan"),
                    dimension_names=("trial", *self.sites[name]["axes"]),
                )
            array = self._root[key]
            _check_shape(name, array.shape, x.shape)
            array[start : start + len(x)] = x
            self.n_done = start + len(x)
        self._root.attrs["n_done"] = self.n_done

    def array(self, site: str, dims: tuple[str, ...]) -> xr.DataArray:
        """Activity of one site, read from disk when used."""
        group = _key(site).rsplit("/", 1)[0]
        return xr.open_dataset(str(self.path), engine="zarr", group=group, consolidated=False)["activity"]

    def ids(self) -> Array:
        """Trial ids."""
        return np.asarray(self._root["trial"][:])

    def conditions(self) -> dict[str, Array]:
        """Columns of the conditions table."""
        table = self._root["conditions"]
        columns = {}
        for name, array in table.arrays():
            values = np.asarray(array[:])
            if "categories" in array.attrs:
                # A code of -1 is a missing value, as in pandas.
                categories = np.empty(len(array.attrs["categories"]) + 1, dtype=object)
                categories[:-1], categories[-1] = array.attrs["categories"], np.nan
                values = categories[values]
            elif "moments" in array.attrs:
                values = values.view(array.attrs["moments"])
            columns[array.attrs.get("column", name)] = values
        order = self._root["conditions"].attrs.get("order", list(columns))
        return {c: columns[c] for c in order if c in columns}

    def valid(self, sequence: str) -> Array | None:
        """Which positions of a sequence are no padding, or None."""
        name = _valid_name(sequence)
        if sequence not in self._valid and name in self._root:
            self._valid[sequence] = np.asarray(self._root[name][:])
        return self._valid.get(sequence)

    def keep_valid(self, sequence: str, valid: Array) -> None:
        """Put it on disk."""
        _save(self._root, _valid_name(sequence), valid)


def _valid_name(sequence: str) -> str:
    return f"valid_{sequence}" if sequence else "valid"


def _key(site: str) -> str:
    # One group per site: sites differ in size, and one group holds one size per axis.
    return quote(site, safe="#[].") + "/activity"


def _save(group: Any, name: str, values: Array) -> Any:
    array = group.create_array(
        name, shape=values.shape, dtype=str(values.dtype), dimension_names=("trial", "time")[: values.ndim]
    )
    array[:] = values
    return array


def _save_column(group: Any, name: str, column: pd.Series[Any]) -> None:
    values = column.to_numpy()
    if values.dtype.kind in "biuf":
        array = _save(group, quote(name, safe=""), values)
    elif values.dtype.kind in "mM":
        array = _save(group, quote(name, safe=""), values.view(np.int64))
        array.attrs["moments"] = values.dtype.str
    else:
        # Text is kept as codes and a list: no pickled objects on disk. What is missing has the code -1.
        kept = [
            None if m else v if type(v) in (bool, int, float) else str(v) for v, m in zip(values, is_missing(values))
        ]
        known = {key: i for i, key in enumerate(dict.fromkeys((type(v), v) for v in kept if v is not None))}
        codes = np.array([-1 if v is None else known[type(v), v] for v in kept], dtype=np.int32)
        array = _save(group, quote(name, safe=""), codes)
        array.attrs["categories"] = [value for _, value in known]
    array.attrs["column"] = name
    group.attrs["order"] = [*group.attrs.get("order", []), name]


def _check_shape(name: str, whole: tuple[int, ...], batch: tuple[int, ...]) -> None:
    if whole[1:] != batch[1:]:
        raise RecordingError(
            f"site {name!r} gave {tuple(batch[1:])} entries per trial after {tuple(whole[1:])} before; trials of one "
            "recording need equal shapes: pad them (Stimuli.from_tokens does)"
        )
