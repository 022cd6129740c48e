"""On a device that mixes with no CPU tensor everything gives what it gives on the CPU."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import artiphys as ap

Case = Any
KINDS: dict[str, dict[str, Any]] = {
    "zero": {}, "mean": {}, "resample": {}, "noise": {"sd": 0.3}, "gain": {"gain": 0.5}, "clamp": {"value": 0.2},
}  # fmt: skip


def first(out: Any) -> Tensor:
    out = next(iter(out.values())) if isinstance(out, dict) else out
    return torch.as_tensor(out[0] if isinstance(out, tuple) else out)


def mean_output(outputs: Any, trials: ap.Stimuli) -> Tensor:
    return first(outputs).flatten(1).double().mean(dim=1)


def there_and_here(cpu_case: Case, device: torch.device) -> tuple[ap.Preparation, ap.Preparation]:
    return cpu_case.wrap(cpu_case.model().to(device)), cpu_case.wrap(cpu_case.model())


def close(a: Any, b: Any) -> None:
    np.testing.assert_allclose(np.asarray(a), np.asarray(b), rtol=1e-3, atol=1e-5)


def test_tensors_of_both_devices_do_not_mix(device: torch.device) -> None:
    there = torch.ones(2, device="cpu").to(device)
    with pytest.raises((RuntimeError, TypeError)):
        there + torch.ones(2)
    with pytest.raises((RuntimeError, TypeError)):
        there.numpy()


def test_reads_and_recordings(cpu_case: Case, device: torch.device) -> None:
    there, here = there_and_here(cpu_case, device)
    site = there.sites[cpu_case.site].name
    with torch.no_grad():
        run = there.run(cpu_case.inputs, read=site)
    assert run.activity[site].device.type == device.type == first(run.outputs).device.type
    recordings = [ap.record(p, cpu_case.inputs, site, batch_size=2, progress=False)[site].values for p in (there, here)]
    close(*recordings)


@pytest.mark.parametrize("kind", KINDS)
def test_games_with_lesions_of_every_kind(cpu_case: Case, kind: Any, device: torch.device) -> None:
    values = []
    for prep in there_and_here(cpu_case, device):
        players = prep.players(cpu_case.site, units=[0, 1, 2])
        game = ap.Game(prep, cpu_case.inputs, mean_output, players, kind=kind, progress=False, **KINDS[kind])
        values.append(ap.shapley(game).values.values)
    close(*values)


def test_projections_and_lesions_in_a_block(cpu_case: Case, device: torch.device) -> None:
    found = []
    for prep in there_and_here(cpu_case, device):
        axis = "channel" if "channel" in prep.sites[cpu_case.site].axes else prep.sites[cpu_case.site].axes[-1]
        directions = np.eye(prep.sites[cpu_case.site].size(axis))[:2]
        lesion = ap.Lesion(cpu_case.site, kind="project", direction=directions, reference=ap.Stimuli(cpu_case.inputs))
        with torch.no_grad(), ap.lesioned(prep, lesion):
            found.append(first(prep.run(cpu_case.inputs).outputs).cpu())
    close(*found)


@pytest.mark.parametrize("method", ["gradient", "integrated"])
def test_gradients(cpu_case: Case, method: Any, device: torch.device) -> None:
    values = []
    for prep in there_and_here(cpu_case, device):
        game = ap.Game(
            prep, cpu_case.inputs, mean_output, prep.players(cpu_case.site, units=[0, 1]), kind="zero", progress=False
        )
        values.append(ap.attribution(game, method=method, steps=2).values.values)
    close(*values)


class Last(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.gru = nn.GRU(3, 4, batch_first=True)

    def forward(self, x: Tensor) -> Tensor:
        return torch.as_tensor(self.gru(x)[0][:, -1])


def test_lesions_at_times(device: torch.device) -> None:
    x = torch.randn(6, 5, 3, generator=torch.Generator().manual_seed(0))
    values = []
    for where in (device, torch.device("cpu")):
        torch.manual_seed(0)
        prep = ap.wrap(Last().eval().to(where), x)
        players = prep.players("gru.h0")
        game = ap.Game(prep, x, lambda y, t: y.sum(1), players, kind="zero", time=[1, -1], progress=False)
        values.append(ap.single_lesions(game).values.values)
    close(*values)


@pytest.mark.parametrize("score", ["accuracy", "log_prob", "auc", "several"])
def test_scores_campaigns_and_ragged_prompts(score: str, device: torch.device, tmp_path: Path) -> None:
    from contract.conftest import small

    tokens = ap.Stimuli.from_tokens([[5, 6, 7, 8], [9, 10], [11, 12, 13]], {"y": [0, 1, 1]})
    s = ap.scores
    made = {"accuracy": s.accuracy("y"), "log_prob": s.log_prob("y"), "auc": s.auc("y"),
            "several": s.several(a=s.accuracy("y"), b=s.log_prob("y"))}[score]  # fmt: skip
    values = []
    for where in (device, torch.device("cpu")):
        torch.manual_seed(0)
        prep = ap.wrap(small("llama").eval().to(where))
        game = ap.Game(prep, tokens, made, prep.players("blocks.*.attn.hook_z", units=[0, 1]), kind="mean",
                       cache=tmp_path / where.type, progress=False)  # fmt: skip
        values.append(ap.banzhaf(game).values.values)
    close(*values)


@pytest.mark.parametrize("estimator", ["ridge", "lda", "logistic"])
def test_decoding_activity_that_lies_there(estimator: str, device: torch.device) -> None:
    y = np.arange(40) % 2
    x = torch.randn(40, 5, generator=torch.Generator().manual_seed(0)) + torch.as_tensor(y)[:, None]
    options: dict[str, Any] = {"n_permutations": 20, "confounds": np.arange(40.0)}
    scores = [float(ap.decode(a, y, estimator, **options).score) for a in (x.to(device), x)]
    assert scores[0] == scores[1]
    close(ap.tuning_curves(x.to(device), y).curves, ap.tuning_curves(x, y).curves)
    close(ap.detectability(x.to(device), y, n_permutations=20).auc, ap.detectability(x, y, n_permutations=20).auc)
