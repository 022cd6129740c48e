"""An induction head by hand: a previous-token head feeds a match-and-copy head.

Reference: Olsson et al. 2022, In-context learning and induction heads.
"""

from __future__ import annotations

import dataclasses

import numpy as np
import torch
from torch import Tensor, nn

from artiphys.players import Link, Player
from artiphys.scores.score import Score
from artiphys.stimuli import Stimuli
from artiphys.toys.subset_truths import set_truths
from artiphys.toys.toy import Toy, Truth

LESSON = "its nodes are two heads; only edges tell that they meet in the keys, not in queries or values"
SHARP = 50.0  # scores are 0 or this, so that attention is all or nothing


class Attention(nn.Module):
    """One head: causal attention with given query, key and value maps; its output is the site."""

    def __init__(self, query: Tensor, key: Tensor, value: Tensor) -> None:
        super().__init__()
        self.query, self.key, self.value = (_linear(w) for w in (query, key, value))
        self.z = nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        """Stream ``(trial, time, unit)`` -> what the head adds to it."""
        scores = SHARP * self.query(x) @ self.key(x).transpose(1, 2)
        n = x.shape[1]
        future = torch.ones(n, n, dtype=torch.bool, device=x.device).triu(1)
        pattern = scores.masked_fill(future, -torch.inf).softmax(dim=-1)
        z: Tensor = self.z(pattern @ self.value(x))
        return z


class InductionNet(nn.Module):
    """Stream = [token one-hot | position one-hot | previous token | prediction]."""

    def __init__(self, vocabulary: int, length: int) -> None:
        super().__init__()
        v, n = vocabulary + 1, length  # the last token is BOS
        d = 3 * v + n
        token, position, previous, out = (
            slice(0, v),
            slice(v, v + n),
            slice(v + n, 2 * v + n),
            slice(2 * v + n, d),
        )
        self.vocabulary = vocabulary
        self.embed = nn.Parameter(torch.zeros(v, d), requires_grad=False)
        self.position = nn.Parameter(torch.zeros(n, d), requires_grad=False)
        self.embed[:, token] = torch.eye(v)
        self.position[:, position] = torch.eye(n)

        def maps(pairs: list[tuple[slice, Tensor, slice]]) -> Tensor:
            w = torch.zeros(d, d)
            for source, matrix, target in pairs:
                w[source, target] = matrix
            return w

        # Layer 0 looks for position i - 1 (a shift of the position one-hot) and copies its token.
        back = torch.diag(torch.ones(n - 1), -1)
        self.layer0 = Attention(
            maps([(position, back, position)]),
            maps([(position, torch.eye(n), position)]),
            maps([(token, torch.eye(v), previous)]),
        )
        # Layer 1 looks for a position whose previous token is the present token, and copies what stands there.
        self.layer1 = Attention(
            maps([(token, torch.eye(v), previous)]),
            maps([(previous, torch.eye(v), previous)]),
            maps([(token, torch.eye(v), out)]),
        )
        self.readout = _linear(torch.eye(d)[:, out][:, :vocabulary])
        #: Which entries of the stream the embedding, layer 0 and layer 1 write.
        self.written = {"embed": range(v + n), "layer0": range(v + n, 2 * v + n), "layer1": range(2 * v + n, d)}

    def forward(self, tokens: Tensor) -> Tensor:
        """Tokens ``(trial, time)`` -> logits over content tokens ``(trial, time, vocabulary)``."""
        x = self.embed[tokens] + self.position[: tokens.shape[1]]
        x = x + self.layer0(x)
        x = x + self.layer1(x)
        logits: Tensor = self.readout(x)
        return logits


def _linear(weight: Tensor) -> nn.Linear:
    """A linear layer ``(in, out)`` without bias."""
    layer = nn.Linear(weight.shape[0], weight.shape[1], bias=False)
    with torch.no_grad():
        layer.weight.copy_(weight.T)
    return layer.requires_grad_(False)


def induction_head(
    vocabulary: int = 20, n_distinct: int = 16, bos: bool = True, n_trials: int = 8, seed: int = 0
) -> Toy:
    """16 distinct tokens, repeated; the score is over the 15 next-token predictions of the second half.

    Without BOS the first token has no predecessor and looks at itself, so that the first prediction
    ties: 14.5 of 15.
    """
    rng = np.random.default_rng(seed)
    first = np.stack([rng.permutation(vocabulary)[:n_distinct] for _ in range(n_trials)])
    tokens = np.concatenate([first, first], axis=1)
    if bos:
        tokens = np.concatenate([np.full((n_trials, 1), vocabulary), tokens], axis=1)
    start = tokens.shape[1] - n_distinct
    predicted = list(range(start, tokens.shape[1] - 1))

    def fn(outputs: Tensor, trials: Stimuli) -> Tensor:
        assert isinstance(trials.inputs, Tensor)
        y = outputs[:, predicted].double()
        target = trials.inputs[:, [p + 1 for p in predicted]].to(y.device)
        top = ((y - y.amax(dim=-1, keepdim=True)).abs() < 1e-6).double()  # ties share the credit
        return (top / top.sum(-1, keepdim=True)).gather(-1, target[..., None])[..., 0].mean(dim=1)

    whole = 1.0 if bos else (n_distinct - 1.5) / (n_distinct - 1)
    guess = 1 / vocabulary
    names = ["layer0.z", "layer1.z"]
    source = "attention worked out by hand; without layer 1 all logits tie, without layer 0 repeats win"
    truth = (
        Truth("accuracy", {"intact": whole}, None, 1e-6, source),
        Truth("value", {"layer0.z": guess, "layer1.z": 0.0, "none": guess}, "zero", 1e-6, source),
        Truth("single_lesions", dict(zip(names, (whole, whole - guess))), "zero", 1e-6, source),
        Truth("shapley", dict(zip(names, (whole / 2, whole / 2 - guess))), "zero", 1e-6, source),
    )
    score = Score(fn, "induction accuracy", "proportion correct", key=f"induction-{start}-{n_distinct}")
    stimuli = Stimuli(torch.as_tensor(tokens), {"first": first[:, 0]})
    lesson = "two heads in series: either lesion stops induction, and Shapley splits what they do only together"
    return Toy("induction_head", InductionNet(vocabulary, tokens.shape[1]), stimuli, first[:, 0], score, ("layer*.z",),
               truth, lesson, grouped=True, exhaustive=False)  # fmt: skip


def induction_edges(vocabulary: int = 20, n_distinct: int = 16, n_trials: int = 4, seed: int = 0) -> Toy:
    """The induction head with connections as players: what embedding and layers give to queries, keys, values, logits.

    The two layers write to parts of the stream of their own, so that a connection is a part of a linear layer's
    weights. Seven of twelve carry the behaviour, each of them vital; one is the composition of keys (Olsson et al.
    2022).
    """
    toy = induction_head(vocabulary, n_distinct, n_trials=n_trials, seed=seed)
    written: dict[str, range] = toy.model.written  # type: ignore[assignment]
    ends = [(s, f"layer{i}.{r}") for i in (0, 1) for r in ("query", "key", "value") for s in list(written)[: i + 1]]
    ends += [(s, "readout") for s in written]
    players = tuple(Player(f"{s}→{r}", (Link(f"{r}.in", tuple(written[s]), r, None),)) for s, r in ends)
    # Without a query, a key, or what is matched, layer 1 looks at itself or everywhere, where other tokens are more
    # frequent than the next one; without what it copies all logits tie.
    lost = ["embed→layer0.query", "embed→layer0.key", "embed→layer0.value", "embed→layer1.query", "layer0→layer1.key"]
    tied = ["embed→layer1.value", "layer1→readout"]
    vital, guess = [*lost, *tied], 1 / vocabulary
    values = {}
    for number in range(2 ** len(vital)):
        intact = tuple(i for i in range(len(vital)) if number >> i & 1)
        values[intact] = float(len(intact) == len(vital)) if {5, 6} <= set(intact) else guess
    found = {t.analysis: t for t in set_truths(values, 0.95, named=lambda i: vital[i]) or ()}
    idle = [p.name for p in players if p.name not in vital]
    for analysis in ("shapley", "single_lesions"):
        expected = {**found[analysis].expected, **dict.fromkeys(idle, 0.0)}
        found[analysis] = dataclasses.replace(found[analysis], expected=expected)
    source = "attention worked out by hand: what must be found, held and copied"
    truth = (Truth("accuracy", {"intact": 1.0}, None, 1e-6, source), *found.values())
    return dataclasses.replace(toy, name="induction_edges", truth=truth, connections=players,
                               lesson=LESSON)  # fmt: skip
