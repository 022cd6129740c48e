"""Plots of decoding: by site, over time, confusion and generalisation."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from artiphys.border import border, shown
from artiphys.errors import InputError
from artiphys.plotting.style import (
    BLUE,
    CYCLE,
    GREY,
    MARKS,
    ORANGE,
    as_plain_text,
    axes_of,
    clean,
    label_ticks,
    time_label,
)
from artiphys.probes.decoding.result import Decoding

if TYPE_CHECKING:
    from matplotlib.axes import Axes


@border
def plot_time_course(decoding: Decoding, *, ax: Axes | None = None, confidence: float = 0.95) -> Axes:
    """Decoding score against time, one line per site, with intervals; thick where p corrected is below .05."""
    if "time" not in decoding.score.dims or set(decoding.score.dims) - {"site", "time"}:
        raise InputError(f"the score has the axes {decoding.score.dims}; wanted time, and at most site beside it")
    ax = axes_of(ax, 5.6, 3.4)
    low, high = decoding.interval(confidence)
    times = decoding.score["time"].to_numpy()
    names = decoding.score["site"].to_numpy().tolist() if "site" in decoding.score.dims else [None]
    labels, title = _site_labels(names)
    many = len(names) > 4  # then sites are shades in their order, and their intervals would hide each other
    colours = _shades(len(names)) if many else CYCLE
    for i, name in enumerate(names):
        one = [a if name is None else a.sel(site=name) for a in (decoding.score, low, high)]
        score, bottom, top = (a.to_numpy() for a in one)
        colour = colours[i]
        ax.plot(times, score, color=colour, lw=1.4, marker=MARKS[i % len(MARKS)], ms=3.5, label=labels[i])
        if "accuracy" in decoding.metric:
            bottom, top = bottom.clip(0, 1), top.clip(0, 1)
        if not many:
            ax.fill_between(times, bottom, top, color=colour, alpha=0.15, lw=0)
        if decoding.p_corrected is not None:
            p = (decoding.p_corrected if name is None else decoding.p_corrected.sel(site=name)).to_numpy()
            ax.plot(times, np.where(p < 0.05, score, np.nan), color=colour, lw=3.5)
    if decoding.p_corrected is not None:
        ax.plot([], [], color=GREY, lw=3.5, label="p corrected < .05")
    ax.axhline(decoding.chance, color=GREY, ls="--", lw=1, label="chance")
    ax.set_xlabel(time_label(times))
    ax.set_ylabel(decoding.metric)
    place: dict[str, Any] = {"loc": "center left", "bbox_to_anchor": (1.0, 0.5)} if many else {}
    place = place or {"loc": "lower center", "bbox_to_anchor": (0.5, 1.0), "ncols": 3}
    ax.legend(frameon=False, fontsize=9, title=title, **place)
    clean(ax)
    return as_plain_text(ax)


def _site_labels(names: Sequence[str | None]) -> tuple[list[str], str | None]:
    """Labels of sites: the layers alone where they are otherwise alike."""
    matches = [re.fullmatch(r"(.*?)(\d+)(.*)", name or "") for name in names]
    if len(names) > 1 and all(matches) and len({(m[1], m[3]) for m in matches if m}) == 1:
        return [m[2] for m in matches if m], "layer"
    return [name or "decoding" for name in names], None


def _shades(n: int) -> list[Any]:
    from matplotlib import colormaps

    return [colormaps["viridis"](v) for v in np.linspace(0, 0.92, n)]


@border
def plot_generalisation(decoding: Decoding, *, ax: Axes | None = None) -> Axes:
    """Train here, test there: the matrix of ``decode(..., across=...)``, dotted where p corrected is below .05."""
    if decoding.score.ndim != 2 or not str(decoding.score.dims[0]).startswith("train_"):
        raise InputError(f"the score has the axes {decoding.score.dims}; wanted one site of decode(..., across=...)")
    ax = axes_of(ax, 4.6, 3.9)
    values = decoding.score.to_numpy()
    reach = float(np.abs(values - decoding.chance).max()) or 1.0
    limits: dict[str, Any] = {"vmin": decoding.chance - reach, "vmax": decoding.chance + reach}
    image = ax.imshow(values, cmap="RdBu_r", origin="lower", **limits)
    if decoding.p_corrected is not None:
        sure = (decoding.p_corrected < 0.05).to_numpy()
        if sure.any() and not sure.all():
            rows, columns = np.nonzero(sure)
            ax.plot(columns, rows, ".", color="black", ms=3, label="p corrected < .05")
            ax.legend(frameon=False, loc="lower center", bbox_to_anchor=(0.5, 1.0), fontsize=9)
    train, test = (str(d) for d in decoding.score.dims)
    label_ticks(ax, decoding.score[test].to_numpy(), decoding.score[train].to_numpy())
    name = time_label(decoding.score[test].to_numpy()) if test == "time" else test
    ax.set_xlabel(f"tested at {name}")
    ax.set_ylabel(f"trained at {name}")
    bar = ax.figure.colorbar(image, ax=ax, label=f"{decoding.metric} (white: chance)")
    bar.outline.set_visible(False)
    return as_plain_text(ax)


@border
def plot_confusion(decoding: Decoding, *, ax: Axes | None = None) -> Axes:
    """Share of each class's trials that was taken for each class."""
    import seaborn

    counts = decoding.confusion
    if counts is None or counts.ndim != 2:
        raise InputError("a confusion matrix is of classes (numbers and angles have none), at one site and time")
    ax = axes_of(ax, *((6.2, 5.2) if counts.sizes["true"] > 6 else (4.4, 3.8)))
    share = counts.to_numpy() / counts.to_numpy().sum(axis=1, keepdims=True)
    names = [str(v) for v in counts["true"].to_numpy()]
    seaborn.heatmap(
        share, vmin=0, vmax=1, cmap="Blues", ax=ax, square=True, xticklabels=False, yticklabels=False,
        annot=len(names) <= 10, fmt=".2f", annot_kws={"fontsize": 9}, cbar_kws={"label": "share of the true class"},
    )  # fmt: skip
    places = np.arange(len(names)) + 0.5  # after seaborn, which draws labels to look at their size
    ax.set_xticks(places, names)
    ax.set_yticks(places, names)
    ax.tick_params(axis="y", rotation=0)
    if max(map(len, names)) > 4:
        ax.tick_params(axis="x", rotation=90)
    ax.set_xlabel("decoded class")
    ax.set_ylabel("true class")
    return as_plain_text(ax)


@border
def plot_decoding(
    decodings: Sequence[Decoding], names: Sequence[str], *, ax: Axes | None = None, confidence: float = 0.95
) -> Axes:
    """Decoding score by site, with intervals, chance and the mean of the permutation null."""
    strange = [d for d in decodings if not isinstance(d, Decoding)]
    if strange or not len(decodings):
        raise InputError(f"wanted one or more decodings; {shown(strange[0]) if strange else 'none'} came")
    if len(decodings) != len(names) or any(d.score.ndim for d in decodings):
        raise InputError("wanted one decoding of one score for each name; plot_time_course shows those over time")
    ax = axes_of(ax, 7.2 if len(names) > 8 else 5.0, 3.4)
    x = np.arange(len(names))
    score = np.array([float(d.score) for d in decodings])
    ends = [d.interval(confidence) for d in decodings]
    limits = np.array([[float(lo), float(hi)] for lo, hi in ends]).T
    if "accuracy" in decodings[0].metric:
        limits = limits.clip(0, 1)  # a t interval knows no bounds, a proportion does
    error = np.abs(limits - score)
    ax.errorbar(x, score, yerr=error, fmt="o", color=BLUE, capsize=2, ms=5, label="decoding")
    if all(d.null_mean is not None for d in decodings):
        null = [float(d.null_mean) for d in decodings if d.null_mean is not None]
        ax.plot(x, null, "x", color=ORANGE, label="mean of permutations")
    ax.axhline(decodings[0].chance, color=GREY, ls="--", lw=1, label="chance")
    numbered = [re.search(r"\.(\d+)\.", n) for n in names]
    if len(names) > 8 and all(numbered):
        ax.set_xticks(x[:: max(1, len(x) // 10)], [m[1] for m in numbered if m][:: max(1, len(x) // 10)])
        ax.set_xlabel("layer")
    else:
        crowded = len(names) > 6
        ax.set_xticks(x, list(names), rotation=90 if crowded else 20 if len(names) > 3 else 0)
        ax.tick_params(axis="x", labelsize=8 if crowded else 10)
        ax.set_xlabel("site")
    ax.margins(x=0.1 if len(names) <= 8 else 0.03)
    ax.set_ylabel(decodings[0].metric)
    ax.legend(frameon=False, loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=3)
    clean(ax)
    return as_plain_text(ax)
