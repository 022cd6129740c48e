"""Plot of interactions: a clustered map of pairs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from artiphys.border import border
from artiphys.errors import InputError
from artiphys.lesions.interaction_indices.result import Interactions
from artiphys.plotting.style import as_plain_text, axes_of, short

if TYPE_CHECKING:
    from matplotlib.axes import Axes

MAX_MARKED = 30  # players up to which significant pairs get a dot
MAX_LABELLED = 60


@border
def plot_interactions(
    interactions: Interactions,
    *,
    ax: Axes | None = None,
    top: int | None = None,
    cluster: bool = True,
    over: Any = "both",
    output: Any = None,
) -> Axes:
    """Map of the interactions of two, players ordered so that those that interact stand together.

    Red: together they raise the score by more than the sum of what each does; blue: by less. A dot marks what is
    significant (Holm) over trials and coalitions.

    Parameters
    ----------
    top : int, optional
        Only so many players, those with the largest interactions.
    cluster : bool
        Order players by average linkage; else as they come.
    """
    import seaborn as sns

    table = interactions.matrix(output).to_numpy()
    chosen = np.arange(len(table))
    if top is not None:
        if top < 2:
            raise InputError(f"top came as {top}; wanted at least 2 players")
        strength = np.nansum(np.abs(table), axis=1)
        chosen = np.sort(np.argsort(-strength, kind="stable")[:top])
    table = table[np.ix_(chosen, chosen)]
    order = _clustered(table) if cluster and len(table) > 2 else np.arange(len(table))
    table, chosen = table[np.ix_(order, order)], chosen[order]
    side = min(3.2 + 0.3 * len(table), 10.0)
    ax = axes_of(ax, side + 1.2, side)
    limit = float(np.nanmax(np.abs(table), initial=0)) or 1.0
    names = [short(interactions.players[i]) for i in chosen]
    unit = f" [{interactions.unit}]" if interactions.unit else ""
    ticks: Any = names if len(names) <= MAX_LABELLED else "auto"
    sns.heatmap(
        table, ax=ax, cmap="RdBu_r", vmin=-limit, vmax=limit, square=True, xticklabels=ticks, yticklabels=ticks,
        linewidths=0.5 if len(names) <= MAX_MARKED else 0, linecolor="white",
        cbar_kws={"label": f"{interactions.index} interaction{unit}\n(red: more than the sum of parts)", "shrink": 0.8},
    )  # fmt: skip
    ax.set_facecolor("#E8E8E8")  # the diagonal: a player with itself
    if len(names) <= MAX_MARKED:
        _mark(ax, interactions, chosen, over, output)
    ax.set_xlabel("player")
    ax.set_ylabel("player")
    ax.tick_params(axis="x", rotation=90)
    ax.tick_params(axis="y", rotation=0)
    return as_plain_text(ax)


def _clustered(table: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """Order of players by average linkage, near where they interact strongly."""
    from scipy.cluster.hierarchy import leaves_list, linkage, optimal_leaf_ordering

    strength = np.abs(table[np.triu_indices(len(table), 1)])
    distance = 1 - strength / (strength.max() or 1.0)
    return np.asarray(leaves_list(optimal_leaf_ordering(linkage(distance, "average"), distance)))


def _mark(ax: Axes, interactions: Interactions, chosen: np.ndarray[Any, Any], over: Any, output: Any) -> None:
    if over == "both" and bool(np.isnan(interactions.stderr_stimuli).any()):
        over = "coalitions"
    p = interactions.p_values(over)
    if p.ndim > 1:
        p = p[:, list(p["output"].values).index(output)]
    place = {interactions.players[i]: k for k, i in enumerate(chosen)}
    for members, value in zip(p["interaction"].values, p.to_numpy()):
        if len(members) == 2 and value <= 1 - interactions.confidence and all(m in place for m in members):
            a, b = (place[m] + 0.5 for m in members)
            ax.plot([a, b], [b, a], "o", color="black", ms=3, ls="none")
