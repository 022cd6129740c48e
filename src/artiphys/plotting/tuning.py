"""Plots of tuning curves and maps."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from artiphys.border import border
from artiphys.errors import InputError
from artiphys.plotting.style import CYCLE, MARKS, as_plain_text, axes_of, clean, label_ticks
from artiphys.probes.tuning.result import Tuning

if TYPE_CHECKING:
    from matplotlib.axes import Axes


@border
def plot_tuning(tuning: Tuning, *, units: Sequence[int] | None = None, ax: Axes | None = None) -> Axes:
    """Tuning curves of a few units, mean and standard error; the most selective ones by default."""
    if len(tuning.dims) != 1:
        raise InputError("these curves are over two stimuli; use plot_tuning_map, or tuning.marginal(...)")
    n_levels = len(tuning.n)
    curves = tuning.curves.to_numpy().reshape(-1, n_levels)
    sem = tuning.sem.to_numpy().reshape(-1, n_levels)
    if units is None:
        units = np.sort(np.argsort(-tuning.eta_squared.to_numpy().ravel(), kind="stable")[:4]).tolist()
    strange = [u for u in units if not isinstance(u, (int, np.integer)) or not 0 <= u < len(curves)]
    if strange:
        raise InputError(f"units name {strange[0]!r}; the curves are of {len(curves)} units, 0 to {len(curves) - 1}")
    ax = axes_of(ax, 5.0, 3.4)
    labels = tuning.curves[tuning.dims[0]].to_numpy()
    numeric = tuning.kind != "categorical"
    x = labels.astype(float) if numeric else np.arange(n_levels)
    step = float(np.min(np.diff(np.sort(x)))) if n_levels > 1 else 1.0
    for i, u in enumerate(units):
        # A little apart, so that equal curves can both be seen.
        dodge = (i - (len(units) - 1) / 2) * 0.04 * step
        ax.errorbar(
            x + dodge,
            curves[u],
            yerr=sem[u],
            color=CYCLE[i % 6],
            marker=MARKS[i % 6],
            capsize=2,
            ms=5,
            label=f"unit {u}",
        )
    if not numeric:
        ax.set_xticks(x, [str(v) for v in labels])
    elif n_levels <= 6:
        ax.set_xticks(x, [f"{v:g}" for v in x])
    ax.set_xlabel(str(tuning.curves.attrs.get("stimulus", tuning.dims[0])))
    ax.set_ylabel("activity [model units]")
    ax.margins(x=0.12 if n_levels <= 4 else 0.04)
    ax.legend(frameon=False, loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=4, fontsize=9)
    clean(ax)
    return as_plain_text(ax)


@border
def plot_tuning_map(tuning: Tuning, *, unit: int | None = None, ax: Axes | None = None) -> Axes:
    """Mean activity of one unit over two stimuli; the most selective unit by default."""
    if len(tuning.dims) != 2:
        raise InputError("a map is of curves over two stimuli; use plot_tuning")
    shape = tuning.n.shape
    if unit is None:
        unit = int(np.argmax(tuning.eta_squared.to_numpy()))
    values = tuning.curves.to_numpy().reshape(-1, *shape)[unit]
    ax = axes_of(ax, 4.8, 3.8)
    image = ax.imshow(values, cmap="viridis", origin="lower", aspect="auto")
    rows, columns = tuning.dims
    label_ticks(ax, _rounded(tuning.n[columns].to_numpy()), _rounded(tuning.n[rows].to_numpy()))
    ax.set_xlabel(columns)
    ax.set_ylabel(rows)
    ax.figure.colorbar(image, ax=ax, label=f"activity of unit {unit} [model units]")
    return as_plain_text(ax)


def _rounded(labels: Any) -> list[str]:
    return [f"{v:.3g}" if isinstance(v, (float, np.floating)) else str(v) for v in labels]
