"""Numbers in words, for lines that describe a result."""

from __future__ import annotations

from typing import Any

import numpy as np


def brief(values: Any) -> str:
    """One number or the range of many, for a line that describes a result.

    >>> brief(0.5), brief(np.array([0.25, 0.75]))
    ('0.5', '0.25 to 0.75')
    """
    flat = np.asarray(values, dtype=float).ravel()
    known = flat[~np.isnan(flat)]
    if not len(known):
        return "nan"
    low, high = f"{known.min():.3g}", f"{known.max():.3g}"
    return low if low == high else f"{low} to {high}"


def span(low: Any, high: Any) -> str:
    """A range of counts in words.

    >>> span(3, 3), span(3, 5)
    ('3', '3 to 5')
    """
    return f"{int(low)}" if int(low) == int(high) else f"{int(low)} to {int(high)}"
