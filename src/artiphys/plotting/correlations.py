"""Plots of correlations between units and of Fano factors."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from artiphys.border import border
from artiphys.errors import InputError
from artiphys.plotting.style import BLUE, GREY, ORANGE, as_plain_text, axes_of, clean
from artiphys.probes.covariability.result import Correlations

if TYPE_CHECKING:
    from matplotlib.axes import Axes


@border
def plot_correlations(correlations: Correlations, *, ax: Axes | None = None) -> Axes:
    """Noise against signal correlation of every pair, with the mean of each; pairs of untuned units stand at the left.

    Filled where noise is significant after FDR.
    """
    ax = axes_of(ax, 4.8, 4.0)
    table = correlations.to_dataframe()
    signal, noise = table["signal"].to_numpy(), table["noise"].to_numpy()
    sure = np.zeros(len(table), dtype=bool)
    if correlations.noise_p is not None:
        sure = table["noise_p_fdr"].to_numpy() < 0.05
    size = 14 if len(table) < 300 else 5
    untuned = ~np.isfinite(signal)
    known = signal[~untuned]
    left = min(-1.0, float(known.min()) if len(known) else -1.0)
    right = max(1.0, float(known.max()) if len(known) else 1.0)
    x = np.where(untuned, left - 0.25, signal)
    for which, face, label in ((sure, BLUE, "noise: FDR < .05"), (~sure, "white", "not significant")):
        if which.any():
            name = label if correlations.noise_p is not None else "pair of units"
            ax.scatter(x[which], noise[which], s=size, facecolor=face, edgecolor=BLUE, linewidth=0.7, label=name)
    ax.axhline(0, color=GREY, lw=1, ls="--")
    low, high = correlations.mean_interval()
    ax.axhline(correlations.mean_noise, color=ORANGE, lw=1.5, label=f"mean noise {correlations.mean_noise:.2g}")
    ax.axhspan(low, high, color=ORANGE, alpha=0.15, lw=0)
    if untuned.any():
        ax.axvspan(left - 0.4, left - 0.1, color=GREY, alpha=0.15, lw=0)
        ax.text(left - 0.25, 1.01, "untuned", transform=ax.get_xaxis_transform(), ha="center", fontsize=8, color=GREY)
    ax.set_xlim(left - (0.4 if untuned.any() else 0.08), right + 0.08)
    ax.set_xlabel("signal correlation")
    ax.set_ylabel("noise correlation")
    ax.legend(frameon=False, fontsize=8, loc="lower center", bbox_to_anchor=(0.5, 1.04), ncols=3, columnspacing=0.8)
    clean(ax)
    return as_plain_text(ax)


@border
def plot_fano(correlations: Correlations, *, ax: Axes | None = None, confidence: float = 0.95) -> Axes:
    """Fano factor of every unit in order of size, with intervals; 1 is Poisson."""
    value = correlations.fano_factors().to_numpy()
    if not np.isfinite(value).any():
        raise InputError("no unit has a Fano factor: all are silent")
    ax = axes_of(ax, 5.4, 3.2)
    low, high = (a.to_numpy() for a in correlations.interval("fano", confidence))
    order = np.argsort(value, kind="stable")[: int(np.isfinite(value).sum())]
    x = np.arange(len(order))
    ax.vlines(x, low[order], high[order], color=GREY, lw=1.2, label=f"{confidence:.0%} interval")
    ax.plot(x, value[order], "o", color=BLUE, ms=4, label="unit")
    ax.axhline(1, color=GREY, lw=1, ls="--", label="Poisson")
    step = max(1, len(order) // 12)
    ax.set_xticks(x[::step], [str(v) for v in correlations.reliability["unit"].to_numpy()[order][::step]])
    ax.set_xlabel("unit, by Fano factor")
    ax.set_ylabel("Fano factor (variance / mean)")
    ax.legend(frameon=False, fontsize=8, loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=3)
    clean(ax)
    return as_plain_text(ax)
