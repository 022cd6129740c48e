"""Errors over stimuli cover fresh trials."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import artiphys as ap


@pytest.mark.many_runs
def test_intervals_over_stimuli_cover_the_value_on_fresh_trials() -> None:
    """Twelve trials, drawn anew 300 times: the value on all the trials there could be lies in 95 of 100 intervals.

    With half of all pairs drawn neither error is negligible, and intervals over coalitions alone cover too little.
    """
    import torch
    from torch import nn

    torch.manual_seed(0)
    net = nn.Sequential(nn.Linear(4, 8), nn.Tanh(), nn.Linear(8, 2)).eval()

    def draw(n: int, seed: int) -> torch.Tensor:
        return torch.randn(n, 4, generator=torch.Generator().manual_seed(seed))

    prep = ap.wrap(net, draw(12, 0))
    score = ap.scores.Score(lambda y, trials: y[:, 0] * y[:, 1], "product", rowwise=True)

    def found(x: Any, seed: int, **options: Any) -> ap.Attribution:
        game = ap.Game(prep, x, score, prep.players("1"), kind="zero", batch_size=4096, progress=False)
        return ap.shapley(game, seed=seed, progress=False, **options)

    truth = found(draw(40_000, 1), 0).values.to_numpy()
    hits: dict[Any, list[Any]] = {"both": [], "coalitions": []}
    for seed in range(300):
        one = found(draw(12, 100 + seed), seed, method="regression", order=1, budget=200)
        assert not one.exact and one.n_trials == 12
        for over, kept in hits.items():
            low, high = one.interval(over=over)
            kept.append((low.to_numpy() <= truth) & (truth <= high.to_numpy()))
    assert 0.92 <= np.mean(hits["both"]) <= 0.975
    assert np.mean(hits["coalitions"]) < 0.6
