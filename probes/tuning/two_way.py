"""Two stimuli: tests of the effect of either one given the other, and of their interaction."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
import xarray as xr

from artiphys.array_types import Array
from artiphys.errors import InputError, StatisticsError
from artiphys.probes.data.pooled_null import MIN_POOLED_UNITS
from artiphys.stats.p_values import false_discovery, p_value, pooled_p_value
from artiphys.stats.permutations import Permutations, PermutationTest, Tested
from artiphys.stats.text import brief
from artiphys.user_warnings import warn
from artiphys.version import __version__

RANK_TOLERANCE = 1e-9
ROUNDING = 1e-12  # of sums of squares of activity whose variance is 1


@dataclass(frozen=True, repr=False)
class TwoWay(Tested):
    """Effects of two stimuli and their interaction, of every unit.

    Attributes
    ----------
    f, p_value : DataArray ``(effect, ..., unit)``
        F of each stimulus given the other's, and of the interaction given both (sums of squares of type II, over the
        residual variance within cells), and its permutation p.
    eta_squared : DataArray ``(effect, ..., unit)``
        Share of the variance over trials that each takes up given the others.
    df, df_residual : degrees of freedom ``(effect,)`` and of the residuals
    test : PermutationTest
        Residuals of the model without the effect are exchanged over trials (Freedman & Lane 1983, A nonstochastic
        interpretation of reported significance levels), so that other effects may be as strong as they like.
    """

    f: xr.DataArray
    p_value: xr.DataArray
    eta_squared: xr.DataArray
    df: xr.DataArray
    df_residual: int
    test: PermutationTest
    version: str = __version__

    @property
    def p_fdr(self) -> xr.DataArray:
        """p adjusted for the number of units, each effect apart (Benjamini & Hochberg 1995)."""
        adjusted = [false_discovery(part) for part in self.p_value.to_numpy()]
        return self.p_value.copy(data=np.stack(adjusted))

    def __repr__(self) -> str:
        found = ", ".join(f"{e} {brief(self.p_value.sel(effect=e))}" for e in self.f["effect"].to_numpy())
        return f"Effects of two stimuli on {self.f[0].size} units: p of {found}"

    def to_dataframe(self) -> pd.DataFrame:
        """One row per effect and unit: F, its degrees of freedom, p, FDR-adjusted p and eta squared."""
        columns = {"f": self.f, "p": self.p_value, "p_fdr": self.p_fdr, "eta_squared": self.eta_squared}
        labelled = xr.Dataset({name: v.drop_vars("site", errors="ignore") for name, v in columns.items()})
        table = labelled.to_dataframe().reset_index()
        if "site" in self.f.coords:
            table.insert(1, "site", np.tile(self.f["site"].to_numpy(), len(self.f["effect"])))
        table["df"] = self.df.sel(effect=table["effect"].to_numpy()).to_numpy()
        return table.assign(df_residual=self.df_residual)

    def methods_text(self) -> str:
        """A paragraph fit for a methods section."""
        first, second = self.f["effect"].to_numpy()[:2]
        return (
            f"Effects of {first} and {second}, each given the other, and their interaction were tested by F over the "
            f"variance within cells (type II sums of squares); p by permuting the residuals of the model without the "
            f"effect {self.n_permutations} times ({self.scheme}; Freedman & Lane 1983). (artiphys {self.version})"
        )


@dataclass(frozen=True)
class Design:
    """Which values of two stimuli each trial showed, and how trials may be exchanged.

    Attributes
    ----------
    levels : int ``(2, trial)``
    names : of the two stimuli
    groups : ``(trial,)`` or None
    exchange : as for `tuning_curves`
    n_confounds : int
        Degrees of freedom that activity has lost already.
    """

    levels: Array
    names: Sequence[str]
    groups: Array | None
    exchange: str | None
    n_confounds: int


def two_way(
    blocks: Iterable[tuple[slice, Array]],
    chosen: Array,
    design: Design,
    n_permutations: int,
    seed: int,
    label: Callable[[Array], xr.DataArray],
) -> TwoWay:
    """See `Tuning.effects`.

    Parameters
    ----------
    blocks : iterable of a place among all units and ``(trial, unit)``
    chosen : bool ``(unit,)``
        Units that make up the null.
    design : Design
    n_permutations, seed : int
    label : gives values ``(unit,)`` their labels

    Raises
    ------
    InputError, StatisticsError
    """
    if n_permutations < 1:
        raise StatisticsError("effects are tested by permutations; wanted n_permutations=199 or more")
    levels, names = design.levels, design.names
    n = levels.shape[1]
    place = np.unique(levels, axis=1, return_inverse=True)[1].ravel()
    columns = [np.eye(int(v.max()) + 1)[v] for v in (*levels, place)]
    ones = np.ones((n, 1))
    first, second = (_basis(np.hstack([ones, c])) for c in columns[:2])
    both, cells = _basis(np.hstack([ones, *columns[:2]])), _basis(columns[2])
    reduced = [second, first, both]
    effects = [_beyond(both, second), _beyond(both, first), _beyond(cells, both)]
    df = np.array([e.shape[1] for e in effects])
    df_residual = n - cells.shape[1] - design.n_confounds
    if df_residual < 1:
        raise StatisticsError("every combination has a single trial, so that the variance within is unknown")
    if not df.all():
        lost = [*names, "interaction"][int((df == 0).argmax())]
        raise StatisticsError(
            f"the visited combinations leave no degree of freedom for {lost}; show more combinations or use fewer bins"
        )
    plan = _plan(design)
    orders = np.stack(list(plan.draw(n_permutations, seed)))
    found, nulls, shares = [], [], []
    for where, block in blocks:
        if np.isnan(block).any():
            raise InputError("effects are of activity without gaps, and some is padded; choose times that all have")
        y = block - block.mean(axis=0)
        size = np.sqrt((y**2).mean(axis=0))
        y = y / np.where(size > 1e-12 * np.abs(block).max(axis=0), size, np.inf)
        squares = np.stack([_power(e, y) for e in effects])
        found.append(_f(squares, (y**2).sum(axis=0) - _power(cells, y), df, df_residual))
        shares.append(squares / np.maximum((y**2).sum(axis=0), 1e-300))
        nulls.append(_null(y[:, chosen[where]], reduced, effects, cells, orders, df, df_residual))
    observed, null = np.concatenate(found, axis=1), np.concatenate(nulls, axis=2)
    pooled = observed.shape[1] >= MIN_POOLED_UNITS
    p = np.stack([(pooled_p_value if pooled else p_value)(o, m) for o, m in zip(observed, null)])
    test = plan.test(n_permutations, seed)
    if pooled:
        scheme = f"{plan.scheme}; null pooled over {null.shape[2]} units"
        test = replace(test, scheme=scheme, smallest_p=1 / (null[0].size + 1))
    elif test.smallest_p > 0.05:
        warn(f"{n_permutations} permutations: p cannot fall below {test.smallest_p:.2g}")
    axis = pd.Index([*names, "interaction"], name="effect")
    f, p_values, eta = (
        xr.concat([label(v) for v in each], dim=axis) for each in (observed, p, np.concatenate(shares, axis=1))
    )
    degrees = xr.DataArray(df, dims="effect", coords={"effect": axis})
    return TwoWay(f, p_values, eta, degrees, df_residual, test)


def _plan(design: Design) -> Permutations:
    levels, groups, exchange = design.levels, design.groups, design.exchange
    n = levels.shape[1]
    if groups is not None and exchange in (None, "within groups"):
        for name, level in zip(design.names, levels):
            if all(len(np.unique(level[groups == g])) == 1 for g in np.unique(groups)):
                raise StatisticsError(
                    f"{name} is constant within every group, and residuals are exchanged within groups; "
                    "test it alone with tuning_curves(..., groups=), which exchanges whole groups"
                )
        return Permutations.of(np.arange(n), groups, exchange="within groups")
    return Permutations.of(np.arange(n), groups, exchange=exchange)


def _basis(columns: Array) -> Array:
    """Orthonormal columns that span those given."""
    u, size, _ = np.linalg.svd(columns, full_matrices=False)
    return np.asarray(u[:, size > RANK_TOLERANCE * size[0]])


def _beyond(larger: Array, smaller: Array) -> Array:
    """Orthonormal columns of what ``larger`` spans at right angles to ``smaller``."""
    u, size, _ = np.linalg.svd(larger - smaller @ (smaller.T @ larger), full_matrices=False)
    return np.asarray(u[:, size > 1e-6])


def _power(basis: Array, y: Array) -> Array:
    return np.asarray(((basis.T @ y) ** 2).sum(axis=0))


def _f(squares: Array, inside: Array, df: Array, df_residual: int) -> Array:
    """F ``(effect, unit)``; 0 where neither effect nor residual is more than rounding, infinite without residual."""
    squares = np.where(squares > ROUNDING, squares, 0.0) / df[:, None]
    inside = np.where(inside > ROUNDING, inside, 0.0) / df_residual
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(squares > 0, squares / inside, 0.0)


def _null(
    y: Array, reduced: list[Array], effects: list[Array], cells: Array, orders: Array, df: Array, df_residual: int
) -> Array:
    """F of data whose residuals from the model without the effect are permuted: ``(effect, permutation, unit)``.

    What the reduced model fits lies in the span of every larger one, so that only the residuals need be projected.
    """
    null = np.empty((len(effects), len(orders), y.shape[1]))
    for k, (less, effect) in enumerate(zip(reduced, effects)):
        left = y - less @ (less.T @ y)
        total = (left**2).sum(axis=0)
        for m, order in enumerate(orders):
            moved = left[order]
            inside = total - _power(cells, moved)
            null[k, m] = _f(_power(effect, moved)[None], inside, df[k : k + 1], df_residual)[0]
    return null
