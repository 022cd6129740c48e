"""Plots of tuning curves, maps and effects."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from artiphys.border import border
from artiphys.errors import InputError
from artiphys.plotting.style import BLUE, CYCLE, GREY, MARKS, as_plain_text, axes_of, clean, polar_axes
from artiphys.probes.tuning.result import Tuning
from artiphys.probes.tuning.two_way import TwoWay

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.axis import Axis

MAX_NAMES = 12  # of values that are named one by one; more are all left unnamed
MAX_NUMBERS = 8
MAX_LETTERS = 40  # of names side by side
N_SPOKES = 8  # of a polar plot


@border
def plot_tuning(
    tuning: Tuning, *, units: Sequence[int] | None = None, confidence: float | None = None, ax: Axes | None = None
) -> Axes:
    """Tuning curves of a few units, the most selective ones by default; the mean and its error.

    Circular stimuli are drawn round a circle, unless activity is negative, which has no radius, or ``ax`` is not
    polar; either way the curve is closed.

    Parameters
    ----------
    tuning : Tuning
        Of one stimulus.
    units : list of int, optional
        Places of units among all, all axes strung along one.
    confidence : float, optional
        Draw intervals of this confidence; else the standard error.
    """
    if len(tuning.dims) != 1:
        raise InputError("these curves are over two stimuli; use plot_tuning_map, or tuning.marginal(...)")
    n_levels = len(tuning.n)
    curves = tuning.curves.to_numpy().reshape(-1, n_levels)
    if confidence is None:
        low, high = (tuning.curves + s * tuning.sem for s in (-1, 1))
        what = "mean and standard error"
    else:
        low, high = tuning.interval(confidence)
        what = f"mean and {100 * confidence:g} % interval"
    ends = np.abs(np.stack([end.to_numpy().reshape(-1, n_levels) - curves for end in (low, high)]))
    if units is None:
        units = np.sort(np.argsort(-tuning.eta_squared.to_numpy().ravel(), kind="stable")[:4]).tolist()
    strange = [u for u in units if not isinstance(u, (int, np.integer)) or not 0 <= u < len(curves)]
    if strange:
        raise InputError(f"units name {strange[0]!r}; the curves are of {len(curves)} units, 0 to {len(curves) - 1}")
    circular, numeric = tuning.kind == "circular", tuning.kind != "categorical"
    labels = tuning.curves[tuning.dims[0]].to_numpy()
    x = labels.astype(float) if numeric else np.arange(n_levels)
    round_circle = circular and ax is None and not (curves[list(units)] < 0).any()
    ax = polar_axes(4.6, 4.4) if round_circle else axes_of(ax, 5.0, 3.4)
    polar = ax.name == "polar"
    step = float(np.min(np.diff(np.sort(x)))) if n_levels > 1 else 1.0
    around = np.append(np.arange(n_levels), 0) if circular else np.arange(n_levels)
    for i, u in enumerate(units):
        # A little apart, so that equal curves can both be seen.
        dodge = 0.0 if polar else (i - (len(units) - 1) / 2) * 0.04 * step
        at = x + dodge
        if circular:
            at = np.append(at, at[0] + tuning.period)
        if polar:
            at = at * (2 * np.pi / tuning.period)
        colour, mark = CYCLE[i % len(CYCLE)], MARKS[i % len(MARKS)]
        ax.errorbar(
            at, curves[u][around], yerr=ends[:, u][:, around], color=colour, marker=mark, capsize=0 if polar else 2,
            ms=5, label=f"unit {u}",
        )  # fmt: skip
    activity = f"activity{_unit(tuning)}"
    stimulus = str(tuning.curves.attrs.get("stimulus", tuning.dims[0]))
    if polar:
        quiet = x[int(np.argmin(np.nanmax(curves[list(units)], axis=0)))] / tuning.period
        _spokes(ax, tuning.period, float(quiet))
        ax.set_ylabel(f"{activity}, {what}", labelpad=30)
    else:
        _name_ticks(ax.xaxis, x, labels, numeric, across=True)
        ax.set_ylabel(f"{activity},\n{what}")
        ax.margins(x=0.12 if n_levels <= 4 else 0.04)
        clean(ax)
    ax.set_xlabel(stimulus)
    ax.legend(frameon=False, loc="lower center", bbox_to_anchor=(0.5, 1.08 if polar else 1.0), ncols=4, fontsize=9)
    return as_plain_text(ax)


@border
def plot_tuning_map(tuning: Tuning, *, unit: int | None = None, ax: Axes | None = None) -> Axes:
    """Mean activity of one unit over two stimuli; the most selective unit by default. Blank: not visited.

    The first stimulus runs upwards; stimuli named x and y run as such.
    """
    if len(tuning.dims) != 2:
        raise InputError("a map is of curves over two stimuli; use plot_tuning")
    shape = tuning.n.shape
    if unit is None:
        unit = int(np.argmax(tuning.eta_squared.to_numpy()))
    every = tuning.curves.to_numpy().reshape(-1, *shape)
    if not 0 <= unit < len(every):
        raise InputError(f"unit came as {unit}; the maps are of {len(every)} units, 0 to {len(every) - 1}")
    values = every[unit]
    rows, columns = 0, 1
    if tuple(d.lower() for d in tuning.dims) == ("x", "y"):
        values, rows, columns = values.T, 1, 0
    sides = [_side(tuning, axis) for axis in (columns, rows)]
    ax = axes_of(ax, 4.8, 3.8)
    space = all(even for _, even in sides) and 0.5 <= np.ptp(sides[0][0]) / np.ptp(sides[1][0]) <= 2
    extent = (*sides[0][0], *sides[1][0])
    image = ax.imshow(
        values, cmap="viridis", origin="lower", extent=extent, aspect="equal" if space else "auto",
        interpolation="nearest",
    )  # fmt: skip
    for axis, place, (_, even) in zip((ax.xaxis, ax.yaxis), (columns, rows), sides):
        if not even:
            labels, kind = tuning.n[tuning.dims[place]].to_numpy(), tuning.levels[place].kind
            _name_ticks(axis, np.arange(len(labels)), labels, kind != "categorical", axis is ax.xaxis, every=False)
    ax.set_xlabel(tuning.dims[columns])
    ax.set_ylabel(tuning.dims[rows])
    ax.figure.colorbar(image, ax=ax, label=f"activity of unit {unit}{_unit(tuning)}")
    if not bool(tuning.visited.all()):
        ax.set_title("blank: not visited", fontsize=9)
    return as_plain_text(ax)


@border
def plot_effects(effects: TwoWay, *, ax: Axes | None = None) -> Axes:
    """p of every unit for either of two stimuli and their interaction, before adjustment for many units."""
    ax = axes_of(ax, 4.4, 3.4)
    names = [str(e) for e in effects.f["effect"].to_numpy()]
    rng = np.random.default_rng(0)
    for i, p in enumerate(effects.p_value.to_numpy().reshape(len(names), -1)):
        spread = rng.uniform(-0.2, 0.2, len(p)) if len(p) > 1 else np.zeros(1)
        ax.plot(i + spread, p, "o", color=BLUE, ms=5, alpha=0.7)
    ax.axhline(0.05, color=GREY, ls="--", lw=1)
    ax.annotate("0.05", (len(names) - 0.5, 0.05), xytext=(-2, 3), textcoords="offset points", ha="right", color=GREY)
    ax.set_yscale("log")
    ax.yaxis.set_major_formatter(lambda v, _: f"{v:g}")
    ax.set_ylim(effects.smallest_p / 1.5, 1.4)
    ax.set_xlim(-0.5, len(names) - 0.5)
    ax.set_xticks(range(len(names)), names)
    ax.set_ylabel(f"p of each of {effects.f[0].size} units")
    clean(ax)
    return as_plain_text(ax)


def _unit(tuning: Tuning) -> str:
    """The unit of measurement in brackets, where the activity bears one."""
    unit = tuning.curves.attrs.get("units")
    return f" [{unit}]" if unit else ""


def _side(tuning: Tuning, axis: int) -> tuple[tuple[float, float], bool]:
    """Where an axis of a map begins and ends, and whether that is in units of the stimulus."""
    edges = tuning.levels[axis].edges
    if edges is not None and np.allclose(np.diff(edges), np.diff(edges)[0]):
        return (float(edges[0]), float(edges[-1])), True
    return (-0.5, tuning.n.shape[axis] - 0.5), False


def _name_ticks(axis: Axis, x: Any, labels: Any, numeric: bool, across: bool, every: bool = True) -> None:
    """Every value named, or none of them; of many numbers on an axis of their own the usual ticks."""
    names = [f"{v:.3g}" if numeric else str(v) for v in labels]
    if len(names) <= (MAX_NUMBERS if numeric and every else MAX_NAMES):
        axis.set_ticks(x, names)
        if across and sum(map(len, names)) > MAX_LETTERS:
            axis.set_tick_params(rotation=90)
    elif numeric and not every:
        step = -(-len(names) // MAX_NUMBERS)
        axis.set_ticks(x[::step], names[::step])
    elif not numeric:
        axis.set_ticks([])


def _spokes(ax: Any, period: float, quiet: float) -> None:
    """Names of stimuli round a circle, and of activity near the radius ``quiet`` (share of a turn) with least of it."""
    at = np.arange(N_SPOKES) / N_SPOKES
    if abs(period - 2 * np.pi) < 1e-6 or abs(period - np.pi) < 1e-6:
        names = [f"{v:.3g} π" if v else "0" for v in at * period / np.pi]
    else:
        names = [f"{v:g}" for v in np.round(at * period, 3)]
    ax.set_xticks(at * 2 * np.pi, names)
    between = np.floor(quiet * N_SPOKES) + 0.5  # of two names
    ax.set_rlabel_position(360 * between / N_SPOKES)
    ax.set_ylim(bottom=0)
