"""Plot of a scoreboard: methods that search circuits against mechanisms."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from artiphys.border import border
from artiphys.errors import InputError
from artiphys.plotting.style import as_plain_text, axes_of
from artiphys.verification.result import Scoreboard

if TYPE_CHECKING:
    from matplotlib.axes import Axes

FRESH = re.compile(r"(?P<family>[^:]+): (?P<mechanism>[^,]+), seed \d+")
DARK = 0.55  # share above which text is white


@border
def plot_scoreboard(board: Scoreboard, *, ax: Axes | None = None) -> Axes:
    """How often each method that gives circuits found a smallest one, by mechanism.

    A cell is the share of networks, over families and seeds, in which the method's set was exactly a smallest minimal
    circuit; a dash stands where it is not made for any of them. Beside: the share over all mechanisms, players too many
    a network, and coalitions evaluated a network (median). Where fresh networks were examined only those are drawn,
    else the toys.

    Raises
    ------
    InputError
        If no method on this board gave circuits.
    """
    table = board.to_dataframe()
    table = table[(table["analysis"] == "minimal circuits") & (table["kind"] == "zero")].copy()
    if table.empty:
        raise InputError("no method on this board gave circuits; examine some, such as ap.verify(peers=True)")
    fresh = table["toy"].str.extract(FRESH)["mechanism"]
    if fresh.notna().any():
        table = table[fresh.notna()].assign(mechanism=fresh.dropna())
    else:
        table["mechanism"] = table["toy"]
    shares = table.pivot_table(index="method", columns="mechanism", values="passed", aggfunc="mean", sort=False)
    shares = shares[list(dict.fromkeys(table["mechanism"]))].astype(float)
    margins = _margins(table, shares)
    order = margins.sort_values(["found", "false"], ascending=[False, True]).index
    shares, margins = shares.loc[order], margins.loc[order]
    ax = axes_of(ax, 3.6 + 0.46 * (shares.shape[1] + 4), 1.9 + 0.27 * len(shares))
    _cells(ax, shares)
    _margin_texts(ax, margins, shares.shape[1])
    n = table.groupby("mechanism")["toy"].nunique()
    networks = f"{n.min()}" if n.min() == n.max() else f"{n.min()} to {n.max()}"
    ax.set_xticks(np.arange(shares.shape[1]), list(shares.columns), rotation=55, ha="right", rotation_mode="anchor")
    ax.set_yticks(np.arange(len(shares)), list(shares.index))
    ax.tick_params(length=0)
    many = "network" if networks == "1" else "networks"
    ax.set_xlabel(f"mechanism ({networks} {many} each)" if fresh.notna().any() else "network")
    ax.set_title(
        "Share of networks whose circuit was found exactly (–: not made for these)",
        loc="left",
        fontsize="medium",
        pad=30,
    )
    return as_plain_text(ax)


def _margins(table: pd.DataFrame, shares: pd.DataFrame) -> pd.DataFrame:
    false = table["false_members"].where(table["false_members"].notna() | ~table["passed"].astype(bool), 0.0)
    by_method = table.assign(false=false).groupby("method", sort=False)
    return pd.DataFrame(
        {
            "found": shares.mean(axis=1),  # mechanisms count alike, those it is made for
            "false": by_method["false"].mean(),
            "coalitions": by_method["n_evaluations"].median(),
        }
    )


def _cells(ax: Axes, shares: pd.DataFrame) -> None:
    from matplotlib import colormaps

    colours = colormaps["Blues"].with_extremes(bad="#EEEEEE")
    ax.imshow(np.ma.masked_invalid(shares.to_numpy()), cmap=colours, vmin=0, vmax=1.15, aspect="auto")
    for (i, j), share in np.ndenumerate(shares.to_numpy()):
        text = "–" if np.isnan(share) else f"{share:.2f}".lstrip("0") if 0 < share < 1 else f"{share:.0f}"
        ax.text(j, i, text, ha="center", va="center", fontsize="small", color="white" if share > DARK else "black")
    for side in ("top", "right", "left", "bottom"):
        ax.spines[side].set_visible(False)
    ax.set_xticks(np.arange(shares.shape[1] + 1) - 0.5, minor=True)
    ax.set_yticks(np.arange(len(shares) + 1) - 0.5, minor=True)
    ax.grid(which="minor", color="white", linewidth=1.5)
    ax.tick_params(which="minor", length=0)


def _margin_texts(ax: Axes, margins: pd.DataFrame, n_columns: int) -> None:
    heads = {"found": "found", "false": "false\nmembers", "coalitions": "coalitions\n(median)"}
    for k, (column, head) in enumerate(heads.items()):
        x = n_columns - 0.1 + 1.3 * k
        ax.text(x, -0.7, head, ha="center", va="bottom", fontsize="small", fontweight="bold")
        for i, value in enumerate(margins[column]):
            text = "–" if np.isnan(value) else f"{value:,.0f}" if column == "coalitions" else f"{value:.2f}"
            ax.text(x, i, text, ha="center", va="center", fontsize="small")
    ax.set_xlim(-0.5, n_columns + 1.3 * len(heads) - 0.8)
