"""Plot of a calibration: measured rates beside those that are stated."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from artiphys.border import border
from artiphys.plotting.style import BLUE, GREEN, GREY, ORANGE, as_plain_text, axes_of, clean
from artiphys.verification.calibration import Calibration

if TYPE_CHECKING:
    from matplotlib.axes import Axes

MARKS = {"holds": ("o", BLUE), "conservative": ("v", GREEN), "broken": ("X", ORANGE)}
INCHES_A_RATE = 0.26


@border
def plot_calibration(calibration: Calibration, *, ax: Axes | None = None) -> Axes:
    """Each rate with its 95 % binomial interval, and what is stated as an upright line.

    A circle holds, a triangle errs on the safe side, a cross is broken (limits of 99.9 %).
    """
    rates = calibration.rates
    order = ("false positives", "coverage", "power")
    rows = [r for what in order for r in rates if r.what == what]
    ax = axes_of(ax, 8.4, 1.3 + INCHES_A_RATE * (len(rows) + 2))
    place, last = 0.0, None
    labels: list[str] = []
    ticks: list[float] = []
    drawn: set[str] = set()
    for r in rows:
        if r.what != last:
            place += 0.0 if last is None else 0.8
            last = r.what
        mark, colour = MARKS[r.verdict]
        low, high = r.interval()
        ax.plot([r.stated, r.stated], [place - 0.4, place + 0.4], color=GREY, lw=2, solid_capstyle="butt",
                label="stated" if not drawn else None)  # fmt: skip
        ax.errorbar(
            r.rate, place, xerr=[[r.rate - low], [high - r.rate]], color=colour, marker=mark, ms=6, lw=1.2,
            ls="none", label=r.verdict if r.verdict not in drawn else None,
        )  # fmt: skip
        drawn.add(r.verdict)
        labels.append(f"{r.analysis}: {r.what}, {r.design}")
        ticks.append(place)
        place += 1
    ax.set_yticks(ticks, labels, fontsize="small")
    ax.set_ylim(max(ticks) + 0.7, -0.7)
    ax.set_xlim(-0.02, 1.02)
    ax.set_xticks(np.arange(0, 1.01, 0.2))
    ax.set_xlabel(f"rate in {min(r.runs for r in rows):,} data sets (95 % interval)")
    ax.legend(frameon=False, fontsize="small", loc="lower left", bbox_to_anchor=(0, 1), ncols=4)
    clean(ax)
    return as_plain_text(ax)
