"""Tasks for tiny recurrent networks, each with the proportion correct of an ideal observer."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from scipy.stats import binom, norm

from artiphys.array_types import Array

Draw = Callable[[int, np.random.Generator], tuple[Array, Array]]

DETECTION_STEPS = 6
EVIDENCE, EVIDENCE_STEPS = 0.2, 16  # mean of a sample of standard deviation 1
REWARD, HAZARD, CHOICE_STEPS = 0.8, 0.1, 10
COHERENCE, MULTISENSORY_STEPS = 0.6, 9


@dataclass(frozen=True)
class Task:
    """A two-way decision at the end of a sequence.

    Attributes
    ----------
    name : str
    n_channels, n_steps : int
    optimum : float
        Proportion correct of an ideal observer.
    source : str
        Where the optimum comes from.
    n_trials : int
        Of the toy; all there are if ``exhaustive``, else as many as are drawn.
    draw : callable
        From a number of trials and a generator to inputs ``(trial, time, channel)`` and labels ``(trial,)`` in {0, 1}.
    """

    name: str
    n_channels: int
    n_steps: int
    optimum: float
    source: str
    n_trials: int
    exhaustive: bool
    draw: Draw = field(repr=False)


def detection_trials(n: int, rng: np.random.Generator) -> tuple[Array, Array]:
    """A flash (channel 0) or a sound (channel 1) at one of the steps, or nothing; all cases over and over."""
    cases = 2 * DETECTION_STEPS
    x = np.zeros((2 * cases, DETECTION_STEPS, 2))
    for i, (channel, step) in enumerate(itertools.product((0, 1), range(DETECTION_STEPS))):
        x[i, step, channel] = 1.0
    labels = np.repeat([1, 0], cases)
    rows = np.arange(n) % len(x)
    return x[rows], labels[rows]


def evidence_trials(n: int, rng: np.random.Generator) -> tuple[Array, Array]:
    """Samples of mean +-.2 and standard deviation 1; which sign?"""
    labels = np.arange(n) % 2
    noise = rng.normal(size=(n, EVIDENCE_STEPS, 1))
    return noise + EVIDENCE * (2 * labels - 1)[:, None, None], labels


def two_lever_trials(n: int, rng: np.random.Generator) -> tuple[Array, Array]:
    """Outcomes (+1 reward, -1 none, 0 not pulled) of two levers pulled at random; which one is the better one now?

    The better lever pays with probability .8, the other with .2; they change places with probability .1 a step.
    """
    moves = rng.uniform(size=(n, CHOICE_STEPS)) < HAZARD
    moves[:, 0] = False
    better = (np.arange(n)[:, None] + moves.cumsum(axis=1)) % 2
    pulled = rng.integers(0, 2, (n, CHOICE_STEPS))
    pays = rng.uniform(size=(n, CHOICE_STEPS)) < np.where(pulled == better, REWARD, 1 - REWARD)
    outcome = np.where(pays, 1.0, -1.0)
    x = np.stack([outcome * (pulled == 0), outcome * (pulled == 1)], axis=2)
    return x, better[:, -1]


def multisensory_trials(n: int, rng: np.random.Generator) -> tuple[Array, Array]:
    """Two fair signs a step, equal with probability .6 for label 1 and with .4 for label 0."""
    labels = np.arange(n) % 2
    first = rng.choice([-1.0, 1.0], (n, MULTISENSORY_STEPS))
    agree = rng.uniform(size=first.shape) < COHERENCE
    second = first * np.where(agree, 1, -1) * (2 * labels - 1)[:, None]
    return np.stack([first, second], axis=2), labels


def two_lever_optimum(reward: float = REWARD, hazard: float = HAZARD, n_steps: int = CHOICE_STEPS) -> float:
    """Proportion correct of the ideal observer, over all sequences of what speaks for either lever.

    A reward at one lever says as much as a missing one at the other, so a step is one bit; the joint probability of
    bits and state goes forward step by step (Glaze et al. 2015, Normative evidence accumulation in unpredictable
    environments).

    >>> round(two_lever_optimum(hazard=0.0, n_steps=9), 4) == round(float(binom.sf(4, 9, 0.8)), 4)
    True
    """
    sequences = np.array(list(itertools.product((0, 1), repeat=n_steps)))
    moved = np.array([[1 - hazard, hazard], [hazard, 1 - hazard]])
    joint = np.full((len(sequences), 2), 0.5)
    for t in range(n_steps):
        likelihood = np.where(sequences[:, t, None] == [0, 1], reward, 1 - reward)
        joint = (joint if t == 0 else joint @ moved) * likelihood
    return float(joint.max(axis=1).sum())


def multisensory_optimum(coherence: float = COHERENCE, n_steps: int = MULTISENSORY_STEPS) -> float:
    """Fuse, then accumulate: whether the signs agree in more than half of an odd number of steps.

    >>> round(multisensory_optimum(), 4)
    0.7334
    """
    return float(binom.sf(n_steps // 2, n_steps, coherence))


N_SAMPLED = 10_000  # standard error of an accuracy: .005 at most

TASKS: dict[str, Task] = {
    t.name: t
    for t in (
        Task("detection", 2, DETECTION_STEPS, 1.0, "nothing is noisy: whatever was seen is remembered",
             4 * DETECTION_STEPS, True, detection_trials),
        Task("accumulation", 1, EVIDENCE_STEPS, float(norm.cdf(EVIDENCE * math.sqrt(EVIDENCE_STEPS))),
             "Phi(mu sqrt T) of the sum of all evidence", N_SAMPLED, False, evidence_trials),
        Task("two_lever", 2, CHOICE_STEPS, two_lever_optimum(),
             "ideal observer of all sequences of outcomes, by the forward algorithm", N_SAMPLED, False,
             two_lever_trials),
        Task("multisensory", 2, MULTISENSORY_STEPS, multisensory_optimum(),
             "fuse, then accumulate: P(Bin(9, .6) >= 5)", N_SAMPLED, False, multisensory_trials),
    )
}  # fmt: skip
