"""Plots of superposition over sparsity."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import xarray as xr

from artiphys.border import border
from artiphys.errors import InputError
from artiphys.plotting.style import CYCLE, MARKS, as_plain_text, axes_of, clean
from artiphys.toys import superposition_sweep

if TYPE_CHECKING:
    from matplotlib.axes import Axes

LABELS = {
    "per_unit": "features longer than .5 per unit",
    "squared_length": "features represented per unit",
    "represented": "features represented",
    "dimensionality": "median dimensionality of a feature",
    "error": "squared error, of that of an output of 0",
}


@border
def plot_superposition(
    sweep: xr.Dataset | None = None, *, value: str = "squared_length", ax: Axes | None = None
) -> Axes:
    """Features per unit against sparsity, one line per number of units.

    Parameters
    ----------
    sweep : Dataset, optional
        Of `toys.superposition_sweep`, the default.
    value : "squared_length", "per_unit", "represented", "dimensionality" or "error"

    Raises
    ------
    InputError
        If the sweep holds no such value.
    """
    from matplotlib.ticker import LogLocator, NullFormatter

    sweep = superposition_sweep() if sweep is None else sweep
    if value not in sweep or value not in LABELS:
        raise InputError(f"value came as {value!r}; wanted one of {', '.join(LABELS)}")
    ax = axes_of(ax, 5.6, 3.8)
    p = sweep["probability"].to_numpy()
    for i, m in enumerate(sweep["unit"].to_numpy()):
        y = sweep[value].sel(unit=m).to_numpy()
        style = "-" if i < len(CYCLE) else "--"
        ax.plot(p, y, style, color=CYCLE[i % len(CYCLE)], marker=MARKS[i % len(MARKS)], ms=5, label=f"{m} units")
    if value in ("per_unit", "squared_length"):
        ax.axhline(1, color="0.5", lw=1, ls=":", zorder=0)
    ax.set_xscale("log")
    ax.invert_xaxis()
    ax.set_xticks(p, [f"{v:g}" for v in p])
    ax.set_xticks([], minor=True)
    if float(np.nanmax(sweep[value])) > 10 * float(np.nanmin(sweep[value])) > 0:
        ax.set_yscale("log")
        ax.yaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
        ax.yaxis.set_major_formatter(lambda y, _: f"{y:g}")
        ax.yaxis.set_minor_formatter(NullFormatter())
    ax.set_xlabel("probability of a feature (sparse to the right)")
    ax.set_ylabel(LABELS[value])
    ax.legend(frameon=False, fontsize=9)
    clean(ax)
    return as_plain_text(ax)
