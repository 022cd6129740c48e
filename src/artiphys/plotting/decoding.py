"""Plots of what was read: decoding, searchlights, tuning, detection, cell types."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from artiphys.errors import InputError
from artiphys.plotting.style import BLUE, CYCLE, GREY, MARKS, ORANGE, axes_of, clean

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from artiphys.probes.clustering.cell_types import CellTypes
    from artiphys.probes.decoding.result import Decoding
    from artiphys.probes.detection.result import Detection
    from artiphys.probes.searchlights.searchlight import Searchlight
    from artiphys.probes.tuning.result import Tuning


def plot_time_course(decoding: Decoding, *, ax: Axes | None = None, confidence: float = 0.95) -> Axes:
    """Decoding score against time, one line a site, with intervals; thick where p corrected is below .05."""
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
    ax.set_xlabel("time [steps]")
    ax.set_ylabel(decoding.metric)
    place: dict[str, Any] = {"loc": "center left", "bbox_to_anchor": (1.0, 0.5)} if many else {}
    place = place or {"loc": "lower center", "bbox_to_anchor": (0.5, 1.0), "ncols": 3}
    ax.legend(frameon=False, fontsize=9, title=title, **place)
    clean(ax)
    return ax


def _site_labels(names: Sequence[str | None]) -> tuple[list[str], str | None]:
    """Labels of sites: the layers alone where they are otherwise alike."""
    found = [re.fullmatch(r"(.*?)(\d+)(.*)", name or "") for name in names]
    if len(names) > 1 and all(found) and len({(m[1], m[3]) for m in found if m}) == 1:
        return [m[2] for m in found if m], "layer"
    return [name or "decoding" for name in names], None


def _shades(n: int) -> list[Any]:
    from matplotlib import colormaps

    return [colormaps["viridis"](v) for v in np.linspace(0, 0.92, n)]


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
    _ticks(ax, decoding.score[test].to_numpy(), decoding.score[train].to_numpy())
    ax.set_xlabel(f"tested at {test}" + (" [steps]" if test == "time" else ""))
    ax.set_ylabel(f"trained at {test}" + (" [steps]" if test == "time" else ""))
    bar = ax.figure.colorbar(image, ax=ax, label=f"{decoding.metric} (white: chance)")
    bar.outline.set_visible(False)
    return ax


def _ticks(ax: Axes, columns: Any, rows: Any) -> None:
    for axis, labels in ((ax.xaxis, columns), (ax.yaxis, rows)):
        step = max(1, len(labels) // 8)
        axis.set_ticks(range(0, len(labels), step), [str(v) for v in labels[::step]])


def plot_confusion(decoding: Decoding, *, ax: Axes | None = None) -> Axes:
    """Share of each class's trials that was taken for each class."""
    counts = decoding.confusion
    if counts is None or counts.ndim != 2:
        raise InputError("a confusion matrix is of classes, at one site and time; choose one before decoding")
    ax = axes_of(ax, *((6.2, 5.2) if counts.sizes["true"] > 6 else (4.4, 3.8)))
    share = counts.to_numpy() / counts.to_numpy().sum(axis=1, keepdims=True)
    image = ax.imshow(share, cmap="Blues", vmin=0, vmax=1)
    names = [str(v) for v in counts["true"].to_numpy()]
    if len(names) <= 10:
        for i, row in enumerate(share):
            for j, value in enumerate(row):
                ax.text(
                    j,
                    i,
                    f"{value:.2f}",
                    ha="center",
                    va="center",
                    color="white" if value > 0.6 else "black",
                    fontsize=9,
                )
    _ticks(ax, names, names)
    if max(map(len, names)) > 4:
        ax.tick_params(axis="x", rotation=90)
    ax.set_xlabel("decoded class")
    ax.set_ylabel("true class")
    ax.figure.colorbar(image, ax=ax, label="share of the true class")
    return ax


def plot_searchlight(found: Searchlight, site: str | None = None, *, ax: Axes | None = None) -> Axes:
    """Score of every neighbourhood (over time, where there is time); marked where p corrected is below .05."""
    score = found.map(site)
    sure = None if found.p_corrected is None else (found.map(site, "p_corrected") < 0.05).to_numpy()
    names = [str(n) for n in score["neighbourhood"].to_numpy()]
    if score.ndim == 1:
        ax = axes_of(ax, 6.4, 3.2)
        x = np.arange(len(names))
        values = score.to_numpy()
        if sure is None:
            ax.plot(x, values, "o", color=BLUE, ms=4, label="score")
        else:
            ax.plot(x[~sure], values[~sure], "o", color=GREY, ms=4, mfc="none", label="not significant")
            ax.plot(x[sure], values[sure], "o", color=BLUE, ms=5, label="p corrected < .05")
        ax.axhline(found.chance, color=GREY, ls="--", lw=1, label="chance")
        step = max(1, len(names) // 10)
        ax.set_xticks(x[::step], names[::step], rotation=90 if len(names) > 6 else 0, fontsize=8)
        ax.set_xlabel("neighbourhood")
        ax.set_ylabel(found.metric)
        ax.legend(frameon=False, loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=3, fontsize=9)
        clean(ax)
        return ax
    ax = axes_of(ax, 6.4, 3.8)
    reach = float(np.abs(score - found.chance).max()) or 1.0
    limits: dict[str, Any] = {"vmin": found.chance - reach, "vmax": found.chance + reach}
    image = ax.imshow(score.T, cmap="RdBu_r", aspect="auto", origin="lower", **limits)
    if sure is not None:
        rows, columns = np.nonzero(sure.T)
        ax.plot(columns, rows, ".", color="black", ms=3, label="p corrected < .05")
        if len(rows):
            ax.legend(frameon=False, loc="lower center", bbox_to_anchor=(0.5, 1.0), fontsize=9)
    _ticks(ax, score["time"].to_numpy(), names)
    ax.set_xlabel("time [steps]")
    ax.set_ylabel("neighbourhood")
    ax.figure.colorbar(image, ax=ax, label=f"{found.metric} (white: chance)")
    return ax


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
    return ax


def plot_cell_types(types: CellTypes, *, ax: Axes | None = None) -> Axes:
    """Tightness of clusters against their number, beside what a continuum shows (mean and 95 % of draws)."""
    ax = axes_of(ax, 5.2, 3.4)
    k = types.criteria.index.to_numpy()
    drawn = types.null[:, 0]
    low, high = np.quantile(drawn, [0.025, 0.975], axis=0)
    middle = drawn.mean(axis=0)
    ax.errorbar(k + 0.06, middle, yerr=[middle - low, high - middle], fmt="s", color=GREY, capsize=3, label="continuum")
    ax.plot(k - 0.06, types.criteria["cluster_index"], "o", color=BLUE, ms=7, label="units")
    ax.set_xticks(k)
    ax.set_xlabel("number of clusters")
    ax.set_ylabel("cluster index (small: tight)")
    verdict = "no verdict" if types.caution else "no types" if types.n_types == 1 else f"{types.n_types} types"
    ax.set_title(f"{verdict} (p {types.p_value:.2g})", fontsize=10, pad=24)
    ax.legend(frameon=False, loc="lower center", bbox_to_anchor=(0.5, 0.98), ncols=2, fontsize=9)
    clean(ax)
    return ax


def plot_decoding(
    decodings: Sequence[Decoding], names: Sequence[str], *, ax: Axes | None = None, confidence: float = 0.95
) -> Axes:
    """Decoding score by site, with intervals, chance and the mean of the permutation null."""
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
    return ax


def plot_tuning(tuning: Tuning, *, units: Sequence[int] | None = None, ax: Axes | None = None) -> Axes:
    """Tuning curves of a few units, mean and standard error; the most selective ones by default."""
    if len(tuning.dims) != 1:
        raise InputError("these curves are over two stimuli; use plot_tuning_map, or tuning.marginal(...)")
    n_levels = len(tuning.n)
    curves = tuning.curves.to_numpy().reshape(-1, n_levels)
    sem = tuning.sem.to_numpy().reshape(-1, n_levels)
    if units is None:
        units = np.sort(np.argsort(-tuning.eta_squared.to_numpy().ravel(), kind="stable")[:4]).tolist()
    ax = axes_of(ax, 5.0, 3.4)
    labels = tuning.curves[tuning.dims[0]].to_numpy()
    numeric = tuning.kind != "categorical"
    x = labels.astype(float) if numeric else np.arange(n_levels)
    step = float(np.min(np.diff(np.sort(x)))) if n_levels > 1 else 1.0
    for i, u in enumerate(units):
        # A little apart, so that equal curves can both be seen.
        dodge = (i - (len(units) - 1) / 2) * 0.04 * step
        ax.errorbar(
            x + dodge,
            curves[u],
            yerr=sem[u],
            color=CYCLE[i % 6],
            marker=MARKS[i % 6],
            capsize=2,
            ms=5,
            label=f"unit {u}",
        )
    if not numeric:
        ax.set_xticks(x, [str(v) for v in labels])
    elif n_levels <= 6:
        ax.set_xticks(x, [f"{v:g}" for v in x])
    ax.set_xlabel(str(tuning.curves.attrs.get("stimulus", tuning.dims[0])))
    ax.set_ylabel("activity [model units]")
    ax.margins(x=0.12 if n_levels <= 4 else 0.04)
    ax.legend(frameon=False, loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=4, fontsize=9)
    clean(ax)
    return ax


def plot_tuning_map(tuning: Tuning, *, unit: int | None = None, ax: Axes | None = None) -> Axes:
    """Mean activity of one unit over two stimuli; the most selective unit by default."""
    if len(tuning.dims) != 2:
        raise InputError("a map is of curves over two stimuli; use plot_tuning")
    shape = tuning.n.shape
    if unit is None:
        unit = int(np.argmax(tuning.eta_squared.to_numpy()))
    values = tuning.curves.to_numpy().reshape(-1, *shape)[unit]
    ax = axes_of(ax, 4.8, 3.8)
    image = ax.imshow(values, cmap="viridis", origin="lower", aspect="auto")
    rows, columns = tuning.dims
    _ticks(ax, _rounded(tuning.n[columns].to_numpy()), _rounded(tuning.n[rows].to_numpy()))
    ax.set_xlabel(columns)
    ax.set_ylabel(rows)
    ax.figure.colorbar(image, ax=ax, label=f"activity of unit {unit} [model units]")
    return ax


def _rounded(labels: Any) -> list[str]:
    return [f"{v:.3g}" if isinstance(v, (float, np.floating)) else str(v) for v in labels]
