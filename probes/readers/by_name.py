"""Reader by name, or from a scikit-learn estimator."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from artiphys.errors import InputError, unknown
from artiphys.probes.readers.lda import Discriminant
from artiphys.probes.readers.logistic import Logistic
from artiphys.probes.readers.poisson import Poisson
from artiphys.probes.readers.protocol import Reader
from artiphys.probes.readers.ridge import ALPHAS, Ridge
from artiphys.probes.readers.scikit import AnyEstimator

NAMES = ("ridge", "lda", "logistic", "poisson")


def reader_of(
    estimator: Any, n_classes: int, balanced: bool, alphas: Sequence[float] | None, period: float = 0.0
) -> Reader:
    """The reader that ``estimator``, which `check_estimator` has passed, names or is.

    Parameters
    ----------
    estimator
    n_classes : int
        0 for numbers.
    balanced : bool
        Whether all classes have equally many trials; where they do not, they are treated as equally likely.
    alphas : sequence of float, optional
        Penalties of ridge.
    period : float
        Of angles; else 0.

    Raises
    ------
    InputError
        If ``alphas`` are no penalties or go with another reader than ridge.
    """
    if alphas is not None and estimator not in (None, "ridge"):
        raise InputError("alphas are the penalties of the ridge readout; give them with estimator='ridge' only")
    if estimator in (None, "ridge"):
        given = np.atleast_1d(ALPHAS if alphas is None else np.asarray(alphas))
        if given.dtype.kind not in "iuf" or given.ndim != 1:
            raise InputError(f"alphas came as {alphas!r}; wanted one or more positive numbers")
        grid = tuple(float(a) for a in given)
        if not grid or not all(np.isfinite(a) and a > 0 for a in grid):
            raise InputError(f"alphas came as {alphas!r}; wanted one or more positive numbers")
        return Ridge(n_classes, grid, period)
    if estimator == "poisson":
        return Poisson(n_classes, period)
    if estimator == "lda":
        return Discriminant(n_classes, equal_priors=not balanced)
    if estimator == "logistic":
        return Logistic(n_classes, balanced=not balanced)
    return AnyEstimator(estimator, n_classes, period)


def check_estimator(estimator: Any) -> None:
    """Raise `InputError` unless it is a name, or can fit and predict."""
    if estimator is None or isinstance(estimator, str):
        if estimator is not None and estimator not in NAMES:
            raise InputError(unknown("estimator", estimator, NAMES) + "; or give a scikit-learn estimator")
        return
    if isinstance(estimator, type):
        raise InputError(f"estimator came as the class {estimator.__name__}; make one of it: {estimator.__name__}()")
    if not (hasattr(estimator, "fit") and hasattr(estimator, "predict")):
        raise InputError(f"estimator came as {type(estimator).__name__}; wanted a scikit-learn estimator")


def check_offer(reader: Reader, what: str) -> None:
    """Raise `InputError` unless a reader tells "guesses", "evidence" or "probabilities", as a metric needs."""
    if what != "guesses" and what not in reader.offers:
        instead = "'lda', 'logistic' or 'poisson'" if what == "probabilities" else "'ridge', 'lda' or 'logistic'"
        raise InputError(f"this scoring needs {what}, which {reader.name} does not tell; use estimator={instead}")
