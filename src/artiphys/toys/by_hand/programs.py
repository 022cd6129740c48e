"""Programs by hand in attention-only transformers: what each head does is known from what it was built for.

References: Weiss, Goldberg & Yahav 2021, Thinking like transformers (reverse, histogram and sort as programs of
selectors and aggregates); Lindner et al. 2023, Tracr: compiled transformers as a laboratory for interpretability
(counting by what attention leaves for BOS).
"""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor, nn

from artiphys.errors import InputError
from artiphys.stimuli import Stimuli
from artiphys.toys.by_hand.program_net import (
    SHARP,
    TIE,
    Head,
    Maps,
    ProgramNet,
    Stream,
    biasless,
    head_truths,
    proportion_correct,
)
from artiphys.toys.toy import Toy, Truth

REVERSE = "the backup looks at BOS and adds nothing while the mirror works; lesioned alone, neither seems needed"
COUNT = "the answer is what attention leaves for BOS, no idle sink; a second counter that decodes as well is unread"
SORT = "each counter tells the rank of every token, so one of them looks spare; the next layer needs both"
BY_HAND = "the program worked out by hand: which fields are empty without a head, and what wins then"
LONGEST = 24  # tokens; of more, neighbouring counts come too near for single precision
LOOKS = "what the head was built to look at, averaged over the trials by hand"


def reverse(
    vocabulary: int = 8, lengths: tuple[int, ...] = (4, 5, 6), trials_per_length: int = 4, seed: int = 0
) -> Toy:
    """A sequence backwards: BOS, n tokens, SEP, then the same from the last to the first, each token predicted.

    ``length`` finds SEP and notes its position s; ``mirror`` looks from p at 2s - p - 1, where -(j - 2s + p + 1)^2 is
    largest over positions j: up to a constant that is linear in j and j^2, which the keys hold. ``backup`` does the
    same a layer later, unless an answer is there already: then BOS holds it, which gives nothing. ``previous`` copies
    the token before, for nobody.

    Source: Weiss, Goldberg & Yahav 2021, Thinking like transformers (``reverse``); backup heads as in Wang et al. 2022,
    Interpretability in the wild. Naive error: lesioned alone, mirror and backup both look superfluous, and the
    backup's attention rests on BOS.

    Raises
    ------
    InputError
        If the vocabulary has fewer than two tokens, or sequences are too long, or of lengths so different that no
        position is an answer in all.
    """
    _within("vocabulary", vocabulary, 2)
    _within("trials_per_length", trials_per_length, 1)
    _within("the longest", max(lengths, default=2), 2, LONGEST)
    if not lengths or len(set(lengths)) < len(lengths) or min(lengths) < 2 or max(lengths) >= 2 * min(lengths):
        raise InputError(
            f"lengths came as {lengths}; wanted different ones from 2, the longest under twice the shortest"
        )
    v, time = vocabulary, 2 * max(lengths) + 1
    bos, sep, pad = v, v + 1, v + 2
    rng = np.random.default_rng(seed)
    n = np.repeat(lengths, trials_per_length)
    tokens = np.full((len(n), time), pad)
    for row, k in zip(tokens, n):
        word = rng.integers(0, v, k)
        row[: 2 * k + 1] = [bos, *word, sep, *word[:0:-1]]

    s = Stream(token=v + 3, one=1, place=1, square=1, end=1, previous=v + 3, out=v + 3)
    word_only = torch.diag(torch.tensor([1.0] * v + [0.0] * 3))
    here = torch.arange(time, dtype=torch.float32)

    def near(*terms: tuple[str, float]) -> tuple[Maps, Maps]:
        """Queries and keys that look at the position nearest to a sum of fields."""
        query: Maps = [("one", SHARP, "square"), *((name, 2 * SHARP * weight, "place") for name, weight in terms)]
        return query, [("place", 1.0, "place"), ("square", -1.0, "square")]

    at_end = torch.eye(v + 3)[:, [sep]]
    at_start = torch.eye(v + 3)[:, [bos]]
    query, key = near(("end", 2.0), ("place", -1.0), ("one", -1.0))
    # An answer that is there already makes BOS win over every distance.
    held = [*query, ("out", torch.full((v + 3, 1), SHARP * (time + 1) ** 2), "one")]
    layers = [
        {
            "length": Head(s, [("one", SHARP, "one")], [("token", at_end, "one")], [("place", 1.0, "end")]),
            "previous": Head(s, *near(("place", 1.0), ("one", -1.0)), [("token", word_only, "previous")]),
        },
        {"mirror": Head(s, query, key, [("token", word_only, "out")])},
        {"backup": Head(s, held, [*key, ("token", at_start, "one")], [("token", word_only, "out")])},
    ]
    embed, position = (
        s.rows(v + 3, token=torch.eye(v + 3)),
        s.rows(time, one=torch.ones(time), place=here, square=here**2),
    )
    model = ProgramNet(embed, position, layers, biasless(torch.eye(s.width)[:, s.fields["out"]][:, :v]))

    def answers(shown: Tensor) -> tuple[Tensor, Tensor]:
        end = (shown == sep).int().argmax(dim=1, keepdim=True)
        back = 2 * end - torch.arange(shown.shape[1], device=shown.device) - 1
        asked = (back >= 1) & (back < end)
        return torch.where(asked, shown.gather(1, back.clamp(0, shown.shape[1] - 1)), 0), asked

    def value(intact: frozenset[str]) -> float:
        # Without SEP's position both look at or before BOS, which gives nothing; then all logits tie.
        return 1.0 if "length" in intact and intact & {"mirror", "backup"} else 1 / v

    gain, q = 1 - 1 / v, max(lengths) + 1
    pairs = {"length.z+mirror.z": gain / 2, "length.z+backup.z": gain / 2, "mirror.z+backup.z": -gain / 2}
    looks = {f"previous.pattern.{q}.{q - 1}": 1.0, f"backup.pattern.{q}.0": 1.0}
    looks |= {f"length.pattern.{q}.{k + 1}": 1 / len(lengths) for k in lengths}
    looks |= {f"mirror.pattern.{q}.{2 * (k + 1) - q - 1}": 1 / len(lengths) for k in lengths}
    truth = (
        *head_truths(value, ("length", "mirror", "backup"), ["previous"], BY_HAND),
        Truth("SII", pairs, "zero", TIE, "Grabisch & Roubens 1999, of gain x (length and (mirror or backup))"),
        Truth("attention", looks, None, TIE, LOOKS),
    )
    score = proportion_correct(answers, f"reverse-{v}")
    return Toy("reverse", model, Stimuli(torch.as_tensor(tokens), {"length": n}), n, score, ("*.z",), truth, REVERSE,
               grouped=True, exhaustive=False)  # fmt: skip


def count(kinds: int = 3, tokens_per_kind: int = 4, length: int = 6, trials_per_count: int = 3, seed: int = 0) -> Toy:
    """How many tokens are of the kind that is asked for: BOS, a cue, n tokens, and an answer from 0 to n at the end.

    ``cue`` notes which kind is wanted; ``count`` looks at BOS and at all c tokens of that kind alike, and reads a mark
    that only BOS has: it writes 1/(c+1), from which the readout takes the class c of largest 2z/(c+1) - 1/(c+1)^2, that
    is of least distance. ``others`` counts the other tokens in the same way, for nobody. Every count is as frequent.

    Source: Weiss, Goldberg & Yahav 2021 (``selector_width``); Lindner et al. 2023, Tracr. Naive errors: attention on
    tokens is taken for what moves (their values are zero), attention on BOS for rest; ``others`` decodes the count
    as perfectly, and does nothing.

    Raises
    ------
    InputError
        If there are fewer than two kinds, or no tokens or too many.
    """
    _within("kinds", kinds, 2)
    _within("tokens_per_kind", tokens_per_kind, 1)
    _within("length", length, 1, LONGEST)
    _within("trials_per_count", trials_per_count, 1)
    words, n = kinds * tokens_per_kind, length
    bos, ask = words + kinds, words + kinds + 1
    rng = np.random.default_rng(seed)
    label = np.repeat(np.arange(n + 1), trials_per_count)
    wanted = rng.integers(0, kinds, len(label))
    rows = []
    for c, k in zip(label, wanted):
        shown = rng.permutation(np.r_[np.full(c, k), (k + rng.integers(1, kinds, n - c)) % kinds])
        rows.append([bos, words + k, *(shown * tokens_per_kind + rng.integers(0, tokens_per_kind, n)), ask])
    tokens = torch.as_tensor(np.array(rows))

    s = Stream(word=1, kind=kinds, cue=kinds, start=1, one=1, wanted=kinds, left=1, spare=1)
    ids = torch.arange(ask + 1)
    embed = s.rows(
        ask + 1, word=ids < words, one=torch.ones(ask + 1), start=ids == bos,
        kind=nn.functional.one_hot(ids.clamp(max=words - 1) // tokens_per_kind, kinds) * (ids < words)[:, None],
        cue=nn.functional.one_hot((ids - words).clamp(0, kinds - 1), kinds) * ((ids >= words) & (ids < bos))[:, None],
    )  # fmt: skip
    kind = torch.eye(kinds)
    same: Maps = [("word", 1.0, "word"), ("kind", kind, "kind"), ("start", 1.0, "start")]
    at_start: Maps = [("one", SHARP, "start")]
    unwanted: Maps = [*at_start, ("one", SHARP, "word"), ("wanted", -SHARP * kind, "kind")]
    layers = [
        {"cue": Head(s, [("one", SHARP, "one")], [("cue", torch.ones(kinds, 1), "one")], [("cue", kind, "wanted")])},
        {
            "count": Head(s, [*at_start, ("wanted", SHARP * kind, "kind")], same, [("start", 1.0, "left")]),
            "others": Head(s, unwanted, same, [("start", 1.0, "spare")]),
        },
    ]
    readout = nn.Linear(s.width, n + 1).requires_grad_(False)
    share = 1 / torch.arange(1, n + 2)
    scale = (n + 1.0) ** 4  # neighbouring counts then differ by about 1
    readout.weight.zero_()[:, s.fields["left"]] = scale * 2 * share[:, None]
    readout.bias.copy_(-scale * share**2)
    model = ProgramNet(embed, s.rows(n + 3), layers, readout)

    def answers(shown: Tensor) -> tuple[Tensor, Tensor]:
        is_word = shown < words
        right = is_word & (shown // tokens_per_kind == shown[:, 1:2] - words)
        return right.sum(dim=1, keepdim=True).expand(shown.shape), shown == ask

    def value(intact: frozenset[str]) -> float:
        # Without the cue only BOS is looked at (c = 0), without the counter 0 is nearest to 1/(n+1) (c = n).
        return 1.0 if len(intact) == 2 else 1 / (n + 1)

    q, left = n + 2, sum(1 / (c + 1) for c in range(n + 1)) / (n + 1)
    looks = {f"cue.pattern.{q}.1": 1.0, f"count.pattern.{q}.0": left, f"others.pattern.{q}.0": left}
    truth = (*head_truths(value, ("cue", "count"), ["others"], BY_HAND), Truth("attention", looks, None, TIE, LOOKS))
    stimuli = Stimuli(tokens, {"count": label, "kind": wanted})
    score = proportion_correct(answers, f"count-{kinds}-{tokens_per_kind}")
    return Toy("count", model, stimuli, label, score, ("*.z",), truth, COUNT, grouped=True, exhaustive=False)


def sort(vocabulary: int = 12, length: int = 6, rounds: int = 2, seed: int = 0) -> Toy:
    """Different tokens into their order, attention in both directions: at position i stands the i-th smallest.

    ``smaller`` and ``twice`` look at BOS and at the c tokens that are smaller; BOS counts once or twice, so that they
    write x = 1/(c+1) and y = 2/(c+2). These points lie on the concave curve y = 2x/(1+x): a line of the slope at x_i
    touches it there, and ``place`` looks from position i where y - 2x/(1+x_i)^2 is largest, at the token of rank i.
    ``larger`` counts the larger ones, for nobody. Each set of tokens is shown in n rotations: every rank at every
    position.

    Source: Weiss, Goldberg & Yahav 2021, Thinking like transformers (``sort``: rank by counting smaller tokens). Naive
    error: each of the counters decodes the rank perfectly, so two of three look spare.

    Raises
    ------
    InputError
        If there are fewer than two tokens to sort or too many, or not as many in the vocabulary.
    """
    _within("length", length, 2, LONGEST)
    _within("vocabulary", vocabulary, length)
    _within("rounds", rounds, 1)
    v, n = vocabulary, length
    rng = np.random.default_rng(seed)
    words = [rng.permutation(v)[:n] for _ in range(rounds)]
    shown = np.array([[v, *np.roll(word, shift)] for word in words for shift in range(n)])

    s = Stream(token=v + 1, one=1, start=1, position=n + 1, x=1, y=1, spare=1, out=v + 1)
    larger = torch.zeros(v + 1, v + 1)
    larger[:v, :v] = torch.ones(v, v).triu()  # [here, there]: there stands the same or a larger one
    smaller = torch.zeros(v + 1, v + 1)
    smaller[:v, :v] = torch.ones(v, v).tril()
    x = 1 / torch.arange(1, n + 1)
    slope = 2 / (1 + x) ** 2
    gaps = 2 * x[:, None] / (1 + x[:, None]) - slope * x[:, None]  # [rank there, rank wanted], largest where they agree
    nearest = float((gaps.diagonal() - gaps.masked_fill(torch.eye(n, dtype=torch.bool), -torch.inf).amax(0)).min())
    scale = torch.zeros(n + 1, 1)
    scale[1:] = SHARP / nearest
    keys: Maps = [("token", torch.eye(v + 1), "token"), ("start", 1.0, "start")]

    def counter(unseen: Tensor, bos: float, into: str) -> Head:
        query: Maps = [("token", -SHARP * unseen, "token"), ("one", math.log(bos), "start")]
        return Head(s, query, keys, [("start", 1.0, into)], causal=False)

    tilt = torch.cat([torch.zeros(1), slope])[:, None]
    look: Maps = [("position", -scale * tilt, "x"), ("position", scale, "y"), ("one", -2 * float(scale.max()), "start")]
    layers = [
        {"smaller": counter(larger, 1, "x"), "twice": counter(larger, 2, "y"), "larger": counter(smaller, 1, "spare")},
        {"place": Head(s, look, [("x", 1.0, "x"), ("y", 1.0, "y"), ("start", 1.0, "start")],
                       [("token", torch.eye(v + 1), "out")], causal=False)},
    ]  # fmt: skip
    embed = s.rows(v + 1, token=torch.eye(v + 1), one=torch.ones(v + 1), start=torch.eye(v + 1)[v])
    position = s.rows(n + 1, position=torch.eye(n + 1))
    model = ProgramNet(embed, position, layers, biasless(torch.eye(s.width)[:, s.fields["out"]][:, :v]))

    def answers(tokens: Tensor) -> tuple[Tensor, Tensor]:
        target = torch.cat([torch.zeros_like(tokens[:, :1]), tokens[:, 1:].sort(dim=1).values], dim=1)
        return target, tokens < v

    def value(intact: frozenset[str]) -> float:
        # y alone picks the smallest everywhere, x alone the largest, neither mixes all n: one of n is right.
        return 1.0 if len(intact) == 3 else 1 / n if "place" in intact else 1 / v

    once, double = float(x.double().mean()), float((2 / (torch.arange(n).double() + 2)).mean())
    looks = {"smaller.pattern.1.0": once, "twice.pattern.1.0": double, "larger.pattern.1.0": once}
    looks |= {f"place.pattern.1.{k}": 1 / n for k in range(1, n + 1)}
    truth = (
        *head_truths(value, ("smaller", "twice", "place"), ["larger"], BY_HAND),
        Truth("attention", looks, None, TIE, LOOKS),
    )
    stimuli = Stimuli(torch.as_tensor(shown), {"first": shown[:, 1]})
    return Toy("sort", model, stimuli, shown[:, 1], proportion_correct(answers, f"sort-{v}"), ("*.z",), truth, SORT,
               grouped=True, exhaustive=False)  # fmt: skip


def _within(name: str, number: int, least: int, most: int | None = None) -> None:
    if most is not None and number > most:
        raise InputError(f"{name} came as {number}; wanted at most {most}, for single precision")
    if number < least:
        raise InputError(f"{name} came as {number}; wanted at least {least}")
