"""Progress bars: of what takes longer than two seconds, gone when it is done."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from tqdm.auto import tqdm

DELAY_SECONDS = 2


class Bar(tqdm):  # type: ignore[type-arg]
    """A bar that is closed where it was opened, not when its memory is freed: an interrupt there would be lost."""

    __del__ = bool  # type: ignore[assignment]  # called without arguments, in C


def progress_bar(
    description: str,
    *,
    show: bool,
    total: int | None = None,
    unit: str = "it",
    initial: int = 0,
    over: Iterable[Any] | None = None,
) -> Bar:
    """A bar, to be used as a context manager or, with ``over``, to be iterated."""
    return Bar(
        over,
        total=total,
        initial=initial,
        desc=description,
        unit=unit,
        delay=DELAY_SECONDS,
        disable=not show,
        leave=False,
    )
