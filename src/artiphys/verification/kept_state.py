"""State of torch and numpy that a method may change, set back after each of them."""

from __future__ import annotations

import contextlib
import random
from collections.abc import Iterator

import numpy as np
import torch


@contextlib.contextmanager
def kept_state() -> Iterator[None]:
    """Gradient mode, default type, threads, floating-point errors and random states are as before, whatever happens."""
    grad, dtype, threads = torch.is_grad_enabled(), torch.get_default_dtype(), torch.get_num_threads()
    drawn, legacy, own = torch.get_rng_state(), np.random.get_state(), random.getstate()
    with np.errstate():
        try:
            yield
        finally:
            torch.set_grad_enabled(grad)
            torch.set_default_dtype(dtype)
            if torch.get_num_threads() != threads:
                torch.set_num_threads(threads)
            torch.set_rng_state(drawn)
            np.random.set_state(legacy)
            random.setstate(own)
