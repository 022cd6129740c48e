"""Where there is nothing, the findings say so in words; and rarely anything else."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

import artiphys as ap
from artiphys.report.examine import examine
from artiphys.report.findings import findings
from artiphys.report.subjects import Subject
from artiphys.scores.score import Score

LESIONS, READING = "Nothing found by lesions", "Nothing found by reading"


def evidence(outputs: torch.Tensor, trials: ap.Stimuli) -> torch.Tensor:
    sign = torch.as_tensor(2.0 * np.asarray(trials.conditions["label"], dtype=float) - 1)
    return outputs[:, 0] * sign


def salmon(seed: int, effect: float = 0.0) -> Subject:
    """Random weights, inputs that are noise, labels drawn without looking; or an input that tells the label."""
    torch.manual_seed(seed)
    net = nn.Sequential(nn.Linear(6, 4), nn.ReLU(), nn.Linear(4, 1)).eval().requires_grad_(False)
    labels = np.random.default_rng(seed).permutation(np.arange(64) % 2)
    toward: Any = net[0].weight
    x = torch.randn(64, 6) + effect * torch.as_tensor(2.0 * labels - 1, dtype=torch.float32)[:, None] * toward[0]
    trials = ap.Stimuli(x, {"label": labels})
    rest: dict[str, Any] = {"grouped": False, "kind": "zero", "noise": 0.0, "exhaustive": False, "circular": None}
    return Subject("salmon", "nothing", ap.wrap(net, x[:2], check=False), trials, trials, "label", ("1",), ("1",),
                   score=Score(evidence, "evidence"), toy=None, **rest)  # fmt: skip


@pytest.mark.slow
def test_dead_salmons_have_no_findings() -> None:
    """Of 60 nothing is found in nearly all: 95 % of each kind of sentence holds for all players together."""
    said = [" ".join(findings(examine(salmon(seed), seed=seed, progress=False))) for seed in range(60)]
    quiet = sum(LESIONS in s for s in said)
    # Single lesions, Shapley values, pairs and interactions may each err in 5 %: at most 20 % together.
    assert quiet >= 60 - 18, f"{60 - quiet} of 60 had a finding by lesions"
    assert sum(READING in s for s in said) >= 60 - 9
    assert all("circuit" in s for s in said)
    neither = [s for s in said if LESIONS in s]
    assert not any(word in s for s in neither for word in ("helps", "opposes", "stand in for", "The smallest circuit"))


def test_a_live_one_has() -> None:
    said = " ".join(findings(examine(salmon(3, effect=2.0), progress=False)))
    assert "Nothing found" not in said


def test_one_salmon_says_it() -> None:
    said = findings(examine(salmon(1), progress=False))
    assert sum(s.startswith("Nothing found") for s in said) == 2, said
