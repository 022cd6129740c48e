"""Warnings that point at the user's own line, however deep in the package they arise."""

from __future__ import annotations

import inspect
import warnings

OURS = {"artiphys", "contextlib", "functools"}  # the latter two call back into the package


def warn(message: str, category: type[Warning] = UserWarning) -> None:
    """Warn as from the innermost caller outside of artiphys."""
    frame = inspect.currentframe()
    level = 0
    while frame is not None and frame.f_globals.get("__name__", "").partition(".")[0] in OURS:
        frame, level = frame.f_back, level + 1
    warnings.warn(message, category, stacklevel=level + 1)
