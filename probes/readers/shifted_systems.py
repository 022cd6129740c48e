"""Solutions of (A + shift) x = b for many shifts and few right-hand sides, through one tridiagonal reduction.

An eigendecomposition of a symmetric matrix costs several times its reduction to tridiagonal form, and with that form
every shift is solved in linear time. LAPACK's routines are called past Python's lock, so that matrices share the cores.
"""

from __future__ import annotations

import ctypes
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import torch
from jaxtyping import Float

from artiphys.array_types import Array
from artiphys.blas_threads import few_threads
from artiphys.third_party import lapack_routine

MAX_COLUMNS = 64  # with more right-hand sides an eigendecomposition serves better
MIN_SIZE = 48  # smaller matrices are decomposed faster in one batch


def suits(size: int, columns: int, device: torch.device) -> bool:
    """Whether matrices of this size and number of right-hand sides are solved faster here."""
    return size >= MIN_SIZE and columns <= MAX_COLUMNS and device.type == "cpu"


def solve_shifted(
    matrices: Float[torch.Tensor, "matrix row row"],
    right: Float[torch.Tensor, "matrix row column"],
    shifts: Float[torch.Tensor, " shift"],
) -> Float[torch.Tensor, "matrix shift row column"]:
    """Solutions ``(matrix, shift, row, column)`` for symmetric matrices and positive shifts.

    Parameters
    ----------
    matrices : ``(matrix, row, row)``
    right : ``(matrix, row, column)``
    shifts : ``(shift,)``
    """
    a, b = matrices.numpy(), right.numpy()
    solutions = np.empty((len(a), len(shifts), *b.shape[1:]))

    def one(i: int) -> None:
        solutions[i] = _solved(a[i], b[i], shifts.numpy())

    with few_threads(), ThreadPoolExecutor(max(1, torch.get_num_threads())) as pool:
        list(pool.map(one, range(len(a))))
    return torch.from_numpy(solutions)


def _solved(
    matrix: Float[Array, "row row"], right: Float[Array, "row column"], shifts: Float[Array, " shift"]
) -> Float[Array, "shift row column"]:
    n, columns = right.shape
    a = matrix.copy()  # by rows or, as LAPACK reads it, by columns: a symmetric matrix is the same
    d, e, tau = np.empty(n), np.empty(n - 1), np.empty(n - 1)
    work = np.empty(64 * max(n, columns * len(shifts)))
    _call("dsytrd", b"L", n, a, n, d, e, tau, work, len(work))
    turned = np.array(right, order="F")
    _call("dormtr", b"L", b"L", b"T", n, columns, a, n, tau, turned, n, work, len(work))
    every = np.empty((n, columns * len(shifts)), order="F")
    for s, shift in enumerate(shifts):
        part = every[:, s * columns : (s + 1) * columns]
        part[:] = turned
        _call("dptsv", n, columns, d + shift, e.copy(), part, n)
    _call("dormtr", b"L", b"L", b"N", n, every.shape[1], a, n, tau, every, n, work, len(work))
    return np.asarray(every.T.reshape(len(shifts), columns, n).transpose(0, 2, 1))


def _call(name: str, *arguments: Any) -> None:
    """Call a LAPACK routine by pointers; the status comes last."""
    info = ctypes.c_int(0)
    pointers: list[Any] = [_pointed(a) for a in arguments]
    lapack_routine(name, len(arguments) + 1)(*(p for p, _ in pointers), ctypes.addressof(info))
    if info.value:
        raise np.linalg.LinAlgError(f"{name} failed ({info.value}): a matrix of the readout is not positive")


def _pointed(value: Any) -> tuple[int, Any]:
    """Address of a value, and what keeps it alive."""
    if isinstance(value, np.ndarray):
        return value.ctypes.data, value
    held = ctypes.create_string_buffer(value) if isinstance(value, bytes) else ctypes.c_int(value)
    return ctypes.addressof(held), held
