"""Tensors inside nested tuples, lists, mappings and dataclasses: found, replaced and mapped by their paths."""

from __future__ import annotations

import copy
import dataclasses
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from torch import Tensor

Key = int | str


def is_record(tree: Any) -> bool:
    """A dataclass that is no mapping (transformers' outputs are both)."""
    return dataclasses.is_dataclass(tree) and not isinstance(tree, (type, Mapping))


def find(tree: Any, path: Sequence[Key]) -> Any:
    """The entry of nested tuples, lists and mappings at a path."""
    for key in path:
        tree = getattr(tree, str(key)) if is_record(tree) else tree[key]
    return tree


def replaced(tree: Any, path: Sequence[Key], value: Any) -> Any:
    """The same nested structure with one entry replaced; nothing is edited in place."""
    if not path:
        return value
    key, rest = path[0], path[1:]
    if is_record(tree):
        return with_fields(tree, {str(key): replaced(getattr(tree, str(key)), rest, value)})
    inner = replaced(tree[key], rest, value)
    if isinstance(tree, tuple):
        return like(tree, [inner if i == key else v for i, v in enumerate(tree)])
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
    elif is_record(tree):
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
        return like(tree, [mapped(value, fn, (*path, i)) for i, value in enumerate(tree)])
    if is_record(tree):
        names = [f.name for f in dataclasses.fields(tree)]
        return with_fields(tree, {k: mapped(getattr(tree, k), fn, (*path, k)) for k in names})
    return tree


def like(tree: Any, parts: Sequence[Any]) -> Any:
    """A sequence of the type of ``tree``, named tuples and torch's return types included."""
    return type(tree)(*parts) if hasattr(tree, "_fields") else type(tree)(parts)


def with_fields(record: Any, fields: Mapping[str, Any]) -> Any:
    """A copy of a dataclass with some fields replaced; it is not made anew, so that nothing is worked out again."""
    new = copy.copy(record)
    for name, value in fields.items():
        object.__setattr__(new, name, value)  # frozen ones too
    return new


def named_parts(tree: Any) -> Mapping[str, Any] | None:
    """What a mapping, dataclass or named tuple holds, by name; None for anything without names.

    >>> from collections import namedtuple
    >>> named_parts(namedtuple("Out", "hidden logits")(1, 2))
    {'hidden': 1, 'logits': 2}
    """
    if isinstance(tree, Mapping):
        return {str(k): v for k, v in tree.items()}
    if is_record(tree):
        return {f.name: getattr(tree, f.name) for f in dataclasses.fields(tree)}
    if isinstance(tree, tuple) and hasattr(tree, "_fields"):
        return dict(zip(type(tree).__match_args__, tree))  # type: ignore[attr-defined]
    return None
