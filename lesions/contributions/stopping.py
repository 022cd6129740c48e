"""Stopping rule: looks at the intervals on a schedule fixed in advance."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

from artiphys.array_types import Array
from artiphys.lesions.estimators.estimate import MIN_DF, Estimate, least_df
from artiphys.progress import progress_bar
from artiphys.stats.intervals import t_interval_each

SCHEDULE_GROWTH = 1.5


def schedule(least: int, most: int) -> Iterator[int]:
    """Samples at each look: from ``least``, half as many again each time, to ``most``.

    >>> list(schedule(100, 400))
    [100, 150, 225, 337, 400]
    """
    samples = float(least)
    while samples < most:
        yield int(samples)
        samples *= SCHEDULE_GROWTH
    yield most


def half_widths(estimate: Estimate, confidence: float) -> Array:
    """Half of each interval over coalitions ``(player, output)``."""
    if estimate.stderr is None or estimate.df is None:
        return np.zeros((1, 1))
    low, high = t_interval_each(np.zeros_like(estimate.stderr), estimate.stderr, estimate.df, confidence)
    return np.asarray(high - low) / 2


def until(
    sample: Callable[[int], tuple[Estimate, Array]],
    least: int,
    most: int,
    tolerance: float | None,
    confidence: float,
    top_k: int | None,
    progress: bool,
) -> tuple[Estimate, str]:
    """The estimate at the first look whose intervals are narrow enough, or at ``most`` samples; and a remark.

    ``sample`` gives the estimate from so many samples, and its values ``(player, output)``.
    """
    if tolerance is None:
        return sample(most)[0], ""
    whose = "every half-width" if top_k is None else f"the half-widths of the {top_k} largest"
    with progress_bar("samples", total=most, show=progress) as bar:
        for samples in schedule(least, most):
            estimate, values = sample(samples)
            bar.update(samples - bar.n)
            widths = half_widths(estimate, confidence).max(axis=1)
            if top_k is not None and len(widths) > top_k:
                widths = widths[np.argsort(-np.abs(values).max(axis=1), kind="stable")[:top_k]]
            widest = float(widths.max())
            if widest <= tolerance and least_df(estimate, values) >= MIN_DF:
                return estimate, f"; stopped at {samples} pairs, {whose} at most {tolerance:g}"
    return estimate, f"; the tolerance {tolerance:g} was not reached within the budget: {whose} at most {widest:.3g}"
