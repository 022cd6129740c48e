"""Confounds: what is decoded is the session, the luminance, or what two models share."""

from __future__ import annotations

import math

import numpy as np
import torch
from scipy.stats import norm
from torch import Tensor, nn

from artiphys import scores
from artiphys.errors import InputError
from artiphys.stimuli import Stimuli
from artiphys.toys.reading.readouts import CodeNet, counted, each_unit, four_errors, lesion_truths
from artiphys.toys.toy import Toy, Truth, linear

READ = [1.0, 0.5]  # readout weights of the units that a decision takes


def sessions(n_sessions: int = 12, n_trials: int = 20, n_units: int = 10, n_labellings: int = 16, seed: int = 0) -> Toy:
    """Sessions that differ, labels that are constant in a session, and no information.

    Every session moves all units by N(0, 1), every trial by N(0, 1) more. Labels are drawn for whole sessions, half of
    them 1, ``n_labellings`` times over: conditions "label 0", "label 1", ... The condition "day" tells sessions apart
    (of columns called session the probes would refuse the naive analysis). The decision reads two units alone.

    Source: Varoquaux et al. 2017, Assessing and tuning brain decoders: cross-validation, caveats, and guidelines.
    The naive error: folds that split sessions recognise these and score .73.
    """
    n_sessions = counted("n_sessions", n_sessions, 8, even=True)
    n_trials, n_units = counted("n_trials", n_trials, 2), counted("n_units", n_units, 2)
    n_labellings = counted("n_labellings", n_labellings, 1)
    rng = np.random.default_rng(seed)
    session = np.arange(n_sessions * n_trials) // n_trials
    x = np.hstack([rng.normal(size=(n_sessions, n_units))[session], rng.normal(size=(len(session), n_units))])
    x = x.astype(np.float32)
    weights = np.array(READ + [0.0] * (n_units - 2))
    hidden = x[:, :n_units].astype(float) + x[:, n_units:]
    choice = (hidden @ weights >= 0).astype(np.int64)
    columns = {f"label {k}": rng.permutation(np.arange(n_sessions) % 2)[session] for k in range(n_labellings)}
    spread = 0.5 / math.sqrt(n_sessions)  # of one labelling's score, as if each session were right or wrong as a whole
    truth = (
        Truth("accuracy", {"intact": 1.0}, None, 1e-6, "the labels are the intact network's choices"),
        Truth(
            "decoding above its null, days kept together", {"mean over labellings": 0.0}, None,
            4 * spread / math.sqrt(n_labellings),
            "labels of whole sessions were drawn at random, so their score is one of its own null",
        ),
        *lesion_truths(hidden * weights, choice, each_unit(n_units)),
    )  # fmt: skip
    shift = np.hstack([np.eye(n_units)] * 2).tolist()
    stimuli = Stimuli(torch.as_tensor(x), {"choice": choice, "day": session, **columns})
    lesson = "k-fold decoding of a label that sessions share scores .73 where there is nothing"
    return Toy("sessions", CodeNet(linear(shift, [0.0] * n_units), weights), stimuli, choice,
               scores.accuracy("choice", threshold=0.0), ("hidden",), truth, lesson, exhaustive=False)  # fmt: skip


def luminance(error: float = 1.0, n_trials: int = 4000, seed: int = 0) -> Toy:
    """A unit that follows luminance, which follows the category: given luminance it says nothing.

    Category y is 0 or 1, luminance l = y + N(0, 1), unit u = l + N(0, .25) in variance. The condition "luminance"
    is l, and "luminance measured" is l + N(0, ``error``^2). The second unit is noise and not read.

    Source: Dinga et al. 2020, Controlling for effects of confounding variables on machine learning predictions, and
    Westfall & Yarkoni 2016, Statistically controlling for confounding constructs is harder than you think.
    The naive error: the category decodes at .6726; removing a luminance that was measured with error leaves .60.
    """
    n_trials = counted("n_trials", n_trials, 100, even=True)
    if not error > 0:
        raise InputError(f"error came as {error}; wanted a standard deviation above 0")
    rng = np.random.default_rng(seed)
    y = rng.permutation(np.arange(n_trials) % 2)
    x = np.column_stack([y, rng.normal(size=(n_trials, 3))]).astype(np.float32)
    level = x[:, 0] + x[:, 1]
    measured = level + error * rng.normal(size=n_trials)
    hidden = np.column_stack([level + 0.5 * x[:, 2].astype(float), x[:, 3]])
    hit = float(norm.cdf(0.5 / math.sqrt(1.25)))
    # Over trials of both classes luminance varies by 1.25, so the slope on what was measured is less than 1.
    slope = 1.25 / (1.25 + error**2)
    left = (1 - slope) / math.sqrt((1 - slope) ** 2 + 0.25 + slope**2 * error**2)
    given = {"luminance": 0.5, "luminance measured": float(norm.cdf(left / 2))}
    truth = (
        Truth("accuracy", {"intact": hit}, None, four_errors(n_trials), "Phi(d' / 2), d' = 1 / sqrt(1.25)"),
        Truth("decoding", {"category": hit}, None, four_errors(n_trials), "Phi(d' / 2), d' = 1 / sqrt(1.25)"),
        Truth("decoding given a confound", given, None, four_errors(n_trials), "d' of what a linear regression leaves"),
        *lesion_truths(hidden * [1.0, 0.0], y, each_unit(2), -0.5),
    )
    net = CodeNet(linear([[1.0, 1.0, 0.5, 0.0], [0.0, 0.0, 0.0, 1.0]], [0.0, 0.0]), [1.0, 0.0], -0.5)
    conditions = {"category": y, "luminance": level, "luminance measured": measured}
    lesson = "the unit decodes the category (.67), and nothing is left of that once luminance is known"
    return Toy("luminance", net, Stimuli(torch.as_tensor(x), conditions), y, scores.accuracy("category", threshold=0.0),
               ("hidden",), truth, lesson, exhaustive=False)  # fmt: skip


class TwoModels(nn.Module):
    """A text model of letters and noise, a speech model of phonemes, and a readout of the latter alone."""

    def __init__(self) -> None:
        super().__init__()
        self.text = linear(np.eye(6, 7).tolist(), [0.0] * 6)
        self.speech = linear([[0.0] * 6 + [1.0]], [0.0])
        self.readout = linear([[0.0] * 6 + [1.0]], [0.0])

    def forward(self, x: Tensor) -> Tensor:
        """Letters, five noises and phonemes ``(trial, 7)`` -> ``(trial,)``."""
        y: Tensor = self.readout(torch.cat([self.text(x), self.speech(x)], dim=1))
        return y[:, 0]


def letters_and_phonemes(rho: float = 0.9, sigma: float = 1.0, n_trials: int = 4000, seed: int = 0) -> Toy:
    """Letters follow phonemes, so a model of text predicts an auditory cortex that hears phonemes alone.

    Phonemes ph ~ N(0, 1), letters lt = rho ph + sqrt(1 - rho^2) n, cortex = ph + sigma n'. The text model holds lt and
    five noises, the speech model ph; the decision is the sign of ph.

    Source: by hand, after the debate about what language models share with auditory cortex.
    The naive error: the text model predicts .64 of a ceiling of .71, "so it explains auditory cortex"; given phonemes
    nothing of that is left.
    """
    if not 0 <= rho < 1 or not sigma > 0:
        raise InputError(f"rho came as {rho} and sigma as {sigma}; wanted 0 <= rho < 1 and sigma > 0")
    n_trials = counted("n_trials", n_trials, 100)
    rng = np.random.default_rng(seed)
    phonemes, noise, cortical = rng.normal(size=(3, n_trials))
    letters = rho * phonemes + math.sqrt(1 - rho**2) * noise
    cortex = phonemes + sigma * cortical
    x = np.column_stack([letters, rng.normal(size=(n_trials, 5)), phonemes]).astype(np.float32)
    heard = (cortex >= 0).astype(np.int64)
    ceiling = 1 / math.sqrt(1 + sigma**2)
    text, left = rho * ceiling, math.sqrt(1 - rho**2) * ceiling
    played = lesion_truths(np.column_stack([0 * x[:, 0], x[:, 6]]), heard, {"text": [0], "speech": [1]})
    source = "R squared is the square of the correlation: 1 / sqrt(1 + sigma^2), times rho, times sqrt(1 - rho^2)"
    truth = (
        Truth("accuracy", {"intact": 0.5 + math.asin(ceiling) / math.pi}, None, four_errors(n_trials),
              "signs of two normals of correlation c agree with probability 1/2 + asin(c) / pi"),
        Truth("prediction", {"text": text**2, "speech": ceiling**2}, None, _r_squared(ceiling, n_trials), source),
        Truth("prediction given phonemes", {"text": 0.0}, None, 4 * (7 / 0.8 + 5) / n_trials,
              "letters follow phonemes; seven fitted numbers and the mean of a fifth of trials cost 7 / .8 n + 5 / n"),
        Truth("prediction given letters", {"speech": left**2}, None, _r_squared(left, n_trials), source),
        *played,
    )  # fmt: skip
    stimuli = Stimuli(torch.as_tensor(x), {"heard": heard, "cortex": cortex, "letters": letters, "phonemes": phonemes})
    lesson = "a text model predicts auditory cortex at .64 of .71 by what letters share with phonemes"
    return Toy("letters_and_phonemes", TwoModels(), stimuli, heard, scores.accuracy("heard", threshold=0.0),
               ("text", "speech"), truth, lesson, grouped=True, exhaustive=False)  # fmt: skip


def _r_squared(r: float, n: int) -> float:
    """Four standard errors of the square of a correlation."""
    return 4 * 2 * r * (1 - r**2) / math.sqrt(n)
