"""Plots of searchlights."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from artiphys.border import border
from artiphys.plotting.style import BLUE, GREY, as_plain_text, axes_of, clean, label_ticks, time_label
from artiphys.probes.searchlights.result import Searchlight

if TYPE_CHECKING:
    from matplotlib.axes import Axes


@border
def plot_searchlight(searchlight: Searchlight, site: str | None = None, *, ax: Axes | None = None) -> Axes:
    """Score of every neighbourhood (over time, where there is time); marked where p corrected is below .05."""
    score = searchlight.map(site)
    sure = None if searchlight.p_corrected is None else (searchlight.map(site, "p_corrected") < 0.05).to_numpy()
    names = [str(n) for n in score["neighbourhood"].to_numpy()]
    if score.ndim == 1:
        ax = axes_of(ax, 6.4, 3.2)
        x = np.arange(len(names))
        values = score.to_numpy()
        if sure is None:
            ax.plot(x, values, "o", color=BLUE, ms=4, label="score")
        else:
            ax.plot(x[~sure], values[~sure], "o", color=GREY, ms=4, mfc="none", label="not significant")
            ax.plot(x[sure], values[sure], "o", color=BLUE, ms=5, label="p corrected < .05")
        ax.axhline(searchlight.chance, color=GREY, ls="--", lw=1, label="chance")
        step = max(1, len(names) // 10)
        ax.set_xticks(x[::step], names[::step], rotation=90 if len(names) > 6 else 0, fontsize=8)
        ax.set_xlabel("neighbourhood")
        ax.set_ylabel(searchlight.metric)
        ax.legend(frameon=False, loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=3, fontsize=9)
        clean(ax)
        return as_plain_text(ax)
    ax = axes_of(ax, 6.4, 3.8)
    reach = float(np.abs(score - searchlight.chance).max()) or 1.0
    limits: dict[str, Any] = {"vmin": searchlight.chance - reach, "vmax": searchlight.chance + reach}
    image = ax.imshow(score.T, cmap="RdBu_r", aspect="auto", origin="lower", **limits)
    if sure is not None:
        rows, columns = np.nonzero(sure.T)
        ax.plot(columns, rows, ".", color="black", ms=3, label="p corrected < .05")
        if len(rows):
            ax.legend(frameon=False, loc="lower center", bbox_to_anchor=(0.5, 1.0), fontsize=9)
    label_ticks(ax, score["time"].to_numpy(), names)
    ax.set_xlabel(time_label(score["time"].to_numpy()))
    ax.set_ylabel("neighbourhood")
    ax.figure.colorbar(image, ax=ax, label=f"{searchlight.metric} (white: chance)")
    return as_plain_text(ax)
