"""Claim: a rate that an analysis states, and how to draw data on which it is known."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np

from artiphys.array_types import Array

What = Literal["false positives", "coverage", "power"]
ALPHA, CONFIDENCE = 0.05, 0.95
ROUNDING = 1e-9  # estimates that are exact have intervals without width


@dataclass(frozen=True)
class Claim:
    """A rate that an analysis states on some kind of data.

    Attributes
    ----------
    analysis : str
    what : str
        "false positives" (at most ``stated``), "coverage" (at least), or "power" (about as much).
    design : str
        The data.
    stated : float
    run : callable
        From a generator of random numbers to the outcomes of independent data sets, drawn anew: bools, whether the
        analysis rejected or its interval covered; or ``(low, high, estimate)`` rows, where the truth is the mean of the
        estimates over all data sets.
    """

    analysis: str
    what: What
    design: str
    stated: float
    run: Callable[[np.random.Generator], Array] = field(repr=False)

    @property
    def name(self) -> str:
        """Analysis, what and design."""
        return f"{self.analysis}: {self.what}, {self.design}"


def covers(interval: tuple[Any, Any], truth: Any) -> Array:
    """Whether each interval holds the truth."""
    low, high = (np.atleast_1d(np.asarray(end, dtype=float)) for end in interval)
    return np.asarray((low - ROUNDING <= truth) & (truth <= high + ROUNDING))


def excludes_zero(interval: tuple[Any, Any]) -> Array:
    """Whether each interval lies on one side of 0."""
    low, high = (np.atleast_1d(np.asarray(end, dtype=float)) for end in interval)
    return np.asarray((low > 0) | (high < 0))


def rejects(p_values: Any) -> Array:
    """Whether each p-value is at most .05."""
    return np.atleast_1d(np.asarray(p_values, dtype=float)) <= ALPHA + 1e-9
