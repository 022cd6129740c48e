"""Plots of cell types."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from artiphys.border import border
from artiphys.plotting.style import BLUE, CYCLE, GREY, MARKS, ORANGE, as_plain_text, axes_of, clean
from artiphys.probes.clustering.result import CellTypes

if TYPE_CHECKING:
    from matplotlib.axes import Axes


@border
def plot_cell_types(types: CellTypes, *, ax: Axes | None = None) -> Axes:
    """Tightness of clusters beside what a continuum shows, the units, and the valley that parts them or does not.

    In `ax` the cluster index against the number of clusters (mean and 95 % of draws). Without `ax`, beside it the
    units in the plane of the types or of the ring, and their density along the line or the curve on which a valley was
    looked for; its place is shaded.
    """
    alone = ax is None
    ax = axes_of(ax, 9.6, 4.2)
    if alone:  # room on the left
        ax.set_position((0.64, 0.14, 0.33, 0.68))
        ax.get_figure(root=True).set_layout_engine("none")  # type: ignore[union-attr]
    k = types.criteria.index.to_numpy()
    drawn = types.null[:, 0]
    low, high = np.quantile(drawn, [0.025, 0.975], axis=0)
    middle = drawn.mean(axis=0)
    ax.errorbar(k + 0.06, middle, yerr=[middle - low, high - middle], fmt="s", color=GREY, capsize=3,
                label="one Gaussian")  # fmt: skip
    ax.plot(k - 0.06, types.criteria["cluster_index"], "o", color=BLUE, ms=7, label="units")
    ax.set_xticks(k)
    ax.set_xlabel("number of clusters")
    ax.set_ylabel("cluster index (small: tight)")
    ax.set_title(f"tighter than one Gaussian: p {types.p_tight:.2g}\n", fontsize=10)
    ax.legend(frameon=False, loc="lower center", bbox_to_anchor=(0.5, 0.97), ncols=2, fontsize=9)
    clean(ax)
    if alone:
        _units(types, ax)
    return as_plain_text(ax)


def _units(types: CellTypes, ax: Axes) -> None:
    """The units from above, and their density along the line of the valley below it."""
    above = ax.inset_axes((-1.72, 0.46, 1.36, 0.54))
    below = ax.inset_axes((-1.72, 0.0, 1.36, 0.26))
    ring = types.shape in ("a ring", "an arc")
    for kind in range(types.n_types):
        here = types.labels == kind
        colour = GREY if types.n_types == 1 else CYCLE[kind % len(CYCLE)]
        above.plot(*types.position[here].T, MARKS[kind % len(MARKS)], color=colour, ms=4, alpha=0.75, mew=0)
    if ring:
        above.set_aspect("equal")
    if types.caution:
        what = "no verdict"
    elif types.n_types > 1:
        what = f"{types.n_types} types"
    else:
        what = f"no types: {types.shape}" if types.shape else "no types that recur"
    valley = "a valley" if types.n_types > 1 else "no valley" if types.p_valley > 0.05 else "a valley on some line"
    above.set_title(f"{what} (p {types.p_value:.2g})\n", fontsize=10)
    above.set_ylabel("widest beside it" if not ring else "plane of the ring", fontsize=9)
    above.set_xlabel("" if not ring else "plane of the ring", fontsize=9)
    below.hist(types.along, bins=max(12, 2 * int(len(types.along) ** 0.5)), color=GREY)
    below.axvspan(types.edges[1], types.edges[2], color=ORANGE, alpha=0.25, lw=0)
    line = "ring [rad]" if ring else "line between clusters [sd]"
    below.set_xlabel(f"along the {line}; shaded: {valley} (p {types.p_valley:.2g})", fontsize=9)
    below.set_ylabel("units", fontsize=9)
    for axes in (above, below):
        clean(axes)
        as_plain_text(axes)
