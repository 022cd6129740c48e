"""Plot of a peri-stimulus time histogram: the raster of one unit, and its rate by condition."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from artiphys.border import border
from artiphys.errors import InputError, unknown
from artiphys.plotting.style import BLUE, CYCLE, GREY, as_plain_text, axes_of, clean
from artiphys.probes.peristimulus.result import Psth

if TYPE_CHECKING:
    from matplotlib.axes import Axes


@border
def plot_psth(histogram: Psth, *, unit: Any = None, ax: Axes | None = None, confidence: float | None = None) -> Axes:
    """Rate of one unit by condition, with its standard error (or interval), below the raster of its trials.

    The unit with the most spikes by default. On axes that are given, rates alone: `plot_raster` draws spikes on others.
    """
    unit, place = _unit(histogram, unit)
    if ax is None:
        above, ax = _two_axes(5.6, 4.8)
        plot_raster(histogram, unit=unit, ax=above)
        above.set_xlabel("")
        above.tick_params(labelbottom=False)
    else:
        ax = axes_of(ax, 5.6, 3.0)
    times = histogram.rate["time"].to_numpy()
    rate, sem = histogram.rate.to_numpy()[..., place], histogram.sem.to_numpy()[..., place]
    low, high = rate - sem, rate + sem
    if confidence is not None:
        low, high = (end.to_numpy()[..., place] for end in histogram.interval(confidence))
    colours = _colours(histogram)
    for i, condition in enumerate(histogram.rate["condition"].to_numpy().tolist()):
        style = ("-", "--", ":", "-.")[i // len(CYCLE) % 4]
        count = int(histogram.n.to_numpy()[i].max())
        ax.plot(times, rate[i], color=colours[i], ls=style, label=f"{condition} ({count} trials)")
        ax.fill_between(times, low[i], high[i], color=colours[i], alpha=0.25, lw=0)
    band = "± s.e.m." if confidence is None else f"and {confidence:.0%} interval"
    ax.set_xlabel("time from event [s]")
    ax.set_ylabel(f"unit {unit}: rate {band}\n[spikes/s]")
    ax.set_xlim(times[0] - histogram.bin / 2, times[-1] + histogram.bin / 2)
    ax.set_ylim(bottom=0)
    ax.axvline(0, color=GREY, lw=1, ls="--")
    ax.legend(frameon=False, fontsize=9, loc="best")
    clean(ax)
    return as_plain_text(ax)


@border
def plot_raster(histogram: Psth, *, unit: Any = None, ax: Axes | None = None) -> Axes:
    """Every spike of one unit within the window, trials in the order of their conditions, from above."""
    unit, _ = _unit(histogram, unit)
    ax = axes_of(ax, 5.6, 2.6)
    raster, colours = histogram.raster(unit), _colours(histogram)
    order = np.argsort(histogram.condition_of_trial, kind="stable")
    height = max(1.0, len(order) / 60)  # a mark can be seen however many trials there are
    ax.eventplot(
        [raster[i] for i in order], lineoffsets=np.arange(len(order)).tolist(),
        linelengths=0.9 * height, linewidths=0.8, colors=[colours[histogram.condition_of_trial[i]] for i in order],
    )  # fmt: skip
    times = histogram.rate["time"].to_numpy()
    ax.axvline(0, color=GREY, lw=1, ls="--")
    ax.set_xlim(times[0] - histogram.bin / 2, times[-1] + histogram.bin / 2)
    ax.set_ylim(len(order) - 0.5, -0.5)
    ax.set_xlabel("time from event [s]")
    ax.set_ylabel(f"unit {unit}: trial" + (",\nby condition" if len(colours) > 1 else ""))
    clean(ax)
    return as_plain_text(ax)


def _unit(histogram: Psth, unit: Any) -> tuple[Any, int]:
    names = histogram.rate["unit"].to_numpy().tolist()
    if unit is None:
        place = int(np.nansum(histogram.counts.to_numpy(), axis=(0, 1)).argmax())
        return names[place], place
    if unit not in names:
        raise InputError(unknown("unit", unit, [str(n) for n in names]))
    return unit, names.index(unit)


def _colours(histogram: Psth) -> list[str]:
    n = histogram.rate.sizes["condition"]
    return [BLUE] if n == 1 else [CYCLE[i % len(CYCLE)] for i in range(n)]


def _two_axes(width: float, height: float) -> tuple[Axes, Axes]:
    """One above the other, of one time axis, in a figure that belongs to no window."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(figure)
    above, below = figure.subplots(2, 1, sharex=True)
    return above, below
