"""What all plots share: colours, axes, short names. No global style is touched."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import numpy as np

from artiphys.border import shown
from artiphys.errors import InputError

if TYPE_CHECKING:
    from matplotlib.axes import Axes

# Okabe & Ito's palette: told apart by readers with any common colour vision.
BLUE, ORANGE, GREEN, PURPLE, GREY = "#0072B2", "#D55E00", "#009E73", "#CC79A7", "#767676"
CYCLE = (BLUE, ORANGE, GREEN, PURPLE, "#E69F00", "#56B4E9")
MARKS = ("o", "s", "^", "D", "v", "P")


def short(name: Any) -> str:
    """Short label of a player: layer.head for transformer heads, else its name.

    >>> short("blocks.23.attn.hook_z.3"), short("hidden.0")
    ('23.3', 'hidden.0')
    """
    match = re.fullmatch(r"(?:\w+_)?blocks\.(\d+)\.attn\.hook_z\.(\d+)", str(name))
    return f"{match[1]}.{match[2]}" if match else str(name)


def axes_of(ax: Axes | None, width: float, height: float) -> Axes:
    """The given axes, or new ones of a size in inches that belong to no window."""
    if ax is not None:
        if not hasattr(ax, "errorbar"):
            raise InputError(f"ax came as {shown(ax)}; wanted axes of matplotlib, or None for new ones")
        return ax
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(figure)
    return figure.add_subplot()


def polar_axes(width: float, height: float) -> Axes:
    """New polar axes of a size in inches that belong to no window."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(figure)
    return figure.add_subplot(projection="polar")


def clean(ax: Axes) -> None:
    """Take away the frame above and to the right."""
    ax.spines[["top", "right"]].set_visible(False)


def label_ticks(ax: Axes, columns: Any, rows: Any) -> None:
    """At most nine ticks on each axis of an image, labelled by its columns and rows."""
    for axis, labels in ((ax.xaxis, columns), (ax.yaxis, rows)):
        step = max(1, len(labels) // 8)
        axis.set_ticks(range(0, len(labels), step), [_plain(v) for v in labels[::step]])


def _plain(label: Any) -> str:
    """A number without what rounding adds to its digits."""
    return f"{label:.6g}" if isinstance(label, (float, np.floating)) else str(label)


def time_label(times: Any) -> str:
    """Name of a time axis: of steps where times are whole numbers, else of whatever they are measured in."""
    values = np.asarray(times)
    if values.dtype.kind not in "iuf":
        return "time"
    return "time [steps]" if np.array_equal(values, np.round(values)) else "time"


def as_plain_text(ax: Axes) -> Axes:
    """Names as they are: a dollar sign or a backslash in one begins no formula."""
    from matplotlib.text import Text

    ax.get_xticklabels(), ax.get_yticklabels()  # made when they are asked for
    for text in ax.findobj(Text):
        text.set_parse_math(False)
    return ax
