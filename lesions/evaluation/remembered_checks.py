"""What evaluations found out about a preparation, remembered for the next game on it."""

from __future__ import annotations

from collections.abc import Hashable
from weakref import WeakKeyDictionary

from artiphys.preparation.preparation import Preparation

_checks: WeakKeyDictionary[Preparation, dict[Hashable, str]] = WeakKeyDictionary()
_fastest_rows: WeakKeyDictionary[Preparation, dict[Hashable, int]] = WeakKeyDictionary()


def checks_of(prep: Preparation) -> dict[Hashable, str]:
    """Checks that were made -> why they failed, or "" where they passed."""
    return _checks.setdefault(prep, {})


def fastest_rows_of(prep: Preparation) -> dict[Hashable, int]:
    """Form and number of the trials -> rows per call that were measured to be fastest."""
    return _fastest_rows.setdefault(prep, {})
