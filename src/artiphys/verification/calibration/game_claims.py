"""Claims of lesions: random networks scored against random labels, and games whose values are known."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import torch
from scipy.stats import nct
from scipy.stats import t as t_distribution
from torch import Tensor, nn

from artiphys.array_types import Array
from artiphys.errors import StatisticsError
from artiphys.lesions import Game, banzhaf, interactions, minimal_circuit, shapley, single_lesions
from artiphys.preparation.wrap import wrap
from artiphys.stimuli import Stimuli
from artiphys.verification.calibration.claim import ALPHA, CONFIDENCE, Claim, covers, excludes_zero

N_TRIALS = 48
N_INPUTS, N_HIDDEN = 6, 5
EFFECT, N_EFFECT = 0.5, 32  # mean over sd of what a unit adds to a trial's score
N_PLAYERS, BUDGET, BUDGET_OF_PAIRS = 12, 300, 400


def _evidence(outputs: Tensor, trials: Stimuli) -> Tensor:
    sign = torch.as_tensor(np.asarray(trials.conditions["sign"], dtype=float))
    return outputs[:, 0].double() * sign


def salmon(rng: np.random.Generator) -> Game:
    """A network of random weights, scored by evidence for labels that were drawn without looking."""
    torch_rng = torch.Generator().manual_seed(int(rng.integers(2**31)))
    net = nn.Sequential(nn.Linear(N_INPUTS, N_HIDDEN), nn.ReLU(), nn.Linear(N_HIDDEN, 4), nn.Tanh(), nn.Linear(4, 1))
    with torch.no_grad():
        for weight in net.parameters():
            weight.copy_(torch.randn(weight.shape, generator=torch_rng))
    stimuli = Stimuli(
        torch.randn(N_TRIALS, N_INPUTS, generator=torch_rng), {"sign": rng.choice([-1, 1], size=N_TRIALS)}
    )
    return _game(net, stimuli, "1", _evidence)


def _game(net: nn.Module, stimuli: Stimuli, site: str, score: Any) -> Game:
    prep = wrap(net.eval().requires_grad_(False), stimuli[:2], check=False)
    return Game(prep, stimuli, score, prep.players(site), kind="zero", batch_size=8192, progress=False)


def _one_of(outcomes: Array, rng: np.random.Generator) -> Array:
    """Of one player drawn at random: those of one game depend on each other."""
    return outcomes[[int(rng.integers(len(outcomes)))]]


def _salmon_singles(rng: np.random.Generator) -> Array:
    return _one_of(excludes_zero(single_lesions(salmon(rng)).interval(CONFIDENCE, "stimuli")), rng)


def _salmon_shapley(rng: np.random.Generator) -> Array:
    found = shapley(salmon(rng), method="exact", progress=False)
    return _one_of(excludes_zero(found.interval(CONFIDENCE, "stimuli")), rng)


def _salmon_banzhaf(rng: np.random.Generator) -> Array:
    found = banzhaf(salmon(rng), method="exact", progress=False)
    return _one_of(excludes_zero(found.interval(CONFIDENCE, "stimuli")), rng)


def _salmon_interactions(rng: np.random.Generator) -> Array:
    """Any pair, since p-values are corrected for their number."""
    found = interactions(salmon(rng), order=2, progress=False)
    p = found.p_values("stimuli")
    pairs = [len(members) == 2 for members in p["interaction"].values]
    return np.array([bool((p.to_numpy()[pairs] <= ALPHA).any())])


def _salmon_circuit(rng: np.random.Generator) -> Array:
    """A circuit of nothing: it must be refused, since intact and lesioned cannot be told apart."""
    try:
        minimal_circuit(salmon(rng), progress=False)
    except StatisticsError:
        return np.array([False])
    return np.array([True])


class _Sum(nn.Module):
    """A unit that passes a number on."""

    def __init__(self) -> None:
        super().__init__()
        self.hidden = nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        return torch.as_tensor(self.hidden(x).sum(dim=1))


def _known_effect(rng: np.random.Generator) -> Any:
    x = torch.as_tensor(rng.normal(EFFECT, 1, size=(N_EFFECT, 1)), dtype=torch.float32)
    game = _game(_Sum(), Stimuli(x, {}), "hidden", lambda outputs, trials: outputs)
    return single_lesions(game).interval(CONFIDENCE, "stimuli")


def _singles_coverage(rng: np.random.Generator) -> Array:
    return covers(_known_effect(rng), EFFECT)


def _singles_power(rng: np.random.Generator) -> Array:
    return excludes_zero(_known_effect(rng))


def random_game(rng: np.random.Generator) -> tuple[Any, Array]:
    """A game of 12 players that back each other up, need each other and oppose each other; all its values."""
    weights, who = rng.normal(size=N_PLAYERS) * 0.2, rng.permutation(N_PLAYERS)
    gains = rng.uniform(0.5, 2, size=4)

    def value(coalitions: Any) -> Array:
        x = np.asarray(coalitions, dtype=float)[:, who]
        either, both = np.maximum(x[:, 0], x[:, 1]), x[:, 2] * x[:, 3]
        against, three = x[:, 4] * (1 - x[:, 5]), x[:, 6] * x[:, 7] * x[:, 8]
        parts = np.stack([either, both, against, three], axis=1)
        # Saturation, so that players interact to all orders and no model of few of these is exact.
        return np.asarray(np.tanh(np.asarray(coalitions, dtype=float) @ weights + parts @ gains - 1))

    rows = (np.arange(2**N_PLAYERS)[:, None] >> np.arange(N_PLAYERS)) & 1
    return value, value(rows)


def _semivalue(values: Array, player: int, weight: Any) -> float:
    """Weighted mean of what a player adds to each coalition of the others, by the coalition's size."""
    numbers = np.arange(len(values))
    without = numbers[(numbers >> player) & 1 == 0]
    sizes = np.array([int(number).bit_count() for number in without])
    return float(((values[without | (1 << player)] - values[without]) * weight(sizes)).sum())


def _shapley_weight(sizes: Array) -> Array:
    return np.array([1 / (N_PLAYERS * math.comb(N_PLAYERS - 1, int(s))) for s in sizes])


def _banzhaf_weight(sizes: Array) -> Array:
    return np.full(len(sizes), 0.5 ** (N_PLAYERS - 1))


def _sampled(estimate: Any, weight: Any) -> Any:
    def run(rng: np.random.Generator) -> Array:
        value, values = random_game(rng)
        found = estimate(value, n_players=N_PLAYERS, budget=BUDGET, seed=int(rng.integers(2**31)), progress=False)
        player = int(rng.integers(N_PLAYERS))
        low, high = found.interval(CONFIDENCE, "coalitions")
        return covers((low[player], high[player]), _semivalue(values, player, weight))

    return run


def _pair_coverage(rng: np.random.Generator) -> Array:
    """The Banzhaf interaction of one pair drawn at random."""
    value, values = random_game(rng)
    seed = int(rng.integers(2**31))
    found = interactions(value, n_players=N_PLAYERS, index="Banzhaf", budget=BUDGET_OF_PAIRS, seed=seed, progress=False)
    a, b = sorted(int(i) for i in rng.choice(N_PLAYERS, size=2, replace=False))
    numbers = np.arange(len(values))
    rest = numbers[((numbers >> a) & 1 == 0) & ((numbers >> b) & 1 == 0)]
    truth = (values[rest | 1 << a | 1 << b] - values[rest | 1 << a] - values[rest | 1 << b] + values[rest]).mean()
    low, high = found.interval(CONFIDENCE, "coalitions")
    place = [set(members) for members in low["interaction"].values].index({a, b})
    ends = float(low[place]), float(high[place])
    return covers(ends, truth) if np.isfinite(ends).all() else np.zeros(0, dtype=bool)  # refused for this pair


def power_of_one_sample_t(effect: float, n: int) -> float:
    """Power of a two-sided t-test of one mean at .05."""
    border = t_distribution.ppf(1 - ALPHA / 2, n - 1)
    shift = effect * math.sqrt(n)
    return float(nct.sf(border, n - 1, shift) + nct.cdf(-border, n - 1, shift))


def game_claims() -> list[Claim]:
    """All claims of lesions."""
    dead = "random weights and labels"
    known = f"effect {EFFECT} sd, {N_EFFECT} trials"
    sampled = f"over coalitions, {N_PLAYERS} players, {BUDGET} of {2**N_PLAYERS}"
    return [
        Claim("single_lesions", "false positives", dead, ALPHA, _salmon_singles),
        Claim("single_lesions", "coverage", known, CONFIDENCE, _singles_coverage),
        Claim("single_lesions", "power", known, power_of_one_sample_t(EFFECT, N_EFFECT), _singles_power),
        Claim("shapley", "false positives", dead, ALPHA, _salmon_shapley),
        Claim("shapley", "coverage", sampled, CONFIDENCE, _sampled(shapley, _shapley_weight)),
        Claim("banzhaf", "false positives", dead, ALPHA, _salmon_banzhaf),
        Claim("banzhaf", "coverage", sampled, CONFIDENCE, _sampled(banzhaf, _banzhaf_weight)),
        Claim("interactions", "false positives", f"any pair, {dead}", ALPHA, _salmon_interactions),
        Claim("interactions", "coverage", "over coalitions, a pair of 12 players", CONFIDENCE, _pair_coverage),
        Claim("minimal_circuit", "false positives", f"a circuit at all, {dead}", ALPHA, _salmon_circuit),
    ]
