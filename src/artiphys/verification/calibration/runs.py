"""Calibrate: draw data sets of known truth, and count."""

from __future__ import annotations

import time as clock
import warnings
from collections.abc import Sequence

import numpy as np

from artiphys.border import border
from artiphys.errors import InputError, unknown
from artiphys.progress import progress_bar
from artiphys.verification.calibration.claim import Claim
from artiphys.verification.calibration.game_claims import game_claims
from artiphys.verification.calibration.probe_claims import probe_claims
from artiphys.verification.calibration.result import Calibration, Rate
from artiphys.version import __version__

MAX_EMPTY = 50  # draws in a row without an outcome


def claims() -> list[Claim]:
    """Everything that is stated."""
    return [*probe_claims(), *game_claims()]


@border
def calibrate(
    analyses: Sequence[str] | str | None = None, *, runs: int = 200, seed: int = 0, progress: bool = True
) -> Calibration:
    """Measure whether intervals cover and tests reject as often as they say.

    Data sets and random networks are drawn whose truth is known: nothing at all (random weights, labels drawn without
    looking), effects of known size, games whose every value is known.

    Parameters
    ----------
    analyses : optional
        Names such as "decode" or "shapley". Default: all that report an interval or a p-value.
    runs : int
        Independent data sets for each rate. With 200 a rate of .05 is told to within .02 to .09; 2,000 to within .04 to
        .06.
    seed : int

    Returns
    -------
    Calibration
        With exact binomial intervals; `plotting.plot_calibration` draws it.

    Examples
    --------
    >>> import artiphys as ap
    >>> found = ap.calibrate("information", runs=100, progress=False)
    >>> found.passed, found.rates[0].runs
    (True, 100)
    """
    if runs < 20:
        raise InputError(f"runs came as {runs}; wanted 20 or more data sets for each rate")
    every = claims()
    names = list(dict.fromkeys(c.analysis for c in every))
    chosen = names if analyses is None else [analyses] if isinstance(analyses, str) else list(analyses)
    for name in chosen:
        if name not in names:
            raise InputError(unknown("analysis", name, names))
    measured = [c for c in every if c.analysis in chosen]
    if not measured:
        raise InputError(f"analyses came empty; there are {', '.join(names)}")
    rates = []
    with progress_bar("rates", total=len(measured) * runs, show=progress) as bar, warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # few trials are said once a data set
        for claim in measured:
            rates.append(measure(claim, runs, seed, bar.update))
    return Calibration(tuple(rates), seed, __version__)


def measure(claim: Claim, runs: int, seed: int = 0, done: object = None) -> Rate:
    """One claim over so many independent data sets, each from a seed of its own.

    Raises
    ------
    InputError
        If a claim gives no outcome again and again.
    """
    started = clock.perf_counter()
    outcomes: list[np.ndarray[tuple[int, ...], np.dtype[np.generic]]] = []
    number = n = empty = 0
    while n < runs:
        rng = np.random.default_rng([seed, number, *claim.name.encode()])
        found = np.asarray(claim.run(rng))
        number, empty = number + 1, 0 if len(found) else empty + 1
        if empty > MAX_EMPTY:
            raise InputError(f"{claim.name}: {empty} data sets in a row gave no outcome")
        outcomes.append(found[: runs - n])
        n += len(outcomes[-1])
        if callable(done):
            done(len(outcomes[-1]))
    every = np.concatenate(outcomes)
    if every.ndim == 2:  # (low, high, estimate)
        every = (every[:, 0] <= every[:, 2].mean()) & (every[:, 2].mean() <= every[:, 1])
    return Rate(
        claim.analysis, claim.what, claim.design, float(claim.stated), int(every.sum()), len(every),
        clock.perf_counter() - started,
    )  # fmt: skip
