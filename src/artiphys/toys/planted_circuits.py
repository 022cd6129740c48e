"""Planted circuits: networks of any size in which a few units compute everything and the others only look like it.

Every unit copies the stimulus with a little noise (d' of about 10), so that reading finds all of them; only the planted
units reach the output, through gadgets that make some of them redundant, some needed together and some opposed.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from artiphys.border import border
from artiphys.errors import InputError
from artiphys.scores.score import Score
from artiphys.stimuli import Stimuli
from artiphys.toys.subset_truths import set_truths
from artiphys.toys.toy import Toy, Truth

Array = np.ndarray[Any, Any]
Stage = tuple[float, float, float]  # output weight, slope and bias of one rectified unit
Summand = tuple[tuple[int, ...], list[Stage], float]  # units read, rectified units of their sum, constant

# Gadget -> (players, chance of being drawn).
GADGETS: dict[str, tuple[int, float]] = {
    "single": (1, 0.15), "redundant2": (2, 0.2), "redundant3": (3, 0.1), "synergy2": (2, 0.15), "synergy3": (3, 0.1),
    "synergy4": (4, 0.0), "majority3": (3, 0.05), "opposition": (2, 0.1), "detour3": (3, 0.1), "detour5": (5, 0.15),
}  # fmt: skip
SLOPE = 1.5  # of a unit: hardtanh(slope * (stimulus + noise))
MARGIN = 0.02  # no coalition's faithfulness lies nearer to the border of what counts as faithful
MAX_DRAWS = 1000
MAX_PLANTED = 12


def clip() -> list[Stage]:
    """min(max(z, -1), 1) of rectified units; the constant -1 is added by who uses it."""
    return [(1.0, 1.0, 1.0), (-1.0, 1.0, -1.0)]


def conjunction(m: int) -> list[Stage]:
    """1 where all of ``m`` inputs are 1, -1 where all are -1, 0 where one is missing."""
    return [(1.0, 1.0, 1.0 - m), (-1.0, 1.0, -float(m)), (-1.0, -1.0, 1.0 - m), (1.0, -1.0, -float(m))]


def majority() -> list[Stage]:
    """1 where two or three of three inputs are 1, -1 likewise."""
    return [(1.0, 1.0, -1.0), (-1.0, 1.0, -2.0), (-1.0, -1.0, -1.0), (1.0, -1.0, -2.0)]


@dataclass(frozen=True)
class Gadget:
    """One gadget: which units it reads, and its weight in the output."""

    kind: str
    units: tuple[int, ...]
    weight: float
    against: float  # strength of the opposing unit

    def parts(self) -> list[Summand]:
        """What is summed before the second stage: units read, rectified units, constant."""
        u = self.units
        if self.kind == "single" or self.kind.startswith("redundant"):
            return [(u, clip(), -1.0)]
        if self.kind.startswith("synergy"):
            return [(u, conjunction(len(u)), 0.0)]
        if self.kind == "majority3":
            return [(u, majority(), 0.0)]
        if self.kind == "detour3":
            return [(u[:1], clip(), -1.0), (u[1:], conjunction(2), 0.0)]
        return [(u[:2], conjunction(2), 0.0), (u[2:], conjunction(3), 0.0)]  # detour5

    def value(self, h: Array) -> Array:
        """The gadget's output from activity ``(..., unit)``, by formula."""
        if self.kind == "opposition":
            a, b = (np.clip(h[..., u], -1, 1) for u in self.units)
            return np.asarray((1 + self.against) * a - self.against * b)
        total = np.zeros(h.shape[:-1])
        for units, stages, constant in self.parts():
            z = h[..., list(units)].sum(axis=-1)
            total = total + constant + sum(w * np.maximum(slope * z + bias, 0) for w, slope, bias in stages)
        return np.asarray(np.clip(total, -1, 1))


class PlantedNet(nn.Module):
    """Noisy copies of a stimulus, two rectified stages that make the gadgets, and a linear readout of them."""

    def __init__(self, n: int, gadgets: list[Gadget], leak: Array) -> None:
        super().__init__()
        self.n, self.n_gadgets = n, len(gadgets)
        copies = nn.Linear(n + 1, n)
        with torch.no_grad():
            copies.weight.copy_(SLOPE * torch.cat([torch.ones(n, 1), torch.eye(n)], dim=1))
            copies.bias.zero_()
        self.copies = copies
        self.hidden = nn.Hardtanh()
        first, second, readout = _layers(n, gadgets)
        self.stage1, self.relu1, self.stage2, self.relu2, self.readout = first, nn.ReLU(), second, nn.ReLU(), readout
        self.leak = nn.Linear(n, 1, bias=False)
        with torch.no_grad():
            self.leak.weight.copy_(torch.as_tensor(leak, dtype=torch.float32)[None])
        self.requires_grad_(False)

    def forward(self, x: Tensor) -> Tensor:
        """Stimulus, noise of each unit and gains of the gadgets ``(trial, 1 + unit + gadget)`` -> ``(trial,)``."""
        h = self.hidden(self.copies(x[:, : self.n + 1]))
        gadgets = self.readout(self.relu2(self.stage2(self.relu1(self.stage1(h)))))
        y: Tensor = (gadgets * x[:, self.n + 1 :]).sum(dim=1) + self.leak(h)[:, 0]
        return y


def _layers(n: int, gadgets: list[Gadget]) -> tuple[nn.Linear, nn.Linear, nn.Linear]:
    rows: list[tuple[tuple[int, ...], float, float]] = []  # of the first stage: units, slope, bias
    clips: list[tuple[dict[int, float], float]] = []  # of the second: weights on the first, constant
    outputs: list[dict[int, float]] = []  # a gadget's weights on the clips
    for gadget in gadgets:
        if gadget.kind == "opposition":
            signed = zip(gadget.units, (1 + gadget.against, -gadget.against))
            pieces: list[tuple[list[Summand], float]] = [([((u,), clip(), -1.0)], w) for u, w in signed]
        else:
            pieces = [(gadget.parts(), 1.0)]
        own = {}
        for parts, weight in pieces:
            total, bias = {}, 0.0
            for units, stages, constant in parts:
                bias += constant
                for out, slope, shift in stages:
                    total[len(rows)] = out
                    rows.append((units, slope, shift))
            own[len(clips)] = weight * gadget.weight
            clips.append((total, bias))
        outputs.append(own)
    first, second = nn.Linear(n, len(rows)), nn.Linear(len(rows), 2 * len(clips))
    readout = nn.Linear(2 * len(clips), len(gadgets))
    with torch.no_grad():
        for layer in (first, second, readout):
            layer.weight.zero_()
            layer.bias.zero_()
        for i, (units, slope, shift) in enumerate(rows):
            first.weight[i, list(units)], first.bias[i] = slope, shift
        for i, (total, bias) in enumerate(clips):  # relu(z + 1) - relu(z - 1) - 1
            for k, shift in enumerate((1.0, -1.0)):
                second.weight[2 * i + k, list(total)] = torch.tensor(list(total.values()))
                second.bias[2 * i + k] = bias + shift
        for g, own in enumerate(outputs):
            for i, weight in own.items():
                readout.weight[g, 2 * i], readout.weight[g, 2 * i + 1] = weight, -weight
                readout.bias[g] -= weight
    return first, second, readout


@border
def planted(
    n: int = 16,
    k: int = 4,
    seed: int = 0,
    *,
    noise: float = 0.2,
    leak: float = 0.0,
    gain_sd: float = 0.0,
    faithfulness: float = 0.95,
    n_trials: int = 256,
    gadgets: tuple[str, ...] | None = None,
) -> Toy:
    """A network of ``n`` units of which ``k`` compute everything: an examination that is new for every seed.

    Gadgets of planted units: alone, two or three that back each other up, two to four needed together, two of three,
    two opposed, and detours (one unit or two together; two together or three together). All units carry the stimulus.
    Score: evidence for the stimulus that was shown. Its truth, under zero lesions: all minimal circuits and critical
    sets, by enumeration of the planted units (the others have readout 0).

    Parameters
    ----------
    n, k : int
        Units, and how many of them are planted (to 12).
    seed : int
    noise : float
        Standard deviation of a unit's private noise, in units of the stimulus (which is -1 or 1).
    leak : float
        Sum of absolute readout weights of the units that are not planted; the truth is that without them.
    gain_sd : float
        Standard deviation over trials of each gadget's gain.
    faithfulness : float
        What the truths of minimal circuits and critical sets are stated for. Networks in which a coalition lies
        within .02 of that border are drawn again.
    n_trials : int
        Even; half of them of each stimulus.
    gadgets : tuple of str, optional
        Draw from these only, alike often. Default: all but "synergy4", with set chances.

    Examples
    --------
    >>> import artiphys as ap
    >>> ap.toys.planted(n=16, k=3, seed=1).truths("minimal circuits", "zero").expected
    {'hidden.4+hidden.5+hidden.13': 1.0}
    """
    if not 1 <= k <= min(n, MAX_PLANTED):
        raise InputError(f"k came as {k}; wanted 1 to {min(n, MAX_PLANTED)} planted units of {n}")
    if n_trials < 2 or n_trials % 2:
        raise InputError(f"n_trials came as {n_trials}; wanted an even number: half of the trials show each stimulus")
    if not 0 < faithfulness <= 1:
        raise InputError(f"faithfulness came as {faithfulness}; wanted more than 0, at most 1")
    if noise < 0 or leak < 0 or gain_sd < 0:
        raise InputError(f"noise, leak and gain_sd came as {noise}, {leak} and {gain_sd}; wanted 0 or more")
    if gadgets is not None and not gadgets:
        raise InputError(f"gadgets came empty; there are {', '.join(GADGETS)}")
    if unknown := set(gadgets or ()) - set(GADGETS):
        raise InputError(f"gadgets came with {sorted(unknown)}; there are {', '.join(GADGETS)}")
    for attempt in range(MAX_DRAWS):
        rng = np.random.default_rng([seed, n, k, attempt])
        drawn = _drawn(rng, n, k, gadgets)
        stimulus = np.tile([-1.0, 1.0], n_trials // 2)
        noises = noise * rng.normal(size=(n_trials, n))
        gains = 1 + gain_sd * rng.normal(size=(n_trials, len(drawn)))
        others = np.setdiff1d(np.arange(n), [u for g in drawn for u in g.units])
        leaks = np.zeros(n)
        if leak and len(others):
            raw = rng.normal(size=len(others))
            leaks[others] = leak * raw / np.abs(raw).sum()
        values = _values(drawn, stimulus, noises, gains, n)
        if (truths := set_truths(values, faithfulness, MARGIN)) is not None:
            return _toy(n, drawn, stimulus, noises, gains, leaks, truths)
    raise InputError(
        f"no network of {k} planted units was found whose coalitions stay off the border; change k or seed"
    )


def _drawn(rng: np.random.Generator, n: int, k: int, only: tuple[str, ...] | None) -> list[Gadget]:
    kinds: list[str] = []
    left = k
    while left:
        open_ = [q for q, (size, chance) in GADGETS.items() if size <= left and (q in only if only else chance > 0)]
        if not open_:
            raise InputError(f"the gadgets {only} do not add up to {k} planted units")
        chances = np.array([1.0 if only else GADGETS[q][1] for q in open_])
        kinds.append(str(rng.choice(open_, p=chances / chances.sum())))
        left -= GADGETS[kinds[-1]][0]
    who = [int(u) for u in rng.permutation(n)[:k]]
    weights = rng.uniform(0.8, 1.25, len(kinds))
    found = []
    for kind, weight in zip(kinds, weights / weights.sum()):
        units, who = tuple(who[: GADGETS[kind][0]]), who[GADGETS[kind][0] :]
        found.append(Gadget(kind, units, float(weight), float(rng.uniform(0.9, 1.2))))
    return found


def _values(drawn: list[Gadget], stimulus: Array, noises: Array, gains: Array, n: int) -> dict[tuple[int, ...], float]:
    """Score of every coalition of the planted units, by formula; sets of intact units."""
    units = sorted(u for g in drawn for u in g.units)
    activity = np.clip(SLOPE * (stimulus[:, None] + noises), -1, 1)
    found = {}
    for number in range(2 ** len(units)):
        intact = tuple(u for i, u in enumerate(units) if number >> i & 1)
        shown = np.zeros(n)
        shown[list(intact)] = 1
        y = sum(g.weight * gains[:, i] * g.value(activity * shown) for i, g in enumerate(drawn))
        found[intact] = float((np.asarray(y) * stimulus).mean())
    return found


def _evidence(outputs: Tensor, trials: Stimuli) -> Tensor:
    stimulus = torch.as_tensor(np.asarray(trials.conditions["stimulus"], dtype=float)).to(outputs.device)
    return outputs.double() * stimulus


def _toy(
    n: int, drawn: list[Gadget], stimulus: Array, noises: Array, gains: Array, leaks: Array, truths: list[Truth]
) -> Toy:
    x = torch.as_tensor(np.column_stack([stimulus, noises, gains]), dtype=torch.float32)
    labels = (stimulus > 0).astype(int)
    stimuli = Stimuli(x, {"stimulus": stimulus.astype(int), "label": labels})
    score = Score(_evidence, "evidence", "output units", key="planted-evidence")
    named = ", ".join(f"{g.kind} {'+'.join(str(u) for u in g.units)}" for g in drawn)
    truth = truths
    if leaks.any():  # what single units add is then not 0; which sets suffice is stated without the leaks
        truth = [t for t in truths if t.analysis in ("minimal circuits", "critical sets .95", "critical sets .05")]
    lesson = f"every unit decodes the stimulus; these compute the answer: {named}"
    return Toy("planted", PlantedNet(n, drawn, leaks), stimuli, labels, score, ("hidden",), tuple(truth), lesson,
               exhaustive=False)  # fmt: skip
