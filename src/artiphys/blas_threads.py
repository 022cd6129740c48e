"""Threads of linear algebra: one for small matrices, since idle BLAS threads keep the cores busy for a while."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

from threadpoolctl import ThreadpoolController

from artiphys.hooks.shared_setting import SharedSetting

MAX_SMALL_ROWS = 600  # rows up to which a second thread gains less than it costs what comes after


@cache
def _blas() -> Any:
    # Looking for the libraries takes milliseconds, so once.
    return ThreadpoolController().select(user_api="blas")


def _counts() -> list[int]:
    return [library.num_threads for library in _blas().lib_controllers]


def _set_counts(counts: list[int]) -> None:
    for library, count in zip(_blas().lib_controllers, counts or [1] * len(_counts())):
        library.set_num_threads(count)


_ONE_THREAD = SharedSetting[list[int]](_counts, _set_counts, [])


@contextmanager
def few_threads(size: int = 0) -> Iterator[None]:
    """One thread for linear algebra on matrices of ``size`` rows, if they are small."""
    if size > MAX_SMALL_ROWS:
        yield
        return
    with _ONE_THREAD.in_use():
        yield
