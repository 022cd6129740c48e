"""Plot of what a model of counts explains, and each predictor of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from artiphys.border import border
from artiphys.plotting.style import BLUE, GREY, ORANGE, as_plain_text, axes_of, clean
from artiphys.probes.count_models.result import CountEncoding

if TYPE_CHECKING:
    from matplotlib.axes import Axes


@border
def plot_count_encoding(encoding: CountEncoding, *, ax: Axes | None = None) -> Axes:
    """Deviance explained of every unit by the whole model, and uniquely by each predictor, with the mean over units.

    Of one unit, with intervals. Filled where p is below .05 after FDR.
    """
    names = encoding.fold_scores["predictor"].to_numpy().tolist()
    ax = axes_of(ax, 1.6 + 1.1 * len(names), 3.6)
    values = encoding.fold_scores.mean("fold", skipna=False).to_numpy().reshape(-1, len(names))
    known = np.isfinite(values).all(axis=1)
    sure = np.zeros(values.shape, dtype=bool)
    if encoding.p_value is not None:
        sure = encoding.p_fdr.to_numpy().reshape(values.shape) < 0.05
    rng = np.random.default_rng(0)
    spread = rng.uniform(-0.18, 0.18, len(values)) if len(values) > 1 else np.zeros(1)
    for i in range(len(names)):
        for which, face in ((sure[:, i] & known, BLUE), (~sure[:, i] & known, "white")):
            ax.scatter(i + spread[which], values[which, i], s=14, facecolor=face, edgecolor=BLUE, linewidth=0.7)
        if known.sum() > 1:
            ax.hlines(
                values[known, i].mean(), i - 0.3, i + 0.3, color=ORANGE, lw=2, label="" if i else "mean over units"
            )
    if len(values) == 1 and known[0]:
        low, high = (a.to_numpy().ravel() for a in encoding.interval())
        ax.vlines(np.arange(len(names)), low, high, color=GREY, lw=1.2, label="95% interval")
    if encoding.p_value is not None:
        ax.plot([], [], "o", ms=4, color=BLUE, label="FDR < .05")
    ax.axhline(0, color=GREY, lw=1, ls="--")
    ax.set_xticks(range(len(names)), ["whole model", *names[1:]], rotation=20 if len(names) > 4 else 0)
    ax.set_xlabel("predictor, by what is lost without it")
    ax.set_ylabel("deviance explained (D²)")
    if ax.get_legend_handles_labels()[0]:
        ax.legend(frameon=False, fontsize=8, loc="upper right")
    clean(ax)
    return as_plain_text(ax)
