"""Discriminability by a whole population, without the bias of few trials."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.optimize import brentq
from scipy.stats import f as f_distribution
from scipy.stats import ncf

from artiphys.array_types import Array
from artiphys.errors import InputError, StatisticsError
from artiphys.stats.intervals import check_confidence


@dataclass(frozen=True)
class Population:
    """Squared d' of the best linear observer of all units.

    Attributes
    ----------
    d_prime_squared : float
        Bias-corrected, so it may be below 0 where there is nothing.
    plugin : float
        Uncorrected; it grows with the number of units even without any difference.
    p_value : float
        Of Hotelling's F: any difference at all. NaN with ``shuffled``.
    shuffled : bool
        Noise correlations left out.
    """

    d_prime_squared: float
    plugin: float
    p_value: float
    n_units: int
    n_signal: int
    n_noise: int
    shuffled: bool
    _stderr: float

    @property
    def d_prime(self) -> float:
        """Square root of the corrected square; 0 where that is negative."""
        return float(np.sqrt(max(self.d_prime_squared, 0.0)))

    def fisher(self, step: float) -> float:
        """Linear Fisher information, the squared d' by the squared difference of the two stimuli.

        Reference: Kanitscheider et al. 2015, Measuring Fisher information accurately in correlated neural populations.
        """
        if not step > 0:
            raise InputError(f"step came as {step}; wanted the difference of the two stimuli, above 0")
        return self.d_prime_squared / step**2

    def interval(self, confidence: float = 0.95) -> tuple[float, float]:
        """Ends for the squared d': exact for Gaussian activity, by inverting the noncentral F; normal if shuffled."""
        check_confidence(confidence)
        tail = (1 - confidence) / 2
        if self.shuffled:
            half = f_distribution.isf(tail * 2, 1, 10_000) ** 0.5 * self._stderr
            return self.d_prime_squared - half, self.d_prime_squared + half
        df1, df2, scale = self.n_units, self.n_signal + self.n_noise - 1 - self.n_units, _scale(self)
        value = self.plugin * scale * df2 / (df1 * (self.n_signal + self.n_noise - 2))

        def end(level: float) -> float:
            def excess(lam: float) -> float:
                return float(ncf.cdf(value, df1, df2, lam)) - level

            if float(f_distribution.cdf(value, df1, df2)) <= level:
                return 0.0
            high = 1.0
            while excess(high) > 0:
                high *= 2
            return float(brentq(excess, 1e-9, high)) / scale

        return end(1 - tail), end(tail)


def _scale(p: Population) -> float:
    return p.n_signal * p.n_noise / (p.n_signal + p.n_noise)


def population(x: Array, labels: Array, *, shuffled: bool = False) -> Population:
    """Bias-corrected squared d' of activity ``(trial, unit)`` for labels 0 and 1.

    Raises
    ------
    StatisticsError
        If there are too few trials to estimate the covariance, or it is singular.
    """
    one, none = x[labels == 1], x[labels == 0]
    n1, n0, n = len(one), len(none), x.shape[1]
    df, scale = n1 + n0 - 2, len(one) * len(none) / (len(one) + len(none))
    if not shuffled and df - n - 1 <= 0:
        raise StatisticsError(
            f"{n1 + n0} trials cannot tell the covariance of {n} units; wanted more than {n + 3} trials. Take fewer "
            "units, or ask what a reader can do: decode()"
        )
    difference = one.mean(axis=0) - none.mean(axis=0)
    left = np.concatenate([one - one.mean(axis=0), none - none.mean(axis=0)])
    if shuffled:
        var = (left**2).sum(axis=0) / df
        if (var == 0).any():
            raise StatisticsError(f"{int((var == 0).sum())} units are constant within conditions; leave these out")
        each = difference**2 / var
        corrected = each * (df - 2) / df - 1 / scale
        error = np.sqrt(np.sum(4 * np.maximum(corrected, 0) / scale + 2 / scale**2 + 2 * corrected**2 / df))
        return Population(float(corrected.sum()), float(each.sum()), np.nan, n, n1, n0, True, float(error))
    cov = left.T @ left / df
    if np.linalg.matrix_rank(cov, hermitian=True) < n:
        raise StatisticsError("the noise covariance is singular (constant or duplicate units); leave such units out")
    plugin = float(difference @ np.linalg.solve(cov, difference))
    f_value = plugin * scale * (df - n + 1) / (df * n)
    corrected = plugin * (df - n - 1) / df - n / scale
    p = float(f_distribution.sf(f_value, n, df - n + 1))
    return Population(corrected, plugin, p, n, n1, n0, False, np.nan)
