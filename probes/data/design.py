"""Design: what trials share, and so which may lie on both sides of a fold and which labels may be exchanged."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import xarray as xr

from artiphys.array_types import Array
from artiphys.blas_threads import few_threads
from artiphys.errors import InputError, StatisticsError
from artiphys.missing import plain_array
from artiphys.probes.data.order_in_time import slow_together
from artiphys.probes.data.recurring_items import recurring_item, scattered_item
from artiphys.probes.data.trial_values import coded, per_trial
from artiphys.stats.permutations import Permutations
from artiphys.user_warnings import warn

GROUP_NAMES = ("group", "session", "run", "subject", "block")


@dataclass(frozen=True)
class Design:
    """Groups and blocks of trials.

    Attributes
    ----------
    groups : ``(trial,)`` or None
        Trials of one group never lie on both sides of a fold.
    blocks : tuple of ``(trial,)``
        From the widest to the narrowest, each within the one before and all within groups.
    exchange : str or None
        As `Permutations.of` takes it.
    alike : ``(trial,)`` or None
        Trials that are alike in a confound, between which alone labels are exchanged.
    columns : tuple of ``(trial,)``
        Of groups and blocks as they were given, where they were several.
    said : collection of str
        Names of columns that the user has named in this call, and so knows.
    """

    groups: Array | None
    blocks: tuple[Array, ...]
    exchange: str | None
    said: Collection[str] = ()
    alike: Array | None = None
    columns: tuple[Array, ...] = ()

    @classmethod
    def of(
        cls,
        data: xr.DataArray,
        groups: Any,
        blocks: Any = None,
        exchange: str | None = None,
        known: Collection[Any] = (),
        alike: Array | None = None,
    ) -> Design:
        """From the arguments of an analysis.

        Parameters
        ----------
        data : DataArray with ``trial``
        groups, blocks : array ``(trial,)`` or ``(trial, column)``, a name, or a list of names
            Groups of several columns are those of equal values in all; blocks go from the widest to the narrowest.
        known : other arguments of the analysis that may name columns
        alike : ``(trial,)``, optional

        Raises
        ------
        InputError
            If they are no values of trials.
        StatisticsError
            If none are given though the conditions say that trials come in groups.
        """
        said = {str(n) for given in (groups, blocks, *known) for n in _names(given)}
        columns = [] if groups is None else _columns(groups, data, "groups")
        inner = () if blocks is None else tuple(_columns(blocks, data, "blocks"))
        if not columns and not inner and exchange != "trials":
            _refuse_unsaid(data, said)
        member = None if not columns else columns[0] if len(columns) == 1 else _combined(columns)
        if alike is not None and (member is not None or inner or exchange is not None):
            raise StatisticsError(
                "confound_form='matched' says how labels are exchanged, and so do groups, blocks and exchange; give "
                "one of them, or confound_form='spline'"
            )
        several = (*columns, *inner) if len(columns) + len(inner) > 1 else ()
        return cls(member, inner, exchange, said, alike, several)

    @property
    def of_folds(self) -> Array | None:
        """What folds keep together: groups, or without them the widest blocks."""
        return self.blocks[0] if self.groups is None and self.blocks else self.groups

    def of_trials(self, rows: Array) -> Design:
        """The same of some trials."""
        groups = None if self.groups is None else self.groups[rows]
        alike = None if self.alike is None else self.alike[rows]
        return replace(
            self,
            groups=groups,
            blocks=tuple(b[rows] for b in self.blocks),
            alike=alike,
            columns=tuple(c[rows] for c in self.columns),
        )

    def within(self, stratum: Array) -> Design:
        """The same with labels exchanged within strata only; groups in which a stratum has one label say nothing."""
        if self.groups is None:
            return replace(self, groups=stratum)
        exchange = self.exchange or "within groups"
        return replace(self, groups=_combined([stratum, self.groups]), exchange=exchange)

    def permutations(self, labels: Array, folds: Array | None = None) -> Permutations:
        """How labels may be exchanged."""
        if self.alike is not None:
            plan = Permutations.of(labels, self.alike, exchange="within groups")
            return replace(plan, scheme="trials of similar confounds")
        return Permutations.of(labels, self.groups, folds, self.exchange, self.blocks)

    def warn(self, labels: Array, data: xr.DataArray, plan: Permutations | None, *, order: bool = True) -> None:
        """As `check`, but all of it as a warning: for analyses whose exchange cannot be said outright."""
        try:
            self.check(labels, data, plan, order=order)
        except StatisticsError as error:
            warn(str(error).partition(". Pass groups=")[0] + ": p may be too small")

    def check(self, labels: Array, data: xr.DataArray, plan: Permutations | None, *, order: bool = True) -> None:
        """Refuse labels that belong to recurring items; warn where labels and activity drift together.

        Who says ``exchange`` outright has thought of both: "trials" and "within groups" wave them through.

        Raises
        ------
        StatisticsError
        """
        if self.exchange is not None:
            return
        group = self.of_folds
        unit = np.arange(len(labels)) if group is None else coded(group)[1]
        found = recurring_item(labels, data, unit if plan is None else plan.unit, group, self.said)
        found = found or scattered_item(labels, self.columns, unit if plan is None else plan.unit)
        if found:
            raise StatisticsError(found)
        if not order:
            return
        drift = ""
        with few_threads():  # or their idle threads would slow down what comes after
            if plan is not None:
                whole = plan.scheme.startswith("whole groups")
                inside = None if group is None or whole else coded(group)[1]
                drift = slow_together(labels, data, plan.unit, inside)
            elif group is None:
                drift = slow_together(labels, data, unit, None)
        if drift:
            warn(drift)


def groups_of(groups: Any, data: xr.DataArray) -> Array | None:
    """The group of each trial; `StatisticsError` where none are given though the conditions say trials are grouped."""
    return Design.of(data, groups).groups


def _names(given: Any) -> list[str]:
    if isinstance(given, str):
        return [given]
    return [n for n in given if isinstance(n, str)] if isinstance(given, (list, tuple)) else []


def _columns(given: Any, data: xr.DataArray, what: str) -> list[Array]:
    """One column, or several: as names, or as an array ``(trial, column)``."""
    n = data.sizes["trial"]
    if isinstance(given, (list, tuple)) and given and len(given) != n and all(isinstance(g, str) for g in given):
        return [per_trial(name, data, what) for name in given]
    if isinstance(given, str):
        return [per_trial(given, data, what)]
    values = plain_array(given)
    if values.ndim != 2:
        return [per_trial(given, data, what)]
    if len(values) != n or not values.shape[1]:
        raise InputError(f"{what} came with shape {values.shape} for {n} trials; wanted (trial,) or (trial, column)")
    return [per_trial(column, data, what) for column in values.T]


def _combined(columns: list[Array]) -> Array:
    codes = np.column_stack([coded(c)[1] for c in columns])
    return np.asarray(np.unique(codes, axis=0, return_inverse=True)[1]).ravel()


def _refuse_unsaid(data: xr.DataArray, said: Collection[str]) -> None:
    columns = [n for n in GROUP_NAMES if n in data.coords and data.coords[n].dims == ("trial",) and n not in said]
    if columns and len(np.unique(data.coords[columns[0]].to_numpy())) > 1:
        raise StatisticsError(
            f"the conditions say that trials come in groups ({columns[0]!r}); pass groups={columns[0]!r} (and blocks= "
            "where labels stay the same over several trials within a group), or drop that coordinate if trials are "
            f"independent (activity.drop_vars({columns[0]!r}))"
        )
