"""Two senses, neither of which knows anything alone: evidence fused before or after it is accumulated."""

from __future__ import annotations

import math
from typing import Literal, get_args

import numpy as np
import torch
from torch import Tensor, nn

from artiphys import scores
from artiphys.errors import InputError, unknown
from artiphys.stimuli import Stimuli
from artiphys.toys.toy import Toy, Truth, linear

Order = Literal["fuse first", "add last", "multiply last"]
AGREEMENT = 0.6  # probability that the senses agree as the label has it
N_TRIALS = 20_000  # standard error of an accuracy: .0035


class SensesCell(nn.Module):
    """Two channels, and accumulators of each or of their product."""

    def __init__(self, fuses: bool) -> None:
        super().__init__()
        self.fuses = fuses
        self.channels = linear([[1.0, 0.0], [0.0, 1.0]], [0.0, 0.0])

    def forward(self, x: Tensor, state: Tensor) -> Tensor:
        """Both senses ``(trial, 2)``, state ``(trial, 1)`` or ``(trial, 2)`` -> new state."""
        now: Tensor = self.channels(x)
        return state + (now.prod(dim=1, keepdim=True) if self.fuses else now)


class SensesNet(nn.Module):
    """A loop over a cell; the decision is the sign of the sum, or of the product, of what it ends with."""

    def __init__(self, order: Order) -> None:
        super().__init__()
        self.order = order
        self.cell = SensesCell(order == "fuse first")
        self.readout = linear([[-1.0], [1.0]], [0.0, 0.0])

    def forward(self, x: Tensor) -> Tensor:
        """Both senses ``(trial, time, 2)`` -> one output per class ``(trial, 2)``, so that ties are no answer."""
        state = x.new_zeros(len(x), 1 if self.cell.fuses else 2)
        for t in range(x.shape[1]):
            state = self.cell(x[:, t], state)
        keep = self.order == "multiply last"
        decision: Tensor = self.readout((state.prod if keep else state.sum)(dim=1, keepdim=True))
        return decision


def multisensory(order: Order = "fuse first", n_steps: int = 9, seed: int = 0) -> Toy:
    """x1 = +-1 at random, x2 agrees with it in .6 of the steps where the label is 1, and disagrees where it is 0.

    Each sense is a fair coin whatever the label; their product is not. Fused at each step and then accumulated it is
    right with probability P(Bin(T, .6) > T / 2); accumulated by sense and then added at chance (ties share the
    credit); accumulated and then multiplied it is as right as any reader of the two sums can be (Ghosh et al. 2024,
    Nonlinear fusion is optimal for a wide class of multisensory tasks). Naive: "neither sense carries anything", from a
    single channel or from the sum of both.

    Parameters
    ----------
    order : "fuse first", "add last" or "multiply last"
    n_steps : int
        Odd, so that no product of sums is 0.
    """
    if order not in get_args(Order):
        raise InputError(unknown("order", order, list(get_args(Order))))
    if n_steps < 1 or n_steps % 2 == 0:
        raise InputError(f"n_steps came as {n_steps}; wanted an odd number, so that none of the sums is 0")
    rng = np.random.default_rng(seed)
    labels = np.tile([0, 1], N_TRIALS // 2)
    first = rng.choice([-1, 1], size=(N_TRIALS, n_steps))
    agree = np.where(rng.random((N_TRIALS, n_steps)) < AGREEMENT, 1, -1) * (2 * labels - 1)[:, None]
    x = torch.as_tensor(np.stack([first, first * agree], axis=-1), dtype=torch.float32)
    hit = right_answers(order, n_steps)
    names = ("cell.channels.0", "cell.channels.1")
    tolerance = 4 * math.sqrt(0.25 / N_TRIALS)
    # A silent sense makes a product 0, a tie on every trial; beside a sum it leaves a coin that is sampled too.
    n_coins = {"single_lesions": 2, "shapley": 3, "SII": 3} if order == "add last" else {}
    error = {a: tolerance * math.sqrt(n_coins.get(a, 1)) for a in ("single_lesions", "shapley", "SII")}
    source = f"all sums that {n_steps} steps can give, by their probability; ties share the credit"
    mean = 2 * AGREEMENT - 1  # of the product of the senses
    why = "either sense alone is a fair coin for either label"
    seen = "a sense and its sum are the same for either label; T products have mean +-.2 T and variance .96 T"
    fused = 2 * n_steps * mean / math.sqrt(n_steps * (1 - mean**2)) if order == "fuse first" else 0.0
    d_prime = dict.fromkeys((*names, "cell.0"), 0.0) | {"cell.0": fused}
    coalitions = {"none": 0.5, names[0]: 0.5, names[1]: 0.5, "+".join(names): hit}
    truth = (
        Truth("accuracy", {"intact": hit}, None, tolerance, source),
        Truth("d_prime at the last step", d_prime, None, 4 * math.sqrt((4 + fused**2 / 2) / N_TRIALS), seen),
        Truth("value", coalitions, "zero", tolerance, why),
        Truth("single_lesions", dict.fromkeys(names, hit - 0.5), "zero", error["single_lesions"], why),
        Truth("shapley", dict.fromkeys(names, (hit - 0.5) / 2), "zero", error["shapley"] / 2, why),
        Truth("SII", {"+".join(names): hit - 0.5}, "zero", error["SII"], why),
    )
    lesson = {
        "fuse first": "each sense alone carries nothing; multiplied step by step they tell the label",
        "add last": "senses that are accumulated and then added are at chance, though both are heard",
        "multiply last": "most of what the senses say together is lost where they are accumulated before they meet",
    }[order]
    name = "multisensory" if order == "fuse first" else f"multisensory_{order.replace(' ', '_')}"
    return Toy(name, SensesNet(order), Stimuli(x, {"label": labels}), labels, scores.accuracy("label"),
               ("cell.channels",), truth, lesson, steps=("cell",), exhaustive=False)  # fmt: skip


def added_last(n_steps: int = 9, seed: int = 0) -> Toy:
    """`multisensory` with senses that are accumulated one by one and then added.

    The sum is symmetric about 0 for either label, so that it is right in half of the trials. Naive: "both senses are
    heard, so both are used".
    """
    return multisensory("add last", n_steps, seed)


def multiplied_last(n_steps: int = 9, seed: int = 0) -> Toy:
    """`multisensory` with senses that are accumulated one by one and then multiplied.

    Right in .5678 of the trials at nine steps, the most that the two sums allow. Naive: "so little is all that the
    senses hold"; fused at each step they hold .7334.
    """
    return multisensory("multiply last", n_steps, seed)


def right_answers(order: Order, n_steps: int) -> float:
    """Probability of the right answer, from the distribution of both sums and of their agreement, label 1."""
    chance = {(0, 0, 0): 1.0}
    for _ in range(n_steps):
        after: dict[tuple[int, int, int], float] = {}
        for (one, two, fused), p in chance.items():
            for s in (-1, 1):
                for agreement, q in ((1, AGREEMENT), (-1, 1 - AGREEMENT)):
                    key = (one + s, two + s * agreement, fused + agreement)
                    after[key] = after.get(key, 0.0) + p * q / 2
        chance = after
    decision = {"fuse first": lambda s: s[2], "add last": lambda s: s[0] + s[1], "multiply last": lambda s: s[0] * s[1]}
    # For label 0 the second sense is turned round: a product is right as often, and the sum as often wrong as right.
    return sum(p * (float(np.sign(decision[order](s))) + 1) / 2 for s, p in chance.items())
