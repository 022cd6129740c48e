"""Neighbourhoods of units, for a searchlight: windows, maps, heads, correlated units, random subsets."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import xarray as xr
from scipy.spatial import KDTree

from artiphys.array_types import Array
from artiphys.border import shown
from artiphys.errors import InputError, unknown
from artiphys.missing import plain_array
from artiphys.probes.data.activity import loaded

KINDS = ("window", "correlation", "random", "sphere")
WHOLE = ("head", "channel", "expert", "kv_head")  # axes along which one entry is a neighbourhood by itself


def neighbourhoods(
    data: xr.DataArray,
    kind: Any = "window",
    *,
    size: int | Sequence[int] | None = None,
    step: int | None = None,
    axis: str | Sequence[str] | None = None,
    n_subsets: int = 50,
    seed: int = 0,
    coordinates: Any = None,
    radius: float | None = None,
) -> dict[str, Array]:
    """Named sets of units of one site, as indices into its flattened axes without trial and time.

    Parameters
    ----------
    data : DataArray ``(trial[, time], ..., unit)``
    kind : "window", "correlation", "random", "sphere", or a mapping of name to indices, or a list of indices
        Windows slide along ``axis`` (default: the site's unit axis; one head or channel each, else 10 units)
        and hold all entries of other axes; with several axes they are blocks, such as
        ``axis=("height", "width"), size=3`` on convolution maps. "correlation" takes each unit with the
        ``size`` - 1 units whose activity correlates most with its own, in absolute value and without looking at
        labels. "random" draws ``n_subsets`` subsets. "sphere" takes each unit with all others at most ``radius``
        away; ``coordinates`` are ``(unit, axis)``, or names of coordinates of the units, such as ["x", "y", "z"].

    Raises
    ------
    InputError
    """
    axes = {str(d): data.sizes[d] for d in data.dims if d not in ("trial", "time")}
    n_units = math.prod(axes.values())
    if not isinstance(kind, str):
        return _given(kind, n_units)
    if kind not in KINDS:
        raise InputError(unknown("kind of neighbourhood", kind, KINDS))
    if kind == "sphere":
        return _spheres(data, n_units, coordinates, radius)
    if coordinates is not None or radius is not None:
        raise InputError(f"coordinates and radius are of spheres; give neighbourhoods='sphere', not {kind!r}")
    if kind == "window":
        return _windows(axes, axis or data.attrs.get("unit_axis") or list(axes)[-1], size, step)
    chosen = 10 if size is None else size
    if not isinstance(chosen, (int, np.integer)) or not 1 <= chosen <= n_units:
        raise InputError(f"size came as {size!r}; wanted a whole number from 1 to the {n_units} units")
    if kind == "random":
        if n_subsets < 1:
            raise InputError(f"n_subsets came as {n_subsets}; wanted at least 1")
        rng = np.random.default_rng(seed)
        return {f"subset {i}": np.sort(rng.choice(n_units, chosen, replace=False)) for i in range(n_subsets)}
    near = _most_correlated(data, int(chosen))
    return {f"around {i}": row for i, row in enumerate(near)}


def _given(kind: Any, n_units: int) -> dict[str, Array]:
    if not isinstance(kind, (Mapping, Sequence, np.ndarray)):
        raise InputError(f"neighbourhoods came as {shown(kind)}; wanted a name, a mapping or a list of unit indices")
    named = dict(kind) if hasattr(kind, "items") else {f"set {i}": units for i, units in enumerate(kind)}
    neighbourhoods_by_name = {}
    for name, units in named.items():
        index = np.unique(np.asarray(units))
        if index.ndim != 1 or not index.size or index.dtype.kind not in "iu":
            raise InputError(f"neighbourhood {name!r} came as {units!r}; wanted unit indices")
        if index.min() < 0 or index.max() >= n_units:
            raise InputError(f"neighbourhood {name!r} names unit {index.max()} of {n_units} (0 to {n_units - 1})")
        neighbourhoods_by_name[str(name)] = index
    if not neighbourhoods_by_name:
        raise InputError("no neighbourhoods were given")
    return neighbourhoods_by_name


def _windows(axes: dict[str, int], axis: str | Sequence[str], size: Any, step: int | None) -> dict[str, Array]:
    along = [axis] if isinstance(axis, str) else list(axis)
    for name in along:
        if name not in axes:
            raise InputError(unknown("axis", name, list(axes)))
    if size is None:
        size = [1 if name in WHOLE else min(10, axes[name]) for name in along]
    sizes = [size] * len(along) if np.ndim(size) == 0 else list(size)
    if len(sizes) != len(along):
        raise InputError(f"size has {len(sizes)} entries for {len(along)} axes")
    for name, s in zip(along, sizes):
        if not isinstance(s, (int, np.integer)) or not 1 <= s <= axes[name]:
            raise InputError(f"size came as {s} for {axes[name]} entries of {name!r}; wanted 1 to {axes[name]}")
    if step is not None and step < 1:
        raise InputError(f"step came as {step}; wanted at least 1")
    every = np.arange(math.prod(axes.values())).reshape(tuple(axes.values()))
    starts = [range(0, axes[name] - s + 1, step or 1) for name, s in zip(along, sizes)]
    neighbourhoods_by_name = {}
    for corner in itertools.product(*starts):
        cut = {name: slice(c, c + s) for name, c, s in zip(along, corner, sizes)}
        name = ", ".join(f"{n} {c}" if s == 1 else f"{n} {c}-{c + s - 1}" for n, c, s in zip(along, corner, sizes))
        neighbourhoods_by_name[name] = every[tuple(cut.get(n, slice(None)) for n in axes)].ravel()
    return neighbourhoods_by_name


def _spheres(data: xr.DataArray, n_units: int, coordinates: Any, radius: Any) -> dict[str, Array]:
    """Units within a distance of each, itself among them."""
    if coordinates is None:
        raise InputError("spheres need coordinates= of the units, (unit, axis) or names such as ['x', 'y', 'z']")
    if isinstance(radius, bool) or not isinstance(radius, (int, float, np.number)) or not 0 < radius < math.inf:
        raise InputError(f"radius came as {radius!r}; wanted a positive number, in the units of the coordinates")
    if isinstance(coordinates, (list, tuple)) and all(isinstance(c, str) for c in coordinates):
        strange = [c for c in coordinates if c not in data.coords or data[c].size != n_units]
        if strange:
            known = [str(c) for c in data.coords if data[c].size == n_units]
            raise InputError(unknown("coordinate of the units", strange[0], known))
        coordinates = np.column_stack([data[c].to_numpy().ravel() for c in coordinates])
    places = plain_array(coordinates)
    if places.ndim == 1:
        places = places[:, None]
    if places.ndim != 2 or len(places) != n_units or places.dtype.kind not in "iuf" or not np.isfinite(places).all():
        raise InputError(
            f"coordinates came with shape {places.shape} of {places.dtype}; wanted finite numbers ({n_units}, axis)"
        )
    tree = KDTree(places)
    near = tree.query_ball_point(places, radius * (1 + 1e-9), return_sorted=True)  # what lies on the edge is inside
    return {f"around {i}": np.asarray(units) for i, units in enumerate(near)}


def _most_correlated(data: xr.DataArray, size: int) -> Array:
    """For every unit the ``size`` units most correlated with it, itself first; over trials and times."""
    order = ["trial", *(["time"] if "time" in data.dims else [])]
    values = loaded(data.transpose(*order, ...))
    flat = values.reshape(math.prod(values.shape[: len(order)]), -1)
    flat = flat - flat.mean(axis=0)
    norm = np.sqrt((flat**2).sum(axis=0))
    flat = flat / np.where(norm > 0, norm, 1.0)
    near = np.empty((flat.shape[1], size), dtype=int)
    for start in range(0, flat.shape[1], 1024):  # not all pairs at once
        strength = np.abs(flat[:, start : start + 1024].T @ flat)
        rows = np.arange(len(strength))
        strength[rows, start + rows] = np.inf
        near[start : start + 1024] = np.argsort(-strength, axis=1, kind="stable")[:, :size]
    return near
