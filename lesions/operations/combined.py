"""Combined write: several players' lesions at one site, whose order cannot matter."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import torch
from torch import Tensor

from artiphys.hooks.taps import At
from artiphys.lesions.operations.broadcast import along, rows_cut, selected
from artiphys.lesions.operations.writer import Writer, projected

Part = tuple[int, Writer]  # player, and what its lesion writes


class Together:
    """All lesions at a site from the same incoming value, so that their order cannot matter; a write function.

    Parameters
    ----------
    parts : pairs of player and `Writer`
    """

    def __init__(self, parts: Sequence[Part]) -> None:
        self.players = sorted({player for player, _ in parts})
        self.families: dict[Any, list[Part]] = {}
        for player, writer in parts:
            self.families.setdefault(writer.family, []).append((player, writer))
        self._owned: dict[Any, tuple[list[int], list[int]]] = {}  # players and the units they lesion, by family
        self.cut = torch.zeros(0, 0, dtype=torch.bool)  # (coalition, player), True = lesioned

    def __call__(self, x: Tensor, at: At) -> Tensor:
        """The value with each row's coalition lesioned."""
        cut = rows_cut(self.cut, at)
        lesioned = cut.any(dim=0).tolist()
        if not any(lesioned[player] for player in self.players):
            return x
        new = x
        for family, members in self.families.items():
            if not any(lesioned[player] for player, _ in members):
                continue
            if family not in self._owned:  # once, and not for every call of every block
                units = [(p, u) for p, w in members for u in (w.units() if w.lesion.units is not None else ())]
                self._owned[family] = [p for p, _ in units], [u for _, u in units]
            for chosen, value in _pieces(x, at, cut, members, self._owned[family]):
                new = _chosen(chosen, value, new, len(cut))
        return new


def _chosen(chosen: Tensor, value: Tensor, x: Tensor, n_nodes: int) -> Tensor:
    """``value`` where chosen, each ``(node | row | 1, ...)``; one pass, without a mask as large as ``x``."""
    each = len(x) // n_nodes

    def laid(t: Tensor) -> Tensor:
        if t.ndim == 0:
            return t
        if len(t) in (n_nodes, 1) and len(t) != len(x):
            return t.unsqueeze(1)
        return t.reshape(n_nodes, each, *t.shape[1:])

    return selected(laid(chosen), laid(value), laid(x)).reshape(x.shape)


def _pieces(
    x: Tensor, at: At, cut: Tensor, members: Sequence[Part], owned: tuple[list[int], list[int]]
) -> Iterator[tuple[Tensor, Tensor]]:
    """Entries to replace, and by what; lesions that differ only in their units are one piece."""
    first = members[0][1]
    if first.lesion.kind == "project":
        for pattern, some in _patterns(cut, members):
            yield _both(first.selection(x, at), _column(pattern, x)), projected(x, at, some)
        return
    axis = first.unit_axis
    if axis is None or any(w.lesion.units is None for _, w in members):
        for player, writer in members:
            if bool(cut[:, player].any()):
                yield _both(writer.selection(x, at), _column(cut[:, player], x)), writer.replacement(x, at)
        return
    place = at.axes.index(axis)
    players, units = owned
    lesioned = torch.zeros(len(cut), x.shape[place], dtype=torch.bool)
    lesioned[:, units] = cut[:, players]
    chosen = along(lesioned.to(x.device), x.ndim, place)
    if first.lesion.time is not None:
        chosen = _both(first.times(x, at), chosen)
    yield chosen, first.replacement(x, at)


def _both(a: Tensor, b: Tensor) -> Tensor:
    """Logical and of ``(row or 1, ...)`` and ``(node, ...)``."""
    if len(a) in (1, len(b)):
        return a & b
    return a & b.repeat_interleave(len(a) // len(b), dim=0)


def _patterns(cut: Tensor, parts: Sequence[Part]) -> Iterator[tuple[Tensor, list[Writer]]]:
    """Nodes that remove the same set of directions, with that set."""
    columns = cut[:, [p for p, _ in parts]]
    for pattern in torch.unique(columns, dim=0):
        members = [w for (_, w), cut in zip(parts, pattern.tolist()) if cut]
        if members:
            yield (columns == pattern).all(dim=1), members


def _column(chosen: Tensor, x: Tensor) -> Tensor:
    return chosen.to(x.device).reshape([-1] + [1] * (x.ndim - 1))
