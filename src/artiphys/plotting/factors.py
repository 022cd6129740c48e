"""Plot of selectivity for two task variables."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from artiphys.border import border
from artiphys.plotting.style import BLUE, GREEN, GREY, ORANGE, PURPLE, as_plain_text, axes_of, clean
from artiphys.probes.factors.result import MixedSelectivity

if TYPE_CHECKING:
    from matplotlib.axes import Axes


@border
def plot_mixed_selectivity(selectivity: MixedSelectivity, *, ax: Axes | None = None) -> Axes:
    """Share of each unit's variance that the interaction makes against that of both main effects, by kind."""
    ax = axes_of(ax, 4.8, 4.2)
    share = selectivity.share.to_numpy().reshape(-1, 3)
    linear, interaction = share[:, 0] + share[:, 1], share[:, 2]
    size = 16 if len(share) < 300 else 5
    if selectivity.p_value is None:
        ax.scatter(linear, interaction, s=size, color=BLUE, label="unit, not tested")
    else:
        kind = selectivity.kind.to_numpy().ravel()
        styles = [(BLUE, "o"), (ORANGE, "s"), (GREEN, "^"), (PURPLE, "D"), (GREY, "x")]
        for (colour, mark), name in reversed(list(zip(styles, selectivity.kinds))):
            here = kind == name
            if here.any():
                label = f"{name} ({int(here.sum())})"
                ax.scatter(linear[here], interaction[here], s=size, color=colour, marker=mark, lw=0.8, label=label)
    for line in (ax.axhline, ax.axvline):
        line(0, color=GREY, lw=0.8, ls="--")
    ax.set_xlabel(f"share of variance: {selectivity.a} and {selectivity.b}")
    ax.set_ylabel(f"share of variance: {selectivity.a} x {selectivity.b}")
    top = max(0.1, float(np.nanmax([linear.max(), interaction.max()])) * 1.08)
    ax.set_xlim(right=top)
    ax.set_ylim(top=top)
    ax.legend(frameon=False, fontsize=8, loc="upper right")
    clean(ax)
    return as_plain_text(ax)
