"""Populations whose information is known: Poisson units with bumps, and correlations that limit information."""

from __future__ import annotations

import math

import numpy as np
import torch
from scipy.special import ive
from scipy.stats import ncf, norm
from torch import Tensor, nn

from artiphys import scores
from artiphys.array_types import Array
from artiphys.errors import InputError
from artiphys.stimuli import Stimuli
from artiphys.toys.reading.readouts import CodeNet, counted, four_errors, lesion_truths, units_of
from artiphys.toys.toy import Toy, Truth, linear


def poisson_counts(mean: Tensor, uniform: Tensor) -> Tensor:
    """Counts whose distribution function first reaches the uniform number, in double precision."""
    rate, u = mean.double(), uniform.double()
    term = torch.exp(-rate)
    total, count = term.clone(), torch.zeros_like(rate)
    for k in range(1, int(float(rate.max()) + 12 * math.sqrt(float(rate.max())) + 20)):
        count = count + (u > total)
        term = term * rate / k
        total = total + term
    return torch.where(torch.isnan(mean), mean, count.to(mean.dtype))


class BumpUnits(nn.Module):
    """Poisson counts of units whose rates are bumps A exp(k (cos(theta - preferred) - 1))."""

    preferred: Tensor

    def __init__(self, preferred: Array, rate: float, concentration: float) -> None:
        super().__init__()
        self.register_buffer("preferred", torch.as_tensor(preferred, dtype=torch.float32))
        self.rate, self.concentration = rate, concentration

    def forward(self, x: Tensor) -> Tensor:
        """Angle, and a uniform noise for each unit ``(trial, 1 + unit)`` -> counts ``(trial, unit)``."""
        away = torch.cos(x[:, :1].double() - self.preferred.double())
        return poisson_counts(self.rate * torch.exp(self.concentration * (away - 1)), x[:, 1:]).to(x.dtype)


def poisson_population(
    n_units: int = 32,
    rate: float = 10.0,
    concentration: float = 2.0,
    step: float = 0.2,
    n_trials: int = 4000,
    seed: int = 0,
) -> Toy:
    """Independent Poisson units with von Mises tuning, before and behind an angle of 0.

    Angles are +-``step`` / 2 [radians]. Units on the two flanks are read with the best weights f' / f; unit 0, which
    prefers 0 and is the most active, and its opposite are not read, as their best weight is 0.

    Source: Seung & Sompolinsky 1993, Simple models for reading neuronal population codes. The Fisher information of N
    units in a time T is T N A k exp(-k) I1(k): the mean over units of f'^2 / f.
    The naive error: the most active unit is taken for the most informative; it tells nothing of small steps.
    """
    n_units, n_trials = counted("n_units", n_units, 8, even=True), counted("n_trials", n_trials, 200, even=True)
    if not rate > 0 or not concentration > 0 or not 0 < step <= 0.5:
        raise InputError(
            f"rate, concentration and step came as {rate}, {concentration}, {step}; wanted above 0, step up to 0.5"
        )
    preferred = (2 * math.pi / n_units * np.arange(n_units)).astype(np.float32)
    rng = np.random.default_rng(seed)
    ahead = rng.permutation(np.arange(n_trials) % 2)
    uniform = rng.random((n_trials, n_units))
    x = np.column_stack([step * (ahead - 0.5), uniform]).astype(np.float32)
    # f' / f at 0 is k sin(preferred): 0 for the unit that prefers 0 and for the opposite one.
    weights = np.sin(2 * math.pi / n_units * np.arange(n_units))
    weights[[0, n_units // 2]] = 0
    mean = rate * np.exp(concentration * (np.cos(x[:, :1].astype(float) - preferred) - 1))
    counts = poisson_counts(torch.as_tensor(mean), torch.as_tensor(x[:, 1:])).numpy()
    fisher = n_units * rate * concentration * float(ive(1, concentration))
    right = float(norm.cdf(step * math.sqrt(fisher) / 2))
    half = n_units // 2
    groups = {"ahead": range(1, half), "behind": range(half + 1, n_units), "on top": [0, half]}
    best = math.acos((math.sqrt(1 + concentration**2) - 1) / concentration)  # where f'^2 / f is largest
    flank = round(n_units * best / (2 * math.pi))
    flat, steep = (rate * np.exp(concentration * (np.cos(step * np.array([0.5, -0.5]) - preferred[u]) - 1))
                   for u in (0, flank))  # fmt: skip
    each = {f"hidden.{u}": float((f[0] - f[1]) / math.sqrt(f.mean())) for u, f in ((0, flat), (flank, steep))}
    truth = (
        Truth("accuracy", {"intact": right}, None, four_errors(n_trials, right), "Phi(d' / 2), d' = step sqrt(J)"),
        Truth("Fisher information", {"hidden": fisher}, None, _fisher_error(fisher, step, n_units, n_trials // 2),
              "T N A k exp(-k) I1(k) with T = 1"),
        Truth("d_prime", each, None, 4 * math.sqrt(4 / n_trials), "difference of rates by the root of their mean"),
        *lesion_truths(counts * weights, ahead, groups),
    )  # fmt: skip
    net = CodeNet(BumpUnits(preferred, rate, concentration), weights)
    stimuli = Stimuli(torch.as_tensor(x), {"ahead": ahead, "angle": x[:, 0], "step": np.full(n_trials, step)})
    lesson = "the most active unit lies on top of its tuning curve and tells nothing; the flanks hold the information"
    return Toy("poisson_population", net, stimuli, ahead, scores.accuracy("ahead", threshold=0.0), ("hidden",), truth,
               lesson, exhaustive=False, connections=units_of(groups))  # fmt: skip


def fisher_population(
    information: float = 7.23,
    independent: float = 22.8,
    n_units: int = 200,
    n_trials: int = 1000,
    step: float = 0.2828,
    seed: int = 0,
) -> Toy:
    """A population whose noise moves it along its own signal, so that information is limited.

    Slopes f' are equal, f'^2 summing to ``independent``; the covariance of the noise is I + eps f' f'^T, and the
    linear Fisher information f'^T S^-1 f' = J0 / (1 + eps J0) is ``information``. Each of two stimuli a ``step`` apart
    is shown ``n_trials`` times. Half of the units are read, by the best weights.

    Source: Moreno-Bote et al. 2014, Information-limiting correlations; Kanitscheider et al. 2015, Measuring Fisher
    information accurately in correlated neural populations.
    The naive error: the plug-in estimate grows with the number of units whatever they hold, and shuffling trials
    takes out the very noise that limits (21.86 instead of 7.23 with 50 units).
    """
    n_units, n_trials = counted("n_units", n_units, 4, even=True), counted("n_trials", n_trials, 10)
    if not 0 < information < independent or not step > 0:
        raise InputError(
            f"information, independent and step came as {information}, {independent}, {step}; wanted 0 < information < "
            "independent, step above 0"
        )
    if 2 * n_trials - n_units < 8:
        raise InputError(f"{n_trials} trials of each stimulus cannot tell the covariance of {n_units} units; give more")
    slope = np.float32(math.sqrt(independent / n_units))
    eps = 1 / information - 1 / independent
    rng = np.random.default_rng(seed)
    y = rng.permutation(np.arange(2 * n_trials) % 2)
    x = np.column_stack([step * (y - 0.5), rng.normal(size=(len(y), n_units + 1))]).astype(np.float32)
    mixing = np.column_stack([np.full(n_units, slope), np.full(n_units, slope * math.sqrt(eps)), np.eye(n_units)])
    mixing = mixing.astype(np.float32)
    hidden = x.astype(float) @ mixing.T.astype(float)
    half = n_units // 2
    weights = np.r_[np.ones(half), np.zeros(n_units - half)]
    share = independent * half / n_units
    read = share / (1 + eps * share)
    groups = {"first quarter": range(half // 2), "second quarter": range(half // 2, half),
              "unread half": range(half, n_units)}  # fmt: skip
    truth = (
        Truth("accuracy", {"intact": float(norm.cdf(step * math.sqrt(read) / 2))}, None, four_errors(len(y)),
              "Phi(step sqrt(J) / 2) with J of half of the units"),
        Truth("Fisher information", {"hidden": information}, None,
              _fisher_error(information, step, n_units, n_trials), "J0 / (1 + eps J0)"),
        *lesion_truths(hidden * weights, y, groups),
    )  # fmt: skip
    lesson = "half of the units hold 5.5 of 7.2; counting units or shuffling trials says much more"
    stimuli = Stimuli(torch.as_tensor(x), {"label": y, "step": np.full(len(y), step)})
    return Toy("fisher_population", CodeNet(linear(mixing.tolist(), [0.0] * n_units), weights), stimuli, y,
               scores.accuracy("label", threshold=0.0), ("hidden",), truth, lesson, exhaustive=False,
               connections=units_of(groups))  # fmt: skip


def _fisher_error(information: float, step: float, n_units: int, n_trials: int) -> float:
    """Four standard deviations of the bias-corrected estimate from Gaussian trials, by the noncentral F."""
    df, scale = 2 * n_trials - 2, n_trials / 2
    plugin = ncf.var(n_units, df - n_units + 1, scale * information * step**2) ** 0.5
    of_plugin = plugin * df * n_units / (scale * (df - n_units + 1))
    return float(4 * of_plugin * (df - n_units - 1) / df / step**2)
