"""Signal detection theory of hits and false alarms."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from scipy.stats import norm

from artiphys.array_types import Array
from artiphys.errors import InputError, unknown
from artiphys.missing import plain_array
from artiphys.stats.intervals import check_confidence

CORRECTIONS = ("loglinear", "half", "none")


@dataclass(frozen=True)
class SignalDetection:
    """An observer's sensitivity and bias.

    Attributes
    ----------
    d_prime : ``(...)``
        z(hit rate) - z(false-alarm rate).
    criterion : ``(...)``
        -(z(hit rate) + z(false-alarm rate)) / 2; above 0 the observer rather says no.
    likelihood_ratio : ``(...)``
        beta = exp(d' criterion), the ratio of signal to noise density at the criterion.
    d_prime_stderr, criterion_stderr : ``(...)``
        Gourevitch & Galanter 1967, A significance test for one parameter isosensitivity functions.
    """

    d_prime: Array
    criterion: Array
    likelihood_ratio: Array
    d_prime_stderr: Array
    criterion_stderr: Array
    hit_rate: Array
    false_alarm_rate: Array
    correction: str

    def interval(self, what: str = "d_prime", confidence: float = 0.95) -> tuple[Array, Array]:
        """Lower and upper ends of "d_prime" or "criterion", normal."""
        if what not in ("d_prime", "criterion"):
            raise InputError(unknown("measure", what, ["d_prime", "criterion"]))
        check_confidence(confidence)
        half = norm.ppf(0.5 + confidence / 2) * getattr(self, f"{what}_stderr")
        return getattr(self, what) - half, getattr(self, what) + half

    def to_dataframe(self) -> pd.DataFrame:
        """One row an observer."""
        columns = ("hit_rate", "false_alarm_rate", "d_prime", "criterion", "likelihood_ratio")
        return pd.DataFrame({name: np.ravel(getattr(self, name)) for name in columns})


def signal_detection(
    hits: Any, misses: Any, false_alarms: Any, correct_rejections: Any, *, correction: str = "loglinear"
) -> SignalDetection:
    """d', criterion and likelihood ratio from counts.

    Parameters
    ----------
    hits, misses, false_alarms, correct_rejections : counts ``(...)``
    correction : "loglinear", "half" or "none"
        For rates of 0 and 1, whose z is infinite: add .5 to each count (Hautus 1995, Corrections for extreme
        proportions), replace only 0 and n by .5 and n - .5, or do nothing.

    Raises
    ------
    InputError

    >>> s = signal_detection(69146, 30854, 30854, 69146)  # z(.69146) = .5
    >>> round(float(s.d_prime), 3), round(float(s.criterion), 3), round(float(s.likelihood_ratio), 3)
    (1.0, 0.0, 1.0)
    """
    counts = [plain_array(c) for c in (hits, misses, false_alarms, correct_rejections)]
    if any(c.dtype.kind not in "biuf" for c in counts) or any(
        not np.isfinite(c).all() or (c < 0).any() for c in counts
    ):
        raise InputError("counts of hits, misses, false alarms and correct rejections must be 0 or more")
    try:
        hit, miss, alarm, rejection = np.broadcast_arrays(*(c.astype(float) for c in counts))
    except ValueError as error:
        shapes = ", ".join(str(c.shape) for c in counts)
        raise InputError(f"the counts have the shapes {shapes}; wanted one shape, or numbers") from error
    if ((hit + miss) == 0).any() or ((alarm + rejection) == 0).any():
        raise InputError("there are no signal trials, or no noise trials")
    if correction not in CORRECTIONS:
        raise InputError(unknown("correction", correction, CORRECTIONS))
    rates = [_rate(hit, hit + miss, correction), _rate(alarm, alarm + rejection, correction)]
    z = [norm.ppf(r) for r in rates]
    with np.errstate(invalid="ignore", divide="ignore"):
        var = [r * (1 - r) / (n * norm.pdf(q) ** 2) for r, n, q in zip(rates, (hit + miss, alarm + rejection), z)]
        d, c = z[0] - z[1], -(z[0] + z[1]) / 2
        return SignalDetection(
            d, c, np.exp(d * c), np.sqrt(var[0] + var[1]), np.sqrt(var[0] + var[1]) / 2, rates[0], rates[1], correction
        )


def _rate(count: Array, n: Array, correction: str) -> Array:
    if correction == "loglinear":
        return np.asarray((count + 0.5) / (n + 1))
    return np.asarray(np.clip(count, 0.5, n - 0.5) / n if correction == "half" else count / n)
