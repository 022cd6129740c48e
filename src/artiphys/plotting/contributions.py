"""Plots of contributions: beside single lesions, against evaluations, as a map of heads."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from artiphys.border import border
from artiphys.errors import BudgetError, InputError, StatisticsError
from artiphys.lesions.contributions.result import Attribution
from artiphys.plotting.style import BLUE, CYCLE, GREY, MARKS, ORANGE, as_plain_text, axes_of, clean, short

if TYPE_CHECKING:
    from matplotlib.axes import Axes


PALE = 0.3  # opacity of heads whose effect may be none


@border
def plot_contributions(
    single: Attribution,
    shapley: Attribution,
    *,
    ax: Axes | None = None,
    confidence: float = 0.95,
    over: Any = "both",
) -> Axes:
    """Each player's single-lesion effect beside its Shapley value, with intervals on both."""
    order = np.argsort(-np.abs(_one_output(shapley)), kind="stable")
    names = [shapley.values["player"].values[i] for i in order]
    ax = axes_of(ax, 6.4, 1.6 + 0.42 * len(order))
    rows = np.arange(len(order))[::-1]
    for result, shift, colour, mark, label in (
        (single, 0.14, ORANGE, "s", "single lesion"),
        (shapley, -0.14, BLUE, "o", "Shapley value"),
    ):
        low, high = _ends(result, confidence, over)
        place = _places(result, names)
        values = _one_output(result)[place]
        error = np.vstack([values - low.to_numpy()[place], high.to_numpy()[place] - values])
        ax.errorbar(values, rows + shift, xerr=np.abs(error), fmt=mark, color=colour, capsize=3, label=label, ms=6)
    ax.axvline(0, color=GREY, lw=1, zorder=0)
    ax.set_yticks(rows, [short(name) for name in names])
    ax.set_ylim(-0.6, len(order) - 0.4)
    unit = f" [{shapley.unit}]" if shapley.unit else ""
    ax.set_xlabel(f"contribution to {shapley.score}{unit}")
    ax.set_ylabel("player lesioned")
    ax.margins(x=0.08)
    ax.legend(frameon=False, loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=2)
    clean(ax)
    return as_plain_text(ax)


def _ends(result: Attribution, confidence: float, over: Any) -> tuple[Any, Any]:
    """Both ends of the intervals; NaN, so that no bar is drawn, where there are none."""
    try:
        return result.interval(confidence, over)
    except (BudgetError, StatisticsError):
        return result.values * np.nan, result.values * np.nan


def _interval_holds_0(attribution: Attribution) -> np.ndarray[Any, Any] | None:
    """For each player; None where there are no intervals."""
    low, high = _ends(attribution, attribution.confidence, "both")
    if np.isnan(low).all() or (low.to_numpy() == high.to_numpy()).all():
        return None
    return np.asarray(~((low.to_numpy() > 0) | (high.to_numpy() < 0)))


def _one_output(result: Attribution) -> np.ndarray[Any, Any]:
    """Values ``(player,)``."""
    if result.values.ndim != 1:
        raise InputError("this result has several outputs, and a picture shows one; make a game with one score")
    return np.asarray(result.values.to_numpy())


def _places(result: Attribution, names: Sequence[Any]) -> list[int]:
    """Where players stand in a result; by name, as two results may list them in another order."""
    place = {name: i for i, name in enumerate(result.values["player"].values)}
    if set(place) != set(names):
        odd = sorted(map(str, set(place) ^ set(names)))
        raise InputError(f"the results have other players: {', '.join(odd[:3])} only in one of them")
    return [place[name] for name in names]


@border
def plot_convergence(
    attributions: Sequence[Attribution],
    *,
    exact: Attribution | None = None,
    ax: Axes | None = None,
    k: int = 5,
    confidence: float = 0.95,
) -> Axes:
    """Estimates of the ``k`` largest players against evaluations, with intervals over coalitions.

    ``exact`` adds a dashed line at the exact value of each; a point without bars is one whose interval was refused.

    Takes results of growing budgets on one game: draws of one seed contain the smaller ones, and values are
    remembered, so that ``[ap.shapley(game, budget=b) for b in (400, 800, 1600)]`` costs what the last does.
    """
    if not isinstance(attributions, Sequence):
        raise InputError(f"a {type(attributions).__name__} came; wanted a list of results of growing budgets")
    if k < 1:
        raise InputError(f"k came as {k}; wanted at least 1 player")
    if len(attributions) < 2:
        raise InputError(f"{len(attributions)} results came; a convergence needs at least two budgets")
    results = sorted(attributions, key=lambda r: r.n_evaluations)
    names = results[-1].values["player"].values
    if any(r.values.ndim != 1 or list(r.values["player"].values) != list(names) for r in results):
        raise InputError("the results must be of one game with one value per player")
    order = np.argsort(-np.abs(results[-1].values.to_numpy()), kind="stable")[:k]
    ax = axes_of(ax, 6.4, 3.8)
    x = np.array([r.n_evaluations for r in results], dtype=float)
    for i, player in enumerate(order):
        colour, mark = CYCLE[i % len(CYCLE)], MARKS[i % len(MARKS)]
        ends = [_ends(r, confidence, "coalitions") for r in results]
        y = np.array([float(r.values[player]) for r in results])
        low, high = (np.array([float(e[side][player]) for e in ends]) for side in (0, 1))
        dodge = x * 1.03 ** (i - (len(order) - 1) / 2)
        error = np.abs(np.vstack([y - low, high - y]))
        ax.errorbar(dodge, y, yerr=error, color=colour, marker=mark, capsize=3, ms=5, label=short(names[player]))
        if exact is not None:
            ax.axhline(
                float(_one_output(exact)[_places(exact, list(names))[player]]), color=colour, lw=1, ls="--", zorder=0
            )
    ax.set_xscale("log")
    ax.set_xticks(x, [f"{int(v):,}" for v in x])
    ax.minorticks_off()
    ax.axhline(0, color=GREY, lw=1, zorder=0)
    unit = f" [{results[-1].unit}]" if results[-1].unit else ""
    ax.set_xlabel("coalitions evaluated")
    ax.set_ylabel(f"contribution to {results[-1].score}{unit}")
    ax.legend(frameon=False, loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=min(5, len(order)))
    clean(ax)
    return as_plain_text(ax)


@border
def plot_head_map(attribution: Attribution, *, ax: Axes | None = None, mark: Sequence[str] = ()) -> Axes:
    """Layer x head map of an attribution whose players are heads; marked players get a frame.

    Heads whose interval holds 0 are drawn pale, where there are intervals.
    """
    places = [re.search(r"blocks\.(\d+)\..*\.(\d+)$", str(p)) for p in attribution.values["player"].values]
    if not all(places):
        raise InputError(
            "a head map needs players named blocks.<layer>....<head>, such as those of "
            "prep.players('blocks.*.attn.hook_z')"
        )
    cells = np.array([[int(p[1]), int(p[2])] for p in places if p])
    grid = np.full(cells.max(axis=0) + 1, np.nan)
    grid[cells[:, 0], cells[:, 1]] = _one_output(attribution)
    unknown = [name for name in mark if name not in set(map(str, attribution.values["player"].values))]
    if unknown:
        raise InputError(f"mark names no player of the result: {unknown[:3]}")
    ax = axes_of(ax, 9.0, 3.8)
    limit = float(np.nanmax(np.abs(grid))) or 1.0
    image = ax.imshow(grid.T, cmap="RdBu_r", vmin=-limit, vmax=limit, aspect="auto", origin="lower")
    unsure = _interval_holds_0(attribution)
    if unsure is not None:
        strength = np.ones_like(grid)
        strength[cells[:, 0], cells[:, 1]] = np.where(unsure, PALE, 1.0)
        image.set_alpha(strength.T)
        ax.set_title("pale: the interval holds 0", fontsize=9)
    for name in mark:
        place = re.search(r"blocks\.(\d+)\..*\.(\d+)$", name)
        if place:
            layer, head = int(place[1]), int(place[2])
            from matplotlib.patches import Rectangle

            ax.add_patch(Rectangle((layer - 0.5, head - 0.5), 1, 1, fill=False, ec="black", lw=1.8))
            left = layer > 1
            where = (layer - 0.65 if left else layer + 0.65, head)
            ax.annotate(short(name), where, ha="right" if left else "left", va="center", fontsize=9)
    ax.set_xlabel("layer")
    ax.set_ylabel("head")
    ax.set_yticks(range(grid.shape[1]))
    ax.locator_params(axis="x", integer=True)  # there is no layer 0.5
    unit = f" [{attribution.unit}]" if attribution.unit else ""
    ax.figure.colorbar(image, ax=ax, label=f"cost of lesion{unit}\n(blue: lesion helps)")
    return as_plain_text(ax)
