"""A small network that was trained to add modulo a prime and generalised; its embedding split into frequencies.

References: Gromov 2023, Grokking modular arithmetic (quadratic units); Nanda et al. 2023, Progress measures for
grokking via mechanistic interpretability (key frequencies).
"""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor, nn

from artiphys import scores
from artiphys.array_types import Array
from artiphys.stimuli import Stimuli
from artiphys.toys.enumerated_truths import enumerated_truths
from artiphys.toys.toy import Toy, Truth
from artiphys.toys.trained.stored_weights import read_weights

KEY_SHARE = 0.05  # of the embedding's power; an even spread over 29 frequencies would be .034
CLEAR = 2.0  # a unit's frequency is stated where its strength is so many times that of the next one


class Part(nn.Module):
    """What one frequency, or several, give to the embedding of both numbers."""

    def __init__(self, table: Tensor) -> None:
        super().__init__()
        self.table = nn.Parameter(table, requires_grad=False)

    def forward(self, a: Tensor, b: Tensor) -> Tensor:
        """Numbers ``(trial,)`` -> sum of their embeddings ``(trial, dimension)``."""
        return self.table[a] + self.table[b]


class Square(nn.Module):
    """x^2."""

    def forward(self, x: Tensor) -> Tensor:
        """Elementwise square."""
        return x * x


class QuadraticNet(nn.Module):
    """logits = readout((mix(embed(a) + embed(b)))^2), the embedding a sum of parts and a constant."""

    def __init__(self, parts: dict[str, Tensor], constant: Tensor, mix: Tensor, readout: Tensor) -> None:
        super().__init__()
        self.frequencies = nn.ModuleDict({name: Part(table) for name, table in parts.items()})
        self.mix, self.hidden = nn.Linear(mix.shape[0], mix.shape[1]), Square()
        self.readout = nn.Linear(readout.shape[0], readout.shape[1], bias=False)
        with torch.no_grad():
            self.mix.weight.copy_(mix.T)
            self.mix.bias.copy_(2 * constant @ mix)  # of both numbers
            self.readout.weight.copy_(readout.T)
        self.requires_grad_(False)

    def forward(self, numbers: Tensor) -> Tensor:
        """a and b ``(trial, 2)`` -> logits of their sum ``(trial, p)``."""
        a, b = numbers.unbind(1)
        embedded = torch.stack([part(a, b) for part in self.frequencies.values()]).sum(dim=0)
        logits: Tensor = self.readout(self.hidden(self.mix(embedded)))
        return logits


def split_by_frequency(embedding: Array) -> Array:
    """An embedding ``(number, dimension)`` as a sum of frequencies 0 to (p-1)/2 ``(frequency, number, dimension)``.

    >>> parts = split_by_frequency(np.arange(10.0).reshape(5, 2))
    >>> parts.shape, bool(np.allclose(parts.sum(axis=0), np.arange(10.0).reshape(5, 2)))
    ((3, 5, 2), True)
    """
    p = len(embedding)
    apart = np.arange(p)[:, None] - np.arange(p)
    waves = [(1 if k == 0 else 2) / p * np.cos(2 * math.pi * k * apart / p) for k in range((p + 1) // 2)]
    return np.array([wave @ embedding for wave in waves])


def modular_addition_trained() -> Toy:
    """Addition modulo 59, trained on 80 % of the pairs until it is right on the others too; players are frequencies.

    A shared embedding of 10 dimensions, quadratic units (Gromov 2023, Grokking modular arithmetic), a readout. Of 29
    frequencies five hold the embedding: without the 24 others together .7 % of the answers are lost, without one of
    the five 4 to 25 % (key frequencies: Nanda et al. 2023, Progress measures for grokking via mechanistic
    interpretability).
    Trained by ``python -m artiphys.toys.trained.training.modular_addition``. A player is what a frequency gives to the
    embeddings of both numbers: the trained table is split into a sum.

    The naive error: a unit is read from its tuning to one number, which has twice the frequency of what it computes; or
    one asks which units matter, where each frequency is spread over all dimensions of the embedding.
    """
    stored = read_weights("modular_addition")
    embedding, mix, readout = (stored[n].double().numpy() for n in ("embedding", "mix", "readout"))
    p = len(embedding)
    waves = split_by_frequency(embedding)
    power = (waves[1:] ** 2).sum(axis=(1, 2))
    keys = [k for k in range(1, len(waves)) if power[k - 1] > KEY_SHARE * power.sum()]
    others = sum((waves[k] for k in range(1, len(waves)) if k not in keys), np.zeros_like(embedding))
    groups = {f"k{k}": waves[k] for k in keys} | {"others": others}

    # All pairs, but too many to be shown over and over: in random order, so that some of them stand for the others.
    order = np.random.default_rng(0).permutation(p * p)
    a, b = np.divmod(order, p)
    total = (a + b) % p
    driven = [(table[a] + table[b]) @ mix for table in groups.values()]
    constant = 2 * waves[0][0] @ mix

    def value(intact: tuple[int, ...]) -> float:
        before = constant + sum((driven[i] for i in intact), np.zeros((p * p, mix.shape[1])))
        return float(((before**2 @ readout).argmax(axis=1) == total).mean())

    names = [f"frequencies.{name}" for name in groups]
    rounding = 2 / p**2  # a trial or two may be decided otherwise in single precision
    source = "the stored weights in double precision, the embedding without the lesioned frequencies, all pairs"
    truth = (
        Truth("accuracy", {"intact": value(tuple(range(len(names))))}, None, rounding, source),
        Truth("waves", _of_units(waves, mix), None, 1e-4, "Re F^2, -Im F^2 of the strongest incoming wave F e^(iwa)"),
        *enumerated_truths(names, value, rounding, source),
    )
    held_out = stored["held_out"].bool().numpy()[order]
    # Fifty-nine classes would be decoded at length; whether the sum is in the upper half is read as well.
    upper = (total > p // 2).astype(int)
    conditions = {
        "label": upper,
        "a": a,
        "b": b,
        "sum": total,
        "sum_name": [f"{s:03d}" for s in total],
        "held_out": held_out,
    }
    stimuli = Stimuli(torch.as_tensor(np.stack([a, b], axis=1)), conditions)
    tables = {name: torch.as_tensor(table, dtype=torch.float32) for name, table in groups.items()}
    model = QuadraticNet(tables, torch.as_tensor(waves[0][0], dtype=torch.float32), stored["mix"], stored["readout"])
    lesson = "five of 29 frequencies do it all; a unit's tuning to one number shows twice the frequency it works with"
    return Toy("modular_addition_trained", model, stimuli, upper, scores.accuracy("sum"), ("frequencies.*",), truth,
               lesson, grouped=True, exhaustive=False)  # fmt: skip


def _of_units(waves: Array, mix: Array) -> dict[str, float]:
    """Frequency, cosine and sine of the tuning to the sum, of each hidden unit that has one clear frequency.

    Of a wave Re(F e^(iwa)) from each number, 2 f(a) f(s - a) is Re(F^2 e^(iws)) on average over all pairs of sum s;
    what different frequencies give together, and the squares of one number's wave, are the same for all sums.
    """
    p, incoming = len(waves[0]), waves[1:] @ mix  # (frequency, number, unit)
    strength = (incoming**2).sum(axis=1)
    ranked = np.sort(strength, axis=0)
    found: dict[str, float] = {}
    for u in np.flatnonzero(ranked[-1] > CLEAR * ranked[-2]).tolist():
        k = 1 + int(strength[:, u].argmax())
        turning = np.exp(-2j * math.pi * k * np.arange(p) / p)
        square = complex(2 / p * (incoming[k - 1, :, u] * turning).sum()) ** 2
        found |= {f"hidden.{u} frequency": float(k), f"hidden.{u} cos": square.real, f"hidden.{u} sin": -square.imag}
    return found
