"""Dynamics: evidence accumulated over time by one self-connected unit, with a leak or with noise."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import torch
from scipy.stats import norm
from torch import Tensor, nn

from artiphys import scores
from artiphys.array_types import Array
from artiphys.errors import InputError
from artiphys.stimuli import Stimuli
from artiphys.toys.toy import Toy, Truth, linear

N_TRIALS = 20_000  # standard error of an accuracy: .0035


class Cell(nn.Module):
    """One step of a leaky integrator: state <- leak * state + inputs by their weights."""

    def __init__(self, leak: float, weights: Sequence[float] = (1.0,)) -> None:
        super().__init__()
        self.drive, self.recurrent = linear([list(weights)], [0.0]), linear([[leak]], [0.0])

    def forward(self, x: Tensor, state: Tensor) -> Tensor:
        """Inputs ``(trial, input)`` and state ``(trial, 1)`` -> new state."""
        new: Tensor = self.recurrent(state) + self.drive(x)
        return new


class Integrator(nn.Module):
    """A hand-written loop over a cell; the decision is the sign of the last state."""

    def __init__(self, leak: float, weights: Sequence[float] = (1.0,)) -> None:
        super().__init__()
        self.cell = Cell(leak, weights)

    def forward(self, x: Tensor) -> Tensor:
        """Evidence ``(trial, time, input)`` -> decision variable ``(trial,)``."""
        state = x.new_zeros(len(x), 1)
        for t in range(x.shape[1]):
            state = self.cell(x[:, t], state)
        return state[:, 0]


def integrator(leak: float = 1.0, mu: float = 0.1, n_steps: int = 25, seed: int = 0) -> Toy:
    """Sum of evidence s_t ~ N(+-mu, 1) over ``n_steps`` steps, with memory ``leak`` a step.

    The decision variable is sum_k leak^k s, so accuracy is
    Phi(mu * sum_k leak^k / sqrt(sum_k leak^(2k))), and the weight of each step on the choice falls by ``leak`` with
    every step back (Ahumada 1996, Perceptual classification images from Vernier acuity masked by noise). Naive:
    "accuracy is low, so it forgets"; `noisy_integrator` is as inaccurate and forgets nothing.
    """
    lesson = "a lesion of the state forgets the past, a lesion of the input only skips it"
    return _integrating("integrator", _checked(leak, n_steps), 0.0, mu, n_steps, seed, lesson)


def leaky_integrator(leak: float = 0.8, mu: float = 0.1, n_steps: int = 25, seed: int = 0) -> Toy:
    """The `integrator` that forgets, to be held beside a `noisy_integrator` of the same accuracy.

    Naive: "as inaccurate as a noisy one, so it is noisy".
    """
    lesson = "as accurate as a noisy integrator; only the kernel, which falls with every step back, shows the leak"
    return _integrating("leaky_integrator", _checked(leak, n_steps), 0.0, mu, n_steps, seed, lesson)


def noisy_integrator(as_leak: float = 0.8, mu: float = 0.1, n_steps: int = 25, seed: int = 0) -> Toy:
    """A perfect memory whose every step adds noise, as much as makes it no better than an integrator of that leak.

    Noise of its own comes as a second input, so that every run is the same. With noise of variance v a step, accuracy
    is Phi(mu sqrt(n / (1 + v))), and all steps weigh alike (Brunton, Botvinick & Brody 2013, Rats and humans can
    optimally accumulate evidence for decision-making, who tell leak from noise by when evidence counts). Naive:
    "accuracy is low, so it forgets".
    """
    leak = _checked(as_leak, n_steps, "as_leak")
    gains = leak ** np.arange(n_steps)
    noise = math.sqrt(max(0.0, n_steps * (gains**2).sum() / gains.sum() ** 2 - 1))
    lesson = "as inaccurate as a leaky integrator; only the kernel, which is flat, shows that nothing is forgotten"
    return _integrating("noisy_integrator", 1.0, noise, mu, n_steps, seed, lesson)


def _checked(leak: float, n_steps: int, name: str = "leak") -> float:
    if n_steps < 3:
        raise InputError(f"n_steps came as {n_steps}; wanted at least 3 (fewer show no kernel)")
    if not 0 <= leak <= 1:
        raise InputError(f"{name} came as {leak}; wanted 0 (no memory) to 1 (perfect memory)")
    return leak


def _integrating(name: str, leak: float, noise: float, mu: float, n_steps: int, seed: int, lesson: str) -> Toy:
    rng = np.random.default_rng(seed)
    labels = np.tile([0, 1], N_TRIALS // 2)
    x = (rng.normal(size=(N_TRIALS, n_steps)) + mu * (2 * labels - 1)[:, None])[..., None]
    if noise:
        x = np.concatenate([x, rng.normal(size=x.shape)], axis=-1)
    spread = math.sqrt(1 + noise**2)  # of what one step adds

    def distance(kept: list[int]) -> float:
        weights = np.array([leak ** (n_steps - 1 - t) for t in kept])
        return float(mu * weights.sum() / math.sqrt((weights**2).sum()) / spread)

    def hit(kept: list[int]) -> float:
        return float(norm.cdf(distance(kept)))

    source = "Phi(mu sum leak^k / sqrt(sum leak^2k (1 + noise^2))) over the steps whose evidence reaches the end"
    tolerance = 4 * math.sqrt(0.25 / N_TRIALS)
    steps = list(range(n_steps))
    cost, why = {"cell.0": hit(steps) - 0.5}, "without its state it always answers 1"
    truth = [
        Truth("accuracy", {"intact": hit(steps)}, None, tolerance, source),
        Truth("shapley", cost, "zero", tolerance, why),
        Truth("single_lesions", cost, "zero", tolerance, why),
    ]
    if n_steps > 15:
        window = {
            "cell": hit(steps[15:]),  # the state is wiped, with all that came before
            "cell.drive": hit(steps[:10] + steps[15:]),  # only the input of five steps is lost
        }
        truth.append(Truth("accuracy after lesion at steps 10-14", window, "zero", tolerance, source))
    cut = {"always": hit(steps[-1:])}
    if n_steps > 15:
        cut["steps 10-14"] = hit(steps[14:])  # each of them sees its own evidence alone
    truth.append(Truth("accuracy without the self-connection", cut, "zero", tolerance, source))
    truth += _kernel_truths(leak ** np.arange(n_steps)[::-1], spread, distance(steps), leak)
    weights = [1.0, noise] if noise else [1.0]
    stimuli = Stimuli(torch.as_tensor(x, dtype=torch.float32), {"label": labels})
    return Toy(
        name, Integrator(leak, weights), stimuli, labels, scores.accuracy("label", threshold=0.0), ("cell",),
        tuple(truth), lesson, steps=("cell",), exhaustive=False,
    )  # fmt: skip


def _kernel_truths(gains: Array, spread: float, distance: float, leak: float) -> list[Truth]:
    """What a unit of evidence adds to the probability of choice 1, step by step, for either stimulus.

    The slope of least squares of the choice on Gaussian evidence within a stimulus is the mean derivative of its
    probability (Stein's lemma): phi(d) g_t / sd of the decision variable.
    """
    density = float(norm.pdf(distance))
    kernel = density * gains / (math.sqrt((gains**2).sum()) * spread)
    left = float(norm.cdf(distance) * norm.cdf(-distance)) - float((kernel**2).sum())
    stderr = math.sqrt(left / N_TRIALS)
    # Of the rate of the geometric series kernel[-1] leak^k: what a change of the rate does that a gain does not.
    age = np.arange(len(gains))[::-1]
    turn = kernel[-1] * age * leak ** np.maximum(age - 1, 0)
    turn = turn - gains * (turn @ gains) / (gains @ gains)
    decay_stderr = stderr / math.sqrt(float(turn @ turn))
    return [
        Truth(
            "psychophysical kernel", {f"step {t}": float(k) for t, k in enumerate(kernel)}, None, 4 * stderr,
            "phi(d) leak^k / sd of the decision variable, k steps before the end",
        ),
        Truth(
            "kernel decay", {"a step back": leak}, None, 4 * decay_stderr,
            "evidence of a step earlier has gone through one leak more",
        ),
    ]  # fmt: skip
