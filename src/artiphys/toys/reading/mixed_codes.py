"""Codes of many conditions: mixed selectivity, abstract and tangled codes, random expansion, sparse codes."""

from __future__ import annotations

import math

import numpy as np
import torch
from scipy.stats import norm
from torch import Tensor, nn

from artiphys import scores
from artiphys.array_types import Array
from artiphys.errors import InputError
from artiphys.stimuli import Stimuli
from artiphys.toys.reading.populations import poisson_counts
from artiphys.toys.reading.readouts import CodeNet, counted, each_unit, four_errors, lesion_truths, units_of
from artiphys.toys.toy import Toy, Truth, linear

_SITES = ("abstract", "tangled")


class _Mixed(nn.Module):
    """Units a, b and a b, each with noise of its own."""

    def forward(self, x: Tensor) -> Tensor:
        """Variables and noises ``(trial, 5)`` -> ``(trial, 3)``."""
        return torch.cat([x[:, :2], x[:, :1] * x[:, 1:2]], dim=1) + x[:, 2:]


def mixed_selectivity(noise: float = 0.2, n_trials: int = 400, seed: int = 0) -> Toy:
    """Two binary variables, each on a unit of its own, and a third unit that mixes them.

    Units are a, b and a b, with noise of standard deviation ``noise``; the readout takes the third alone and so tells
    whether a and b differ.

    Source: Rigotti et al. 2013, The importance of mixed selectivity in complex cognitive tasks. Four conditions have
    14 labellings in two classes that are not trivial. A plane separates 12 of them without the product (all but a
    xor b and its negation) and 14 with it.
    The naive error: each variable decodes at 1.0 with or without the third unit, so it seems to add nothing.
    """
    n_trials = counted("n_trials", n_trials, 80)
    if not 0 <= noise <= 0.25:
        raise InputError(f"noise came as {noise}; wanted 0 to 0.25, where conditions do not overlap")
    rng = np.random.default_rng(seed)
    condition = rng.permutation(np.arange(n_trials) % 4)
    a, b = 2.0 * (condition % 2) - 1, 2.0 * (condition // 2) - 1
    x = np.column_stack([a, b, noise * rng.normal(size=(n_trials, 3))]).astype(np.float32)
    hidden = np.column_stack([a, b, a * b]) + x[:, 2:]
    differ = (a != b).astype(np.int64)
    weights = np.array([0.0, 0.0, -1.0])
    counts = {"hidden.0+hidden.1": 12.0, "hidden.0+hidden.1+hidden.2": 14.0}
    truth = (
        Truth("accuracy", {"intact": 1.0}, None, 4 / n_trials, "a b is 1 or -1, at least four deviations from 0"),
        Truth("decoding", {"a": 1.0, "b": 1.0, "differ": 1.0}, None, 0.02, "conditions do not overlap"),
        Truth("separable dichotomies", counts, None, 0.0, "Cover 1965: all but exclusive or and its negation"),
        *lesion_truths(hidden * weights, differ, each_unit(3)),
    )
    conditions = {"condition": condition, "a": (a > 0).astype(int), "b": (b > 0).astype(int), "differ": differ}
    lesson = "both variables decode at 1.0 without the mixed unit; it alone makes the last two of 14 dichotomies linear"
    return Toy("mixed_selectivity", CodeNet(_Mixed(), weights), Stimuli(torch.as_tensor(x), conditions), differ,
               scores.accuracy("differ", threshold=0.0), ("hidden",), truth, lesson, exhaustive=False)  # fmt: skip


class ContextNet(nn.Module):
    """An abstract and a tangled code of one signal in two contexts; the latter alone is read."""

    def __init__(self) -> None:
        super().__init__()
        self.abstract = linear([[1.0, 0.0, 1.0, 0.0, 0.0, 0.0], [0.0, 1.0, 0.0, 1.0, 0.0, 0.0]], [0.0, 0.0])
        self.tangled = _Tangled()
        self.readout = linear([[0.0, 0.0, 1.0, 1.0]], [0.0])

    def forward(self, x: Tensor) -> Tensor:
        """Signal, context and four noises ``(trial, 6)`` -> ``(trial,)``."""
        y: Tensor = self.readout(torch.cat([self.abstract(x), self.tangled(x)], dim=1))
        return y[:, 0]


class _Tangled(nn.Module):
    """One unit for each context, silent but for noise in the other."""

    def forward(self, x: Tensor) -> Tensor:
        """Signal, context and noises -> ``(trial, 2)``."""
        signal, context = x[:, :1], x[:, 1:2]
        return torch.cat([signal * (1 - context), signal * context], dim=1) + x[:, 4:]


def abstract_code(noise: float = 0.5, n_trials: int = 4000, seed: int = 0) -> Toy:
    """A signal that lies on one axis in both contexts at one site, and on an axis for each at another.

    The signal s = +-1 and the context c = 0 or 1 are independent. Site ``abstract`` holds s and c, site ``tangled``
    s where c = 0 and s where c = 1, with noise of standard deviation ``noise``. The readout sums the tangled units.

    Source: Bernardi et al. 2020, The geometry of abstraction in the hippocampus and prefrontal cortex. A reader that
    was trained in one context is right in the other with Phi(1 / noise) at the abstract site, with 1/2 at the tangled.
    The naive error: within a context both sites decode alike.
    """
    n_trials = counted("n_trials", n_trials, 400)
    if not 0.25 <= noise <= 2:
        raise InputError(f"noise came as {noise}; wanted 0.25 to 2, where readers differ")
    rng = np.random.default_rng(seed)
    cell = rng.permutation(np.arange(n_trials) % 4)
    s, context = 2 * (cell % 2) - 1, cell // 2
    x = np.column_stack([s, context, noise * rng.normal(size=(n_trials, 4))]).astype(np.float32)
    label = (s > 0).astype(np.int64)
    tangled = np.column_stack([s * (1 - context), s * context]) + x[:, 4:].astype(float)
    hit, read = (float(norm.cdf(1 / (noise * math.sqrt(n)))) for n in (1, 2))
    within = {f"{site} {c}→{c}": hit for site in ("abstract", "tangled") for c in (0, 1)}
    across = {f"{site} {c}→{1 - c}": p for site, p in (("abstract", hit), ("tangled", 0.5)) for c in (0, 1)}
    # Of trials of one context. A trained axis is off by noise / sqrt(n): most where the signal is on the other one.
    off = norm.pdf(0) / math.sqrt(n_trials / 2)
    names = {f"{site}.{u}": [u + 2 * k] for k, site in enumerate(_SITES) for u in (0, 1)}
    played = lesion_truths(np.hstack([0 * tangled, tangled]), label, names)
    truth = (
        Truth("accuracy", {"intact": read}, None, four_errors(n_trials, read), "Phi(1 / (noise sqrt 2)): two noises"),
        Truth("decoding across contexts", within | across, None, math.hypot(four_errors(n_trials // 2), 4 * off),
              "Phi(1 / noise) where the signal is on the axis of training, 1/2 where it is on the other"),
        *played,
    )  # fmt: skip
    conditions = {"label": label, "context": context}
    lesson = "both sites decode alike within a context; readers of the tangled one, which is used, fail in the other"
    return Toy("abstract_code", ContextNet(), Stimuli(torch.as_tensor(x), conditions), label,
               scores.accuracy("label", threshold=0.0), _SITES, truth, lesson, exhaustive=False)  # fmt: skip


def random_expansion(n_units: int = 512, n_trials: int = 10, seed: int = 0) -> Toy:
    """Six bits expanded by random rectified units: every labelling of the 64 patterns can be read.

    Every pattern is shown ``n_trials`` times, with noise of .01 on its bits. Half of the units tell the parity of the
    bits by a readout fitted to the 64 patterns; the others are not read.

    Source: Hewitt & Liang 2019, Designing and Interpreting Probes with Control Tasks. With patterns left out, a reader
    whose kernel depends on the distance of patterns alone predicts parity y as y (1 - k), where k, the inverse of
    parity's eigenvalue by the mean inverse of all, exceeds 1 as that eigenvalue is the smallest: every left-out
    pattern is read wrongly.
    The naive error: parity decodes at 1.0, as do random labels of the patterns.
    """
    n_units, n_trials = counted("n_units", n_units, 256, even=True), counted("n_trials", n_trials, 10)
    rng = np.random.default_rng(seed)
    bits = (np.arange(64)[:, None] >> np.arange(6)) & 1
    pattern = rng.permutation(np.tile(np.arange(64), n_trials))
    mixing, offset = rng.normal(size=(n_units, 6)).astype(np.float32), rng.normal(size=n_units).astype(np.float32)
    x = (bits[pattern] + 0.01 * rng.normal(size=(len(pattern), 6))).astype(np.float32)
    parity = bits.sum(axis=1) % 2
    weights = np.zeros(n_units)
    half = n_units // 2
    clean = np.maximum(bits @ mixing.T.astype(float) + offset, 0)[:, :half]
    # Small weights, so that the noise of the bits is not blown up.
    weights[:half] = clean.T @ np.linalg.solve(clean @ clean.T + 1e-3 * np.eye(64), 2.0 * parity - 1)
    hidden = np.maximum(x.astype(float) @ mixing.T.astype(float) + offset, 0)
    groups = {"read": range(half), "unread": range(half, n_units)}
    truth = (
        Truth("accuracy", {"intact": 1.0}, None, 0.0, "fitted to the 64 patterns"),
        Truth("decoding", {"parity": 1.0}, None, 0.01, "64 patterns are separable in any way"),
        Truth("control-task selectivity", {"parity": 0.0}, None, 0.01, "random labels decode as well"),
        Truth("decoding of patterns left out", {"parity": 0.0, "bit 0": 1.0}, None, 0.05, "the eigenvalues above"),
        *lesion_truths(hidden * weights, parity[pattern], groups),
    )
    code = nn.Sequential(linear(mixing.tolist(), offset.tolist()), nn.ReLU())
    conditions = {"pattern": pattern, "parity": parity[pattern], "bit 0": bits[pattern, 0]}
    lesson = "parity decodes at 1.0, as any labelling of the patterns does; of patterns left out it is read wrongly"
    return Toy("random_expansion", CodeNet(code, weights), Stimuli(torch.as_tensor(x), conditions), parity[pattern],
               scores.accuracy("parity", threshold=0.0), ("hidden",), truth, lesson, exhaustive=False,
               connections=units_of(groups))  # fmt: skip


class _Rates(nn.Module):
    """Rates of four units to stimuli by number, and Poisson counts of the last two by inversion."""

    rates: Tensor

    def __init__(self, rates: Array, noisy: list[bool]) -> None:
        super().__init__()
        self.register_buffer("rates", torch.as_tensor(rates, dtype=torch.float32))
        self.noisy = noisy

    def forward(self, x: Tensor) -> Tensor:
        """Stimulus, one-hot, and a uniform noise for each noisy unit -> activity ``(trial, unit)``."""
        n = self.rates.shape[1]
        mean = x[:, :n] @ self.rates.T
        counts = poisson_counts(mean[:, self.noisy], x[:, n:])
        return torch.cat([mean[:, [not y for y in self.noisy]], counts], dim=1)


def sparse_code(n_stimuli: int = 128, n_trials: int = 4, rate: float = 5.0, seed: int = 0) -> Toy:
    """A sparse, a broad and a flat unit, and two flat ones that are noisy.

    Units 0, 1 and 2 are active for one stimulus, for half of them and for all, without noise; units 3 and 4 are
    Poisson counts of mean ``rate`` for all stimuli. The readout takes unit 1, which tells the halves apart.

    Source: Treves & Rolls 1991, What determines the capacity of autoassociative memories in the brain?
    S = (1 - A) / (1 - 1/n) with A the share of active stimuli, and 1 / (1 + m K) for a flat Poisson unit of mean m in
    K trials; Skaggs et al. 1993, An information-theoretic approach to deciphering the hippocampal code, log2(1/A) bits
    a spike, and without the bias (n - 1) / (2 N ln 2) of N spikes nothing for a flat unit.
    The naive error: the sparsest unit seems to carry the code, and noisy flat units seem sparse and informed.
    """
    n_stimuli, n_trials = counted("n_stimuli", n_stimuli, 16, even=True), counted("n_trials", n_trials, 2)
    if not rate > 0:
        raise InputError(f"rate came as {rate}; wanted above 0")
    n = n_stimuli
    rates = np.zeros((5, n))
    rates[0, 0], rates[1, n // 2 :], rates[2:] = rate, rate, rate
    rng = np.random.default_rng(seed)
    stimulus = rng.permutation(np.tile(np.arange(n), n_trials))
    uniform = rng.random((len(stimulus), 2))
    x = np.hstack([np.eye(n)[stimulus], uniform]).astype(np.float32)
    names = [f"stimulus {k}" for k in stimulus]
    late = (stimulus >= n // 2).astype(np.int64)
    weights = np.array([0.0, 1.0, 0.0, 0.0, 0.0])
    spikes = rate * n * n_trials
    noisy = 1 / (1 + rate * n_trials)
    sparse = {"hidden.0": 1.0, "hidden.1": 0.5 / (1 - 1 / n), "hidden.2": 0.0}
    informed = {"hidden.0": math.log2(n), "hidden.1": 1.0, "hidden.2": 0.0}
    flat = ("hidden.3", "hidden.4")
    error = 4 * math.sqrt(2 / (n - 1))  # of a variance of n values, relative to it
    bias = (n - 1) / (2 * spikes * math.log(2))
    truth = (
        Truth("accuracy", {"intact": 1.0}, None, 0.0, "unit 1 is active for the labelled half"),
        Truth("lifetime sparseness", sparse, None, 1e-6, "(1 - A) / (1 - 1/n), A the share of active stimuli"),
        Truth("lifetime sparseness of noise", dict.fromkeys(flat, noisy), None, error * noisy, "1 / (1 + m K)"),
        Truth("Skaggs information", informed, None, 1e-6, "log2 of one by the share of active stimuli [bits/spike]"),
        Truth("Skaggs information of noise", dict.fromkeys(flat, 0.0), None, error * bias,
              "a flat unit tells nothing; chi squared of n - 1 by 2 N ln 2"),
        *lesion_truths(rates[:, stimulus].T * weights, late, each_unit(5), -1.0),
    )  # fmt: skip
    net = CodeNet(_Rates(rates, [False, False, False, True, True]), weights, -1.0)
    lesson = "the sparsest unit (S 1, 7 bits a spike) is not read; flat noisy units seem sparse (S 1 / (1 + m K))"
    return Toy("sparse_code", net, Stimuli(torch.as_tensor(x), {"stimulus": names, "late": late}), late,
               scores.accuracy("late", threshold=0.0), ("hidden",), truth, lesson, exhaustive=False)  # fmt: skip
