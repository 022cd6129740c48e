"""Attention-only transformers for programs: a stream of named fields, and heads that read and write them."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Mapping, Sequence

import torch
from torch import Tensor, nn

from artiphys.scores.score import Score
from artiphys.stimuli import Stimuli
from artiphys.toys.subset_truths import set_truths
from artiphys.toys.toy import Truth

SHARP = 50.0  # what one wrong step costs in the scores of a head: attention is all or nothing
TIE = 1e-6  # logits this near share the credit
Maps = Sequence[tuple[str, Tensor | float, str]]  # from field, by what matrix, to field


class Stream:
    """Where the named fields of a residual stream lie."""

    def __init__(self, **widths: int) -> None:
        stops = torch.tensor(list(widths.values())).cumsum(0).tolist()
        self.fields = {name: slice(stop - widths[name], stop) for name, stop in zip(widths, stops)}
        self.width = sum(widths.values())

    def maps(self, pairs: Maps) -> Tensor:
        """Weights ``(unit in, unit out)`` of a map between fields; a number stands for the matrix of one entry."""
        weights = torch.zeros(self.width, self.width)
        for source, matrix, target in pairs:
            weights[self.fields[source], self.fields[target]] += torch.as_tensor(matrix)
        return weights

    def rows(self, n: int, **values: Tensor | Sequence[float]) -> Tensor:
        """``(n, unit)``: what n tokens, or n positions, put into the stream."""
        table = torch.zeros(n, self.width)
        for name, value in values.items():
            table[:, self.fields[name]] = torch.as_tensor(value, dtype=torch.float32).reshape(n, -1)
        return table


class Head(nn.Module):
    """One head; its attention ``(trial, query, key)`` and what it writes are sites, ``pattern`` and ``z``."""

    def __init__(self, stream: Stream, query: Maps, key: Maps, value: Maps, causal: bool = True) -> None:
        super().__init__()
        self.query, self.key, self.value = (biasless(stream.maps(pairs)) for pairs in (query, key, value))
        self.pattern, self.z = nn.Identity(), nn.Identity()
        self.causal = causal

    def forward(self, x: Tensor) -> Tensor:
        """Stream ``(trial, time, unit)`` -> what the head adds to it."""
        scores = self.query(x) @ self.key(x).transpose(1, 2)
        if self.causal:
            future = torch.ones(scores.shape[1:], dtype=torch.bool, device=x.device).triu(1)
            scores = scores.masked_fill(future, -torch.inf)
        z: Tensor = self.z(self.pattern(scores.softmax(dim=-1)) @ self.value(x))
        return z


class ProgramNet(nn.Module):
    """Tokens ``(trial, time)`` -> logits ``(trial, time, class)`` by layers of heads and a linear readout."""

    def __init__(self, embed: Tensor, position: Tensor, layers: Sequence[Mapping[str, Head]], readout: nn.Linear):
        super().__init__()
        self.embed = nn.Parameter(embed, requires_grad=False)
        self.position = nn.Parameter(position, requires_grad=False)
        self.layers = [list(heads) for heads in layers]
        for heads in layers:
            for name, head in heads.items():
                self.add_module(name, head)
        self.readout = readout

    def forward(self, tokens: Tensor) -> Tensor:
        """The heads of a layer read the same stream; what they write is added to it."""
        x = self.embed[tokens] + self.position[: tokens.shape[1]]
        for names in self.layers:
            x = x + sum(self.get_submodule(name)(x) for name in names)
        logits: Tensor = self.readout(x)
        return logits


def biasless(weight: Tensor) -> nn.Linear:
    """A linear layer with weights ``(in, out)`` and no bias."""
    layer = nn.Linear(weight.shape[0], weight.shape[1], bias=False)
    with torch.no_grad():
        layer.weight.copy_(weight.T)
    return layer.requires_grad_(False)


def proportion_correct(answers: Callable[[Tensor], tuple[Tensor, Tensor]], key: str) -> Score:
    """Proportion of a trial's answers that are right; classes that tie share the credit.

    ``answers`` gives, from tokens ``(trial, time)``, the right class at each position and where one is asked for.
    """

    def fn(outputs: Tensor, trials: Stimuli) -> Tensor:
        assert isinstance(trials.inputs, Tensor)
        target, asked = (t.to(outputs.device) for t in answers(trials.inputs))
        y = outputs.double()
        top = ((y - y.amax(dim=-1, keepdim=True)).abs() < TIE).double()
        credit = (top / top.sum(-1, keepdim=True)).gather(-1, target[..., None])[..., 0]
        return (credit * asked).sum(dim=1) / asked.sum(dim=1)

    return Score(fn, "proportion correct", "proportion correct", key=key)


def head_truths(
    value: Callable[[frozenset[str]], float], used: Sequence[str], idle: Iterable[str], source: str, named: str = "{}.z"
) -> tuple[Truth, ...]:
    """Truths under zero lesions of whole heads, of which only ``used`` change the ``value`` of what is intact.

    ``named`` makes players' names of those of heads.
    """
    values = {}
    for number in range(2 ** len(used)):
        intact = tuple(i for i in range(len(used)) if number >> i & 1)
        values[intact] = value(frozenset(used[i] for i in intact))
    truths = [Truth("accuracy", {"intact": value(frozenset(used))}, None, TIE, source)]
    for truth in set_truths(values, 0.95, named=lambda i: named.format(used[i])) or ():
        expected = dict(truth.expected)
        if truth.analysis in ("shapley", "single_lesions"):
            expected |= {named.format(name): 0.0 for name in idle}
        truths.append(dataclasses.replace(truth, expected=expected, source=source))
    return tuple(truths)
