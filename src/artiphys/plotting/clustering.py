"""Plots of cell types."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from artiphys.border import border
from artiphys.plotting.style import BLUE, GREY, as_plain_text, axes_of, clean
from artiphys.probes.clustering.result import CellTypes

if TYPE_CHECKING:
    from matplotlib.axes import Axes


@border
def plot_cell_types(types: CellTypes, *, ax: Axes | None = None) -> Axes:
    """Tightness of clusters against their number, beside what a continuum shows (mean and 95 % of draws)."""
    ax = axes_of(ax, 5.2, 3.4)
    k = types.criteria.index.to_numpy()
    drawn = types.null[:, 0]
    low, high = np.quantile(drawn, [0.025, 0.975], axis=0)
    middle = drawn.mean(axis=0)
    ax.errorbar(k + 0.06, middle, yerr=[middle - low, high - middle], fmt="s", color=GREY, capsize=3, label="continuum")
    ax.plot(k - 0.06, types.criteria["cluster_index"], "o", color=BLUE, ms=7, label="units")
    ax.set_xticks(k)
    ax.set_xlabel("number of clusters")
    ax.set_ylabel("cluster index (small: tight)")
    verdict = "no verdict" if types.caution else "no types" if types.n_types == 1 else f"{types.n_types} types"
    ax.set_title(f"{verdict} (p {types.p_value:.2g})", fontsize=10, pad=24)
    ax.legend(frameon=False, loc="lower center", bbox_to_anchor=(0.5, 0.98), ncols=2, fontsize=9)
    clean(ax)
    return as_plain_text(ax)
