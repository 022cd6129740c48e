"""Threads: small matrices get one, because idle threads of a BLAS keep the cores busy that the network needs next."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

from threadpoolctl import ThreadpoolController

SMALL = 600  # rows up to which a second thread gains less than it costs what comes after


@cache
def _blas() -> Any:
    # Looking for the libraries takes milliseconds, so once.
    return ThreadpoolController().select(user_api="blas")


@contextmanager
def few_threads(size: int = 0) -> Iterator[None]:
    """One thread for linear algebra on matrices of ``size`` rows, if they are small."""
    if size > SMALL:
        yield
        return
    with _blas().limit(limits=1):
        yield
