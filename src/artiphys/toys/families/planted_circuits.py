"""Planted circuits: networks of any size in which a few units compute everything and the others only look like it.

Every unit copies the stimulus with a little noise (d' of about 10), so that reading finds all of them; only the planted
units reach the output, through gadgets that make some of them redundant, some needed together and some opposed.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
import torch
from torch import Tensor

from artiphys.border import border
from artiphys.errors import InputError
from artiphys.players import Link, Player
from artiphys.scores.score import Score
from artiphys.stimuli import Stimuli
from artiphys.toys.families.gadgets import GADGETS, RELAYS, Array, Gadget, draw_gadgets
from artiphys.toys.families.planted_networks import (
    N_POSITIONS,
    N_STEPS,
    SLOPE,
    PlantedAttention,
    PlantedNet,
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
N_TRIED = 8  # trials that they are tried on
N_AT_ONCE = 4096  # coalitions of them


@dataclass(frozen=True)
class Drawn:
    """A network with its inputs, and the formula of its planted units' activity.

    ``activity`` gives it from a mask of intact units: ``(trial, unit)``, what is lesioned being 0.
    """

    net: PlantedNet
    x: Array
    gains: Array
    activity: Callable[[Array], Array]


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
        Sum of absolute readout weights of the units that are not planted; the truth is that without them.
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
    if not 0 < faithfulness <= 1:
        raise InputError(f"faithfulness came as {faithfulness}; wanted more than 0, at most 1")
    if noise < 0 or leak < 0 or gain_sd < 0:
        raise InputError(f"noise, leak and gain_sd came as {noise}, {leak} and {gain_sd}; wanted 0 or more")
    if kind not in get_args(Kind):
        raise InputError(f"kind came as {kind!r}; wanted one of {', '.join(get_args(Kind))}")
    if connections and (kind != "perceptron" or leak):
        raise InputError("connections=True is for kind='perceptron' with leak=0")
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
        if (truths := set_truths(values, faithfulness, MARGIN, named)) is None:
            continue
        if n <= MAX_ENUMERATED and not leak:
            _compare_with_formula(drawn, found, site, n)
        return _toy(drawn, found, stimulus, truths, kind, connections, leak > 0)
    raise InputError(
        f"no network of {k} planted units was found whose coalitions stay off the border; change k or seed"
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


def _output(drawn: Drawn, gadgets: list[Gadget], shown: Array) -> Array:
    h = drawn.activity(shown)
    return np.asarray(sum(g.weight * drawn.gains[:, i] * g.value(h) for i, g in enumerate(gadgets)))


def _values(drawn: Drawn, gadgets: list[Gadget], stimulus: Array, n: int) -> dict[tuple[int, ...], float]:
    """Score of every coalition of the planted units, by formula; sets of intact units."""
    units = sorted(u for g in gadgets for u in g.units)
    found = {}
    for number in range(2 ** len(units)):
        intact = tuple(u for i, u in enumerate(units) if number >> i & 1)
        shown = np.zeros(n)
        shown[list(intact)] = 1
        found[intact] = float((_output(drawn, gadgets, shown) * stimulus).mean())
    return found


def _compare_with_formula(drawn: Drawn, gadgets: list[Gadget], site: str, n: int) -> None:
    """All coalitions of all units, the idle ones too, in the network itself.

    Raises
    ------
    RuntimeError
        If an output differs: the toy would be wrong.
    """
    planted_units = sorted(u for g in gadgets for u in g.units)
    numbers = np.arange(2**n)
    masks = (numbers[:, None] >> np.arange(n)) & 1
    own = masks[:, planted_units] @ (1 << np.arange(len(planted_units)))
    few = Drawn(drawn.net, drawn.x[:N_TRIED], drawn.gains[:N_TRIED], lambda shown: drawn.activity(shown)[:N_TRIED])
    shown = np.zeros((2 ** len(planted_units), n))
    shown[:, planted_units] = (np.arange(len(shown))[:, None] >> np.arange(len(planted_units))) & 1
    wanted = np.stack([_output(few, gadgets, row) for row in shown])
    x, worst = torch.as_tensor(few.x, dtype=torch.float32), 0.0
    for start in range(0, len(masks), N_AT_ONCE):
        part = torch.as_tensor(masks[start : start + N_AT_ONCE], dtype=torch.float32)
        gates = part.repeat_interleave(len(x), dim=0)

        def gated(module: object, args: object, out: Tensor, gates: Tensor = gates) -> Tensor:
            return out * (gates if out.ndim == 2 else gates[:, None])

        handle = drawn.net.get_submodule(site).register_forward_hook(gated)
        try:
            with torch.no_grad():
                y = drawn.net(x.repeat(len(part), *[1] * (x.ndim - 1))).reshape(len(part), len(x))
        finally:
            handle.remove()
        worst = max(worst, float(np.abs(y.numpy() - wanted[own[start : start + N_AT_ONCE]]).max()))
    if worst > 1e-4:
        raise RuntimeError(f"a planted network differs from its formula by {worst:.2g}; please report its options")


def _evidence(outputs: Tensor, trials: Stimuli) -> Tensor:
    stimulus = torch.as_tensor(np.asarray(trials.conditions["stimulus"], dtype=float)).to(outputs.device)
    return outputs.double() * stimulus


def _toy(
    drawn: Drawn, gadgets: list[Gadget], stimulus: Array, truths: list[Truth], kind: Kind, connections: bool,
    leaky: bool,
) -> Toy:  # fmt: skip
    labels = (stimulus > 0).astype(int)
    x = torch.as_tensor(drawn.x, dtype=torch.float32)
    stimuli = Stimuli(x, {"stimulus": stimulus.astype(int), "label": labels})
    score = Score(_evidence, "evidence", "output units", key="planted-evidence")
    told = ", ".join(f"{g.kind} {'+'.join(str(u) for u in g.units)}" for g in gadgets)
    truth = truths
    if leaky:  # what single units add is then not 0; which sets suffice is stated without the leaks
        truth = [t for t in truths if t.analysis in ("minimal circuits", "critical sets .95", "critical sets .05")]
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
