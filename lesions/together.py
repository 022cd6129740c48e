"""Several players' lesions at one site, in one write; and the outputs of one coalition out of many."""

from __future__ import annotations

import copy
import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from artiphys.errors import InputError
from artiphys.lesions.write import Writer, along, projected
from artiphys.taps import At, Write

Part = tuple[int, Writer]  # player, and what its lesion writes


def together(cut: Tensor, parts: Sequence[Part]) -> Write:
    """All lesions at a site from the same incoming value, so that their order cannot matter.

    Parameters
    ----------
    cut : bool ``(coalition, player)``, True = lesioned.
    """
    families: dict[Any, list[Part]] = {}
    for player, writer in parts:
        families.setdefault(writer.family, []).append((player, writer))

    def write(x: Tensor, at: At) -> Tensor:
        assert at.node is not None
        rows = cut[at.node]  # (row, player)
        new = x
        for members in families.values():
            for chosen, value in _pieces(x, at, rows, members):
                new = torch.where(chosen, value, new)
        return new

    return write


def _pieces(x: Tensor, at: At, rows: Tensor, members: Sequence[Part]) -> Iterator[tuple[Tensor, Tensor]]:
    """Entries to replace, and by what; lesions that differ only in their units are one piece."""
    first = members[0][1]
    if first.lesion.kind == "project":
        for pattern, some in _patterns(rows, members):
            yield first.selection(x, at) & _row(pattern, x), projected(x, at, some)
        return
    axis = first.unit_axis
    if axis is None or any(w.lesion.units is None for _, w in members):
        for player, writer in members:
            yield writer.selection(x, at) & _row(rows[:, player], x), writer.replacement(x, at)
        return
    place = at.axes.index(axis)
    players = [p for p, w in members for _ in w.units()]
    units = [u for _, w in members for u in w.units()]
    lesioned = torch.zeros(len(rows), x.shape[place], dtype=torch.bool)
    lesioned[:, units] = rows[:, players]
    chosen = first.times(x, at) & along(lesioned.to(x.device), x.ndim, place)
    yield chosen, first.replacement(x, at)


def _patterns(rows: Tensor, parts: Sequence[Part]) -> Iterator[tuple[Tensor, list[Writer]]]:
    """Rows that remove the same set of directions, with that set."""
    columns = rows[:, [p for p, _ in parts]]
    for pattern in torch.unique(columns, dim=0):
        members = [w for (_, w), cut in zip(parts, pattern.tolist()) if cut]
        if members:
            yield (columns == pattern).all(dim=1), members


def _row(chosen: Tensor, x: Tensor) -> Tensor:
    return chosen.to(x.device).reshape([-1] + [1] * (x.ndim - 1))


def rows_of_coalition(outputs: Any, i: int, n: int, n_trials: int) -> Any:
    """The rows of coalition ``i`` of ``n``, in the same structure the outputs come in."""
    if n == 1:
        return outputs
    if isinstance(outputs, Tensor):
        if outputs.ndim == 0 or len(outputs) != n * n_trials:
            raise InputError(
                f"the network's output has shape {tuple(outputs.shape)} for {n * n_trials} trials; its first axis must "
                "be the trial"
            )
        return outputs[i * n_trials : (i + 1) * n_trials]
    if isinstance(outputs, Mapping):
        new: Any = copy.copy(outputs)
        for key, value in outputs.items():
            new[key] = rows_of_coalition(value, i, n, n_trials)
        return new
    if isinstance(outputs, (tuple, list)):
        parts = [rows_of_coalition(v, i, n, n_trials) for v in outputs]
        return type(outputs)(*parts) if hasattr(outputs, "_fields") else type(outputs)(parts)
    if dataclasses.is_dataclass(outputs) and not isinstance(outputs, type):
        fields = {f.name: getattr(outputs, f.name) for f in dataclasses.fields(outputs)}
        return dataclasses.replace(outputs, **{k: rows_of_coalition(v, i, n, n_trials) for k, v in fields.items()})
    return outputs
