"""Threads of linear algebra: one for small matrices, since idle BLAS threads keep the cores busy for a while."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

from threadpoolctl import ThreadpoolController

MAX_SMALL_ROWS = 600  # rows up to which a second thread gains less than it costs what comes after


@cache
def _blas() -> Any:
    # Looking for the libraries takes milliseconds, so once.
    return ThreadpoolController().select(user_api="blas")


@contextmanager
def few_threads(size: int = 0) -> Iterator[None]:
    """One thread for linear algebra on matrices of ``size`` rows, if they are small."""
    if size > MAX_SMALL_ROWS:
        yield
        return
    with _blas().limit(limits=1):
        yield
