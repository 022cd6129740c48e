"""Planted circuits: networks of any size in which a few units compute everything and the others only look like it.

Every unit copies the stimulus with a little noise (d' of about 10), so that reading finds all of them; only the planted
units reach the output, through gadgets that make some of them redundant, some needed together and some opposed.
"""

from __future__ import annotations

import dataclasses
from typing import Literal, get_args

import numpy as np
import torch
from torch import Tensor

from artiphys.border import border
from artiphys.errors import InputError
from artiphys.players import Link, Player
from artiphys.scores.score import Score
from artiphys.stimuli import Stimuli
from artiphys.toys.families.formula_check import Drawn, compare_with_formula, output_of
from artiphys.toys.families.gadgets import GADGETS, RELAYS, Array, Gadget, draw_gadgets
from artiphys.toys.families.planted_networks import (
    N_POSITIONS,
    N_STEPS,
    SLOPE,
    PlantedAttention,
    PlantedPerceptron,
    PlantedRecurrent,
    recurrent_weights,
)
from artiphys.toys.subset_truths import set_truths
from artiphys.toys.toy import Toy, Truth

Kind = Literal["perceptron", "recurrent", "attention"]
SITES = {"perceptron": "hidden", "recurrent": "cell", "attention": "z"}
MARGIN = 0.02  # no coalition's faithfulness lies nearer to the border of what counts as faithful
MAX_DRAWS = 1000
MAX_PLANTED = 12
MAX_ENUMERATED = 16  # units of a network all of whose coalitions are tried


@border
def planted(
    n: int = 16,
    k: int = 4,
    seed: int = 0,
    *,
    kind: Kind = "perceptron",
    connections: bool = False,
    noise: float = 0.2,
    leak: float = 0.0,
    gain_sd: float = 0.0,
    faithfulness: float = 0.95,
    n_trials: int = 256,
    gadgets: tuple[str, ...] | None = None,
) -> Toy:
    """A network of ``n`` units of which ``k`` compute everything: an examination that is new for every seed.

    Gadgets of planted units: alone, two or three that back each other up, two to four needed together, two of three,
    two opposed, and detours (one unit or two together; two together or three together); in recurrent networks also
    relays, of which each unit hears only the one before it. All units carry the stimulus.
    Score: evidence for the stimulus that was shown. Its truth, under zero lesions: all minimal circuits and critical
    sets, by enumeration of the planted units (the others have readout 0). To 16 units, all coalitions of the network
    itself are compared with the formula when it is built.

    Parameters
    ----------
    n, k : int
        Units, and how many of them are planted (to 12).
    seed : int
    kind : str
        "perceptron": units of a layer. "recurrent": units that sum the stimulus over time; some of the others hear the
        planted ones. "attention": heads that fetch the stimulus from where it is shown; some of the others look
        elsewhere.
    connections : bool
        Players are the connections from each unit to the gadgets instead of the units; of a perceptron without leak.
    noise : float
        Standard deviation of a unit's private noise, in units of the stimulus (which is -1 or 1).
    leak : float
        Sum of absolute readout weights of the units that are not planted; small ones change no set, and how well it
        does by twice as much at most.
    gain_sd : float
        Standard deviation over trials of each gadget's gain.
    faithfulness : float
        What the truths of minimal circuits and critical sets are stated for. Networks in which a coalition lies
        within .02 of that border are drawn again.
    n_trials : int
        Even; half of them of each stimulus.
    gadgets : tuple of str, optional
        Draw from these only, alike often. Default: all but "synergy4" and relays, with set chances.

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
    if not 0 < faithfulness <= 1 - MARGIN:
        raise InputError(
            f"faithfulness came as {faithfulness}; wanted more than 0, at most {1 - MARGIN}: no coalition may lie "
            f"within {MARGIN} of the border, and all players keep 1"
        )
    if noise < 0 or leak < 0 or gain_sd < 0:
        raise InputError(f"noise, leak and gain_sd came as {noise}, {leak} and {gain_sd}; wanted 0 or more")
    if kind not in get_args(Kind):
        raise InputError(f"kind came as {kind!r}; wanted one of {', '.join(get_args(Kind))}")
    if connections and (kind != "perceptron" or leak):
        raise InputError("connections=True is for kind='perceptron' with leak=0")
    if isinstance(gadgets, str):
        gadgets = (gadgets,)
    if gadgets is not None and not gadgets:
        raise InputError(f"gadgets came empty; there are {', '.join(GADGETS)}")
    if unknown := set(gadgets or ()) - set(GADGETS):
        raise InputError(f"gadgets came with {sorted(unknown)}; there are {', '.join(GADGETS)}")
    if kind != "recurrent" and (relays := set(gadgets or ()) & set(RELAYS)):
        raise InputError(f"gadgets came with {sorted(relays)}, which need kind='recurrent'")
    site = SITES[kind]
    named = f"{site}.{{}}{'→stage1' if connections else ''}".format
    for attempt in range(MAX_DRAWS):
        rng = np.random.default_rng([seed, n, k, attempt, *([] if kind == "perceptron" else kind.encode())])
        found = draw_gadgets(rng, n, k, gadgets)
        stimulus = np.tile([-1.0, 1.0], n_trials // 2)
        drawn = _FAMILIES[kind](rng, n, found, stimulus, noise, leak, gain_sd)
        values = _values(drawn, found, stimulus, n)
        # Units that leak move a coalition by as much as they read out: none may come to the other side by that.
        if (truths := set_truths(values, faithfulness, max(MARGIN, leak), named)) is None:
            continue
        if n <= MAX_ENUMERATED and not leak:
            compare_with_formula(drawn, found, site, n)
        return _toy(drawn, found, stimulus, truths, kind, connections, leak)
    raise InputError(
        f"no network of {k} planted units was found whose coalitions stay {max(MARGIN, leak)} off the border; change "
        "k or seed, or let less leak"
    )


def _leaks(rng: np.random.Generator, n: int, gadgets: list[Gadget], leak: float) -> Array:
    others = np.setdiff1d(np.arange(n), [u for g in gadgets for u in g.units])
    leaks = np.zeros(n)
    if leak and len(others):
        raw = rng.normal(size=len(others))
        leaks[others] = leak * raw / np.abs(raw).sum()
    return leaks


def _perceptron(
    rng: np.random.Generator, n: int, gadgets: list[Gadget], stimulus: Array, noise: float, leak: float, gain_sd: float
) -> Drawn:
    noises = noise * rng.normal(size=(len(stimulus), n))
    gains = 1 + gain_sd * rng.normal(size=(len(stimulus), len(gadgets)))
    net = PlantedPerceptron(n, gadgets, _leaks(rng, n, gadgets, leak))
    h = np.clip(SLOPE * (stimulus[:, None] + noises), -1, 1)
    return Drawn(net, np.column_stack([stimulus, noises, gains]), gains, lambda shown: h * shown)


def _recurrent(
    rng: np.random.Generator, n: int, gadgets: list[Gadget], stimulus: Array, noise: float, leak: float, gain_sd: float
) -> Drawn:
    noises = noise * np.sqrt(N_STEPS) * rng.normal(size=(len(stimulus), N_STEPS, n))
    gains = 1 + gain_sd * rng.normal(size=(len(stimulus), len(gadgets)))
    weights = recurrent_weights(n, gadgets, rng)
    net = PlantedRecurrent(n, gadgets, _leaks(rng, n, gadgets, leak), weights)
    followers = [u for g in gadgets if g.kind in RELAYS for u in g.units[1:]]
    drive = SLOPE * (stimulus[:, None, None] + noises) / N_STEPS
    drive[..., followers] = 0

    def activity(shown: Array) -> Array:
        state = np.zeros((len(stimulus), n))
        for t in range(N_STEPS):
            state = np.clip(state @ weights.T + drive[:, t], -1, 1) * shown
        return state

    def along(a: Array) -> Array:
        return np.broadcast_to(a[:, None], (len(a), N_STEPS, a.shape[1]))

    x = np.concatenate([along(stimulus[:, None]), noises, along(gains)], axis=2)
    return Drawn(net, x, gains, activity)


def _attention(
    rng: np.random.Generator, n: int, gadgets: list[Gadget], stimulus: Array, noise: float, leak: float, gain_sd: float
) -> Drawn:
    n_trials = len(stimulus)
    noises = noise * rng.normal(size=(n_trials, N_POSITIONS, n))
    gains = 1 + gain_sd * rng.normal(size=(n_trials, len(gadgets)))
    place = rng.integers(N_POSITIONS, size=n_trials)
    shown_there = np.where(rng.random((n_trials, N_POSITIONS)) < 0.5, -1.0, 1.0)  # distractors, and the stimulus
    shown_there[np.arange(n_trials), place] = stimulus
    flag = np.zeros((n_trials, N_POSITIONS))
    flag[np.arange(n_trials), place] = 1
    looks = np.where(rng.random(n) < 0.5, -1.0, 1.0)
    looks[[u for g in gadgets for u in g.units]] = 1
    net = PlantedAttention(n, gadgets, _leaks(rng, n, gadgets, leak), looks)
    h = np.clip(SLOPE * (stimulus[:, None] + noises[np.arange(n_trials), place]), -1, 1)
    everywhere = np.broadcast_to(gains[:, None], (n_trials, N_POSITIONS, len(gadgets)))
    x = np.concatenate([flag[..., None], shown_there[..., None], noises, everywhere], axis=2)
    return Drawn(net, x, gains, lambda shown: h * shown)


_FAMILIES = {"perceptron": _perceptron, "recurrent": _recurrent, "attention": _attention}


def _values(drawn: Drawn, gadgets: list[Gadget], stimulus: Array, n: int) -> dict[tuple[int, ...], float]:
    """Score of every coalition of the planted units, by formula; sets of intact units."""
    units = sorted(u for g in gadgets for u in g.units)
    found = {}
    for number in range(2 ** len(units)):
        intact = tuple(u for i, u in enumerate(units) if number >> i & 1)
        shown = np.zeros(n)
        shown[list(intact)] = 1
        found[intact] = float((output_of(drawn, gadgets, shown) * stimulus).mean())
    return found


def _evidence(outputs: Tensor, trials: Stimuli) -> Tensor:
    stimulus = torch.as_tensor(np.asarray(trials.conditions["stimulus"], dtype=float)).to(outputs.device)
    return outputs.double() * stimulus


def _toy(
    drawn: Drawn, gadgets: list[Gadget], stimulus: Array, truths: list[Truth], kind: Kind, connections: bool,
    leak: float,
) -> Toy:  # fmt: skip
    labels = (stimulus > 0).astype(int)
    x = torch.as_tensor(drawn.x, dtype=torch.float32)
    stimuli = Stimuli(x, {"stimulus": stimulus.astype(int), "label": labels})
    score = Score(_evidence, "evidence", "output units", key="planted-evidence")
    told = ", ".join(f"{g.kind} {'+'.join(str(u) for u in g.units)}" for g in gadgets)
    truth = truths
    if leak:  # what single units add is then not 0; which sets suffice is the same, how well not quite
        sets = [t for t in truths if t.analysis in ("minimal circuits", "critical sets .95", "critical sets .05")]
        truth = [dataclasses.replace(t, tolerance=2 * leak) for t in sets]
    site = SITES[kind]
    links = [
        Player(f"{site}.{u}→stage1", (Link(site, (u,), "stage1", None),)) for u in range(drawn.net.n) if connections
    ]
    lesson = f"every unit decodes the stimulus; these compute the answer: {told}"
    name = "planted" if kind == "perceptron" else f"planted_{kind}"
    if connections:
        name = "planted_connections"
    steps = ("cell",) if kind == "recurrent" else ()
    return Toy(name, drawn.net, stimuli, labels, score, (site,), tuple(truth), lesson,
               steps=steps, exhaustive=False, connections=tuple(links))  # fmt: skip
