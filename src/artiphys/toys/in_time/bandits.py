"""A bandit: the value of an arm, learned from its rewards by the delta rule."""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor, nn

from artiphys import scores
from artiphys.errors import InputError
from artiphys.stimuli import Stimuli
from artiphys.toys.toy import Toy, Truth, linear

N_TRIALS = 20_000  # standard error of a variance: one per cent of it
N_STEPS = 60
WINDOW = range(10, 15)
REWARDS = (1, 5, 20)


class DeltaRule(nn.Module):
    """One trial of a bandit: the error of prediction, and the value corrected by a share of it."""

    def __init__(self, rate: float) -> None:
        super().__init__()
        self.error = linear([[1.0, -1.0]], [0.0])
        self.correction = linear([[rate]], [0.0])

    def forward(self, reward: Tensor, value: Tensor) -> Tensor:
        """Reward and value ``(trial, 1)`` -> new value."""
        new: Tensor = value + self.correction(self.error(torch.cat([reward, value], dim=1)))
        return new


class Bandit(nn.Module):
    """A loop over a cell, from a value of 0; what it ends with is the value of the arm."""

    def __init__(self, rate: float) -> None:
        super().__init__()
        self.cell = DeltaRule(rate)

    def forward(self, x: Tensor) -> Tensor:
        """Rewards ``(trial, time, 1)`` -> value ``(trial,)``."""
        value = x.new_zeros(len(x), 1)
        for t in range(x.shape[1]):
            value = self.cell(x[:, t], value)
        return value[:, 0]


def bandit(rate: float = 0.1, p: float = 0.7, seed: int = 0) -> Toy:
    """V <- V + a (r - V): an arm pays with probability ``p``; in half of the trials (the schedule) it always pays.

    After n rewards V is 1 - (1 - a)^n. Where the arm pays by chance, V comes to have the mean p and the variance
    a / (2 - a) p (1 - p): a constant rate never stops learning from noise (Sutton & Barto 2018, Reinforcement
    Learning, section 2.5). Naive: "error unit and value do the same", since without either nothing is learned in the
    end; lesioned for a while, the one stops learning, and the other forgets.
    """
    if not 0 < rate <= 1:
        raise InputError(f"rate came as {rate}; wanted above 0 (no learning) to 1 (the last reward alone)")
    if not 0.1 <= p <= 0.9:
        raise InputError(f"p came as {p}; wanted .1 to .9")
    rng = np.random.default_rng(seed)
    always = np.tile([True, False], N_TRIALS)
    rewards = np.where(always[:, None], 1.0, rng.random((2 * N_TRIALS, N_STEPS)) < p)
    kept = 1 - rate

    def learned(n_rewards: int) -> float:
        return 1 - kept**n_rewards

    mean = p * learned(N_STEPS)
    variance = rate / (2 - rate) * p * (1 - p) * learned(2 * N_STEPS)
    shares = rate * kept ** np.arange(N_STEPS)
    fourth = float((shares**4).sum()) * p * (1 - p) * (1 - 6 * p * (1 - p))  # cumulant
    mean_error, variance_error = math.sqrt(variance / N_TRIALS), math.sqrt((fourth + 2 * variance**2) / N_TRIALS)
    source = "the value is a sum of a (1 - a)^k r over the rewards k steps before"
    both = "+".join(names := ("cell.0", "cell.error.0"))
    value = (mean + learned(N_STEPS)) / 2
    why = "from a value of 0 nothing is learned without the error unit, and nothing kept without the value"
    window = {
        "cell.error": learned(N_STEPS - len(WINDOW)),  # five rewards are not learned from
        "cell": learned(N_STEPS - WINDOW.stop),  # what was learned before is wiped out too
    }
    truth = (
        Truth("accuracy", {"intact": value}, None, 4 * mean_error / 2, source),
        Truth("learned value", {"mean": mean}, None, 4 * mean_error, f"p, but for (1 - a)^{N_STEPS}; {source}"),
        Truth(
            "variance of the learned value", {"variance": variance}, None, 4 * variance_error,
            f"a / (2 - a) p (1 - p), but for (1 - a)^{2 * N_STEPS}",
        ),
        Truth("value after rewards", {f"{n}": learned(n) for n in REWARDS}, None, 1e-6, "1 - (1 - a)^n"),
        Truth("value after rewards without its error", {f"{n}": 0.0 for n in REWARDS}, "zero", 1e-6, why),
        Truth("value after lesion at steps 10-14", window, "zero", 1e-6, "1 - (1 - a)^n of the rewards that count"),
        Truth("single_lesions", dict.fromkeys(names, value), "zero", 4 * mean_error / 2, why),
        Truth("shapley", dict.fromkeys(names, value / 2), "zero", 4 * mean_error / 2, why),
        Truth("SII", {both: value}, "zero", 4 * mean_error / 2, why),
    )  # fmt: skip
    lesson = "lesioned throughout, error and value seem to do the same; lesioned for a while, only the value forgets"
    schedule = np.where(always, "always", "by chance")
    stimuli = Stimuli(torch.as_tensor(rewards, dtype=torch.float32)[..., None], {"schedule": schedule})
    return Toy("bandit", Bandit(rate), stimuli, always.astype(np.int64), scores.output(), ("cell", "cell.error"), truth,
               lesson, steps=("cell",), exhaustive=False)  # fmt: skip
