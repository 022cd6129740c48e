"""record(): activity of many sites in one pass, labelled, in memory or streamed to zarr."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
import xarray as xr
from torch import Tensor

from artiphys.border import border, shown
from artiphys.errors import InputError, RecordingError, unknown
from artiphys.hooks.changes import grad_enabled
from artiphys.preparation.preparation import Preparation
from artiphys.progress import progress_bar
from artiphys.recording_stores.in_memory import MemoryStore
from artiphys.recording_stores.store import Store
from artiphys.recording_stores.zarr_directory import ZarrStore
from artiphys.sites import Site
from artiphys.stimuli import Inputs, Stimuli
from artiphys.version import __version__

MAX_WHOLE = 2**24  # beyond it float32 does not tell whole numbers apart


class Recording(Mapping[str, xr.DataArray]):
    """Activity by site: a DataArray with dims ``(trial, *site axes)``, float32.

    Conditions are coordinates along ``trial``; ``valid`` is one along ``(trial, time)`` where trials
    have different lengths, and padding is NaN. A condition that is named like an axis, or ``valid``, is found
    as ``condition_valid`` and so on.

    Attributes
    ----------
    attrs : dict
        ``model`` (fingerprint), ``stimuli`` (digest), ``version`` and, by site, ``dtype`` and axes.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self.attrs: dict[str, Any] = store.attrs

    @classmethod
    @border
    def open(cls, path: str | Path) -> Recording:
        """Open a finished recording; arrays are read from disk when used.

        Raises
        ------
        RecordingError
            If there is none, or it was interrupted.
        """
        store = ZarrStore.open(Path(path))
        if store.n_done < store.n_trials:
            raise RecordingError(
                f"{path} holds {store.n_done} of {store.n_trials} trials: it was interrupted. Call ap.record "
                "again with the same network, stimuli, sites and out= to finish it"
            )
        return cls(store)

    @property
    def n_trials(self) -> int:
        """Number of trials."""
        return self._store.n_trials

    def __getitem__(self, name: str) -> xr.DataArray:
        if not isinstance(name, str):
            raise InputError(f"a site came as {shown(name)}; wanted its name")
        aliases = self.attrs.get("aliases", {})
        site = aliases.get(name, name)
        if site not in self._store.sites:
            raise InputError("in this recording " + unknown("site", name, self._store.sites))
        info = self._store.sites[site]
        dims = ("trial", *info["axes"])
        array = self._store.array(site, dims)
        coords: dict[str, Any] = {"trial": self._store.ids()}
        for column, values in self._store.conditions().items():
            while column in (*dims, "valid", *coords):  # no column of the user's means an axis, or padding
                column = f"condition_{column}"
            coords[column] = ("trial", values)
        if "time" in dims:
            n_time = array.sizes["time"]
            coords["time"] = np.arange(n_time)
            valid = self._store.valid(info.get("sequence", ""))
            if valid is not None and valid.shape[1] == n_time:
                coords["valid"] = (("trial", "time"), valid)
        array = array.assign_coords(coords)
        array.name = site
        array.attrs = {"unit_axis": info["unit_axis"], "dtype": info["dtype"], "model": self.attrs["model"]}
        return array

    def __contains__(self, name: object) -> bool:
        return name in self._store.sites or name in self.attrs.get("aliases", {})

    def __iter__(self) -> Iterator[str]:
        return iter(self._store.sites)

    def __len__(self) -> int:
        return len(self._store.sites)

    def to_datatree(self) -> xr.DataTree:
        """One node a site (their sizes differ), for xarray users."""
        nodes = {name.replace("/", "_"): xr.Dataset({"activity": self[name]}) for name in self}
        return xr.DataTree.from_dict(nodes)

    def __repr__(self) -> str:
        lines = [f"  {n}  {('trial', *i['axes'])}" for n, i in self._store.sites.items()]
        return f"Recording of {self.n_trials} trials at {len(self)} sites\n" + "\n".join(lines)


@border
def record(
    prep: Preparation,
    stimuli: Stimuli | Inputs,
    sites: str | Sequence[str],
    *,
    batch_size: int = 32,
    out: str | Path | None = None,
    overwrite: bool = False,
    progress: bool = True,
) -> Recording:
    """Record activity at many sites in one pass.

    Parameters
    ----------
    prep : Preparation
    stimuli : Stimuli, tensor or mapping of tensors
    sites : name, pattern or list of them
    batch_size : int
        Trials per forward pass.
    out : path, optional
        Stream to a zarr directory, with memory for two batches and 16 MB whatever the number of trials. If the
        recording there was interrupted and is of the same network, stimuli and sites, it is finished.
    overwrite : bool
        Replace what is at ``out``.
    progress : bool
        Show a bar on long recordings.

    Returns
    -------
    Recording

    Raises
    ------
    SiteError, InputError, RecordingError

    Examples
    --------
    >>> import artiphys as ap
    >>> toy = ap.toys.load("xor")
    >>> rec = ap.record(ap.wrap(toy), toy.stimuli, sites="hidden")
    >>> rec["hidden"].dims, rec["hidden"].sizes["trial"]
    (('trial', 'unit'), 4)
    """
    stimuli = Stimuli.of(stimuli)
    if not isinstance(sites, (str, list, tuple)):
        raise InputError(f"sites came as {type(sites).__name__}; wanted a name, a pattern or a list of them")
    if not isinstance(batch_size, int) or batch_size < 1:
        raise InputError(f"batch_size came as {batch_size!r}; wanted a whole number of at least 1")
    with prep.frame.turns.held():  # what is in force now is in force until the end
        return Recording(_recorded(prep, stimuli, sites, batch_size, out, overwrite, progress))


def _recorded(
    prep: Preparation,
    stimuli: Stimuli,
    sites: str | Sequence[str],
    batch_size: int,
    out: str | Path | None,
    overwrite: bool,
    progress: bool,
) -> Store:
    if out is not None and not str(out):
        raise InputError("out came as an empty path; wanted a directory to make")
    prep.look(stimuli.inputs)
    prep.require_steady()  # before anything is run
    chosen = prep.sites.select([sites] if isinstance(sites, str) else list(sites))
    if not chosen:
        raise InputError("no sites were named; give names or patterns, such as 'blocks.*.hook_resid_post'")
    names = [s.name for s in chosen]
    attrs = _attributes(prep, stimuli, chosen)
    mixes = prep.require_steady(stimuli, attrs["model"])
    if mixes and batch_size < len(stimuli):
        raise InputError(
            f"{mixes}, so activity would depend on batch_size; pass batch_size={len(stimuli)} to record all trials in "
            "one batch"
        )
    store: Store = MemoryStore(attrs, stimuli) if out is None else ZarrStore.start(Path(out), attrs, stimuli, overwrite)
    if out is not None and store.n_done:
        prep.identity.require_named()
    bar = progress_bar("recording", total=len(stimuli), initial=store.n_done, unit="trial", show=progress)
    with grad_enabled(False), bar:
        first = store.n_done
        try:
            for start in range(first, len(stimuli), batch_size):
                batch = stimuli[start : start + batch_size]
                activity = prep.run(batch, read=names, last_only=True).activity
                if start == 0:
                    _keep_validity(prep, stimuli, chosen, activity, store)
                store.write(start, {s.name: _padded(prep, activity[s.name], s, batch) for s in chosen})
                bar.update(len(batch))
        finally:
            store.flush()
    return store


def _validity(prep: Preparation, stimuli: Stimuli, site: Site, x: Tensor) -> Tensor | None:
    """Which times of a site are no padding, ``(trial, time)``; None where all are real."""
    if "position" in site.axes and stimuli.ragged:
        raise InputError(
            f"site {site.name!r} counts other positions than tokens, so which of them are padding is not known; give "
            "trials of one length"
        )
    if "time" not in site.axes:
        return None
    return prep.adapter.valid(stimuli, site, x.shape[1 + site.axes.index("time")])


def _keep_validity(
    prep: Preparation, stimuli: Stimuli, sites: Sequence[Site], activity: Mapping[str, Tensor], store: Store
) -> None:
    for site in sites:
        valid = _validity(prep, stimuli, site, activity[site.name])
        if valid is not None and store.valid(site.sequence) is None:
            store.keep_valid(site.sequence, valid.cpu().numpy())


def _padded(prep: Preparation, x: Tensor, site: Site, batch: Stimuli) -> np.ndarray[Any, Any]:
    """Float32 on the CPU, NaN at padding so that padding can enter no statistic unseen."""
    x = _as_float32(x.detach().cpu(), site)
    valid = _validity(prep, batch, site, x)
    if valid is None:
        return x.numpy()
    axis = 1 + site.axes.index("time")
    shape = [1] * x.ndim
    shape[0], shape[axis] = valid.shape
    return torch.where(valid.cpu().reshape(shape), x, torch.nan).numpy()


def _as_float32(x: Tensor, site: Site) -> Tensor:
    """`InputError` for values that float32 does not hold."""
    what = ""
    if x.is_complex():
        what = "complex numbers"
    elif not x.is_floating_point() and x.numel() and int(x.long().abs().max()) > MAX_WHOLE:
        what = f"whole numbers beyond {MAX_WHOLE}"
    elif x.dtype == torch.float64 and bool((x.abs() > torch.finfo(torch.float32).max)[torch.isfinite(x)].any()):
        what = f"numbers as large as {float(x[torch.isfinite(x)].abs().max()):.3g}"
    if what:
        raise InputError(
            f"site {site.name!r} holds {what}, which a recording's float32 does not; read it with prep.run(read=...)"
        )
    return x.float()


def _attributes(prep: Preparation, stimuli: Stimuli, sites: Sequence[Site]) -> dict[str, Any]:
    names = {s.name for s in sites}
    return {
        "artiphys": __version__,
        "model": prep.fingerprint(),
        "stimuli": stimuli.digest(),
        "conditions": stimuli.conditions_digest(),
        "lesions": list(prep.in_force),
        "n_trials": len(stimuli),
        "sites": {
            s.name: {
                "axes": list(s.axes),
                "unit_axis": s.unit_axis,
                "dtype": str(s.dtype).removeprefix("torch."),
                **({"sequence": s.sequence} if s.sequence else {}),
            }
            for s in sites
        },
        "aliases": {a: n for a, n in prep.sites.aliases.items() if n in names},
    }
