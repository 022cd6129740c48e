"""Programs compiled into a stock Phi-3: which head or MLP computes what is known from the compiler's own plan.

The compiler is torchwright (R. Porter), after Weiss, Goldberg & Yahav 2021, Thinking like transformers, and Lindner et
al. 2023, Tracr: compiled transformers as a laboratory for interpretability. It reuses units of the residual stream:
what is no longer needed is erased by heads that add its negative. Lesioned, these do harm, and they compute nothing.
"""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import torch
from torch import Tensor

from artiphys.errors import InputError
from artiphys.toys.by_hand.program_net import head_truths, proportion_correct
from artiphys.toys.compilation import compiler as by
from artiphys.toys.compilation.compiler import Compiled, as_tokens, build, per_token, rotary
from artiphys.toys.toy import Toy, TransformerToy, Truth

INDUCTION = "a head that only erases the token here looks half as important as those that find the next one"
ADDER = "lesioned, a head that only erases takes more than those that read the numbers: it computes nothing"
COUNTING = "the head alone holds no count: an MLP inverts the attention that is left for BOS"
REVERSAL = "every answer has heads of its own; the mean over positions hides that a lesion abolishes one of them"
PLAN = "the program, and the compiler's plan of who writes and erases which unit of the stream"
HEADS = ("blocks.*.attn.hook_z",)


def induction(n_trials: int = 8, seed: int = 0) -> Toy:
    """Different tokens, repeated: the score is over the predictions in the second half.

    ``previous`` notes the token before; ``match`` looks for the token here among those, and copies what stands there
    into the units that hold the token here. Head ``erase 2`` removes that one; without it both tie, for half of the
    credit. Without ``previous`` all positions are looked at, and tokens seen twice win; without ``match`` all logits
    tie, or the token here wins if it is not erased.

    Source: Olsson et al. 2022, In-context learning and induction heads. Naive error: by lesions the eraser is half as
    important as the two that find the next token.

    Raises
    ------
    InputError
        If torchwright is not installed, or there are no trials.
    """
    _check("compiled_induction", n_trials=n_trials)
    vocabulary, n_distinct = 12, 6
    from torchwright.graph.node import annotate
    from torchwright.ops.attention_ops import attend_argmax_dot, attend_to_offset
    from torchwright.ops.inout_nodes import create_onehot_embedding

    tokens = create_onehot_embedding(["<bos>", *_numbers(vocabulary)])
    with annotate("previous"):
        before = attend_to_offset(rotary(), tokens, -1)
    with annotate("match"):
        following = attend_argmax_dot(rotary(), tokens, before, tokens)
    made = build(following, tokens)
    made.check_placed(
        "compiled_induction",
        {"previous": (1, 0, "14-26"), "match": (2, 0, "1-13"), "erase 1": (1, 1, "14"), "erase 2": (2, 1, "1-26")},
    )

    rng = np.random.default_rng(seed)
    words = [rng.permutation(vocabulary)[:n_distinct].tolist() for _ in range(n_trials)]
    stimuli = made.stimuli([["<bos>", *map(str, [*w, *w])] for w in words], {"first": [w[0] for w in words]})

    def answers(shown: Tensor) -> tuple[Tensor, Tensor]:
        place = torch.arange(shown.shape[1], device=shown.device)
        return shown.roll(-1, 1), ((place > n_distinct) & (place < shown.shape[1] - 1)).expand(shown.shape)

    def value(intact: frozenset[str]) -> float:
        if "match" not in intact:
            return 1 / len(made.vocabulary) if "erase 2" in intact else 0.0
        return 0.0 if "previous" not in intact else 1.0 if "erase 2" in intact else 0.5

    q = n_distinct + 2
    looks = {made.looks("previous", q, q - 1): 1.0, made.looks("match", q, q + 1 - n_distinct): 1.0}
    return _toy("compiled_induction", made, stimuli, answers, value, ("previous", "match", "erase 2"),
                ("erase 1", "empty 0.0"), looks, {}, INDUCTION)  # fmt: skip


def adder() -> Toy:
    """The sum of two numbers as one token: all prompts ``a + b =`` with a and b from 0 to 6.

    ``first`` and ``second`` read the numbers, three and one back; ``sum`` adds the second to where the first is held.
    An MLP makes a token of the sum. Without a reader its number is 0. Without ``erase 1`` the 1 that ``first`` is
    written over is left, so that the sum is too large by 1, and ``=`` stands beside the answer. Without ``erase 3``
    half of the second number is added to the answer 0: the MLP's marks are 1 and -1, of which the last map takes half.

    Source: after the smallest example of torchwright. Naive error: a lesion of the eraser takes everything, of a reader
    only 6/7.

    Raises
    ------
    InputError
        If torchwright is not installed.
    """
    _check("compiled_adder")
    largest = 6
    from torchwright.graph.node import annotate
    from torchwright.ops.attention_ops import attend_to_offset
    from torchwright.ops.inout_nodes import create_onehot_embedding
    from torchwright.ops.linear import add

    names = _numbers(2 * largest + 1)
    tokens = create_onehot_embedding(["<bos>", *names, "+", "="])
    number = per_token(tokens, dict(zip(names, range(len(names)))))
    with annotate("first"):
        a = attend_to_offset(rotary(), number, -3)
    with annotate("second"):
        b = attend_to_offset(rotary(), number, -1)
    with annotate("sum"):
        total = add(a, b)
    made = build(as_tokens(tokens, total, names), tokens)
    made.check_placed(
        "compiled_adder",
        {"first": (1, 0, "18"), "second": (1, 1, "17"), "sum": (2, 0, "18"), "erase 1": (1, 2, "1-19"),
         "erase 3": (3, 0, "17")},
    )  # fmt: skip

    pairs = list(itertools.product(range(largest + 1), repeat=2))
    prompts = [["<bos>", str(i), "+", str(j), "="] for i, j in pairs]
    first, second = np.array(pairs).T
    stimuli = made.stimuli(prompts, {"first": first, "second": second, "sum": first + second})
    zero = made.vocabulary.index("0")

    def answers(shown: Tensor) -> tuple[Tensor, Tensor]:
        target = (shown[:, 1:2] + shown[:, 3:4] - zero).expand(shown.shape)
        return target, torch.arange(shown.shape[1], device=shown.device).expand(shown.shape) == 4

    def value(intact: frozenset[str]) -> float:
        credit = 0.0
        for i, j in pairs:
            logits = np.zeros(len(made.vocabulary))
            held = j * ("second" in intact)
            got = i * ("first" in intact) + held * ("sum" in intact)
            if "erase 1" not in intact:
                logits[made.vocabulary.index("=")] += 1
                got += 1
            if "erase 3" not in intact:
                logits[zero] += held / 2
            if got < len(names):  # a larger number names no token
                logits[zero + got] += 1
            top = logits == logits.max()
            credit += top[zero + i + j] / top.sum()
        return float(credit / len(pairs))

    looks = {made.looks("first", 4, 1): 1.0, made.looks("second", 4, 3): 1.0, made.looks("sum", 4, 4): 1.0}
    holds = {made.variable(name, 4): largest / 2 for name in ("first", "second")} | {made.variable("sum", 4): largest}
    return _toy("compiled_adder", made, stimuli, answers, value, ("first", "second", "sum", "erase 1", "erase 3"),
                ("empty 2.1",), looks, holds, ADDER, exhaustive=True)  # fmt: skip


def counting(trials_per_count: int = 1, seed: int = 0) -> Toy:
    """How many x among n = 6 tokens: BOS, the tokens, ``?``, and a number from 0 to n; each is as frequent.

    ``share`` looks at BOS and every x alike and writes 1/(c+1), its attention on BOS; the MLP ``invert`` makes c + 1 of
    that, the MLP ``choose`` marks the number. Without ``share`` it is the largest, n. Without ``invert`` none is marked
    and all logits tie; without ``choose``, whose marks are 1 and -1, all numbers lie halfway and tie. Without
    ``erase 1``, ``?`` stands beside an answer that is too small by 1: -1, for a token that is not counted, is left
    where c + 1 is written.

    Source: Lindner et al. 2023, Tracr (counting by the attention on BOS). Naive error: the count is looked for in heads
    only, which hold its inverse.

    Raises
    ------
    InputError
        If torchwright is not installed, or there are no trials.
    """
    _check("compiled_counting", trials_per_count=trials_per_count)
    from torchwright.graph.node import annotate
    from torchwright.ops.attention_ops import attend_mean_where
    from torchwright.ops.inout_nodes import create_onehot_embedding
    from torchwright.ops.linear import add_const
    from torchwright.ops.swiglu.arithmetic_ops import reciprocal

    n = 6
    names = _numbers(n + 1)
    tokens = create_onehot_embedding(["<bos>", "x", "y", "z", "?", *names])
    counted, start = per_token(tokens, {"<bos>": 2.0, "x": 2.0}, -1.0), per_token(tokens, {"<bos>": 1.0})
    with annotate("share"):
        left = attend_mean_where(rotary(), counted, start)
    with annotate("invert"):
        number = reciprocal(left, 1 / (n + 1), 1.0, 0.02)
    with annotate("choose"):
        answer = as_tokens(tokens, add_const(number, -1.0), names)
    made = build(answer, tokens)
    made.check_placed("compiled_counting", {"share": (1, 0, "14"), "erase 1": (1, 1, "1-15"), "erase 2": (2, 0, "14")})

    rng = np.random.default_rng(seed)
    label = np.repeat(np.arange(n + 1), trials_per_count)
    words = [rng.permutation(["x"] * c + rng.choice(["y", "z"], n - c).tolist()).tolist() for c in label]
    stimuli = made.stimuli([["<bos>", *word, "?"] for word in words], {"count": label})

    def answers(shown: Tensor) -> tuple[Tensor, Tensor]:
        count = (shown == made.vocabulary.index("x")).sum(1, keepdim=True)
        last = torch.arange(shown.shape[1], device=shown.device).expand(shown.shape) == n + 1
        return (count + made.vocabulary.index("0")).expand(shown.shape), last

    def value(intact: frozenset[str]) -> float:
        clean = "erase 1" in intact
        if "choose" not in intact:
            return 1 / (n + 1) if clean else 0.0
        if "invert" not in intact:
            return 1 / len(made.vocabulary) if clean else 0.0
        if "share" in intact:
            return 1.0 if clean else 0.0
        return 1 / (n + 1) if clean else 0.5 / (n + 1)

    share = sum(1 / (c + 1) for c in range(n + 1)) / (n + 1)
    looks, holds = {made.looks("share", n + 1, 0): share}, {made.variable("share", n + 1): share}
    return _toy("compiled_counting", made, stimuli, answers, value, ("share", "invert", "choose", "erase 1"),
                ("empty 3.0",), looks, holds, COUNTING)  # fmt: skip


def reversal(n_trials: int = 8, seed: int = 0) -> Toy:
    """A sequence backwards: BOS, n = 4 tokens, ``|``, then its tokens from the last on, each of them predicted.

    The k-th answer, from 0, is 2k + 1 back: ``read k`` reads there at every position, and ``step k`` looks k back
    whether that is the bar, which opens the gate for it. So each answer has two heads of its own (the first has one);
    without either, all its logits tie.

    Source: Weiss, Goldberg & Yahav 2021, Thinking like transformers (``reverse``). Naive error: on average each lesion
    takes a little under a quarter, as if all answers got a little worse; it takes one of them whole.

    Raises
    ------
    InputError
        If torchwright is not installed, or there are no trials.
    """
    _check("compiled_reversal", n_trials=n_trials)
    n, vocabulary = 4, 8
    from torchwright.graph.node import annotate
    from torchwright.ops.attention_ops import attend_to_offset
    from torchwright.ops.inout_nodes import create_onehot_embedding
    from torchwright.ops.linear import add_const, multiply_const, sum_nodes
    from torchwright.ops.swiglu.logic_ops import cond_gate

    tokens = create_onehot_embedding(["<bos>", *_numbers(vocabulary), "|"])
    bar, gated = per_token(tokens, {"|": 1.0}), []
    for k in range(n):
        with annotate(f"read {k}"):
            read = attend_to_offset(rotary(), tokens, -(2 * k + 1))
        with annotate(f"step {k}"):
            here = attend_to_offset(rotary(), bar, -k)
        gated.append(cond_gate(add_const(multiply_const(here, 2.0), -1.0), read))
    made = build(sum_nodes(gated), tokens)
    made.check_placed(
        "compiled_reversal",
        {"read 0": (1, 3, "22-31"), "read 1": (2, 0, "11-19 21"), "read 2": (2, 1, "20 36-44"),
         "read 3": (2, 2, "45-54"), "step 1": (1, 0, "19"), "step 2": (1, 1, "20"), "step 3": (1, 2, "21")},
    )  # fmt: skip

    rng = np.random.default_rng(seed)
    words = rng.integers(0, vocabulary, (n_trials, n)).astype(str).tolist()
    stimuli = made.stimuli([["<bos>", *w, "|", *w[:0:-1]] for w in words], {"first": [w[0] for w in words]})

    def answers(shown: Tensor) -> tuple[Tensor, Tensor]:
        place = torch.arange(shown.shape[1], device=shown.device)
        back = (2 * n + 1 - place).clamp(1, n)
        return shown[:, back], (place > n).expand(shown.shape)

    def value(intact: frozenset[str]) -> float:
        whole = sum(f"read {k}" in intact and (k == 0 or f"step {k}" in intact) for k in range(n))
        return (whole + (n - whole) / len(made.vocabulary)) / n

    steps = range(1, n)
    used = (*(f"read {k}" for k in range(n)), *(f"step {k}" for k in steps))
    looks = {made.looks(f"read {k}", n + 1 + k, n - k): 1.0 for k in range(n)}
    looks |= {made.looks(f"step {k}", n + 1 + k, n + 1): 1.0 for k in steps}
    holds = {made.variable(f"step {k}", n + 1 + k): 1.0 for k in steps}
    return _toy("compiled_reversal", made, stimuli, answers, value, used, ("empty 0.0",), looks, holds, REVERSAL)


def _check(toy: str, **trials: int) -> None:
    """An error where torchwright is missing, or where no trials are asked for."""
    by.check_installed(toy)
    for name, number in trials.items():
        if number < 1:
            raise InputError(f"{name} came as {number}; wanted at least 1")


def _numbers(n: int) -> list[str]:
    return list(map(str, range(n)))


def _toy(
    name: str, made: Compiled, stimuli: Any, answers: Any, value: Any, used: tuple[str, ...], idle: tuple[str, ...],
    looks: dict[str, float], holds: dict[str, float], lesson: str, exhaustive: bool = False,
) -> Toy:  # fmt: skip
    truth = [*head_truths(value, used, idle, PLAN, "{}"), Truth("attention", looks, None, 1e-5, PLAN)]
    if holds:
        truth.append(Truth("variables", holds, None, 1e-5, PLAN))
    score = proportion_correct(answers, name)
    labels = stimuli.conditions.iloc[:, -1].to_numpy()
    return TransformerToy(name, made.model, stimuli, labels, score, HEADS, tuple(truth), lesson,
               connections=made.players([*used, *idle]), exhaustive=exhaustive)  # fmt: skip
