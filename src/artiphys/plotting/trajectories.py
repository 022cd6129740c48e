"""Plot of trajectories through the space of two components."""

from __future__ import annotations

from itertools import product
from typing import TYPE_CHECKING, Any

import numpy as np

from artiphys.border import border
from artiphys.errors import InputError, unknown
from artiphys.plotting.style import CYCLE, GREY, MARKS, as_plain_text, axes_of, clean
from artiphys.probes.projections.result import Components

if TYPE_CHECKING:
    from matplotlib.axes import Axes


@border
def plot_trajectories(
    components: Components, *, x: str | None = None, y: str | None = None, ax: Axes | None = None
) -> Axes:
    """Mean activity of each combination of conditions on two components, by name; over time from circle to square.

    By default those that explain most, of margins of conditions where there are any. Without time, one mark for each
    combination among the single trials. With one component, its course over time.
    """
    names = [str(c) for c in components.axes["component"].to_numpy()]
    first, second = _chosen(components, names, x, y)
    ax = axes_of(ax, 5.6, 4.0)
    paths = components.trajectories
    timed = "time" in paths.dims
    if second is None and not timed:
        raise InputError("there is one component and no time, so nothing to draw it against; use n=2")
    over = [d for d in paths.dims if d not in ("time", "component")]
    labels = [paths[d].to_numpy().tolist() if d in paths.coords else [""] for d in over]
    if not timed:
        single = components.projections
        ax.plot(single[:, first], single[:, second], ".", color=GREY, ms=3, alpha=0.4, label="single trials")
    for place in product(*(range(len(v)) for v in labels)):
        part = paths.isel(dict(zip(over, place))).to_numpy()
        colour = CYCLE[place[0] % len(CYCLE)]
        style = ("-", "--", ":", "-.")[place[1] % 4] if len(place) > 1 else "-"
        label = ", ".join(str(v[i]) for v, i in zip(labels, place)) or None
        if not timed:
            ax.plot(part[first], part[second], MARKS[place[-1] % 6], color=colour, ms=8, mec="black", label=label)
            continue
        a, b = (paths["time"].to_numpy(), part[:, first]) if second is None else (part[:, first], part[:, second])
        ax.plot(a, b, style, color=colour, lw=1.6, label=label)
        if second is not None:
            ax.plot(a[0], b[0], "o", color=colour, ms=5)
            ax.plot(a[-1], b[-1], "s", color=colour, ms=5)
    share = components.explained.to_numpy()
    titles = [f"{names[i]} ({share[i]:.0%} of variance)" for i in (first, second) if i is not None]
    ax.set_xlabel("time" if second is None else titles[0])
    ax.set_ylabel(titles[-1])
    handles, _ = ax.get_legend_handles_labels()
    if handles:
        ax.legend(
            frameon=False, fontsize=8, loc="center left", bbox_to_anchor=(1.0, 0.5), title=", ".join(components.by)
        )
    clean(ax)
    return as_plain_text(ax)


def _chosen(components: Components, names: list[str], x: Any, y: Any) -> tuple[int, int | None]:
    for name in (x, y):
        if name is not None and name not in names:
            raise InputError(unknown("component", name, names))
    order = np.argsort(-components.explained.to_numpy(), kind="stable").tolist()
    margin = components.axes["margin"].to_numpy()
    order = [i for i in order if margin[i] != "time"] + [i for i in order if margin[i] == "time"]
    first = names.index(x) if x is not None else next(i for i in order if names[i] != y)
    rest = [i for i in order if i != first]
    if y is not None:
        return first, names.index(y)
    return first, rest[0] if rest else None
