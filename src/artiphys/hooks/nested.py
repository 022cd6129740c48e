"""Tensors inside nested tuples, lists, mappings and dataclasses: found, replaced and mapped by their paths."""

from __future__ import annotations

import copy
import dataclasses
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from torch import Tensor

Key = int | str


def _is_record(tree: Any) -> bool:
    """A dataclass that is no mapping (transformers' outputs are both)."""
    return dataclasses.is_dataclass(tree) and not isinstance(tree, (type, Mapping))


def find(tree: Any, path: Sequence[Key]) -> Any:
    """The entry of nested tuples, lists and mappings at a path."""
    for key in path:
        tree = getattr(tree, str(key)) if _is_record(tree) else tree[key]
    return tree


def replaced(tree: Any, path: Sequence[Key], value: Any) -> Any:
    """The same nested structure with one entry replaced; nothing is edited in place."""
    if not path:
        return value
    key, rest = path[0], path[1:]
    if _is_record(tree):
        return dataclasses.replace(tree, **{str(key): replaced(getattr(tree, str(key)), rest, value)})
    inner = replaced(tree[key], rest, value)
    if isinstance(tree, tuple):
        parts = [inner if i == key else v for i, v in enumerate(tree)]
        return type(tree)(*parts) if hasattr(tree, "_fields") else tuple(parts)
    new = copy.copy(tree)
    new[key] = inner
    return new


def leaves(tree: Any, path: tuple[Key, ...] = ()) -> Iterable[tuple[tuple[Key, ...], Tensor]]:
    """Tensors of nested tuples, lists, mappings and dataclasses with their paths.

    >>> import torch
    >>> [p for p, _ in leaves((torch.ones(1), {"a": torch.ones(1)}))]
    [(0,), (1, 'a')]
    """
    if isinstance(tree, Tensor):
        yield path, tree
    elif isinstance(tree, Mapping):
        for key, value in tree.items():
            yield from leaves(value, (*path, key))
    elif isinstance(tree, (tuple, list)) and type(tree).__name__ != "PackedSequence":
        for i, value in enumerate(tree):
            yield from leaves(value, (*path, i))
    elif _is_record(tree):
        for record_field in dataclasses.fields(tree):
            yield from leaves(getattr(tree, record_field.name), (*path, record_field.name))


def mapped(tree: Any, fn: Callable[[tuple[Key, ...], Tensor], Tensor], path: tuple[Key, ...] = ()) -> Any:
    """The same nested structure with every tensor replaced by ``fn(path, tensor)``; paths as in `leaves`.

    >>> import torch
    >>> mapped((torch.ones(1), {"a": 2}), lambda path, t: t + 1)
    (tensor([2.]), {'a': 2})
    """
    if isinstance(tree, Tensor):
        return fn(path, tree)
    if isinstance(tree, Mapping):
        new: Any = copy.copy(tree)
        for key, value in tree.items():
            if value is not None:
                new[key] = mapped(value, fn, (*path, key))
        return new
    if isinstance(tree, (tuple, list)) and type(tree).__name__ != "PackedSequence":
        parts = [mapped(value, fn, (*path, i)) for i, value in enumerate(tree)]
        return type(tree)(*parts) if hasattr(tree, "_fields") else type(tree)(parts)
    if _is_record(tree):
        fields = {f.name: getattr(tree, f.name) for f in dataclasses.fields(tree)}
        return dataclasses.replace(tree, **{k: mapped(v, fn, (*path, k)) for k, v in fields.items()})
    return tree
