"""Specimens by name."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from artiphys.border import border
from artiphys.errors import InputError, unknown
from artiphys.specimens import efficientnet, minilm, smollm2
from artiphys.specimens.specimen import Specimen

_MAKERS: dict[str, Callable[..., Specimen]] = {
    "smollm2-135m": smollm2.load,
    "minilm": minilm.load,
    "efficientnet-lite0": efficientnet.load,
}


def names() -> list[str]:
    """Names of all specimens.

    >>> names()
    ['smollm2-135m', 'minilm', 'efficientnet-lite0']
    """
    return list(_MAKERS)


@border
def load(name: str, **options: Any) -> Specimen:
    """A specimen by name, a fresh model each time.

    Raises
    ------
    InputError
        If there is no such specimen or it takes no such option.
    MissingExtraError
        If its packages are not installed; the error says what to install.
    """
    if name not in _MAKERS:
        raise InputError(unknown("specimen", name, names()))
    return _MAKERS[name](**options)
