"""Errors over stimuli cover fresh trials."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from scipy.stats import norm

import artiphys as ap
from artiphys.lesions.contributions.stimulus_error import level_range
from artiphys.scores.score import Score
from artiphys.stats.trial_means import mean_interval


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


class Trials:
    """A game of known scores on each trial: ``scores(coalitions) -> (coalition, trial[, output])``."""

    kind = "drawn"

    def __init__(self, n_players: int, scores: Any) -> None:
        self.n_players, self.player_names, self.scores = n_players, list(range(n_players)), scores
        self.score: Any = Score(lambda outputs, trials: outputs, "score")
        self.stimuli = range(self.per_trial(np.ones((1, n_players), bool)).shape[1])
        self.seconds, self.n_evaluations = 0.0, 0

    def __call__(self, coalitions: Any) -> Any:
        return self.per_trial(coalitions).mean(axis=1)

    def per_trial(self, coalitions: Any) -> Any:
        return np.asarray(self.scores(coalitions), dtype=float)


def test_answers_that_all_turn_wrong_are_not_all_there_are() -> None:
    """24 of 24 answers hang on the first player, none on the second: no interval is a point."""
    game = Trials(2, lambda c: np.repeat(c[:, :1], 24, axis=1))
    for found in (ap.single_lesions(game), ap.shapley(game, progress=False), ap.banzhaf(game, progress=False)):
        low, high = found.interval(over="stimuli")
        assert found.level_range == 1.0 and found.refused_stimuli == ""
        assert 0.7 < float(low[0]) < 0.9 and float(high[0]) == 1.0
        assert float(high[1]) == -float(low[1]) == pytest.approx(3 / 24, rel=0.1)
        assert found.p_values("stimuli").to_numpy() == pytest.approx([2 * norm.sf(24 / np.sqrt(26)), 1.0])
        assert np.array_equal(found.interval()[0], low)  # no error over coalitions
    both = ap.interactions(game, progress=False)
    assert float(both.interval(over="stimuli")[1][-1] - both.interval(over="stimuli")[0][-1]) > 0.2


def test_where_no_interval_is_known_the_result_says_so() -> None:
    rng = np.random.default_rng(0)
    noise = rng.normal(size=60)
    rare = np.where(np.arange(60) == 7, 5.0, 0.0)
    game = Trials(3, lambda c: noise * (1 + c[:, :1]) + rare * c[:, 1:2])  # the third player does nothing
    found = ap.single_lesions(game)
    low, high = found.interval()
    assert np.isnan(low.to_numpy()).tolist() == np.isnan(high.to_numpy()).tolist() == [False, True, True]
    assert np.isnan(found.p_values().to_numpy()).tolist() == [False, True, True]
    assert "2 of 3 values have no interval over stimuli" in found.refused_stimuli and "300 trials" in repr(found)
    assert "2 of 3 values" in found.methods_text() and "use over=" not in found.methods_text()
    assert not np.isnan(found.interval(over="coalitions")[0]).any()
    assert found.to_dataframe()["low"].isna().tolist() == [False, True, True]


def test_outputs_of_other_units_do_not_blur_each_other() -> None:
    rng = np.random.default_rng(1)
    noise = rng.normal(size=(30, 2)) * [1e7, 1e-3]
    right = rng.random(30) < 0.5

    def scores(c: Any) -> Any:
        answers = np.where(c[:, :1], right, True)
        return np.concatenate([c[:, :1, None] * noise, answers[..., None]], axis=2)

    game = Trials(2, scores)
    game.score = Score(lambda outputs, trials: outputs, "three", outputs=("huge", "tiny", "right"))
    found = ap.single_lesions(game)
    assert np.isnan(found.level_range).tolist() == [True, True, False] and found.level_range[2] == 1.0
    low, high = found.interval(over="stimuli")
    for j in (0, 1):
        alone = mean_interval(noise[:, j][None], 0.95)
        assert [float(low[0, j]), float(high[0, j])] == pytest.approx([float(end[0]) for end in alone])
    assert np.isnan(low.to_numpy()).tolist() == [[False] * 3, [True, True, False]]


@pytest.mark.parametrize(
    ("levels", "apart"),
    [([0, 1], 1.0), ([-1, 1], 2.0), ([0, 0.5, 1], 1.0), ([0, 1, 2, 3, 4], np.nan), ([1], np.nan), ([0.2, 0.7], 0.5)],
)
def test_few_levels_are_told_from_continuous_scores(levels: list[float], apart: float) -> None:
    table = np.resize(np.array(levels, dtype=float), (4, 10))
    assert level_range(table) == pytest.approx(apart, nan_ok=True)
    outputs = level_range(np.stack([table, np.random.default_rng(0).normal(size=(4, 10))], axis=2))
    assert outputs == pytest.approx([apart, np.nan], nan_ok=True)


def test_a_continuous_score_seen_to_differ_once_has_no_few_levels() -> None:
    table = np.zeros((3, 6))
    table[1, 2] = 2.37
    assert np.isnan(level_range(table))
    table[1, 2] = 1.0  # right and wrong may be seen to differ once
    assert level_range(table) == 1.0


def test_both_errors_add_up_and_p_says_what_the_interval_says() -> None:
    """Values estimated from few coalitions on few skewed trials."""
    rng = np.random.default_rng(2)
    sizes = rng.lognormal(0, 1, (12, 20))

    def scores(c: Any) -> Any:
        return np.tanh(c @ sizes / 4 - 1) + (c[:, :1] & c[:, 1:2]) * sizes[0]

    found = ap.shapley(Trials(12, scores), budget=300, seed=1, progress=False)
    assert not found.exact and not found.refused
    ends = {over: [e.to_numpy() for e in found.interval(over=over)] for over in ("coalitions", "stimuli", "both")}
    value = found.values.to_numpy()
    for k in (0, 1):
        apart = [np.abs(ends[over][k] - value) for over in ("coalitions", "stimuli", "both")]
        assert apart[2] == pytest.approx(np.hypot(apart[0], apart[1]))
    p = found.p_values("both").to_numpy()
    for alpha in (0.05, 1e-3, 3e-4, 3e-5):
        low, high = found.interval(1 - alpha)
        assert np.array_equal(p < alpha, ((low > 0) | (high < 0)).to_numpy())
    assert (p >= found.p_values("stimuli").to_numpy()).all() and 0 < (p < 3e-4).sum() < 12


def test_of_a_score_of_the_whole_set_that_never_changes_no_interval_is_known() -> None:
    x = torch.randn(30, 3, generator=torch.Generator().manual_seed(0))
    net = torch.nn.Sequential(torch.nn.Identity(), torch.nn.Linear(3, 1, bias=False))
    net[1].weight = torch.nn.Parameter(torch.tensor([[1.0, 0.5, 0.0]]))  # the third unit goes nowhere
    prep = ap.wrap(net, x[:2])
    score = Score(lambda y, trials: y[:, 0], "spread", reduce=lambda kept, trials: kept.std(axis=1))
    found = ap.single_lesions(ap.Game(prep, x, score, prep.players("0"), kind="zero", progress=False))
    low, high = found.interval(over="stimuli")
    assert np.isnan(low.to_numpy()).tolist() == [False, False, True] and bool((low < high)[:2].all())
    assert "1 of 3 values" in found.refused_stimuli and "drawn again from the 30" in found.refused_stimuli


def test_many_players_join_into_one() -> None:
    rng = np.random.default_rng(0)
    effects = (rng.random((1500, 20)) < 0.2) * 1.0

    def scores(c: Any) -> Any:
        found = np.ones((len(c), 20))
        gone = np.flatnonzero((~c).sum(axis=1) == 1)
        found[gone] -= effects[np.argmin(c[gone], axis=1)]
        return found

    found = ap.single_lesions(Trials(1500, scores))
    low, high = found.interval(over="stimuli")
    expected = mean_interval(effects, 0.95, largest=1.0)
    assert found.level_range == 1.0
    assert low.to_numpy() == pytest.approx(np.maximum(expected[0], -1)) and high.shape == (1500,)
