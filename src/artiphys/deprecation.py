"""Deprecation: what is public goes only after a version in which it still works and says so."""

from __future__ import annotations

from artiphys.user_warnings import warn


def deprecated(name: str, instead: str, removed_in: str) -> None:
    """Warn that a public name will go; for the first line of what still works.

    A `FutureWarning`, which Python shows to everyone: the users of artiphys write scripts, not libraries.

    >>> import warnings
    >>> with warnings.catch_warnings(record=True) as caught:
    ...     warnings.simplefilter("always")
    ...     deprecated("ap.old(x)", "ap.new(x)", "0.4.0")
    >>> str(caught[0].message)
    'ap.old(x) is deprecated and will be removed in artiphys 0.4.0; use ap.new(x)'
    """
    warn(f"{name} is deprecated and will be removed in artiphys {removed_in}; use {instead}", FutureWarning)
