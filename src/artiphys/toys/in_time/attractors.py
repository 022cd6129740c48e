"""An angle held in mind by a ring of units that excite their neighbours, and a ring of the same tuning that cannot."""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor, nn

from artiphys import scores
from artiphys.array_types import Array
from artiphys.errors import InputError
from artiphys.stimuli import Stimuli
from artiphys.toys.subset_truths import set_truths
from artiphys.toys.toy import Toy, Truth

INHIBITION, BACKGROUND, CUE = -2.0, 1.0, 0.5  # J0, I0 and what a cue adds at its angle
STEP = 0.5  # of the time constant
N_STEPS_CUE, N_STEPS_DELAY = 30, 50
HEARD = 0.2  # drive of the readout that is heard at all; a ring that is not tuned drives it by 0
SINGLE_PRECISION, DEGREES = 1e-4, 1e-3  # of rates after 80 steps, and of angles from them


class RingCell(nn.Module):
    """One step of tau r' = -r + [W r + I]_+, in half a time constant."""

    def __init__(self, weights: Array, tuning: Array, background: float) -> None:
        super().__init__()
        n = len(weights)
        self.drive, self.recurrent = nn.Linear(n, n), nn.Linear(n, n, bias=False)
        with torch.no_grad():
            self.drive.weight.copy_(torch.as_tensor(tuning))
            self.drive.bias.fill_(background)
            self.recurrent.weight.copy_(torch.as_tensor(weights))
        self.requires_grad_(False)

    def forward(self, x: Tensor, rates: Tensor) -> Tensor:
        """Cue ``(trial, unit)``, one-hot, and rates ``(trial, unit)`` -> new rates."""
        new: Tensor = rates + STEP * (torch.relu(self.recurrent(rates) + self.drive(x)) - rates)
        return new


class RingNet(nn.Module):
    """A loop over a cell; each angle is read out by the cosine of its distance from the preferred angles."""

    def __init__(self, cell: RingCell, cosines: Array) -> None:
        super().__init__()
        self.cell = cell
        self.readout = nn.Linear(len(cosines), len(cosines)).requires_grad_(False)
        with torch.no_grad():
            self.readout.weight.copy_(torch.as_tensor(2 * cosines / len(cosines)))
            self.readout.bias.fill_(-HEARD)

    def forward(self, x: Tensor) -> Tensor:
        """Cues ``(trial, time, angle)`` -> drive of each angle's report ``(trial, angle)``."""
        rates = torch.zeros_like(x[:, 0])
        for t in range(x.shape[1]):
            rates = self.cell(x[:, t], rates)
        return torch.relu(self.readout(rates))


def ring_attractor(excitation: float = 4.0, n_units: int = 48) -> Toy:
    """W = (J0 + J1 cos) / N with J0 = -2, background 1, and ``excitation`` J1: a bump of activity stays where it was.

    Below J1 = 2 only the flat state is stable, and nothing is remembered. Above it a bump is [u + v cos]_+ of the
    distance from its angle, with a half-width th that solves J1 (th - sin(2 th) / 2) = 2 pi (Ben-Yishai, Bar-Or &
    Sompolinsky 1995, Theory of orientation tuning in visual cortex; Hansel & Sompolinsky 1998). At J1 = 4 that is
    90 degrees: a rectified cosine (no von Mises bump) of 180 degrees, 120 at half its height, and of amplitude
    -pi I0 / J0 = 1.5708 in a continuous ring, -N tan(pi / N) I0 / J0 on N units (1.5730 on 48). All cues are shown,
    up to the end or with a delay after them. Naive: "its tuning shows the attractor"; a `feedforward_ring` has
    the same tuning.
    """
    remembers = excitation > 2
    if not (0 <= excitation <= 1 or 3 <= excitation <= 5):
        raise InputError(
            f"excitation came as {excitation}; wanted 0 to 1 (no memory) or 3 to 5 (a bump that is neither slow to "
            "settle nor grows without end)"
        )
    cosines = _cosines(n_units)
    weights = (INHIBITION + excitation * cosines) / n_units
    cued = fixed_point(n_units, excitation, CUE)
    held = fixed_point(n_units, excitation, 0.0) if remembers else (BACKGROUND / (1 - INHIBITION), 0.0)
    cut = (BACKGROUND, CUE)
    cell = RingCell(weights, CUE * cosines, BACKGROUND)
    lesson = "tuned as a feedforward ring is, as long as there is a cue; only a delay or a lesion tells them apart"
    return _toy("ring_attractor", cell, cosines, {"cue": cued, "delay": held}, cut, lesson)


def feedforward_ring(excitation: float = 4.0, n_units: int = 48) -> Toy:
    """The decoy of a `ring_attractor`: its tuning to a cue is given to it by its input, and lasts as long as that.

    Naive: "the same tuning, so the same network".
    """
    if not 3 <= excitation <= 5:
        raise InputError(f"excitation came as {excitation}; wanted that of a ring attractor with a memory, 3 to 5")
    cosines = _cosines(n_units)
    u, v = fixed_point(n_units, excitation, CUE)
    cell = RingCell(0 * cosines, np.maximum(u + v * cosines, 0), 0.0)
    lesson = "its tuning is that of a ring attractor, and nothing is left of it once the cue is over"
    return _toy("feedforward_ring", cell, cosines, {"cue": (u, v), "delay": (0.0, 0.0)}, (u, v), lesson)


def _cosines(n_units: int) -> Array:
    if n_units % 4 or not 24 <= n_units <= 360:
        raise InputError(f"n_units came as {n_units}; wanted a multiple of 4 from 24 to 360")
    angle = 2 * math.pi * np.arange(n_units) / n_units
    return np.cos(angle[:, None] - angle)


def fixed_point(n_units: int, excitation: float, cue: float) -> tuple[float, float]:
    """u and v of rates [u + v cos]_+ that reproduce themselves on N units, by the number of units that are active.

    u = J0 mean(r) + I0 and v = J1 mean(r cos) + cue are linear in u and v for a given set of active units.
    """
    away = 2 * math.pi * np.arange(n_units // 2 + 1) / n_units
    for reach in range(n_units // 2):
        active = np.cos(2 * math.pi * np.arange(-reach, reach + 1) / n_units)
        s0, s1, s2 = len(active) / n_units, active.sum() / n_units, (active**2).sum() / n_units
        system = [[1 - INHIBITION * s0, -INHIBITION * s1], [-excitation * s1, 1 - excitation * s2]]
        u, v = np.linalg.solve(system, [BACKGROUND, cue])
        rates = u + v * np.cos(away)
        if (rates[: reach + 1] > 1e-9).all() and (rates[reach + 1 :] < 1e-9).all():
            return float(u), float(v)
    raise InputError(f"no bump of {n_units} units reproduces itself at an excitation of {excitation}")


def shape(u: float, v: float) -> dict[str, float]:
    """Peak of [u + v cos]_+ that falls to 0, its width at half its peak, and its support [degrees]."""
    return {
        "amplitude": u + v,
        "width": 2 * math.degrees(math.acos((v - u) / (2 * v))),
        "support": 2 * math.degrees(math.acos(-u / v)),
    }


def _toy(
    name: str, cell: RingCell, cosines: Array, bumps: dict[str, tuple[float, float]], cut: tuple[float, float],
    lesson: str,
) -> Toy:  # fmt: skip
    n = len(cosines)
    angle = np.tile(np.arange(n), 2)
    shown = np.repeat([N_STEPS_CUE + N_STEPS_DELAY, N_STEPS_CUE], n)
    x = torch.zeros(2 * n, N_STEPS_CUE + N_STEPS_DELAY, n)
    for trial, (a, n_steps) in enumerate(zip(angle, shown)):
        x[trial, :n_steps, a] = 1
    delay = np.repeat(["none", "long"], n)
    tuned = {"none": bumps["cue"][1] != 0, "long": bumps["delay"][1] != 0}
    right = {when: 1.0 if kept else 1 / n for when, kept in tuned.items()}
    without = {"none": 1.0, "long": 1 / n}  # what has no cue and no recurrence is flat
    source = "a tuned ring reports its angle; of a flat one all reports are 0, a tie"
    players = ("cell.drive", "cell.recurrent")
    chance, heard, whole = 1 / n, (1 + 1 / n) / 2, (right["none"] + right["long"]) / 2
    values = {(): chance, (0,): heard, (1,): chance, (0, 1): whole}
    fixed = "fixed point [u + v cos]_+ of the ring, from the sums over its active units"
    shapes = {d: shape(*b) for d, b in zip(("none", "long"), bumps.values()) if tuned[d]}
    amplitudes = {d: shapes[d]["amplitude"] if d in shapes else 0.0 for d in tuned}
    widths = {f"{d}: {what}": s[what] for d, s in shapes.items() for what in ("width", "support")}
    cut_amplitude = {"none": cut[0] + cut[1] - max(cut[0] - cut[1], 0.0), "long": 0.0}
    truth = [
        Truth("accuracy", {"intact": whole}, None, 1e-6, source),
        Truth("accuracy by delay", right, None, 1e-6, source),
        Truth("accuracy by delay without recurrence", without, "zero", 1e-6, source),
        Truth("tuned amplitude by delay", amplitudes, None, SINGLE_PRECISION, fixed),
        Truth(
            "tuned amplitude by delay without recurrence", cut_amplitude, "zero", SINGLE_PRECISION,
            "what the input alone gives, [drive]_+",
        ),
        Truth("tuned width by delay", widths, None, DEGREES, fixed),
        Truth("value", {"+".join(players[p] for p in s) or "none": v for s, v in values.items()}, "zero", 1e-6, source),
        *(set_truths(values, 0.95, named=players.__getitem__) or ()),
    ]  # fmt: skip
    quadrant = angle * 4 // n  # as many classes as there are angles would be too many to decode
    stimuli = Stimuli(x, {"angle": angle * 360 / n, "delay": delay})
    return Toy(name, RingNet(cell, cosines), stimuli, quadrant, scores.accuracy(angle), players, tuple(truth), lesson,
               steps=("cell",), grouped=True)  # fmt: skip
