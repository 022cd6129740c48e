"""Plot of eigenspectra."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from artiphys.border import border
from artiphys.plotting.style import BLUE, ORANGE, as_plain_text, axes_of, clean
from artiphys.probes.dimensions.result import Dimensionality

if TYPE_CHECKING:
    from matplotlib.axes import Axes


@border
def plot_dimensionality(dimensionality: Dimensionality, *, ax: Axes | None = None, confidence: float = 0.95) -> Axes:
    """Variance along each principal axis, and what of it repeats share, on logarithmic axes.

    Filled where the interval lies above 0. What is at or below 0 cannot be drawn there, and is left out.
    """
    ax = axes_of(ax, 5.0, 3.6)
    low, high = dimensionality.interval(confidence)
    ratio = f"participation ratio {dimensionality.participation_ratio:.3g} ({low:.3g} to {high:.3g})"
    lines = [(dimensionality.variance, dimensionality.variance_stderr, False, BLUE, "o", "all variance")]
    if dimensionality.shared is not None:
        lines.append((dimensionality.shared, dimensionality.shared_stderr, True, ORANGE, "s", "shared by repeats"))
    floor = min(float(v.where(v > 1e-9 * dimensionality.variance.max()).min()) for v, *_ in lines)
    for values, error, shared, colour, mark, label in lines:
        at, y = values["component"].to_numpy(), values.to_numpy()
        sure = y > 0
        if error is not None:
            bottom, top = (e.to_numpy() for e in dimensionality.spectrum_interval(confidence, shared=shared))
            sure = np.concatenate([bottom > 0, np.zeros(len(y) - len(bottom), dtype=bool)])
            drawn = sure[: len(bottom)]
            ax.vlines(at[: len(bottom)][drawn], bottom[drawn], top[drawn], color=colour, lw=1.2, alpha=0.6)
        ax.plot(at[sure], y[sure], mark, ms=3.5, color=colour, label=label)
        rest = ~sure & (y > 0)
        if rest.any():
            ax.plot(at[rest], y[rest], mark, ms=3, mfc="white", mew=0.6, color=colour, label=f"{label}, may be 0")
    ax.set_xscale("log")
    ax.set_yscale("log")
    for axis in (ax.xaxis, ax.yaxis):
        axis.set_major_formatter("{x:g}")
    ax.set_ylim(bottom=floor / 2)
    ax.set_xlabel("principal axis")
    ax.set_ylabel("variance [squared activity]")
    ax.set_title(ratio, fontsize=9)
    ax.legend(frameon=False, fontsize=9)
    clean(ax)
    return as_plain_text(ax)
