"""The public border: types and ranges of arguments, checked once, before anything is computed or allocated.

What a function's annotations say of whole and real numbers, flags, text, choices and artiphys's own classes is held
to; what an argument's name says of its range is in one table. Arrays, networks and stimuli are checked where they are
taken apart.
"""

from __future__ import annotations

import functools
import inspect
import math
import numbers
import os
import types
import typing
from collections.abc import Callable, Mapping, Sequence, Set
from pathlib import Path
from typing import Any, Literal, ParamSpec, TypeVar

import numpy as np
import pandas as pd

from artiphys.errors import BudgetError, InputError
from artiphys.third_party import is_protocol

P = ParamSpec("P")
R = TypeVar("R")

# Least and most of whole numbers, by the name of the argument; more than the most is beyond any budget.
MAX_DRAWS = 100_000
RANGES: dict[str, tuple[int, int]] = {
    "seed": (0, 2**64 - 1),
    "budget": (-(2**63), 10**8),  # its least depends on the method
    "batch_size": (1, 2**31),
    "n_permutations": (0, MAX_DRAWS),
    "n_null": (1, MAX_DRAWS),
    "n_donors": (1, MAX_DRAWS),
    "n_players": (1, 1_000_000),
    "steps": (1, 1000),
    "max_types": (1, 1000),
    "bins": (2, MAX_DRAWS),
    "k": (1, 2**63),
    "cv": (2, 2**31),
}
PLURALS = {int: "whole numbers", float: "finite numbers", str: "text"}
FRACTIONS = ("confidence", "alpha")  # between 0 and 1, without either


def border(fn: Callable[P, R]) -> Callable[P, R]:
    """Check the arguments of a public function by its annotations and their names.

    Raises
    ------
    InputError
        That says what came and what was wanted.
    BudgetError
        If a number of draws or steps is beyond any budget.
    """
    signature = inspect.signature(fn)

    @functools.cache
    def hints() -> dict[str, Any]:
        variadic = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
        return {n: _resolved(p.annotation, fn) for n, p in signature.parameters.items() if p.kind not in variadic}

    @functools.wraps(fn)
    def checked(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            given = signature.bind(*args, **kwargs).arguments
        except TypeError:
            return fn(*args, **kwargs)  # Python itself says what is missing or too much
        for name, hint in hints().items():
            if name in given:
                check(name, given[name], hint)
        return fn(*args, **kwargs)

    return checked


def _resolved(annotation: Any, fn: Callable[..., Any]) -> Any:
    if not isinstance(annotation, str):
        return annotation
    try:
        return eval(annotation, fn.__globals__)
    except NameError:  # known to type checkers only
        return Any


def check(name: str, value: Any, hint: Any) -> None:
    """Raise unless a value is what a type hint and the argument's name say."""
    options = _options(hint)
    kinds = [kind for option in options if (kind := _kind(option)) is not None]
    if len(kinds) < len(options):
        return  # something that is checked where it is used
    if not any(_is(value, option) for option in options):
        wanted = " or ".join(dict.fromkeys(kinds))
        raise InputError(f"{name} came as {shown(value)}; wanted {wanted}{_range_of(name, options)}")
    if isinstance(value, (int, np.integer)) and not isinstance(value, bool) and name in RANGES:
        least, most = RANGES[name]
        if value < least:
            raise InputError(f"{name} came as {value}; wanted a whole number{_least(least)}")
        if value > most:
            raise BudgetError(f"{name} came as {shown(value)}; at most {most} make sense")
    if name in FRACTIONS and isinstance(value, numbers.Real) and not 0 < float(value) < 1:
        raise InputError(f"{name} came as {shown(value)}; wanted a number between 0 and 1, such as 0.95")


def shown(value: Any) -> str:
    """A value for a message, in few words."""
    if isinstance(value, (bool, int, float, str, type(None), np.generic)):
        text = repr(value)
        return text if len(text) <= 60 else f"{text[:40]}... ({len(text)} characters)"
    shape = getattr(value, "shape", None)
    kind = type(value).__name__
    return _article(kind) + (f" of shape {tuple(shape)}" if isinstance(shape, tuple) else "")


def _article(name: str) -> str:
    return f"{'an' if name[:1] in 'AEIOUaeiou' else 'a'} {name}"


def _options(hint: Any) -> list[Any]:
    if isinstance(hint, types.UnionType) or typing.get_origin(hint) is typing.Union:
        return [option for part in typing.get_args(hint) for option in _options(part)]
    return [hint]


def _kind(option: Any) -> str | None:
    """What an option is called; None for what is not checked here."""
    if typing.get_origin(option) is Literal:
        return "one of " + ", ".join(repr(v) for v in typing.get_args(option))
    known = {int: "a whole number", float: "a finite number", bool: "True or False", str: "text", Path: "a path",
             type(None): "None"}  # fmt: skip
    if _is_sequence(option):
        of = [PLURALS.get(part, "") for part in _options(typing.get_args(option)[0])]
        return f"a list of {' or '.join(of)}" if all(of) else "a list"
    if typing.get_origin(option) is Mapping:
        return "a mapping"
    if isinstance(option, type) and option.__module__.startswith("artiphys") and not typing.is_typeddict(option):
        return None if is_protocol(option) else _article(option.__name__)
    return known.get(option) if isinstance(option, type) else None


def _is(value: Any, option: Any) -> bool:
    if typing.get_origin(option) is Literal:
        # Which of them it is the function itself says, with its own kind of error.
        return isinstance(value, tuple({type(v) for v in typing.get_args(option)}))
    is_flag = isinstance(value, (bool, np.bool_))
    if _is_sequence(option):
        parts = _options(typing.get_args(option)[0])
        if (
            isinstance(value, str)
            or not isinstance(value, (Sequence, Set, np.ndarray, pd.Index))
            or getattr(value, "ndim", 1) != 1
        ):
            return False
        known = all(part in PLURALS for part in parts)
        return not known or all(any(_is(v, part) for part in parts) for v in value)
    if typing.get_origin(option) is Mapping:
        return isinstance(value, Mapping)
    if option is Path:
        return isinstance(value, os.PathLike)
    if option is int:
        return isinstance(value, (int, np.integer)) and not is_flag
    if option is float:
        return isinstance(value, numbers.Real) and not is_flag and math.isfinite(value)
    if option is bool:
        return is_flag
    return isinstance(value, option)


def _is_sequence(option: Any) -> bool:
    return typing.get_origin(option) is Sequence


def _range_of(name: str, options: list[Any]) -> str:
    return _least(RANGES[name][0]) if name in RANGES and int in options else ""


def _least(least: int) -> str:
    return f" of at least {least}" if least else ", 0 or more"
