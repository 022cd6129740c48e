"""Plots of detectability."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from artiphys.border import border
from artiphys.plotting.style import BLUE, GREY, as_plain_text, axes_of, clean
from artiphys.probes.detection.result import Detection

if TYPE_CHECKING:
    from matplotlib.axes import Axes


@border
def plot_detection(detection: Detection, *, ax: Axes | None = None, confidence: float = 0.95) -> Axes:
    """AUC of every unit in order of size, with intervals; filled where p is below .05 after FDR."""
    ax = axes_of(ax, 6.0, 3.4)
    value = detection.auc.to_numpy().ravel()
    low, high = (a.to_numpy().ravel() for a in detection.interval("auc", confidence))
    order = np.argsort(value, kind="stable")
    x = np.arange(len(value))
    sure = np.zeros(len(value), dtype=bool)
    if detection.p_value is not None:
        sure = detection.p_fdr.to_numpy().ravel()[order] < 0.05
    many = len(value) > 80
    if many:
        ax.fill_between(x, low[order], high[order], color=BLUE, alpha=0.2, lw=0, label=f"{confidence:.0%} interval")
    else:
        ax.vlines(x, low[order], high[order], color=GREY, lw=1.2)
    for which, style, label in (
        (sure, {"color": BLUE}, "FDR < .05"),
        (~sure, {"color": GREY, "mfc": "white"}, "not significant"),
    ):
        if which.any() and (detection.p_value is not None or which is not sure):
            name = label if detection.p_value is not None else "unit"
            ax.plot(x[which], value[order][which], "o", ms=2.5 if many else 5, label=name, **style)  # type: ignore[arg-type]
    ax.axhline(0.5, color=GREY, ls="--", lw=1, label="no difference")
    if not many:
        ax.set_xticks(x[:: max(1, len(x) // 12)], [str(u) for u in order[:: max(1, len(x) // 12)]])
    ax.set_xlabel("unit, by AUC" if many else "unit")
    what = f"AUC within {detection.within} strata" if detection.within > 1 else "AUC"
    ax.set_ylabel(f"{what}, {detection.signal} against {detection.noise}")
    ax.set_ylim(-0.02, 1.02)
    ax.legend(frameon=False, loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=3, fontsize=9)
    clean(ax)
    return as_plain_text(ax)
