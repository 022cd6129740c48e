"""Plots of contributions show what the results hold."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch
from torch import nn

import artiphys as ap
from artiphys.errors import InputError
from artiphys.plotting import plot_convergence


def test_convergence_shows_every_budget_and_costs_no_more_than_the_largest() -> None:
    torch.manual_seed(0)
    x = torch.randn(20, 5)
    prep = ap.wrap(nn.Sequential(nn.Linear(5, 12), nn.Tanh(), nn.Linear(12, 3)).eval(), x)
    game = ap.Game(prep, x, ap.scores.log_prob([0] * 20), prep.players("1"), kind="zero")
    results = [ap.shapley(game, budget=b, method="regression", order=1) for b in (200, 400, 800)]
    assert game.n_evaluations == results[-1].n_evaluations
    ax = plot_convergence(results, k=3)
    assert [t.get_text() for t in ax.get_legend().get_texts()] == list(results[-1].top(3).index)  # type: ignore[union-attr]
    assert sum(len(np.asarray(line.get_xdata())) == 3 for line in ax.get_lines()) >= 3
    assert "log-probability [nats]" in ax.get_ylabel()
    exact = ap.shapley(game, method="exact")
    lines = [line for line in plot_convergence(results, k=3, exact=exact).get_lines() if line.get_linestyle() == "--"]
    largest = np.argsort(-np.abs(results[-1].values.to_numpy()))[:3]
    drawn = [float(np.asarray(line.get_ydata())[0]) for line in lines]
    assert sorted(drawn) == pytest.approx(sorted(float(exact.values[int(i)]) for i in largest))
    refused = dataclasses.replace(results[0], refused="too few")
    assert plot_convergence([refused, *results[1:]], k=3).get_lines()
    with pytest.raises(InputError, match="at least two"):
        plot_convergence(results[:1])
